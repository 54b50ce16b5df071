//! Diagnosis: what a program that leaks, hangs or fails says about itself, with the output of
//! example programs.
//!
//! | page | the program |
//! |---|---|
//! | [`leak`] | has more and more fibers |
//! | [`unjoined_panic`] | has lost a fiber to a panic |

pub mod leak;
pub mod unjoined_panic;
