//! Why does it hang? Fibers that wait for what does not come.
//!
//! Each fiber of a program that hangs waits for something. First look at what that is:
//!
//! | what you see | what it is | what shows it |
//! |---|---|---|
//! | "deadlock: all fibers wait and nothing can wake one" | no fiber, timer, socket or thread can end any wait | the report, which is printed or returned: see [`pitfalls`](super::super::pitfalls) |
//! | nothing, and no processor is busy | fibers wait for something that may still come: a peer, a timer, another thread | [`dump_with_stacks`](crate::dump_with_stacks()) |
//! | nothing, and a processor is busy | a fiber computes, or calls something that blocks its thread | [`Handle::dump`](crate::Handle::dump) shows its scheduler as busy |
//!
//! In the second case the program has to be asked. A fiber that prints a dump on a signal is
//! enough:
//!
#![cfg_attr(feature = "net", doc = "```no_run")]
#![cfg_attr(not(feature = "net"), doc = "```ignore")]
//! # fn serve() {}
//! fibra::run(|| {
//!     fibra::spawn(|| -> std::io::Result<()> {
//!         let signals = fibra::signal::Signals::new(&[fibra::signal::Signal::SIGUSR1])?;
//!         loop {
//!             signals.recv()?;
//!             let dump = fibra::Handle::current().dump_with_stacks();
//!             // Names are looked up on another thread, while the fibers go on.
//!             fibra::blocking(move || eprintln!("{dump}"));
//!         }
//!     });
//!     serve();
//! });
//! ```
//!
//! The example `why_does_it_hang` has a service of which every handler stands still, while its
//! listener goes on. This is its dump, after eight requests:
//!
//! ```text
//! 7 fibers with this stack:
//!   fiber 'handler' (#3) is locking a mutex held by fiber 'handler' (#2) at ...:120:26 for 7s,
//!     spawned at ...:112:40 by #1
//!   fiber 'handler' (#4) is locking a mutex held by fiber 'handler' (#2) at ...:120:26 for 6s,
//!     spawned at ...:112:40 by #1
//!   ...
//!   and 2 more
//!     why_does_it_hang::handle at examples/why_does_it_hang.rs:120
//!     why_does_it_hang::handlers_that_stand_still::{{closure}} at examples/why_does_it_hang.rs:112
//!     (26 frames of fibra and the runtime)
//! 1 fiber with this stack:
//!   fiber 'handler' (#2) is asleep at ...:126:5 for 8s, 3592s left, spawned at ...:112:40 by #1
//!     why_does_it_hang::ask_backend at examples/why_does_it_hang.rs:126
//!     why_does_it_hang::handle at examples/why_does_it_hang.rs:121
//!     why_does_it_hang::handlers_that_stand_still::{{closure}} at examples/why_does_it_hang.rs:112
//!     (25 frames of fibra and the runtime)
//! ```
//!
//! Read it in this order:
//!
//! 1. The largest group is where the program stands: seven handlers wait for one lock.
//! 2. `held by` leads to the fiber that they wait for, which is in another group.
//! 3. The stack of that fiber shows the cause: it asks a backend while it holds the lock, and no
//!    time limit ends that wait. See [`timeout`](crate::time::timeout()).
//!
//! `{:#}` in place of `{}` prints every fiber of each group, and the frames of the library, too.
//!
//! A dump changes nothing: each fiber goes on waiting, in the same order and with the same time
//! limits. It takes a few microseconds per fiber. Names and lines need symbols: `strip = false`
//! and `debug = "line-tables-only"` in the profile. A program without symbols prints addresses like
//! `service+0x1f3a0`, which `addr2line -e` names with a copy of the program that has them.
