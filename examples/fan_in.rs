//! Merges any number of sources into one stream, in order of time: `Select` over a list that is
//! built at run time.
//!
//! `select!` has a fixed number of arms. `Select` takes as many operations as there are sources,
//! and each adds a closure that makes the result. A source that is closed leaves the list.
//!
//! ```text
//! $ cargo run --release --example fan_in [SOURCES = 3]
//!    10 ms  source 1 sends 1
//!    20 ms  source 2 sends 1
//!    20 ms  source 1 sends 2
//!   ...
//!    90 ms  source 3 has ended
//! 9 values of 3 sources
//! ```
//!
//! The clock is virtual: the milliseconds take no time, and the run is the same each time.

mod arguments;
mod broken_pipe;

use fibra::channel::{Receiver, RecvError, bounded};
use fibra::select::{Select, recv};
use std::io;
use std::time::Duration;

fn main() -> io::Result<()> {
    broken_pipe::end_quietly();
    let sources = arguments::number(1, "SOURCES", 1..=10_000, 3) as u64;
    fibra::Runtime::builder().virtual_clock().build()?.run(|| {
        let start = fibra::now();
        let mut open: Vec<_> = (1..=sources).map(|number| (number, source(number))).collect();
        let mut values = 0;
        while !open.is_empty() {
            let (number, value) = next(&open);
            let milliseconds = (fibra::now() - start).as_millis();
            match value {
                Ok(value) => {
                    values += 1;
                    println!("{milliseconds:5} ms  source {number} sends {value}");
                }
                Err(_) => {
                    println!("{milliseconds:5} ms  source {number} has ended");
                    open.retain(|(other, _)| *other != number);
                }
            }
        }
        println!("{values} values of {sources} sources");
    });
    Ok(())
}

/// Waits for the first value, or the end, of one of the sources.
fn next(open: &[(u64, Receiver<u32>)]) -> (u64, Result<u32, RecvError>) {
    let mut select = Select::new();
    for (number, receiver) in open {
        select.add(recv(receiver), |value| (*number, value));
    }
    select.wait()
}

/// Starts a source that sends three values, one every `number` times 10 ms.
fn source(number: u64) -> Receiver<u32> {
    let (sender, receiver) = bounded(1);
    fibra::spawn(move || {
        for value in 1..=3 {
            fibra::sleep(Duration::from_millis(10 * number));
            sender.send(value).expect("the receiver is there");
        }
    });
    receiver
}
