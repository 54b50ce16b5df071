//! Generators built from greenlets in forty lines: nested, recursive, and with a yield out of two
//! of them.
//!
//! The genlets themselves are in `genlet.rs`. Programs use `fibra::generator` instead.
//!
//! ```text
//! $ cargo run --release --example genlets --features greenlet
//! squares:       0 1 4 9 16
//! two levels:    1 1 2 4 3 9 4 16
//! recursion:     1 2 3 4 5
//! permutations:  012 021 102 120 201 210
//! outside:       OutsideGenlet
//! ```

mod genlet;

use genlet::{Genlet, yield_, yield_out_of};

fn main() {
    fibra::frame(|| {
        print("squares:", squares(5));
        print("two levels:", outer(5));
        print("recursion:", count_to(5));
        let text = |digits: Vec<u32>| digits.iter().map(u32::to_string).collect::<String>();
        print("permutations:", permutations((0..3).collect()).map(text));
        println!("{:14} {:?}", "outside:", yield_(1).unwrap_err());
    });
}

fn print<T: ToString>(what: &str, values: impl Iterator<Item = T>) {
    let values: Vec<_> = values.map(|value| value.to_string()).collect();
    println!("{what:14} {}", values.join(" "));
}

/// Yields from inside an iterator adaptor: any depth of calls is possible.
fn squares(n: u32) -> Genlet<u32> {
    Genlet::new(move || (0..n).for_each(|i| yield_(i * i).unwrap()))
}

/// Passes on the values of the inner genlet. Every second value leaves both together.
fn outer(n: u32) -> Genlet<u32> {
    Genlet::new(move || inner(n).for_each(|i| yield_(i).unwrap()))
}

fn inner(n: u32) -> Genlet<u32> {
    Genlet::new(move || {
        for i in 1..n {
            yield_(i).unwrap();
            yield_out_of(i * i, 2).unwrap();
        }
    })
}

/// Counts with one genlet per number, each inside the next one.
fn count_to(n: u32) -> Genlet<u32> {
    Genlet::new(move || {
        if 0 < n {
            count_to(n - 1).for_each(|i| yield_(i).unwrap());
            yield_(n).unwrap();
        }
    })
}

/// Yields all permutations, with a genlet for the permutations of each shorter list.
fn permutations(items: Vec<u32>) -> Genlet<Vec<u32>> {
    Genlet::new(move || {
        if items.len() <= 1 {
            return yield_(items).unwrap();
        }
        for first in &items {
            let others = items.iter().copied().filter(|item| item != first).collect();
            for rest in permutations(others) {
                yield_([vec![*first], rest].concat()).unwrap();
            }
        }
    })
}
