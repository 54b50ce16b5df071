//! Tests the end of `run`: it unwinds every fiber before it returns, the oldest first.

#![allow(clippy::disallowed_methods, reason = "runs on several threads")]

use std::cell::{Cell, RefCell};
use std::thread;

use fibra::channel::Channel;
use fibra::{Fiber, JoinHandle, spawn, yield_now};

use crate::support::{Noisy, OnDrop, apart, check, go, log, ms, panic_of, run_virtually};

#[test]
fn fibers_are_unwound_in_the_order_in_which_they_were_spawned() {
    fibra::run(|| {
        for i in 0..5 {
            go(move || {
                let _noisy = Noisy(i);
                fibra::park();
            });
        }
        go(|| log("its turn never came"));
        yield_now();
        check("its turn never came");
        let _main = Noisy("main");
    });
    check("main 0 1 2 3 4");
}

#[test]
fn fibers_that_have_not_started_are_dropped_and_not_run() {
    fibra::run(|| {
        let owned = Noisy("closure dropped");
        go(move || {
            log("unreachable");
            drop(owned);
        });
    });
    check("closure dropped");
}

#[test]
fn fibers_spawned_while_run_ends_only_have_their_closures_dropped() {
    fibra::run(|| {
        go(|| {
            let _spawns = OnDrop(|| {
                let owned = Noisy("late closure dropped");
                go(move || {
                    log("unreachable");
                    drop(owned);
                });
                let now = fibra::spawn_now(|| log("unreachable"));
                assert!(now.join().unwrap_err().is_killed());
                log("destructor ends");
            });
            fibra::park();
        });
        yield_now();
    });
    check("destructor ends late closure dropped");
}

#[test]
fn clean_up_may_wait_send_and_sleep_while_run_ends() {
    run_virtually(|| {
        let channel = Channel::new();
        let receiver = channel.clone();
        go(move || fibra::finally(fibra::park, || log(receiver.recv().unwrap())));
        go(move || {
            let last_words = || {
                fibra::sleep(ms(10));
                channel.send("last words").unwrap();
            };
            fibra::finally(fibra::park, last_words);
        });
        yield_now();
    });
    check("last words");
}

/// Only one fiber per thread can be made to unwind at a time, so the second is not unwound yet.
#[test]
fn a_destructor_that_waits_for_another_fibers_destructor_gets_an_error() {
    fibra::run(|| {
        let channel = Channel::new();
        let receiver = channel.clone();
        go(move || {
            let _receives = OnDrop(|| log(receiver.recv().is_err()));
            fibra::park();
        });
        go(move || {
            let _sends = OnDrop(|| log(channel.try_send(1).is_err()));
            fibra::park();
        });
        yield_now();
    });
    check("true true");
}

#[test]
fn a_destructor_whose_wait_nothing_can_end_gets_an_error_or_is_abandoned() {
    fibra::run(|| {
        go(|| {
            let _receives = OnDrop(|| {
                let received = Channel::<()>::new().recv();
                log(if received.is_err() { "failed" } else { "received" });
            });
            fibra::park();
        });
        yield_now();
    });
    check("failed");
    // The fiber meets one deadlock after the other, catches each, and is abandoned nevertheless.
    apart(|| {
        fibra::run(|| {
            go(|| {
                let _noisy = Noisy("never dropped");
                fibra::shield(|| {
                    loop {
                        let _ = std::panic::catch_unwind(fibra::park);
                    }
                });
            });
            yield_now();
        });
        check("");
    });
}

thread_local! {
    static SLOT: RefCell<String> = RefCell::new("whole".into());
    static KEPT: RefCell<Vec<JoinHandle<Noisy<&'static str>>>> = const { RefCell::new(Vec::new()) };
    static FIBER: Cell<Option<Fiber>> = const { Cell::new(None) };
}

/// A stack that is suspended inside `LocalKey::with`, and unwound when the thread-local is gone,
/// would read freed memory.
#[test]
fn a_fiber_suspended_inside_a_thread_local_is_unwound_before_the_thread_ends() {
    let seen = thread::spawn(|| {
        SLOT.with(|slot| slot.borrow_mut().push('!'));
        fibra::run(|| {
            go(|| {
                SLOT.with(|slot| {
                    let _reads = OnDrop(|| log(slot.borrow()));
                    fibra::park();
                });
            });
            yield_now();
        });
        check("whole!");
        true
    });
    assert!(seen.join().unwrap());
}

#[test]
fn handles_kept_in_thread_locals_read_as_dead_after_run_and_at_thread_exit() {
    struct AtExit;
    impl Drop for AtExit {
        fn drop(&mut self) {
            let fiber = FIBER.take().expect("it was kept");
            assert!(fiber.is_finished() && fiber.activity().is_none());
            assert_eq!(fiber.name().as_deref(), Some("kept"));
            fiber.kill();
            fiber.unpark();
            EXITED.store(true, std::sync::atomic::Ordering::SeqCst);
        }
    }
    thread_local! { static AT_EXIT: AtExit = const { AtExit }; }
    static EXITED: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

    thread::spawn(|| {
        fibra::run(|| {
            let parked = fibra::Builder::new().name("kept").spawn(|| {
                fibra::park();
                Noisy("unreachable")
            });
            FIBER.set(Some(parked.fiber().clone()));
            let done = spawn(|| Noisy("output"));
            yield_now();
            KEPT.with(|kept| kept.borrow_mut().extend([parked, done]));
        });
        check("");
        let [parked, done] = KEPT.take().try_into().unwrap();
        assert!(parked.is_finished() && done.is_finished());
        assert!(parked.join().map(|_| ()).unwrap_err().is_killed());
        KEPT.with(|kept| kept.borrow_mut().push(done));
        // Registered last, so it is destroyed first: the others still exist.
        AT_EXIT.with(|_| ());
    })
    .join()
    .unwrap();
    assert!(EXITED.load(std::sync::atomic::Ordering::SeqCst));
}

#[test]
fn a_join_handle_returned_from_run_still_gives_its_output() {
    let (done, unfinished) = fibra::run(|| {
        let done = spawn(|| 7);
        yield_now();
        (done, spawn(|| 8))
    });
    assert_eq!(done.join().unwrap(), 7);
    assert!(unfinished.join().unwrap_err().is_killed());
}

#[test]
fn runs_follow_each_other_on_one_thread_and_run_side_by_side_on_several() {
    let work = || {
        fibra::run(|| {
            let handles: Vec<_> = (0..100_u64)
                .map(|i| {
                    spawn(move || {
                        yield_now();
                        i
                    })
                })
                .collect();
            handles.into_iter().map(|handle| handle.join().unwrap()).sum::<u64>()
        })
    };
    (0..10).for_each(|_| assert_eq!(work(), 4_950));
    let threads: Vec<_> =
        (0..4).map(|_| thread::spawn(move || (0..10).map(|_| work()).sum::<u64>())).collect();
    threads.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), 49_500));
}

#[test]
fn a_run_may_start_inside_a_thread_that_a_fiber_started() {
    let answer = fibra::run(|| {
        let thread = thread::spawn(|| fibra::run(|| spawn(|| 6).join().unwrap()));
        thread.join().unwrap() * 7
    });
    assert_eq!(answer, 42);
}

#[test]
fn after_a_run_that_panicked_the_thread_can_run_again() {
    assert_eq!(panic_of(|| fibra::run(|| panic!("first run"))), "first run");
    assert!(!fibra::in_fiber());
    assert_eq!(fibra::run(|| spawn(|| 3).join().unwrap()), 3);
}

#[test]
fn run_returns_what_borrows_from_its_caller_may_be_used_inside() {
    let words = [String::from("a"), String::from("b")];
    let mut count = 0;
    let first = fibra::run(|| {
        count += words.len();
        &words[0]
    });
    assert_eq!((first.as_str(), count), ("a", 2));
}

#[test]
fn a_fiber_that_waits_for_another_while_both_are_unwound_sees_it_end() {
    fibra::run(|| {
        let slow = spawn(|| {
            let _slow = OnDrop(|| (0..3).for_each(|_| yield_now()));
            fibra::park();
        });
        go(move || {
            let _joins = OnDrop({
                let mut slow = Some(slow);
                move || {
                    let killed = slow.take().map(|slow| slow.join().is_err());
                    log(format!("{killed:?}"));
                }
            });
            fibra::park();
        });
        yield_now();
    });
    check("Some(true)");
}
