//! Fibers and futures: `async` code called from plain functions, and plain functions awaited.
//!
//! `block_on` waits for a future like for anything else: the fiber parks, and the others run. So a
//! library with an `async` interface is used from code without `async`. The other way round,
//! `future::spawn` runs a function that waits in a fiber, and is a future itself: it can be
//! awaited, and combined with other futures. Dropping it kills the fiber.
//!
//! ```text
//! $ cargo run --release --example futures
//! producer and consumer: 1 4 9 16 25
//! the first of two: the fiber
//! both of two: 3 and 4
//! a fiber whose future was dropped has ended: true
//! ```
//!
//! The times are real and short.

mod broken_pipe;

use fibra::future::{self, block_on};
use futures_lite::future::{or, zip};
use std::time::Duration;

fn main() {
    broken_pipe::end_quietly();
    fibra::run(|| {
        // An async channel between two fibers.
        let (sender, receiver) = async_channel::bounded(1);
        let producer = fibra::spawn(move || {
            (1..=5).for_each(|number| block_on(sender.send(number)).unwrap());
        });
        let consumer = fibra::spawn(move || {
            let mut squares = Vec::new();
            while let Ok(number) = block_on(receiver.recv()) {
                squares.push((number * number).to_string());
            }
            squares.join(" ")
        });
        producer.join().unwrap();
        println!("producer and consumer: {}", consumer.join().unwrap());

        // A fiber as a future, beside a timer.
        let slow = async {
            future::sleep(Duration::from_secs(3600)).await;
            "the timer"
        };
        let fiber = future::spawn(|| {
            fibra::sleep(Duration::from_millis(1));
            "the fiber"
        });
        println!("the first of two: {}", block_on(or(slow, async { fiber.await.unwrap() })));

        let add = |a: u32, b: u32| {
            future::spawn(move || {
                fibra::yield_now(); // Any code that waits.
                a + b
            })
        };
        let (first, second) = block_on(zip(add(1, 2), add(2, 2)));
        println!("both of two: {} and {}", first.unwrap(), second.unwrap());

        let (held, released) = fibra::channel::oneshot::<()>();
        let waiting = future::spawn_now(move || {
            let _held = held; // Dropped when the fiber is unwound.
            fibra::park();
        });
        drop(waiting);
        println!("a fiber whose future was dropped has ended: {}", released.recv().is_err());
    });
}
