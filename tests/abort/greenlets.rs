//! Tests greenlets in a build with `panic = "abort"`: nothing can be raised, and nothing aborts.
//!
//! Such a build is a separate program: a crate in a temporary folder that depends on this one.

use crate::support::abort::run_aborting;

const PROGRAM: &str = include_str!("greenlets/program.rs");

#[test]
fn greenlets_that_cannot_unwind_degrade_as_documented() {
    let output = run_aborting("greenlet-abort", PROGRAM, &["greenlet"], &[]);
    let text = crate::support::stderr(&output);
    assert!(output.status.success(), "{text}");
    let expected = "\
        > kill: it got the exit as an error, and returned -1\n\
        > throw: \"at oneself\"\n\
        > unstarted: Err(Exit(GreenletExit { message: None }))\n\
        > an unstarted one drops its closure\n\
        fibra: a greenlet is suspended where nothing can be raised: its stack is kept\n\
        > one was dropped\n\
        fibra: a greenlet is suspended where nothing can be raised: its stack is kept\n\
        > the frame has ended\n\
        fibra: a greenlet is suspended where nothing can be raised: its stack is kept\n\
        > run has ended\n";
    assert_eq!(text, expected);
}
