//! The sleeping barber: a customer that finds no free chair leaves, and the barber sleeps when no
//! customer waits.
//!
//! The waiting room is a bounded channel. A customer tries to sit down with `try_send`, and leaves
//! if the channel is full. The barber receives the next customer with `recv`, and sleeps there.
//! There is no flag and no lock, and the two cannot wait for each other.
//!
//! ```text
//! $ cargo run --release --example sleeping_barber [CUSTOMERS = 8] [CHAIRS = 2]
//!   0 min  the barber sleeps
//!   2 min  1 wakes the barber
//!   4 min  2 sits down
//!   6 min  3 sits down
//!   7 min  1 is shaved
//! ...
//!  40 min  6 is shaved
//!  45 min  7 is shaved
//!  45 min  closed: 7 were shaved, 1 went away
//! ```
//!
//! The clock is virtual: the minutes take no time, and the run is the same each time.

mod arguments;
mod broken_pipe;

use std::cell::Cell;
use std::io;
use std::time::Duration;

use fibra::channel::{Receiver, Sender, TryRecvError, bounded};

const fn minutes(n: u64) -> Duration {
    Duration::from_secs(60 * n)
}

fn main() -> io::Result<()> {
    broken_pipe::end_quietly();
    let customers = arguments::number(1, "CUSTOMERS", 0..=1_000_000, 8) as u64;
    let chairs = arguments::number(2, "CHAIRS", 1..=1_000_000, 2);
    fibra::Runtime::builder().virtual_clock().build()?.run(|| {
        let shop = Shop { opened: fibra::now(), asleep: Cell::new(false) };
        let (room, next) = bounded(chairs);
        fibra::scope(|scope| {
            let barber = scope.spawn(|| shop.cut_hair(&next));
            shop.send_customers(customers, &room);
            drop(room); // No one else comes: the barber ends after the last customer.
            let cut = barber.join().expect("the barber does not panic");
            shop.say(format!("closed: {cut} were shaved, {} went away", customers - cut));
        });
    });
    Ok(())
}

struct Shop {
    opened: std::time::Instant,
    asleep: Cell<bool>,
}

impl Shop {
    fn say(&self, what: impl std::fmt::Display) {
        println!("{:3} min  {what}", (fibra::now() - self.opened).as_secs() / 60);
    }

    /// Shaves customers until the shop closes, and returns their number.
    fn cut_hair(&self, next: &Receiver<u64>) -> u64 {
        let mut cut = 0;
        while let Some(customer) = self.call(next) {
            // 3, 5 or 7 minutes.
            fibra::sleep(minutes(3 + 2 * (customer % 3)));
            self.say(format!("{customer} is shaved"));
            cut += 1;
        }
        cut
    }

    /// Returns the next customer, or `None` when the shop is closed. Sleeps until there is one.
    fn call(&self, next: &Receiver<u64>) -> Option<u64> {
        match next.try_recv() {
            Ok(customer) => return Some(customer),
            Err(TryRecvError::Closed) => return None,
            Err(TryRecvError::Empty) => {}
        }
        self.say("the barber sleeps");
        self.asleep.set(true);
        next.recv().ok()
    }

    fn send_customers(&self, customers: u64, room: &Sender<u64>) {
        for customer in 1..=customers {
            // Two minutes apart, except for a gap in the middle of the day.
            let gap = if customer == customers / 2 + 1 { 20 } else { 0 };
            fibra::sleep(minutes(2 + gap));
            match room.try_send(customer) {
                Err(_) => self.say(format!("{customer} finds no chair and leaves")),
                Ok(()) if self.asleep.take() => self.say(format!("{customer} wakes the barber")),
                Ok(()) => self.say(format!("{customer} sits down")),
            }
        }
    }
}
