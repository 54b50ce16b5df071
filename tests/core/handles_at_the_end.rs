//! Tests handles that outlive a `run`: what they could still request does not keep it from ending.

use fibra::{future, stackless};

use crate::support::{OnDrop, apart, check, log, run_virtually};

/// Waits, and when its fiber is killed, waits for something that never happens.
fn never_end() {
    let _cleanup = OnDrop(fibra::park);
    fibra::park();
}

#[test]
fn a_future_of_a_fiber_that_waits_in_a_destructor_does_not_keep_the_run_from_ending() {
    apart(|| {
        let kept = run_virtually(|| {
            let future = future::spawn(never_end);
            fibra::yield_now();
            future
        });
        log("over");
        drop(kept);
    });
    check("over");
}

#[test]
fn a_remote_handle_of_a_tasklet_or_of_main_does_not_keep_the_run_from_ending() {
    apart(|| {
        let kept = run_virtually(|| {
            let tasklet = stackless::tasklet(|()| never_end()).setup(());
            fibra::yield_now();
            (tasklet.remote(), stackless::getcurrent().remote())
        });
        log("over");
        drop(kept);
    });
    check("over");
}
