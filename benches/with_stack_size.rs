//! A call on another stack, beside a plain call and the alternatives in Rust.
//!
//! `benches/README.md` defines the measured region.

#![allow(clippy::disallowed_types, reason = "the bare call of corosensei is a contender")]

mod timing;

use std::hint::black_box;

use corosensei::stack::DefaultStack;
use timing::timed;

const SIZE: usize = 256 << 10;

fn main() {
    let mut criterion = timing::criterion(30);
    let mut group = criterion.benchmark_group("call on another stack");
    let mut bench = |name: &str, run: fn(u64) -> u64| {
        group.bench_function(name, |b| b.iter_custom(|n| timed(n, || run(black_box(n)))));
    };
    bench("none: a plain call", |calls| count(calls, next));
    bench("corosensei::on_stack, one stack kept", |calls| {
        let mut stack = DefaultStack::new(SIZE).expect("memory for a stack");
        count(calls, |n| corosensei::on_stack(&mut stack, || next(n)))
    });
    bench("fibra::with_stack_size", |calls| {
        fibra::run(|| count(calls, |n| fibra::with_stack_size(SIZE, || next(n))))
    });
    bench("stacker::grow", |calls| count(calls, |n| stacker::grow(SIZE, || next(n))));
    drop(group);
    criterion.final_summary();
}

/// Counts to `calls`, with one call per number.
fn count(calls: u64, mut call: impl FnMut(u64) -> u64) -> u64 {
    (0..calls).fold(0, |n, _| call(n))
}

#[inline(never)]
fn next(n: u64) -> u64 {
    black_box(n) + 1
}
