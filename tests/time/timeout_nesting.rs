//! Tests time limits inside and around other limits, kills, scopes, shields and `finally`.

use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

use fibra::channel::Channel;
use fibra::time::timeout;
use fibra::{finally, nursery, scope, shield, shield_for, spawn, yield_now};

use crate::support::{Noisy, OnDrop, Watch, apart, check, go, log, ms, panic_of, run_virtually};

#[test]
fn the_inner_limit_is_met_inside_and_the_outer_outside() {
    run_virtually(|| {
        let watch = Watch::start();
        let outer = timeout(ms(20), || {
            let inner = timeout(ms(10), || fibra::sleep(ms(100)));
            watch.log(format!("inner {}", inner.is_err()));
            fibra::sleep(ms(100));
            log("unreachable");
        });
        watch.log(format!("outer {}", outer.is_err()));
    });
    check("inner true@10 outer true@20");
}

#[test]
fn the_inner_limit_never_takes_the_end_of_the_outer_for_its_own() {
    run_virtually(|| {
        let watch = Watch::start();
        // The outer ends first; both end together; the inner ends while the outer unwinds.
        for inner in [100, 10, 11] {
            let outer = timeout(ms(10), || {
                let inner = timeout(ms(inner), || {
                    finally(fibra::park, || fibra::sleep(ms(5)));
                });
                log(format!("unreachable {inner:?}"));
            });
            watch.log(outer.is_err());
        }
        assert_eq!(fibra::stats().timers, 0);
    });
    check("true@15 true@30 true@45");
}

#[test]
fn an_outer_limit_that_ends_while_the_inner_unwinds_takes_it_over() {
    run_virtually(|| {
        let watch = Watch::start();
        let outer = timeout(ms(12), || {
            let inner = timeout(ms(10), || {
                finally(fibra::park, || fibra::sleep(ms(5)));
            });
            log(format!("unreachable {inner:?}"));
        });
        watch.log(outer.is_err());
    });
    check("true@15");
}

#[test]
fn ten_levels_unwind_to_the_one_whose_time_is_over() {
    fn nest(watch: Watch, level: u64) {
        if level == 0 {
            return fibra::park();
        }
        // Level 5 has the shortest time.
        let limit = if level == 5 { 3 } else { 100 + level };
        if timeout(ms(limit), || nest(watch, level - 1)).is_err() {
            watch.log(format!("level {level}"));
            fibra::sleep(ms(1));
        }
    }
    run_virtually(|| {
        nest(Watch::start(), 10);
        assert_eq!(fibra::stats().timers, 0);
    });
    check("level 5@3");
}

#[test]
fn a_kill_is_no_end_of_time() {
    run_virtually(|| {
        let fiber = spawn(|| {
            let _outer = Noisy("unwound");
            let result = timeout(ms(10), fibra::park);
            log(format!("unreachable {result:?}"));
        });
        fibra::sleep(ms(5));
        fiber.kill();
        log(fiber.join().unwrap_err());
        assert_eq!(fibra::stats().timers, 0);
    });
    check("unwound the fiber was killed");
}

#[test]
fn a_kill_that_comes_when_the_time_is_over_is_not_swallowed() {
    run_virtually(|| {
        let fiber = spawn(|| {
            let result = timeout(ms(10), || {
                finally(fibra::park, || {
                    fibra::sleep(ms(10));
                    log("cleaned");
                });
            });
            log(format!("unreachable {result:?}"));
        });
        fibra::sleep(ms(15));
        fiber.kill();
        log(fiber.join().unwrap_err());
    });
    check("cleaned the fiber was killed");
}

#[test]
fn a_kill_at_the_very_moment_is_not_swallowed() {
    run_virtually(|| {
        let fiber = spawn(|| {
            fibra::sleep(ms(1));
            // It ends at the same moment as the sleep of the killer, which began earlier.
            let result = timeout(ms(9), fibra::park);
            log(format!("unreachable {result:?}"));
        });
        let target = fiber.fiber().clone();
        go(move || {
            fibra::sleep(ms(10));
            target.kill();
        });
        log(fiber.join().unwrap_err());
    });
    check("the fiber was killed");
}

#[test]
fn a_shield_outside_keeps_a_kill_off_and_not_the_limit() {
    run_virtually(|| {
        let watch = Watch::start();
        let fiber = spawn(move || {
            shield(|| {
                let result = timeout(ms(10), fibra::park);
                watch.log(result.is_err());
                fibra::sleep(ms(5));
                watch.log("shielded");
            });
            yield_now();
            log("unreachable");
        });
        fibra::sleep(ms(5));
        fiber.kill();
        log(fiber.join().unwrap_err());
    });
    check("true@10 shielded@15 the fiber was killed");
}

#[test]
fn a_shield_inside_keeps_the_limit_off_until_it_ends() {
    run_virtually(|| {
        let watch = Watch::start();
        let result = timeout(ms(10), || {
            shield(|| fibra::sleep(ms(15)));
            watch.log("shielded");
            yield_now();
            log("unreachable");
        });
        watch.log(result.is_err());
    });
    check("shielded@15 true@15");
}

#[test]
fn clean_up_is_done_and_may_have_a_limit_of_its_own() {
    run_virtually(|| {
        let watch = Watch::start();
        let result = timeout(ms(10), || {
            finally(fibra::park, || {
                let goodbye = timeout(ms(7), fibra::park);
                watch.log(format!("no answer {}", goodbye.is_err()));
            });
        });
        watch.log(result.is_err());
    });
    check("no answer true@17 true@17");
}

#[test]
fn a_shield_with_a_grace_time_wears_off() {
    run_virtually(|| {
        let watch = Watch::start();
        let fiber = spawn(move || {
            let _unwound = OnDrop(move || watch.log("unwound"));
            shield_for(ms(10), || {
                fibra::sleep(ms(7));
                watch.log("shielded");
                fibra::sleep(ms(7));
                log("unreachable");
            });
        });
        fibra::sleep(ms(5));
        fiber.kill();
        log(fiber.join().unwrap_err());
        assert_eq!(fibra::stats().timers, 0);
    });
    check("shielded@7 unwound@10 the fiber was killed");
}

#[test]
fn a_shield_that_has_worn_off_lets_a_later_kill_through() {
    run_virtually(|| {
        let watch = Watch::start();
        let fiber = spawn(move || {
            let _unwound = OnDrop(move || watch.log("unwound"));
            shield_for(ms(3), || {
                fibra::sleep(ms(5));
                watch.log("not killed");
                fibra::park();
            });
        });
        fibra::sleep(ms(8));
        fiber.kill();
        fiber.join().unwrap_err();
    });
    check("not killed@5 unwound@8");
}

#[test]
fn a_grace_time_holds_off_a_limit_and_a_kill_around_it_alike() {
    run_virtually(|| {
        let watch = Watch::start();
        let result = timeout(ms(2), || shield_for(ms(6), || fibra::sleep(ms(20))));
        watch.log(result.is_err());
        // A body that is done in time returns its value, and the limit takes effect after it.
        let result = timeout(ms(2), || {
            let value = shield_for(ms(6), || {
                fibra::sleep(ms(4));
                "done"
            });
            watch.log(value);
            fibra::sleep(ms(1));
        });
        watch.log(result.is_err());
        assert_eq!(shield_for(Duration::MAX, || fibra::stats().timers), 0);
        assert_eq!(shield_for(Duration::ZERO, || 5), 5);
        assert_eq!(fibra::stats().timers, 0);
    });
    check("true@6 done@10 true@10");
}

#[test]
fn a_grace_time_of_zero_is_no_shield() {
    run_virtually(|| {
        let fiber = spawn(|| shield_for(Duration::ZERO, fibra::park));
        yield_now();
        fiber.kill();
        assert!(fiber.join().unwrap_err().is_killed());
    });
}

#[test]
fn a_nursery_inside_is_killed_and_waited_for_before_the_limit_returns() {
    run_virtually(|| {
        let watch = Watch::start();
        let result = timeout(ms(10), || {
            nursery(|n| {
                n.spawn(move || {
                    finally(fibra::park, || fibra::sleep(ms(5)));
                });
                n.spawn(move || {
                    let _killed = OnDrop(move || watch.log("killed"));
                    fibra::park();
                });
                n.spawn(move || {
                    fibra::sleep(ms(3));
                    watch.log("done");
                });
            });
            log("unreachable");
        });
        watch.log(result.is_err());
    });
    check("done@3 killed@10 true@15");
}

#[test]
fn a_body_of_a_scope_inside_is_unwound_and_its_fibers_borrow_until_they_have_ended() {
    run_virtually(|| {
        let watch = Watch::start();
        let mut steps = 0;
        let result = timeout(ms(10), || {
            scope(|s| {
                s.spawn(|| {
                    finally(fibra::park, || {
                        fibra::sleep(ms(2));
                        steps += 1;
                    });
                });
                fibra::park();
                log("unreachable");
            });
        });
        watch.log(result.is_err());
        assert_eq!(steps, 1);
    });
    check("true@12");
}

#[test]
fn a_limit_in_a_nursery_ends_no_other_fiber() {
    run_virtually(|| {
        let watch = Watch::start();
        nursery(|n| {
            n.spawn(move || {
                assert!(timeout(ms(5), fibra::park).is_err());
                watch.log("timed out");
            });
            n.spawn(move || {
                fibra::sleep(ms(10));
                watch.log("slept");
            });
        });
        watch.log("left");
    });
    check("timed out@5 slept@10 left@10");
}

#[test]
fn a_limit_in_the_body_of_a_nursery_does_not_catch_the_failure_of_a_child() {
    run_virtually(|| {
        let watch = Watch::start();
        let text = panic_of(|| {
            nursery(|n| {
                n.spawn(move || {
                    fibra::sleep(ms(5));
                    panic!("child");
                });
                let result = timeout(ms(10), fibra::park);
                log(format!("unreachable {result:?}"));
            });
        });
        watch.log(text);
    });
    check("child@5");
}

#[test]
fn a_failure_that_comes_when_the_time_is_over_goes_to_the_nursery() {
    run_virtually(|| {
        let watch = Watch::start();
        let text = panic_of(|| {
            nursery(|n| {
                n.spawn(move || {
                    fibra::sleep(ms(12));
                    panic!("child");
                });
                let result = timeout(ms(10), || {
                    finally(fibra::park, || fibra::sleep(ms(5)));
                });
                log(format!("unreachable {result:?}"));
            });
        });
        watch.log(text);
    });
    check("child@15");
}

#[test]
fn a_limit_around_a_nursery_that_fails_while_the_time_ends_goes_before_the_failure() {
    run_virtually(|| {
        let watch = Watch::start();
        // As with a kill, the outer scope decides, and the panic of the child is reported.
        let result = timeout(ms(10), || {
            nursery(|n| {
                n.spawn(|| {
                    fibra::sleep(ms(5));
                    panic!("reported");
                });
                finally(fibra::park, || {
                    watch.log("cleans");
                    fibra::sleep(ms(10));
                });
            });
        });
        watch.log(result.is_err());
    });
    check("cleans@5 true@15");
}

#[test]
fn a_limit_around_a_limit_in_another_fiber_is_a_join_that_is_given_up() {
    run_virtually(|| {
        let watch = Watch::start();
        let child = spawn(move || {
            let result = timeout(ms(20), fibra::park);
            watch.log(format!("child {}", result.is_err()));
        });
        // The limit is on the wait, not on the fiber: its handle is dropped with the closure.
        assert!(timeout(ms(10), || child.join()).is_err());
        watch.log("given up");
        fibra::sleep(ms(30));
        watch.log("end");
    });
    check("given up@10 child true@20 end@40");
}

#[test]
fn a_handle_that_is_only_borrowed_can_be_joined_later() {
    run_virtually(|| {
        let mut child = spawn(|| {
            fibra::sleep(ms(20));
            "value"
        });
        assert!(timeout(ms(10), || child.wait()).is_err());
        assert!(timeout(ms(15), || child.wait()).is_ok());
        log(child.join().unwrap());
    });
    check("value");
}

#[test]
fn the_end_of_run_goes_through_limits() {
    run_virtually(|| {
        go(|| {
            let _unwound = Noisy("unwound");
            let result = timeout(ms(100), || {
                finally(fibra::park, || {
                    // The clean-up outlives its limit, and the end of `run` sets no time limit.
                    fibra::sleep(ms(200));
                    log("cleaned");
                });
            });
            log(format!("unreachable {result:?}"));
        });
        yield_now();
    });
    check("cleaned unwound");
}

#[test]
fn a_killed_main_is_cancelled_and_has_not_timed_out() {
    let payload = panic::catch_unwind(AssertUnwindSafe(|| {
        run_virtually(|| {
            let main = fibra::current();
            go(move || main.kill());
            let result = timeout(ms(10), fibra::park);
            log(format!("unreachable {result:?}"));
        });
    }));
    assert!(payload.unwrap_err().is::<fibra::Killed>());
    check("");
}

#[test]
fn scopes_borrow_from_inside_a_limit() {
    run_virtually(|| {
        let words = [String::from("a"), String::from("b")];
        let joined = timeout(ms(10), || {
            scope(|s| {
                let fibers = words.each_ref().map(|word| s.spawn(|| word.clone()));
                fibers.map(|fiber| fiber.join().unwrap()).concat()
            })
        });
        assert_eq!(joined.as_deref(), Ok("ab"));
    });
}

#[test]
fn an_abandoned_fiber_leaves_no_timer() {
    apart(|| {
        run_virtually(|| {
            let fiber = spawn(|| {
                let _ = timeout(ms(1_000), || {
                    let _ = timeout(ms(2_000), || {
                        let channel = Channel::<u8>::new();
                        loop {
                            let _ = panic::catch_unwind(AssertUnwindSafe(|| channel.recv()));
                        }
                    });
                });
            });
            yield_now();
            assert_eq!(fibra::stats().timers, 2);
            fiber.kill();
            let error = fiber.join().unwrap_err();
            log(&error);
            assert_eq!(fibra::stats().timers, 0);
        });
        check("the fiber was killed, refused to end and was abandoned");
    });
}

#[test]
fn a_bounded_wait_is_no_deadlock_and_one_that_is_shielded_forever_is() {
    run_virtually(|| {
        let channel = Channel::<u8>::new();
        assert!(timeout(ms(10), || channel.recv()).is_err());
        let error = timeout(ms(10), || shield(|| channel.recv())).unwrap().unwrap_err();
        assert!(error.to_string().contains("deadlock"), "{error}");
    });
}
