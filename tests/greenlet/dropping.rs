//! Last handles that are dropped while the fiber unwinds, and errors raised in a drop.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use fibra::frame;
use fibra::greenlet::{self, Greenlet};

use crate::support::greenlet::{KeyError, key_error, raise, raised};
use crate::support::{DONE_LINE, Noisy, OnDrop, check, in_child, log, name_of, stderr};

type Number = Greenlet<i64>;

fn main() -> Number {
    greenlet::main()
}

fn back(n: i64) -> i64 {
    main().switch(n).unwrap()
}

/// Returns a suspended greenlet that catches its first exit and then switches to main.
fn leaves_for_main() -> Number {
    let g = Greenlet::new(|_: i64| {
        let _noisy = Noisy("victim");
        drop(raised(|| back(0)));
        log("leaves");
        back(7)
    });
    g.switch(0).unwrap();
    g
}

#[test]
fn a_handle_dropped_while_a_greenlet_unwinds_does_not_leave_it_in_the_destructor() {
    frame(|| {
        let victim = leaves_for_main();
        let dropper = Greenlet::new(move |_: i64| {
            let _victim = victim;
            raise(KeyError("e"))
        });
        log(key_error(|| dropper.switch(0)));
        assert!(!thread::panicking());
        assert!(dropper.is_dead());
        log("next");
        drop(greenlet::current::<i64>());
        log("after");
    });
    assert!(!thread::panicking());
    // Main kills it when the error arrives there, before main unwinds, and not in the destructor.
    check("leaves victim e next after");
    // The thread can still run greenlets.
    frame(|| assert_eq!(Greenlet::new(|n: i64| n + 1).switch(1).unwrap(), 2));
}

#[test]
fn a_greenlet_whose_handle_is_dropped_while_main_unwinds_is_killed_immediately() {
    frame(|| {
        let victim = leaves_for_main();
        let error = key_error(|| {
            let _victim = victim;
            raise(KeyError("e"))
        });
        log(error);
        assert!(!thread::panicking());
    });
    // It switched away again during the unwind, so it is killed when the unwind is over.
    check("leaves e victim");
}

#[test]
fn what_is_raised_in_a_dropper_is_reported_and_the_drop_returns() {
    let output = in_child(
        name_of!(what_is_raised_in_a_dropper_is_reported_and_the_drop_returns),
        &[],
        || {
            frame(|| {
                let victim = Greenlet::new(|_: i64| {
                    drop(raised(|| back(0)));
                    drop(main().throw("thrown at the dropper"));
                    0
                });
                victim.switch(0).unwrap();
                assert!(catch_unwind(AssertUnwindSafe(|| drop(victim))).is_ok());
                assert_eq!(Greenlet::new(|n: i64| n + 1).switch(1).unwrap(), 2);
            });
        },
    );
    assert_eq!(
        stderr(&output),
        format!(
            "fibra: the last handle of a greenlet was being dropped, when something was raised \
             there: thrown at the dropper\n{DONE_LINE}"
        )
    );
}

#[test]
fn a_greenlet_that_drops_another_is_not_unwound_by_what_that_throws_at_it() {
    frame(|| {
        let dropper = Greenlet::new(|_: i64| {
            let me = greenlet::current::<i64>();
            let victim = Greenlet::new(move |_: i64| {
                drop(raised(|| back(0)));
                drop(me.throw(KeyError("e")));
                0
            });
            // Main, to which the victim switches, makes this switch return.
            assert_eq!(victim.switch(0).unwrap(), 1);
            drop(victim);
            log("goes on");
            5
        });
        assert_eq!(dropper.switch(0).unwrap(), 0);
        assert_eq!(dropper.switch(1).unwrap(), 5);
    });
    check("goes on");
}

#[test]
fn many_that_are_dropped_in_an_unwind_are_all_unwound_when_it_is_over() {
    frame(|| {
        let unwound = std::rc::Rc::new(std::cell::Cell::new(0));
        let count = unwound.clone();
        let dropper = Greenlet::new(move |_: i64| {
            let victim = || {
                let count = count.clone();
                let g = Greenlet::new(move |n: i64| {
                    let _guard = OnDrop(|| count.set(count.get() + 1));
                    back(n)
                });
                assert_eq!(g.switch(-1).unwrap(), -1);
                g
            };
            // Main makes each of these switches return.
            let _victims: Vec<Number> = (0..2_000).map(|_| victim()).collect();
            raise(KeyError("e"))
        });
        let mut came = dropper.switch(0);
        while let Ok(n) = came {
            assert_eq!(n, -1);
            came = match catch_unwind(AssertUnwindSafe(|| dropper.switch(n))) {
                Ok(came) => came,
                Err(payload) => {
                    assert!(payload.is::<KeyError>());
                    break;
                }
            };
        }
        assert_eq!(unwound.get(), 2_000);
    });
}
