//! One resume of a generator and the yield that answers it, beside the bare switch and the
//! alternatives in Rust without a stack; and a walk over a deep tree, where every level of
//! iterators has a cost.
//!
//! `benches/README.md` defines the measured region.

#![allow(clippy::disallowed_types, reason = "the bare coroutine is a contender")]

mod timing;

use std::hint::black_box;
use std::iter;

use corosensei::{Coroutine, CoroutineResult};
use criterion::Criterion;
use fibra::generator::{self, Generator, GeneratorState, Yielder};
use futures_lite::{StreamExt, stream};
use timing::timed;

/// The depth of the complete binary tree that is walked: 2^16 - 1 nodes.
const DEPTH: u32 = 16;

fn main() {
    let mut criterion = timing::criterion(30);
    resumes(&mut criterion);
    walks(&mut criterion);
    criterion.final_summary();
}

/// The sum of 0..n, one number per resume.
fn resumes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("resume");
    let sum = |n: u64| (u128::from(n) * u128::from(n.saturating_sub(1)) / 2) as u64;
    let mut bench = |name: &str, run: fn(u64) -> u64| {
        group.bench_function(name, |b| b.iter_custom(|n| timed(sum(n), || run(black_box(n)))));
    };
    bench("std::iter::from_fn", |n| {
        let mut i = 0;
        iter::from_fn(|| {
            i += 1;
            (i <= n).then(|| black_box(i - 1))
        })
        .sum()
    });
    bench("boxed stream, polled", |n| {
        let next = move |i| async move { (i < n).then_some((black_box(i), i + 1)) };
        let numbers = stream::unfold(0, next).boxed_local();
        futures_lite::future::block_on(numbers.fold(0, |sum, i| sum + i))
    });
    bench("corosensei, bare", |n| {
        let mut numbers = Coroutine::<(), u64, ()>::new(move |yielder, ()| {
            (0..n).for_each(|i| yielder.suspend(i));
        });
        let mut sum = 0;
        while let CoroutineResult::Yield(i) = numbers.resume(()) {
            sum += i;
        }
        sum
    });
    bench("fibra generator", |n| {
        fibra::frame(|| {
            let mut sum = 0;
            for i in generator::iter(move |y| (0..n).for_each(|i| y.yield_(i))) {
                sum += i;
            }
            sum
        })
    });
    bench("fibra generator, in a fiber", |n| {
        fibra::run(|| {
            let mut sum = 0;
            for i in generator::iter(move |y| (0..n).for_each(|i| y.yield_(i))) {
                sum += i;
            }
            sum
        })
    });
    bench("fibra generator, values both ways", |n| {
        fibra::frame(|| {
            let mut echo = Generator::new(|y: &Yielder<u64, u64>, first| {
                let mut value = first;
                loop {
                    value = y.yield_(value);
                }
            });
            (0..n).fold(0, |sum, i| match echo.resume(i) {
                GeneratorState::Yielded(value) => sum + value,
                GeneratorState::Complete(()) => unreachable!("it loops"),
            })
        })
    });
}

/// One generator for the whole walk, beside one iterator per level, like `yield from`.
fn walks(criterion: &mut Criterion) {
    fn walk(y: &Yielder<u64>, depth: u32) {
        if depth != 0 {
            walk(y, depth - 1);
            y.yield_(u64::from(depth));
            walk(y, depth - 1);
        }
    }
    fn chain(depth: u32) -> Box<dyn Iterator<Item = u64>> {
        if depth == 0 {
            return Box::new(iter::empty());
        }
        let (left, right) = (chain(depth - 1), chain(depth - 1));
        Box::new(left.chain(iter::once(u64::from(depth))).chain(right))
    }

    let expected: u64 = (1..=u64::from(DEPTH)).map(|h| h << (u64::from(DEPTH) - h)).sum();
    let nodes = (1u64 << DEPTH) - 1;
    let mut group = criterion.benchmark_group("tree walk, per node");
    let mut bench = |name: &str, run: fn() -> u64| {
        group.bench_function(name, |b| {
            b.iter_custom(|iterations| {
                let rounds = iterations.div_ceil(nodes);
                let walk = |rounds| (0..rounds).map(|_| run()).sum();
                let took = timed(rounds * expected, || walk(black_box(rounds)));
                took.mul_f64(iterations as f64 / (rounds * nodes) as f64)
            });
        });
    };
    bench("fibra generator", || fibra::frame(|| generator::iter(|y| walk(y, DEPTH)).sum()));
    bench("boxed iterators, one per level", || chain(DEPTH).sum());
}
