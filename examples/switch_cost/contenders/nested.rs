//! Futures that are suspended ten `async` calls deep.
//!
//! A stackless task has no stack on which to continue: each wake polls the outermost future, which
//! polls the next one, down to the one that waits. There are two forms, which the compiler treats
//! differently. Plain nesting makes one state machine, which the optimiser may flatten. Boxed
//! nesting, which recursion, `dyn` traits and large programs need, makes one virtual call per
//! level.

use crate::workloads::DEPTH;
use std::pin::Pin;

/// A future on the heap whose type is not known.
pub(crate) type Boxed = Pin<Box<dyn Future<Output = u64> + Send>>;

/// Awaits `bottom` under [`DEPTH`] plain `async fn` calls; each adds one to the answer.
pub(crate) async fn plain(bottom: impl Future<Output = u64>) -> u64 {
    const { assert!(DEPTH == 10, "one call of `level` for each") };
    let five = level(level(level(level(level(bottom)))));
    level(level(level(level(level(five))))).await
}

/// Awaits `bottom` under [`DEPTH`] boxed calls; each adds one to the answer.
pub(crate) fn boxed(bottom: impl Future<Output = u64> + Send + 'static) -> Boxed {
    (0..DEPTH).fold(Box::pin(bottom), |below: Boxed, _| Box::pin(level(below)))
}

async fn level(below: impl Future<Output = u64>) -> u64 {
    below.await + 1
}
