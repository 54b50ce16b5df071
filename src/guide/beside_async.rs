//! Fibers beside async: futures in fibers, fibers in futures, and streams that both use.
//! (This module contains documentation only.)
//!
//! A fiber is a task already, so there is no executor to start:
//! [`block_on`](crate::future::block_on)
//! polls a future in the fiber that calls it, and the thread runs other fibers while the future
//! waits. In the other direction, [`future::spawn`](crate::future::spawn) runs a closure that may
//! block in a fiber, and returns a future of its result.
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
//! [`Waitable`](crate::io::Waitable) around any other
//! descriptor. `AsyncBufRead` comes from the `BufReader` of either crate.
//!
#![cfg_attr(feature = "tokio-io", doc = "```")]
#![cfg_attr(not(feature = "tokio-io"), doc = "```ignore")]
//! use std::io::{BufRead, BufReader, Write};
//! use fibra::future::block_on;
//! use fibra::net::{TcpListener, TcpStream};
//! use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
//!
//! # fn main() -> std::io::Result<()> {
//! fibra::run(|| {
//!     let listener = TcpListener::bind("127.0.0.1:0")?;
//!     let address = listener.local_addr()?;
//!     let server = fibra::spawn(move || {
//!         let (stream, _) = listener.accept()?;
//!         block_on(async {
//!             let mut line = String::new();
//!             tokio::io::BufReader::new(&stream).read_line(&mut line).await?;
//!             (&stream).write_all(line.to_uppercase().as_bytes()).await
//!         })
//!     });
//!     let stream = TcpStream::connect(address)?;
//!     writeln!(&stream, "hello")?;
//!     let mut answer = String::new();
//!     BufReader::new(&stream).read_line(&mut answer)?;
//!     assert_eq!(answer, "HELLO\n");
//!     server.join().unwrap()
//! })
//! # }
//! ```
//!
//! A file that imports both `std::io::Read` and one of the extension traits has two methods named
//! `read`. Keep blocking and `async` code apart, or import `AsyncReadExt as _` inside a function.
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
//! plain
//! thread. A future that no fiber polls has no scheduler that waits for it. So when it has to wait
//! for the first time, the process starts one thread, "fibra-events", which waits for the events of
//! all such futures and calls their wakers. A program that polls in fibers only never starts it. A
//! stream may move between the two worlds at any time.
//!
//! Inside a fiber, use [`block_on`](crate::future::block_on) and no `block_on` of another crate:
//! that
//! would stop the thread of the fiber, with the scheduler that is to wake the future. The timers of
//! [`future`](crate::future) work in fibers only.
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
//! A future of [readiness](crate::io::Readiness) moves no data. So it can be one of several futures
//! of which the first one wins, and the others are dropped:
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
