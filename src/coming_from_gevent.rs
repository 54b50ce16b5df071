//! A guide for users of gevent: the names here, and a program in both languages. (This module
//! contains documentation only.)
//!
//! # A program
//!
//! ```python
//! from gevent import Timeout, socket, subprocess
//! from gevent.pool import Pool
//! from gevent.server import StreamServer
//!
//! def handle(connection, address):
//!     for line in connection.makefile("rb"):
//!         connection.sendall(line.upper())
//!
//! def shout(word):
//!     with Timeout(1), socket.create_connection(server.address) as connection:
//!         connection.sendall(word + b"\n")
//!         return connection.makefile("rb").readline()
//!
//! server = StreamServer(("127.0.0.1", 0), handle)
//! server.start()
//! print(Pool(2).map(shout, [b"one", b"two", b"three"]))
//! print(subprocess.check_output(["echo", "done"]))
//! server.stop()
//! ```
//!
//! ```
//! use std::io::{self, BufRead, BufReader, Write};
//! use std::net::SocketAddr;
//! use std::time::Duration;
//! use fibra::net::TcpStream;
//! use fibra::pool::Pool;
//! use fibra::process::Command;
//! use fibra::server::Server;
//! use fibra::time::timeout;
//!
//! fn handle(connection: TcpStream, _address: SocketAddr) -> io::Result<()> {
//!     for line in BufReader::new(&connection).lines() {
//!         writeln!(&connection, "{}", line?.to_uppercase())?;
//!     }
//!     Ok(())
//! }
//!
//! fn shout(server: SocketAddr, word: &str) -> io::Result<String> {
//!     timeout(Duration::from_secs(1), || {
//!         let connection = TcpStream::connect(server)?;
//!         writeln!(&connection, "{word}")?;
//!         let mut line = String::new();
//!         BufReader::new(&connection).read_line(&mut line)?;
//!         Ok(line)
//!     })?
//! }
//!
//! fn main() -> io::Result<()> {
//!     fibra::run(|| {
//!         let server = Server::bind("127.0.0.1:0")?;
//!         let address = server.listener().local_addr()?;
//!         let running = server.start(handle);
//!         let words = ["one", "two", "three"];
//!         let answers = Pool::new(2).map(words, move |word| shout(address, word)).unwrap();
//!         println!("{answers:?}");
//!         # let answers = answers.into_iter().collect::<io::Result<Vec<_>>>()?;
//!         # assert_eq!(answers, ["ONE\n", "TWO\n", "THREE\n"]);
//!         println!("{:?}", Command::new("echo").arg("done").output()?.stdout);
//!         running.shutdown(Duration::from_secs(1));
//!         Ok(())
//!     })
//! }
//! ```
//!
//! Both make two requests at a time, and print the answers in the order of the words.
//!
//! # What differs
//!
//! - The hub is explicit: fibers live inside of [`fibra::run`](crate::run) or
//!   [`fibra::main`](crate::main()). When it returns, the fibers that are left are killed, and
//!   their destructors run. Outside of it the same calls block the thread.
//! - Nothing is patched. Calls that wait have another path, mostly `fibra::` instead of `std::`.
//!   For libraries that have sockets of their own, see [the last rows](#monkey).
//! - A kill and a timeout are not exceptions. They unwind from the next wait to the region that was
//!   cancelled, and code that catches them by accident is unwound again at its next wait: see
//!   [`cancellation`](crate::cancellation), which compares the two models.
//! - A timeout ends the call that set it, and never another one: there are no timeout objects to
//!   compare.
//! - The errors of calls are `Result`s. A panic is like an exception in gevent that no code
//!   catches: it is printed, and returned to the fiber that joins.
//! - Several fibers may read one socket, and the sockets and locks may be used on other threads.
//!   `ConcurrentObjectUseError` and `InvalidThreadUseError` have no counterpart.
//! - A socket is closed when its owner drops it, and not while other fibers wait for it. Use
//!   `shutdown` to end their waits.
//! - The counterpart of `LoopExit` names each fiber that waits, and what it waits for:
//!   [`Deadlock`](crate::Deadlock).
//!
//! # Names
//!
//! | gevent | fibra |
//! |---|---|
//! | `spawn(f, *args)` | [`spawn(move \|\| f(args))`](crate::spawn), [`Builder`](crate::Builder) for a name and a stack size |
//! | `spawn_raw` | [`spawn(f).detach()`](crate::JoinHandle::detach) |
//! | `spawn_later(s, f)` | a [`sleep`](crate::sleep) at the beginning of the fiber; it can be killed during the sleep, too |
//! | `sleep(s)`, `sleep(0)` | [`sleep`](crate::sleep), [`yield_now`](crate::yield_now) |
//! | `getcurrent()` | [`current`](crate::current) |
//! | `g.get()`, `g.join()`, `g.value`, `g.exception` | [`JoinHandle::join`](crate::JoinHandle::join): a `Result` |
//! | `g.get(block=False)`, `g.ready()` | [`try_join`](crate::JoinHandle::try_join), [`is_finished`](crate::JoinHandle::is_finished) |
//! | `g.get(timeout=s)` | [`time::timeout`](crate::time::timeout) around the join |
//! | `g.kill()`, `g.kill(exception)` | [`kill`](crate::JoinHandle::kill), [`kill_with`](crate::Fiber::kill_with) a reason; a join waits for the end |
//! | `g.link(f)` | a [`Group`](crate::pool::Group), which returns outcomes as they come |
//! | `GreenletExit` | [`JoinError::Killed`](crate::JoinError), never mistaken for success |
//! | `with g:` | [`scope`](crate::scope), [`nursery`](crate::nursery) |
//! | `joinall`, `joinall(raise_error=True)`, `iwait` | [`join_all`](crate::pool::join_all), [`try_join_all`](crate::pool::try_join_all), [`as_completed`](crate::pool::as_completed) |
//! | `killall` | [`Group::kill_all`](crate::pool::Group::kill_all) |
//! | `get_hub()`, `config` | [`Runtime::builder`](crate::Runtime::builder) |
//! | **`gevent.Timeout`** | |
//! | `with Timeout(s):` | [`time::timeout(d, \|\| ..)`](crate::time::timeout) |
//! | `with Timeout(s, False):` | [`move_on_after`](crate::time::move_on_after) |
//! | `with_timeout(s, f, timeout_value=x)` | `timeout(d, f).unwrap_or(x)` |
//! | **`gevent.event`** | |
//! | `Event` | [`sync::Event`](crate::sync::Event) |
//! | `AsyncResult` | [`sync::promise`](crate::sync::promise()), for one reader [`channel::oneshot`](crate::channel::oneshot()) |
//! | **`gevent.lock`** | |
//! | `Semaphore`, `BoundedSemaphore` | [`sync::Semaphore`](crate::sync::Semaphore), whose permits are released when they are dropped |
//! | `RLock` | [`sync::ReentrantMutex`](crate::sync::ReentrantMutex) |
//! | `threading.Lock`, `Condition`, `Barrier` | [`Mutex`](crate::sync::Mutex), [`Condvar`](crate::sync::Condvar), [`Barrier`](crate::sync::Barrier) |
//! | **`gevent.queue`** | |
//! | `Queue(n)`, `Queue()` | [`channel::bounded(n)`](crate::channel::bounded), [`channel::unbounded`](crate::channel::unbounded); between threads [`sync::mpmc`](crate::sync::mpmc) |
//! | `put`, `get`, `put_nowait`, `get_nowait`, `timeout=` | `send`, `recv`, `try_send`, `try_recv`, `send_timeout`, `recv_timeout` |
//! | `shutdown()` | the senders are dropped |
//! | `JoinableQueue`, `task_done`, `join` | [`JoinableQueue`](crate::pool::JoinableQueue), whose tasks count as done when they are dropped |
//! | `PriorityQueue`, `LifoQueue` | [`PriorityQueue`](crate::pool::PriorityQueue), [`LifoQueue`](crate::pool::LifoQueue) |
//! | `Channel` | [`channel::Channel`](crate::channel::Channel) |
//! | **`gevent.pool`** | |
//! | `Pool(n)`, `spawn`, `map`, `imap`, `imap_unordered`, `apply` | [`pool::Pool`](crate::pool::Pool), and the same methods |
//! | `Pool.add(blocking=False)` | [`Pool::try_spawn`](crate::pool::Pool::try_spawn) |
//! | `Group` | [`pool::Group`](crate::pool::Group) |
//! | **`gevent.threadpool`** | |
//! | `get_hub().threadpool.apply(f)` | [`blocking(f)`](fn@crate::blocking), [`uninterruptible(f)`](crate::blocking::uninterruptible) if `f` borrows |
//! | `ThreadPool(n)`, `spawn`, `apply` | [`blocking::ThreadPool`](crate::blocking::ThreadPool), [`spawn`](crate::blocking::ThreadPool::spawn), [`run`](crate::blocking::ThreadPool::run) |
//! | **`gevent.local`, `contextvars`** | |
//! | `local` | [`local!`](crate::local) |
//! | `ContextVar` | [`local!` with `static inherit`](crate::local#inherited-values): children begin with it |
//! | **`gevent.socket`** | |
//! | `create_connection(address, timeout)` | [`TcpStream::connect`](crate::net::TcpStream::connect), [`connect_timeout`](crate::net::TcpStream::connect_timeout) |
//! | `create_server`, `accept` | [`TcpListener::bind`](crate::net::TcpListener::bind), [`accept`](crate::net::TcpListener::accept) |
//! | `socket(type=SOCK_DGRAM)`, `socket(AF_UNIX)` | [`UdpSocket`](crate::net::UdpSocket), [`UnixStream`](crate::net::UnixStream), [`UnixListener`](crate::net::UnixListener), [`UnixDatagram`](crate::net::UnixDatagram) |
//! | `recv`, `recv_into`, `sendall` | [`read`](std::io::Read::read), [`write_all`](std::io::Write::write_all) |
//! | `makefile` | `BufReader::new(&stream)`, `BufWriter::new(&stream)`, [`into_split`](crate::net::TcpStream::into_split) |
//! | `settimeout` | [`set_read_timeout`](crate::net::TcpStream::set_read_timeout), `set_write_timeout`; [`time::timeout`](crate::time::timeout) around a whole conversation |
//! | `dup`, `shutdown`, `close` | [`try_clone`](crate::net::TcpStream::try_clone), [`shutdown`](crate::net::TcpStream::shutdown), a drop |
//! | `socketpair`, `send_fds`, `recv_fds` | [`UnixStream::pair`](crate::net::UnixStream::pair), [`send_fds`](crate::net::UnixStream::send_fds), [`recv_fds`](crate::net::UnixStream::recv_fds) |
//! | `getaddrinfo`, `gethostbyname` | [`net::lookup_host`](crate::net::lookup_host) |
//! | `wait_read(fd)`, `wait_write(fd)` | [`io::wait_readable`](crate::io::wait_readable), [`io::wait_writable`](crate::io::wait_writable) |
//! | `gevent.resolver` | [`net::Resolver`](crate::net::Resolver) |
//! | **`gevent.select`** | |
//! | `select([fd], ..)`, `poll` | a fiber for each descriptor; or `readable(stream)` in [`select!`](crate::select!), beside channels, joins and times |
//! | **`gevent.ssl`** | the feature `tls` |
//! | `SSLContext`, `create_default_context` | the configurations of rustls: [`tls::rustls`] |
//! | `wrap_socket`, `wrap_socket(server_side=True)` | [`TlsConnector::connect`], [`TlsAcceptor::accept`] |
//! | `unwrap` | [`TlsStream::shutdown`], then [`into_inner`] |
//! | `getpeercert`, `selected_alpn_protocol`, `version` | [`peer_certificates`], [`alpn_protocol`], [`protocol_version`] |
//! | **`gevent.subprocess`** | |
//! | `Popen(args)` | [`process::Command`](crate::process::Command), [`spawn`](crate::process::Command::spawn) |
//! | `check_output`, `call` | [`output`](crate::process::Command::output), [`status`](crate::process::Command::status) |
//! | `communicate()` | [`wait_with_output`](crate::process::Child::wait_with_output); for input a fiber writes to `child.stdin` |
//! | `wait(timeout)`, `poll()` | [`wait_timeout`](crate::process::Child::wait_timeout), [`try_wait`](crate::process::Child::try_wait) |
//! | `terminate()`, `send_signal(n)` | [`Child::signal`](crate::process::Child::signal) |
//! | `os.fork` | [`process::WorkerPool`](crate::process::WorkerPool), worker processes that are started, not forked |
//! | **`gevent.signal`** | |
//! | `signal_handler(n, f)` | [`signal::on`](crate::signal::on), [`Signals`](crate::signal::Signals) |
//! | `KeyboardInterrupt` | [`fibra::main`](crate::main()), [`signal::ctrl_c`](crate::signal::ctrl_c) |
//! | **`gevent.fileobject`, `gevent.os`** | |
//! | `FileObjectThread`, `tp_read`, `tp_write` | [`fs::File`](crate::fs::File) |
//! | `FileObjectPosix`, `nb_read`, `nb_write` | [`io::Waitable`](crate::io::Waitable) |
//! | `sys.stdin` by `patch_sys`, `FileObject(sys.stdin)` | [`io::stdin`](crate::io::stdin()) |
//! | **`gevent.server`** | |
//! | `StreamServer(listener, handle)` | [`Server::bind`](crate::server::Server::bind), [`Server::new`](crate::server::Server::new) |
//! | `spawn=Pool(n)` | [`max_connections`](crate::server::Server::max_connections) |
//! | `ssl_context=` | [`TlsAcceptor::accept`] at the beginning of the handler |
//! | `start()`, `serve_forever()` | [`start`](crate::server::Server::start), [`serve`](crate::server::Server::serve) |
//! | `stop(timeout)` | [`Running::shutdown`](crate::server::Running::shutdown), which kills the remaining handlers in any case |
//! | `DatagramServer` | a loop around [`UdpSocket::recv_from`](crate::net::UdpSocket::recv_from) |
//! | **`gevent.pywsgi`** | the feature `http` |
//! | `WSGIServer(listener, application)` | a `Server` with [`Http::serve_connection`]: a handler is a function that may wait |
//! | WSGI applications and frameworks | a `Service` such as an axum router, by [`Http::serve_service`] |
//! | **`gevent.util`** | |
//! | `print_run_info()` | [`dump`](crate::dump()), [`stats`](crate::stats()) |
//! | <a id="monkey"></a>**`gevent.monkey`** | nothing to patch |
//! | `patch_socket`, `patch_subprocess`, `patch_time`, .. | `use fibra::net`, `fibra::process`, `fibra::sleep` instead of std's |
//! | libraries over any `Read + Write` | pass fibra's streams to them: `tungstenite` in the examples |
//! | clients of HTTP | `http::get` with the feature `http-client`, or ureq with the feature `ureq` |
//! | `async` libraries without a runtime | [`future::block_on`](crate::future::block_on) |
//! | libraries with a descriptor to wait for | [`io::wait_readable`](crate::io::wait_readable) |
//! | all others | [`blocking`](fn@crate::blocking) |
// Where a feature is off, the links to what it adds lead to the table of features.
//!
#![cfg_attr(
    feature = "tls",
    doc = "[`tls::rustls`]: crate::tls::rustls
[`TlsConnector::connect`]: crate::tls::TlsConnector::connect
[`TlsAcceptor::accept`]: crate::tls::TlsAcceptor::accept
[`TlsStream::shutdown`]: crate::tls::TlsStream::shutdown
[`into_inner`]: crate::tls::TlsStream::into_inner
[`peer_certificates`]: crate::tls::TlsStream::peer_certificates
[`alpn_protocol`]: crate::tls::TlsStream::alpn_protocol
[`protocol_version`]: crate::tls::TlsStream::protocol_version"
)]
#![cfg_attr(
    not(feature = "tls"),
    doc = "[`tls::rustls`]: crate#features
[`TlsConnector::connect`]: crate#features
[`TlsAcceptor::accept`]: crate#features
[`TlsStream::shutdown`]: crate#features
[`into_inner`]: crate#features
[`peer_certificates`]: crate#features
[`alpn_protocol`]: crate#features
[`protocol_version`]: crate#features"
)]
#![cfg_attr(
    feature = "http",
    doc = "[`Http::serve_connection`]: crate::http::Http::serve_connection
[`Http::serve_service`]: crate::http::Http::serve_service"
)]
#![cfg_attr(
    not(feature = "http"),
    doc = "[`Http::serve_connection`]: crate#features
[`Http::serve_service`]: crate#features"
)]
