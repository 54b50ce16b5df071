//! Crates of the async world in fibers, each with the shortest program that uses it. The guide's
//! page "Which crate needs what" lists them; `table` compares it with these tests.

#![allow(clippy::disallowed_methods, reason = "threads and real time beside the scheduler")]

mod databases;
mod grpc;
mod hangs;
mod plain;
mod table;
mod threads;
mod web;

use std::error::Error;

type Outcome = Result<(), Box<dyn Error>>;

/// Runs `f` in a runtime whose fibers have a runtime of tokio.
fn with_tokio<T>(f: impl FnOnce() -> T) -> T {
    fibra::Runtime::builder().tokio().build().expect("there is memory").run(f)
}
