//! Generators that are used, left and dropped while something unwinds: no process may abort, and
//! every destructor that can run must run.

use std::panic::{AssertUnwindSafe, catch_unwind};

use fibra::generator::{self};

use crate::support::limits::{SECOND, check_done, forget_after_first, in_child};
use crate::support::{OnDrop, caught, name_of, quiet_panic, run_virtually};

// -- generators while something unwinds -----------------------------------------------------------

/// Returns the length of the first word, and leaves the generator suspended. That does nothing
/// to a program, unless the generator is suspended inside of a destructor.
fn first_word(words: &[String]) -> usize {
    generator::scope(|s| s.iter(|y| words.iter().for_each(|word| y.yield_(word.len()))).next())
        .unwrap_or(0)
}

#[test]
fn a_destructor_may_use_a_borrowing_generator_while_its_thread_unwinds() {
    let test = name_of!(a_destructor_may_use_a_borrowing_generator_while_its_thread_unwinds);
    let output = in_child(test, "", || {
        let words = [String::from("a"), String::from("b")];
        fibra::frame(|| {
            assert!(caught(|| {
                let _uses = OnDrop(|| eprintln!("{}", first_word(&words)));
                quiet_panic("unwinds");
            }));
        });
    });
    assert_eq!(check_done(&output), "1\n");
}

#[test]
fn a_borrowing_generator_may_be_dropped_while_another_fiber_waits_in_a_destructor() {
    let test =
        name_of!(a_borrowing_generator_may_be_dropped_while_another_fiber_waits_in_a_destructor);
    let output = in_child(test, "", || {
        run_virtually(|| {
            let unwinds = fibra::spawn(|| {
                let _waits = OnDrop(|| fibra::sleep(SECOND));
                quiet_panic("unwinds");
            });
            fibra::yield_now();
            eprintln!("{}", first_word(&[String::from("a"), String::from("b")]));
            unwinds.join().unwrap_err();
        });
    });
    assert_eq!(check_done(&output), "1\n");
}

#[test]
fn a_generator_that_is_dropped_while_another_fiber_waits_in_a_destructor_is_unwound() {
    let test =
        name_of!(a_generator_that_is_dropped_while_another_fiber_waits_in_a_destructor_is_unwound);
    let output = in_child(test, "", || {
        run_virtually(|| {
            let unwinds = fibra::spawn(|| {
                let _waits = OnDrop(|| fibra::sleep(SECOND));
                quiet_panic("unwinds");
            });
            fibra::yield_now();
            let mut innocent = generator::iter(|y| {
                let _says = OnDrop(|| eprintln!("unwound"));
                y.yield_(());
            });
            innocent.next();
            drop(innocent);
            unwinds.join().unwrap_err();
        });
    });
    assert_eq!(check_done(&output), "unwound\n");
}

#[test]
fn a_borrowing_generator_that_catches_once_may_be_dropped_by_an_unwind() {
    let test = name_of!(a_borrowing_generator_that_catches_once_may_be_dropped_by_an_unwind);
    let output = in_child(test, "", || {
        let text = String::from("clean-up");
        fibra::frame(|| {
            assert!(caught(|| {
                generator::scope(|s| {
                    let mut tidy = s.iter(|y| {
                        let _ = catch_unwind(AssertUnwindSafe(|| y.yield_(())));
                        eprintln!("{text}");
                        y.yield_(()); // the second `GeneratorExit` ends the generator
                    });
                    tidy.next();
                    quiet_panic("unwinds");
                });
            }));
        });
    });
    assert_eq!(check_done(&output), "clean-up\n");
}

#[test]
fn a_frame_that_unwinds_unwinds_generators_as_one_that_returns() {
    let test = name_of!(a_frame_that_unwinds_unwinds_generators_as_one_that_returns);
    let output = in_child(test, "", || {
        let frame = |panics: bool| {
            fibra::frame(|| {
                forget_after_first(|y| {
                    let _says = OnDrop(|| eprintln!("unwound"));
                    let _ = catch_unwind(AssertUnwindSafe(|| y.yield_(())));
                    y.yield_(());
                });
                if panics {
                    quiet_panic("unwinds");
                }
            });
        };
        frame(false);
        assert!(caught(|| frame(true)));
    });
    assert_eq!(check_done(&output), "unwound\nunwound\n");
}

fn leave_one_whose_destructor_yields_to_the_one_around_it() {
    forget_after_first(|y| {
        generator::scope(|s| {
            let mut inner = s.iter(|inner_y| {
                let _yields = OnDrop(|| y.yield_(1));
                inner_y.yield_(());
            });
            inner.next();
            y.yield_(2);
        });
    });
}

#[test]
fn a_destructor_that_yields_to_the_generator_around_its_own_is_safe_at_the_end_of_a_frame() {
    let test = name_of!(
        a_destructor_that_yields_to_the_generator_around_its_own_is_safe_at_the_end_of_a_frame
    );
    let output = in_child(test, "", || {
        fibra::frame(leave_one_whose_destructor_yields_to_the_one_around_it);
    });
    check_done(&output);
}

#[test]
fn a_destructor_that_yields_to_the_generator_around_its_own_is_safe_at_the_end_of_a_fiber() {
    let test = name_of!(
        a_destructor_that_yields_to_the_generator_around_its_own_is_safe_at_the_end_of_a_fiber
    );
    let output = in_child(test, "", || {
        fibra::run(|| {
            fibra::spawn(leave_one_whose_destructor_yields_to_the_one_around_it).join().unwrap();
        });
    });
    check_done(&output);
}

#[test]
fn a_generator_whose_destructor_yields_may_be_dropped_by_an_unwind() {
    let test = name_of!(a_generator_whose_destructor_yields_may_be_dropped_by_an_unwind);
    let output = in_child(test, "", || {
        fibra::frame(|| {
            assert!(caught(|| {
                let mut yields = generator::iter(|y| {
                    let _yields = OnDrop(|| y.yield_(()));
                    y.yield_(());
                });
                yields.next();
                quiet_panic("unwinds");
            }));
        });
    });
    check_done(&output);
}

#[test]
fn a_generator_whose_unwinding_is_put_off_is_not_abandoned_when_the_next_starts() {
    let test =
        name_of!(a_generator_whose_unwinding_is_put_off_is_not_abandoned_when_the_next_starts);
    let output = in_child(test, "", || {
        run_virtually(|| {
            drop(fibra::spawn(|| {
                let _waits = OnDrop(|| fibra::sleep(SECOND));
                quiet_panic("unwinds");
            }));
            let mut innocent = generator::iter(|y| {
                let _says = OnDrop(|| eprintln!("unwound"));
                fibra::yield_now(); // the other fiber begins to unwind
                y.yield_(());
            });
            innocent.next();
            drop(innocent);
            assert_eq!(generator::iter(|y| y.yield_(7)).count(), 1); // starts a generator
            fibra::sleep(2 * SECOND);
        });
    });
    let text = check_done(&output);
    assert!(text.contains("unwound\n"), "{text}");
}

/// Only its switches show that a generator unwinds. The note that it yielded in a destructor must
/// not outlive that unwind, or the next unwind that drops it leaves it suspended.
#[test]
fn a_generator_that_once_yielded_in_a_destructor_is_unwound_by_the_next_panic() {
    let test = name_of!(a_generator_that_once_yielded_in_a_destructor_is_unwound_by_the_next_panic);
    let output = in_child(test, "", || {
        fibra::frame(|| {
            let mut recovered = generator::iter(|y| {
                let _says = OnDrop(|| eprintln!("unwound"));
                assert!(caught(|| {
                    let _yields = OnDrop(|| y.yield_(1));
                    quiet_panic("is over at the second yield");
                }));
                y.yield_(2);
                y.yield_(3);
            });
            assert_eq!([recovered.next(), recovered.next()], [Some(1), Some(2)]);
            assert!(!std::thread::panicking());
            assert!(caught(|| {
                let _says = OnDrop(|| eprintln!("the panic goes on"));
                let _dropped = recovered;
                quiet_panic("unwinds");
            }));
        });
    });
    assert_eq!(check_done(&output), "unwound\nthe panic goes on\n");
}
