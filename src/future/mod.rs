//! Futures on fibers, and fibers as futures: the bridge to libraries that are written for `async`.
//!
//! [`block_on`] is what a fiber does with a future: it waits until that is ready, and its thread runs other
//! fibers. There is no executor beside it, for a fiber is a task already: `spawn(|| block_on(future))`.
//! The other way round, [`spawn`] runs a closure in a fiber and is a future of what it returns, so an
//! `async` function can call code that blocks. [`sleep`] and [`sleep_until`] are futures of time.
//!
//! Futures that wait for a runtime of their own (tokio's sockets and timers) do not work here without it.
//! What works is all that is content with a waker: channels, locks, `hyper`, streams.
//!
//! # Blocking inside of a future
//!
//! A future that is polled by a fiber may call whatever a fiber may: sleep, lock, read a socket. Then
//! the fiber waits in the middle of `poll`. That is right for the only future of a fiber, and wrong for one of
//! several that are polled in turn (`join!`, `select!`, hyper's connections): the others stand
//! still meanwhile. [`spawn`] is for these.

mod block_on;
mod fiber;
mod sleep;

pub use block_on::block_on;
#[cfg(feature = "http")]
pub(crate) use block_on::try_block_on;
pub use fiber::{FiberFuture, spawn, spawn_now};
pub use sleep::{Sleep, sleep, sleep_until};
