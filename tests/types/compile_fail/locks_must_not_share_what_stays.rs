//! A mutex lends `&mut`, through which a value that is not `Send` would get to another thread.

use std::rc::Rc;

fn main() {
    let mutex = fibra::sync::Mutex::new(Rc::new(1));
    std::thread::scope(|s| {
        s.spawn(|| drop(mutex.lock().clone()));
    });
}
