//! Tests `timeout`, `deadline` and `move_on_after` around one thing at a time.

use std::error::Error;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

use fibra::channel::{Channel, RecvTimeoutError};
use fibra::time::{Elapsed, deadline, move_on_after, timeout};
use fibra::{shield, spawn, yield_now};

use crate::support::{Noisy, OnDrop, Watch, check, go, log, ms, panic_of, run_virtually};

/// Catches a panic or an unwind out of `f`. Returns whether there was one.
fn catches<T>(f: impl FnOnce() -> T) -> bool {
    panic::catch_unwind(AssertUnwindSafe(f)).is_err()
}

#[test]
fn a_closure_that_is_done_in_time_gives_its_value_and_leaves_no_timer() {
    run_virtually(|| {
        let watch = Watch::start();
        let value = timeout(ms(10), || {
            fibra::sleep(ms(3));
            assert_eq!(fibra::stats().timers, 1);
            String::from("value")
        });
        watch.log(value.unwrap());
        assert_eq!(fibra::stats().timers, 0);
        fibra::sleep(ms(20));
        watch.log("not disturbed");
    });
    check("value@3 not disturbed@23");
}

#[test]
fn a_closure_that_waits_too_long_is_unwound_at_the_moment_and_its_destructors_run() {
    run_virtually(|| {
        let watch = Watch::start();
        let start = fibra::now();
        let error = timeout(ms(10), || {
            let _dropped = Noisy("dropped");
            fibra::park();
            log("unreachable");
        })
        .unwrap_err();
        watch.log("elapsed");
        assert_eq!(error.deadline(), start + ms(10));
        assert_eq!(fibra::stats().timers, 0);
        fibra::sleep(ms(5));
        watch.log("goes on");
    });
    check("dropped elapsed@10 goes on@15");
}

#[test]
fn every_kind_of_wait_is_bounded() {
    const WAITS: &[(&str, fn())] = &[
        ("sleep", || fibra::sleep(ms(1_000))),
        ("park", fibra::park),
        ("park_timeout", || fibra::park_timeout(ms(1_000))),
        ("park_deadline", || fibra::park_deadline(fibra::now() + ms(1_000))),
        ("join_timeout", || drop(spawn(|| fibra::sleep(ms(1_000))).join_timeout(ms(500)))),
        ("recv", || drop(Channel::<u8>::new().recv())),
        ("send", || drop(Channel::<u8>::new().send(1))),
        ("recv_timeout", || drop(Channel::<String>::new().recv_timeout(ms(1_000)))),
        ("bounded", || {
            let (_sender, receiver) = fibra::channel::bounded::<u8>(1);
            drop(receiver.recv());
        }),
        ("join", || drop(spawn(|| fibra::sleep(ms(1_000))).join())),
        ("yield loop", || {
            loop {
                go(|| fibra::sleep(ms(1)));
                yield_now();
                fibra::sleep(ms(1));
            }
        }),
        ("tick", || {
            let mut ticks = fibra::time::interval(ms(600));
            (0..3).for_each(|_| _ = ticks.tick());
        }),
    ];
    for &(name, wait) in WAITS {
        run_virtually(|| {
            let start = fibra::now();
            assert!(timeout(ms(10), wait).is_err(), "{name}");
            assert_eq!(fibra::now() - start, ms(10), "{name}");
        });
    }
}

#[test]
fn a_deadline_is_a_moment_on_the_clock() {
    run_virtually(|| {
        let watch = Watch::start();
        let at = fibra::now() + ms(7);
        fibra::sleep(ms(4));
        assert!(deadline(at, fibra::park).is_err());
        watch.log("first");
        // The time is over by now: only a call that needs no wait succeeds.
        assert_eq!(deadline(at, || 5), Ok(5));
        assert!(deadline(at, fibra::park).is_err());
        watch.log("second");
    });
    check("first@7 second@7");
}

#[test]
fn a_moment_before_the_scheduler_began_is_over_as_well() {
    let before = fibra::Runtime::builder().build().unwrap().run(fibra::now);
    run_virtually(|| {
        assert!(deadline(before, fibra::park).is_err());
        assert_eq!(deadline(before, || 1), Ok(1));
    });
}

#[test]
fn move_on_after_returns_none_at_its_limit() {
    run_virtually(|| {
        assert_eq!(move_on_after(ms(5), || 1), Some(1));
        assert_eq!(move_on_after(ms(5), fibra::park), None);
    });
}

#[test]
fn a_limit_of_zero_completes_operations_that_need_not_wait() {
    run_virtually(|| {
        let (sender, receiver) = fibra::channel::unbounded();
        sender.send(7).unwrap();
        assert_eq!(timeout(Duration::ZERO, || receiver.recv().ok()), Ok(Some(7)));
        let nothing = timeout(Duration::ZERO, || {
            log("begins");
            let _ = receiver.recv();
            log("unreachable");
        });
        assert!(nothing.is_err());
        assert!(timeout(Duration::ZERO, yield_now).is_err());
        assert_eq!(fibra::stats().timers, 0);
    });
    check("begins");
}

#[test]
fn a_loop_of_limits_of_zero_does_not_starve_the_others() {
    run_virtually(|| {
        let channel = Channel::new();
        let sender = channel.clone();
        go(move || sender.send("at last"));
        // No other fiber would ever run if the loop never left the thread.
        let received = (0..10_000).find_map(|_| timeout(Duration::ZERO, || channel.recv()).ok());
        log(received.unwrap().unwrap());
    });
    check("at last");
}

#[test]
fn a_limit_beyond_all_clocks_is_none_and_takes_no_timer() {
    run_virtually(|| {
        for duration in [Duration::MAX, Duration::from_secs(u64::MAX / 4)] {
            let timers = timeout(duration, || {
                yield_now();
                fibra::stats().timers
            });
            assert_eq!(timers, Ok(0));
        }
        // For this reason a deadlock inside is a deadlock.
        let error = timeout(Duration::MAX, || Channel::<u8>::new().recv()).unwrap().unwrap_err();
        assert!(error.to_string().contains("deadlock"), "{error}");
    });
}

#[test]
fn a_closure_that_returns_late_is_done() {
    run_virtually(|| {
        // In the shield the fiber does not see the end of its time, and then the closure returns.
        assert_eq!(timeout(ms(5), || shield(|| fibra::sleep(ms(10)))), Ok(()));
        // The closure catches the unwind.
        assert_eq!(timeout(ms(5), || catches(fibra::park)), Ok(true));
    });
}

#[test]
fn a_wait_that_has_completed_beats_the_end_of_its_time_at_the_same_moment() {
    run_virtually(|| {
        let channel = Channel::new();
        let sender = channel.clone();
        // This fiber began to wait for that moment first, so it wakes first.
        go(move || {
            fibra::sleep(ms(10));
            log(format!("{:?}", sender.try_send("received")));
        });
        yield_now();
        let received = timeout(ms(10), || {
            let received = channel.recv();
            log(received.unwrap());
            fibra::sleep(ms(1));
            log("unreachable");
        });
        log(received.is_err());
    });
    check("Ok(()) received true");
}

#[test]
fn what_would_complete_a_wait_after_its_time_is_over_finds_no_waiter() {
    run_virtually(|| {
        let channel = Channel::new();
        let sender = channel.clone();
        let received = timeout(ms(10), || {
            go(move || {
                fibra::sleep(ms(10));
                log(format!("{:?}", sender.try_send(1).is_ok()));
            });
            channel.recv()
        });
        log(received.is_err());
        yield_now();
        assert_eq!(channel.balance(), 0);
    });
    check("true false");
}

#[test]
fn at_one_moment_the_limit_goes_before_those_of_the_waits_inside() {
    run_virtually(|| {
        assert!(timeout(ms(5), || fibra::sleep(ms(5))).is_err());
        assert!(timeout(ms(5), || Channel::<u8>::new().recv_timeout(ms(5))).is_err());
        assert!(timeout(ms(5), || fibra::park_timeout(ms(5))).is_err());
    });
}

#[test]
fn a_wait_with_a_limit_of_its_own_keeps_it() {
    run_virtually(|| {
        let watch = Watch::start();
        let channel = Channel::<u8>::new();
        let inner = timeout(ms(10), || channel.recv_timeout(ms(4)));
        assert_eq!(inner, Ok(Err(RecvTimeoutError::Timeout)));
        watch.log("inner");
        assert!(timeout(ms(4), || channel.recv_timeout(ms(10))).is_err());
        watch.log("outer");
        assert_eq!(fibra::stats().timers, 0);
    });
    check("inner@4 outer@8");
}

#[test]
fn a_panic_goes_through_also_when_the_time_is_over() {
    run_virtually(|| {
        let early = panic_of(|| timeout(ms(5), || -> u8 { panic!("early") }));
        let late = panic_of(|| {
            timeout(ms(5), || -> u8 {
                catches(fibra::park);
                panic!("late");
            })
        });
        log(early);
        log(late);
        fibra::sleep(ms(1));
    });
    check("early late");
}

#[test]
fn code_that_catches_the_unwind_meets_it_again_at_each_wait() {
    run_virtually(|| {
        let watch = Watch::start();
        let result = timeout(ms(5), || {
            let caught = (0..200).filter(|_| catches(fibra::park)).count();
            watch.log(caught);
            yield_now();
            log("unreachable");
        });
        watch.log(result.is_err());
    });
    check("200@5 true@5");
}

#[test]
fn a_fiber_that_catches_it_without_end_lets_the_others_run() {
    run_virtually(|| {
        let watch = Watch::start();
        let stop = std::rc::Rc::new(std::cell::Cell::new(false));
        let stops = stop.clone();
        go(move || {
            fibra::sleep(ms(5));
            yield_now();
            watch.log("stops it");
            stops.set(true);
        });
        let channel = Channel::<u8>::new();
        let result = timeout(ms(5), || {
            let mut caught = 0u32;
            while !stop.get() {
                caught += u32::from(catches(|| channel.recv()));
                assert!(caught < 100_000, "no other fiber has run");
            }
        });
        watch.log(result.is_ok());
    });
    check("stops it@5 true@5");
}

#[test]
fn the_fiber_is_whole_again_afterwards() {
    run_virtually(|| {
        let watch = Watch::start();
        for _ in 0..3 {
            assert!(timeout(ms(5), fibra::park).is_err());
            yield_now();
            fibra::checkpoint();
            fibra::sleep(ms(5));
            assert_eq!(timeout(ms(5), || fibra::sleep(ms(1))), Ok(()));
        }
        watch.log("whole");
        assert!(!std::thread::panicking());
    });
    check("whole@33");
}

#[test]
fn ten_thousand_fibers_time_out_in_the_order_of_their_limits() {
    run_virtually(|| {
        let fibers: Vec<_> = (0..10_000_u64)
            .map(|i| {
                // A permutation: 7919 has no factor in common with 10,000.
                let limit = i * 7919 % 10_000;
                spawn(move || {
                    assert!(timeout(Duration::from_micros(limit * 13 + 1), fibra::park).is_err());
                    log(limit);
                })
            })
            .collect();
        fibers.into_iter().for_each(|fiber| fiber.join().unwrap());
    });
    check(&(0..10_000).map(|i| i.to_string()).collect::<Vec<_>>().join(" "));
}

#[test]
fn it_is_never_early_on_the_real_clock() {
    fibra::run(|| {
        let fibers: Vec<_> = (0..50)
            .map(|i| {
                spawn(move || {
                    let start = fibra::now();
                    let error = timeout(Duration::from_micros(i * 97), fibra::park).unwrap_err();
                    assert!(start + Duration::from_micros(i * 97) <= error.deadline());
                    assert!(error.deadline() <= fibra::now());
                })
            })
            .collect();
        fibers.into_iter().for_each(|fiber| fiber.join().unwrap());
    });
}

#[test]
fn a_destructor_may_wait_in_the_unwind_and_have_limits_of_its_own() {
    run_virtually(|| {
        let watch = Watch::start();
        let result = timeout(ms(5), || {
            let _slow = OnDrop(move || {
                fibra::sleep(ms(10));
                watch.log("slept");
                // Nothing is raised while the fiber unwinds: the limit acts too late, or never.
                let inner = timeout(ms(2), || fibra::sleep(ms(4)));
                watch.log(inner.is_ok());
            });
            fibra::park();
        });
        watch.log(result.is_err());
    });
    check("slept@15 true@19 true@19");
}

#[test]
fn the_error_describes_itself_and_converts_into_an_io_error() {
    fn is_error<E: Error + Send + Sync + Copy + 'static>(_: E) {}
    run_virtually(|| {
        let elapsed: Elapsed = timeout(ms(1), fibra::park).unwrap_err();
        is_error(elapsed);
        assert_eq!(elapsed.to_string(), "the time limit was reached before the work was done");
        let error = io::Error::from(elapsed);
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(error.get_ref().unwrap().downcast_ref(), Some(&elapsed));
    });
}

#[test]
fn it_works_inside_a_fiber_only() {
    let text = panic_of(|| timeout(ms(1), || ()));
    assert!(text.contains("fibra::run"), "{text}");
}
