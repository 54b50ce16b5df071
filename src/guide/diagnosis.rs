//! Diagnosis: what a program that leaks, hangs or fails says about itself, with the output of
//! example programs.
//!
//! | page | the program |
//! |---|---|
#![cfg_attr(
    feature = "diagnostics",
    doc = "| [`hang`] | hangs, and no processor is busy |\n| [`hog`] | has a fiber that holds its thread, so that no other fiber runs |"
)]
//! | [`leak`] | has more and more fibers |
//! | [`unjoined_panic`] | has lost a fiber to a panic |
#![cfg_attr(
    all(feature = "diagnostics", feature = "net"),
    doc = "| [`from_outside`] | hangs, and other programs look at it |"
)]

#[cfg(all(feature = "diagnostics", feature = "net"))]
pub mod from_outside;
#[cfg(feature = "diagnostics")]
pub mod hang;
#[cfg(feature = "diagnostics")]
pub mod hog;
pub mod leak;
pub mod unjoined_panic;
