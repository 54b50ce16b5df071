//! What a guard lends must not be kept after it.

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
