//! A deliberate race, by which `.ci/thread-sanitizer` checks that races are reported. Only that
//! script runs it.

#![allow(unsafe_code, reason = "no race can be made without it")]

use std::cell::UnsafeCell;
use std::thread;

struct Shared(UnsafeCell<u64>);

// SAFETY: this is unsound on purpose; the test runs only in a build that reports the race, not in
// one that optimizes as if there were none.
unsafe impl Sync for Shared {}

#[test]
#[ignore = "it has a data race on purpose"]
fn two_threads_write_a_number() {
    static NUMBER: Shared = Shared(UnsafeCell::new(0));
    let write = || {
        for _ in 0..1_000 {
            // SAFETY: as above, this is the race.
            unsafe { NUMBER.0.get().write(NUMBER.0.get().read() + 1) };
        }
    };
    thread::scope(|threads| {
        threads.spawn(write);
        write();
    });
}
