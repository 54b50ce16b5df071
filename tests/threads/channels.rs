//! Channels between threads under load: no value is lost or doubled, no wake is lost, and a
//! receiver that waits gets its turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{iter, thread};

use fibra::channel::Channel;
use fibra::select;
use fibra::sync::mpmc::{self, Receiver, Sender};

use crate::support::sync::Random;
use crate::support::{DONE_LINE, in_child, measure_until, ms, rounds, stderr};

/// Runs `body` in a process of its own, which fails after a time that no honest run needs.
fn in_time(test: &str, body: impl FnOnce()) {
    let output = in_child(&format!("channels::{test}"), &[], || {
        thread::spawn(|| {
            thread::sleep(Duration::from_secs(180));
            eprintln!("the run hangs");
            std::process::abort();
        });
        body();
    });
    assert!(output.status.success() && stderr(&output).ends_with(DONE_LINE), "{}", stderr(&output));
}

/// Counts of what was sent and received; they agree at the end.
#[derive(Default)]
struct Books {
    sent: AtomicU64,
    received: AtomicU64,
}

impl Books {
    /// Notes a value that was sent. Nothing between the end of the send and this is a kill point.
    fn send(&self, value: u64) {
        self.sent.fetch_add(value, Ordering::Relaxed);
    }

    fn receive(&self, value: u64) {
        self.received.fetch_add(value, Ordering::Relaxed);
    }
}

/// One random operation, or a choice of several, on two channels and one of this thread.
fn meet(
    random: &mut Random,
    books: &Books,
    channels: &[(Sender<u64>, Receiver<u64>); 2],
    local: &Channel<u64>,
) {
    let (a, b) = (&channels[0], &channels[1]);
    let value = 1 + random.below(1_000_000);
    let limit = Duration::from_micros(random.below(400));
    match random.below(8) {
        0 => select! {
            sent = send(a.0, value) => sent.map_or((), |()| books.send(value)),
            got = recv(b.1) => books.receive(got.unwrap()),
            after(limit) => {}
        },
        1 => select! {
            sent = send(b.0, value) => sent.map_or((), |()| books.send(value)),
            got = recv(a.1) => books.receive(got.unwrap()),
            after(limit) => {}
        },
        2 => select! {
            sent = send(a.0, value) => sent.map_or((), |()| books.send(value)),
            got = recv(a.1) => books.receive(got.unwrap()),
            got = recv(local) => books.receive(got.unwrap()),
            after(limit) => {}
        },
        3 => select! {
            sent = send(local, value) => sent.map_or((), |()| books.send(value)),
            got = recv(b.1) => books.receive(got.unwrap()),
            after(limit) => {}
        },
        4 if a.0.send_timeout(value, limit).is_ok() => books.send(value),
        5 => iter::once(b.1.recv_timeout(limit)).flatten().for_each(|got| books.receive(got)),
        6 if local.try_send(value).is_ok() => books.send(value),
        7 => iter::once(a.1.try_recv()).flatten().for_each(|got| books.receive(got)),
        _ => fibra::yield_now(),
    }
}

fn storm(capacities: [usize; 2]) {
    const FIBERS: u64 = 8;
    const ROUNDS: u64 = 4_000;
    let channels = Arc::new(capacities.map(mpmc::bounded::<u64>));
    let books = Arc::new(Books::default());
    let threads: Vec<_> = (0..2)
        .map(|n| {
            let (channels, books) = (channels.clone(), books.clone());
            thread::spawn(move || {
                fibra::run(|| {
                    let local = Channel::new();
                    let mut random = Random::new(n);
                    let fibers: Vec<_> = (0..FIBERS)
                        .map(|i| {
                            let (channels, books) = (channels.clone(), books.clone());
                            let (local, mut random) = (local.clone(), Random::new(100 * n + i));
                            fibra::spawn(move || {
                                for _ in 0..ROUNDS {
                                    meet(&mut random, &books, &channels, &local);
                                }
                            })
                        })
                        .collect();
                    for victim in [1, 4, 6] {
                        fibra::sleep(Duration::from_micros(random.below(5_000)));
                        fibers[victim].kill();
                    }
                    for fiber in fibers {
                        match fiber.join() {
                            Err(error) if !error.is_killed() => panic!("{error}"),
                            _ => {}
                        }
                    }
                    assert_eq!(local.balance(), 0);
                });
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    for (_, left) in &*channels {
        iter::from_fn(|| left.try_recv().ok()).for_each(|value| books.receive(value));
        assert!(left.is_empty());
    }
    assert_eq!(books.sent.load(Ordering::Relaxed), books.received.load(Ordering::Relaxed));
}

#[test]
fn choices_kills_and_time_limits_lose_nothing_at_channels_without_a_buffer() {
    let test = "choices_kills_and_time_limits_lose_nothing_at_channels_without_a_buffer";
    in_time(test, || storm([0, 0]));
}

#[test]
fn choices_kills_and_time_limits_lose_nothing_at_channels_with_a_buffer() {
    let test = "choices_kills_and_time_limits_lose_nothing_at_channels_with_a_buffer";
    in_time(test, || {
        storm([1, 2]);
        storm([0, 5]);
        storm([3, usize::MAX]);
    });
}

/// Two schedulers send numbers through a channel and through one back, and wait for each other at
/// every one of them.
#[test]
fn no_wake_is_lost_between_two_threads_that_wait_for_each_number() {
    let test = "no_wake_is_lost_between_two_threads_that_wait_for_each_number";
    in_time(test, || {
        for capacity in [0, 1, 2, 100, usize::MAX] {
            let (to, from) = mpmc::bounded(capacity);
            let (back, answers) = mpmc::bounded(capacity);
            let echo = thread::spawn(move || {
                fibra::run(|| from.iter().for_each(|n: usize| back.send(n).unwrap()));
            });
            fibra::run(|| {
                for n in rounds(2_000) {
                    to.send(n).unwrap();
                    assert_eq!(answers.recv(), Ok(n));
                }
            });
            drop(to);
            echo.join().unwrap();
        }
    });
}

#[test]
fn values_beyond_the_ring_arrive_in_order_and_their_number_is_bounded() {
    for capacity in [1_500, 40_000, usize::MAX] {
        let (to, from) = mpmc::bounded(capacity);
        let count = 100_000.min(capacity as u64);
        thread::scope(|threads| {
            // The channel is used by a second thread from its first value on.
            threads.spawn(|| to.send(0).unwrap());
        });
        assert_eq!(from.recv(), Ok(0));
        for round in 0..2 {
            (0..count).for_each(|n| to.send(n).unwrap());
            assert_eq!(to.try_send(0).is_err(), count == capacity as u64);
            assert_eq!(from.len() as u64, count + u64::from(count != capacity as u64));
            (0..count).for_each(|n| assert_eq!(from.recv(), Ok(n), "{round} of {capacity}"));
            assert_eq!(from.try_recv().is_ok(), count != capacity as u64);
            assert!(from.is_empty());
        }
    }
}

#[test]
fn a_receiver_that_waits_gets_values_although_others_look_all_the_time() {
    measure_until(|received| 20 < *received, receive_beside_others);
}

/// Returns how many values a receiver that waits gets in 400 ms beside one that does not.
fn receive_beside_others() -> usize {
    let (to, from) = mpmc::bounded(4);
    let over = AtomicBool::new(false);
    thread::scope(|threads| {
        let barges = || {
            while !over.load(Ordering::Relaxed) {
                let _ = from.try_recv();
            }
        };
        threads.spawn(barges);
        threads.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let _ = to.try_send(0);
                thread::yield_now();
            }
        });
        let waits = threads.spawn(|| {
            fibra::run(|| {
                let end = Instant::now() + ms(400);
                iter::from_fn(|| from.recv_deadline(end).ok()).count()
            })
        });
        let waited = waits.join();
        over.store(true, Ordering::Relaxed);
        waited.unwrap()
    })
}

#[test]
fn receivers_that_wait_on_two_threads_get_equal_shares() {
    let fair = VALUES / (2 * EACH);
    let is_fair =
        |shares: &Vec<usize>| shares.iter().all(|share| (fair / 2..=2 * fair).contains(share));
    measure_until(is_fair, || {
        let shares = shares_of_two_threads();
        assert_eq!(shares.iter().sum::<usize>(), VALUES);
        shares
    });
}

const EACH: usize = 4;
const VALUES: usize = 400;

/// Returns how many values each receiver gets, of as many receivers on two threads each.
fn shares_of_two_threads() -> Vec<usize> {
    let (to, from) = mpmc::bounded(4);
    thread::scope(|threads| {
        let parties: Vec<_> = (0..2)
            .map(|_| {
                threads.spawn(|| {
                    fibra::run(|| {
                        let receivers: Vec<_> = (0..EACH)
                            .map(|_| {
                                let from = from.clone();
                                fibra::spawn(move || from.iter().count())
                            })
                            .collect();
                        let counts = receivers.into_iter().map(|fiber| fiber.join().unwrap());
                        counts.collect::<Vec<_>>()
                    })
                })
            })
            .collect();
        threads.spawn(move || {
            // Slower than the receivers, so that they wait.
            for _ in 0..VALUES {
                to.send(()).unwrap();
                thread::sleep(ms(1));
            }
        });
        parties.into_iter().flat_map(|party| party.join().unwrap()).collect()
    })
}
