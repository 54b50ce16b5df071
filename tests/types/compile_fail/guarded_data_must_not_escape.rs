//! A borrow from a guard must not be kept after the guard.

fn main() {
    let mutex = fibra::sync::Mutex::new(String::from("a"));
    let text: &String = &mutex.lock();
    drop(mutex.lock());
    println!("{text}");
    let kept = {
        let guard = mutex.lock();
        &*guard
    };
    println!("{kept}");
}
