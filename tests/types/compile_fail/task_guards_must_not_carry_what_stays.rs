//! The guard of a task gives its thread a `&mut` to the data: it may leave only with data that may.

use std::rc::Rc;

fn may_leave<T: Send>(_: T) {}

fn main() {
    let mutex = fibra::sync::Mutex::new(Rc::new(1));
    fibra::future::block_on(async { may_leave(mutex.lock_async().await) });
    let lock = fibra::sync::RwLock::new(Rc::new(1));
    fibra::future::block_on(async { may_leave(lock.write_async().await) });
}
