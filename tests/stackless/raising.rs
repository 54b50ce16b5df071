//! `raise` and `caught`: Python's `raise` and `except`, which do not catch fibra's own kill.

use std::panic::catch_unwind;

use fibra::stackless::{self, TaskletExit, caught, raise};

use crate::support::{Noisy, check, log};

#[derive(Debug, PartialEq)]
struct OutOfMilk(u32);

#[test]
fn what_is_raised_is_caught() {
    let error = caught(|| raise(OutOfMilk(3))).unwrap_err();
    assert_eq!(*error.downcast::<OutOfMilk>().unwrap(), OutOfMilk(3));
    assert_eq!(caught(|| 7).unwrap(), 7);
}

#[test]
fn a_caught_error_can_be_raised_again_unchanged() {
    let error = caught(|| {
        let error = caught(|| raise("E")).unwrap_err();
        raise(error)
    });
    assert_eq!(error.unwrap_err().downcast_ref(), Some(&"E"));
}

#[test]
fn an_error_of_a_tasklet_is_raised_by_run_and_caught_there() {
    fibra::run(|| {
        stackless::spawn(|| raise(OutOfMilk(1)));
        let error = caught(stackless::run).unwrap_err();
        assert!(error.is::<OutOfMilk>());
    });
}

#[test]
fn a_tasklet_may_catch_its_exit_and_lives_on() {
    fibra::run(|| {
        let stubborn = stackless::spawn(|| {
            let error = caught(stackless::schedule).unwrap_err();
            log(error.is::<TaskletExit>());
        });
        stackless::schedule();
        stubborn.kill().unwrap();
    });
    check("true");
}

#[test]
fn a_kill_of_fibra_is_not_caught() {
    fibra::run(|| {
        let fiber = fibra::spawn(|| {
            let _noisy = Noisy("unwound");
            let _ = caught(fibra::park);
            log("caught");
        });
        fibra::yield_now();
        fiber.kill();
        assert!(fiber.join().unwrap_err().is_killed());
    });
    check("unwound");
}

#[test]
fn raise_prints_nothing_and_needs_no_fiber() {
    let error = catch_unwind(|| raise(1_u8)).unwrap_err();
    assert!(error.is::<u8>());
}
