//! Tests `Unparker`: other threads wake a fiber, and a wait is no deadlock while they may do so.

#![allow(clippy::disallowed_methods, reason = "other threads are what is tested")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;

use fibra::Unparker;

use crate::support::{check, go, log, ms, panic_of};

#[test]
fn another_thread_wakes_a_fiber_while_nothing_else_can_run() {
    let done = Arc::new(AtomicBool::new(false));
    let flag = done.clone();
    fibra::run(move || {
        let unparker = fibra::current().unparker();
        let thread = thread::spawn(move || {
            flag.store(true, Ordering::Release);
            unparker.unpark();
        });
        while !done.load(Ordering::Acquire) {
            fibra::park();
        }
        thread.join().unwrap();
    });
}

#[test]
fn a_thread_wakes_a_fiber_while_others_yield_all_the_time() {
    fibra::run(|| {
        go(|| {
            loop {
                fibra::yield_now();
            }
        });
        let done = Arc::new(AtomicBool::new(false));
        let (flag, unparker) = (done.clone(), fibra::current().unparker());
        let thread = thread::spawn(move || {
            flag.store(true, Ordering::Release);
            unparker.unpark();
        });
        while !done.load(Ordering::Acquire) {
            fibra::park();
        }
        thread.join().unwrap();
    });
}

#[test]
fn a_storm_from_many_threads_loses_no_wake() {
    const THREADS: u32 = 4;
    const ROUNDS: u32 = 2_000;
    fibra::run(|| {
        let waiting: Vec<_> = (0..8)
            .map(|_| {
                fibra::spawn(|| {
                    let count = Arc::new(AtomicU32::new(0));
                    let threads = (0..THREADS).map(|_| storm(count.clone(), ROUNDS));
                    let threads: Vec<_> = threads.collect();
                    while count.load(Ordering::Acquire) < THREADS * ROUNDS {
                        fibra::park();
                    }
                    threads.into_iter().for_each(|thread| thread.join().unwrap());
                })
            })
            .collect();
        waiting.into_iter().for_each(|fiber| fiber.join().unwrap());
    });
}

/// Starts a thread that counts up, and unparks the running fiber after each step.
fn storm(count: Arc<AtomicU32>, rounds: u32) -> thread::JoinHandle<()> {
    let unparker = fibra::current().unparker();
    thread::spawn(move || {
        for _ in 0..rounds {
            count.fetch_add(1, Ordering::Release);
            unparker.unpark();
        }
    })
}

#[test]
fn ping_pong_between_two_schedulers() {
    const ROUNDS: u32 = 2_000;
    let turn = Arc::new(AtomicU32::new(0));
    let (to_pong, at_pong) = mpsc::channel::<Unparker>();
    let (to_ping, at_ping) = mpsc::channel::<Unparker>();
    let player = |parity: u32, give: mpsc::Sender<Unparker>, take: mpsc::Receiver<Unparker>| {
        let turn = turn.clone();
        move || {
            fibra::run(move || {
                give.send(fibra::current().unparker()).unwrap();
                let partner = take.recv().unwrap();
                for round in 0..ROUNDS {
                    while turn.load(Ordering::Acquire) != 2 * round + parity {
                        fibra::park();
                    }
                    turn.fetch_add(1, Ordering::Release);
                    partner.unpark();
                }
            });
        }
    };
    let other = thread::spawn(player(1, to_ping, at_pong));
    player(0, to_pong, at_ping)();
    other.join().unwrap();
    assert_eq!(turn.load(Ordering::Acquire), 2 * ROUNDS);
}

#[test]
fn an_unparker_may_outlive_its_fiber_and_its_run() {
    let (of_main, of_child) = fibra::run(|| {
        let child = fibra::spawn(|| fibra::current().unparker());
        let of_child = child.join().unwrap();
        // Another fiber may take the child's place, and must not be woken in its stead.
        let heir = fibra::spawn(|| {
            fibra::park();
            log("the heir was woken");
        });
        fibra::yield_now();
        of_child.unpark();
        fibra::yield_now();
        fibra::yield_now();
        assert!(!heir.is_finished());
        (fibra::current().unparker(), of_child)
    });
    assert_eq!((of_main.id().number(), of_child.id().number()), (1, 2));
    thread::spawn(move || {
        of_main.unpark();
        of_child.clone().unpark();
    })
    .join()
    .unwrap();
    check("");
}

#[test]
fn an_unparker_of_an_ended_fiber_reaches_no_fiber_of_a_later_run() {
    let ended = fibra::run(|| {
        let child = fibra::spawn(|| ());
        let fiber = child.fiber().clone();
        child.join().unwrap();
        fiber
    });
    fibra::run(move || {
        let others = ["a", "b"].map(|name| {
            fibra::spawn(move || {
                fibra::park();
                log(name);
            })
        });
        fibra::yield_now();
        let unparker = ended.unparker();
        assert_eq!(unparker.id(), ended.id());
        unparker.unpark();
        fibra::sleep(ms(1));
        fibra::yield_now();
        others.iter().for_each(|other| assert!(!other.is_finished()));
    });
    check("");
}

#[test]
fn a_wait_becomes_a_deadlock_when_the_last_unparker_is_dropped() {
    let report = panic_of(|| {
        fibra::run(|| {
            let unparker = fibra::current().unparker();
            let second = unparker.clone();
            drop(unparker);
            let thread = thread::spawn(move || drop(second));
            let result = panic_of(fibra::park);
            thread.join().unwrap();
            panic!("{result}");
        })
    });
    assert!(report.starts_with("deadlock:"), "{report}");
}

/// Returns whether the thread behind this folder of `/proc` sleeps.
#[cfg(target_os = "linux")]
fn sleeps(thread: &std::path::Path) -> bool {
    let stat = std::fs::read_to_string(thread.join("stat")).unwrap();
    // "12 (name) S 1 ...": the name may contain any character.
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S'))
}

#[test]
#[cfg(target_os = "linux")]
fn a_scheduler_that_sleeps_is_woken_by_the_drop_of_the_last_unparker() {
    fibra::run(|| {
        let unparker = fibra::current().unparker();
        let me =
            std::path::Path::new("/proc").join(std::fs::read_link("/proc/thread-self").unwrap());
        let thread = thread::spawn(move || {
            let mut seen = 0;
            while seen < 100 {
                seen = if sleeps(&me) { seen + 1 } else { 0 };
            }
            drop(unparker);
        });
        assert!(panic_of(fibra::park).starts_with("deadlock:"));
        thread.join().unwrap();
    });
}

#[test]
fn an_unparker_of_a_fiber_that_does_not_park_keeps_no_deadlock_from_being_seen() {
    fibra::run(|| {
        let unparker = fibra::current().unparker();
        let channel = fibra::channel::Channel::<()>::new();
        let error = channel.recv().unwrap_err();
        assert!(matches!(error, fibra::channel::RecvError::Deadlock(_)), "{error}");
        drop(unparker);
    });
}

#[test]
fn a_remote_unpark_does_not_disturb_other_waits_and_is_kept() {
    fibra::run(|| {
        let unparker = fibra::current().unparker();
        thread::spawn(move || unparker.unpark()).join().unwrap();
        let channel = fibra::channel::Channel::new();
        let sender = channel.clone();
        go(move || {
            fibra::sleep(ms(1));
            sender.send("value")
        });
        assert_eq!(channel.recv().unwrap(), "value");
        fibra::park();
    });
}
