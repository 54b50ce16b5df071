//! Green threads for Rust: stackful fibers with a deterministic scheduler, the channels of
//! Stackless Python, and sockets, files and processes that park the fiber instead of blocking the
//! thread.
//!
//! A fiber is a function with its own stack: it can suspend at any call depth and resume later. A
//! waiting fiber takes about a page of memory, and a switch takes a few nanoseconds. There is no
//! `async` and no `.await`. The fibers of one thread need no `Send` bounds, so they may share plain
//! `Rc`s and `RefCell`s.
//!
//! This page is a tour. The [guide](guide) goes on from here.
//!
//! # How to depend on it
//!
//! The crate is not on a registry so far. Put a copy of its repository beside your program, and
//! depend on it by path (Cargo also accepts `git = "…"` with the address from which you cloned):
//!
//! ```toml
//! [package]
//! name = "my_program"
//! version = "0.1.0"
//! edition = "2024"
//!
//! [dependencies]
//! # Sockets, processes and signals are in the feature `net`, which is on by default.
//! fibra = { path = "../fibra" }
//! # More: features = ["tls", "http", "https", "greenlet", "tokio", "tracing"].
//! # Less: default-features = false.
//!
//! [profile.release]
//! lto = "thin"            # `lto = "off"` makes a switch several times slower
//! ```
//!
//! # Fibers
//!
//! [`run`] turns the calling thread into a scheduler and runs a closure as its main fiber.
//! [`spawn`] starts more fibers; [`JoinHandle::join`] waits for one and returns its result, or the
//! reason why there is none. When the main fiber returns, all others are killed and unwound, and
//! `run` returns.
//!
//! ```
//! fibra::run(|| {
//!     let double = |n: u32| fibra::spawn(move || 2 * n);
//!     let (a, b) = (double(1), double(20));
//!     assert_eq!(a.join().unwrap() + b.join().unwrap(), 42);
//!
//!     let failed = fibra::spawn(|| -> u32 { std::panic::resume_unwind(Box::new("out of milk")) });
//!     assert!(failed.join().unwrap_err().is_panic());
//! });
//! ```
//!
//! Fibers are not preempted. Another fiber runs only when the current one waits, ends, or calls
//! [`yield_now`]. A spawned or woken fiber goes to the end of the run ring, so a program always
//! interleaves in the same way. [`scope`] and [`nursery`] start fibers that borrow from their
//! caller, [`Builder`] sets a name and a stack size, [`sleep`] and [`park`] wait, and an
//! [`Unparker`] wakes a fiber from any thread. A whole program starts with [`main()`], which
//! ends it in an orderly way on Ctrl-C.
//!
//! # Channels
//!
//! [`channel::Channel`] passes values directly from a sender to a receiver, which runs immediately:
//!
//! ```
//! use fibra::channel::Channel;
//!
//! fibra::run(|| {
//!     let kicks = Channel::new();
//!     let sack = kicks.clone();
//!     let player = fibra::spawn(move || {
//!         for kick in sack.iter() {
//!             println!("caught {kick}");
//!         }
//!     });
//!     for kick in ["a low one", "a high one"] {
//!         println!("kicking {kick}");
//!         kicks.send(kick).unwrap(); // prints "caught ..." before it returns
//!     }
//!     kicks.close();
//!     player.join().unwrap();
//! });
//! ```
//!
//! [`channel::bounded`], [`channel::unbounded`] and [`channel::oneshot`](channel::oneshot()) hold
//! values. [`sync::mpmc`] and the locks of [`sync`] also work between threads. [`select!`] waits
//! for the first of several operations. A program whose fibers all wait for each other does not
//! hang: one wait fails with a [`Deadlock`], which lists every fiber and what it waits for.
//!
//! # Cancellation in five lines
//!
//! A kill, and the end of a time limit, unwind a fiber from the place where it waits, and run its
//! destructors. Code that catches the unwind is unwound again at its next wait.
//!
//! ```
//! # use std::time::Duration;
//! # fibra::run(|| {
//! let waiter = fibra::spawn(|| fibra::sleep(Duration::from_secs(3600)));
//! fibra::yield_now(); // it sleeps now
//! waiter.kill();
//! assert!(waiter.join().unwrap_err().is_killed());
//! assert!(fibra::time::timeout(Duration::from_millis(1), fibra::park).is_err());
//! # });
//! ```
//!
//! [`cancellation`] has the rules; [`shield`] delays a kill, and [`finally`] runs clean-up that
//! waits.
//!
//! # Sockets
//!
//! [`net`] has std's names and signatures. A call that has to wait parks its fiber, and the thread
//! runs other fibers.
//!
#![cfg_attr(feature = "net", doc = "```")]
#![cfg_attr(not(feature = "net"), doc = "```ignore")]
//! use std::io::{self, Read, Write};
//! use std::time::Duration;
//! use fibra::net::TcpStream;
//! use fibra::server::Server;
//!
//! fn main() -> io::Result<()> {
//!     fibra::run(|| {
//!         let server = Server::bind("127.0.0.1:0")?.max_connections(1000);
//!         let address = server.listener().local_addr()?;
//!         // An echo server: a fiber per connection.
//!         let running = server.start(|stream, _peer| io::copy(&mut &stream, &mut &stream));
//!
//!         let mut client = TcpStream::connect(address)?;
//!         client.write_all(b"hello")?;
//!         let mut answer = [0; 5];
//!         client.read_exact(&mut answer)?;
//!         assert_eq!(&answer, b"hello");
//!         drop(client);
//!         running.shutdown(Duration::from_secs(1));
//!         Ok(())
//!     })
//! }
//! ```
//!
//! [`process`], [`signal`], [`fs`] and [`io`] do the same for child processes, signals, files and
//! any descriptor. [`blocking`](blocking()) runs a call that blocks its thread on another thread,
//! and [`future::block_on`] waits for a future.
//!
//! # HTTP
//!
//! With the feature `http`, [`http`] has servers whose handlers may wait; with `http-client` and
//! `https` also a client for URLs. Three pages at the same time, each with up to three attempts:
//!
#![cfg_attr(feature = "https", doc = "```no_run")]
#![cfg_attr(not(feature = "https"), doc = "```ignore")]
//! use std::time::Duration;
//! use fibra::http::{Client, Error};
//! use fibra::pool::Retry;
//!
//! fn main() -> std::process::ExitCode {
//!     // Ctrl-C ends all of it, and closes the connections.
//!     fibra::main(|| {
//!         let client = Client::new();
//!         let fetch = |url| client.get(url).send()?.error_for_status()?.text();
//!         fibra::scope(|scope| {
//!             for url in ["https://crates.io/", "https://docs.rs/", "https://lib.rs/"] {
//!                 let retry = Retry::attempts(3).wait(Duration::from_millis(200));
//!                 let retry = retry.on(Error::is_transient);
//!                 scope.spawn(move || match retry.run(|_attempt| fetch(url)) {
//!                     Ok(text) => println!("{url}: {} bytes", text.len()),
//!                     Err(error) => println!("{error}"),
//!                 });
//!             }
//!         });
//!     })
//! }
//! ```
//!
#![cfg_attr(
    feature = "http-client",
    doc = "The page [`guide::http`] shows servers, TLS, HTTP/2, limits and errors."
)]
//!
//! # Many cores
//!
//! A [`Runtime`] may have a scheduler on each core. A [`Handle`] spawns jobs, closures that are
//! `Send`, which any of them starts; [`par`] has loops and maps over borrowed data.
//!
//! ```
//! # fn main() -> std::io::Result<()> {
//! fibra::Runtime::builder().all_cores().build()?.run(|| {
//!     let job = fibra::Handle::current().spawn(|| 6 * 7);
//!     let words = ["green", "threads"];
//!     assert_eq!(fibra::par::map(&words, |word| word.len()), [5, 7]);
//!     assert_eq!(job.join().unwrap(), 42);
//! });
//! # Ok(())
//! # }
//! ```
//!
//! The page [`many_cores`](guide::many_cores) of the guide explains what runs where. [`run`] and
//! [`main()`] use one thread.
//!
//! # Generators
//!
//! A function that yields is an iterator, at whatever call depth it yields. It needs no scheduler:
//! [`frame`] is enough.
//!
//! ```
//! use fibra::generator::{self, Yielder};
//!
//! fn hanoi(y: &Yielder<(char, char)>, disks: u32, from: char, to: char, by: char) {
//!     if disks != 0 {
//!         hanoi(y, disks - 1, from, by, to);
//!         y.yield_((from, to));
//!         hanoi(y, disks - 1, by, to, from);
//!     }
//! }
//!
//! fibra::frame(|| {
//!     let moves = generator::iter(|y| hanoi(y, 10, 'a', 'c', 'b'));
//!     assert_eq!(moves.count(), 1023);
//! });
//! ```
//!
//! # Modules
//!
//! | to do this | use |
//! |---|---|
//! | start a scheduler | [`run`], [`main()`], [`Runtime`] |
//! | start a fiber and wait for its result | [`spawn`], [`spawn_now`], [`Builder`], [`JoinHandle`], [`scope`], [`nursery`] |
//! | refer to a fiber, end it | [`Fiber`], [`current`], [`exit`] |
//! | let others run, wait, wake | [`yield_now`], [`sleep`], [`park`], [`Unparker`] |
//! | pass values within a thread | [`channel`] |
//! | lock, signal and pass values, also between threads | [`sync`] |
//! | use all cores | [`Runtime::builder`], [`Handle`], [`RemoteHandle`], [`par`] |
//! | wait for the first of several | [`select!`](macro@select), [`select::Select`] |
//! | limit time, tick | [`time`], and [`testing`] for tests on a virtual clock |
//! | protect a critical part, clean up | [`shield`], [`finally`], [`checkpoint`], [`cancellation`] |
//! | run many fibers with a limit, retry, race | [`pool`] |
//! | use sockets, serve connections | [`net`], [`server`], [`io`] |
//! | fetch URLs, serve HTTP, encrypt (features) | [`http`], [`tls`] |
//! | read files, start processes, get signals | [`fs`], [`process`], [`signal`] |
//! | call code that blocks, await a future | [`blocking`](mod@blocking), [`future`] |
//! | keep a value per fiber | [`local!`], [`FiberLocal`] |
//! | keep a library's thread-local value per fiber | [`context`] |
//! | make one deep call | [`with_stack_size`] |
//! | yield values from any depth | [`generator`], [`frame`] |
//! | see all fibers, their stacks, and counters | [`dump`], [`dump_with_stacks`], [`stats`] |
//! | give the memory of unused stacks back | [`trim_stacks`] |
//! | use tasklets as in Stackless Python | [`stackless`] |
//!
//! # Features
//!
//! | feature | by default | adds |
//! |---|---|---|
//! | `net` | yes | [`net`], [`io`], [`server`], [`process`], [`signal`], [`main()`] |
//! | `diagnostics` | yes | [`StackTrace`]: the native stacks of fibers, with the names of functions; with `net`, [`RuntimeBuilder::inspect`]: a socket for other programs |
//! | `tls` | no | [`tls`]: TLS over any stream, by rustls; choose the cryptography in your own dependency on `rustls` |
//! | `http` | no | [`http`]: HTTP/1 by hyper, with handlers that may block |
//! | `http-client` | no | `http::get` and `http::Client`: URLs, kept connections, redirects, proxies, time limits |
//! | `https` | no | TLS for `http::Client`: the cryptography of ring, the certificates of the system |
//! | `http2` | no | HTTP/2 in [`http`], also for services that are built on it, such as tonic's |
//! | `json` | no | JSON for `http::Client`, by serde |
//! | `gzip` | no | responses for `http::Client` that are compressed with gzip |
//! | `ureq` | no | [`ureq`]: the HTTP client ureq on fibers |
//! | `greenlet` | no | [`greenlet`]: switches between call stacks by name, as in Python's greenlet |
//! | `tokio` | no | [`RuntimeBuilder::tokio`]: a runtime of tokio for the fibers; [`guest()`]: fibers as a future of tokio; [`run`] works inside a task of tokio |
//! | `tokio-io` | no | `AsyncRead` and `AsyncWrite` of tokio for all streams |
//! | `futures-io` | no | `AsyncRead` and `AsyncWrite` of futures-io for all streams |
//! | `stream` | no | streams and sinks of [`sync::mpmc`], and streams as iterators (`future::iter`) |
//! | `tracing` | no | [`tracing`]: spans of the crate tracing that stay with a fiber across its waits |
//!
//! # Platforms
//!
//! Everything is measured and tested on Linux, x86-64. Other Unix systems use portable code:
//! `mprotect` guards for stacks, and the `polling` crate for readiness. The processor must be one
//! for which corosensei has a switch (x86, x86-64, ARM, 64-bit ARM, RISC-V, LoongArch, PowerPC);
//! WebAssembly is not among them. Threads with CET shadow stacks are refused with an error.
//!
//! The minimum Rust version is 1.85, the compiler of Debian stable. A later release may need a
//! newer one only if Debian stable has it, with a new minor version and a line in the
//! [changelog](guide::changelog), never with a patch.
//!
//! # What it is not for
//!
//! - **A million tasks that each hold fifty bytes.** A future takes a tenth of the memory of a
//!   fiber.
//! - **Fibers that move between cores.** A fiber never leaves the thread on which it has started.
//!   Jobs go to any core [before they start](guide::many_cores#why-started-fibers-do-not-move).
//! - **Libraries that block in system calls of their own.** Nothing is patched: such a call stops
//!   all fibers of its thread, unless it is made through [`blocking`](blocking()).
//! - **Crates that keep a "current" value per thread.** All fibers of the thread see it. Use
//!   [`local!`], or let a [`context`] take the value off the thread at each wait.
//!
//! # More pages
//!
//! - The [guide](guide): first steps, channels and order, time and cancellation, many cores,
//!   servers, crates of the async world, stacks, pitfalls, the environment; and pages for users of
//!   asyncio, tokio, Go, gevent, greenlet or Stackless Python.
//! - [Architecture](guide::architecture), [safety](guide::safety), [changelog](guide::changelog),
//!   and what is [stable](stability).
// Where a feature is off, the links to what it adds lead to the table of features.
//!
#![cfg_attr(
    not(feature = "net"),
    doc = "[`net`]: #features
[`io`]: #features
[`server`]: #features
[`process`]: #features
[`signal`]: #features
[`main()`]: #features"
)]
#![cfg_attr(
    not(feature = "diagnostics"),
    doc = "[`StackTrace`]: #features
[`dump_with_stacks`]: #features"
)]
#![cfg_attr(
    not(all(feature = "diagnostics", feature = "net")),
    doc = "[`RuntimeBuilder::inspect`]: #features"
)]
#![cfg_attr(not(feature = "tls"), doc = "[`tls`]: #features")]
#![cfg_attr(not(feature = "http"), doc = "[`http`]: #features")]
#![cfg_attr(not(feature = "greenlet"), doc = "[`greenlet`]: #features")]
#![cfg_attr(
    not(feature = "tokio"),
    doc = "[`RuntimeBuilder::tokio`]: #features
[`guest()`]: #features"
)]
#![cfg_attr(not(feature = "tracing"), doc = "[`tracing`]: #features")]
#![cfg_attr(not(feature = "ureq"), doc = "[`ureq`]: #features")]
#![cfg_attr(docsrs, feature(doc_cfg))]
// `rust-version` holds for this crate; Cargo.toml allows its tests more.
#![warn(clippy::incompatible_msrv)]

pub mod blocking;
#[doc(hidden)]
pub mod build_info;
pub mod cancellation;
pub mod channel;
#[cfg(feature = "net")]
pub mod coming_from_gevent;
pub mod context;
pub mod fs;
pub mod future;
pub mod generator;
#[cfg(feature = "greenlet")]
pub mod greenlet;
pub mod guide;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "net")]
pub mod io;
#[cfg(feature = "net")]
pub mod net;
pub mod par;
pub mod pool;
#[cfg(feature = "net")]
pub mod process;
pub mod select;
#[cfg(feature = "net")]
pub mod server;
#[cfg(feature = "net")]
pub mod signal;
pub mod stability;
pub mod stackless;
pub mod sync;
pub mod testing;
pub mod time;
#[cfg(feature = "tls")]
pub mod tls;
#[cfg(feature = "tracing")]
pub mod tracing;
#[cfg(feature = "ureq")]
pub mod ureq;

/// The README, whose programs are tested like the others.
#[cfg(all(doctest, feature = "https"))]
#[doc = include_str!("../README.md")]
mod readme {}

mod collections;
mod fiber;
#[cfg(feature = "tokio")]
mod host;
#[cfg(all(feature = "diagnostics", feature = "net"))]
mod inspect;
mod jobs;
mod offload;
#[cfg(feature = "net")]
mod program;
#[cfg(feature = "net")]
mod reactor;
mod runtime;
mod sched;
mod stack;
#[cfg(feature = "diagnostics")]
mod stack_trace;
#[cfg_attr(
    not(all(
        feature = "diagnostics",
        feature = "net",
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64")
    )),
    allow(
        dead_code,
        reason = "stacks are read with `diagnostics`, and all fibers listed with `net`"
    )
)]
mod watchdog;

pub use fiber::dump_difference::{DumpChange, DumpDifference};
pub use fiber::exit::JoinError;
pub use fiber::id::FiberId;
pub use fiber::locals::FiberLocal;
pub use fiber::panic::Panic;
pub use fiber::panic_hook::install_panic_hook;
pub use fiber::snapshot::{Activity, Deadlock, Dump, FiberSnapshot};
pub use fiber::waits_for::{Descriptor, WaitsFor};
#[cfg(feature = "tokio")]
pub use host::{Guest, guest};
pub use jobs::error::TrySpawnError;
pub use jobs::handle::Handle;
pub use jobs::remote_handle::RemoteHandle;
pub use jobs::runtime_dump::{RuntimeDump, SchedulerDump, SchedulerState};
pub use offload::blocking;
#[cfg(feature = "net")]
pub use program::main;
pub use runtime::{Runtime, RuntimeBuilder, frame, run};
pub use sched::api::handle::{Fiber, current, in_fiber};
pub use sched::api::join::JoinHandle;
pub use sched::api::run::{Killed, exit};
pub use sched::api::scope::{Scope, ScopedJoinHandle, nursery, scope};
pub use sched::api::shield::{checkpoint, finally, shield, shield_for};
pub use sched::api::spawn::{Builder, spawn, spawn_now};
pub use sched::api::trim_stacks::trim_stacks;
pub use sched::api::with_stack::with_stack_size;
pub use sched::core::observer::{Hooks, Spawned};
pub use sched::core::park::{
    now, park, park_deadline, park_timeout, sleep, sleep_until, yield_now,
};
pub use sched::deadlock::dump::{Stats, dump, stats};
#[cfg(feature = "diagnostics")]
pub use sched::deadlock::stacks::dump_with_stacks;
pub use sched::threads::remote::Unparker;
#[cfg(feature = "net")]
pub use signal::attendant::dump_on_sigquit;
#[cfg(feature = "diagnostics")]
pub use stack_trace::{StackFrame, StackTrace};
