//! The error of a `map` is returned, whatever the destructors of the results do.

use std::cell::Cell;
use std::panic::resume_unwind;
use std::rc::Rc;

use fibra::pool::Pool;

use crate::support::{OnDrop, check, log, ms, panic_of, run_virtually};

/// A result whose destructor waits, and then counts the drop.
fn waits(dropped: &Rc<Cell<u32>>) -> OnDrop<impl FnMut() + use<>> {
    let dropped = dropped.clone();
    OnDrop(move || {
        fibra::sleep(ms(5));
        dropped.set(dropped.get() + 1);
    })
}

#[test]
fn destructors_of_results_that_wait_do_not_hide_the_failure() {
    run_virtually(|| {
        let dropped = Rc::new(Cell::new(0));
        let outcome = Pool::new(4).map(0..4, |n| {
            fibra::sleep(ms(n));
            if n == 2 {
                resume_unwind(Box::new("burnt"));
            }
            waits(&dropped)
        });
        let error = outcome.map(drop).unwrap_err();
        assert_eq!(error.to_string(), "the fiber panicked: burnt");
        assert_eq!(dropped.get(), 2, "and each result is dropped");
    });
}

#[test]
fn untaken_outputs_are_dropped_completely() {
    run_virtually(|| {
        let dropped = Rc::new(Cell::new(0));
        // All end in the same batch, before `map` looks at the first of them.
        let outcome = Pool::new(4).map(0..4, |n| {
            if n == 3 {
                resume_unwind(Box::new("burnt"));
            }
            waits(&dropped)
        });
        let error = outcome.map(drop).unwrap_err();
        assert_eq!(error.to_string(), "the fiber panicked: burnt");
        assert_eq!(dropped.get(), 3);
    });
}

#[test]
fn a_panic_of_the_source_unwinds_the_caller_whatever_the_results_do() {
    run_virtually(|| {
        let dropped = Rc::new(Cell::new(0));
        let text = panic_of(|| {
            let items = (0..3).inspect(|&n| {
                fibra::yield_now();
                if n == 2 {
                    resume_unwind(Box::new("empty"));
                }
            });
            Pool::new(4).map(items, |_| waits(&dropped)).map(drop)
        });
        log(format!("{text} {}", dropped.get()));
    });
    check("empty 2");
}
