//! The identities of fibers, which stay unambiguous after their fiber has ended.

use std::fmt;

/// The identity of a fiber: unique within the process and never reused.
///
/// Fibers of one `run` are numbered from 1 in the order in which they were spawned; the main fiber
/// is number 1. The same program therefore prints the same ids every time.
///
/// # Examples
///
/// ```
/// fibra::run(|| {
///     let (a, b) = (fibra::spawn(|| ()), fibra::spawn(|| ()));
///     assert_ne!(a.fiber().id(), b.fiber().id());
///     assert_eq!(fibra::current().id().to_string(), "#1"); // the main fiber
/// });
/// ```
#[derive(Copy, Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub struct FiberId {
    /// The number of the scheduler within the process. These numbers are not reused either.
    pub(crate) scheduler: u32,
    pub(crate) number: u64,
}

impl FiberId {
    /// Returns the fiber's number within its `run`: 1 for the main fiber.
    #[must_use]
    pub fn number(self) -> u64 {
        self.number
    }
}

impl fmt::Display for FiberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.number)
    }
}
