//! Generators on top of greenlets, as in Python's own tests: rules G-105 to G-110.

#[path = "../../examples/genlets/genlet.rs"]
mod genlet;

use std::cell::RefCell;
use std::rc::Rc;

use fibra::frame;
use fibra::generator;
use genlet::{Genlet, yield_, yield_out_of};

type Seen = Rc<RefCell<Vec<u32>>>;

#[test]
fn g105_a_genlet_ends_like_an_iterator() {
    frame(|| {
        let mut genlet: Genlet<u32> = Genlet::new(|| (0..3_u32).for_each(|i| yield_(i).unwrap()));
        assert_eq!([genlet.next(), genlet.next(), genlet.next()], [Some(0), Some(1), Some(2)]);
        assert_eq!([genlet.next(), genlet.next()], [None, None]);
    });
}

#[test]
fn g106_a_yield_outside_of_a_genlet_is_an_error() {
    frame(|| {
        assert!(yield_(10).is_err());
        let genlet = Genlet::new(|| {
            yield_(1).unwrap();
            assert!(yield_out_of(2, 2).is_err());
        });
        assert_eq!(genlet.collect::<Vec<i32>>(), [1]);
    });
}

fn native(n: u32, seen: Seen) -> impl Iterator<Item = u32> {
    generator::iter(move |y| {
        for i in 0..n {
            seen.borrow_mut().push(i + 1);
            y.yield_(i);
        }
    })
}

fn flat(n: u32, seen: Seen) -> impl Iterator<Item = u32> {
    Genlet::new(move || {
        for i in 0..n {
            seen.borrow_mut().push(i + 1);
            yield_(i).unwrap();
        }
    })
}

fn nested(n: u32, seen: Seen) -> impl Iterator<Item = u32> {
    fn deeper(i: u32) {
        yield_(i).unwrap();
    }
    Genlet::new(move || {
        for i in 0..n {
            seen.borrow_mut().push(i + 1);
            deeper(i);
        }
    })
}

/// A function that makes a counting generator, which logs one number ahead of its yields.
type Counter = fn(u32, Seen) -> Box<dyn Iterator<Item = u32>>;

#[test]
fn g107_three_kinds_of_generators_log_the_same() {
    let kinds: [Counter; 3] = [
        |n, seen| Box::new(native(n, seen)),
        |n, seen| Box::new(flat(n, seen)),
        |n, seen| Box::new(nested(n, seen)),
    ];
    frame(|| {
        for counter in kinds {
            let seen = Seen::default();
            for _ in 0..3 {
                for j in counter(5, seen.clone()) {
                    seen.borrow_mut().push(j);
                }
            }
            assert_eq!(*seen.borrow(), [1, 0, 2, 1, 3, 2, 4, 3, 5, 4].repeat(3));
        }
    });
}

fn inner(n: u32) -> Genlet<u32> {
    Genlet::new(move || {
        for i in 1..n {
            yield_(i).unwrap();
            yield_out_of(i * i, 2).unwrap();
        }
    })
}

#[test]
fn g108_a_yield_goes_out_of_two_genlets() {
    frame(|| {
        let outer: Genlet<u32> = Genlet::new(|| inner(5).for_each(|i| yield_(i).unwrap()));
        assert_eq!(outer.collect::<Vec<_>>(), [1, 1, 2, 4, 3, 9, 4, 16]);
    });
}

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

#[test]
fn g109_recursive_permutations() {
    frame(|| {
        let all: Vec<_> = permutations((0..4).collect()).collect();
        assert_eq!(all.len(), 24);
        assert!(all.contains(&vec![0, 1, 2, 3]) && all.contains(&vec![3, 2, 1, 0]));
        assert!(all.is_sorted());
        let zipped: Vec<_> =
            permutations((0..4).collect()).zip(permutations((0..3).collect())).collect();
        let literals: [([u32; 4], [u32; 3]); 6] = [
            ([0, 1, 2, 3], [0, 1, 2]),
            ([0, 1, 3, 2], [0, 2, 1]),
            ([0, 2, 1, 3], [1, 0, 2]),
            ([0, 2, 3, 1], [1, 2, 0]),
            ([0, 3, 1, 2], [2, 0, 1]),
            ([0, 3, 2, 1], [2, 1, 0]),
        ];
        assert_eq!(zipped, literals.map(|(a, b)| (a.to_vec(), b.to_vec())));
    });
}

fn count_to(n: u32) -> Genlet<u32> {
    Genlet::new(move || {
        if 0 < n {
            count_to(n - 1).for_each(|i| yield_(i).unwrap());
            yield_(n).unwrap();
        }
    })
}

#[test]
fn g110_five_genlets_inside_each_other() {
    frame(|| assert_eq!(count_to(5).collect::<Vec<_>>(), [1, 2, 3, 4, 5]));
}

#[test]
fn a_genlet_that_is_dropped_early_is_unwound() {
    frame(|| assert_eq!(count_to(5).take(2).collect::<Vec<_>>(), [1, 2]));
}
