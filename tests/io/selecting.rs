//! Streams that are ready as operations of `select!`, beside channels, timers, jobs and futures.

use std::future::poll_fn;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::rc::Rc;

use fibra::channel::{self, Channel};
use fibra::future::block_on;
use fibra::io::Waitable;
use fibra::net::{TcpListener, TcpStream, UdpSocket, UnixStream};
use fibra::select::Select;
use fibra::{JoinError, select};

use crate::support::net::{fill, soon};
use crate::support::{HOUR, ms};

fn pair() -> (UnixStream, UnixStream) {
    UnixStream::pair().unwrap()
}

/// Runs `test` in a fiber, with a time limit.
fn run(test: impl Fn()) {
    fibra::run(|| soon(&test));
}

/// Reads all that is there, which is at least one byte.
fn drain(mut stream: &UnixStream) -> usize {
    stream.read(&mut [0; 64]).unwrap()
}

#[test]
fn the_stream_that_becomes_readable_is_chosen() {
    run(|| {
        let ((a, _a), (b, mut b2)) = (pair(), pair());
        fibra::spawn(move || {
            fibra::sleep(ms(2));
            b2.write_all(b"!").unwrap();
            b2
        });
        let chosen = select! {
            ready = readable(a) => ready.map(|()| "a"),
            ready = readable(&b) => ready.map(|()| "b"),
            after(HOUR) => panic!("neither is readable"),
        };
        assert_eq!(chosen.unwrap(), "b");
        assert_eq!(drain(&b), 1);
    });
}

#[test]
fn what_is_ready_is_chosen_without_a_wait() {
    run(|| {
        let (a, mut b) = pair();
        b.write_all(b"!").unwrap();
        for _ in 0..3 {
            // Readiness moves no data, so it is there again.
            select! {
                ready = readable(a) => ready.unwrap(),
                default => panic!("it is readable"),
            }
        }
        assert_eq!(drain(&a), 1);
        for _ in 0..3 {
            select! {
                _ = readable(a) => panic!("it is empty"),
                default => {}
            }
        }
    });
}

#[test]
fn a_stream_stands_beside_every_other_operation() {
    run(|| {
        let (stream, mut other) = pair();
        let (channel, (sender, receiver)) = (Channel::<u32>::new(), channel::unbounded::<u32>());
        let (shared, values) = fibra::sync::mpmc::bounded::<u32>(1);
        let mut fiber = fibra::spawn(fibra::park);
        let (release, released) = fibra::sync::oneshot::<()>();
        let mut job = fibra::Handle::current().spawn(move || released.recv().is_ok());
        let event = fibra::sync::Event::new();
        let mut step = |act: &mut dyn FnMut()| {
            act();
            select! {
                ready = readable(stream) => { ready.unwrap(); drain(&stream); "stream" },
                _ = recv(channel) => "channel",
                _ = recv(receiver) => "receiver",
                _ = recv(values) => "values",
                _ = join(&mut fiber) => "fiber",
                _ = join(&mut job) => "job",
                wait(event) => "event",
                _ = future(std::future::pending::<()>()) => "future",
                after(ms(5)) => "timer",
            }
        };
        assert_eq!(step(&mut || {}), "timer");
        assert_eq!(step(&mut || other.write_all(b"!").unwrap()), "stream");
        assert_eq!(step(&mut || sender.send(1).unwrap()), "receiver");
        assert_eq!(step(&mut || shared.send(1).unwrap()), "values");
        let to = channel.clone();
        let mut sends = Some(move || to.send(1).unwrap());
        assert_eq!(step(&mut || drop(fibra::spawn(sends.take().unwrap()))), "channel");
        assert_eq!(step(&mut || event.set()), "event");
        event.clear();
        let mut later = Some(other.try_clone().unwrap());
        let mut later = || {
            let mut other = later.take().unwrap();
            fibra::spawn(move || {
                fibra::sleep(ms(1));
                other.write_all(b"!").unwrap();
            });
        };
        assert_eq!(step(&mut later), "stream");
        release.send(()).unwrap();
        assert_eq!(step(&mut || {}), "job");
    });
}

#[test]
fn both_directions_of_a_stream_may_be_arms() {
    run(|| {
        let (a, mut b) = pair();
        fill(&a);
        let wait = || {
            select! {
                ready = readable(a) => ready.map(|()| "read"),
                ready = writable(a) => ready.map(|()| "write"),
                after(ms(3)) => Ok("neither"),
            }
        };
        assert_eq!(wait().unwrap(), "neither");
        b.write_all(b"!").unwrap();
        assert_eq!(wait().unwrap(), "read");
        drain(&a);
        let mut rest = vec![0; 1 << 22];
        while !matches!(wait().unwrap(), "write") {
            let _ = b.read(&mut rest).unwrap();
        }
    });
}

#[test]
fn two_arms_may_wait_for_the_same_direction() {
    run(|| {
        let (a, mut b) = pair();
        let (first, second) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
        for _ in 0..20 {
            let mut b2 = b.try_clone().unwrap();
            fibra::spawn(move || b2.write_all(b"!").unwrap());
            select! {
                ready = readable(a) => { ready.unwrap(); first.set(first.get() + 1) },
                ready = readable(a) => { ready.unwrap(); second.set(second.get() + 1) },
            }
            drain(&a);
        }
        assert!(first.get() > 0 && second.get() > 0, "{first:?} {second:?}");
        b.write_all(b"!").unwrap();
    });
}

#[test]
fn all_fibers_that_choose_at_a_stream_are_woken() {
    run(|| {
        let (a, mut b) = pair();
        let a = Rc::new(a);
        let fibers: Vec<_> = (0..3)
            .map(|_| {
                let a = a.clone();
                fibra::spawn(move || {
                    select! {
                        ready = readable(a) => ready.is_ok(),
                        after(HOUR) => false,
                    }
                })
            })
            .collect();
        fibra::sleep(ms(1));
        b.write_all(b"!").unwrap();
        fibers.into_iter().for_each(|fiber| assert_eq!(fiber.join(), Ok(true)));
    });
}

#[test]
fn schedulers_may_choose_at_one_stream() {
    let (a, mut b) = pair();
    std::thread::scope(|threads| {
        let choose = || {
            fibra::run(|| {
                select! {
                    ready = readable(a) => ready.unwrap(),
                    after(HOUR) => panic!("it is not readable"),
                }
            });
        };
        let both = [threads.spawn(choose), threads.spawn(choose)];
        #[allow(clippy::disallowed_methods, reason = "a plain thread")]
        std::thread::sleep(ms(10));
        b.write_all(b"!").unwrap();
        both.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn a_fiber_that_reads_is_served_before_one_that_chooses() {
    run(|| {
        let (a, mut b) = pair();
        let a = Rc::new(a);
        let (chosen, reads) = (a.clone(), a.clone());
        let chooser = fibra::spawn(move || {
            select! {
                ready = readable(chosen) => ready.map(|()| drain(&chosen)).unwrap(),
                after(HOUR) => 0,
            }
        });
        fibra::yield_now();
        let reader = fibra::spawn(move || (&*reads).read(&mut [0]).unwrap());
        fibra::yield_now();
        b.write_all(b"1").unwrap();
        assert_eq!(reader.join(), Ok(1));
        fibra::sleep(ms(2));
        assert!(!chooser.is_finished(), "nothing is left for it");
        b.write_all(b"23").unwrap();
        assert_eq!(chooser.join(), Ok(2));
    });
}

#[test]
fn the_end_of_a_stream_is_readiness() {
    run(|| {
        let (a, b) = pair();
        let a = Rc::new(a);
        // By another fiber, at the same end.
        let other = a.clone();
        fibra::spawn(move || {
            fibra::sleep(ms(1));
            other.shutdown(Shutdown::Both).unwrap();
        });
        select! {
            ready = readable(a) => ready.unwrap(),
            after(HOUR) => panic!("the stream has ended"),
        }
        assert_eq!((&*a).read(&mut [0]).unwrap(), 0);
        // At the other end, by a drop.
        let (c, d) = pair();
        fibra::spawn(move || drop((b, d)));
        select! {
            ready = readable(c) => ready.unwrap(),
            after(HOUR) => panic!("the stream has ended"),
        }
        assert_eq!((&c).read(&mut [0]).unwrap(), 0);
    });
}

#[test]
fn a_choice_that_takes_another_arm_leaves_no_waker_at_the_stream() {
    run(|| {
        let (a, mut b) = pair();
        for _ in 0..3 {
            select! {
                _ = readable(a) => panic!("it is empty"),
                after(ms(1)) => {}
            }
        }
        let limited = fibra::time::timeout(ms(1), || {
            select! {
                _ = readable(a) => panic!("it is empty"),
                after(HOUR) => panic!("there is a limit around it"),
            }
        });
        assert!(limited.is_err());
        // A waker that is left would wake this fiber, which would poll again.
        let (mut polls, over) = (0, fibra::sync::Event::new());
        let mut wait = std::pin::pin!(over.wait_async());
        fibra::scope(|s| {
            s.spawn(|| {
                b.write_all(b"!").unwrap();
                fibra::sleep(ms(2));
                over.set();
            });
            block_on(poll_fn(|cx| {
                polls += 1;
                wait.as_mut().poll(cx)
            }));
        });
        assert_eq!(polls, 2);
    });
}

#[test]
fn a_kill_ends_the_wait_and_takes_no_data() {
    run(|| {
        let (a, mut b) = pair();
        let a = Rc::new(a);
        for _ in 0..100 {
            let a = a.clone();
            let fiber = fibra::spawn(move || {
                select! {
                    _ = readable(a) => panic!("it is empty"),
                    after(HOUR) => {}
                }
            });
            fibra::yield_now();
            fiber.kill();
            assert_eq!(fiber.join(), Err(JoinError::Killed));
        }
        b.write_all(b"!").unwrap();
        assert_eq!(drain(&a), 1);
    });
}

#[test]
fn neither_a_stream_nor_a_channel_that_is_always_ready_starves_the_other() {
    run(|| {
        let (a, mut b) = pair();
        b.write_all(b"!").unwrap();
        let (sender, receiver) = channel::unbounded();
        (0..100).for_each(|n| sender.send(n).unwrap());
        let mut counts = [0, 0];
        for _ in 0..100 {
            let arm = select! {
                ready = readable(a) => ready.map(|()| 0).unwrap(),
                value = recv(receiver) => value.map(|_| 1).unwrap(),
            };
            counts[arm] += 1;
        }
        assert!(counts.iter().all(|&count| 25 < count), "{counts:?}");
    });
}

#[test]
fn listeners_datagrams_and_foreign_descriptors_are_streams_too() {
    run(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (reader, mut writer) = std::io::pipe().unwrap();
        let pipe = Waitable::new(reader).unwrap();
        let wait = || {
            let mut select = Select::new();
            select.add(listener.readable(), |ready| ready.map(|()| "listener"));
            select.add(socket.readable(), |ready| ready.map(|()| "socket"));
            select.add(pipe.readable(), |ready| ready.map(|()| "pipe"));
            select.add(fibra::select::after(ms(2)), |()| Ok("nothing"));
            select.wait().unwrap()
        };
        assert_eq!(wait(), "nothing");
        writer.write_all(b"!").unwrap();
        assert_eq!(wait(), "pipe");
        (&pipe).read_exact(&mut [0]).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert_eq!(wait(), "listener");
        drop((listener.accept().unwrap(), client));
        let address = socket.local_addr().unwrap();
        UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"!", address).unwrap();
        assert_eq!(wait(), "socket");
    });
}
