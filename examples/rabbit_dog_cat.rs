//! A puzzle about the order of execution: why do a rabbit, a dog and a cat act in this order, and
//! in no other?
//!
//! Each step below has the number at which it happens. The numbers are out of order in the source
//! and are printed in order: with one thread and no clock, every run is the same. Three rules
//! decide the order:
//!
//! 1. The ring is the queue of fibers that can run. The first one runs until it waits. A fiber that
//!    is spawned or woken is appended.
//! 2. A `Channel` prefers its receiver: a send to a waiting receiver runs it immediately, and the
//!    sender goes to the end of the ring.
//! 3. `spawn_now` runs the child immediately, and its caller goes to the front of the ring.
//!
//! ```text
//! $ cargo run --release --example rabbit_dog_cat
//!  1  main waits      rule 1: it has only appended the others: rabbit dog cat
//!  2  rabbit listens  main waits, the first in the ring runs: dog cat
//!  3  dog barks       the rabbit waits, the next in the ring runs: cat
//!  4  rabbit hears    rule 2: it runs now, and the dog goes last: cat dog
//!  5  cat wakes       the rabbit has ended, the next runs: dog
//!  6  kitten mews     rule 3: it runs now, the cat is next: cat dog
//!  7  cat goes on     the kitten has gone to the end: dog kitten
//!  8  dog goes on     the cat has ended, the next runs: kitten
//!  9  kitten purrs    the dog has ended, which woke main: main
//! 10  main goes on    all three of its scope have ended, and the ring is empty
//!
//! The order after they met, if       the rabbit waited   the dog waited
//!   and the preference is Receiver   rabbit cat dog      rabbit cat dog
//!   and the preference is Neither    dog cat rabbit      rabbit cat dog
//!   and the preference is Sender     dog cat rabbit      dog cat rabbit
//! ```

mod broken_pipe;

use fibra::channel::{Channel, Preference};
use std::cell::RefCell;

fn main() {
    broken_pipe::end_quietly();
    fibra::run(|| {
        puzzle();
        println!("\nThe order after they met, if       the rabbit waited   the dog waited");
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
            field.recv().unwrap(); // No one sends yet: it leaves the ring.
            say(4, "rabbit hears", "rule 2: it runs now, and the dog goes last: cat dog");
        });
        s.spawn(|| {
            say(3, "dog barks", "the rabbit waits, the next in the ring runs: cat");
            field.send("woof").unwrap(); // The rabbit waits for it: rule 2.
            say(8, "dog goes on", "the cat has ended, the next runs: kitten");
        });
        s.spawn(|| {
            say(5, "cat wakes", "the rabbit has ended, the next runs: dog");
            let kitten = fibra::spawn_now(|| {
                say(6, "kitten mews", "rule 3: it runs now, the cat is next: cat dog");
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

/// Prints a step and its reason, which ends with the ring behind the acting fiber.
fn say(step: u32, what: &str, why: &str) {
    println!("{step:2}  {what:16}{why}");
}

/// Returns the order in which the rabbit, which receives, the dog, which sends, and a cat act.
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
