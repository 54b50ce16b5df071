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
//! One recursion cannot walk two shapes at the same time, and listing all leaves first is wasted
//! work if the first two differ. Two generators compare the trees leaf by leaf: each is a plain
//! recursion that yields at any depth. A yield is one switch of stacks, so a leaf that is thousands
//! of calls deep costs as much as one at the top. A chain of iterators, one for each level of the
//! tree, would pass each leaf up through all levels.
//!
//! ```text
//! $ cargo run --release --example same_fringe [LEAVES = 10000]
//! ((((1 2) 3) 4) 5)   (1 (2 (3 (4 5))))   the same 5 leaves
//! ((((1 2) 3) 4) 5)   ((1 2) (7 (4 5)))   differ at leaf 3: Some(3), Some(7)
//! ((((1 2) 3) 4) 5)   (1 (2 (3 4)))       differ at leaf 5: Some(5), None
//!
//! two combs, one the mirror image of the other: the same 10000 leaves
//! each leaf was yielded once; iterators would have passed them up 50004999 times in each tree
//! ```

mod arguments;
mod broken_pipe;

use Tree::{Fork, Leaf};
use fibra::generator::{self, Yielder};
use std::fmt;

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
    broken_pipe::end_quietly();
    let count = arguments::number(1, "LEAVES", 2..=20_000, 10_000);
    fibra::frame(|| {
        let left = left_comb(5);
        compare(&left, &right_comb(&[1, 2, 3, 4, 5]));
        compare(&left, &fork(fork(Leaf(1), Leaf(2)), right_comb(&[7, 4, 5])));
        compare(&left, &right_comb(&[1, 2, 3, 4]));

        let (left, right) = (left_comb(count), right_comb(&Vec::from_iter(1..=count)));
        let found = first_difference(&left, &right);
        println!("\ntwo combs, one the mirror image of the other: {found}");
        let levels = (1..count).sum::<usize>() + count - 1; // A leaf on each, on the last one two.
        print!("each leaf was yielded once; ");
        println!("iterators would have passed them up {levels} times in each tree");
    });
}

fn compare(left: &Tree, right: &Tree) {
    println!("{left:18}  {right:18}  {}", first_difference(left, right));
}

fn first_difference(left: &Tree, right: &Tree) -> String {
    // Only the used part of a stack takes memory.
    let deep = generator::GeneratorBuilder::new().stack_size(16 << 20);
    generator::scope(|s| {
        // Nothing runs yet: each `next` runs one generator to its next leaf.
        let (mut ours, mut theirs) =
            (s.build(&deep, |y, ()| left.walk(y)), s.build(&deep, |y, ()| right.walk(y)));
        let mut leaf = 1;
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) => return format!("the same {} leaves", leaf - 1),
                (a, b) if a == b => leaf += 1,
                (a, b) => return format!("differ at leaf {leaf}: {a:?}, {b:?}"),
            }
        }
    }) // A generator that has not ended is unwound here, in the middle of its recursion.
}

fn fork(left: Tree, right: Tree) -> Tree {
    Fork(Box::new(left), Box::new(right))
}

/// Makes a tree with the leaves `1..=count`, the first one at the bottom.
fn left_comb(count: usize) -> Tree {
    (2..=count).fold(Leaf(1), |tree, value| fork(tree, Leaf(value)))
}

/// Makes a tree with the leaves `values`, the last one at the bottom.
fn right_comb(values: &[usize]) -> Tree {
    let (last, rest) = values.split_last().expect("a tree has a leaf");
    rest.iter().rfold(Leaf(*last), |tree, &value| fork(Leaf(value), tree))
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Leaf(value) => f.pad(&value.to_string()),
            Fork(left, right) => f.pad(&format!("({left} {right})")),
        }
    }
}
