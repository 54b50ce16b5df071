//! Tests `fibra::exit` where nothing can be unwound: suspended fibers are not reached any more.

#![allow(clippy::disallowed_methods, reason = "a thread borrows from a stack that is left")]

use std::cell::Cell;
use std::time::Duration;

use crate::support::{OnDrop, in_child, name_of, stderr};

/// A thread-local that tries to wake a fiber when its thread destroys it.
struct Reaches(Cell<Option<fibra::Fiber>>);

impl Drop for Reaches {
    fn drop(&mut self) {
        eprintln!("a destructor of a thread-local runs");
        if let Some(fiber) = self.0.take() {
            fibra::run(|| {
                fiber.unpark();
                fibra::yield_now();
            });
        }
    }
}

thread_local! {
    static NAME: OnDrop<fn()> = const { OnDrop(|| eprintln!("NAME is destroyed")) };
    static REACHES: Reaches = const { Reaches(Cell::new(None)) };
}

fn exit_in_an_unwinding_destructor(code: i32) {
    drop(fibra::spawn(move || {
        let _exits = OnDrop(move || fibra::exit(code));
        std::panic::resume_unwind(Box::new("unwinds"));
    }));
    fibra::park();
}

#[test]
fn destructors_of_thread_locals_find_no_fiber_that_was_left() {
    let test = name_of!(destructors_of_thread_locals_find_no_fiber_that_was_left);
    let output = in_child(test, &[], || {
        fibra::run(|| {
            let reached = fibra::spawn(|| {
                NAME.with(|_| {
                    fibra::park();
                    eprintln!("a fiber that was left goes on");
                });
            });
            fibra::yield_now();
            REACHES.with(|reaches| reaches.0.set(Some(reached.fiber().clone())));
            print!("flushed");
            exit_in_an_unwinding_destructor(5);
        });
    });
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    assert!(String::from_utf8_lossy(&output.stdout).ends_with("flushed"));
    assert_eq!(stderr(&output), "");
}

#[test]
fn a_thread_local_that_a_job_borrows_is_not_destroyed() {
    let test = name_of!(a_thread_local_that_a_job_borrows_is_not_destroyed);
    let output = in_child(test, &[], || {
        fibra::run(|| {
            drop(fibra::spawn(|| {
                NAME.with(|name| {
                    let pointer: usize = std::ptr::from_ref(name).addr();
                    fibra::blocking::uninterruptible(move || {
                        std::thread::sleep(Duration::from_millis(100));
                        pointer
                    })
                });
            }));
            fibra::yield_now();
            exit_in_an_unwinding_destructor(6);
        });
    });
    assert_eq!(output.status.code(), Some(6), "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
}

#[test]
fn destructors_of_thread_locals_run_if_all_stacks_were_unwound() {
    let output = in_child(
        name_of!(destructors_of_thread_locals_run_if_all_stacks_were_unwound),
        &[],
        || {
            fibra::run(|| {
                NAME.with(|_| ());
                fibra::spawn(|| fibra::exit(7));
                fibra::park();
            });
        },
    );
    assert_eq!(output.status.code(), Some(7), "{}", stderr(&output));
    // `exit` destroys only the thread-locals of the thread that calls it: here it is the thread of
    // the test, although it does not end.
    assert_eq!(stderr(&output), "NAME is destroyed\n");
}

#[test]
fn std_exit_on_a_thread_that_has_abandoned_a_stack_does_not_hang() {
    let test = name_of!(std_exit_on_a_thread_that_has_abandoned_a_stack_does_not_hang);
    let output = in_child(test, &[], || {
        let thread = std::thread::spawn(|| {
            fibra::run(|| {
                let refuses = fibra::spawn(|| {
                    loop {
                        let _ = std::panic::catch_unwind(fibra::park);
                    }
                });
                fibra::yield_now();
                refuses.kill();
                refuses.join().unwrap_err();
            });
            std::process::exit(8);
        });
        let _ = thread.join();
    });
    assert_eq!(output.status.code(), Some(8), "{}", stderr(&output));
}
