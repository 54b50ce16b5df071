//! Futures on fibers, and fibers as futures: the bridge to libraries that are written for `async`.
//!
//! With [`block_on`], a fiber waits until a future is ready, while its thread runs other fibers.
//! There is no separate executor, because a fiber is a task already: `spawn(|| block_on(future))`.
//! In the other direction, [`spawn`] runs a closure in a fiber and returns a future of its result,
//! so an `async` function can call code that blocks. [`sleep`] and [`sleep_until`] are futures that
//! become ready at a time.
//!
//! Futures that need only a waker work everywhere: channels, locks, `hyper`, streams. Futures that
//! need a runtime of tokio (its sockets and timers, and crates that use them) work in a runtime
//! that has one: see `RuntimeBuilder::tokio`, with the feature `tokio`. In the other direction, a
//! program that runs in tokio can run fibers as one future there: see `fibra::guest`.
//!
//! # Several at once
//!
//! | for | futures and handles, as a future | handles or closures, in a fiber |
//! |---|---|---|
//! | all | [`join!`](crate::future::join), [`join_all`] | [`pool::join_all`](crate::pool::join_all), [`try_join_all`](crate::pool::try_join_all), [`scope`](crate::scope) |
//! | the first | [`race!`](macro@crate::future::race), [`race`](fn@race) | [`pool::race`](crate::pool::race), which ends the losers |
//! | the first of anything | an arm `future(..)` of [`select!`](crate::select!) | the other arms of `select!` |
//!
//! A [`JoinHandle`](crate::JoinHandle) is turned into a future by `await` and by all of these.
//! Locks and channels that tasks of other executors share with fibers are in
//! [`sync`](crate::sync::futures).
//!
//! # Blocking inside a future
//!
//! A future that is polled by a fiber may call everything that a fiber may: sleep, lock, read a
//! socket. Then the fiber waits in the middle of `poll`. That is right if the future is the only
//! one of its fiber, and wrong if it is one of several that are polled in turn (`join!`, `select!`,
//! hyper's connections), because the others make no progress meanwhile. Use [`spawn`] for these.

pub(crate) mod block_on;
mod fiber;
#[cfg(feature = "stream")]
mod iter;
mod join_handle;
mod macros;
mod sleep;
mod together;
pub(crate) mod woken;

pub use block_on::block_on;
#[cfg(feature = "http")]
pub(crate) use block_on::try_block_on;
pub use fiber::{FiberFuture, spawn, spawn_now};
#[cfg(feature = "stream")]
#[cfg_attr(docsrs, doc(cfg(feature = "stream")))]
pub use iter::{Iter, iter};
pub use join_handle::{JoinFuture, ScopedJoinFuture};
pub use macros::{join, race};
pub use sleep::{Sleep, sleep, sleep_until};
pub use together::{JoinAll, MaybeDone, Race, join_all, race};
