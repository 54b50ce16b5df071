//! Functions that are fed: coroutines that receive names, print those with a prefix, and are
//! closed.
//!
//! The classic of Python's PEP 342. A generator also takes values in: the caller passes one to
//! `resume`, and it comes out of `yield_`, in the middle of the function's loop. The first comes as
//! an argument. What would else be a struct with a method are the local variables of a loop.
//!
//! Such functions make pipelines that are pushed from the front. One that owns the next needs no
//! code for the end: it is unwound from its `yield_`, which drops the next, which is closed.
//!
//! ```text
//! $ cargo run --release --example prefix_printer [PREFIX = Mc]
//! a coroutine is fed with names:
//!   McCarthy
//!   McIlroy
//!   no more names
//! one that splits lines feeds it with words:
//!   McCulloch
//!   McNulty
//!   no more names
//! one that answers its end has counted 3 words
//! ```

use fibra::generator::{Generator, GeneratorExit};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Is fed with text, yields nothing, and may end with a result.
type Fed<T = ()> = Generator<(), String, T>;

fn main() {
    let prefix = std::env::args().nth(1).unwrap_or("Mc".into());
    fibra::run(|| {
        println!("a coroutine is fed with names:");
        let mut printer = names_with(&prefix);
        for name in ["Dijkstra", "McCarthy", "Hopper", "McIlroy"] {
            printer.resume(name.into());
        }
        printer.close().expect("it does not refuse to end"); // `drop(printer)` does the same.

        println!("one that splits lines feeds it with words:");
        let mut splitter = words(names_with(&prefix));
        for line in ["Lovelace McCulloch", "", "Naur Ritchie McNulty"] {
            splitter.resume(line.into());
        }
        drop(splitter);

        let mut counter = count();
        for word in ["one", "two", "three"] {
            counter.resume(word.into());
        }
        let counted = counter.close().expect("it does not refuse to end");
        println!("one that answers its end has counted {} words", counted.unwrap_or(0));
    });
}

/// Prints the names that start with `prefix`, until it is closed.
fn names_with(prefix: &str) -> Fed {
    let prefix = prefix.to_owned();
    Generator::new(move |y, mut name: String| {
        let print = || loop {
            if name.starts_with(&prefix) {
                println!("  {name}");
            }
            name = y.yield_(()); // Waits here for the next name, and does not return if closed.
        };
        fibra::finally(print, || println!("  no more names"))
    })
}

/// Feeds `next` with the words of the lines that it is fed with.
fn words(mut next: Fed) -> Fed {
    Generator::new(move |y, mut line: String| {
        loop {
            for word in line.split_whitespace() {
                next.resume(word.into());
            }
            line = y.yield_(());
        }
    })
}

/// Counts what it is fed with. It catches its end, which is an unwind like others, and answers it.
fn count() -> Fed<usize> {
    Generator::new(|y, _| {
        let mut count = 1;
        loop {
            match catch_unwind(AssertUnwindSafe(|| y.yield_(()))) {
                Ok(_) => count += 1,
                Err(end) if end.is::<GeneratorExit>() => return count,
                Err(panic) => resume_unwind(panic),
            }
        }
    })
}
