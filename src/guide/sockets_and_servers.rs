//! Sockets and servers: clients, servers, limits, several cores.
//!
//! # Plain code that waits
//!
//! [`net`](crate::net) has the sockets of std, with std's names. They implement
//! [`Read`](std::io::Read) and [`Write`](std::io::Write), for `&TcpStream` as well, so everything
//! that is written for these traits works: [`BufReader`](std::io::BufReader),
//! [`io::copy`](std::io::copy()), codecs, clients of protocols. A call that would block parks the
//! fiber, and the thread runs others.
//!
//! ```
//! use std::io::{self, BufRead, BufReader, Write};
//! use fibra::net::{TcpListener, TcpStream};
//!
//! # fn main() -> io::Result<()> {
//! fibra::run(|| {
//!     let listener = TcpListener::bind("127.0.0.1:0")?;
//!     let address = listener.local_addr()?;
//!     let server = fibra::spawn(move || -> io::Result<()> {
//!         let (stream, _) = listener.accept()?;
//!         for line in BufReader::new(&stream).lines() {
//!             writeln!(&stream, "{}", line?.to_uppercase())?;
//!         }
//!         Ok(())
//!     });
//!
//!     let client = TcpStream::connect(address)?;
//!     writeln!(&client, "hello")?;
//!     let mut answer = String::new();
//!     BufReader::new(&client).read_line(&mut answer)?;
//!     assert_eq!(answer, "HELLO\n");
//!     drop(client);
//!     server.join().unwrap()
//! })
//! # }
//! ```
//!
//! [`into_split`](crate::net::TcpStream::into_split) gives two fibers a half each; several fibers
//! may also share one stream by reference. Host names are looked up on other threads.
//!
//! # Time limits
//!
//! [`time::timeout`](crate::time::timeout) around a whole conversation is usually what one wants: a
//! peer that sends one byte per second never exceeds a limit of one call.
//!
//! ```
//! use std::io::{self, Read};
//! use std::time::Duration;
//! use fibra::net::{TcpListener, TcpStream};
//! use fibra::time::timeout;
//!
//! # fn main() -> io::Result<()> {
//! fibra::run(|| {
//!     let listener = TcpListener::bind("127.0.0.1:0")?; // accepts nothing, and sends nothing
//!     let greeting = timeout(Duration::from_millis(5), || {
//!         let mut text = String::new();
//!         TcpStream::connect(listener.local_addr()?)?.read_to_string(&mut text)?;
//!         io::Result::Ok(text)
//!     });
//!     assert!(greeting.is_err()); // the stream was closed by its destructor
//!     Ok(())
//! })
//! # }
//! ```
//!
//! # A server
//!
//! A loop around [`accept`](crate::net::TcpListener::accept) that spawns a fiber per connection is
//! fine for a test. In production it needs a limit, it must not spin when no descriptors are left,
//! and it should end in an orderly way. [`Server`](crate::server::Server) does these:
//!
//! ```
//! use std::io::{self, BufRead, BufReader, Read, Write};
//! use std::time::Duration;
//! use fibra::net::TcpStream;
//! use fibra::server::Server;
//!
//! # fn main() -> io::Result<()> {
//! fibra::run(|| {
//!     let server = Server::bind("127.0.0.1:0")?.max_connections(10_000);
//!     let address = server.listener().local_addr()?;
//!     let stopping = server.stopping();
//!     let running = server.start(move |stream: TcpStream, _peer| -> io::Result<()> {
//!         for line in BufReader::new(&stream).lines() {
//!             writeln!(&stream, "{}", line?)?;
//!             if stopping.is_stopping() {
//!                 break; // between two requests
//!             }
//!         }
//!         Ok(())
//!     });
//!
//!     let mut client = TcpStream::connect(address)?;
//!     client.write_all(b"one\n")?;
//!     let mut echo = [0; 4];
//!     client.read_exact(&mut echo)?;
//!     drop(client);
//!     let end = running.shutdown(Duration::from_secs(5)); // at most; then connections are killed
//!     assert_eq!(end.killed, 0);
//!     Ok(())
//! })
//! # }
//! ```
//!
//! In a program, start with [`main`](crate::main()) and wait for a signal
//! ([`signal::ctrl_c`](crate::signal::ctrl_c)) before the shutdown.
//!
//! A connection costs its fiber's stack, of which a page or two are touched, and what the handler
//! allocates. [`connection_builder`](crate::server::Server::connection_builder) sets the stack
//! size.
//!
//! # TLS and HTTP
//!
//! With the feature `tls`, `tls::TlsAcceptor` and `tls::TlsConnector` wrap any of these streams. A
//! handshake waits for its peer. That of a server has a time limit of its own; put a
//! [`time::timeout`](crate::time::timeout) around that of a client.
//!
//! With `http`, `http::Http` serves a connection with a handler that may wait, or with a service
//! such as an axum router, and `http-client` has a client for URLs.
#![cfg_attr(feature = "http-client", doc = "[A page of its own](super::http) shows both.")]
#![cfg_attr(not(feature = "http-client"), doc = "The page `http` of this guide shows both.")]
//!
//! The repository's examples `tls_echo`, `http_server`, `fetch_three` and those beside them in its
//! `examples/README.md` are complete programs.
//!
//! # Several cores
//!
//! A scheduler uses one thread. A [`Runtime`](crate::Runtime) may have several, and
//! [`start_on_each`](crate::server::Server::start_on_each) serves on all of them. The main fiber
//! stays on the first one:
//!
//! ```
//! use std::io::{self, Read, Write};
//! use std::sync::atomic::{AtomicUsize, Ordering};
//! use std::time::Duration;
//! use fibra::net::TcpStream;
//! use fibra::server::Server;
//!
//! static SERVED: AtomicUsize = AtomicUsize::new(0);
//!
//! # fn main() -> io::Result<()> {
//! fibra::Runtime::builder().all_cores().build()?.run(|| {
//!     let server = Server::bind("127.0.0.1:0")?.max_connections(10_000);
//!     let address = server.listener().local_addr()?;
//!     let running = server.start_on_each(|stream: TcpStream, _peer| {
//!         // On any of the threads. The connection stays on this one.
//!         SERVED.fetch_add(1, Ordering::Relaxed);
//!         io::copy(&mut &stream, &mut &stream)
//!     });
//!
//!     let mut client = TcpStream::connect(address)?;
//!     client.write_all(b"x")?;
//!     client.read_exact(&mut [0])?;
//!     drop(client);
//!     running.shutdown(Duration::from_secs(5)); // of all threads
//!     assert_eq!(SERVED.load(Ordering::Relaxed), 1);
//!     Ok(())
//! })
//! # }
//! ```
//!
//! A connection is given to the thread that has the fewest. [`server`](crate::server#all-cores)
//! compares this with listeners that share a port (`SO_REUSEPORT`). HTTP is served in the same way:
//! the handler calls `serve_connection` of a shared `http::Http`, and its `Graceful` ends the
//! connections of all threads.
//!
//! Threads talk by the types of [`sync`](crate::sync), such as [`mpmc`](crate::sync::mpmc)
//! channels.
