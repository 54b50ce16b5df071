//! The program that `tests/abort/scopes.rs` builds with `panic = "abort"`: scopes across threads
//! whose jobs, or whose bodies, cannot be unwound when the runtime ends.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fibra::{Handle, Runtime, par};

const MS: Duration = Duration::from_millis(1);

struct Left;

impl Drop for Left {
    fn drop(&mut self) {
        eprintln!("> WRONG, a scope was left");
    }
}

fn on(threads: usize, f: impl FnOnce(Handle)) {
    std::thread::spawn(|| {
        std::thread::sleep(Duration::from_secs(30));
        eprintln!("> WRONG, it hangs");
        std::process::exit(9);
    });
    Runtime::builder().threads(threads).build().unwrap().run(|| f(Handle::current()));
    eprintln!("> over");
}

fn wait() {
    loop {
        fibra::park();
    }
}

/// Opens a scope with a job that waits forever on the scheduler `index`.
/// Whether the job of a scope has started.
static STARTED: AtomicBool = AtomicBool::new(false);

/// Waits until the job of a scope has started.
fn until_started() {
    while !STARTED.swap(false, Ordering::SeqCst) {
        fibra::sleep(MS);
    }
}

fn scope(index: usize, then: impl FnOnce()) {
    let _left = Left;
    let started = AtomicBool::new(false);
    par::scope(|s| {
        s.spawn_on(index, || {
            started.store(true, Ordering::SeqCst);
            wait();
        });
        while !started.load(Ordering::SeqCst) {
            fibra::yield_now();
        }
        STARTED.store(true, Ordering::SeqCst);
        then();
    });
}

fn main() {
    // The number of schedulers, that of the scope, and that of its job.
    for (threads, outer, inner) in [(1, 0, 0), (2, 0, 0), (2, 0, 1), (2, 1, 0), (2, 1, 1)] {
        on(threads, |handle| {
            handle.spawn_on(outer, move || scope(inner, || ())).detach();
            until_started();
        });
        on(threads, |handle| {
            handle.spawn_on(outer, move || scope(inner, wait)).detach();
            until_started();
        });
    }
}
