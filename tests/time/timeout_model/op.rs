//! The programs, and the events that can be observed in them.

use proptest::collection::vec;
use proptest::prelude::*;

/// The operations of one fiber, and the time at which it is killed. Durations are in milliseconds.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) ops: Vec<Op>,
    pub(crate) kill: Option<u64>,
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// A sleep, or a yield if the number is zero.
    Sleep(u64),
    Limit(u64, Vec<Op>),
    Shield(Vec<Op>),
    Grace(u64, Vec<Op>),
    Finally(Vec<Op>, Vec<Op>),
    Catch(Vec<Op>),
    Nursery(Vec<Child>, Vec<Op>),
    /// A generator, and the operations of its caller after the first yield.
    Generator(Vec<Op>, Vec<Op>),
    /// A yield of the innermost generator; no operation outside a generator.
    Yield,
    Panic,
}

/// A fiber that sleeps, and then returns or panics.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Child {
    pub(crate) sleeps: u64,
    pub(crate) fails: bool,
}

/// An observed event. The number is that of the operation, in the order of the text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Event {
    Slept(usize),
    Elapsed(usize),
    InTime(usize),
    Unshielded(usize),
    Cleaning(usize),
    Caught(usize, Payload),
    Left(usize),
    /// The generator continues after its yield.
    Resumed(usize),
    /// The generator has ended, or was closed.
    Closed(usize),
    Ended(End),
}

#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum Payload {
    Cancel,
    Panic,
    /// A generator that is being closed.
    Exit,
}

#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum End {
    Returned,
    Killed,
    Panicked,
}

impl Op {
    /// Returns how many numbers the operation takes: its own, and those of its contents.
    pub(crate) fn count(&self) -> usize {
        match self {
            Op::Sleep(_) | Op::Yield | Op::Panic => 1,
            Op::Limit(_, body) | Op::Grace(_, body) => 1 + count(body),
            Op::Shield(body) | Op::Catch(body) | Op::Nursery(_, body) => 1 + count(body),
            Op::Finally(body, then) | Op::Generator(body, then) => 1 + count(body) + count(then),
        }
    }
}

pub(crate) fn count(ops: &[Op]) -> usize {
    ops.iter().map(Op::count).sum()
}

/// Moments of the fiber itself are multiples of three; those of a kill are one more, and those of
/// children two. So they seldom coincide; when they do the model reports it.
pub(crate) fn programs() -> impl Strategy<Value = Program> {
    let kill = prop_oneof![2 => Just(None), 3 => (0u64..20).prop_map(|n| Some(3 * n + 1))];
    (vec(op(), 1..5), kill).prop_map(|(ops, kill)| Program { ops, kill })
}

fn op() -> impl Strategy<Value = Op> {
    let millis = || (0u64..7).prop_map(|n| 3 * n);
    let leaf = prop_oneof![
        8 => millis().prop_map(Op::Sleep),
        3 => Just(Op::Yield),
        1 => Just(Op::Panic),
    ];
    leaf.prop_recursive(6, 40, 4, move |inner| {
        let body = || vec(inner.clone(), 1..4);
        prop_oneof![
            6 => (millis(), body()).prop_map(|(limit, body)| Op::Limit(limit, body)),
            1 => body().prop_map(Op::Shield),
            2 => (millis(), body()).prop_map(|(grace, body)| Op::Grace(grace, body)),
            2 => (body(), body()).prop_map(|(body, then)| Op::Finally(body, then)),
            2 => body().prop_map(Op::Catch),
            2 => (vec(child(), 0..3), body()).prop_map(|(of, body)| Op::Nursery(of, body)),
            3 => (body(), body()).prop_map(|(body, then)| Op::Generator(body, then)),
        ]
    })
}

fn child() -> impl Strategy<Value = Child> {
    (0u64..7, prop::bool::weighted(0.3)).prop_map(|(n, fails)| Child { sleeps: 3 * n + 2, fails })
}
