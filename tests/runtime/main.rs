//! A runtime of several schedulers, from what its interface promises: where jobs run, what crosses
//! between threads, and how everything ends.

#![allow(clippy::disallowed_methods, reason = "other threads and real time are what is tested")]

#[path = "../support/mod.rs"]
mod support;

mod bad_moments;
mod crossing;
mod dumps;
mod ends;
mod futures;
#[cfg(not(fibra_observed))]
mod gdb;
mod hangs;
mod hogs;
mod hostile_code;
#[cfg(target_os = "linux")]
mod idle;
#[cfg(all(feature = "diagnostics", feature = "net"))]
mod inspect;
mod jobs;
mod joining;
mod kills;
mod limits;
mod locals;
mod order;
mod par;
mod parallel;
mod places;
mod plain_run;
mod selecting;
mod stalls;
mod stress;
mod thrown;
mod waits;

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fibra::{Handle, Runtime};

/// Runs `f` as the main fiber of a runtime with this number of threads.
fn on<T>(threads: usize, f: impl FnOnce(Handle) -> T) -> T {
    Runtime::builder().threads(threads).build().unwrap().run(|| f(Handle::current()))
}

/// Keeps this thread to itself until `done` holds: no other fiber of its scheduler runs meanwhile.
fn spin_until(done: impl Fn() -> bool) {
    while !done() {
        thread::yield_now();
    }
}

/// Lets other fibers run until `done` holds, whatever thread makes it hold. Panics if that takes
/// longer than any test should on a busy machine.
#[track_caller]
fn sleep_until(done: impl Fn() -> bool) {
    let by = Instant::now() + LATE;
    while !done() {
        assert!(Instant::now() < by, "it does not happen within {LATE:?}");
        fibra::sleep(Duration::from_millis(1));
    }
}

/// The time after which an event is taken not to happen any more.
const LATE: Duration = Duration::from_secs(20);

/// A number that several threads write.
#[derive(Default)]
struct Count(AtomicU32);

impl Count {
    fn add(&self) -> u32 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }

    fn get(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Ends the process, as a failure, if it still runs after some minutes: a busy machine may take one
/// for some seconds of work. For a test in a child process that might hang.
fn must_end() {
    exit_after(Duration::from_secs(180));
}

/// Ends the process with the code 9 when `limit` is over.
fn exit_after(limit: Duration) {
    thread::spawn(move || {
        thread::sleep(limit);
        eprintln!("it hangs: the time limit of {limit:?} is over");
        std::process::exit(9);
    });
}
