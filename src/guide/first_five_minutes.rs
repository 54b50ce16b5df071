//! The first five minutes: a program that spawns, joins, sends, receives and fails.
//!
//! # A project
//!
//! ```console
//! $ cargo new five_minutes && cd five_minutes
//! ```
//!
//! In `Cargo.toml`, with the path to your copy of fibra's repository:
//!
//! ```toml
//! [dependencies]
//! fibra = { path = "../fibra" }
//! ```
//!
//! # One fiber
//!
//! In `src/main.rs`:
//!
//! ```
//! fn main() {
//!     fibra::run(|| {
//!         let fiber = fibra::spawn(|| {
//!             println!("in a fiber");
//!             6 * 7
//!         });
//!         println!("spawned");
//!         let answer = fiber.join().unwrap();
//!         println!("the answer is {answer}");
//!     });
//! }
//! ```
//!
//! ```text
//! spawned
//! in a fiber
//! the answer is 42
//! ```
//!
//! [`run`](crate::run) runs a scheduler on this thread, for the time of the call. The closure is
//! the *main fiber*. [`spawn`](crate::spawn) makes a fiber ready, but does not run it:
//! [`join`](crate::JoinHandle::join) waits, and while the main fiber waits, the other one runs. (To
//! run it immediately, there is [`spawn_now`](crate::spawn_now).)
//!
//! All names that a fiber may call can be called in the functions that it calls, at any depth.
//! There is no `async fn`, and nothing in a signature shows whether a function waits.
//!
//! # Two fibers that share data
//!
//! Fibers of one thread run one at a time, so an [`Rc`](std::rc::Rc) and a
//! [`Cell`](std::cell::Cell) are enough:
//!
//! ```
//! use std::cell::Cell;
//! use std::rc::Rc;
//!
//! fibra::run(|| {
//!     let total = Rc::new(Cell::new(0));
//!     let fibers: Vec<_> = (1..=10)
//!         .map(|n| {
//!             let total = total.clone();
//!             fibra::spawn(move || {
//!                 fibra::yield_now(); // lets the others run
//!                 total.set(total.get() + n);
//!             })
//!         })
//!         .collect();
//!     fibers.into_iter().for_each(|fiber| fiber.join().unwrap());
//!     assert_eq!(total.get(), 55);
//! });
//! ```
//!
//! Another fiber can run only where the current one waits or yields. Between two such calls no
//! other fiber sees your data half changed. (What to avoid with a `RefCell`:
//! [`pitfalls`](super::pitfalls).)
//!
//! # A scope borrows
//!
//! ```
//! fibra::run(|| {
//!     let words = ["green", "threads"];
//!     let mut lengths = [0; 2];
//!     fibra::scope(|s| {
//!         for (word, length) in words.iter().zip(&mut lengths) {
//!             s.spawn(move || *length = word.len());
//!         }
//!     }); // waits for both
//!     assert_eq!(lengths, [5, 7]);
//! });
//! ```
//!
//! # A channel
//!
//! ```
//! use fibra::channel;
//!
//! fibra::run(|| {
//!     let (sender, receiver) = channel::bounded(2); // holds two values
//!     fibra::spawn(move || {
//!         for n in 1..=3 {
//!             sender.send(n * n).unwrap(); // waits while it is full
//!         }
//!     }); // the sender is dropped here, which ends the iteration below
//!     assert_eq!(receiver.iter().collect::<Vec<_>>(), [1, 4, 9]);
//! });
//! ```
//!
//! # When something goes wrong
//!
//! A panic stays in its fiber. The one that joins finds it in the error:
//!
//! ```
//! fibra::run(|| {
//!     let fiber = fibra::spawn(|| {
//!         let empty: [u32; 0] = [];
//!         empty[std::hint::black_box(0)]
//!     });
//!     let error = fiber.join().unwrap_err();
//!     assert!(error.is_panic());
//!     println!("{error}");
//! });
//! ```
//!
//! And a program whose fibers all wait for each other does not hang. It gets a report:
//!
//! ```
//! use fibra::channel::Channel;
//!
//! fibra::run(|| {
//!     let nothing_sends = Channel::<u32>::new();
//!     let error = nothing_sends.recv().unwrap_err();
//!     assert!(error.is_deadlock());
//!     println!("{error}"); // each fiber: its name, what it waits for, where
//! });
//! ```
//!
//! # Where to go from here
//!
//! [`channels_and_order`](super::channels_and_order),
//! [`time_and_cancellation`](super::time_and_cancellation), and before your first real program
//! [`pitfalls`](super::pitfalls).

#![allow(clippy::needless_doctest_main, reason = "the text shows a whole file")]
