//! The compiler and the target that this crate was built with, for benchmark reports.

/// The first line of `rustc --version`.
pub const RUSTC: &str = env!("FIBRA_RUSTC");

/// The target triple.
pub const TARGET: &str = env!("FIBRA_TARGET");
