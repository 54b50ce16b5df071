//! Diagnosis: what a program that leaks, hangs or fails says about itself, with the output of
//! example programs.
//!
//! | page | the program |
//! |---|---|
//! | [`hog`] | has a fiber that holds its thread, so that no other fiber runs |

pub mod hog;
