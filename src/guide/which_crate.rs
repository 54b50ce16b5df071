//! Which crate needs what: two dozen crates of the async world in fibers, each with its line for
//! `Cargo.toml` and a line of code. (This module contains documentation only.)
//!
//! The folder `tests/crates` of the repository has a short program for each row, which starts a
//! server where one is needed. A test compares this page with those programs.
//!
//! A crate needs one of four things:
//!
//! - **nothing**: its futures need only a waker, so [`block_on`](crate::future::block_on) is
//!   enough; or it reads and writes any stream, and takes one of fibra (features `tokio-io`,
//!   `futures-io`);
//! - **`.tokio()`**: it uses the sockets, timers or tasks of tokio. The fibers run in
//!   `fibra::Runtime::builder().tokio().build()?` (feature `tokio`);
//! - **`blocking` or `Owned`**: it blocks its thread, and gets another one;
//! - **something else in its place**: it stops the thread, and all fibers with it.
//!
//! [`beside_async`](crate::guide::beside_async) explains the first two, and
//! [`blocking`](mod@crate::blocking) the third.
//!
//! # Crates that use tokio
//!
//! Without a runtime they panic: "there is no reactor running, must be called from the context of a
//! Tokio 1.x runtime".
//!
//! | `Cargo.toml` | a line of code | needs |
//! |---|---|---|
//! | `tokio = { version = "1", features = ["rt", "rt-multi-thread", "net", "time", "sync", "macros", "io-util"] }` | `block_on(tokio::time::sleep(Duration::from_millis(1)))` | timers, sockets, tasks: `.tokio()` |
//! | `redis = { version = "1", default-features = false, features = ["tokio-comp"] }` | `let sum: u64 = block_on(connection.get("sum"))?;` | `.tokio()`; or a fibra stream, with the time limit off |
//! | `fred = { version = "10", default-features = false, features = ["i-keys"] }` | `block_on(client.get::<i64, _>("sum"))?` | `.tokio()` |
//! | `sqlx = { version = "0.8", default-features = false, features = ["runtime-tokio", "postgres"] }` | `let pool = block_on(sqlx::PgPool::connect(&url))?;` | `.tokio()` |
//! | `tokio-postgres = "0.7"` | `let row = block_on(client.query_one("SELECT 1 + $1::INT", &[&41]))?;` | `.tokio()`; or `connect_raw` with a fibra stream |
//! | `reqwest = { version = "0.12", default-features = false }` | `let response = block_on(client.get(url).send()).unwrap();` | `.tokio()`; or `http::Client` without it |
//! | `hyper-util = { version = "0.1", features = ["client-legacy", "http1", "tokio"] }` | `let response = block_on(client.get(format!("http://{address}{path}").parse()?))?;` | `.tokio()` |
//! | `axum = { version = "0.8", default-features = false, features = ["http1", "tokio"] }` | `tokio::spawn(axum::serve(listener, app).into_future());` | `.tokio()`; or `Http::serve_service` without it |
//! | `tonic = { version = "0.14", default-features = false, features = ["server", "router", "channel"] }` | `let response = block_on(client.check(HealthCheckRequest::default())).unwrap();` | `.tokio()` |
//!
//! Features for TLS make no difference, and are left out here because they take long to build.
//!
//! # Crates that take a stream
//!
//! With the feature `tokio-io`, a [`TcpStream`](crate::net::TcpStream) of fibra is the stream:
//!
//! | `Cargo.toml` | a line of code | needs |
//! |---|---|---|
//! | `h2 = "0.4"` | `let (mut requests, connection) = block_on(h2::client::handshake(stream))?;` | by itself, on a fibra stream |
//! | `tokio-tungstenite = { version = "0.28", default-features = false, features = ["handshake"] }` | `let (mut socket, _) = block_on(client_async(format!("ws://{address}/"), stream))?;` | by itself, on a fibra stream |
//! | `tokio-util = { version = "0.7", features = ["codec"] }` | `let mut lines = Framed::new(stream, LinesCodec::new());` | by itself, on a fibra stream |
//!
//! # Crates that need only a waker, or have threads of their own
//!
//! | `Cargo.toml` | a line of code | needs |
//! |---|---|---|
//! | `tokio = { version = "1", features = ["rt", "rt-multi-thread", "net", "time", "sync", "macros", "io-util"] }` | `block_on(ordered.recv())` | `tokio::sync`, `select!`: by itself |
//! | `futures = "0.3"` | `let all = block_on(futures::future::join_all((1..5).map(squares)));` | by itself |
//! | `tokio-stream = "0.1"` | `let even = ReceiverStream::new(receiver).filter(\|n\| std::future::ready(n % 2 == 0));` | by itself; its timers: `.tokio()` |
//! | `async-stream = "0.3"` | `while let Some(n) = block_on(ticks.next()) {` | by itself |
//! | `async-channel = "2"` | `while let Ok(n) = block_on(receiver.recv()) {` | by itself |
//! | `flume = "0.11"` | `while let Ok(n) = block_on(receiver.recv_async()) {` | by itself; `recv` and `send` stop the thread |
//! | `tower = { version = "0.5", features = ["util", "limit"] }` | `block_on(service.clone().oneshot(n))` | by itself; its timers: `.tokio()` |
//! | `moka = { version = "0.12", features = ["future"] }` | `block_on(cache.get_with("answer", load))` | by itself |
//! | `dashmap = "6"` | `*counts.entry(n % 2).or_insert(0) += 1;` | by itself; hold no entry across a wait |
//! | `backon = { version = "1", default-features = false, features = ["std"] }` | `block_on(fetch.retry(backoff).sleep(fibra::future::sleep))` | by itself, with the `sleep` of fibra |
//! | `async-net = "2"` | `let mut stream = block_on(async_net::TcpStream::connect(address))?;` | by itself: smol's reactor has a thread |
//! | `lapin = { version = "3", default-features = false, features = ["default-runtime"] }` | `block_on(lapin::Connection::connect(&url, lapin::ConnectionProperties::default()))` | by itself: it has a reactor thread |
//! | `notify = "8"` | `let mut watcher = notify::recommended_watcher(move \|event\| drop(sender.send(event)))?;` | by itself: a callback, and `mpmc` |
//!
//! # Crates that block
//!
//! | `Cargo.toml` | a line of code | needs |
//! |---|---|---|
//! | `rayon = "1"` | `let sum = fibra::blocking(\|\| (1..=1000_u64).into_par_iter().sum::<u64>());` | inside `blocking` |
//! | `ureq = { version = "~3.1", default-features = false }` | `let mut response = fibra::blocking(move \|\| ureq::get(url).call())?;` | inside `blocking`; or an agent of `fibra::ureq`, for `ureq = "~3.5"` |
//! | `rusqlite = { version = "0.37", features = ["bundled"] }` | `database.call(count)??` | an `Owned` connection |
//! | `diesel = { version = "2.3", default-features = false, features = ["sqlite"] }` | `database.call(insert).unwrap().unwrap()` | an `Owned` connection |
//! | `postgres = { version = "0.19" }` | `let row = pool.call(\|client\| client.query_one("SELECT count(*) FROM book", &[]))??;` | an `OwnedPool` |
//! | `redis = { version = "1", default-features = false, features = ["tokio-comp"] }` | `let sum: u64 = single.call(\|connection\| connection.get("sum"))??;` | `Connection`: `Owned`, or an `OwnedPool` |
//! | `crossbeam-channel = "0.5"` | `fibra::blocking(move \|\| receiver.recv())?` | inside `blocking`; between fibers: `mpmc` |
//! | `parking_lot = "0.12"` | `*mutex.lock() += 1;` | hold no guard across a wait |
//!
//! # Calls that stop the thread
//!
//! These wait without the scheduler: no fiber of the thread runs, so a call that waits for one of
//! them never returns. Nothing is printed.
//!
//! | stops the thread | call instead |
//! |---|---|
//! | `std::sync::mpsc` and crossbeam-channel between fibers | [`sync::mpmc`](crate::sync::mpmc) |
//! | a guard of `std::sync::Mutex` or parking_lot that is held across a wait | [`sync::Mutex`](crate::sync::Mutex) |
//! | `std::sync::LazyLock` whose initialiser waits | [`sync::LazyLock`](crate::sync::LazyLock) |
//! | `recv` and `send` of flume | `block_on(receiver.recv_async())` |
//! | `blocking_recv` and `blocking_send` of tokio (a panic, with `.tokio()`) | `block_on(receiver.recv())` |
//! | `futures::executor::block_on`, and that of other crates | [`future::block_on`](crate::future::block_on) |
//! | `tokio_handle` of a `current_thread` runtime, which no thread drives | `.tokio()` |
//!
//! tokio's own `block_on`, of a `Runtime` or a `Handle`, panics in a fiber under `.tokio()`:
//! "Cannot start a runtime from within a runtime". Call
//! [`future::block_on`](crate::future::block_on) in its place.
