//! A factory that works to order: an army asks for soldiers, and each request causes the next ones.
//!
//! ```text
//! army <-- drill 1 <--+-- swords in store <-- smithy <---+-- mine
//!      <-- drill 2 <--+-- shields in store <- workshop <-+-- forest
//! ```
//!
//! Each workshop is a tasklet that waits for orders. An order is the channel on which the product
//! is delivered. To make a product, the workshop orders the parts, and its customers wait
//! meanwhile. So the last one in the chain sets the pace, nothing piles up, and no code schedules
//! the work.
//!
//! ```text
//! $ cargo run --release --example factory [SOLDIERS = 6]
//! hour  1: drill 1 delivers a soldier, the sword from the store, the shield from the store
//! hour  1: drill 2 delivers a soldier, the sword from the store, the shield from the store
//! hour  9: drill 1 delivers a soldier, the sword from the smithy, the shield from the workshop
//! ...
//! in hour 24 the army is complete, and nothing is left over
//! made: 12 iron, 4 wood, 4 swords, 4 shields, 6 soldiers
//! ```
//!
//! The clock is virtual: the run takes no time, and is the same each time.

mod arguments;
mod broken_pipe;

use fibra::stackless::{Channel, spawn};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

fn main() -> std::io::Result<()> {
    broken_pipe::end_quietly();
    let army = arguments::number(1, "SOLDIERS", 1..=100_000, 6);
    fibra::Runtime::builder().virtual_clock().build()?.run(|| raise(army));
    Ok(())
}

fn raise(army: usize) {
    let mine = Works::new(1, || "iron");
    let forest = Works::new(1, || "wood");
    let ore = mine.clone();
    let smithy = Works::new(2, move || {
        ore.get();
        ore.get();
        "the smithy"
    });
    let (ore, planks) = (mine.clone(), forest.clone());
    let workshop = Works::new(1, move || {
        ore.get();
        planks.get();
        "the workshop"
    });
    let (swords, shields) = (in_store(2, &smithy), in_store(2, &workshop));
    let drills = [(); 2].map(|()| {
        let (swords, shields) = (swords.clone(), shields.clone());
        Works::new(1, move || (swords.get(), shields.get()))
    });

    let (start, ordered) = (fibra::now(), Cell::new(0));
    let hours = || (fibra::now() - start).as_secs() / 3600;
    fibra::scope(|army_camp| {
        for (drill, number) in drills.iter().zip(1..) {
            let (ordered, hours) = (&ordered, &hours);
            army_camp.spawn(move || {
                while ordered.replace(army.min(ordered.get() + 1)) < army {
                    let (sword, shield) = drill.get();
                    print!("hour {:2}: drill {number} delivers a soldier, ", hours());
                    println!("the sword from {sword}, the shield from {shield}");
                }
            });
        }
    });
    println!("in hour {} the army is complete, and nothing is left over", hours());
    print!("made: {} iron, {} wood, ", mine.made.get(), forest.made.get());
    print!("{} swords, {} shields, ", smithy.made.get(), workshop.made.get());
    println!("{} soldiers", drills.iter().map(|drill| drill.made.get()).sum::<usize>());
}

/// A workshop that makes one product at a time, in the order of the orders.
#[derive(Clone)]
struct Works<T> {
    orders: Channel<Channel<T>>,
    made: Rc<Cell<usize>>,
}

impl<T: 'static> Works<T> {
    /// Starts a workshop that obtains the `parts` of a product and then works for some `hours`.
    fn new(hours: u64, mut parts: impl FnMut() -> T + 'static) -> Works<T> {
        let (orders, made) = (Channel::<Channel<T>>::new(), Rc::new(Cell::new(0)));
        let works = Works { orders: orders.clone(), made: made.clone() };
        spawn(move || {
            for customer in orders {
                let thing = parts();
                fibra::sleep(Duration::from_secs(hours * 3600));
                made.set(made.get() + 1);
                customer.send(thing).unwrap();
            }
        });
        works
    }

    /// Orders a product, and waits for it.
    fn get(&self) -> T {
        let delivery = Channel::new();
        self.orders.send(delivery.clone()).unwrap();
        delivery.receive().unwrap()
    }
}

/// Starts a store that delivers from its stock, and from `source` when that is used up.
fn in_store(stock: usize, source: &Works<&'static str>) -> Works<&'static str> {
    let (mut stock, source) = (vec!["the store"; stock], source.clone());
    Works::new(0, move || stock.pop().unwrap_or_else(|| source.get()))
}
