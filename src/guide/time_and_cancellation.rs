//! Time and cancellation: sleeping, time limits, kills and clean-up. The exact rules are in
//! [`cancellation`](crate::cancellation); this page shows how to use them.
//!
//! # Sleeping, ticking
//!
//! [`sleep`](crate::sleep) parks the fiber. [`interval`](crate::time::interval) ticks without
//! drift, however long the work between two ticks takes. [`now`](crate::now) reads the scheduler's
//! clock, which a test can make [virtual](crate::RuntimeBuilder::virtual_clock):
//!
//! ```
//! use std::time::Duration;
//!
//! # fn main() -> std::io::Result<()> {
//! let runtime = fibra::Runtime::builder().virtual_clock().build()?;
//! runtime.run(|| {
//!     let start = fibra::now();
//!     let mut ticks = fibra::time::interval(Duration::from_secs(3600));
//!     (0..13).for_each(|_| drop(ticks.tick())); // takes no time
//!     assert_eq!(fibra::now() - start, Duration::from_secs(12 * 3600));
//! });
//! # Ok(())
//! # }
//! ```
//!
//! # A time limit
//!
//! [`timeout`](crate::time::timeout) bounds whatever its closure calls, at any depth: sockets,
//! locks, channels, joins.
//!
//! ```
//! use std::time::Duration;
//! use fibra::time::timeout;
//!
//! fn slow_answer() -> u32 {
//!     fibra::sleep(Duration::from_secs(3600));
//!     42
//! }
//!
//! fibra::run(|| {
//!     let answer = timeout(Duration::from_millis(1), slow_answer);
//!     assert!(answer.is_err());
//! });
//! ```
//!
//! At the limit the closure *unwinds*, as from a panic without a message, and its destructors run.
//! Code that computes without waiting is not interrupted: it may call
//! [`checkpoint`](crate::checkpoint) now and then. Many calls also have a form with a limit of
//! their own, such as [`recv_timeout`](crate::channel::Receiver::recv_timeout), which returns an
//! error and unwinds nothing.
//!
//! # A kill
//!
//! ```
//! use std::time::Duration;
//!
//! struct Bell;
//!
//! impl Drop for Bell {
//!     fn drop(&mut self) {
//!         println!("destructors run");
//!     }
//! }
//!
//! fibra::run(|| {
//!     let fiber = fibra::spawn(|| {
//!         let _bell = Bell;
//!         fibra::sleep(Duration::from_secs(3600));
//!     });
//!     fibra::yield_now(); // it sleeps now
//!     fiber.kill(); // only requests
//!     assert!(fiber.join().unwrap_err().is_killed()); // waits for the end
//! });
//! ```
//!
//! A kill cannot be dropped by accident: a fiber that catches the unwind is unwound again at its
//! next wait. A wait that has already been completed returns first, so nothing that was handed over
//! is lost.
//!
//! # Siblings that end together
//!
//! In a [`nursery`](crate::nursery) the first panic kills the other fibers, and is raised again
//! when all have ended. For errors that are `Result`s, read the outcomes and kill the rest:
//!
//! ```
//! use std::time::Duration;
//!
//! fn fetch(n: u32) -> Result<u32, String> {
//!     fibra::sleep(Duration::from_millis(n.into()));
//!     if n == 2 { Err(format!("no page {n}")) } else { Ok(n) }
//! }
//!
//! # fn main() -> std::io::Result<()> {
//! # fibra::Runtime::builder().virtual_clock().build()?.run(|| {
//! let pages = fibra::pool::Group::new();
//! for n in [1, 2, 3600] {
//!     pages.spawn(move || fetch(n));
//! }
//! let mut got = Vec::new();
//! let failure = loop {
//!     match pages.next() {
//!         Some(Ok(Ok(page))) => got.push(page),
//!         Some(Ok(Err(error))) => break error,
//!         Some(Err(end)) => panic!("{end}"),
//!         None => unreachable!("the second one fails"),
//!     }
//! };
//! pages.kill_all();
//! assert_eq!((got, failure.as_str()), (vec![1], "no page 2"));
//! # });
//! # Ok(())
//! # }
//! ```
//!
//! # Clean-up
//!
//! Prefer destructors. Clean-up that has to *wait* (to end a conversation on a socket) belongs into
//! [`finally`](crate::finally), which runs it in any case, shielded from kills, while nothing
//! unwinds. A part that must not be interrupted in the middle goes into a
//! [`shield`](crate::shield); [`shield_for`](crate::shield_for) limits how long it may delay a
//! kill.
//!
//! ```
//! use std::time::Duration;
//! use fibra::channel;
//!
//! fibra::run(|| {
//!     let (log, lines) = channel::unbounded();
//!     let fiber = fibra::spawn(move || {
//!         fibra::finally(
//!             || fibra::sleep(Duration::from_secs(3600)),
//!             || {
//!                 fibra::yield_now(); // may wait
//!                 log.send("goodbye").unwrap();
//!             },
//!         )
//!     });
//!     fibra::yield_now();
//!     fiber.kill();
//!     assert_eq!(lines.recv().unwrap(), "goodbye");
//!     assert!(fiber.join().unwrap_err().is_killed());
//! });
//! ```
//!
//! # The end of a program
//!
//! When the closure of [`run`](crate::run) returns, the remaining fibers are killed and unwound.
//! With
#![cfg_attr(feature = "net", doc = "[`main`](crate::main())")]
#![cfg_attr(not(feature = "net"), doc = "`main`, a part of the feature `net`,")]
//! in place of `run`, Ctrl-C kills the main fiber, and so ends the program in the same way.
//! [`exit`](crate::exit) ends the process from any fiber, after all of them were unwound.
