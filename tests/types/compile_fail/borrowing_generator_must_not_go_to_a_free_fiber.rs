//! A fiber without a scope may outlive what the generator borrows.

fn main() {
    fibra::run(|| {
        let word = String::from("word");
        fibra::generator::scope(|s| {
            let mut one = s.iter(|y| y.yield_(word.len()));
            fibra::spawn(move || one.next());
        });
    });
}
