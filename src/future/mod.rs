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
//! # Blocking inside a future
//!
//! A future that is polled by a fiber may call everything that a fiber may: sleep, lock, read a
//! socket. Then the fiber waits in the middle of `poll`. That is right if the future is the only
//! one of its fiber, and wrong if it is one of several that are polled in turn (`join!`, `select!`,
//! hyper's connections), because the others make no progress meanwhile. Use [`spawn`] for these.

pub(crate) mod block_on;
mod fiber;
mod sleep;

pub use block_on::block_on;
#[cfg(feature = "http")]
pub(crate) use block_on::try_block_on;
pub use fiber::{FiberFuture, spawn, spawn_now};
pub use sleep::{Sleep, sleep, sleep_until};
