//! Values that destructors leave for a tasklet that is about to end.

use std::cell::RefCell;
use std::rc::Rc;

use fibra::stackless::{self, Tasklet};

use crate::support::{Noisy, OnDrop, check, log};

/// Leaves a tempval for the current tasklet whose destructor leaves another one, `n` times.
fn leave(n: u32) {
    let value = OnDrop(move || {
        log(n);
        if n != 0 {
            leave(n - 1);
        }
    });
    stackless::getcurrent().set_tempval(Some(Box::new(value)));
}

#[test]
fn what_the_destructor_of_a_tempval_leaves_for_its_tasklet_is_dropped() {
    fibra::run(|| {
        fibra::spawn(|| leave(3)).join().unwrap();
        stackless::spawn(|| leave(2));
        stackless::run();
    });
    check("3 2 1 0 2 1 0");
}

#[test]
fn destructors_of_tempvals_that_make_new_ones_without_end_are_stopped() {
    fibra::run(|| fibra::spawn(|| leave(100_000)).join().unwrap());
    crate::support::forget_trace();
}

#[test]
fn the_destructor_of_a_tempval_may_leave_the_ring_and_be_thrown_at() {
    fibra::run(|| {
        let slot: Rc<RefCell<Option<Tasklet>>> = Rc::default();
        let keep = slot.clone();
        let fiber = fibra::spawn(move || {
            let waits = OnDrop(move || {
                let me = stackless::getcurrent();
                me.set_tempval(Some(Box::new(Noisy("left behind"))));
                *keep.borrow_mut() = Some(me);
                stackless::schedule_remove();
                stackless::getcurrent().set_tempval(Some(Box::new(Noisy("second"))));
                log("goes on");
            });
            stackless::getcurrent().set_tempval(Some(Box::new(waits)));
            Noisy("output")
        });
        fibra::yield_now();
        let tasklet = slot.take().unwrap();
        assert!(tasklet.is_paused());
        tasklet.throw_pending("too late").unwrap();
        let output = fiber.join().unwrap();
        assert!(!tasklet.is_alive());
        log("joined");
        drop(output);
    });
    check("left behind goes on second joined output");
}
