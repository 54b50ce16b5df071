//! A puzzle: in which order do a rabbit, a dog and a cat act, and why in no other?
//!
//! Each step below carries the number at which it happens. The numbers stand out of order in the
//! source and come out in order: with one thread and no clock, nothing could make a run differ
//! from the last one. Three rules decide all of it:
//!
//! 1. The ring holds who can run. The first runs until it waits; a spawned or woken fiber is
//!    appended.
//! 2. A `Channel` prefers its receiver: a send to one who waits runs it at once, and the sender
//!    goes behind everybody.
//! 3. `spawn_now` runs the child at once, and its caller directly behind it.
//!
//! ```text
//! $ cargo run --release --example rabbit_dog_cat
//!  1  main waits      rule 1: it has only appended the others: rabbit dog cat
//!  2  rabbit listens  main waits, the first in the ring runs: dog cat
//!  3  dog barks       the rabbit waits, the next in the ring runs: cat
//!  4  rabbit hears    rule 2: it runs at once, and the dog goes last: cat dog
//!  5  cat wakes       the rabbit has ended, the next runs: dog
//!  6  kitten mews     rule 3: it runs at once, the cat is next: cat dog
//!  7  cat goes on     the kitten has gone to the end: dog kitten
//!  8  dog goes on     the cat has ended, the next runs: kitten
//!  9  kitten purrs    the dog has ended, which woke main: main
//! 10  main goes on    all three of its scope have ended, and the ring is empty
//!
//! Who acts after they met, if        the rabbit waited   the dog waited
//!   and the preference is Receiver   rabbit cat dog      rabbit cat dog
//!   and the preference is Neither    dog cat rabbit      rabbit cat dog
//!   and the preference is Sender     dog cat rabbit      dog cat rabbit
//! ```

use fibra::channel::{Channel, Preference};
use std::cell::RefCell;

fn main() {
    fibra::run(|| {
        puzzle();
        println!("\nWho acts after they met, if        the rabbit waited   the dog waited");
        for preference in [Preference::Receiver, Preference::Neither, Preference::Sender] {
            let (rabbit_waits, dog_waits) = (meeting(preference, false), meeting(preference, true));
            let preference = format!("{preference:?}");
            println!("  and the preference is {preference:11}{rabbit_waits:20}{dog_waits}");
        }
    });
}

fn puzzle() {
    let field = Channel::new();
    fibra::scope(|s| {
        s.spawn(|| {
            say(2, "rabbit listens", "main waits, the first in the ring runs: dog cat");
            field.recv().unwrap(); // Nobody sends yet: it leaves the ring.
            say(4, "rabbit hears", "rule 2: it runs at once, and the dog goes last: cat dog");
        });
        s.spawn(|| {
            say(3, "dog barks", "the rabbit waits, the next in the ring runs: cat");
            field.send("woof").unwrap(); // The rabbit waits for it: rule 2.
            say(8, "dog goes on", "the cat has ended, the next runs: kitten");
        });
        s.spawn(|| {
            say(5, "cat wakes", "the rabbit has ended, the next runs: dog");
            let kitten = fibra::spawn_now(|| {
                say(6, "kitten mews", "rule 3: it runs at once, the cat is next: cat dog");
                fibra::yield_now(); // It goes to the end.
                say(9, "kitten purrs", "the dog has ended, which woke main: main");
            });
            say(7, "cat goes on", "the kitten has gone to the end: dog kitten");
            drop(kitten); // The cat does not wait for it.
        });
        say(1, "main waits", "rule 1: it has only appended the others: rabbit dog cat");
    });
    say(10, "main goes on", "all three of its scope have ended, and the ring is empty");
}

/// Prints a step and its reason, which ends with the ring behind the one that acts.
fn say(step: u32, what: &str, why: &str) {
    println!("{step:2}  {what:16}{why}");
}

/// The rabbit receives what the dog sends, with a cat looking on. Who acts first after that?
fn meeting(preference: Preference, dog_comes_first: bool) -> String {
    let (field, order) = (Channel::new(), RefCell::new(Vec::new()));
    field.set_preference(preference);
    let dog = || {
        field.send("woof").unwrap();
        order.borrow_mut().push("dog");
    };
    let rabbit = || {
        field.recv().unwrap();
        order.borrow_mut().push("rabbit");
    };
    fibra::scope(|s| {
        if dog_comes_first {
            s.spawn(dog);
            s.spawn(rabbit);
        } else {
            s.spawn(rabbit);
            s.spawn(dog);
        }
        s.spawn(|| order.borrow_mut().push("cat"));
    });
    order.into_inner().join(" ")
}
