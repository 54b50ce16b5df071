//! Locks and what else fibers and threads wait for together.
//!
//! | type | one waits until |
//! |---|---|
//! | [`Mutex`], [`ReentrantMutex`] | it is the only one with the data |
//! | [`RwLock`] | nobody writes, or nobody reads |
//! | [`Condvar`] | what a mutex protects has changed |
//! | [`Semaphore`] | so many permits are free |
//! | [`Event`] | somebody has set it |
//! | [`Barrier`] | so many have come |
//! | [`WaitGroup`] | all workers are done |
//! | [`Once`], [`OnceCell`], [`LazyLock`] | something was done once |
//! | [`promise()`], [`oneshot()`], [`mpmc`] | a value is there |
//!
//! All of them are `Send` and `Sync`, and most have a `const fn new` and can be statics. Fibers of
//! every scheduler and plain threads wait in one line; a fiber that waits lets the others of its thread
//! run. Within one thread [`fibra::channel`](crate::channel) costs less.
//!
//! `x` waits, `try_x` never waits, `x_timeout` waits for a [`Duration`](std::time::Duration),
//! `x_deadline` until an [`Instant`](std::time::Instant) by the clock of the caller: its scheduler's,
//! or on a plain thread the system's. What is free costs one compare-and-swap. Each call of `x` is an
//! operation of its fiber: after many of them in one turn it lets other fibers run, before it takes
//! anything. That, and a wait, is a kill point. `try_x` and the use of a [`LazyLock`] that is made never
//! let others run.
//!
//! # Order
//!
//! First come, first served. A release hands the lock to the first in line, whose it is from then on;
//! the releaser goes on, and the other runs in its turn. Nobody who comes later barges in, and no line
//! is passed for ever. So a program without other threads takes the same course every time. The price
//! is that of fairness: threads that fight for one lock wake each other for each hand-over.
//!
//! # Kills and deadlines
//!
//! A fiber that is killed, or whose deadline passes, while it waits leaves the line at once, and those
//! whom it kept waiting get their turn. One to whom the lock was handed before that has it: its wait
//! returns, and the kill is met at the next one, where the unwind drops the guard. Destructors may wait
//! for locks, also while their fiber unwinds. Under `panic = "abort"`, where nothing can unwind, waits
//! with a deadline return [`TimeoutError::Killed`], and the others wait on.
//!
//! # Deadlock
//!
//! Mutexes, read-write locks and `Once`s record which fiber has taken them. A wait for one that can never
//! end panics with a report that names the owners and the circle, instead of a hang:
//!
//! - at once, when no fiber of the thread can run and nothing else can wake one;
//! - otherwise after about 20 ms of real time (on a virtual clock before it jumps), if those that hold the
//!   locks wait for each other, also in several threads, or if the `run` in which the lock was taken is
//!   over. Of the waits in a circle one fails, and the others go on.
//!
//! A wait with a time limit ends by itself, and is in no circle. Plain threads that wait are in none either.
//! A guard may be given to another fiber of its thread. The lock still counts as held by the fiber that took
//! it, and by the `run` of that, unless [`MutexGuard::hand_on`] says that the guard was given away.
//!
//! ```
//! use fibra::sync::Mutex;
//!
//! fibra::run(|| {
//!     let mutex = Mutex::new(());
//!     let _guard = mutex.lock();
//!     let again = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(mutex.lock())));
//!     let report = *again.unwrap_err().downcast::<String>().unwrap();
//!     assert!(report.contains("is locking a mutex held by fiber 'main' (#1)"));
//! });
//! ```
//!
//! Whoever can reach an event, a semaphore, a barrier, a condition variable, a wait group or the other
//! end of a channel may end a wait there, and no type says on which threads those are. So a fiber that
//! waits there is never taken for dead. [`fibra::dump`](crate::dump()) shows it.
//!
//! # No poisoning
//!
//! `lock()` returns the guard itself. std marks a mutex as poisoned when a thread panics with a guard,
//! so that others do not see half of a change by accident. Here a fiber is unwound for many reasons: a
//! kill, a deadline, the failure of a sibling. Each of them would poison what it holds, and all who
//! share it would have to tell those from a defect. Nor could they: `std::thread::panicking` is one flag
//! for all fibers of a thread, so a guard cannot know whether its own fiber unwinds.
//!
//! What a panic leaves: the lock is released, and the data is as it was at that moment. Change what
//! belongs together without a wait in between, or on a copy that is swapped in at the end; or shield
//! the change from kills with [`shield`](crate::shield). A [`Once`] whose closure panics was not done,
//! and the next caller does it.
//!
//! # Differences from std
//!
//! | std | here |
//! |---|---|
//! | `lock()` returns a `LockResult` | the guard; the same for [`RwLock`], [`Condvar`] and `into_inner` |
//! | `try_lock()` returns a `TryLockResult` | an `Option` |
//! | no order | first come, first served |
//! | a mutex that its owner locks again may hang | panics: on a plain thread at once, in fibers as part of a deadlock |
//! | a `Once` and a `LazyLock` are poisoned by a panic | a `Once` is open again; a `LazyLock` has used up its closure, and panics |
//! | a condition variable may wake without a notification | it does not |
//! | a thread is never killed | a fiber that is killed in [`Barrier::wait`] has not come; in [`Condvar::wait`] it unwinds without the lock, and passes a notification on |
//! | `OnceLock` | [`OnceCell`], with `get_or_try_init` |
//! | `thread::park` for all | plain threads wait as std's do, fibers let others run |

mod barrier;
mod condvar;
mod error;
pub(crate) mod event;
pub mod mpmc;
mod mutex;
mod once;
mod once_cell;
mod oneshot;
mod promise;
mod queue;
mod raw_mutex;
mod raw_rwlock;
mod reentrant;
mod rwlock;
mod semaphore;
mod wait_group;
mod waiter;

pub use barrier::{Barrier, BarrierWaitResult};
pub use condvar::{Condvar, WaitTimeoutResult};
pub use error::TimeoutError;
pub use event::Event;
pub use mutex::{Mutex, MutexGuard};
pub use once::Once;
pub use once_cell::{LazyLock, OnceCell};
pub use oneshot::{OneshotReceiver, OneshotSender, oneshot};
pub use promise::{Promise, PromiseError, Promised, promise};
pub use reentrant::{ReentrantMutex, ReentrantMutexGuard};
pub use rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use semaphore::{Permit, Semaphore};
pub use wait_group::{WaitGroup, Worker};
