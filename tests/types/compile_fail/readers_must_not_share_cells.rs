//! Readers in several threads have the data at the same time: it must be `Sync`.

use std::cell::Cell;

fn main() {
    let lock = fibra::sync::RwLock::new(Cell::new(1));
    std::thread::scope(|s| {
        s.spawn(|| lock.read().set(2));
    });
}
