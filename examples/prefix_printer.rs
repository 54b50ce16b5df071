//! Generators that receive values: they get names, print those with a prefix, and are closed.
//!
//! This is the classic example of Python's PEP 342. The caller passes a value to `resume`, and
//! `yield_` returns it in the middle of the generator's loop. The first value is an argument. The
//! local variables of the loop take the place of a struct with a method.
//!
//! Such generators form pipelines that are pushed from the front. A generator that owns the next
//! one needs no code for the end: closing it unwinds it from its `yield_`, and that drops and so
//! closes the next one.
//!
//! ```text
//! $ cargo run --release --example prefix_printer [PREFIX = Mc]
//! a generator that receives names:
//!   McCarthy
//!   McIlroy
//!   no more names
//! a generator that splits lines into words for another one:
//!   McCulloch
//!   McNulty
//!   no more names
//! a generator that returns a value when it is closed: 3 words
//! ```

mod broken_pipe;

use fibra::generator::{Generator, GeneratorExit};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// A generator that receives text, yields nothing, and may end with a result.
type Fed<T = ()> = Generator<(), String, T>;

fn main() {
    broken_pipe::end_quietly();
    let prefix = std::env::args().nth(1).unwrap_or("Mc".into());
    fibra::run(|| {
        println!("a generator that receives names:");
        let mut printer = names_with(&prefix);
        for name in ["Dijkstra", "McCarthy", "Hopper", "McIlroy"] {
            printer.resume(name.into());
        }
        printer.close().expect("it does not refuse to end"); // `drop(printer)` does the same.

        println!("a generator that splits lines into words for another one:");
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
        let counted = counted.unwrap_or(0);
        println!("a generator that returns a value when it is closed: {counted} words");
    });
}

/// Makes a generator that prints the names that start with `prefix`, until it is closed.
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

/// Makes a generator that receives lines, and resumes `next` with each of their words.
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

/// Makes a generator that counts values. It catches the unwind of its end, and returns the count.
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
