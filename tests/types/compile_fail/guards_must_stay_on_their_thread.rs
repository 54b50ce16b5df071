//! A guard must not leave its thread: another one would unlock, and a reentrant mutex be shared.

fn main() {
    static MUTEX: fibra::sync::Mutex<u8> = fibra::sync::Mutex::new(0);
    let guard = MUTEX.lock();
    std::thread::spawn(move || drop(guard));
}
