//! Servers on all schedulers of a runtime: who serves a connection, limits, errors, and ends.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::panic;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

use fibra::net::{TcpListener, TcpStream};
use fibra::server::{Accept, Running, Server};
use fibra::sync::Event;
use fibra::{Handle, Runtime};

use crate::support::net::soon;
use crate::support::{OnDrop, panic_of};

const LONG: Duration = Duration::from_secs(60);
const ANY: &str = "127.0.0.1:0";

/// Runs `f` on a runtime of `threads` schedulers.
fn on_threads<T>(threads: usize, f: impl FnOnce() -> T) -> T {
    Runtime::builder().threads(threads).build().unwrap().run(f)
}

/// Starts `handler` on each of two schedulers: with one listener, and with one for each. Calls
/// `test` with each server and its address.
fn in_both_modes<F, R>(
    most: usize,
    handler: impl Fn() -> F,
    test: impl Fn(Running, SocketAddr) -> R,
) where
    F: Fn(TcpStream, SocketAddr) + Send + Sync + 'static,
{
    on_threads(2, || {
        let server = Server::bind(ANY).unwrap().max_connections(most);
        let address = server.listener().local_addr().unwrap();
        test(server.start_on_each(handler()), address);
        let listeners = TcpListener::builder().bind_each(2, ANY).unwrap();
        let address = listeners[0].local_addr().unwrap();
        let server = Server::new(listeners).max_connections(most);
        test(server.start_on_each(handler()), address);
    });
}

fn ask(address: SocketAddr, text: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(text.as_bytes())?;
    stream.shutdown(std::net::Shutdown::Write)?;
    io::read_to_string(stream)
}

fn echo(stream: TcpStream, _: SocketAddr) {
    drop(io::copy(&mut &stream, &mut &stream));
}

fn wait_until(done: impl Fn() -> bool) {
    soon(|| {
        while !done() {
            fibra::sleep(Duration::from_millis(1));
        }
    });
}

#[test]
fn a_hundred_clients_are_served_in_both_modes() {
    in_both_modes(
        usize::MAX,
        || echo,
        |running, address| {
            let ask = |n: usize| fibra::spawn(move || ask(address, &n.to_string()));
            let clients: Vec<_> = (0..100).map(ask).collect();
            for (n, client) in clients.into_iter().enumerate() {
                assert_eq!(soon(|| client.join()).unwrap().unwrap(), n.to_string());
            }
            wait_until(|| running.connections() == 0);
            assert_eq!(running.shutdown(LONG).killed, 0);
        },
    );
}

#[test]
fn one_listener_gives_each_scheduler_the_same_number_of_connections() {
    on_threads(3, || {
        let threads = Arc::new(Mutex::new(BTreeMap::new()));
        let server = Server::bind(ANY).unwrap();
        let address = server.listener().local_addr().unwrap();
        let counts = threads.clone();
        let running = server.start_on_each(move |mut stream, _| {
            let index = Handle::current().index().unwrap();
            *counts.lock().unwrap().entry(index).or_insert(0) += 1;
            stream.read_exact(&mut [0])
        });
        let clients: Vec<_> = (0..30).map(|_| TcpStream::connect(address).unwrap()).collect();
        wait_until(|| threads.lock().unwrap().values().sum::<usize>() == 30);
        assert_eq!(running.connections(), 30);
        assert_eq!(*threads.lock().unwrap(), BTreeMap::from([(0, 10), (1, 10), (2, 10)]));
        drop(clients);
        assert_eq!(running.shutdown(LONG).killed, 0);
    });
}

#[test]
fn the_scheduler_with_the_fewest_connections_gets_the_next() {
    on_threads(2, || {
        let server = Server::bind(ANY).unwrap();
        let address = server.listener().local_addr().unwrap();
        let running = server.start_on_each(|mut stream: TcpStream, _| {
            let index = Handle::current().index().unwrap() as u8;
            stream.write_all(&[index])?;
            stream.read_exact(&mut [0])
        });
        let connect = || {
            let mut client = TcpStream::connect(address).unwrap();
            let mut index = [0];
            client.read_exact(&mut index).unwrap();
            (index[0], client)
        };
        let (mut first, second): (Vec<_>, Vec<_>) =
            (0..6).map(|_| connect()).partition(|(index, _)| *index == 0);
        assert_eq!((first.len(), second.len()), (3, 3));
        first.clear();
        wait_until(|| running.connections() == 3);
        for _ in 0..3 {
            let (index, client) = connect();
            assert_eq!(index, 0);
            first.push((index, client));
        }
        running.shutdown(Duration::ZERO);
    });
}

#[test]
fn a_connection_stays_on_its_thread() {
    let seen: Arc<Mutex<Vec<Vec<ThreadId>>>> = Arc::default();
    let handler = {
        let seen = seen.clone();
        move || {
            let seen = seen.clone();
            move |mut stream: TcpStream, _: SocketAddr| {
                let mut threads = Vec::new();
                while matches!(stream.read(&mut [0]), Ok(1)) {
                    threads.push(thread::current().id());
                    stream.write_all(b"!").unwrap();
                }
                seen.lock().unwrap().push(threads);
            }
        }
    };
    in_both_modes(usize::MAX, handler, |running, address| {
        let mut clients: Vec<_> = (0..8).map(|_| TcpStream::connect(address).unwrap()).collect();
        for _ in 0..10 {
            for client in &mut clients {
                client.write_all(b"?").unwrap();
                client.read_exact(&mut [0]).unwrap();
            }
        }
        drop(clients);
        assert_eq!(running.shutdown(LONG).killed, 0);
    });
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 16);
    for threads in &*seen {
        assert_eq!(threads.len(), 10);
        assert!(threads.iter().all(|thread| *thread == threads[0]));
    }
}

#[test]
fn a_limit_counts_the_connections_of_all_schedulers() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let handler = {
        let (now, most) = (now.clone(), most.clone());
        move || {
            let (now, most) = (now.clone(), most.clone());
            move |mut stream: TcpStream, _: SocketAddr| {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                fibra::sleep(Duration::from_millis(3));
                now.fetch_sub(1, Ordering::SeqCst);
                stream.write_all(b"served").unwrap();
            }
        }
    };
    in_both_modes(4, handler, |running, address| {
        most.store(0, Ordering::SeqCst);
        let clients: Vec<_> = (0..20).map(|_| fibra::spawn(move || ask(address, ""))).collect();
        for client in clients {
            assert_eq!(soon(|| client.join()).unwrap().unwrap(), "served");
        }
        assert!((2..=4).contains(&most.load(Ordering::SeqCst)), "{most:?}");
        assert_eq!(running.shutdown(LONG).killed, 0);
    });
}

#[test]
fn a_limit_of_one_serves_one_after_the_other() {
    on_threads(2, || {
        let server = Server::bind(ANY).unwrap().max_connections(1);
        let address = server.listener().local_addr().unwrap();
        let running = server.start_on_each(echo);
        let clients: Vec<_> = (0..9).map(|_| fibra::spawn(move || ask(address, "a"))).collect();
        for client in clients {
            assert_eq!(soon(|| client.join()).unwrap().unwrap(), "a");
        }
        running.shutdown(LONG);
    });
}

#[test]
fn a_shutdown_lets_connections_of_all_threads_end_and_stops_accepting() {
    static GO: Event = Event::new();
    let handler = || {
        |mut stream: TcpStream, _: SocketAddr| {
            stream.write_all(b"!").unwrap();
            GO.wait();
            stream.write_all(b"served").unwrap();
        }
    };
    in_both_modes(usize::MAX, handler, |running, address| {
        GO.clear();
        let clients: Vec<_> = (0..8)
            .map(|_| {
                let mut client = TcpStream::connect(address).unwrap();
                client.read_exact(&mut [0]).unwrap();
                client
            })
            .collect();
        let stopping = running.stopping();
        let ends = fibra::spawn(move || running.shutdown(LONG));
        stopping.wait();
        soon(|| {
            while TcpStream::connect(address).is_ok() {
                fibra::sleep(Duration::from_millis(1));
            }
        });
        assert!(!ends.is_finished());
        GO.set();
        assert_eq!(soon(|| ends.join()).unwrap().killed, 0);
        for client in clients {
            assert_eq!(io::read_to_string(client).unwrap(), "served");
        }
    });
}

#[test]
fn what_is_left_after_the_grace_is_killed_on_all_threads() {
    let unwound = Arc::new(AtomicUsize::new(0));
    let handler = {
        let unwound = unwound.clone();
        move || {
            let unwound = unwound.clone();
            move |mut stream: TcpStream, _: SocketAddr| {
                let _unwinds = OnDrop(|| {
                    unwound.fetch_add(1, Ordering::SeqCst);
                });
                stream.write_all(b"!").unwrap();
                fibra::park();
            }
        }
    };
    in_both_modes(usize::MAX, handler, |running, address| {
        unwound.store(0, Ordering::SeqCst);
        let clients: Vec<_> = (0..8)
            .map(|_| {
                let mut client = TcpStream::connect(address).unwrap();
                client.read_exact(&mut [0]).unwrap();
                client
            })
            .collect();
        assert_eq!(running.connections(), 8);
        assert_eq!(soon(|| running.shutdown(Duration::from_millis(5))).killed, 8);
        assert_eq!(unwound.load(Ordering::SeqCst), 8, "the shutdown waits for the destructors");
        drop(clients);
    });
}

#[test]
fn a_connection_in_a_queue_is_served_although_a_shutdown_begins() {
    on_threads(2, || {
        let server = Server::bind(ANY).unwrap();
        let address = server.listener().local_addr().unwrap();
        let running = server.start_on_each(|mut stream: TcpStream, _| stream.write_all(b"served"));
        // The other scheduler cannot serve its queue meanwhile.
        static BUSY: AtomicBool = AtomicBool::new(false);
        static GO: AtomicBool = AtomicBool::new(false);
        let busy = Handle::current().spawn_on(1, || {
            BUSY.store(true, Ordering::SeqCst);
            while !GO.load(Ordering::SeqCst) {
                thread::yield_now();
            }
        });
        wait_until(|| BUSY.load(Ordering::SeqCst));
        let _goes = OnDrop(|| GO.store(true, Ordering::SeqCst));
        // The first one is queued there, and the others come to this scheduler.
        let queued = fibra::spawn(move || ask(address, ""));
        for _ in 0..3 {
            wait_until(|| running.connections() == 1);
            assert_eq!(soon(|| ask(address, "")).unwrap(), "served");
        }
        let stopping = running.stopping();
        let ends = fibra::spawn(move || running.shutdown(LONG));
        stopping.wait();
        wait_until(|| TcpStream::connect(address).is_err());
        GO.store(true, Ordering::SeqCst);
        busy.join().unwrap();
        assert_eq!(ends.join().unwrap().killed, 0);
        assert_eq!(queued.join().unwrap().unwrap(), "served");
    });
}

#[test]
fn dropping_a_running_server_kills_it_on_all_threads() {
    let alive = Arc::new(AtomicUsize::new(0));
    let handler = {
        let alive = alive.clone();
        move || {
            let alive = alive.clone();
            move |mut stream: TcpStream, _: SocketAddr| {
                alive.fetch_add(1, Ordering::SeqCst);
                let _leaves = OnDrop(|| {
                    alive.fetch_sub(1, Ordering::SeqCst);
                });
                stream.read_exact(&mut [0]).unwrap();
            }
        }
    };
    in_both_modes(usize::MAX, handler, |running, address| {
        let clients: Vec<_> = (0..6).map(|_| TcpStream::connect(address).unwrap()).collect();
        wait_until(|| alive.load(Ordering::SeqCst) == 6);
        drop(running);
        wait_until(|| alive.load(Ordering::SeqCst) == 0);
        wait_until(|| TcpStream::connect(address).is_err());
        drop(clients);
    });
}

#[test]
fn a_panic_of_a_handler_ends_its_connection_only() {
    let handler = || {
        |mut stream: TcpStream, _: SocketAddr| {
            let mut question = String::new();
            stream.read_to_string(&mut question).unwrap();
            assert_ne!(question, "panic");
            stream.write_all(b"fine").unwrap();
        }
    };
    in_both_modes(usize::MAX, handler, |running, address| {
        for _ in 0..4 {
            assert_eq!(ask(address, "panic").unwrap_or_default(), "");
            assert_eq!(ask(address, "calm").unwrap(), "fine");
        }
        wait_until(|| running.connections() == 0);
        assert_eq!(running.shutdown(LONG).killed, 0);
    });
}

#[test]
fn a_broken_listener_ends_the_server_and_is_reported_once() {
    on_threads(2, || {
        for own in [false, true] {
            let listeners = TcpListener::builder().bind_each(2, ANY).unwrap();
            let other = listeners[1].try_clone().unwrap();
            let reported = std::rc::Rc::new(std::cell::Cell::new(0));
            let count = reported.clone();
            let on_error = move |_: &io::Error| count.set(count.get() + 1);
            let running = if own {
                Server::new(listeners).on_error(on_error).start_on_each(echo)
            } else {
                let listener = listeners.into_iter().next_back().unwrap();
                Server::new(listener).on_error(on_error).start_on_each(echo)
            };
            fibra::sleep(Duration::from_millis(2));
            rustix::net::shutdown(&other, rustix::net::Shutdown::Both).unwrap();
            let error = soon(|| running.wait()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert_eq!(reported.get(), 1);
        }
    });
}

/// A listener that fails with the given errors, and then panics or waits.
struct Script {
    errors: Mutex<Vec<i32>>,
    panics: bool,
}

impl Script {
    fn new(errors: &[i32], panics: bool) -> Script {
        let errors = errors.iter().rev().copied().collect();
        Script { errors: Mutex::new(errors), panics }
    }
}

impl Accept for Script {
    type Connection = ();
    type Peer = ();

    fn accept(&self) -> io::Result<((), ())> {
        let next = self.errors.lock().unwrap().pop();
        if let Some(error) = next {
            return Err(io::Error::from_raw_os_error(error));
        }
        assert!(!self.panics, "the script is over");
        fibra::park();
        Ok(((), ()))
    }
}

#[test]
fn errors_of_the_other_listeners_are_reported_on_the_thread_that_has_started() {
    const EMFILE: i32 = 24;
    const ECONNABORTED: i32 = 103;
    on_threads(2, || {
        let seen = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
        let sees = seen.clone();
        let here = thread::current().id();
        let scripts =
            vec![Script::new(&[ECONNABORTED], false), Script::new(&[EMFILE, ECONNABORTED], false)];
        let server = Server::new(scripts).on_error(move |error| {
            assert_eq!(thread::current().id(), here);
            sees.borrow_mut().push(error.raw_os_error().unwrap());
        });
        let running = server.start_on_each(|(), ()| ());
        wait_until(|| seen.borrow().len() == 3);
        assert_eq!(running.shutdown(LONG).killed, 0);
        let mut seen = seen.take();
        seen.sort_unstable();
        assert_eq!(seen, [EMFILE, ECONNABORTED, ECONNABORTED]);
    });
}

#[test]
fn a_panic_of_a_listener_is_raised_by_wait() {
    on_threads(2, || {
        let scripts = vec![Script::new(&[], false), Script::new(&[], true)];
        let running = Server::new(scripts).start_on_each(|(), ()| ());
        assert_eq!(panic_of(|| soon(|| running.wait())), "the script is over");
        let running = Server::new(Script::new(&[], true)).start_on_each(|(), ()| ());
        assert_eq!(panic_of(|| soon(|| running.wait())), "the script is over");
    });
}

#[test]
fn a_shutdown_that_is_killed_kills_the_server() {
    in_both_modes(
        usize::MAX,
        || |_: TcpStream, _: SocketAddr| fibra::park(),
        |running, address| {
            let mut client = TcpStream::connect(address).unwrap();
            wait_until(|| running.connections() == 1);
            let ends = fibra::spawn(move || running.shutdown(LONG));
            fibra::sleep(Duration::from_millis(2));
            ends.kill();
            assert!(ends.join().unwrap_err().is_killed());
            assert_eq!(soon(|| client.read(&mut [0])).unwrap_or(0), 0);
        },
    );
}

#[test]
fn a_runtime_ends_while_its_server_runs() {
    for forget in [false, true] {
        let runtime = Runtime::builder()
            .threads(2)
            .shutdown_timeout(Duration::from_millis(5))
            .build()
            .unwrap();
        runtime.run(|| {
            let server = Server::bind(ANY).unwrap();
            let address = server.listener().local_addr().unwrap();
            let running = server.start_on_each(|_, _| fibra::park());
            let clients: Vec<_> = (0..4).map(|_| TcpStream::connect(address).unwrap()).collect();
            wait_until(|| running.connections() == 4);
            if forget {
                std::mem::forget(running);
            }
            drop(clients);
        });
    }
}

#[test]
fn with_one_scheduler_it_is_the_same_as_start() {
    fibra::run(|| {
        let server = Server::bind(ANY).unwrap();
        let address = server.listener().local_addr().unwrap();
        let running = server.start_on_each(echo);
        assert_eq!(ask(address, "here").unwrap(), "here");
        assert_eq!(running.shutdown(LONG).killed, 0);
        let listeners = TcpListener::builder().bind_each(1, ANY).unwrap();
        let address = listeners[0].local_addr().unwrap();
        let running = Server::new(listeners).start_on_each(echo);
        assert_eq!(ask(address, "here").unwrap(), "here");
        assert_eq!(running.shutdown(LONG).killed, 0);
    });
}

#[test]
fn there_must_be_a_listener_for_each_scheduler() {
    on_threads(2, || {
        let listeners = TcpListener::builder().bind_each(3, ANY).unwrap();
        let text = panic_of(|| Server::new(listeners).start_on_each(echo));
        assert_eq!(text, "each of 2 schedulers needs a listener, and the server has 3");
    });
}

#[test]
fn handlers_of_all_threads_see_that_the_server_is_stopping() {
    on_threads(2, || {
        let server = Server::bind(ANY).unwrap();
        let address = server.listener().local_addr().unwrap();
        let stopping = server.stopping();
        let running = server.start_on_each(move |mut stream: TcpStream, _| {
            stream.write_all(b"!").unwrap();
            stopping.wait();
            stream.write_all(b"bye").unwrap();
        });
        let clients: Vec<_> = (0..4)
            .map(|_| {
                let mut client = TcpStream::connect(address).unwrap();
                client.read_exact(&mut [0]).unwrap();
                client
            })
            .collect();
        assert_eq!(soon(|| running.shutdown(LONG)).killed, 0);
        for client in clients {
            assert_eq!(io::read_to_string(client).unwrap(), "bye");
        }
    });
}

#[test]
fn scoped_handlers_of_all_threads_borrow_from_the_caller() {
    on_threads(2, || {
        for own in [false, true] {
            let greeting = String::from("hello ");
            let threads = Mutex::new(BTreeMap::new());
            let end = fibra::par::scope(|s| {
                let handler = |mut stream: TcpStream, _| {
                    let name = io::read_to_string(&mut stream).unwrap();
                    let index = Handle::current().index();
                    *threads.lock().unwrap().entry(index).or_insert(0) += 1;
                    stream.write_all(format!("{greeting}{name}").as_bytes()).unwrap();
                };
                let (running, address) = if own {
                    let listeners = TcpListener::builder().bind_each(2, ANY).unwrap();
                    let address = listeners[0].local_addr().unwrap();
                    (Server::new(listeners).start_on_each_in(s, handler), address)
                } else {
                    let server = Server::bind(ANY).unwrap();
                    let address = server.listener().local_addr().unwrap();
                    (server.start_on_each_in(s, handler), address)
                };
                for n in 0..40 {
                    let name = n.to_string();
                    assert_eq!(ask(address, &name).unwrap(), format!("hello {name}"));
                }
                running.shutdown(LONG)
            });
            assert_eq!(end.killed, 0);
            let threads = threads.into_inner().unwrap();
            assert_eq!((threads.len(), threads.values().sum::<usize>()), (2, 40));
        }
    });
}

#[test]
fn a_scope_waits_for_the_handlers_of_all_threads() {
    on_threads(2, || {
        let unwound = AtomicUsize::new(0);
        let mut kept = None;
        fibra::par::scope(|s| {
            let server = Server::bind(ANY).unwrap();
            let address = server.listener().local_addr().unwrap();
            let running = server.start_on_each_in(s, |mut stream: TcpStream, _| {
                let _counts = OnDrop(|| {
                    fibra::shield(|| fibra::sleep(Duration::from_millis(2)));
                    unwound.fetch_add(1, Ordering::SeqCst);
                });
                stream.write_all(b"!").unwrap();
                fibra::park();
            });
            let clients: Vec<_> = (0..6).map(|_| TcpStream::connect(address).unwrap()).collect();
            for mut client in &clients {
                client.read_exact(&mut [0]).unwrap();
            }
            kept = Some(running);
            s.kill();
        });
        assert_eq!(unwound.load(Ordering::SeqCst), 6);
        // A server that outlives its scope has nothing left.
        let running = kept.unwrap();
        assert_eq!(running.connections(), 0);
        assert_eq!(soon(|| running.shutdown(LONG)).killed, 0);
    });
}

/// The handles of a server's jobs outlive the scope, and what the jobs borrow does not. The handler
/// reads what it borrows in its destructor, too, which runs when its closure is dropped.
#[test]
fn a_server_that_outlives_its_scope_holds_nothing_that_borrows() {
    struct Reads<'a>(&'a AtomicUsize, &'a AtomicUsize);
    impl Drop for Reads<'_> {
        fn drop(&mut self) {
            assert_eq!(self.0.load(Ordering::SeqCst), 7);
            self.1.fetch_add(1, Ordering::SeqCst);
        }
    }
    on_threads(2, || {
        for round in 0..40 {
            let lent = Box::new(AtomicUsize::new(7));
            let dropped = AtomicUsize::new(0);
            let mut kept = None;
            let scope = panic::AssertUnwindSafe(|| {
                fibra::par::scope(|s| {
                    let reads = Reads(&lent, &dropped);
                    let handler = move |mut stream: TcpStream, _| {
                        assert_eq!(reads.0.load(Ordering::SeqCst), 7);
                        let _ = stream.write_all(b"!");
                        fibra::park();
                    };
                    let listeners = TcpListener::builder().bind_each(2, ANY).unwrap();
                    let address = listeners[0].local_addr().unwrap();
                    kept = Some(Server::new(listeners).start_on_each_in(s, handler));
                    let _client = (round % 2 == 0).then(|| TcpStream::connect(address).unwrap());
                    if round % 4 < 2 {
                        fibra::sleep(Duration::from_millis(1));
                    }
                    s.kill();
                    if round % 8 == 7 {
                        panic::resume_unwind(Box::new("out of milk"));
                    }
                });
            });
            assert_eq!(panic::catch_unwind(scope).is_err(), round % 8 == 7);
            assert_eq!(dropped.load(Ordering::SeqCst), 1, "round {round}");
            lent.store(0, Ordering::SeqCst);
            drop(lent);
            let running = kept.unwrap();
            assert_eq!(running.connections(), 0);
            if round % 3 == 0 {
                assert_eq!(soon(|| running.shutdown(LONG)).killed, 0);
            }
        }
    });
}

#[test]
fn a_panic_of_a_scoped_handler_does_not_end_the_scope_on_any_thread() {
    on_threads(2, || {
        fibra::par::scope(|s| {
            let server = Server::bind(ANY).unwrap();
            let address = server.listener().local_addr().unwrap();
            let running = server.start_on_each_in(s, |mut stream: TcpStream, _| {
                assert_ne!(io::read_to_string(&mut stream).unwrap(), "panic");
                stream.write_all(b"fine").unwrap();
            });
            for _ in 0..4 {
                assert_eq!(ask(address, "panic").unwrap_or_default(), "");
                assert_eq!(ask(address, "calm").unwrap(), "fine");
            }
            running.shutdown(LONG);
        });
    });
}
