//! A borrow from the guard of a task must not be kept after the guard, nor after a wait that gives
//! the guard away.

use fibra::sync::{Condvar, Mutex};

fn main() {
    let (mutex, changed) = (Mutex::new(String::from("a")), Condvar::new());
    fibra::future::block_on(async {
        let kept = {
            let guard = mutex.lock_async().await;
            &*guard
        };
        println!("{kept}");
        let guard = mutex.lock_async().await;
        let text: &String = &guard;
        let guard = changed.wait_async(guard).await;
        println!("{text} {guard}");
    });
}
