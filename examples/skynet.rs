//! A tree of fibers with ten children each and a million leaves: the order of execution decides how
//! much memory the tree takes.
//!
//! Each leaf returns its number, and each inner fiber the sum of its children. `spawn` puts a child
//! at the end of the ring, so the tree is visited level by level: no inner fiber can end before the
//! first leaf has run, and each waits on a stack of its own. `spawn_now` runs the child
//! immediately: the child ends and the next one uses its stack, so there is never more than one
//! stack per level.
//!
//! ```text
//! $ cargo run --release --example skynet [LEVELS = 6]
//! breadth first (spawn):     sum 499999500000 of 1000000 leaves in 658.5ms, at most 111112 stacks
//! depth first (spawn_now):   sum 499999500000 of 1000000 leaves in 83.5ms, at most 7 stacks
//! ```
//!
//! The times are an example.

mod arguments;

use fibra::JoinHandle;
use std::cell::Cell;

#[derive(Clone, Copy)]
enum Order {
    BreadthFirst,
    DepthFirst,
}

const CHILDREN: u64 = 10;

fn main() {
    let levels = arguments::number(1, "LEVELS", 0..=8, 6);
    let leaves = CHILDREN.pow(levels as u32);
    measure("breadth first (spawn):", Order::BreadthFirst, leaves);
    measure("depth first (spawn_now):", Order::DepthFirst, leaves);
}

fn measure(name: &str, order: Order, leaves: u64) {
    MOST_STACKS.set(0);
    let (sum, took) = fibra::run(|| {
        let start = fibra::now();
        (skynet(order, 0, leaves), start.elapsed())
    });
    assert_eq!(sum, leaves * (leaves - 1) / 2, "the sum of 0, 1, 2, ...");
    let stacks = MOST_STACKS.get();
    println!("{name:26} sum {sum} of {leaves} leaves in {took:.1?}, at most {stacks} stacks");
}

/// Adds up `leaves` numbers from `first` on, each returned by a fiber of its own.
fn skynet(order: Order, first: u64, leaves: u64) -> u64 {
    if leaves == 1 {
        count_stacks();
        return first;
    }
    let part = leaves / CHILDREN;
    let children: [JoinHandle<u64>; CHILDREN as usize] = std::array::from_fn(|i| {
        let work = move || skynet(order, first + i as u64 * part, part);
        match order {
            Order::BreadthFirst => fibra::spawn(work),
            Order::DepthFirst => fibra::spawn_now(work),
        }
    });
    children.into_iter().map(|child| child.join().unwrap()).sum()
}

thread_local! {
    // All fibers run on one thread: they share this, without a lock.
    static MOST_STACKS: Cell<usize> = const { Cell::new(0) };
}

fn count_stacks() {
    MOST_STACKS.set(MOST_STACKS.get().max(fibra::stats().stacks_live));
}
