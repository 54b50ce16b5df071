//! Fibers beside async: futures in fibers, fibers in futures, and streams that both use.
//! (This module contains documentation only.)
//!
//! A fiber is a task already, so there is no executor to start:
//! [`block_on`](crate::future::block_on) polls a future in the fiber that calls it, and the thread
//! runs other fibers while the future waits. In the other direction,
//! [`future::spawn`](crate::future::spawn) runs a closure that may block in a fiber, and returns a
//! future of its result.
//!
//! Many futures need only that: channels, locks, combinators, protocols over any stream. Others use
//! the sockets, timers or tasks of tokio, and panic where no runtime of tokio is current. The page
//! [`which_crate`](crate::guide::which_crate) lists both kinds.
//!
//! # tokio for the fibers: the companion
//!
//! With the feature `tokio`, `Runtime::builder().tokio()` gives each scheduler a `current_thread`
//! runtime of tokio on its own thread. Nothing else changes in the program:
//!
#![cfg_attr(feature = "tokio", doc = "```")]
#![cfg_attr(not(feature = "tokio"), doc = "```ignore")]
//! use std::time::Duration;
//! use fibra::future::block_on;
//!
//! # fn main() -> std::io::Result<()> {
//! fibra::Runtime::builder().tokio().build()?.run(|| {
//!     let fiber = fibra::spawn(|| {
//!         block_on(tokio::time::sleep(Duration::from_millis(1))); // a timer of tokio
//!         block_on(tokio::spawn(async { 42 })).unwrap() // a task of tokio
//!     });
//!     assert_eq!(fiber.join().unwrap(), 42);
//! });
//! # Ok(())
//! # }
//! ```
//!
//! # Fibers for a program of tokio: the guest
//!
//! A program that has a `current_thread` runtime or a `LocalSet` already, with a framework that
//! owns `main`, runs fibers as one future there: `fibra::guest`. [`frame`](crate::frame) around the
//! `block_on` of the runtime is what makes that sound:
//!
#![cfg_attr(feature = "tokio", doc = "```")]
#![cfg_attr(not(feature = "tokio"), doc = "```ignore")]
//! # fn main() -> std::io::Result<()> {
//! let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! let sum = fibra::frame(|| {
//!     tokio.block_on(fibra::guest(|| {
//!         let fibers: Vec<_> = (0..10).map(|n| fibra::spawn(move || n)).collect();
//!         fibers.into_iter().map(|fiber| fiber.join().unwrap()).sum::<u32>()
//!     }))
//! });
//! assert_eq!(sum, Ok(45));
//! # Ok(())
//! # }
//! ```
//!
//! # Which to choose
//!
//! | your program | choose |
//! |---|---|
//! | consists of fibers, with some crates for tokio | `.tokio()` |
//! | is `async`, on one thread, and some of its parts should be fibers | `fibra::guest` |
//! | is `async`, under `#[tokio::main]` with its threads | [`run`](crate::run) in `spawn_blocking`; `.tokio()` there uses the runtime of `main` |
//! | has a runtime with threads that it must share | `.tokio_handle(handle)` |
//! | uses crates that take any stream | none of them: the traits [below](#streams-with-the-traits-of-other-crates) |
//!
//! # What runs where
//!
//! - *Fibers* run on the stacks of their scheduler, *tasks* of tokio on the stack of the thread,
//!   between two batches of fibers and while no fiber is ready. A fiber that computes holds up the
//!   tasks of its thread, and a task that computes holds up the fibers.
//! - *A future* runs where it is polled: in the fiber that called `block_on`. Tasks that it spawns
//!   are tasks.
//! - *A client that spawns a task* for its connection, as most do, stays with the runtime of the
//!   thread where it was made. With [several schedulers](crate::guide::many_cores), others may use
//!   it, and each answer then crosses threads. A client per scheduler avoids that.
//! - *The end:* the tasks of a companion are dropped when its scheduler has unwound its fibers.
//!   Join a task, or close its client, if it has something to finish.
//! - *Wakes* between fibers and tasks of one thread do not leave the thread.
//! - *Time limits:* [`timeout`](crate::time::timeout) around `block_on` works with every future,
//!   and drops it. Beside tokio, sleeps and limits end on the next millisecond.
//!
//! # What it costs
//!
//! 10,000 round trips to Redis by 100 fibers that share a connection of the crate redis, as a
//! multiple of what 100 tasks take on tokio alone in the same run (medians of 15 interleaved
//! rounds):
//!
//! | way | ratio |
//! |---|--:|
//! | `.tokio()` | 1.02 |
//! | `fibra::guest` | 1.00 |
//! | `.tokio_handle(..)`: a runtime with a thread of its own | 2.46 |
//!
//! The third one wakes another thread for each answer. The feature `tokio` adds four crates, and
//! without `.tokio()` a scheduler contains nothing of them.
//!
//! # What does not work
//!
//! - A task is no fiber: [`sleep`](crate::sleep), a lock or a socket of fibra in its blocking form
//!   waits for the thread there. Use the `async` forms of [`sync`](crate::sync) and of the sockets,
//!   or [`future::spawn`](crate::future::spawn) in a fiber.
//! - Deadlocks of fibers are not found beside tokio, because a task might end them. A runtime with
//!   a [virtual clock](crate::RuntimeBuilder::virtual_clock) has no tokio.
//! - tokio's `block_on`, `blocking_recv` and `blocking_lock` panic in a fiber of such a runtime.
//!   Without tokio, and in other crates, such calls
//!   [stop the thread](crate::guide::which_crate#calls-that-stop-the-thread).
//! - `block_in_place` needs a runtime with several threads: use [`blocking`](fn@crate::blocking).
//! - Guards of `Handle::enter`, spans of `tracing` and other "current" values of a thread must not
//!   be held across a wait: see the
//!   [pitfalls](crate::guide::pitfalls#thread-locals-of-other-crates).
//!
//! # Streams with the traits of other crates
//!
//! Crates of the async world read and write streams through traits. fibra's streams implement them,
//! so such a crate works on a fibra socket without a reactor of its own:
//!
//! | traits | feature | used by |
//! |---|---|---|
//! | `AsyncRead`, `AsyncWrite` of tokio | `tokio-io` | tokio-util, tokio-postgres, tokio-tungstenite, redis, h2 |
//! | `AsyncRead`, `AsyncWrite` of futures-io | `futures-io` | futures, futures-lite, smol's crates |
//! | `Read`, `Write` of hyper | `http`: `fibra::http::Io` around the stream | hyper, and what is built on it |
//! | [`PollIo`](crate::io::PollIo) | `net` | your own futures |
//!
//! These types have them, and references to them as well, so that one task reads while another one
//! writes: [`TcpStream`](crate::net::TcpStream), [`UnixStream`](crate::net::UnixStream), the halves
//! of a split stream, `fibra::tls::TlsStream`, the pipes of a [`Child`](crate::process::Child), and
//! [`Waitable`](crate::io::Waitable) around any other descriptor. `AsyncBufRead` comes from the
//! `BufReader` of either crate.
//!
#![cfg_attr(feature = "tokio-io", doc = "```")]
#![cfg_attr(not(feature = "tokio-io"), doc = "```ignore")]
//! use std::io;
//! use fibra::future::block_on;
//! use fibra::net::{TcpListener, TcpStream};
//!
//! /// Answers a line in capitals, by tokio's traits.
//! async fn shout(stream: &TcpStream) -> io::Result<()> {
//!     use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
//!     let mut line = String::new();
//!     BufReader::new(stream).read_line(&mut line).await?;
//!     let mut writer = stream;
//!     writer.write_all(line.to_uppercase().as_bytes()).await
//! }
//!
//! fn main() -> io::Result<()> {
//!     use std::io::{BufRead, BufReader, Write};
//!     fibra::run(|| {
//!         let listener = TcpListener::bind("127.0.0.1:0")?;
//!         let address = listener.local_addr()?;
//!         let server = fibra::spawn(move || block_on(shout(&listener.accept()?.0)));
//!         let stream = TcpStream::connect(address)?;
//!         writeln!(&stream, "hello")?;
//!         let mut answer = String::new();
//!         BufReader::new(&stream).read_line(&mut answer)?;
//!         assert_eq!(answer, "HELLO\n");
//!         server.join().unwrap()
//!     })
//! }
//! ```
//!
//! Where both `std::io::Read` and one of the extension traits are imported, there are two methods
//! named `read`. Keep blocking and `async` code apart, or import the traits inside functions.
//!
//! # In what way the traits behave
//!
//! - *Wakers.* The task that polled last in each direction is woken: separately for reads and
//!   writes. A read that is dropped while it waits has taken no data.
//! - *The end.* `shutdown` of tokio and `close` of futures-io signal the end of the stream to the
//!   other side, and reads continue to work. TLS sends a `close_notify` before. A pipe has no such
//!   signal: drop it, and the child reads the end.
//! - *Flushing.* Sockets and pipes have nothing to flush. A TLS stream may keep encrypted data that
//!   its socket did not take: flush it before you wait for an answer.
//! - *Time limits.* `set_read_timeout` does not apply to futures. Use
//!   [`time::timeout`](crate::time::timeout) around the whole call.
//!
//! # Outside of fibers
//!
//! Any executor may poll these streams: a task of tokio, `futures_lite::future::block_on` on a
//! plain thread. A future that no fiber polls has no scheduler that waits for it. So when it has to
//! wait for the first time, the process starts one thread, "fibra-events", which waits for the
//! events of all such futures, and for the times of [`future::sleep`](crate::future::sleep), and
//! calls their wakers. A program that polls in fibers only never starts it. A stream or a timer may
//! move between the two worlds at any time.
//!
//! Inside a fiber, use [`block_on`](crate::future::block_on) and no `block_on` of another crate:
//! that would stop the thread of the fiber, with the scheduler that wakes the future. If no other
//! thread wakes it, the program hangs without a report.
//!
//! # Sockets without a stream's traits
//!
//! | to wait for | in a fiber | as a future | in your own `poll` |
//! |---|---|---|---|
//! | a connection to a server | [`connect`](crate::net::TcpStream::connect) | [`connect_async`](crate::net::TcpStream::connect_async) | |
//! | a connection from a client | [`accept`](crate::net::TcpListener::accept) | [`accept_async`](crate::net::TcpListener::accept_async) | [`poll_accept`](crate::net::TcpListener::poll_accept) |
//! | a datagram | [`recv_from`](crate::net::UdpSocket::recv_from) | [`recv_from_async`](crate::net::UdpSocket::recv_from_async) | [`poll_recv_from`](crate::net::UdpSocket::poll_recv_from) |
//! | room for a datagram | [`send_to`](crate::net::UdpSocket::send_to) | [`send_to_async`](crate::net::UdpSocket::send_to_async) | [`poll_send_to`](crate::net::UdpSocket::poll_send_to) |
//! | readiness | [`wait_readable`](crate::io::wait_readable) | [`readable`](crate::io::Waitable::readable) | |
//! | any operation that may return `WouldBlock` | [`read_with`](crate::io::Waitable::read_with) | | [`poll_read_with`](crate::io::Waitable::poll_read_with) |
//!
//! A future of [readiness](crate::io::Readiness) moves no data. So it can be an operation of
//! [`select!`](crate::select!), `readable(stream)`, beside channels, fibers and times; or one of
//! several futures of which the first one wins, and the others are dropped:
//!
//! ```
//! use std::io::Write;
//! use std::time::Duration;
//! use futures_lite::FutureExt;
//! use fibra::future::{block_on, sleep};
//! use fibra::net::UnixStream;
//!
//! # fn main() -> std::io::Result<()> {
//! fibra::run(|| {
//!     let (input, _quiet) = UnixStream::pair()?;
//!     let (commands, mut operator) = UnixStream::pair()?;
//!     fibra::spawn(move || operator.write_all(b"stop\n").map(|()| operator));
//!     let first = async { input.readable().await.map(|()| "input") }
//!         .or(async { commands.readable().await.map(|()| "a command") })
//!         .or(async {
//!             sleep(Duration::from_secs(10)).await;
//!             Ok("nothing")
//!         });
//!     assert_eq!(block_on(first)?, "a command");
//!     Ok(())
//! })
//! # }
//! ```
