//! Tests time limits in destructors that an unwind runs, while nothing else can happen.

use fibra::sync::Mutex;
use fibra::time::timeout;

use crate::support::{
    OnDrop, check, go, in_child, join_panic, log, ms, name_of, panic_of, run_virtually, stderr,
};

fn bounded_park() {
    log(if timeout(ms(1), fibra::park).is_err() { "elapsed" } else { "woken" });
}

#[test]
fn a_time_limit_in_a_destructor_ends_a_wait_that_nothing_else_can_end() {
    run_virtually(|| {
        let panics = fibra::spawn(|| {
            let _cleanup = OnDrop(bounded_park);
            panic!("outer");
        });
        assert_eq!(join_panic::<()>(panics), "outer");
        let killed = fibra::spawn(|| {
            let _cleanup = OnDrop(bounded_park);
            fibra::park();
        });
        fibra::yield_now();
        killed.kill();
        assert!(killed.join().unwrap_err().is_killed());
    });
    check("elapsed elapsed");
}

#[test]
fn a_time_limit_in_a_destructor_drops_what_is_inside_and_leaves_the_unwind_alone() {
    run_virtually(|| {
        let mutex = Mutex::new(());
        let held = mutex.lock();
        let panics = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _cleanup = OnDrop(|| {
                let inner = timeout(ms(5), || {
                    let _dropped = OnDrop(|| log("dropped"));
                    timeout(ms(1), || drop(mutex.lock())).unwrap_err();
                    log("inner");
                    drop(mutex.lock());
                });
                log(if inner.is_err() { "outer" } else { "locked" });
            });
            panic!("first");
        }));
        assert_eq!(panics.unwrap_err().downcast_ref(), Some(&"first"));
        drop(held);
    });
    check("inner dropped outer");
}

#[test]
fn a_wait_in_a_destructor_without_a_limit_aborts_with_a_report() {
    let test = name_of!(a_wait_in_a_destructor_without_a_limit_aborts_with_a_report);
    let output = in_child(test, &[], || {
        fibra::run(|| {
            let _cleanup = OnDrop(fibra::park);
            panic!("outer");
        });
    });
    assert!(!output.status.success());
    assert!(stderr(&output).contains("deadlock, and no wait can fail: aborting"), "{output:?}");
}

#[test]
fn a_time_limit_in_a_destructor_ends_the_fibers_of_scopes_that_are_opened_inside() {
    run_virtually(|| {
        let panics = fibra::spawn(|| {
            let _cleanup = OnDrop(|| {
                let bounded = timeout(ms(1), || {
                    fibra::scope(|scope| {
                        scope.spawn(|| {
                            let _dropped = OnDrop(|| log("child"));
                            fibra::park();
                        });
                        scope.spawn(|| {
                            fibra::nursery(|nursery| {
                                nursery.spawn(|| {
                                    let _dropped = OnDrop(|| log("grandchild"));
                                    fibra::park();
                                });
                            });
                        });
                    });
                });
                log(if bounded.is_err() { "elapsed" } else { "ended" });
            });
            panic!("outer");
        });
        assert_eq!(join_panic::<()>(panics), "outer");
    });
    check("child grandchild elapsed");
}

#[test]
fn a_fiber_of_such_a_scope_that_does_not_end_aborts_with_a_report() {
    let test = name_of!(a_fiber_of_such_a_scope_that_does_not_end_aborts_with_a_report);
    let output = in_child(test, &[], || {
        run_virtually(|| {
            let _cleanup = OnDrop(|| {
                let _bounded = timeout(ms(1), || {
                    fibra::scope(|scope| {
                        scope.spawn(|| {
                            loop {
                                let _ = std::panic::catch_unwind(fibra::park);
                            }
                        });
                    });
                });
            });
            panic!("outer");
        });
    });
    assert!(!output.status.success());
    assert!(stderr(&output).contains("caught every kill and went on waiting"), "{output:?}");
}

#[test]
fn a_time_limit_where_nothing_can_unwind_aborts_with_a_report_as_a_wait_without_one_does() {
    let test = name_of!(
        a_time_limit_where_nothing_can_unwind_aborts_with_a_report_as_a_wait_without_one_does
    );
    let output = in_child(test, &[], || {
        let _cleanup = OnDrop(|| run_virtually(bounded_park));
        panic!("outer");
    });
    assert!(!output.status.success());
    assert!(stderr(&output).contains("deadlock, and no wait can fail: aborting"), "{output:?}");
}

#[test]
fn a_time_limit_that_was_set_while_another_fiber_unwound_leaves_deadlocks_to_be_found() {
    run_virtually(|| {
        go(|| {
            let _cleanup = OnDrop(fibra::yield_now);
            panic!("another");
        });
        fibra::yield_now();
        let failed = panic_of(|| {
            timeout(ms(1), || {
                fibra::scope(|scope| {
                    scope.spawn(|| fibra::shield(fibra::park));
                });
            })
        });
        assert!(failed.contains("deadlock"), "{failed}");
    });
}
