//! A hundred thousand greenlets pass a number down a chain, and each adds one.
//!
//! This is the benchmark of Python's greenlet. Each link is a call stack of its own that waits in
//! the middle of its function, and the number reaches the next link in one switch.
//!
//! ```text
//! $ cargo run --release --example chain --features greenlet [GREENLETS = 100000]
//! 100000 greenlets wait after 92.0ms
//! the number went through all of them: 100000, 33 ns each
//! ```
//!
//! The times are an example.

#![allow(clippy::disallowed_methods, reason = "measures time by the system's clock")]

mod arguments;

use std::time::Instant;

use fibra::greenlet::{self, Greenlet};

/// A value that greenlets exchange: the next greenlet of the chain, or the number.
enum Message {
    Next(Greenlet<Message>),
    Number(usize),
}

fn main() {
    let links = arguments::number(1, "GREENLETS", 1..=1_000_000, 100_000);
    fibra::frame(|| {
        let start = Instant::now();
        let chain = (0..links).fold(greenlet::main(), |next, _| {
            let link = Greenlet::new(link);
            // It starts, receives its successor, and switches back for the number.
            link.switch(Message::Next(next)).unwrap();
            link
        });
        println!("{links} greenlets wait after {:.1?}", start.elapsed());
        let start = Instant::now();
        let number = number_of(chain.switch(Message::Number(0)).unwrap());
        let each = start.elapsed().as_nanos() / links as u128;
        assert_eq!(number, links, "each link adds one");
        println!("the number went through all of them: {number}, {each} ns each");
        // The links still wait in `switch`: they are unwound when their handles are dropped.
    });
}

fn link(first: Message) -> Message {
    let Message::Next(next) = first else { unreachable!("a link starts with its successor") };
    let number = number_of(greenlet::main().switch(Message::Number(0)).unwrap());
    // No one switches back to a link: this call does not return.
    next.switch(Message::Number(number + 1)).unwrap()
}

fn number_of(message: Message) -> usize {
    match message {
        Message::Number(number) => number,
        Message::Next(_) => unreachable!("links are passed first"),
    }
}
