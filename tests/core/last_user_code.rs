//! Tests the last user code of a fiber: what it leaves is handled, and nothing outlives the fiber.

#![allow(clippy::disallowed_methods, reason = "mail comes from other threads")]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use fibra::generator::Generator;
use fibra::stackless;

use crate::support::{Noisy, OnDrop, check, log, run_virtually};

type Destructor = OnDrop<Box<dyn FnMut()>>;

fibra::local! {
    static AT_END: RefCell<Option<Destructor>> = RefCell::new(None);
}

/// Runs `f` when the running fiber drops its locals.
fn at_end(f: impl FnMut() + 'static) {
    AT_END.with(|local| local.replace(Some(OnDrop(Box::new(f)))));
}

/// Gives the running tasklet a value that is dropped last of all, and that waits in its destructor.
fn wait_at_last() {
    let waits = OnDrop(|| (0..3).for_each(|_| fibra::yield_now()));
    stackless::getcurrent().set_tempval(Some(Box::new(waits)));
}

#[test]
fn an_output_whose_handle_goes_during_the_last_clean_up_is_dropped_by_its_fiber() {
    run_virtually(|| {
        let kept = fibra::scope(|scope| {
            let handle = scope.spawn(|| {
                wait_at_last();
                Noisy("output")
            });
            fibra::yield_now();
            let kept = handle.fiber().clone();
            drop(handle);
            kept
        });
        log("after the scope");
        drop(kept);
    });
    check("output after the scope");
}

#[test]
fn an_error_whose_handle_goes_meanwhile_is_raised_by_the_scope() {
    run_virtually(|| {
        let raised = std::panic::catch_unwind(|| {
            fibra::scope(|scope| {
                let handle = scope.spawn(|| {
                    wait_at_last();
                    std::panic::resume_unwind(Box::new("not lost"));
                });
                fibra::yield_now();
                drop(handle);
            });
        });
        log(raised.unwrap_err().downcast_ref::<&str>().unwrap());
    });
    check("not lost");
}

#[test]
fn locals_that_the_destructor_of_a_late_output_makes_are_dropped_on_the_fiber() {
    struct MakesLocal;
    impl Drop for MakesLocal {
        fn drop(&mut self) {
            log("output");
            at_end(|| log(format!("local in {:?}", fibra::current().name())));
        }
    }
    run_virtually(|| {
        let handle = fibra::Builder::new().name("owner").spawn(|| {
            wait_at_last();
            MakesLocal
        });
        fibra::yield_now();
        drop(handle);
        (0..5).for_each(|_| fibra::yield_now());
        log("end");
    });
    check("output local in Some(\"owner\") end");
}

#[test]
fn the_output_of_a_tasklet_whose_last_value_leaves_the_ring_is_dropped() {
    // Its tempval's destructor takes the tasklet out of the ring. Meanwhile its handle is dropped.
    run_virtually(|| {
        let tasklet = stackless::tasklet(|()| {
            let me = stackless::getcurrent();
            me.set_tempval(Some(Box::new(OnDrop(|| {
                log("tempval");
                let _ = stackless::schedule_remove();
            }))));
        })
        .bind(());
        tasklet.insert().unwrap();
        stackless::run();
        log(format!("alive {}", tasklet.is_alive()));
    });
    check("tempval alive false");
}

/// A place for a generator that outlives the code that started it.
type Kept = Rc<RefCell<Option<Generator<(), (), ()>>>>;

thread_local! {
    static BORROWED: Cell<u32> = const { Cell::new(7) };
}

#[test]
fn a_generator_that_undelivered_mail_starts_ends_with_its_run() {
    let kept = Kept::default();
    struct Starts;
    thread_local! {
        static KEPT: RefCell<Option<Kept>> = const { RefCell::new(None) };
    }
    impl Drop for Starts {
        fn drop(&mut self) {
            let mut generator = Generator::new(|yielder, ()| {
                BORROWED.with(|_| {
                    let _unwound = OnDrop(|| log("unwound"));
                    yielder.yield_(());
                });
            });
            log(format!("started {}", generator.try_resume(()).is_ok()));
            let kept = KEPT.take();
            *kept.as_ref().unwrap().borrow_mut() = Some(generator);
        }
    }
    KEPT.set(Some(kept.clone()));
    fibra::run(|| {
        let remote = stackless::getcurrent().remote();
        // It is posted when no further turn of the loop comes, and is found at the end of the run.
        let thread = std::thread::spawn(move || remote.throw(Starts).unwrap());
        thread.join().unwrap();
    });
    log("run is over");
    fibra::run(|| {
        let outcome = kept.borrow_mut().as_mut().unwrap().try_resume(());
        log(format!("resumed {}", outcome.is_ok()));
    });
    check("started true unwound run is over resumed false");
}
