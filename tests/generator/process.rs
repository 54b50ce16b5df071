//! Hostile programs in safe code that use generators, most in processes of their own: ends of
//! fibers and of processes, and generators that refuse to end.

use std::cell::{Cell, RefCell};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Output;

use fibra::generator::{self, Generator, Yielder};

use crate::support::limits::{SECOND, check_done, forget_after_first, in_child};
use crate::support::{OnDrop, PanicsOnDrop, name_of, quiet_panic, run_virtually, stderr};

// -- fiber-locals ---------------------------------------------------------------------------------

/// Two locals: one whose destructor sets a mark, and one whose destructor starts a generator
/// that is suspended with a reference to the first.
#[test]
fn a_local_outlives_a_generator_that_the_destructor_of_another_local_starts() {
    struct Marked;
    struct Starts;
    thread_local! {
        static GONE: Cell<bool> = const { Cell::new(false) };
        static SEEN_GONE: Cell<Option<bool>> = const { Cell::new(None) };
    }
    fibra::local! {
        static OLDER: Marked = Marked;
        static YOUNGER: Starts = Starts;
    }
    impl Drop for Marked {
        fn drop(&mut self) {
            GONE.set(true);
        }
    }
    impl Drop for Starts {
        fn drop(&mut self) {
            forget_after_first(|y| {
                OLDER.with(|_borrowed| {
                    // A read through `_borrowed` in place of the mark would read freed memory.
                    let _looks = OnDrop(|| SEEN_GONE.set(Some(GONE.get())));
                    y.yield_(());
                });
            });
        }
    }
    run_virtually(|| {
        fibra::spawn(|| {
            OLDER.with(|_| ());
            YOUNGER.with(|_| ());
        })
        .join()
        .unwrap();
    });
    assert_eq!(SEEN_GONE.get(), Some(false), "the generator's reference to the local dangled");
}

/// The last destructor that a fiber runs starts the fiber's first generator.
#[test]
fn a_generator_started_by_the_last_destructor_of_a_fiber_is_unwound() {
    let test = name_of!(a_generator_started_by_the_last_destructor_of_a_fiber_is_unwound);
    let output = in_child(test, "", || {
        struct Starts;
        fibra::local! { static LATE: Starts = Starts; }
        impl Drop for Starts {
            fn drop(&mut self) {
                forget_after_first(|y| {
                    let _says = OnDrop(|| eprintln!("unwound"));
                    y.yield_(());
                });
            }
        }
        fibra::run(|| {
            // The fiber itself drops the output, which creates the fiber's first local.
            drop(fibra::spawn(|| OnDrop(|| LATE.with(|_| ()))));
            fibra::yield_now();
        });
    });
    assert_eq!(check_done(&output), "unwound\n");
}

/// The same, with a handle that outlives the fiber: it must not become usable in a fiber whose
/// header takes the place of the owner's. (A debug build fails an assertion before that.)
#[test]
fn a_generator_of_an_ended_fiber_is_resumed_by_none_that_takes_its_place() {
    let test = name_of!(a_generator_of_an_ended_fiber_is_resumed_by_none_that_takes_its_place);
    let output = in_child(test, "", || {
        thread_local! {
            static HANDLE: RefCell<Option<Generator<u32>>> = const { RefCell::new(None) };
        }
        struct Starts;
        fibra::local! { static LATE: Starts = Starts; }
        impl Drop for Starts {
            fn drop(&mut self) {
                let mut one = generator::iter(|y| (0..99).for_each(|n| y.yield_(n)));
                one.next();
                HANDLE.with(|handle| *handle.borrow_mut() = Some(one));
            }
        }
        fibra::run(|| {
            drop(fibra::spawn(|| OnDrop(|| LATE.with(|_| ()))));
            fibra::yield_now();
            for _ in 0..10 {
                let resumes = || {
                    HANDLE
                        .with(|handle| handle.borrow_mut().as_mut().unwrap().try_resume(()).is_ok())
                };
                assert!(!fibra::spawn(resumes).join().unwrap(), "a stack outlived its fiber");
            }
        });
        HANDLE.with(RefCell::take);
    });
    check_done(&output);
}

// -- the exit of the process ----------------------------------------------------------------------

struct Name(String);

impl Drop for Name {
    fn drop(&mut self) {
        NAME_IS_GONE.with(|gone| gone.set(true));
    }
}

thread_local! {
    // This has no destructor, so it can be read until the thread ends.
    static NAME_IS_GONE: Cell<bool> = const { Cell::new(false) };
    // They are destroyed last to first: `KEPT` is used first, so it is destroyed after `NAME`.
    static KEPT: RefCell<Option<Generator<()>>> = const { RefCell::new(None) };
    static NAME: Name = Name(String::from("name"));
}

/// Keeps in a thread-local a generator that is suspended with a reference to another thread-local.
fn keep_one_that_borrows_a_thread_local() {
    KEPT.with(|_| ());
    let mut borrows = generator::iter(|y| {
        NAME.with(|name| {
            let _looks = OnDrop(|| {
                // This reads freed memory if the value is gone.
                let gone = NAME_IS_GONE.with(Cell::get);
                eprintln!(
                    "unwound while its thread-local {}",
                    if gone { "is gone" } else { "lives" }
                );
            });
            y.yield_(());
            assert_eq!(name.0, "name");
        });
    });
    borrows.next();
    KEPT.with(|kept| *kept.borrow_mut() = Some(borrows));
}

#[track_caller]
fn check_exit(output: &Output) {
    let text = stderr(output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(!text.contains("is gone"), "{text}");
}

#[test]
fn exit_in_a_frame_resumes_nothing_after_the_thread_locals_are_destroyed() {
    let test = name_of!(exit_in_a_frame_resumes_nothing_after_the_thread_locals_are_destroyed);
    let output = in_child(test, "", || {
        fibra::frame(|| {
            keep_one_that_borrows_a_thread_local();
            fibra::exit(3);
        });
    });
    check_exit(&output);
}

#[test]
fn exit_in_a_run_in_a_frame_resumes_nothing_after_the_thread_locals_are_destroyed() {
    let test =
        name_of!(exit_in_a_run_in_a_frame_resumes_nothing_after_the_thread_locals_are_destroyed);
    let output = in_child(test, "", || {
        fibra::frame(|| {
            keep_one_that_borrows_a_thread_local();
            fibra::run(|| fibra::exit(3));
        });
    });
    check_exit(&output);
}

#[test]
fn exit_in_an_unwind_in_a_run_in_a_frame_resumes_nothing_either() {
    let test = name_of!(exit_in_an_unwind_in_a_run_in_a_frame_resumes_nothing_either);
    let output = in_child(test, "", || {
        fibra::frame(|| {
            keep_one_that_borrows_a_thread_local();
            fibra::run(|| {
                let _exits = OnDrop(|| fibra::exit(3));
                quiet_panic("unwinds");
            });
        });
    });
    check_exit(&output);
}

// -- generators that are abandoned ----------------------------------------------------------------

/// Yields forever, whatever is raised.
fn refuse_to_end(y: &Yielder<()>) {
    loop {
        let _ = catch_unwind(AssertUnwindSafe(|| y.yield_(())));
    }
}

#[test]
fn a_child_of_a_scope_in_an_abandoned_generator_may_fail_after_its_fiber() {
    let test = name_of!(a_child_of_a_scope_in_an_abandoned_generator_may_fail_after_its_fiber);
    let output = in_child(test, "", || {
        run_virtually(|| {
            let owner = fibra::spawn(|| {
                let mut stubborn = generator::iter(|y| {
                    fibra::nursery(|n| {
                        n.spawn(|| {
                            fibra::sleep(SECOND);
                            quiet_panic("fails when its parent is long gone");
                        });
                        refuse_to_end(y);
                    });
                });
                stubborn.next();
            });
            owner.join().unwrap();
            // Their headers take the memory of the owner's header, which has the same size.
            let others: Vec<_> = (0..10).map(|_| fibra::spawn(fibra::park)).collect();
            // Wakes directly after the child, before any fiber that the child has woken.
            fibra::sleep(SECOND);
            for other in &others {
                eprintln!("{:?}", other.fiber());
            }
            others.iter().for_each(|other| other.fiber().unpark());
            others.into_iter().for_each(|other| other.join().unwrap());
        });
    });
    let text = check_done(&output);
    assert_eq!(text.matches("Some(Waiting").count(), 10, "{text}");
}

#[test]
fn a_frame_ends_after_a_generator_was_abandoned_with_another_on_top_of_it() {
    let test = name_of!(a_frame_ends_after_a_generator_was_abandoned_with_another_on_top_of_it);
    let output = in_child(test, "", || {
        let with_one_on_top = || {
            let mut outer = generator::iter(|y| {
                generator::scope(|s| {
                    let mut inner = s.iter(|_: &Yielder<()>| refuse_to_end(y));
                    inner.next();
                });
            });
            outer.next();
        };
        fibra::frame(with_one_on_top);
        fibra::frame(|| assert_eq!(generator::iter(|y| y.yield_(7)).next(), Some(7)));
        fibra::run(|| fibra::spawn(with_one_on_top).join().unwrap());
    });
    check_done(&output);
}

#[test]
fn a_value_whose_destructor_panics_does_not_keep_a_closing_generator_alive() {
    let test = name_of!(a_value_whose_destructor_panics_does_not_keep_a_closing_generator_alive);
    let output = in_child(test, "", || {
        fibra::frame(|| {
            let mut stubborn = generator::iter(|y| {
                loop {
                    let _ =
                        catch_unwind(AssertUnwindSafe(|| y.yield_(PanicsOnDrop("the destructor"))));
                }
            });
            mem::forget(stubborn.next());
        });
    });
    check_done(&output);
}

#[test]
#[cfg(not(sanitized))]
fn destructors_that_start_two_generators_each_are_stopped() {
    struct Starts;
    impl Drop for Starts {
        fn drop(&mut self) {
            for _ in 0..2 {
                let mut next = generator::GeneratorBuilder::new().stack_size(0).build(|y, ()| {
                    let _starts = Starts;
                    y.yield_(());
                });
                let _ = next.try_resume(());
                mem::forget(next);
            }
        }
    }
    let test = name_of!(destructors_that_start_two_generators_each_are_stopped);
    let output = in_child(test, "ulimit -v 4000000;", || {
        fibra::frame(|| {
            forget_after_first(|y| {
                let _starts = Starts;
                y.yield_(());
            });
        });
    });
    check_done(&output);
}
