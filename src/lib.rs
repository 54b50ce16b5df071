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
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "net")]
pub mod io;
#[cfg(feature = "net")]
pub mod net;
pub mod pool;
#[cfg(feature = "net")]
pub mod process;
pub mod select;
#[cfg(feature = "net")]
pub mod server;
#[cfg(feature = "net")]
pub mod signal;
pub mod stability;
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
mod runtime;
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
pub use runtime::{Runtime, RuntimeBuilder, frame, run};
pub use sched::api::handle::{Fiber, current, in_fiber};
pub use sched::api::join::JoinHandle;
pub use sched::api::run::{Killed, exit};
pub use sched::api::scope::{Scope, ScopedJoinHandle, nursery, scope};
pub use sched::api::shield::{checkpoint, finally, shield, shield_for};
pub use sched::api::spawn::{Builder, spawn, spawn_now};
pub use sched::api::with_stack::with_stack_size;
pub use sched::core::park::{
    now, park, park_deadline, park_timeout, sleep, sleep_until, yield_now,
};
pub use sched::deadlock::dump::{Stats, dump, stats};
pub use sched::threads::remote::Unparker;
