//! A guide for users of Python's asyncio: the names here, and a program in both languages. (This
//! module contains documentation only.)
//!
//! # A program
//!
//! ```python
//! import asyncio
//!
//! async def handle(reader, writer):
//!     while line := await reader.readline():
//!         writer.write(line.upper())
//!         await writer.drain()
//!     writer.close()
//!
//! async def shout(port, word):
//!     async with asyncio.timeout(1):
//!         reader, writer = await asyncio.open_connection("127.0.0.1", port)
//!         writer.write(word.encode() + b"\n")
//!         answer = await reader.readline()
//!         writer.close()
//!         return answer.decode().strip()
//!
//! async def main():
//!     server = await asyncio.start_server(handle, "127.0.0.1", 0)
//!     port = server.sockets[0].getsockname()[1]
//!     async with asyncio.TaskGroup() as group:
//!         tasks = [group.create_task(shout(port, word)) for word in ["one", "two"]]
//!     print([task.result() for task in tasks])
//!     server.close()
//!
//! asyncio.run(main())
//! ```
//!
//! ```
//! use std::io::{self, BufRead, BufReader, Write};
//! use std::net::SocketAddr;
//! use std::time::Duration;
//! use fibra::net::TcpStream;
//! use fibra::server::Server;
//! use fibra::time::timeout;
//!
//! fn handle(stream: TcpStream, _peer: SocketAddr) -> io::Result<()> {
//!     for line in BufReader::new(&stream).lines() {
//!         writeln!(&stream, "{}", line?.to_uppercase())?;
//!     }
//!     Ok(())
//! }
//!
//! fn shout(server: SocketAddr, word: &str) -> io::Result<String> {
//!     timeout(Duration::from_secs(1), || {
//!         let stream = TcpStream::connect(server)?;
//!         writeln!(&stream, "{word}")?;
//!         let mut answer = String::new();
//!         BufReader::new(&stream).read_line(&mut answer)?;
//!         Ok(answer.trim().to_owned())
//!     })?
//! }
//!
//! fn main() -> io::Result<()> {
//!     fibra::run(|| {
//!         let server = Server::bind("127.0.0.1:0")?;
//!         let address = server.listener().local_addr()?;
//!         let running = server.start(handle);
//!         let answers = fibra::nursery(|n| {
//!             let tasks = ["one", "two"].map(|word| n.spawn(move || shout(address, word)));
//!             tasks.map(|task| task.join().unwrap())
//!         });
//!         println!("{answers:?}");
//!         # assert_eq!(answers.map(Result::unwrap), ["ONE", "TWO"]);
//!         running.shutdown(Duration::from_secs(1));
//!         Ok(())
//!     })
//! }
//! ```
//!
//! # What differs
//!
//! - Functions have no colour. Any function may wait, also a callback, a destructor, an iterator or
//!   the implementation of a trait. There is no `await` that marks where other fibers may run: see
//!   [`pitfalls`](super::pitfalls) for what that means for borrows.
//! - A task in asyncio starts at the next turn of its loop, and so does a spawned fiber.
//!   [`spawn_now`](crate::spawn_now) is the "eager" form.
//! - A task that nothing refers to may be collected in asyncio. A fiber runs on when its handle is
//!   dropped, until `run` ends.
//! - A cancellation lasts: code that catches it is unwound again at its next wait.
//!   [`cancellation`](crate::cancellation) compares the models.
//! - When all tasks wait for each other, asyncio hangs. Here one wait fails with a
//!   [`Deadlock`](crate::Deadlock).
//!
//! # Names
//!
//! | asyncio | fibra |
//! |---|---|
//! | `asyncio.run(main())` | [`run`](crate::run), for programs [`main`](crate::main()) |
//! | `async def f()`, `await f()` | `fn f()`, `f()` |
//! | `create_task(f())` | [`spawn`](crate::spawn); with a name [`Builder`](crate::Builder) |
//! | `await task`, `task.result()`, `task.exception()` | [`JoinHandle::join`](crate::JoinHandle::join): a `Result` |
//! | `task.done()`, `task.cancel()`, `task.cancel(msg)` | [`is_finished`](crate::JoinHandle::is_finished), [`kill`](crate::JoinHandle::kill), [`kill_with`](crate::Fiber::kill_with) |
//! | `CancelledError` | an unwind; [`JoinError::Killed`](crate::JoinError) for the one that joins |
//! | `TaskGroup` | [`nursery`](crate::nursery); with several outcomes [`pool::Group`](crate::pool::Group) |
//! | `gather(*tasks)`, `gather(return_exceptions=True)` | [`try_join_all`](crate::pool::try_join_all), [`join_all`](crate::pool::join_all) |
//! | `as_completed`, `wait(FIRST_COMPLETED)` | [`as_completed`](crate::pool::as_completed), [`race`](crate::pool::race), [`select!`](crate::select!) |
//! | `shield` | [`shield`](crate::shield), around the code that must not be interrupted |
//! | `sleep(s)`, `sleep(0)` | [`sleep`](crate::sleep), [`yield_now`](crate::yield_now) |
//! | `timeout(s)`, `timeout_at`, `wait_for` | [`time::timeout`](crate::time::timeout), [`time::deadline`](crate::time::deadline) |
//! | `current_task()`, `all_tasks()` | [`current`](crate::current), [`dump`](crate::dump()) |
//! | `to_thread(f)`, `run_in_executor` | [`blocking`](fn@crate::blocking), [`blocking::ThreadPool`](crate::blocking::ThreadPool) |
//! | `call_soon_threadsafe` | [`Unparker`](crate::Unparker), [`sync::mpmc`](crate::sync::mpmc) |
//! | `call_later(s, f)` | a fiber that sleeps first |
//! | `Queue(n)`, `Queue()` | [`channel::bounded`](crate::channel::bounded), [`channel::unbounded`](crate::channel::unbounded) |
//! | `PriorityQueue`, `LifoQueue`, `task_done`, `join` | [`PriorityQueue`](crate::pool::PriorityQueue), [`LifoQueue`](crate::pool::LifoQueue), [`JoinableQueue`](crate::pool::JoinableQueue) |
//! | `Future`, `set_result` | [`channel::oneshot`](crate::channel::oneshot()), [`sync::promise`](crate::sync::promise()) |
//! | `Lock`, `Event`, `Condition`, `Semaphore`, `Barrier` | [`Mutex`](crate::sync::Mutex), [`Event`](crate::sync::Event), [`Condvar`](crate::sync::Condvar), [`Semaphore`](crate::sync::Semaphore), [`Barrier`](crate::sync::Barrier) |
//! | `contextvars` | [`local!` with `static inherit`](crate::local#inherited-values) |
//! | `open_connection`, `StreamReader`, `StreamWriter` | [`TcpStream`](crate::net::TcpStream) with [`BufReader`](std::io::BufReader) and [`Write`](std::io::Write): a write waits by itself, there is no `drain` |
//! | `start_server`, `serve_forever`, `close`, `wait_closed` | [`Server`](crate::server::Server), [`serve`](crate::server::Server::serve), [`Running::shutdown`](crate::server::Running::shutdown) |
//! | `create_datagram_endpoint` | [`UdpSocket`](crate::net::UdpSocket) |
//! | `loop.add_reader(fd, f)` | a fiber with [`io::wait_readable`](crate::io::wait_readable) |
//! | `getaddrinfo` | [`net::lookup_host`](crate::net::lookup_host) |
//! | `create_subprocess_exec`, `communicate` | [`process::Command`](crate::process::Command), [`output`](crate::process::Command::output) |
//! | `loop.add_signal_handler` | [`signal::on`](crate::signal::on), [`Signals`](crate::signal::Signals) |
//! | `async for`, asynchronous generators | an iterator whose `next` may wait; [`generator`](crate::generator) |
//! | debug mode, `print_call_graph` | [`dump`](crate::dump()), [`stats`](crate::stats()) |
