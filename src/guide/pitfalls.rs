//! Pitfalls: what goes wrong on the first day, what is printed then, and what to do.
//!
//! Search this page for the text that you see.
//!
//! # "works only inside a fiber, and this thread runs none"
//!
//! A call that waits was made where there is no scheduler: before [`run`](crate::run), after it, or
//! on another thread. Threads that a program or a library starts are plain threads, and so are
//! those that run the closure of [`blocking`](fn@crate::blocking).
//!
//! Wrap the program in `fibra::run(|| ...)`. To reach a fiber from another thread, use what works
//! on both sides: [`sync`](crate::sync), an [`Unparker`](crate::Unparker), sockets. Generators
//! alone need only [`frame`](crate::frame).
//!
//! # "`fibra::run` was called inside `fibra::run`"
//!
//! A thread has one scheduler at a time. Inside a fiber, [`spawn`](crate::spawn) is enough, and a
//! function that should work with and without a scheduler asks [`in_fiber`](crate::in_fiber). A
//! second scheduler needs a second thread.
//!
//! # "a generator was resumed outside of `fibra::frame`"
//!
//! Generators and greenlets have stacks, which something must unwind before the thread ends. Wrap
//! the code that uses them in [`frame`](crate::frame), or in [`run`](crate::run).
//!
//! # "deadlock: all fibers wait and nothing can wake one", "the lock ... is never released"
//!
//! One wait fails, and the report lists every fiber with what it waits for, and where. The usual
//! reasons are in [`channels_and_order`](super::channels_and_order#deadlocks). Often a loop over a
//! channel waits for a sender that is still alive, held by the looping fiber itself:
//!
//! ```
//! use fibra::channel;
//!
//! fibra::run(|| {
//!     let (sender, receiver) = channel::unbounded();
//!     for n in 0..3 {
//!         let sender = sender.clone();
//!         fibra::spawn(move || sender.send(n).unwrap());
//!     }
//!     drop(sender); // without this line the iteration does not end
//!     assert_eq!(receiver.iter().sum::<i32>(), 3);
//! });
//! ```
//!
//! # "has overflowed its stack"
//!
//! See [`stack_sizes_and_memory`](super::stack_sizes_and_memory#an-overflow).
//!
//! # "a thread does not end"
//!
//! A fiber or generator could not be unwound, so it was abandoned: its stack is kept, and other
//! threads may still use what the stack has lent to them, such as thread-locals. So the thread
//! blocks in place of destroying these. The reasons are a fiber that catches a hundred kills, a
//! wait in a destructor that can never end, and `panic = "abort"` with fibers that still wait at
//! the end of `run`. Let all fibers end before `run` returns: close the channels that they wait
//! for, and do not catch unwinds in a loop.
//! [`cancellation`](crate::cancellation#fibers-that-are-abandoned) has the details.
//!
//! # "already borrowed": a `RefCell` borrow held across a wait
//!
//! Other fibers run while a fiber waits. A borrow that lives across the wait meets theirs, and
//! `borrow_mut` panics, in the other fiber:
//!
//! ```
//! use std::cell::RefCell;
//! use std::rc::Rc;
//!
//! fibra::run(|| {
//!     let list = Rc::new(RefCell::new(vec![1]));
//!     let other = list.clone();
//!     let fiber = fibra::spawn(move || other.borrow_mut().push(2));
//!     {
//!         let _guard = list.borrow();
//!         fibra::yield_now(); // wrong: the other fiber runs now
//!     }
//!     assert!(fiber.join().unwrap_err().is_panic());
//! });
//! ```
//!
//! The calls that wait are not always visible: writing to a socket inside of an iteration over
//! `list.borrow().iter()` is enough. Three ways out:
//!
//! - End the borrow before the wait: copy out what you need, or clone an `Rc` inside.
//! - Use a [`Cell`](std::cell::Cell) for small values: it lends nothing.
//! - If other fibers *should* wait until you are done, that is a lock:
//!   [`sync::Mutex`](crate::sync::Mutex).
//!
//! ```
//! use std::rc::Rc;
//! use fibra::sync::Mutex;
//!
//! fibra::run(|| {
//!     let list = Rc::new(Mutex::new(vec![1]));
//!     let other = list.clone();
//!     let fiber = fibra::spawn(move || other.lock().push(2)); // waits for its turn
//!     {
//!         let _guard = list.lock();
//!         fibra::yield_now();
//!     }
//!     fiber.join().unwrap();
//!     assert_eq!(*list.lock(), [1, 2]);
//! });
//! ```
//!
//! # It hangs without a message: what blocks the thread
//!
//! A call that blocks its thread stops all of its fibers, and no report is printed, because the
//! scheduler does not run. The most frequent ones:
//!
//! | blocks the thread | use instead |
//! |---|---|
//! | a guard of `std::sync::Mutex` or `parking_lot` held across a wait: the next fiber that locks blocks, and the owner never runs again | [`sync::Mutex`](crate::sync::Mutex), or end the guard before the wait |
//! | a std `LazyLock` or `OnceLock` whose initialiser waits | [`sync::LazyLock`](crate::sync::LazyLock), [`sync::OnceCell`](crate::sync::OnceCell) |
//! | `std::sync::mpsc`, crossbeam's and flume's blocking calls | [`channel`](crate::channel), [`sync::mpmc`](crate::sync::mpmc) |
//! | `std::thread::sleep`, `JoinHandle::join` of a thread | [`sleep`](crate::sleep), [`blocking`](fn@crate::blocking) |
//! | `std::net`, `std::process`, `std::io::stdin` | `fibra::net`, `fibra::process`, `fibra::io::stdin` |
//! | `futures::executor::block_on`, tokio's `block_on` | [`future::block_on`](crate::future::block_on) |
//! | database drivers that make their own system calls | [`blocking::Owned`](crate::blocking::Owned): see [`blocking_databases`](super::blocking_databases) |
//! | clients and compilers that make their own system calls | [`blocking`](fn@crate::blocking) |
//! | a long computation | [`yield_now`](crate::yield_now) in its loop, or [`blocking`](fn@crate::blocking) |
//!
//! ```
//! use std::time::Duration;
//!
//! fibra::run(|| {
//!     let ticks = fibra::spawn(|| (0..3).for_each(|_| fibra::sleep(Duration::from_millis(1))));
//!     // On another thread: this fiber waits, and the other one ticks meanwhile.
//!     let answer = fibra::blocking(|| {
//!         std::thread::sleep(Duration::from_millis(5));
//!         42
//!     });
//!     assert_eq!(answer, 42);
//!     ticks.join().unwrap();
//! });
//! ```
//!
//! If a program waits where it should not, [`dump`](crate::dump()) in a fiber that ticks shows what
//! each fiber waits for. If even that fiber does not run, something blocks the thread: attach a
//! debugger, whose backtrace of the thread shows the call. In a runtime of several threads, any
//! thread can [see all of them](super::many_cores#finding-hangs).
//!
//! # Thread-locals of other crates
//!
//! All fibers of a thread share its thread-locals. A crate that keeps a "current" something there
//! (an entered `tracing` span, an entered tokio runtime) shows it to every fiber that runs while
//! the guard lives. Let no such guard live across a wait, and keep the handle in a fiber-local:
//! [`local!`](crate::local#what-other-crates-keep-per-thread) has a program.
//!
//! # Futures that need a runtime
//!
//! [`future::block_on`](crate::future::block_on) polls any future, but tokio's sockets and timers
//! also need tokio's runtime, and panic with "there is no reactor running" without it. Give the
//! fibers one, with the feature `tokio`:
//!
#![cfg_attr(feature = "tokio", doc = "```")]
#![cfg_attr(not(feature = "tokio"), doc = "```ignore")]
//! use std::time::Duration;
//!
//! # fn main() -> std::io::Result<()> {
//! fibra::Runtime::builder().tokio().build()?.run(|| {
//!     let sleep = fibra::spawn(|| {
//!         fibra::future::block_on(tokio::time::sleep(Duration::from_millis(1)));
//!     });
//!     sleep.join().unwrap();
//! });
//! # Ok(())
//! # }
//! ```
//!
#![cfg_attr(
    feature = "net",
    doc = "[`beside_async`](super::beside_async) has the other ways, and [`which_crate`](super::which_crate)"
)]
#![cfg_attr(feature = "net", doc = "the crates that need one.")]
//!
//! # C code
//!
//! - C code runs on the stack of the fiber that calls it, and often needs more than Rust code:
//!   call it by [`with_stack_size`](crate::with_stack_size).
//! - A call from C back into Rust may wait. But no unwind may pass through frames of C: it would
//!   abort the process at the `extern "C"` function. Put the whole call into a
//!   [`shield`](crate::shield), so that no kill or time limit unwinds from a wait inside, and catch
//!   panics in the callback.
//! - C code that keeps something per thread (`errno`-like state, a "current" context) shares it
//!   between all fibers of the thread, like the thread-locals above.
//! - C code that saves and restores stacks itself (`setjmp` and `longjmp` across a wait, garbage
//!   collectors that scan the stack of the thread) does not know about fibers.
//! - After `fork`, the child has one thread, and the fibers of that thread. It shares the kernel's
//!   poller with its parent, and each would take events from the other. So a child that was
//!   forked in a fiber must only call `exec` or `_exit`, as with every program that has threads. It
//!   must not return into `run`, nor into a runtime of tokio that has fibers as its guest.
//!   `process::Command` starts programs, and `process::WorkerPool` starts workers that compute.
//!
//! # Kills that do not arrive, or arrive too often
//!
//! A kill takes effect at a wait. A fiber that only computes does not notice it: call
//! [`checkpoint`](crate::checkpoint) now and then. A fiber that catches unwinds in a loop, as a
//! worker that survives the panics of its jobs does, meets the kill again at each wait: leave the
//! loop if the payload is not one of your own, or let each job be a fiber and read its
//! [`JoinError`](crate::JoinError).
//!
//! A kill is never raised while its thread unwinds, so `kill_all` and `join` of a
//! [`Group`](crate::pool::Group) in a destructor fail during a panic: the members cannot unwind
//! before the destructor has returned, and `join` returns a deadlock. Let the destructor only kill,
//! or use a [`nursery`](crate::nursery()), which waits for its fibers between the panic of its body
//! and the unwind of its caller.
//!
//! # "refutable pattern in local binding" at a `select!`
//!
//! An arm of [`select!`](crate::select!) is chosen before its pattern is looked at, so the pattern
//! must match every result: write `n = recv(&r) => match n { Ok(n) => .., Err(_) => .. }`, not
//! `Ok(n) = recv(&r) => ..`.
//!
//! # Fibers that vanish
//!
//! When the closure of `run` returns, all other fibers are killed, also detached ones. Join what
//! must be finished, or use a [`scope`](crate::scope) or a [`Group`](crate::pool::Group).
//!
//! # It is slow: the profile of the build
//!
//! A switch is a few inlined instructions, if the compiler inlines between crates. It does with
//! `lto = "thin"` or `"fat"`, and with one codegen unit. With `lto = "off"` and several codegen
//! units, and in some programs with the default settings, it does not: the two functions of
//! corosensei that switch stay calls, and the processor mispredicts the return from each. A yield
//! then takes several times as long: see
//! [`environment`](super::environment#settings-of-a-build). A debug build is several times slower
//! still, and its frames are larger.
//!
//! ```toml
//! [profile.release]
//! lto = "thin"        # or "fat"; not "off"
//! ```
