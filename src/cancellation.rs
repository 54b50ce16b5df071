//! Cancellation: how a fiber is ended early. There is one model for kills, time limits, failing
//! scopes and the end of `run`. (This module contains documentation only.)
//!
//! # The model
//!
//! A fiber's stack is divided into *regions*, one inside the other. The outermost is the fiber
//! itself; [`nursery`](crate::nursery) and [`timeout`](crate::time::timeout) open others. Each can
//! be *cancelled*:
//!
//! | region | opened by | cancelled by | effect |
//! |---|---|---|---|
//! | fiber | a spawn | [`Fiber::kill`](crate::Fiber::kill), [`exit`](crate::exit), the end of `run`, its scope | the fiber ends: [`JoinError::Killed`](crate::JoinError) |
//! | body of a nursery | [`nursery`](crate::nursery) | the first panic of one of its fibers | raises that panic |
//! | time limit | [`timeout`](crate::time::timeout), [`deadline`](crate::time::deadline), [`move_on_after`](crate::time::move_on_after) | the clock | returns [`Elapsed`](crate::time::Elapsed) |
//! | shield | [`shield`](crate::shield), [`shield_for`](crate::shield_for), [`finally`](crate::finally) | nothing | hides the cancellations of the regions outside of it |
//!
//! The rules, for all regions:
//!
//! 1. **A cancellation takes effect at a wait.** There the fiber unwinds, as from a panic, to the
//!    region that was cancelled, and its destructors run. No message is printed. Code that computes
//!    without waiting is not interrupted; [`checkpoint`](crate::checkpoint) is a wait that never
//!    waits, and [`yield_now`](crate::yield_now) one that lets other fibers run.
//! 2. **A completed wait counts.** A wait that has been given what it waited for returns it, and
//!    the cancellation takes effect at the next wait. Nothing that was handed over is lost.
//! 3. **A cancellation lasts.** A cancelled region stays cancelled. Code that catches the unwind
//!    (with [`catch_unwind`](std::panic::catch_unwind), for example) is unwound again at its next
//!    wait. So a cancellation cannot be dropped by accident. A fiber that was killed, and catches a
//!    hundred unwinds, is abandoned: it never runs again, which is reported.
//! 4. **The outermost cancellation wins.** The unwind ends at the outermost region that is
//!    cancelled, and each region identifies its own unwind: an inner time limit never mistakes the
//!    end of an outer one, or a kill, for its own.
//! 5. **A shield hides what is outside of it.** Inside, a wait checks for cancelled regions only up
//!    to the shield. A cancellation that has come meanwhile takes effect at the first wait after
//!    the shield. A time limit *inside* a shield works.
//! 6. **Clean-up is not interrupted.** While a fiber unwinds, nothing is raised in it: its
//!    destructors may wait, and are waited for. (A second unwind would abort the process.) If a
//!    wait there can never end, and nothing else can happen, the process is aborted with a report;
//!    unless a destructor has set a [`timeout`](crate::time::timeout) around the wait, which then
//!    ends it.
//! 7. **Scopes wait.** A scope or nursery that is unwound kills its fibers, and is left when all of
//!    them have ended. This is necessary because they may borrow.
//!
//! ```
//! use std::time::Duration;
//! use fibra::time::timeout;
//!
//! fibra::run(|| {
//!     let answered = timeout(Duration::from_millis(2), || {
//!         fibra::finally(
//!             fibra::park, // an answer that does not come
//!             || {
//!                 // Shielded, and with a limit of its own.
//!                 let _ = timeout(Duration::from_millis(1), || println!("goodbye"));
//!             },
//!         );
//!     });
//!     assert!(answered.is_err());
//! });
//! ```
//!
//! # The models side by side
//!
//! | | gevent | asyncio | trio | fibra |
//! |---|---|---|---|---|
//! | what is cancelled | a greenlet | a task | a scope, which is a part of a task | a region: a fiber, the body of a nursery, a time limit |
//! | how it arrives | any exception, once | `CancelledError`, once | `Cancelled`, at every checkpoint | an unwind, at every wait |
//! | caught and ignored | the greenlet lives on | the task lives on (a common fault) | no lasting effect | no lasting effect |
//! | where it can arrive | at any switch | at any `await` that suspends | at checkpoints: all of trio's calls | at waits that have not completed, at yields and check points |
//! | a timeout | an exception, told apart by comparing objects | a cancel that is counted (`uncancel`) | a scope with a deadline | a region with a deadline |
//! | siblings of a failure | continue | cancelled by `TaskGroup`, not by `gather` | cancelled | cancelled in a `nursery`, not in a `scope` |
//! | clean-up that waits | works, may be hit by the next exception | works, may be cancelled again | needs a shield | works: destructors are not interrupted, `finally` is shielded |
//! | a limit on clean-up | another `Timeout` | another `timeout` | `move_on_after(t, shield=True)` | `timeout` inside `finally`; `shield_for` |
//! | a reason | the exception | a message | a reason (0.31) | [`Fiber::kill_with`](crate::Fiber::kill_with) |
//! | from inside a generator | cancels the greenlet | is broken ([PEP 789]) | is broken ([PEP 789]) | cancels only the stack that the region was opened on |
//! | the end of the program | greenlets are dropped in their present state | remaining tasks are cancelled | the nursery waits | remaining fibers are killed, and unwound |
//!
//! [PEP 789]: https://peps.python.org/pep-0789/
//!
//! # Kills of fibers and kills of tasklets
//!
//! [`Fiber::kill`](crate::Fiber::kill) is a *level*: the fiber will end. Stackless' `Tasklet::kill`
//! and `throw` are *edges*: they raise a payload once, and code can catch and survive it. Both work
//! on the same fiber. A tasklet's edge passes through time limits like any other panic, is put off
//! by a shield like a kill, and comes after a cancellation if both are due.
//!
//! # Generators
//!
//! A region belongs to the stack on which it was opened. When a generator yields inside of its own
//! time limit, that limit does not bound the caller of the generator; if the time passes before the
//! generator is resumed, the cancellation takes effect at its next wait. While a generator runs, it
//! is inside the regions of its resumer.
//!
//! # Where nothing may unwind
//!
//! Put frames of C, a lock's critical section, or the change of a data structure into a
//! [`shield`](crate::shield), the `no_kill` region of this library. No wait inside it raises
//! anything from outside. The shield may limit its own time ([`shield_for`](crate::shield_for)).
//!
//! # The cost of waiting while unwinding
//!
//! std counts panics per thread: while one fiber waits in a destructor that runs because of an
//! unwind, [`std::thread::panicking`] is true for all fibers of the thread. A std `Mutex` that
//! another fiber unlocks meanwhile is poisoned, and cancellations of the other fibers are put off
//! until the unwind has continued. [`finally`](crate::finally) avoids that: its clean-up runs while
//! nothing unwinds.
//!
//! The same holds forever for a fiber that is *abandoned* in the middle of an unwind (it waited in
//! a destructor, and that wait can never end): its panic stays counted, and `thread::panicking()`
//! stays true on that thread. No cancellation can be raised there any more: waits that return a
//! `Result` still time out and fail, and others end when they complete.
//!
//! # Without unwinding
//!
//! With `panic = "abort"`, and in a `run` that was called by a destructor of a thread that unwinds,
//! nothing can be unwound. A cancelled wait then fails with an error (`Killed`) if it returns a
//! `Result`, and continues otherwise. So a time limit ends only code that checks its errors, and
//! the call returns what the closure returns.
//!
//! # Fibers that are abandoned
//!
//! A fiber that catches a hundred kills, or still waits when `run` ends where nothing can be
//! unwound, is abandoned: it never runs again, its stack is kept forever, and its destructors do
//! not run. That is reported on standard error. (The main fiber of `run` borrows from its caller:
//! if it catches a hundred kills, the process is aborted. That of a guest is abandoned.) Other
//! threads may hold references to thread-locals that its stack has passed to them
//! (`std::thread::scope` inside of `LocalKey::with`), so *its thread does not end either*: it
//! blocks before it destroys its thread-locals, and a `join` of that thread waits forever. The main
//! thread is not blocked, nor is [`exit`](crate::exit). A program with `panic = "abort"` that runs
//! schedulers on threads which it joins should let every fiber end before `run` returns: close the
//! channels that fibers wait at, and prefer waits that return a `Result`. (This applies to Linux
//! with glibc; elsewhere such a thread ends.)
