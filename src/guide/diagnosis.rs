//! Diagnosis: what a program that leaks, hangs or fails says about itself, with the output of
//! example programs.
//!
//! | page | the program |
//! |---|---|
//! | [`leak`] | has more and more fibers |
//! | [`hog`] | has a fiber that holds its thread, so that no other fiber runs |
//! | [`unjoined_panic`] | has lost a fiber to a panic |
//! | [`from_outside`] | hangs, and other programs look at it |

pub mod from_outside;
pub mod hog;
pub mod leak;
pub mod unjoined_panic;
