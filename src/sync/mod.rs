//! Locks and other synchronization for fibers and threads together.
//!
//! | type | a caller waits until |
//! |---|---|
//! | [`Mutex`], [`ReentrantMutex`] | no other caller has the data |
//! | [`RwLock`] | there is no writer, or neither writer nor readers |
//! | [`Condvar`] | the data of a mutex has changed |
//! | [`Semaphore`] | enough permits are free |
//! | [`Event`] | the event is set |
//! | [`Barrier`] | all parties have arrived |
//! | [`WaitGroup`] | all workers are done |
//! | [`Once`], [`OnceCell`], [`LazyLock`] | the work was done, once |
//! | [`promise()`], [`oneshot()`], [`mpmc`] | a value was sent |
//!
//! All of them are `Send` and `Sync`, and most have a `const fn new` and can be statics. Fibers of
//! all schedulers and plain threads wait in one queue; while a fiber waits, the other fibers of its
//! thread run. Within one thread [`fibra::channel`](crate::channel) costs less.
//!
//! `x` waits, `try_x` never waits, `x_timeout` waits for a [`Duration`](std::time::Duration),
//! `x_deadline` until an [`Instant`](std::time::Instant) by the clock of the caller: its
//! scheduler's, or on a plain thread the system's. Taking a free lock costs one compare-and-swap.
//! Each call of `x` counts as an operation of its fiber: after many operations in one turn, `x`
//! lets other fibers run before it takes anything. Both that and a wait are kill points. `try_x`,
//! and the use of a [`LazyLock`] whose value exists, never let other fibers run.
//!
//! `x_async` is a future of the same call, for tasks of any executor: see [`futures`]. Tasks wait
//! in the same queues.
//!
//! # Order
//!
//! Waiters queue at a lock ([`Mutex`], [`ReentrantMutex`], [`RwLock`], [`Semaphore`]) in the order
//! in which they arrive. What a release does depends on the first of them:
//!
//! - *A fiber of the scheduler on whose thread the lock is released, or a task,* gets the lock
//!   immediately: the releaser continues, and the new owner runs when it is its turn.
//! - *A fiber of another scheduler, or a plain thread,* is woken, and the lock is free. Until that
//!   waiter runs, which may take 50 µs, running code may take the lock before it. A waiter that
//!   finds the lock taken sleeps again, and the next release wakes it again. While several threads
//!   use the lock, this also holds for fibers of the releasing scheduler.
//! - *Such a waiter that has waited for 500 µs in all* gets the lock from the next release, even if
//!   it does not run yet.
//!
//! So a program without other threads runs the same way every time, first come, first served.
//! Fibers of the first waiter's own scheduler let that waiter run before them: only code of other
//! threads overtakes it. While it competes, running code may also overtake the waiters behind it.
//! No waiter starves: each gets the lock at the latest after those that waited before
//! it, once it has waited for 500 µs and its thread has time for it. And threads that compete for a
//! lock need not wake each other for each operation. The other primitives let no one overtake.
//!
//! # Kills and deadlines
//!
//! A fiber that is killed while it waits, or whose deadline passes, leaves the queue immediately,
//! and the waiters behind it move up. A fiber that was handed the lock before that owns it: its
//! wait returns, and the kill takes effect at its next wait, where the unwind drops the guard.
//! Destructors may wait for locks, even while their fiber unwinds. Under `panic = "abort"`, where
//! nothing can unwind, waits with a deadline return [`TimeoutError::Killed`], and waits without one
//! continue.
//!
//! # Deadlock
//!
//! Mutexes, read-write locks and `Once`s record which fiber holds them. A wait for one of them that
//! can never end does not hang: it panics with a report that names the owners and the circle,
//!
//! - immediately, if no fiber of the thread can run and nothing else can wake one;
//! - otherwise after about 20 ms of real time (on a virtual clock: before it jumps), if the holders
//!   of the locks wait for each other, in one thread or in several, or if the `run` in which the
//!   lock was taken is over. One of the waits in a circle fails, and the others continue.
//!
//! A wait with a time limit ends by itself and is part of no circle. Neither is the wait of a plain
//! thread. A guard may be given to another fiber of its thread. The lock then still counts as held
//! by the fiber that took it, and by the `run` of that fiber, unless [`MutexGuard::hand_on`]
//! declares that the guard is given away.
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
//! Any code that can reach an event, a semaphore, a barrier, a condition variable, a wait group or
//! the other end of a channel may end a wait there, and no type shows on which threads that code
//! runs. So a fiber that waits there is never reported as deadlocked.
//! [`fibra::dump`](crate::dump()) shows it.
//!
//! # No poisoning
//!
//! `lock()` returns the guard itself. std marks a mutex as poisoned when a thread panics while it
//! has a guard, so that other threads do not use half of a change by accident. Here a fiber is
//! unwound for many reasons: a kill, a deadline, the failure of a sibling. Each of them would
//! poison the locks that the fiber holds, and all users of a lock would have to distinguish these
//! reasons from a defect. They could not: `std::thread::panicking` is one flag for all fibers of a
//! thread, so a guard cannot know whether its own fiber unwinds.
//!
//! After a panic the lock is released, and the data is in the state of that moment. Make related
//! changes without a wait in between, or on a copy that is swapped in at the end; or shield the
//! change from kills with [`shield`](crate::shield). A [`Once`] whose closure panics is not done,
//! and the next caller runs its own closure.
//!
//! # Differences from std
//!
//! | std | here |
//! |---|---|
//! | `lock()` returns a `LockResult` | the guard; also in [`RwLock`], [`Condvar`], `into_inner` |
//! | `try_lock()` returns a `TryLockResult` | an `Option` |
//! | no order | first come, first served in one scheduler; a bounded wait between threads |
//! | a mutex that its owner locks again may hang | panics: on a plain thread immediately, in a fiber as part of a deadlock |
//! | a `Once` is poisoned by a panic | it is open again |
//! | a `LazyLock` is poisoned by a panic | the closure is consumed: it panics |
//! | a condition variable may wake without a notification | it does not |
//! | a thread is never killed | a fiber killed in [`Barrier::wait`] has not arrived |
//! | | a fiber killed in [`Condvar::wait`] unwinds unlocked and passes its notification on |
//! | `OnceLock` | [`OnceCell`], with `get_or_try_init` |
//! | `thread::park` for all | plain threads wait like std's, fibers let other fibers run |

mod barrier;
mod condvar;
mod contention;
mod error;
pub(crate) mod event;
pub mod futures;
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
mod task;
mod traits;
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
