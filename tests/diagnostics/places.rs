//! Tests where each fiber was spawned, by which one, and what it waits for.

use std::time::Duration;

use fibra::channel::{Channel, bounded};
use fibra::stackless;
use fibra::{Activity, Dump, FiberSnapshot, WaitsFor, spawn, yield_now};

use crate::support::{ms, run_virtually};

fn fiber<'a>(dump: &'a Dump, name: &str) -> &'a FiberSnapshot {
    let found = dump.fibers.iter().find(|fiber| fiber.name.as_deref() == Some(name));
    found.unwrap_or_else(|| panic!("no fiber is named {name}:\n{dump}"))
}

/// Returns the file and the line of a place.
macro_rules! place {
    ($of:expr) => {{
        let of = $of;
        (of.file(), of.line())
    }};
}

#[test]
fn every_kind_of_fiber_knows_its_place_and_its_parent() {
    fibra::run(|| {
        let main = fibra::current().id();
        let line = line!();
        let _plain = spawn(fibra::park);
        let _now = fibra::spawn_now(fibra::park);
        let _tasklet = stackless::spawn(fibra::park);
        let _future = fibra::future::spawn(fibra::park);
        let (outer, inner) = bounded(1);
        let _outer = fibra::Builder::new().name("outer").spawn(move || {
            let _inner = fibra::Builder::new().name("inner").spawn(fibra::park);
            outer.send(fibra::current().id()).unwrap();
            fibra::park();
        });
        let outer = inner.recv().unwrap();
        yield_now();
        let dump = fibra::dump();
        for (i, fiber) in dump.fibers[1..5].iter().enumerate() {
            assert_eq!(fiber.parent, Some(main), "{fiber}");
            assert_eq!(place!(fiber.spawned_at), (file!(), line + 1 + i as u32), "{fiber}");
        }
        assert_eq!(fiber(&dump, "outer").parent, Some(main));
        let inner = fiber(&dump, "inner");
        assert_eq!((inner.parent, inner.spawned_at.line()), (Some(outer), line + 7), "{inner}");
        assert_eq!((dump.fibers[0].parent, dump.fibers[0].id), (None, main));
        let text = format!(" at {}:{}:", file!(), line + 7);
        let shown = inner.to_string();
        assert!(shown.contains(&text) && shown.ends_with(&format!(" by {outer}")), "{shown}");
    });
}

#[test]
fn fibers_of_scopes_and_pools_are_spawned_at_the_line_of_the_user() {
    fibra::run(|| {
        let line = line!() + 2;
        fibra::scope(|scope| {
            scope.spawn(|| assert_own_place(line));
        });
        let pool = fibra::pool::Pool::new(2);
        let line = line!() + 1;
        pool.spawn(move || assert_own_place(line)).join().unwrap();
    });
}

fn assert_own_place(line: u32) {
    let own = fibra::current().id();
    let dump = fibra::dump();
    let own = dump.fibers.iter().find(|fiber| fiber.id == own).unwrap();
    assert_eq!(place!(own.spawned_at), (file!(), line), "{own}");
    assert!(own.parent.is_some(), "{own}");
}

#[test]
fn a_job_knows_the_fiber_of_the_other_scheduler_that_spawned_it() {
    let runtime = fibra::Runtime::builder().threads(2).build().unwrap();
    runtime.run(|| {
        let handle = fibra::Handle::current();
        let main = fibra::current().id();
        let line = line!() + 1;
        let job = handle.spawn_on(1, || {
            let own = fibra::current().id();
            let dump = fibra::dump();
            let own = dump.fibers.iter().find(|fiber| fiber.id == own).unwrap().clone();
            (own.parent, own.spawned_at, own.to_string())
        });
        let (parent, place, text) = job.join().unwrap();
        assert_eq!((parent, place!(place)), (Some(main), (file!(), line)));
        assert!(text.ends_with(" by #1 of another scheduler"), "{text}");

        handle.spawn_on(1, fibra::park).detach();
        let by_zero = |text: &str| text.contains(" by #1 of scheduler 0");
        while !by_zero(&handle.dump().to_string()) {
            fibra::sleep(ms(1));
        }
    });
}

#[test]
fn a_job_from_outside_has_no_parent() {
    fibra::run(|| {
        let handle = fibra::Handle::current();
        let (line, job) = crate::support::sync::thread(move || {
            let line = line!() + 1;
            let job = handle.spawn(|| {
                let dump = fibra::dump();
                dump.fibers.last().unwrap().clone()
            });
            (line, job)
        })
        .join()
        .unwrap();
        let own = job.join().unwrap();
        assert_eq!((own.parent, own.spawned_at.line()), (None, line));
        assert!(own.to_string().ends_with(" from outside"), "{own}");
    });
}

#[test]
fn a_parent_stays_known_after_its_end() {
    fibra::run(|| {
        let parent = spawn(|| spawn(fibra::park).fiber().clone());
        let (id, child) = (parent.fiber().id(), parent.join().unwrap());
        yield_now();
        let dump = fibra::dump();
        assert_eq!((dump.fibers[1].id, dump.fibers[1].parent), (child.id(), Some(id)));
    });
}

#[test]
fn a_wait_names_its_channel_by_the_place_where_that_was_made() {
    fibra::run(|| {
        let line = line!();
        let (_sender, receiver) = bounded::<u32>(1);
        let rendezvous = Channel::<u32>::new();
        let tasklets = stackless::Channel::<u32>::new();
        let (_other, shared) = fibra::sync::mpmc::bounded::<u32>(1);
        let across = stackless::SharedChannel::<u32>::new();
        let _receiver = spawn(move || receiver.recv().is_ok());
        let _sender = spawn(move || rendezvous.send(1).is_ok());
        let _tasklet = spawn(move || tasklets.receive().is_ok());
        let _shared = spawn(move || shared.recv().is_ok());
        let _across = spawn(move || across.receive().is_ok());
        yield_now();
        let dump = fibra::dump();
        for (i, fiber) in dump.fibers[1..].iter().enumerate() {
            let [WaitsFor::Channel(made_at)] = fiber.waits_for[..] else { panic!("{fiber}") };
            assert_eq!(place!(made_at), (file!(), line + 1 + i as u32), "{fiber}");
            let text = format!(" (made at {made_at}) at ");
            assert!(fiber.to_string().contains(&text), "{fiber}");
        }
    });
}

#[test]
fn a_select_waits_for_each_of_its_channels() {
    fibra::run(|| {
        let line = line!();
        let (_a, left) = bounded::<u32>(1);
        let (_b, right) = bounded::<u32>(1);
        let _choice = spawn(move || {
            fibra::select! {
                value = recv(left) => value.is_ok(),
                value = recv(right) => value.is_ok(),
            }
        });
        yield_now();
        let dump = fibra::dump();
        let made_at = |target: &WaitsFor| match target {
            WaitsFor::Channel(place) => place.line(),
            other => panic!("{other}"),
        };
        let mut lines: Vec<_> = dump.fibers[1].waits_for.iter().map(made_at).collect();
        lines.sort_unstable();
        assert_eq!(lines, [line + 1, line + 2]);
    });
}

#[test]
fn a_join_names_the_fiber_and_a_sleep_the_time_that_is_left() {
    run_virtually(|| {
        let sleeper = fibra::Builder::new().name("sleeper").spawn(|| fibra::sleep(ms(5_000)));
        let id = sleeper.fiber().id();
        let _joiner = fibra::Builder::new().name("joiner").spawn(move || sleeper.join().is_ok());
        let _limited = fibra::Builder::new().name("limited").spawn(|| fibra::park_timeout(ms(9)));
        fibra::sleep(ms(2));
        let dump = fibra::dump();
        let joiner = fiber(&dump, "joiner");
        let [WaitsFor::Fiber { id: of, name, .. }] = &joiner.waits_for[..] else {
            panic!("{joiner}")
        };
        assert_eq!((*of, name.as_deref()), (id, Some("sleeper")));
        let text = format!("is waiting for a fiber to end ('sleeper' {id}) at");
        assert!(joiner.to_string().contains(&text), "{joiner}");
        assert_eq!(joiner.ends_in, None);
        assert_eq!(fiber(&dump, "sleeper").ends_in, Some(ms(4_998)));
        assert!(fiber(&dump, "sleeper").to_string().contains(" for 2ms, 4.998s left"), "{dump}");
        assert_eq!(fiber(&dump, "limited").ends_in, Some(ms(7)));
    });
}

#[test]
fn a_kill_that_is_put_off_shows() {
    fibra::run(|| {
        let _shielded = spawn(|| fibra::shield(fibra::park));
        yield_now();
        assert!(!fibra::dump().fibers[1].kill_pending);
        _shielded.kill();
        let dump = fibra::dump();
        assert!(dump.fibers[1].kill_pending && dump.to_string().contains(", killed, spawned at"));
        _shielded.fiber().unpark();
    });
}

#[test]
fn a_deadlock_report_names_the_places_of_the_spawns() {
    fibra::run(|| {
        let line = line!() + 1;
        let stuck = spawn(fibra::park);
        let error = stuck.join().unwrap_err().to_string();
        assert!(error.contains(&format!(" spawned at {}:{line}:", file!())), "{error}");
    });
}

#[test]
fn a_fiber_that_never_ran_is_shown_without_a_wait() {
    fibra::run(|| {
        let _new = spawn(|| ());
        let new = &fibra::dump().fibers[1];
        assert_eq!((new.activity, new.waits_for.len()), (Activity::NotStarted, 0));
        assert_eq!((new.location, new.ends_in), (new.spawned_at, None::<Duration>));
    });
}

#[cfg(feature = "net")]
mod of_descriptors {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::os::fd::AsRawFd;

    use fibra::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_wait_for_a_socket_names_its_descriptor_and_its_peer() {
        fibra::run(|| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let client = TcpStream::connect(address).unwrap();
            let (mut stream, peer) = listener.accept().unwrap();
            let number = stream.as_raw_fd();
            let _acceptor = spawn(move || listener.accept().is_ok());
            let _reader = spawn(move || stream.read(&mut [0; 8]).is_ok());
            yield_now();
            fibra::sleep(ms(1));
            let dump = fibra::dump();
            let acceptor = &dump.fibers[1];
            let [WaitsFor::Descriptor(of)] = &acceptor.waits_for[..] else { panic!("{acceptor}") };
            assert_eq!((&of.peer, &of.local), (&None, &Some(address.to_string())));
            let reader = &dump.fibers[2];
            let [WaitsFor::Descriptor(of)] = &reader.waits_for[..] else { panic!("{reader}") };
            assert_eq!((of.number, &of.peer), (number, &Some(peer.to_string())));
            let text = format!("(descriptor {number}, peer {peer}) at");
            assert!(reader.to_string().contains(&text), "{reader}");
            drop(client);
        });
    }

    /// Runs `f` until it waits, and returns the place of the wait.
    fn place_of(f: impl FnOnce(TcpStream) + 'static) -> (&'static str, u32) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        let fiber = spawn(move || f(stream));
        let id = fiber.fiber().id();
        loop {
            yield_now();
            let dump = fibra::dump();
            let found = dump.fibers.iter().find(|fiber| fiber.id == id).unwrap();
            if matches!(found.activity, Activity::Waiting(_)) {
                fiber.kill();
                return place!(found.location);
            }
        }
    }

    #[test]
    fn the_place_of_a_wait_in_a_trait_of_std_is_the_line_of_the_user() {
        fibra::run(|| {
            let line = line!() + 1;
            let place = place_of(|mut stream| drop(stream.read(&mut [0; 8])));
            assert_eq!(place, (file!(), line));

            let line = line!() + 1;
            let place = place_of(|mut stream| drop(stream.read_exact(&mut [0; 8])));
            assert_eq!(place, (file!(), line));

            let line = line!() + 1;
            let place = place_of(|mut stream| while stream.write(&[0; 1 << 16]).is_ok() {});
            assert_eq!(place, (file!(), line));

            let line = line!() + 1;
            let place = place_of(|mut stream| drop(stream.write_all(&[0; 1 << 25])));
            assert_eq!(place, (file!(), line));

            let (_sender, receiver) = bounded::<u32>(1);
            let line = line!() + 1;
            let place = place_of(move |_| for _value in &receiver {});
            assert_eq!(place, (file!(), line));
        });
    }

    #[test]
    fn a_wait_inside_of_an_adapter_of_std_shows_its_spawn_as_the_line_of_the_user() {
        fibra::run(|| {
            let line = line!() + 3;
            let _listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = _listener.local_addr().unwrap();
            let _reader = spawn(move || {
                let stream = TcpStream::connect(address).unwrap();
                BufReader::new(stream).read_line(&mut String::new())
            });
            let reader = || fibra::dump().fibers[1].clone();
            while reader().activity != Activity::Waiting("reading from a TCP stream") {
                fibra::sleep(ms(1));
            }
            let text = reader().to_string();
            let place = format!(" spawned at {}:{line}:", file!());
            assert!(text.contains(" at library/std/src/io/") && text.contains(&place), "{text}");
        });
    }
}
