//! Tasklets with the semantics of Stackless Python, on top of the same fibers, run ring and
//! channels.
//!
//! This is a façade and not a second scheduler: a [`Tasklet`] is a handle to a fiber that can be
//! bound to one function after another, [`schedule`] is a yield, and every fiber is a tasklet
//! ([`getcurrent`]). Where Stackless raises an exception, fibra unwinds with a payload: [`raise`]
//! and [`caught`] are Python's `raise` and `except`.
//!
//! ```
//! use fibra::stackless::{self, Channel};
//!
//! fibra::run(|| {
//!     let channel = Channel::new();
//!     let (ping, pong) = (channel.clone(), channel.clone());
//!     stackless::tasklet(move |n| ping.send_sequence(0..n).map(drop).unwrap()).setup(3);
//!     stackless::tasklet(move |n| (0..n).for_each(|_| println!("{}", pong.receive().unwrap())))
//!         .setup(3);
//!     stackless::run(); // 0 1 2
//! });
//! ```
//!
//! [`coming_from_stackless`] has a table of names, and a program in both languages.
//!
//! # Differences
//!
//! A fiber of fibra behaves like a tasklet of Stackless in *hard switching* mode: once started it
//! has a native stack, so it can be neither pickled nor bound nor moved to another thread before it
//! has ended.
//!
//! Tasklets and threads:
//!
//! | Stackless | here | why |
//! |---|---|---|
//! | every thread has tasklets | a thread has tasklets only inside of [`fibra::run`](crate::run) | a suspended stack must not outlive its frame |
//! | a tasklet of an ended thread has no thread: most operations on it fail | handles that outlive their `run` are dead; those of other threads return [`TaskletError::NoThread`] | every tasklet has ended by then |
//! | when a thread ends, its started tasklets are killed with `TaskletExit` | when `run` ends, tasklets are ended by fibra's own kill, which cannot be survived | no stack outlives its frame |
//! | binding a started tasklet discards its frames (soft switching) | a started tasklet is never bound again before it has ended | its frames are native: they are unwound, not discarded |
//! | a paused tasklet that has not started can be bound again | the same; but main, and fibers that other parts of fibra have made, are never bound | their output is awaited |
//! | a tasklet that is not runnable may move to another thread | [`PortableTasklet`], which has not started, can be sent | a started fiber never leaves its thread |
//! | a tasklet that refuses to end is asked ten times, then leaked | the same; at the end of `run` it is abandoned, and its stack kept | |
//! | a tasklet whose last reference another thread drops is killed by its own thread later | a [`RemoteTasklet`] does not keep a paused tasklet alive | |
//! | if all threads are blocked, the initial thread's `run` returns | no thread is special | each has a main tasklet of its own |
//! | `threads`, and `get_thread_info` of any thread | [`thread_info`] of the calling thread only | nothing is shared between threads |
//! | thread-locals are shared by a thread's tasklets; at shutdown all are killed | the same for thread-locals; no tasklet runs after `run` | |
//!
//! Errors and kills:
//!
//! | Stackless | here | why |
//! |---|---|---|
//! | `throw` takes a class, a value and a traceback | one payload | |
//! | a throw is raised immediately, or when it is the target's turn | nothing is raised inside a [`shield`](crate::shield), nor while the thread unwinds: it is put off until the next wait after that | two unwinds at the same time abort the process |
//! | a pending throw replaces the message that the target has been given | a wait that was given its value returns it, and the payload is raised at the next wait | nothing that was handed over is lost |
//! | a tasklet that has not started ends without running when something is thrown into it | the same; but a fiber that [`fibra::spawn`](crate::spawn) has made meets it at its first wait | its function belongs to its join handle |
//! | a throw that a trap refuses leaves the target unchanged | the same, and the payload is dropped | only a dead target returns it |
//! | handlers for ordinary errors do not catch `TaskletExit` | [`TaskletExit`] is a payload like any other: ask with `payload.is::<TaskletExit>()` | |
//! | `SystemExit` ends the process | none: [`fibra::exit`](crate::exit) | |
//! | each tasklet has an exception that it handles | nothing to do: a panic belongs to its stack | |
//! | dropping the last reference to a paused tasklet kills it | the same; errors from that tasklet are raised at the dropper's next wait | a destructor should not unwind |
//!
//! Scheduling:
//!
//! | Stackless | here | why |
//! |---|---|---|
//! | a tasklet is blocked only at a channel | a fiber that sleeps, joins or does I/O is *blocked* as well | it cannot be put into the run ring either |
//! | `schedule` of the only runnable tasklet returns immediately | it also polls timers and other threads | |
//! | `schedule_remove` of main returns immediately if nothing else can run | it returns when no timer and no other thread can bring work either | |
//! | `schedule` and `schedule_remove` have a `retval` | none | a closure captures what it needs |
//! | limits count byte code | limits are checked at safe points; a tick is one of these | there is no byte code to count |
//! | other settings of `run` need a timeout to take effect | the settings of [`Run`] are independent | |
//! | the schedule callback sees every switch | it sees the switches of this module and of the ends of tasklets, and not those of other parts of fibra | a yield of fibra costs nothing more |
//! | a switch in the schedule callback is a fatal error | switches of this module are refused in it | |
//! | the error handler and the callbacks belong to the process | they belong to a scheduler, and are dropped when its `run` ends | they need not be `Send` |
//! | `enable_softswitch`, `set_ignore_nesting` | nothing to choose: there is one kind of stack | |
//! | `frame`, `cstate`, `recursion_depth` | [`fibra::dump`](crate::dump) prints what each fiber waits for, where, and how much stack it uses | |
//! | `tempval` holds the function or the message | neither is in the tempval: see [`Channel::replace_message`] | they have types |
//!
//! Channels:
//!
//! | Stackless | here | why |
//! |---|---|---|
//! | any thread may use a channel | [`Channel`] is for one thread, [`SharedChannel`] for several | the first needs no atomics |
//! | values may be anything | channels have an item type | |
//! | `send_exception`, `send_throw` | [`Channel::send_exception`] takes a payload | |
//! | a `StopIteration` that was sent ends an iteration | it ends when the channel is closed | there is no `StopIteration` |
//! | `close` wakes no tasklet | the same; [`Channel::close_and_wake`] wakes, and so does [`close`](crate::channel::Channel::close) of `fibra::channel` | |
//! | tasklets that wait at a channel which is destroyed are left paused | this cannot happen: a tasklet that waits holds the channel | |
//! | an exception in the channel callback has no defined effect | a panic in it is reported, and not passed on | |
//! | if the last runnable tasklet blocks in `send_exception`, `run` raises that exception | not copied | a quirk |
//! | a deadlock is found only when all threads are blocked, and not when a thread ends | fibra knows which waits other threads may end: those with an [`Unparker`](crate::Unparker), a [`RemoteTasklet`] or a [`SharedChannel`] elsewhere | a deadlock is also found when a thread has ended |
//!
//! There are no errors for wrong types (the compiler finds them), no subclasses (use closures, and
//! [`fibra::local!`](crate::local) for user data), no pickling, contexts or test helpers. Tasklets
//! compare and hash; [`fibra::Fiber::id`](crate::Fiber::id) identifies a fiber. Use
//! [`fibra::spawn`](crate::spawn) for a fiber with a result.
//!
//! Under `panic = "abort"` nothing can be unwound: what is thrown is never raised, but a tasklet
//! that has not started does not run.
//!
//! # Counterparts of stacklesslib
//!
//! | stacklesslib | here |
//! |---|---|
//! | `atomic`, `block_trap`, `switch_trap` | [`atomic()`], [`block_trap()`], [`switch_trapped`] |
//! | `SignalChannel` | `signal` below |
//! | `EventQueue`, `MainLoop`, `sleep` | a fiber that [sleeps](crate::sleep) and is [killed](crate::Fiber::kill) to cancel it; `run` is the loop |
//! | `Semaphore`, `Lock` | [`fibra::channel::bounded`](crate::channel::bounded): a send acquires, a receive releases |
//! | `Condition`, `Event` | a `Channel<()>` and `signal` below |
//! | `Barrier` | [`fibra::scope`](crate::scope), or a count and a `Channel<()>` |
//! | `ValueEvent` | [`fibra::channel::oneshot`](crate::channel::oneshot) |
//! | `channel_wait` | [`recv_timeout`](crate::channel::Channel::recv_timeout) of [`Channel::inner`] |
//! | `QueueChannel` | [`fibra::channel::unbounded`](crate::channel::unbounded), [`bounded`](crate::channel::bounded) |
//! | `local` | [`fibra::local!`](crate::local) |
//! | `tasklet_new`, `tasklet_run`, `tasklet_call` | [`spawn`], [`fibra::spawn_now`](crate::spawn_now), [`fibra::spawn`](crate::spawn) and `join` |
//! | `timeout`, `cancellable` | `x_timeout` of each wait; [`fibra::nursery`](crate::nursery) and its `kill` |
//! | futures, wait sites, `async` | [`JoinHandle`](crate::JoinHandle), [`fibra::scope`](crate::scope) |
//! | `call_on_thread`, fittings | `call_on_thread` below |
//! | greenlets | `fibra::greenlet` |
//!
//! A signal reaches the tasklets that wait, and no other:
//!
//! ```
//! use fibra::stackless::{self, Channel};
//!
//! fn signal<T: 'static>(channel: &Channel<T>, value: T) -> bool {
//!     let _whole = stackless::atomic();
//!     channel.balance() < 0 && channel.send(value).is_ok()
//! }
//!
//! fn signal_all<T: Clone + 'static>(channel: &Channel<T>, value: &T) -> usize {
//!     let waiting = channel.balance().min(0).unsigned_abs();
//!     (0..waiting).filter(|_| signal(channel, value.clone())).count()
//! }
//!
//! fibra::run(|| {
//!     let ready = Channel::new();
//!     assert!(!signal(&ready, "no one waits"));
//!     for _ in 0..3 {
//!         let ready = ready.clone();
//!         stackless::spawn(move || assert_eq!(ready.receive().unwrap(), "go"));
//!     }
//!     stackless::run();
//!     assert_eq!(signal_all(&ready, &"go"), 3);
//! });
//! ```
//!
//! A blocking call on a thread of its own, while other tasklets run:
//!
//! ```
//! use fibra::stackless::{self, SharedChannel};
//!
//! fn call_on_thread<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
//!     let answer = SharedChannel::new();
//!     let sender = answer.clone();
//!     std::thread::spawn(move || fibra::run(|| drop(sender.send(f()))));
//!     answer.receive().expect("the thread has answered")
//! }
//!
//! fibra::run(|| assert_eq!(call_on_thread(|| 6 * 7), 42));
//! ```

pub mod coming_from_stackless;

mod bound;
mod channel;
mod channel_error;
mod channel_event;
mod checks;
mod ending;
mod error;
mod guard;
mod into_iter;
mod portable;
mod raising;
mod record;
mod remote;
mod running;
mod schedule;
mod shared;
mod state;
mod switching;
mod tasklet;
mod throwing;
mod time_slice;

pub use bound::{Bound, spawn, tasklet};
pub use channel::{Channel, ChannelIter};
pub use channel_error::{ChannelError, ReceiveError, SendError};
pub use channel_event::{
    ChannelCallback, ChannelEvent, ChannelId, get_channel_callback, set_channel_callback,
};
pub use error::{TaskletError, TaskletExit};
pub use guard::{
    AtomicGuard, BlockTrapGuard, SwitchTrapGuard, atomic, block_trap, switch_trap, switch_trapped,
};
pub use into_iter::{IntoChannelIter, IntoSharedIter};
pub use portable::PortableTasklet;
pub use raising::{caught, raise};
pub use record::Tempval;
pub use remote::RemoteTasklet;
pub use schedule::{
    ThreadInfo, get_schedule_callback, getcurrent, getmain, getruncount, schedule, schedule_remove,
    set_error_handler, set_schedule_callback, thread_info,
};
pub use shared::{SharedChannel, SharedIter};
pub use state::{ErrorHandler, ScheduleCallback};
pub use tasklet::{Tasklet, WeakTasklet};
pub use time_slice::{Run, run, tick};
