//! Many cores: programs on several threads, what runs where, and why fibers do not move. (This
//! module contains documentation only.)
//!
//! For users of Go, tokio, may and rayon there is [a page](super::many_cores_compared) with
//! programs in both languages and a table of names.
//!
//! # The first program
//!
//! [`run`](crate::run) uses one thread. A [`Runtime`](crate::Runtime) with
//! [`all_cores`](crate::RuntimeBuilder::all_cores) has a scheduler on each core, and a
//! [`Handle`](crate::Handle) spreads work over them:
//!
//! ```
//! use fibra::{Handle, Runtime, par};
//!
//! # fn main() -> std::io::Result<()> {
//! Runtime::builder().all_cores().build()?.run(|| {
//!     // A job: any scheduler may start it.
//!     let handle = Handle::current();
//!     let job = handle.spawn(|| (1..=1_000_u64).sum::<u64>());
//!     assert_eq!(job.join().unwrap(), 500_500);
//!
//!     // Many calls on borrowed data: the results are in order.
//!     let words = ["green", "threads", "on", "all", "cores"];
//!     assert_eq!(par::map(&words, |word| word.len()), [5, 7, 2, 3, 5]);
//! });
//! # Ok(())
//! # }
//! ```
//!
//! # What runs where
//!
//! The closure of [`Runtime::run`](crate::Runtime::run) is the main fiber of scheduler 0, which
//! uses the calling thread. Every other scheduler has a thread of its own.
//!
//! | call | starts | on |
//! |---|---|---|
//! | [`fibra::spawn(f)`](crate::spawn()) | a fiber, at the end of the run ring | this scheduler; `f` may hold an `Rc` |
//! | [`Handle::spawn(f)`](crate::Handle::spawn) | a job: `f` must be `Send` | the scheduler that is free first, this one included |
//! | [`Handle::spawn_on(i, f)`](crate::Handle::spawn_on) | a job | scheduler `i` |
//! | [`Handle::on_each(f)`](crate::Handle::on_each) | one job per scheduler | each |
//! | [`Handle::spawn_future(f)`](crate::Handle::spawn_future) | a job that awaits a future | like `Handle::spawn` |
//! | [`par::scope`](crate::par::scope()), [`map`](crate::par::map()), [`for_each`](crate::par::for_each()), [`join`](crate::par::join()), [`imap`](crate::par::imap()) | jobs that borrow from the caller | like `Handle::spawn` |
//!
//! A job is a closure until a scheduler starts it. From then on it is a fiber like any other, and
//! never leaves its thread. A scheduler starts a job when none of its own fibers can run, and one
//! in each turn, so that jobs do not starve behind busy fibers. It takes the job that its own
//! fibers spawned last. A scheduler that has none takes the oldest job of another one. So a
//! recursion that spawns jobs goes depth first on each thread: few stacks exist at a time, and what
//! waits in the queues are closures of some dozens of bytes, not fibers.
//!
//! A job costs about a quarter of a microsecond, its join included (`skynet` and `fan-in` in
//! `benches/all_cores`). So it should do some microseconds of work. The second closure of
//! [`par::join`](crate::par::join()) costs less as long as no other scheduler takes it.
//! [`par::map`](crate::par::map()) divides its items into stretches by itself; a recursion by hand
//! should end in a loop, or in fibers of its own scheduler.
//!
//! # What is deterministic
//!
//! - A runtime with one thread, which is the default: everything, as in [`run`](crate::run). Only
//!   such a runtime can have a [virtual clock](crate::RuntimeBuilder::virtual_clock): with more
//!   threads, [`build`](crate::RuntimeBuilder::build) returns an error.
//! - Within one scheduler, at any number of threads: the order in which its fibers wake each other.
//!   Fibers change only where one waits or yields, so fibers of one scheduler need no locks for
//!   what they share.
//! - Not: which scheduler starts a job, and in which order messages of different threads arrive.
//!
//! A program whose results depend only on [`join`](crate::RemoteHandle::join), and on the order of
//! [`par::map`](crate::par::map()), has the same results on any number of threads.
//!
//! # Keep chatty fibers together
//!
//! A message between two fibers of one thread is a switch: some nanoseconds. Between two threads it
//! is some hundred, and some microseconds if the receiver's thread sleeps. Go, tokio and may move a
//! waiting task to the thread of its partner; a fiber stays, so place both sides by hand. One job
//! for the group, and [`fibra::spawn`](crate::spawn()) inside, is enough:
//!
//! ```
//! use fibra::channel::Channel;
//! use fibra::{Handle, Runtime};
//!
//! /// Two fibers that exchange many messages, and one result for all of them.
//! fn game(kicks: u32) -> u32 {
//!     let ball = Channel::new(); // of one thread: cheaper than `sync::mpmc`
//!     let sack = ball.clone();
//!     let player = fibra::spawn(move || sack.iter().sum::<u32>());
//!     (1..=kicks).for_each(|kick| ball.send(kick).unwrap());
//!     ball.close();
//!     player.join().unwrap()
//! }
//!
//! # fn main() -> std::io::Result<()> {
//! Runtime::builder().threads(2).build()?.run(|| {
//!     let handle = Handle::current();
//!     // Each game on the thread that is free; its two players on the same one.
//!     let games: Vec<_> = (1..=10).map(|n| handle.spawn(move || game(n))).collect();
//!     let total: u32 = games.into_iter().map(|game| game.join().unwrap()).sum();
//!     assert_eq!(total, 220);
//! });
//! # Ok(())
//! # }
//! ```
//!
//! To join a group that runs already, send it a job: [`Handle::index`](crate::Handle::index) is the
//! number of the current scheduler, and [`spawn_on`](crate::Handle::spawn_on) with that number
//! brings a closure there.
//!
//! # State of each scheduler
//!
//! A cache, a connection or a counter that each thread has for itself needs no lock.
//! [`on_each`](crate::Handle::on_each) runs a closure on each scheduler, to set it up and to
//! collect it:
//!
//! ```
//! use std::cell::Cell;
//! use fibra::{Handle, Runtime};
//!
//! thread_local! {
//!     static SERVED: Cell<u64> = const { Cell::new(0) };
//! }
//!
//! # fn main() -> std::io::Result<()> {
//! Runtime::builder().threads(2).build()?.run(|| {
//!     let handle = Handle::current();
//!     let serve = || SERVED.set(SERVED.get() + 1);
//!     let requests: Vec<_> = (0..100).map(|_| handle.spawn(serve)).collect();
//!     requests.into_iter().for_each(|request| request.join().unwrap());
//!     let counts = handle.on_each(|_index| SERVED.get());
//!     let total: u64 = counts.into_iter().map(|count| count.join().unwrap()).sum();
//!     assert_eq!(total, 100);
//! });
//! # Ok(())
//! # }
//! ```
//!
//! A [fiber-local](crate::local) belongs to one fiber. `static inherit` does not cross to jobs;
//! `static inherit send` does: its value is cloned by the fiber that spawns the job.
//!
//! # Locks and channels that cross
//!
//! | between threads | within one thread only |
//! |---|---|
//! | all of [`sync`](crate::sync): [`Mutex`](crate::sync::Mutex), [`Semaphore`](crate::sync::Semaphore), [`Event`](crate::sync::Event), ... | an `Rc<Cell<T>>`, an `Rc<RefCell<T>>` |
//! | [`sync::mpmc`](crate::sync::mpmc), [`sync::oneshot`](crate::sync::oneshot()), [`sync::promise`](crate::sync::promise()) | [`channel`](crate::channel): `Channel`, `bounded`, `unbounded`, `oneshot` |
//! | [`RemoteHandle`](crate::RemoteHandle), [`Handle`](crate::Handle), [`Unparker`](crate::Unparker) | [`JoinHandle`](crate::JoinHandle), [`Fiber`](crate::Fiber) |
//! | [`stackless::SharedChannel`](crate::stackless::SharedChannel) | [`stackless::Channel`](crate::stackless::Channel) |
//!
//! The compiler checks this: what stays within a thread is not `Send`, so no job can capture it. A
//! plain [`std::sync::Mutex`] is fine as long as no guard lives across a wait.
//!
//! # Why started fibers do not move
//!
//! `Send` is checked on what a closure captures. No compiler checks the locals of its frames: they
//! lie on a stack, and a call that waits looks like any other call. This closure is `Send`:
//!
//! ```
//! use std::cell::Cell;
//! use std::rc::Rc;
//!
//! thread_local! {
//!     static DEPTH: Cell<u32> = const { Cell::new(0) };
//! }
//!
//! let job = || {
//!     // A local that is not `Send`, and that lives across a wait. Its clone may be anywhere: in a
//!     // thread-local, in another fiber of this thread. Its count is not atomic.
//!     let name = Rc::new(String::from("made on this thread"));
//!     fibra::yield_now(); // If the fiber continued on another thread ...
//!     let _copy = name.clone(); // ... two threads could change the count.
//!
//!     // A borrow of a thread-local across a wait. Without `with`, the compiler still keeps the
//!     // address of a thread-local across calls.
//!     DEPTH.with(|depth| {
//!         depth.set(1);
//!         fibra::yield_now(); // ... and this would now be the local of another thread,
//!         depth.set(depth.get() - 1); // which may have ended.
//!     });
//!
//!     // std counts panics per thread: a destructor that waits during an unwind would leave the
//!     // count of one thread, and end the unwind on another.
//!     struct Waits;
//!     impl Drop for Waits {
//!         fn drop(&mut self) {
//!             fibra::yield_now();
//!             assert!(std::thread::panicking());
//!         }
//!     }
//!     let unwound = std::panic::catch_unwind(|| {
//!         let _waits = Waits;
//!         std::panic::resume_unwind(Box::new("out of milk"));
//!     });
//!     assert!(unwound.is_err() && !std::thread::panicking());
//! };
//! fn is_send(_: &impl Send) {}
//! is_send(&job);
//! fibra::run(job); // Fine here, because the fiber stays on its thread.
//! ```
//!
//! A library whose coroutines migrate accepts the same closure. This one has no undefined behaviour
//! only because it never clones the `Rc`:
//!
//! ```
//! use std::rc::Rc;
//! use std::thread;
//! use may::{coroutine::yield_now, go};
//!
//! may::config().set_workers(2);
//! let coroutines: Vec<_> = (0..100)
//!     .map(|_| {
//!         go!(|| {
//!             let (local, made) = (Rc::new(()), thread::current().id());
//!             let turns = 100;
//!             let elsewhere = (0..turns).filter(|_| {
//!                 yield_now();
//!                 Rc::strong_count(&local) == 1 && thread::current().id() != made
//!             });
//!             elsewhere.count()
//!         })
//!     })
//!     .collect();
//! let turns: usize = coroutines.into_iter().map(|coroutine| coroutine.join().unwrap()).sum();
//! println!("{turns} of 10000 turns had the Rc on a thread that did not make it");
//! ```
//!
//! What to do in place of moving a fiber:
//!
//! - **Spawn before you start.** A closure that has not started can go anywhere. Cut the work where
//!   it becomes independent, and spawn each part as a job.
//! - **End, and spawn the rest elsewhere.** What the rest needs is captured by a closure, so the
//!   compiler checks it.
//! - **[`spawn_future`](crate::Handle::spawn_future).** In an `async` block the compiler knows what
//!   lives across each `.await`, and requires that all of it is `Send`.
//!
//! ```
//! use fibra::{Handle, Runtime};
//!
//! # fn main() -> std::io::Result<()> {
//! Runtime::builder().threads(2).build()?.run(|| {
//!     let handle = Handle::current();
//!     let there = handle.clone();
//!     let moved = handle.spawn_on(0, move || {
//!         let half: Vec<u32> = (1..=10).collect(); // the first part, here
//!         there.spawn_on(1, move || half.iter().sum::<u32>()) // the rest, there
//!     });
//!     assert_eq!(moved.join().unwrap().join().unwrap(), 55);
//!
//!     let future = handle.spawn_future(async { 6 * 7 });
//!     assert_eq!(future.join().unwrap(), 42);
//! });
//! # Ok(())
//! # }
//! ```
//!
//! ```compile_fail
//! # let handle = fibra::Handle::current();
//! handle.spawn_future(async {
//!     let name = std::rc::Rc::new(String::from("made on this thread"));
//!     std::future::ready(()).await;
//!     drop(name); // error: future cannot be sent between threads safely
//! });
//! ```
//!
//! # Finding hangs
//!
//! Within one thread, fibers that wait for each other forever are a
//! [deadlock](super::channels_and_order#deadlocks), and one of the waits fails. In a runtime of
//! several threads only a circle of locks does. For any other wait a runtime cannot know whether
//! another thread is about to end it. There are two ways to see what a program waits for:
//!
//! - [`Handle::dump`](crate::Handle::dump) shows all schedulers: their fibers with their names,
//!   what each waits for and where; the jobs that have not started; which schedulers sleep, and
//!   which are busy. Any thread may call it: a fiber that ticks, a handler for `SIGUSR1`, a page of
//!   a server. ([`dump`](crate::dump()) shows the fibers of one scheduler.)
//! - [`report_stalls`](crate::RuntimeBuilder::report_stalls) prints the same on standard error when
//!   all schedulers have slept for some time.
//!
//! Here a job waits for a value from a fiber that has forgotten to send it:
//!
//! ```
//! use std::time::Duration;
//! use fibra::sync::mpmc;
//! use fibra::{Builder, Handle, Runtime};
//!
//! # fn main() -> std::io::Result<()> {
//! let builder = Runtime::builder().threads(2);
//! builder.report_stalls(Duration::from_secs(60)).build()?.run(|| {
//!     let handle = Handle::current();
//!     let (sender, receiver) = mpmc::bounded::<u32>(1);
//!     let consumer = handle.spawn_on(1, move || {
//!         Builder::new().name("consumer").spawn(move || receiver.recv()).join()
//!     });
//!     # while !handle.dump().to_string().contains("receiving") {
//!     #     fibra::sleep(Duration::from_millis(1));
//!     # }
//!     println!("{}", handle.dump());
//!     // scheduler 0 is awake:
//!     //   fiber 'main' (#1) runs, spawned at src/main.rs:7:5
//!     // scheduler 1 sleeps:
//!     //   fiber 'main' (#1) is waiting for the end of its runtime at ...
//!     //   fiber #2 is waiting for the fiber at src/main.rs:11:75
//!     //   fiber 'consumer' (#3) is receiving on an empty channel (made at ...) at ...
//!     assert!(handle.dump().to_string().contains("fiber 'consumer' (#3) is receiving"));
//!     drop(sender); // ends the wait, with an error
//!     assert!(consumer.join().unwrap().unwrap().is_err());
//! });
//! # Ok(())
//! # }
//! ```
//!
//! A scheduler answers between two fibers. One that does not answer within a second is shown as
//! busy: a fiber of it computes without a [`yield_now`](crate::yield_now), or calls something that
//! blocks the thread. Give fibers [names](crate::Builder::name): the reports show them.
//!
//! # Shutdown
//!
//! When the closure of [`Runtime::run`](crate::Runtime::run) returns, the runtime ends in this
//! order:
//!
//! 1. From now on only fibers of the runtime can spawn jobs. The runtime waits for all jobs, up to
//!    the time that [`shutdown_timeout`](crate::RuntimeBuilder::shutdown_timeout) sets: by default
//!    not at all.
//! 2. Jobs that have not started are dropped; joining them returns
//!    [`JoinError::Shutdown`](crate::JoinError::Shutdown). Jobs and fibers that run are killed, and
//!    unwound on their threads.
//! 3. The threads end and are joined. `run` returns.
//!
//! In `Runtime::main` the first Ctrl-C kills the main fiber, and this order
//! follows. The second one ends the process.
//!
//! A fiber that never ends, because it catches every kill, is abandoned: see
//! [`cancellation`](crate::cancellation#fibers-that-are-abandoned). Under `panic = "abort"` that is
//! each fiber in a wait that cannot fail. A scope that waits for such a job is abandoned with it,
//! and `run` returns all the same. A job in a [`shield`](crate::shield) that never ends keeps `run`
//! from returning: limit the time of a shield with [`shield_for`](crate::shield_for).
//!
//! A [`Handle`](crate::Handle) may outlive its runtime: [`try_spawn`](crate::Handle::try_spawn)
//! then gives the closure back, and joining a job of [`spawn`](crate::Handle::spawn) returns
//! `JoinError::Shutdown`.
//!
//! ```
//! use std::time::Duration;
//! use fibra::{Handle, Runtime};
//!
//! # fn main() -> std::io::Result<()> {
//! let runtime = Runtime::builder().threads(2).shutdown_timeout(Duration::from_secs(10)).build()?;
//! let (handle, last) = runtime.run(|| {
//!     let handle = Handle::current();
//!     let last = handle.spawn(|| {
//!         fibra::sleep(Duration::from_millis(5));
//!         "done within the time of grace"
//!     });
//!     (handle, last)
//! });
//! assert_eq!(last.join(), Ok("done within the time of grace"));
//! assert!(handle.try_spawn(|| ()).unwrap_err().is_closed());
//! assert!(handle.spawn(|| ()).join().unwrap_err().is_shutdown());
//! # Ok(())
//! # }
//! ```
