//! The guard of a task that reads must not leave its thread with a reference to data that other
//! readers have there: the data must be `Sync`.

use std::cell::Cell;

fn may_leave<T: Send>(_: T) {}

fn main() {
    let lock = fibra::sync::RwLock::new(Cell::new(1));
    fibra::future::block_on(async { may_leave(lock.read_async().await) });
}
