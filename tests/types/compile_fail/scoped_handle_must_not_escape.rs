//! The handle of a scoped fiber must not leave the scope: its output may borrow.

fn main() {
    fibra::run(|| {
        let handle = fibra::scope(|s| s.spawn(|| 1));
        handle.join().unwrap();
    });
}
