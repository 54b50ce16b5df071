//! Tests time limits in combination with other mechanisms: unwinding, `exit`, pauses, payloads
//! thrown at tasklets, and schedulers that cannot unwind.

use std::panic::{self, AssertUnwindSafe};
use std::process::Output;

use fibra::channel::Channel;
use fibra::stackless;
use fibra::time::timeout;
use fibra::{shield, shield_for, spawn, yield_now};

use crate::support::{Noisy, OnDrop, Watch, check, go, in_child, join_panic, log, ms, name_of};
use crate::support::{run_virtually, stderr};

#[test]
fn a_limit_around_a_destructor_that_waits_is_put_off_until_the_unwind_is_over() {
    run_virtually(|| {
        let watch = Watch::start();
        let fiber = spawn(move || {
            let result = timeout(ms(5), || {
                let _waits = OnDrop(move || {
                    fibra::sleep(ms(10));
                    watch.log("dropped");
                });
                panic!("body");
            });
            result.is_ok()
        });
        assert_eq!(join_panic(fiber), "body");
        watch.log("joined");
    });
    check("dropped@10 joined@10");
}

#[test]
fn while_another_fiber_unwinds_a_limit_comes_late_and_not_never() {
    run_virtually(|| {
        let watch = Watch::start();
        let panics = spawn(|| {
            let _waits = OnDrop(|| fibra::sleep(ms(20)));
            panic!("other");
        });
        yield_now();
        let result = timeout(ms(5), || {
            // The sleep completes, and the limit is over by then; but no unwind can be raised yet.
            fibra::sleep(ms(10));
            watch.log("slept");
            fibra::park();
        });
        watch.log(result.is_err());
        assert_eq!(join_panic::<()>(panics), "other");
    });
    check("slept@10 true@20");
}

#[test]
fn an_inner_limit_in_a_destructor_returns_when_the_destructor_does() {
    run_virtually(|| {
        let watch = Watch::start();
        let fiber = spawn(move || {
            let _waits = OnDrop(move || {
                // An unwind raised here would abort the process.
                let result = timeout(ms(5), || fibra::sleep(ms(10)));
                watch.log(result.is_ok());
                let channel = Channel::<u8>::new();
                let result = timeout(ms(5), || channel.recv_timeout(ms(7)));
                watch.log(result.is_ok());
            });
            panic!("body");
        });
        assert_eq!(join_panic::<()>(fiber), "body");
    });
    check("true@10 true@17");
}

#[test]
fn exit_goes_through_limits_that_are_over_and_shields() {
    let output: Output =
        in_child(name_of!(exit_goes_through_limits_that_are_over_and_shields), &[], || {
            run_virtually(|| {
                let _main = OnDrop(|| eprintln!("> main"));
                shield(|| {
                    let result = timeout(ms(5), || {
                        let caught = panic::catch_unwind(fibra::park);
                        assert!(caught.is_err());
                        fibra::exit(7);
                    });
                    eprintln!("> unreachable {result:?}");
                });
            });
        });
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(7), "{text}");
    let lines: Vec<_> = text.lines().filter(|line| line.starts_with("> ")).collect();
    assert_eq!(lines, ["> main"], "{text}");
}

#[test]
fn exit_elsewhere_does_not_cut_clean_up_short_that_runs_out_of_time() {
    let test = name_of!(exit_elsewhere_does_not_cut_clean_up_short_that_runs_out_of_time);
    let output: Output = in_child(test, &[], || {
        run_virtually(|| {
            go(|| {
                fibra::finally(fibra::park, || {
                    let result = timeout(ms(5), fibra::park);
                    eprintln!("> {result:?}");
                    fibra::sleep(ms(5));
                    eprintln!("> cleaned");
                });
            });
            yield_now();
            fibra::exit(8);
        });
    });
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(8), "{text}");
    assert!(text.contains("> Err(Elapsed"), "{text}");
    assert!(text.contains("> cleaned"), "{text}");
}

#[test]
fn a_paused_fiber_is_unwound_when_its_time_is_over() {
    run_virtually(|| {
        let watch = Watch::start();
        let fiber = spawn(move || {
            let result = timeout(ms(5), || {
                loop {
                    log("turn");
                    yield_now();
                }
            });
            watch.log(result.is_err());
            fibra::sleep(ms(5));
            watch.log("slept");
        });
        yield_now();
        assert!(fiber.fiber().pause());
        fiber.join().unwrap();
    });
    check("turn true@5 slept@10");
}

#[test]
fn a_paused_fiber_in_a_shield_stays_paused() {
    run_virtually(|| {
        let watch = Watch::start();
        let fiber = spawn(move || {
            let result = timeout(ms(5), || shield(yield_now));
            watch.log(result.is_ok());
        });
        yield_now();
        assert!(fiber.fiber().pause());
        fibra::sleep(ms(10));
        assert!(fiber.fiber().resume());
        fiber.join().unwrap();
    });
    check("true@10");
}

#[test]
fn what_is_thrown_at_a_tasklet_goes_through_its_limits() {
    run_virtually(|| {
        let watch = Watch::start();
        let tasklet = stackless::spawn(move || {
            let thrown = panic::catch_unwind(AssertUnwindSafe(|| {
                let result = timeout(ms(5), fibra::park);
                log(format!("unreachable {result:?}"));
            }));
            watch.log(thrown.unwrap_err().downcast_ref::<&str>().unwrap());
            // The throw is raised once: later limits work as before.
            watch.log(timeout(ms(5), fibra::park).is_err());
        });
        yield_now();
        fibra::sleep(ms(2));
        tasklet.throw("thrown").unwrap();
        fibra::sleep(ms(20));
        assert!(!tasklet.is_alive());
    });
    check("thrown@2 true@7");
}

#[test]
fn a_killed_tasklet_has_not_timed_out() {
    run_virtually(|| {
        let tasklet = stackless::spawn(|| {
            let _unwound = Noisy("unwound");
            let result = timeout(ms(5), fibra::park);
            log(format!("unreachable {result:?}"));
        });
        yield_now();
        tasklet.kill().unwrap();
        assert!(!tasklet.is_alive());
        assert_eq!(fibra::stats().timers, 0);
    });
    check("unwound");
}

#[test]
fn what_is_thrown_when_the_time_is_over_comes_after_it() {
    run_virtually(|| {
        let watch = Watch::start();
        let tasklet = stackless::spawn(move || {
            let thrown = panic::catch_unwind(AssertUnwindSafe(|| {
                let result = timeout(ms(5), || {
                    fibra::finally(fibra::park, || {
                        fibra::sleep(ms(5));
                        watch.log("cleaned");
                    });
                });
                watch.log(result.is_err());
                yield_now();
                log("unreachable");
            }));
            watch.log(thrown.unwrap_err().downcast_ref::<&str>().unwrap());
        });
        yield_now();
        fibra::sleep(ms(7));
        tasklet.throw_pending("thrown").unwrap();
        fibra::sleep(ms(20));
    });
    check("cleaned@10 true@10 thrown@10");
}

#[test]
fn a_pending_throw_waits_for_a_shield_to_wear_off() {
    run_virtually(|| {
        let watch = Watch::start();
        let tasklet = stackless::spawn(move || {
            let thrown = panic::catch_unwind(AssertUnwindSafe(|| {
                shield_for(ms(10), fibra::park);
            }));
            watch.log(thrown.unwrap_err().downcast_ref::<&str>().unwrap());
        });
        yield_now();
        tasklet.throw_pending("thrown").unwrap();
        fibra::sleep(ms(5));
        assert!(tasklet.is_alive());
        fibra::sleep(ms(10));
        assert!(!tasklet.is_alive());
    });
    check("thrown@10");
}

/// `run` in a destructor while its thread unwinds: std cannot tell fibers apart, so none unwinds.
#[test]
fn where_nothing_can_unwind_fallible_waits_fail_and_the_closure_returns() {
    let _ = panic::catch_unwind(|| {
        let _runs = OnDrop(|| {
            run_virtually(|| {
                let watch = Watch::start();
                let channel = Channel::<u8>::new();
                let received = timeout(ms(5), || channel.recv());
                watch.log(received.unwrap().unwrap_err());
                let slept = timeout(ms(5), || fibra::sleep(ms(10)));
                watch.log(slept.is_ok());
            });
        });
        panic!("outside");
    });
    check("killed while receiving on a channel@5 true@15");
}
