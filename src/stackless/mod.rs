//! Tasklets with the semantics of Stackless Python, over the same fibers, ring and channels.
//!
//! This is a façade and no second scheduler: a [`Tasklet`] is a handle to a fiber that can be bound
//! to one function after another, [`schedule`] is a yield, and every fiber is a tasklet
//! ([`getcurrent`]). Where Stackless raises an exception this unwinds with a payload: [`raise`] and
//! [`caught`] are Python's `raise` and `except`.
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
//! Numbers such as S-037 name the rules of Stackless' behaviour that the tests hold; they stand in
//! the names and comments of the tests as well. [`coming_from_stackless`] has a table of names, and
//! a program in both languages.
//!
//! # What is different
//!
//! A fiber of fibra behaves as a tasklet of Stackless in *hard switching* mode: once started it has
//! a native stack, so it can be neither pickled nor bound nor moved to another thread before it has
//! ended.
//!
//! | rules | here | why |
//! |---|---|---|
//! | S-001, S-002 | a thread has tasklets inside of [`fibra::run`](crate::run) only | a suspended stack must not outlive its frame |
//! | S-020, S-208 | a started tasklet is never bound again before it has ended | its frames are native: they are unwound, not discarded |
//! | S-024, S-028 | main, and fibers that other parts of fibra have made, are never bound | somebody waits for their output |
//! | S-025, S-048, S-049, S-094, S-102, S-117, S-145, S-146 | no errors for wrong types | the compiler finds them |
//! | S-030 | no subclasses; user data in closures and [`fibra::local!`](crate::local) | |
//! | S-031 | as there; use [`fibra::spawn`](crate::spawn) for a fiber with a result | |
//! | S-047 | one payload; no class, arguments and traceback | |
//! | S-054 to S-061 | nothing is raised inside a [`shield`](crate::shield), nor while the thread unwinds: it is put off until the next wait after that | two unwinds at once abort the process |
//! | S-053, S-161 | a wait that was given its value returns it, and what was thrown is raised at the next | nothing that was handed over is lost |
//! | S-056 | a fiber that [`fibra::spawn`](crate::spawn) has made and that has not started meets it at its first wait | its function belongs to its join handle |
//! | S-060 | the payload of a throw that is refused is dropped | only a dead target gives it back |
//! | S-058, S-062, S-199, S-200 | handles that outlive their `run` are dead; those of other threads say that there is no thread | every tasklet has ended by then |
//! | S-068 | [`TaskletExit`] is a payload as any other: ask with `payload.is::<TaskletExit>()` | |
//! | S-070 | no `SystemExit`: [`fibra::exit`](crate::exit) | |
//! | S-074, S-178, S-184, S-206 | handler and callbacks are kept for each scheduler, and dropped when its `run` ends | they need not be `Send` |
//! | S-076 | nothing to do: a panic belongs to its stack | |
//! | S-081 | who sleeps, joins or does I/O is *blocked* as well | it cannot be put into the ring either |
//! | S-085, S-086, S-089, S-090 | [`fibra::dump`](crate::dump) shows what each fiber waits for, where, and how much stack it uses | |
//! | S-087 | neither the function nor a message lies in the tempval: see [`Channel::replace_message`] | they have types |
//! | S-101, S-122 | nothing to choose: there is one kind of stack | |
//! | S-103, S-105 | no `retval` | a closure captures what it needs |
//! | S-104 | alone it looks at timers and other threads | |
//! | S-106 | main, out of the ring, goes on when no timer and no other thread can bring work | |
//! | S-119 | tasklets compare and hash; [`fibra::Fiber::id`](crate::Fiber::id) | |
//! | S-120, S-121 | [`thread_info`] of the own thread only | nothing is shared between threads |
//! | S-123, S-133 | limits are looked at at safe points; a tick is one of these | there is no byte code to count |
//! | S-129 | the settings of [`Run`] do not depend on each other | |
//! | S-132, S-176 | no thread is special | each has a main of its own |
//! | S-150 | cannot happen: who waits holds the channel | |
//! | S-151, S-152 | [`Channel::send_exception`] takes a payload | |
//! | S-155 | an iteration ends when the channel is closed | there is no `StopIteration` |
//! | S-159 | as there; [`Channel::close_and_wake`] wakes, and so does [`close`](crate::channel::Channel::close) of `fibra::channel` | |
//! | S-163 | channels have an item type | |
//! | S-173 to S-175 | fibra knows which waits other threads may end: those with an [`Unparker`](crate::Unparker), a [`RemoteTasklet`] or a [`SharedChannel`] elsewhere | a deadlock is found also when a thread has ended |
//! | S-177 | not copied | a quirk |
//! | S-179 | the callback sees the switches of this module and of tasklets' ends, and not those of other parts | a yield of fibra costs what it did |
//! | S-182 | switches of this module are refused in the callback | |
//! | S-188 | a panic in the channel callback is reported and goes no further | |
//! | S-191 | [`Channel`] is for one thread, [`SharedChannel`] for several | the first costs no atomics |
//! | S-196, S-197, S-201 | [`PortableTasklet`]: what has not started, and can be sent | a started fiber never leaves its thread |
//! | S-198 | when `run` ends, tasklets are ended by fibra's own kill, which cannot be survived | no stack outlives its frame |
//! | S-202, S-210 | one that refuses is asked ten times and then left; at the end of `run` it is retired, and its stack kept | |
//! | S-204, S-205 | thread-locals are the thread's, as there; nothing runs after `run` | |
//! | S-207 | what the dying tasklet throws at who dropped its handle is raised at that one's next wait | a destructor should not unwind |
//! | S-211 | a [`RemoteTasklet`] does not keep a paused tasklet alive | |
//! | S-212 to S-229 | no pickling, no contexts, no test helpers | frames are native |
//!
//! Under `panic = "abort"` nothing can be unwound: what is thrown never goes off, but a tasklet that
//! has not started does not run.
//!
//! # What stacklesslib adds
//!
//! | there | here |
//! |---|---|
//! | `atomic`, `block_trap`, `switch_trap` (S-230) | [`atomic()`], [`block_trap()`], [`switch_trapped`] |
//! | `SignalChannel` (S-231) | `signal` below |
//! | `EventQueue`, `MainLoop`, `sleep` (S-232 to S-238) | a fiber that [sleeps](crate::sleep) and is [killed](crate::Fiber::kill) to cancel it; `run` is the loop |
//! | `Semaphore`, `Lock` (S-239) | [`fibra::channel::bounded`](crate::channel::bounded): a send acquires, a receive releases |
//! | `Condition`, `Event` (S-240, S-242) | a `Channel<()>` and `signal` below |
//! | `Barrier` (S-241) | [`fibra::scope`](crate::scope), or a count and a `Channel<()>` |
//! | `ValueEvent` (S-242) | [`fibra::channel::oneshot`](crate::channel::oneshot) |
//! | `channel_wait` (S-243) | [`recv_timeout`](crate::channel::Channel::recv_timeout) of [`Channel::inner`] |
//! | `QueueChannel` (S-244) | [`fibra::channel::unbounded`](crate::channel::unbounded), [`bounded`](crate::channel::bounded) |
//! | `local` (S-245) | [`fibra::local!`](crate::local) |
//! | `tasklet_new`, `tasklet_run`, `tasklet_call` (S-246) | [`spawn`], [`fibra::spawn_now`](crate::spawn_now), [`fibra::spawn`](crate::spawn) and `join` |
//! | `timeout`, `cancellable` (S-247, S-248) | `x_timeout` of each wait; [`fibra::nursery`](crate::nursery) and its `kill` |
//! | futures, wait sites, `async` (S-249 to S-251) | [`JoinHandle`](crate::JoinHandle), [`fibra::scope`](crate::scope) |
//! | `call_on_thread`, fittings (S-252, S-253) | `call_on_thread` below |
//! | greenlets (S-254) | `fibra::greenlet` |
//!
//! A signal reaches those who wait, and nobody else:
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
//!     assert!(!signal(&ready, "nobody hears this"));
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
mod ending;
mod error;
mod gate;
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
