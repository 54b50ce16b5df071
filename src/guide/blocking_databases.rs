//! Databases that block: how fibers use drivers that wait for their server in system calls of their
//! own, with a recipe for each of rusqlite, diesel, postgres and redis.
//!
//! Such a driver blocks its thread, and with it all fibers of that thread. So its connection gets a
//! thread, and the fibers call it there:
//!
//! | to use | choose |
//! |---|---|
//! | one connection, by any number of fibers | [`Owned`] |
//! | several connections, made when calls need them | [`OwnedPool`] |
//! | a connection that a fiber has at hand, for one call | [`uninterruptible_with`] |
//! | a driver that opens a connection for each call | [`blocking`](fn@crate::blocking) |
//!
//! A driver that is written for `async` does not block: call it with
//! [`block_on`](crate::future::block_on).
//!
//! # A connection with a thread
//!
//! ```
//! use fibra::blocking::Owned;
//! # use std::{error::Error, io};
//! # #[derive(Debug)] struct Connection(u32);
//! # impl Connection {
//! #     fn open(_: &str) -> io::Result<Connection> { Ok(Connection(0)) }
//! #     fn execute(&mut self, _: &str) -> io::Result<u32> { self.0 += 1; Ok(self.0) }
//! # }
//!
//! # fn main() -> Result<(), Box<dyn Error>> {
//! let database = Owned::builder().try_build(|| Connection::open("books.db"))?;
//! fibra::run(|| {
//!     let other = database.clone(); // another handle to the same connection
//!     let fiber = fibra::spawn(move || other.call(|c| c.execute("INSERT ..")));
//!     fiber.join()???;
//!     database.call(|c| c.execute("UPDATE .."))??;
//!     database.close(); // waits until the connection is closed
//!     Ok(())
//! })
//! # }
//! ```
//!
//! - **Two question marks.** The first is for the call ([`OwnedError`]: closed, timed out, ...),
//!   the second for the driver.
//! - **A transaction is one call.** Calls of other fibers come between two calls, but never into
//!   one. Begin and commit in the same closure, so that a caller that leaves cannot leave a
//!   transaction open.
//! - **A caller may leave**, by a kill or a time limit, and its call goes on. To end the call as
//!   well, ask the driver, as the recipes for rusqlite and postgres do.
//! - **A panic in a call** continues in its caller, and drops the connection, which rolls an open
//!   transaction back. A builder's maker then opens another one for the next call.
//! - **Closures own what they use**: they run on another thread, and may outlive their caller. A
//!   closure that borrows goes into [`Owned::call_uninterruptible`], which does not leave early.
//! - **Calls inside calls** to the same value are refused: use the reference that the closure gets.
//!
//! # rusqlite
//!
//! ```toml
//! rusqlite = { version = "0.37", features = ["bundled"] }
//! ```
//!
//! ```ignore
//! let database = Owned::builder().try_build(|| Connection::open("books.db"))?;
//! let interrupt = database.call(|c| c.get_interrupt_handle())?;
//!
//! let rows = database.call_timeout(Duration::from_secs(2), |c| {
//!     c.query_row("SELECT count(*) FROM book", [], |row| row.get::<_, u64>(0))
//! });
//! if rows.as_ref().is_err_and(|error| error.is_timeout()) {
//!     interrupt.interrupt(); // the query ends with an error; the connection stays usable
//! }
//! ```
//!
//! SQLite allows one writer at a time. A pool is of use for readers of a file in WAL mode: set
//! `PRAGMA journal_mode = WAL` and a `busy_timeout` in the maker.
//!
//! A `Connection` is `Send` and not `Sync`, so a reference `&Connection` cannot go to another
//! thread. An exclusive one can:
//!
//! ```ignore
//! let changed = uninterruptible_with(&mut connection, |c| c.execute("DELETE FROM book", []))?;
//! ```
//!
//! # diesel
//!
//! ```toml
//! diesel = { version = "2.3", default-features = false, features = ["sqlite"] }
//! ```
//!
//! ```ignore
//! let database = Owned::builder().try_build(|| SqliteConnection::establish("books.db"))?;
//! let book = database.call(move |c| books::table.find(id).select(Book::as_select()).first(c))??;
//! ```
//!
//! The other backends differ in the type of the connection only. With an [`OwnedPool`], r2d2 is not
//! needed.
//!
//! # postgres
//!
//! ```toml
//! postgres = "0.19"
//! ```
//!
//! ```ignore
//! let pool = OwnedPool::builder()
//!     .max(8)
//!     .keep_if(|client: &mut Client| !client.is_closed()) // replaces lost connections
//!     .build(|| Client::connect("host=localhost user=app", NoTls));
//!
//! let sql = "SELECT title FROM book WHERE id = $1";
//! let row = pool.call(move |client| client.query_one(sql, &[&id]))??;
//! ```
//!
//! The driver notices that a connection is lost when a call uses it. That call fails, and then the
//! pool replaces the connection.
//!
//! The server itself ends a query that takes too long if `statement_timeout` is set, for instance
//! by `options='-c statement_timeout=5s'` in the address. To end one when its caller leaves, send
//! the cancel token out of the call:
//!
//! ```ignore
//! let (tokens, token) = fibra::sync::mpmc::bounded(1);
//! let result = pool.call_timeout(limit, move |client| {
//!     let _ = tokens.send(client.cancel_token());
//!     client.simple_query("SELECT ..").map(drop)
//! });
//! if result.as_ref().is_err_and(|error| error.is_timeout()) {
//!     if let Ok(token) = token.try_recv() {
//!         fibra::blocking(move || token.cancel_query(NoTls))?;
//!     }
//! }
//! ```
//!
//! # redis
//!
//! ```toml
//! redis = { version = "1", default-features = false }
//! ```
//!
//! ```ignore
//! let client = redis::Client::open("redis://127.0.0.1/")?;
//! let pool = OwnedPool::builder()
//!     .max(8)
//!     .keep_if(|connection: &mut Connection| connection.check_connection()) // one `PING`
//!     .build(move || client.get_connection());
//!
//! let sum: u64 = pool.call(move |c| c.incr("sum", n))??;
//! ```
//!
//! A command that waits in the server, such as `BLPOP`, keeps its connection for as long. Give such
//! commands a pool of their own.
//!
//! # How many, and for how long
//!
//! [`OwnedPool::stats`] returns how many connections there are and how many calls wait for one. The
//! limit of [`OwnedPool::call_timeout`] includes that wait. Connections that no call uses are
//! closed after [ten minutes](crate::blocking::OwnedPoolBuilder::idle_timeout).
//!
//! A call costs 2 to 30 µs, for waking a thread and being woken; `cargo bench --bench offload`
//! prints what it costs on a machine. So let a call do several statements, where they belong
//! together.
//!
//! The recipes are compiled in `tests/crates` of the repository, whose other tests run such
//! programs against real servers.
//!
//! [`Owned`]: crate::blocking::Owned
//! [`Owned::call_uninterruptible`]: crate::blocking::Owned::call_uninterruptible
//! [`OwnedError`]: crate::blocking::OwnedError
//! [`OwnedPool`]: crate::blocking::OwnedPool
//! [`OwnedPool::call_timeout`]: crate::blocking::OwnedPool::call_timeout
//! [`OwnedPool::stats`]: crate::blocking::OwnedPool::stats
//! [`uninterruptible_with`]: crate::blocking::uninterruptible_with
