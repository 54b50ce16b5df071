//! Tests `exit`: the process ends with the given code, after every fiber was unwound.

use std::process::Output;

use crate::support::{DONE_LINE, OnDrop, go, in_child, name_of, stderr};

/// Returns a value that reports its drop on standard error: the trace does not outlive the process.
fn speaks(text: &'static str) -> OnDrop<impl FnMut()> {
    OnDrop(move || eprintln!("dropped: {text}"))
}

#[track_caller]
fn check_exit(output: &Output, code: i32, dropped: &[&str]) {
    let text = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    let found: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("dropped: ")).collect();
    assert_eq!(found, dropped, "{text}");
    assert!(!text.contains(DONE_LINE.trim_end()), "{text}");
}

#[test]
fn from_main_it_unwinds_main_and_then_the_others() {
    let test = name_of!(from_main_it_unwinds_main_and_then_the_others);
    let output = in_child(test, &[], || {
        fibra::run(|| {
            go(|| {
                let _speaks = speaks("other");
                fibra::park();
            });
            fibra::yield_now();
            let _speaks = speaks("main");
            fibra::exit(3);
        });
    });
    check_exit(&output, 3, &["main", "other"]);
}

#[test]
fn from_a_fiber_it_unwinds_that_fiber_and_all_others() {
    let test = name_of!(from_a_fiber_it_unwinds_that_fiber_and_all_others);
    let output = in_child(test, &[], || {
        fibra::run(|| {
            let _main = speaks("main");
            go(|| {
                let _speaks = speaks("parked");
                fibra::park();
            });
            go(|| {
                let _speaks = speaks("exiting");
                fibra::exit(4);
            });
            fibra::park();
        });
    });
    check_exit(&output, 4, &["exiting", "main", "parked"]);
}

#[test]
fn from_a_fiber_that_main_joins() {
    let test = name_of!(from_a_fiber_that_main_joins);
    let output = in_child(test, &[], || {
        fibra::run(|| {
            let child = fibra::spawn(|| fibra::exit(5));
            let _main = speaks("main");
            // The join is complete, so main is not unwound here but at its next wait.
            let _ = child.join().map(|_: ()| ());
            let _joined = speaks("joined");
            fibra::yield_now();
            eprintln!("dropped: unreachable");
        });
    });
    check_exit(&output, 5, &["joined", "main"]);
}

#[test]
fn from_a_child_of_a_scope_with_borrows() {
    let test = name_of!(from_a_child_of_a_scope_with_borrows);
    let output = in_child(test, &[], || {
        fibra::run(|| {
            let _main = speaks("main");
            let text = String::from("borrowed");
            fibra::scope(|s| {
                s.spawn(|| {
                    let _speaks = OnDrop(|| eprintln!("dropped: sibling of {text}"));
                    fibra::park();
                });
                s.spawn(|| fibra::exit(6));
            });
        });
    });
    check_exit(&output, 6, &["sibling of borrowed", "main"]);
}

/// Until a destructor returns, its fiber continues to unwind, and no other fiber can begin to.
#[test]
fn from_a_destructor_of_an_unwinding_fiber_it_exits_immediately() {
    let test = name_of!(from_a_destructor_of_an_unwinding_fiber_it_exits_immediately);
    let output = in_child(test, &[], || {
        fibra::run(|| {
            let _main = speaks("main");
            let child = fibra::spawn(|| {
                let _exits = OnDrop(|| fibra::exit(7));
                fibra::park();
            });
            fibra::yield_now();
            child.kill();
            fibra::park();
        });
    });
    check_exit(&output, 7, &[]);
}

#[test]
fn from_a_destructor_of_main_while_it_panics_it_exits_immediately() {
    let test = name_of!(from_a_destructor_of_main_while_it_panics_it_exits_immediately);
    let output = in_child(test, &[], || {
        fibra::run(|| {
            go(|| {
                loop {
                    fibra::yield_now();
                }
            });
            let _exits = OnDrop(|| fibra::exit(8));
            panic!("main fails");
        });
    });
    check_exit(&output, 8, &[]);
}

#[test]
fn from_a_destructor_that_runs_in_peace_it_unwinds_everything() {
    let test = name_of!(from_a_destructor_that_runs_in_peace_it_unwinds_everything);
    let output = in_child(test, &[], || {
        fibra::run(|| {
            let _main = speaks("main");
            go(|| {
                let _rest = speaks("rest of the fiber");
                drop(OnDrop(|| fibra::exit(12)));
            });
            fibra::park();
        });
    });
    check_exit(&output, 12, &["rest of the fiber", "main"]);
}

#[test]
fn from_inside_a_shield_it_unwinds_all_the_same() {
    let test = name_of!(from_inside_a_shield_it_unwinds_all_the_same);
    let output = in_child(test, &[], || {
        fibra::run(|| {
            let _main = speaks("main");
            go(|| {
                let _speaks = speaks("shielded");
                fibra::shield(|| fibra::exit(9));
            });
            fibra::shield(fibra::yield_now);
            fibra::shield(|| fibra::exit(13));
        });
    });
    check_exit(&output, 13, &["shielded", "main"]);
}

#[test]
fn a_destructor_that_waits_is_waited_for() {
    let test = name_of!(a_destructor_that_waits_is_waited_for);
    let output = in_child(test, &[], || {
        crate::support::run_virtually(|| {
            go(|| {
                let _slow = OnDrop(|| {
                    fibra::sleep(crate::support::ms(10));
                    eprintln!("dropped: slow");
                });
                fibra::park();
            });
            fibra::yield_now();
            fibra::exit(10);
        });
    });
    check_exit(&output, 10, &["slow"]);
}

#[test]
fn outside_of_run_it_exits_immediately() {
    let test = name_of!(outside_of_run_it_exits_immediately);
    let output = in_child(test, &[], || {
        let _never = speaks("unreachable");
        fibra::exit(11);
    });
    check_exit(&output, 11, &[]);
}

#[test]
fn zero_is_a_code_like_any_other() {
    let test = name_of!(zero_is_a_code_like_any_other);
    let output = in_child(test, &[], || {
        fibra::run(|| {
            let _main = speaks("main");
            fibra::exit(0);
        });
    });
    check_exit(&output, 0, &["main"]);
}
