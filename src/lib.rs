#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
// `rust-version` holds for this crate; Cargo.toml allows its tests more.
#![warn(clippy::incompatible_msrv)]

pub mod blocking;
#[doc(hidden)]
pub mod build_info;
pub mod cancellation;
pub mod channel;
#[cfg(feature = "net")]
pub mod coming_from_gevent;
pub mod fs;
pub mod future;
pub mod generator;
#[cfg(feature = "greenlet")]
pub mod greenlet;
#[cfg(feature = "hyper")]
pub mod hyper;
#[cfg(feature = "net")]
pub mod io;
#[cfg(feature = "net")]
pub mod net;
pub mod pool;
#[cfg(feature = "net")]
pub mod process;
pub mod runtime;
pub mod select;
#[cfg(feature = "net")]
pub mod server;
#[cfg(feature = "net")]
pub mod signal;
pub mod stackless;
pub mod sync;
pub mod testing;
pub mod time;
#[cfg(feature = "tls")]
pub mod tls;

mod collections;
mod fiber;
mod offload;
#[cfg(feature = "net")]
mod program;
#[cfg(feature = "net")]
mod reactor;
mod sched;
mod stack;

pub use fiber::exit::JoinError;
pub use fiber::id::FiberId;
pub use fiber::locals::FiberLocal;
pub use fiber::panic::Panic;
pub use fiber::snapshot::{Activity, Deadlock, Dump, FiberSnapshot};
pub use offload::blocking;
#[cfg(feature = "net")]
pub use program::main;
pub use runtime::{Runtime, frame, run};
pub use sched::dump::{Stats, dump, stats};
pub use sched::handle::{Fiber, current, in_fiber};
pub use sched::join::JoinHandle;
pub use sched::park::{now, park, park_timeout, sleep, sleep_until, yield_now};
pub use sched::remote::Unparker;
pub use sched::run::{Cancelled, exit};
pub use sched::scope::{Scope, ScopedJoinHandle, nursery, scope};
pub use sched::shield::{checkpoint, finally, shield, shield_for};
pub use sched::spawn::{Builder, spawn, spawn_now};
pub use sched::with_stack::with_stack_size;
