//! Tests time limits on the stacks of generators: a limit belongs to the stack that it was made on.

use std::panic::{self, AssertUnwindSafe};
use std::process::Output;

use fibra::generator::{self, Generator, GeneratorState, Yielder};
use fibra::time::timeout;
use fibra::{finally, nursery, spawn};

use crate::support::{Noisy, OnDrop, Watch, check, in_child, ms, name_of, run_virtually, stderr};

/// Yields once inside a limit of 10, then waits. Returns whether it was done within the limit.
fn limited(watch: Watch) -> Generator<&'static str, (), bool> {
    Generator::new(move |y: &Yielder<&'static str>, ()| {
        let result = timeout(ms(10), || {
            let _unwound = OnDrop(move || watch.log("unwound"));
            y.yield_("yields");
            watch.log("resumed");
            fibra::sleep(ms(5));
            watch.log("slept");
        });
        watch.log(format!("elapsed {}", result.is_err()));
        result.is_ok()
    })
}

#[test]
fn a_limit_around_a_resume_unwinds_a_generator_that_waits() {
    run_virtually(|| {
        let watch = Watch::start();
        let mut waits = generator::iter(move |y| {
            let _unwound = Noisy("generator");
            finally(fibra::park, || fibra::sleep(ms(2)));
            y.yield_("unreachable");
        });
        let result = timeout(ms(10), || waits.next());
        watch.log(result.is_err());
        assert!(waits.is_finished());
    });
    check("generator true@12");
}

#[test]
fn a_generator_that_yields_does_not_carry_its_callers_limit_away() {
    run_virtually(|| {
        let watch = Watch::start();
        let mut steps = generator::iter(move |y| {
            y.yield_("one");
            fibra::sleep(ms(50));
            y.yield_("two");
        });
        assert_eq!(timeout(ms(10), || steps.next()), Ok(Some("one")));
        fibra::sleep(ms(20));
        watch.log(steps.next().unwrap());
        assert_eq!(timeout(ms(10), || steps.next()), Ok(None));
    });
    check("two@70");
}

#[test]
fn a_suspended_limit_does_not_bound_the_caller_and_is_met_when_the_generator_goes_on() {
    run_virtually(|| {
        let watch = Watch::start();
        let mut limited = limited(watch);
        assert_eq!(limited.resume(()), GeneratorState::Yielded("yields"));
        // Its time is over while it is suspended: this has no effect.
        fibra::sleep(ms(20));
        watch.log("not bounded");
        assert_eq!(timeout(ms(10), || limited.resume(())), Ok(GeneratorState::Complete(false)));
        assert_eq!(fibra::stats().timers, 0);
    });
    check("not bounded@20 resumed@20 unwound@20 elapsed true@20");
}

#[test]
fn a_suspended_limit_that_is_not_over_bounds_the_rest() {
    run_virtually(|| {
        let watch = Watch::start();
        let mut in_time = limited(watch);
        in_time.resume(());
        fibra::sleep(ms(3));
        assert_eq!(in_time.resume(()), GeneratorState::Complete(true));
        let mut too_late = limited(watch);
        too_late.resume(());
        fibra::sleep(ms(7));
        assert_eq!(too_late.resume(()), GeneratorState::Complete(false));
        assert_eq!(fibra::stats().timers, 0);
    });
    check("resumed@3 slept@8 unwound@8 elapsed false@8 resumed@15 unwound@18 elapsed true@18");
}

#[test]
fn a_generator_that_is_dropped_inside_its_limit_takes_the_timer_with_it() {
    run_virtually(|| {
        let watch = Watch::start();
        for waited in [0, 20] {
            let mut limited = limited(watch);
            limited.resume(());
            assert_eq!(fibra::stats().timers, 1);
            fibra::sleep(ms(waited));
            drop(limited);
            assert_eq!(fibra::stats().timers, 0);
        }
        fibra::sleep(ms(20));
        watch.log("end");
    });
    check("unwound@0 unwound@20 end@40");
}

#[test]
fn a_fiber_that_ends_unwinds_the_limits_of_its_generators() {
    run_virtually(|| {
        let watch = Watch::start();
        let fiber = spawn(move || {
            let mut limited = limited(watch);
            limited.resume(());
            // It is not kept by any fiber-local: the frame of the fiber unwinds it.
            std::mem::forget(limited);
        });
        fiber.join().unwrap();
        assert_eq!(fibra::stats().timers, 0);
        fibra::sleep(ms(20));
    });
    check("unwound@0");
}

#[test]
fn a_generator_is_resumed_inside_the_limits_of_each_of_its_callers() {
    run_virtually(|| {
        let watch = Watch::start();
        let mut naps = generator::iter(move |y| {
            for nap in 1.. {
                let slept = panic::catch_unwind(AssertUnwindSafe(|| fibra::sleep(ms(4)))).is_ok();
                y.yield_((nap, slept));
            }
        });
        // It catches the unwind and yields: so the caller completes in time.
        let in_time = timeout(ms(10), || naps.next());
        watch.log(format!("{in_time:?}"));
        let late = timeout(ms(2), || naps.next());
        watch.log(format!("{late:?}"));
        let after = naps.next();
        watch.log(format!("{after:?}"));
        let outer = timeout(ms(3), || {
            let inner = timeout(ms(2), || naps.next());
            watch.log(format!("{inner:?}"));
            naps.next();
            naps.next()
        });
        watch.log(format!("{outer:?}"));
    });
    check(
        "Ok(Some((1, true)))@4 Ok(Some((2, false)))@6 Some((3, true))@10 Ok(Some((4, false)))@12 \
         Ok(Some((6, false)))@13",
    );
}

#[test]
fn the_inner_of_two_limits_may_be_the_generators() {
    run_virtually(|| {
        let watch = Watch::start();
        // The generator's limit is shorter than that of its caller, longer, and equal.
        for (inner, outer) in [(5, 10), (10, 5), (5, 5)] {
            let mut waits: Generator<(), (), bool> =
                Generator::new(move |_, ()| timeout(ms(inner), fibra::park).is_err());
            let result = timeout(ms(outer), || waits.resume(()));
            watch.log(format!("{:?}", result.ok()));
        }
        assert_eq!(fibra::stats().timers, 0);
    });
    check("Some(Complete(true))@5 None@10 None@15");
}

#[test]
fn a_yield_from_above_suspends_the_limits_of_both_stacks() {
    run_virtually(|| {
        let watch = Watch::start();
        let mut outer: Generator<&str, (), ()> = Generator::new(move |outer_y, ()| {
            generator::scope(|s| {
                let mut inner = s.generator(|_: &Yielder<&str>, ()| {
                    let result = timeout(ms(10), || {
                        // This call is on the inner generator's stack; it yields out of the outer.
                        outer_y.yield_("both");
                        watch.log("back");
                        fibra::sleep(ms(5));
                    });
                    watch.log(format!("inner {}", result.is_err()));
                });
                let result = timeout(ms(30), || inner.resume(()));
                watch.log(format!("outer {}", result.is_err()));
            });
        });
        assert_eq!(outer.resume(()), GeneratorState::Yielded("both"));
        fibra::sleep(ms(20));
        assert_eq!(outer.resume(()), GeneratorState::Complete(()));
        assert_eq!(fibra::stats().timers, 0);
    });
    check("back@20 inner true@20 outer false@20");
}

#[test]
fn fibers_of_a_nursery_in_a_generator_end_with_its_limit() {
    run_virtually(|| {
        let watch = Watch::start();
        let mut generator: Generator<&str, (), bool> = Generator::new(move |y, ()| {
            let result = timeout(ms(10), || {
                nursery(|n| {
                    n.spawn(move || {
                        let _killed = OnDrop(move || watch.log("killed"));
                        fibra::park();
                    });
                    y.yield_("open");
                    watch.log("leaves");
                });
            });
            result.is_err()
        });
        assert_eq!(generator.resume(()), GeneratorState::Yielded("open"));
        fibra::sleep(ms(20));
        assert_eq!(generator.resume(()), GeneratorState::Complete(true));
        watch.log("end");
    });
    check("leaves@20 killed@20 end@20");
}

/// A generator that refuses to end keeps its stack, and its limits, forever. The limits outlive
/// the fiber, and may still elapse.
#[test]
fn an_abandoned_generator_may_have_limits_that_outlive_its_fiber() {
    let output: Output = in_child(
        name_of!(an_abandoned_generator_may_have_limits_that_outlive_its_fiber),
        &[],
        || {
            run_virtually(|| {
                let watch = Watch::start();
                spawn(|| {
                    let mut stubborn = generator::iter(|y| {
                        let _ = timeout(ms(10), || {
                            loop {
                                let _ = panic::catch_unwind(AssertUnwindSafe(|| y.yield_(1)));
                            }
                        });
                    });
                    stubborn.next();
                })
                .join()
                .unwrap();
                // Records are reused: one of many fibers would find a record in a bad state.
                let others: Vec<_> = (0..100).map(|_| spawn(|| fibra::sleep(ms(20)))).collect();
                others.into_iter().for_each(|other| other.join().unwrap());
                assert_eq!(fibra::stats().timers, 0);
                watch.log("end");
            });
            check("end@20");
        },
    );
    let text = stderr(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("caught every GeneratorExit"), "{text}");
}
