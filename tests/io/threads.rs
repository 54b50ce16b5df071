//! Sockets and several threads: with schedulers, without, and with a scheduler that has ended.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixDatagram as StdDatagram;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use fibra::io::{Waitable, wait_readable};
use fibra::net::{TcpListener, TcpStream, UnixDatagram, UnixStream};
use fibra::sync::mpmc;

use crate::support::net::{check_end, kind_of, open_fds, pair, soon};
use crate::support::{in_child, ms, name_of};

#[test]
fn schedulers_share_a_socket_and_each_message_goes_to_one_of_them() {
    const MESSAGES: u32 = 3000;
    let (a, b) = UnixDatagram::pair().unwrap();
    let (received, sum) = (AtomicU32::new(0), AtomicU32::new(0));
    thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                fibra::run(|| {
                    fibra::scope(|s| {
                        for _ in 0..3 {
                            s.spawn(|| {
                                let mut data = [0; 4];
                                while a.recv(&mut data).unwrap() != 1 {
                                    received.fetch_add(1, Ordering::Relaxed);
                                    sum.fetch_add(u32::from_ne_bytes(data), Ordering::Relaxed);
                                }
                            });
                        }
                    });
                });
            });
        }
        fibra::run(|| {
            (0..MESSAGES).for_each(|n| assert_eq!(b.send(&n.to_ne_bytes()).unwrap(), 4));
            // One end marker for each of them.
            (0..6).for_each(|_| assert_eq!(b.send(b"!").unwrap(), 1));
        });
    });
    assert_eq!(received.into_inner(), MESSAGES);
    assert_eq!(sum.into_inner(), (0..MESSAGES).sum::<u32>());
}

#[test]
fn one_thread_reads_and_another_writes_the_same_stream() {
    const LENGTH: usize = 2_000_000;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::scope(|threads| {
        // An echo on a plain thread.
        threads.spawn(|| {
            let (stream, _) = listener.accept().unwrap();
            io::copy(&mut &stream, &mut &stream).unwrap();
        });
        let stream = Arc::new(TcpStream::connect(address).unwrap());
        let writer = stream.clone();
        threads.spawn(move || {
            fibra::run(|| {
                soon(|| (&*writer).write_all(&vec![7; LENGTH])).unwrap();
                writer.shutdown(std::net::Shutdown::Write).unwrap();
            });
        });
        let mut got = Vec::new();
        fibra::run(|| soon(|| (&*stream).read_to_end(&mut got))).unwrap();
        assert_eq!(got.len(), LENGTH);
    });
}

#[test]
fn a_socket_outlives_the_scheduler_that_registered_it() {
    let (a, b) = UnixDatagram::pair().unwrap();
    let receive = |a: &UnixDatagram| {
        let mut byte = [0];
        assert_eq!(a.recv(&mut byte).unwrap(), 1);
        byte[0]
    };
    let waits_in_a_run = |expected: u8| {
        fibra::run(|| {
            let sender = b.try_clone().unwrap();
            fibra::scope(|s| {
                s.spawn(move || sender.send(&[expected]));
                assert_eq!(soon(|| receive(&a)), expected);
            });
        });
    };
    for round in 0..3 {
        thread::scope(|threads| drop(threads.spawn(|| waits_in_a_run(round))));
        waits_in_a_run(round + 10);
        b.send(&[99]).unwrap();
        assert_eq!(receive(&a), 99);
    }
    // A handle that keeps alive the state that other threads share with an ended scheduler.
    let kept = fibra::run(|| {
        assert_eq!(kind_of(try_once(&a)), ErrorKind::TimedOut);
        fibra::current().unparker()
    });
    // The socket is closed when there is no scheduler that could be notified.
    drop(a);
    drop(kept);
}

fn try_once(socket: &UnixDatagram) -> io::Result<usize> {
    socket.set_read_timeout(Some(ms(1)))?;
    let result = socket.recv(&mut [0]);
    socket.set_read_timeout(None)?;
    result
}

#[test]
fn what_another_thread_closes_is_closed_though_the_scheduler_sleeps() {
    fibra::run(|| {
        let (client, server) = pair();
        // Two registrations of one descriptor: the second one has a duplicate.
        let server = Arc::new(server.into_std().unwrap());
        let (outer, inner) =
            (Waitable::new(server.clone()).unwrap(), Waitable::new(server).unwrap());
        for waitable in [&outer, &inner] {
            let read = || waitable.read_with(|stream| (&**stream).read(&mut [0]));
            assert!(fibra::time::timeout(ms(1), read).is_err());
        }
        let closes = thread::Builder::new().spawn(move || drop((outer, inner)));
        assert_eq!(soon(|| (&client).read(&mut [0])).unwrap(), 0);
        closes.unwrap().join().unwrap();
    });
}

#[test]
fn a_number_that_is_used_again_is_a_new_descriptor() {
    // Numbers belong to the process: no other test may open a descriptor meanwhile.
    let test = name_of!(a_number_that_is_used_again_is_a_new_descriptor);
    let output = in_child(test, &[], || {
        let waits_for: [fn(&StdDatagram); 2] = [
            |socket| wait_readable(socket).unwrap(),
            |socket| {
                Waitable::new(socket).unwrap().read_with(|socket| socket.recv(&mut [0])).unwrap();
            },
        ];
        for waits in waits_for {
            fibra::run(|| {
                let (old, _peer) = StdDatagram::pair().unwrap();
                let old = Waitable::new(old).unwrap();
                let number = old.as_fd().as_raw_fd();
                let read = || old.read_with(|old| old.recv(&mut [0]));
                assert!(fibra::time::timeout(ms(1), read).is_err());
                // This scheduler has no turn in which it could notice the close.
                thread::scope(|threads| drop(threads.spawn(|| drop(old))));
                let (new, sender) = StdDatagram::pair().unwrap();
                assert_eq!(new.as_raw_fd(), number);
                let waits = fibra::spawn(move || waits(&new));
                fibra::yield_now();
                sender.send(b"!").unwrap();
                soon(|| waits.join()).unwrap();
            });
        }
    });
    check_end(&output);
}

/// Chooses among the possible events at random, with the same choices in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

#[test]
fn numbers_go_round_between_threads_and_none_gets_what_is_anothers() {
    const FIBERS: u64 = 8;
    const ROUNDS: u64 = 150;
    let test = name_of!(numbers_go_round_between_threads_and_none_gets_what_is_anothers);
    let output = in_child(test, &[], || {
        let before = open_fds();
        let (to_left, from_right) = mpmc::bounded(16);
        let (to_right, from_left) = mpmc::bounded(16);
        thread::scope(|threads| {
            threads.spawn(move || exchange(1, &to_right, &from_right));
            threads.spawn(move || exchange(2, &to_left, &from_left));
        });
        assert_eq!(open_fds(), before);
    });
    check_end(&output);

    /// Each fiber makes pairs and gives one half away; another fiber takes halves and echoes.
    fn exchange(seed: u64, give: &mpmc::Sender<UnixStream>, take: &mpmc::Receiver<UnixStream>) {
        fibra::run(|| {
            fibra::scope(|s| {
                for fiber in 0..FIBERS {
                    s.spawn(move || ask(seed << 32 | fiber, give));
                    s.spawn(move || {
                        let mut dice = Dice(seed ^ fiber << 7);
                        for _ in 0..ROUNDS {
                            let stream = take.recv().unwrap();
                            let mut question = [0; 8];
                            soon(|| (&stream).read_exact(&mut question)).unwrap();
                            if dice.roll(3) == 0 {
                                fibra::yield_now();
                            }
                            soon(|| (&stream).write_all(&question)).unwrap();
                        }
                    });
                }
            });
        });
    }

    fn ask(seed: u64, give: &mpmc::Sender<UnixStream>) {
        let mut dice = Dice(seed);
        for round in 0..ROUNDS {
            let (mine, other) = UnixStream::pair().unwrap();
            if dice.roll(2) == 0 {
                // Both halves are registered with this scheduler before one is given away.
                let read = || (&other).read(&mut [0]);
                assert!(fibra::time::timeout(std::time::Duration::from_micros(50), read).is_err());
            }
            give.send(other).unwrap();
            let question = (seed ^ round << 40).to_ne_bytes();
            soon(|| (&mine).write_all(&question)).unwrap();
            let mut answer = [0; 8];
            soon(|| (&mine).read_exact(&mut answer)).unwrap();
            assert_eq!(answer, question);
            if dice.roll(2) == 0 {
                assert_eq!(soon(|| (&mine).read(&mut [0])).unwrap(), 0);
            }
        }
    }
}
