//! A guide for users of tokio: the names here, and a program on both. (This module contains
//! documentation only.)
//!
//! # A program
//!
//! ```
//! use std::time::Duration;
//! use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
//! use tokio::net::{TcpListener, TcpStream};
//! use tokio::time::timeout;
//!
//! async fn handle(mut stream: TcpStream) -> std::io::Result<()> {
//!     let (reader, mut writer) = stream.split();
//!     let mut lines = BufReader::new(reader).lines();
//!     while let Some(line) = lines.next_line().await? {
//!         writer.write_all(format!("{}\n", line.to_uppercase()).as_bytes()).await?;
//!     }
//!     Ok(())
//! }
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> std::io::Result<()> {
//!     let listener = TcpListener::bind("127.0.0.1:0").await?;
//!     let address = listener.local_addr()?;
//!     let server = tokio::spawn(async move {
//!         loop {
//!             let (stream, _) = listener.accept().await?;
//!             tokio::spawn(handle(stream));
//!         }
//!         # #[allow(unreachable_code)]
//!         std::io::Result::Ok(())
//!     });
//!     let (sender, mut answers) = tokio::sync::mpsc::channel(1);
//!     for word in ["one", "two"] {
//!         let sender = sender.clone();
//!         tokio::spawn(async move {
//!             let mut stream = TcpStream::connect(address).await.unwrap();
//!             stream.write_all(format!("{word}\n").as_bytes()).await.unwrap();
//!             let mut answer = String::new();
//!             let read = BufReader::new(stream).read_line(&mut answer).await;
//!             sender.send((read.unwrap(), answer)).await.unwrap();
//!         });
//!     }
//!     drop(sender);
//!     while let Ok(Some((length, answer))) =
//!         timeout(Duration::from_secs(1), answers.recv()).await
//!     {
//!         print!("{length} bytes: {answer}");
//!     }
//!     server.abort();
//!     Ok(())
//! }
//! ```
//!
//! ```
//! use std::io::{self, BufRead, BufReader, Write};
//! use std::time::Duration;
//! use fibra::channel;
//! use fibra::net::TcpStream;
//! use fibra::server::Server;
//!
//! fn handle(stream: &TcpStream) -> io::Result<()> {
//!     for line in BufReader::new(stream).lines() {
//!         writeln!(&*stream, "{}", line?.to_uppercase())?;
//!     }
//!     Ok(())
//! }
//!
//! fn main() -> io::Result<()> {
//!     fibra::run(|| {
//!         let server = Server::bind("127.0.0.1:0")?;
//!         let address = server.listener().local_addr()?;
//!         let running = server.start(|stream, _peer| handle(&stream));
//!         let (sender, answers) = channel::bounded(1);
//!         for word in ["one", "two"] {
//!             let sender = sender.clone();
//!             fibra::spawn(move || {
//!                 let stream = TcpStream::connect(address).unwrap();
//!                 writeln!(&stream, "{word}").unwrap();
//!                 let mut answer = String::new();
//!                 let read = BufReader::new(&stream).read_line(&mut answer);
//!                 sender.send((read.unwrap(), answer)).unwrap();
//!             });
//!         }
//!         drop(sender);
//!         # let mut n = 0;
//!         while let Ok((length, answer)) = answers.recv_timeout(Duration::from_secs(1)) {
//!             print!("{length} bytes: {answer}");
//!             # n += 1;
//!         }
//!         # assert_eq!(n, 2);
//!         running.shutdown(Duration::from_secs(1));
//!         Ok(())
//!     })
//! }
//! ```
//!
//! # What differs
//!
//! - There is no `async`: a function that waits is a function. Callbacks, closures of iterators,
//!   destructors and traits of other crates may wait, and recursion needs no boxes.
//! - A fiber stays on its thread, so its closure needs no `Send`: share an `Rc`. The price: work
//!   does not spread over cores by itself. A [`Runtime`](crate::Runtime) of several threads starts
//!   *jobs* on any of them: see [`many_cores`](super::many_cores).
//! - A waiting fiber takes about 5 KiB, a future often less than 0.5 KiB.
//! - A future is cancelled when it is dropped, at any `await`, and its destructors cannot wait. A
//!   fiber is cancelled by an unwind from its wait: destructors run as usual, and may wait. A
//!   receive in [`select!`](crate::select!) that was not chosen has taken nothing.
//! - Dropping a [`JoinHandle`](crate::JoinHandle) detaches, as in tokio. But when the closure of
//!   `run` returns, the remaining fibers are unwound before `run` returns.
//! - Output from `write` goes to the system immediately; there is nothing to `flush` in a
//!   `TcpStream`.
//! - When all fibers wait for each other, one wait fails with a report.
//!
//! # tokio's crates on fibers
//!
//! | crate | how |
//! |---|---|
//! | channels, locks, `select!` of tokio; `tower`; streams | [`future::block_on`](crate::future::block_on) around each call |
//! | hyper, axum | the feature `http` |
//! | crates that take a stream: tokio-util, tokio-postgres, tokio-tungstenite | a stream of fibra, with the feature `tokio-io`: [`beside_async`](super::beside_async) |
//! | what needs tokio's reactor or timers | `Runtime::builder().tokio()`: [`beside_async`](super::beside_async) |
//! | fibers inside a tokio task | `fibra::guest`, or `fibra::run` in `spawn_blocking`: [`beside_async`](super::beside_async#which-to-choose) |
//! | a crate by its name | the table of [`which_crate`](super::which_crate) |
//! | a fiber that an `async` function awaits | [`future::spawn`](crate::future::spawn) |
//!
//! # Names
//!
//! | tokio | fibra |
//! |---|---|
//! | `#[tokio::main]`, `Runtime::block_on` | [`run`](crate::run), [`main`](crate::main()) |
//! | `Builder::new_multi_thread`, `worker_threads` | [`Runtime::builder`](crate::Runtime::builder), [`threads`](crate::RuntimeBuilder::threads), [`all_cores`](crate::RuntimeBuilder::all_cores) |
//! | `spawn_local`; `spawn`, `Handle::spawn` | [`spawn`](crate::spawn); on any core [`Handle::spawn`](crate::Handle::spawn), [`spawn_future`](crate::Handle::spawn_future) |
//! | `JoinHandle`: `.await`, `abort`, `is_finished` | [`join`](crate::JoinHandle::join), [`kill`](crate::JoinHandle::kill), [`is_finished`](crate::JoinHandle::is_finished) |
//! | `JoinError::is_panic`, `is_cancelled` | [`is_panic`](crate::JoinError::is_panic), [`is_killed`](crate::JoinError::is_killed) |
//! | `JoinSet`, `join_next` | [`pool::Group`](crate::pool::Group), [`next`](crate::pool::Group::next) |
//! | `join!`, `try_join!` | [`scope`](crate::scope); [`join_all`](crate::pool::join_all), [`try_join_all`](crate::pool::try_join_all) |
//! | `select!` | [`select!`](crate::select!) |
//! | `spawn_blocking`, `block_in_place` | [`blocking`](fn@crate::blocking), [`uninterruptible`](crate::blocking::uninterruptible) |
//! | `task::yield_now`, `coop` | [`yield_now`](crate::yield_now); fibra's calls have a budget, too |
//! | `task_local!` | [`local!`](crate::local) |
//! | `CancellationToken` | [`Event`](crate::sync::Event) in a `select!`; a [`nursery`](crate::nursery); [`kill`](crate::Fiber::kill) |
//! | `time::sleep`, `timeout`, `interval` | [`sleep`](crate::sleep), [`time::timeout`](crate::time::timeout), [`time::interval`](crate::time::interval) |
//! | `time::pause`, `advance` | [`virtual_clock`](crate::RuntimeBuilder::virtual_clock) |
//! | `sync::mpsc` | [`channel::bounded`](crate::channel::bounded), [`unbounded`](crate::channel::unbounded); between threads [`sync::mpmc`](crate::sync::mpmc) |
//! | `sync::oneshot` | [`channel::oneshot`](crate::channel::oneshot()); between threads [`sync::oneshot`](crate::sync::oneshot()) |
//! | `sync::watch`, `SetOnce` | [`sync::promise`](crate::sync::promise()) for one value; [`Condvar`](crate::sync::Condvar) |
//! | `Notify` | [`Event`](crate::sync::Event), [`park`](crate::park) and [`unpark`](crate::Fiber::unpark) |
//! | `sync::Mutex`, `RwLock`, `Semaphore`, `Barrier`, `OnceCell` | the same names in [`sync`](crate::sync) |
//! | `net`, `io`, `fs`, `process`, `signal` | the same names in [`net`](crate::net), [`io`](crate::io), [`fs`](crate::fs), [`process`](crate::process), [`signal`](crate::signal) |
//! | `TcpSocket` | [`TcpListener::builder`](crate::net::TcpListener::builder), [`TcpStream::builder`](crate::net::TcpStream::builder) |
//! | `AsyncRead`, `AsyncWrite`, `BufReader`, `copy` | std's [`Read`](std::io::Read), [`Write`](std::io::Write), [`BufReader`](std::io::BufReader), [`copy`](std::io::copy()) |
//! | `AsyncFd` | [`io::Waitable`](crate::io::Waitable), [`wait_readable`](crate::io::wait_readable) |
//! | `RuntimeMetrics`, tokio-console | [`stats`](crate::stats()), [`dump`](crate::dump()), [`Handle::dump`](crate::Handle::dump) |
