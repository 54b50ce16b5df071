//! Values in cache lines of their own.

#![forbid(unsafe_code)]

use std::ops::Deref;

/// A value that is in cache lines of its own, because it is written often, or its neighbours are,
/// by other threads. (Some processors fetch two lines of 64 bytes together.)
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Apart<T>(pub(crate) T);

impl<T> Deref for Apart<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.0
    }
}
