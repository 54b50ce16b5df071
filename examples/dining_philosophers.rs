//! Five philosophers and five forks: a deadlock that is reported and survived, and an order in
//! which there is none.
//!
//! A fork is a channel that holds one token: to take the fork is to receive, and to put it back is
//! to send. If all philosophers take the fork on their left first, all end up waiting for the fork
//! on their right, and no timer, event or thread could end these waits. The scheduler detects that:
//! the wait that completes the circle fails with a report of each fiber, where it waits and for how
//! long. It is an error like others: `?` drops the fork in hand, which puts it back, and the other
//! philosophers can eat.
//!
//! The remedy is an order: all take the fork with the lower number first.
//!
//! ```text
//! $ cargo run --release --example dining_philosophers [MEALS = 3]
//! The fork on the left first:
//!   Arendt leaves: deadlock: all fibers wait and nothing can wake one (see ...
//!   fiber 'Plato' (#2) is receiving on an empty channel ... for 4s
//!   ...
//!   Kant has eaten 3 times
//!   Hypatia has eaten 3 times
//!   ...
//! The fork with the lower number first:
//!   Kant has eaten 3 times
//!   ...
//! ```
//!
//! The clock is virtual: the seconds take no time, and the run is the same each time.

mod arguments;
mod broken_pipe;

use fibra::channel::{Receiver, RecvError, Sender, bounded};
use std::io;
use std::time::Duration;

const NAMES: [&str; 5] = ["Plato", "Laozi", "Hypatia", "Kant", "Arendt"];

fn main() -> io::Result<()> {
    broken_pipe::end_quietly();
    let meals = arguments::number(1, "MEALS", 1..=1_000_000, 3);
    println!("The fork on the left first:");
    dinner(meals, |left, right| (left, right))?;
    println!("The fork with the lower number first:");
    dinner(meals, |left, right| (left.min(right), left.max(right)))
}

/// Seats the philosophers. `choose` gets the numbers of the forks to the left and right of a seat,
/// and returns them in the order in which to take them.
fn dinner(meals: usize, choose: fn(usize, usize) -> (usize, usize)) -> io::Result<()> {
    fibra::Runtime::builder().virtual_clock().build()?.run(|| {
        let forks = NAMES.map(|_| Fork::on_the_table());
        fibra::scope(|table| {
            for (seat, name) in NAMES.into_iter().enumerate() {
                let (first, second) = choose(seat, (seat + 1) % NAMES.len());
                let (first, second) = (&forks[first], &forks[second]);
                let pause = Duration::from_secs(1 + seat as u64);
                table.spawn_with(fibra::Builder::new().name(name), move || {
                    match dine(meals, pause, first, second) {
                        Ok(()) => println!("  {name} has eaten {meals} times"),
                        Err(error) => println!("  {name} leaves: {error}"),
                    }
                });
            }
        });
    });
    Ok(())
}

fn dine(meals: usize, pause: Duration, first: &Fork, second: &Fork) -> Result<(), RecvError> {
    for _ in 0..meals {
        let _one = first.take()?;
        fibra::sleep(pause); // Each one thinks for another time.
        let _other = second.take()?;
        fibra::sleep(Duration::from_secs(10)); // The meal; then both forks go back.
    }
    Ok(())
}

struct Fork {
    put: Sender<()>,
    get: Receiver<()>,
}

impl Fork {
    fn on_the_table() -> Fork {
        let (put, get) = bounded(1);
        put.try_send(()).expect("there is room for one");
        Fork { put, get }
    }

    #[track_caller] // The report then names the caller's line.
    fn take(&self) -> Result<InHand<'_>, RecvError> {
        self.get.recv().map(|()| InHand(self))
    }
}

/// A fork that was taken. It is put back however its holder leaves: by `?`, a panic or a kill.
struct InHand<'a>(&'a Fork);

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        self.0.put.try_send(()).expect("it was taken from there");
    }
}
