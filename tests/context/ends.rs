//! Regions that are left by kills and panics, and in fibers that never end.

use std::panic::{self, AssertUnwindSafe};

use fibra::{spawn, yield_now};

use crate::support::{OnDrop, check, log, ms, run_virtually};
use crate::{named, show};

#[test]
fn a_kill_unwinds_inside_the_region() {
    fibra::run(|| {
        let victim = spawn(|| {
            named("a", || {
                let _guard = OnDrop(|| show("dropped"));
                fibra::park();
            });
        });
        yield_now();
        log("kill");
        victim.kill();
        assert!(victim.join().unwrap_err().is_killed());
        show("main");
    });
    check("+a -a kill +a dropped[a] -a main[]");
}

#[test]
fn a_kill_at_a_yield() {
    fibra::run(|| {
        let victim = spawn(|| {
            named("a", || {
                loop {
                    yield_now()
                }
            })
        });
        yield_now();
        victim.kill();
        assert!(victim.join().unwrap_err().is_killed());
        show("main");
    });
    check("+a -a +a -a main[]");
}

#[test]
fn a_kill_in_a_shield_comes_later() {
    fibra::run(|| {
        let victim = spawn(|| {
            named("a", || {
                fibra::shield(|| {
                    yield_now();
                    fibra::park_timeout(ms(1));
                    show("shielded");
                });
                yield_now();
                unreachable!();
            });
        });
        yield_now();
        victim.kill();
        assert!(victim.join().unwrap_err().is_killed());
    });
    check("+a -a +a -a +a shielded[a] -a +a -a");
}

#[test]
fn a_panic_leaves_the_regions() {
    fibra::run(|| {
        let caught = panic::catch_unwind(AssertUnwindSafe(|| {
            named("a", || named("b", || panic::resume_unwind(Box::new("out"))));
        }));
        assert_eq!(*caught.unwrap_err().downcast::<&str>().unwrap(), "out");
        show("main");
        yield_now();
    });
    check("+a +b -b -a main[]");
}

#[test]
fn a_wait_while_the_fiber_unwinds() {
    fibra::run(|| {
        let failing = spawn(|| {
            named("a", || {
                let _guard = OnDrop(|| {
                    yield_now();
                    show("waited");
                });
                panic::resume_unwind(Box::new("out"))
            });
        });
        yield_now();
        show("main");
        failing.join().unwrap_err();
    });
    check("+a -a main[] +a waited[a] -a");
}

#[test]
fn a_cancelled_nursery() {
    run_virtually(|| {
        let result = fibra::time::timeout(ms(1), || {
            fibra::nursery(|nursery| {
                nursery.spawn(|| named("c", fibra::park));
                named("b", fibra::park);
            });
        });
        assert!(result.is_err());
        show("main");
    });
    check("+b -b +c -c +b -b +c -c main[]");
}

#[test]
fn a_tasklet_that_removes_itself_without_a_handle_unwinds_in_its_region() {
    use fibra::stackless;

    fibra::run(|| {
        let removes = || {
            named("a", || {
                let _guard = OnDrop(|| show("dropped"));
                drop(stackless::schedule_remove());
            });
        };
        drop(stackless::spawn(removes));
        stackless::run();
        show("main");
    });
    check("+a -a +a dropped[a] -a main[]");
}
