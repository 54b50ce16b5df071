//! Work on all schedulers of a runtime: scopes that borrow, maps over slices and iterators, and two
//! closures at the same time.
//!
//! The functions of this module must be called by a fiber, and use the runtime to which it belongs:
//! see [`Handle`](crate::Handle) and [`RuntimeBuilder::threads`](crate::RuntimeBuilder::threads).
//! Inside a plain [`run`](crate::run) they do all the work on its one scheduler, with the same
//! results.
//!
//! | call | use |
//! |---|---|
//! | [`map`], [`for_each`], [`for_each_mut`] | a computation for each item of a slice |
//! | [`join`] | two computations, recursively |
//! | [`imap`] | a stream of results, in order, a bounded number ahead |
//! | [`scope`] | any number of jobs that borrow from the caller |
//! | [`spawn`] | one job that borrows nothing |
//!
//! # Examples
//!
//! ```
//! use fibra::par;
//!
//! # fn main() -> std::io::Result<()> {
//! fibra::Runtime::builder().all_cores().build()?.run(|| {
//!     let words = ["green", "threads", "on", "all", "cores"];
//!     assert_eq!(par::map(&words, |word| word.len()), [5, 7, 2, 3, 5]);
//!
//!     let (sum, product) =
//!         par::join(|| (1..=10_u64).sum::<u64>(), || (1..=10_u64).product::<u64>());
//!     assert_eq!((sum, product), (55, 3_628_800));
//! });
//! # Ok(())
//! # }
//! ```

mod guard;
mod imap;
mod join;
mod scope;
mod slices;

pub use imap::{Imap, imap, imap_within};
pub use join::join;
pub use scope::{Scope, ScopedHandle, scope};
pub use slices::{for_each, for_each_mut, map};

use std::panic::Location;

use crate::jobs::queueing;
use crate::jobs::remote_handle::RemoteHandle;
use crate::sched::api::spawn::Builder;

/// Spawns `f` as a job of the runtime to which the current fiber belongs. Does the same as
/// [`Handle::current().spawn(f)`](crate::Handle::spawn), without making a handle.
///
/// # Panics
///
/// Panics outside of a fiber.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// fibra::Runtime::builder().threads(2).build()?.run(|| {
///     let job = fibra::par::spawn(|| 6 * 7);
///     assert_eq!(job.join(), Ok(42));
/// });
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn spawn<F, T>(f: F) -> RemoteHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    queueing::spawn_here(queueing::settings(Builder::new(), Location::caller()), f)
}
