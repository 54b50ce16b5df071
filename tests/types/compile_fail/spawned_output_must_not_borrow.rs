//! The output of a fiber that is not in a scope may be joined by any fiber, at any time.

fn main() {
    let text = String::from("borrowed");
    let child = fibra::run(|| {
        let text: &str = &text;
        fibra::spawn(move || text)
    });
    drop(text);
    println!("{}", child.join().unwrap());
}
