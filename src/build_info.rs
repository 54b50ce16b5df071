//! How this copy of the crate was built: for benchmark reports.

/// The first line of `rustc --version`.
pub const RUSTC: &str = env!("FIBRA_RUSTC");

/// The target triple.
pub const TARGET: &str = env!("FIBRA_TARGET");
