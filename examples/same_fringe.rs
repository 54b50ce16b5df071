//! Do two trees of different shape have the same leaves in the same order?
//!
//! ```text
//!         .                .
//!        / \              / \
//!       .   3            1   .          the same fringe: 1 2 3
//!      / \                  / \
//!     1   2                2   3
//! ```
//!
//! One recursion cannot walk two shapes at once, and to list all leaves first is work for nothing
//! if already the first two differ. Two generators do it leaf by leaf: each is a plain recursion
//! that yields from wherever it is. A yield is one switch of stacks, so a leaf a thousand calls
//! down costs what one at the top does. A chain of iterators would pass it up through a thousand.
//!
//! ```text
//! $ cargo run --release --example same_fringe [LEAVES = 10000]
//! ((((1 2) 3) 4) 5)   (1 (2 (3 (4 5))))   the same 5 leaves
//! ((((1 2) 3) 4) 5)   ((1 2) (7 (4 5)))   differ at leaf 3: Some(3), Some(7)
//! ((((1 2) 3) 4) 5)   (1 (2 (3 4)))       differ at leaf 5: Some(5), None
//!
//! 10000 leaves, at most   14 calls deep: 34 ns a leaf
//! 10000 leaves, at most 9999 calls deep: 37 ns a leaf
//! ```
//!
//! The times are an example.

#![allow(
    clippy::disallowed_methods,
    reason = "measures without a scheduler, by the system's clock"
)]

mod arguments;

use Tree::{Fork, Leaf};
use fibra::generator::{self, Yielder};
use std::fmt;
use std::time::Instant;

enum Tree {
    Leaf(usize),
    Fork(Box<Tree>, Box<Tree>),
}

impl Tree {
    /// Yields the leaves from the left to the right.
    fn walk(&self, y: &Yielder<usize>) {
        match self {
            Leaf(value) => y.yield_(*value),
            Fork(left, right) => {
                left.walk(y);
                right.walk(y);
            }
        }
    }
}

fn main() {
    let count = arguments::number(1, "LEAVES", 2..=20_000, 10_000);
    fibra::frame(|| {
        let left = left_comb(5);
        compare(&left, &right_comb(&[1, 2, 3, 4, 5]));
        compare(&left, &fork(fork(Leaf(1), Leaf(2)), right_comb(&[7, 4, 5])));
        compare(&left, &right_comb(&[1, 2, 3, 4]));
        println!();
        measure(count, count.next_power_of_two().ilog2() as usize, &balanced(1, count));
        measure(count, count - 1, &left_comb(count));
    });
}

fn compare(left: &Tree, right: &Tree) {
    println!(
        "{:18}  {:18}  {}",
        left.to_string(),
        right.to_string(),
        first_difference(left, right)
    );
}

fn first_difference(left: &Tree, right: &Tree) -> String {
    generator::scope(|s| {
        // Nothing runs yet: each `next` runs one of them as far as its next leaf.
        let (mut ours, mut theirs) = (s.iter(|y| left.walk(y)), s.iter(|y| right.walk(y)));
        let mut leaf = 1;
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) => return format!("the same {} leaves", leaf - 1),
                (a, b) if a == b => leaf += 1,
                (a, b) => return format!("differ at leaf {leaf}: {a:?}, {b:?}"),
            }
        }
    }) // What was not walked to its end is unwound here, in the middle of its recursion.
}

/// What a leaf costs, of a tree that is compared with itself.
fn measure(leaves: usize, depth: usize, tree: &Tree) {
    let big = generator::Builder::new().stack_size(16 << 20); // For a recursion that is this deep.
    let start = Instant::now();
    let same = generator::scope(|s| {
        let [ours, theirs] = [(); 2].map(|()| s.build(&big, |y, ()| tree.walk(y)));
        ours.eq(theirs)
    });
    let each = start.elapsed().as_nanos() / (2 * leaves) as u128;
    assert!(same, "it has the same leaves as itself");
    println!("{leaves} leaves, at most {depth:4} calls deep: {each} ns a leaf");
}

fn fork(left: Tree, right: Tree) -> Tree {
    Fork(Box::new(left), Box::new(right))
}

/// The leaves `1..=count`, the first one at the bottom.
fn left_comb(count: usize) -> Tree {
    (2..=count).fold(Leaf(1), |tree, value| fork(tree, Leaf(value)))
}

/// The last one at the bottom.
fn right_comb(values: &[usize]) -> Tree {
    let (last, rest) = values.split_last().expect("a tree has a leaf");
    rest.iter().rfold(Leaf(*last), |tree, &value| fork(Leaf(value), tree))
}

fn balanced(first: usize, count: usize) -> Tree {
    match count {
        1 => Leaf(first),
        _ => fork(balanced(first, count / 2), balanced(first + count / 2, count - count / 2)),
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Leaf(value) => write!(f, "{value}"),
            Fork(left, right) => write!(f, "({left} {right})"),
        }
    }
}
