//! A fiber that is not in a scope may outlive the frame that spawned it.

fn main() {
    fibra::run(|| {
        let text = String::from("borrowed");
        let child = fibra::spawn(|| text.len());
        child.join().unwrap();
    });
}
