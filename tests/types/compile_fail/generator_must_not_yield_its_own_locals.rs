//! Variables on a generator's stack are gone before the values that it has yielded.

use fibra::generator::{self, Yielder};

fn main() {
    fibra::frame(|| {
        generator::scope(|s| {
            let mut words = s.iter(|y: &Yielder<&str>| {
                let word = String::from("word");
                y.yield_(&word);
            });
            let word = words.next();
            drop(words);
            println!("{word:?}");
        });
    });
}
