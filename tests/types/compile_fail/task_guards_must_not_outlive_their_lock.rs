//! The guard of a task borrows its lock, and so do the futures that make one.

use std::future::Future;
use fibra::sync::{Condvar, Mutex};

fn keep(_: impl Future + 'static) {}

fn main() {
    let guard = {
        let mutex = Mutex::new(1);
        fibra::future::block_on(mutex.lock_async())
    };
    drop(guard);
    let (mutex, changed) = (Mutex::new(1), Condvar::new());
    keep(mutex.lock_async());
    keep(changed.wait_async(fibra::future::block_on(mutex.lock_async())));
}
