//! Support for the tests of `fibra::sync`: threads with a scheduler each, and random numbers.

use std::thread::{self, JoinHandle};

/// Starts a thread that is a scheduler, with `f` as its main fiber.
#[allow(clippy::disallowed_methods, reason = "other threads are what is tested")]
pub(crate) fn elsewhere<T: Send + 'static>(
    f: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    thread::spawn(|| fibra::run(f))
}

/// Starts a plain thread.
#[allow(clippy::disallowed_methods, reason = "other threads are what is tested")]
pub(crate) fn thread<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    thread::spawn(f)
}

/// Lets other threads run until `done` holds.
pub(crate) fn wait_for(done: impl Fn() -> bool) {
    while !done() {
        thread::yield_now();
    }
}

/// A xorshift generator: the same numbers for the same seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Returns a number below `n`.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }
}

/// Runs `body` in a process of its own, which is aborted if it takes longer than some minutes.
/// `test` names the calling test.
#[track_caller]
pub(crate) fn in_time(test: &str, body: impl FnOnce()) {
    let output = super::in_child(test, &[], || {
        thread(|| {
            thread::park_timeout(std::time::Duration::from_secs(180));
            eprintln!("it takes longer than three minutes");
            std::process::abort();
        });
        body();
    });
    let text = super::stderr(&output);
    assert!(text.ends_with(super::DONE_LINE), "it hangs or fails: {text}");
}
