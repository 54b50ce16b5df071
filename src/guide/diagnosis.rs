//! Diagnosis: what a program that leaks, hangs or fails says about itself, with the output of
//! example programs.
//!
#![doc = include_str!("diagnosis/leak.md")]
//!
#![doc = include_str!("diagnosis/unjoined_panic.md")]
