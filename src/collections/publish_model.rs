//! The harness for models of two threads that each publish a word and then look at the other's:
//! see [`publish`](crate::collections::publish).

#![allow(clippy::disallowed_methods, reason = "plain threads stand for schedulers here")]

use std::thread;

use crate::collections::publish::FENCED;

/// The number of rounds of a model.
pub(crate) const ROUNDS: u32 = if cfg!(miri) { 60 } else { 500 };

/// Runs `round` many times, with the fences and without them. `round` returns whether a wake was
/// lost.
pub(crate) fn check(name: &str, round: impl Fn(Pair) -> bool) {
    let lost = |fenced| (0..ROUNDS).filter(|_| round(Pair { fenced })).count();
    let (with, without) = (lost(true), lost(false));
    println!("{name}: of {ROUNDS} wakes {with} were lost, and {without} without fences");
    assert_eq!(with, 0, "{name}");
    assert!(!cfg!(miri) || without != 0, "{name}: no wake was lost without the fences");
}

/// A round of two threads.
pub(crate) struct Pair {
    pub(crate) fenced: bool,
}

impl Pair {
    /// Runs `a` and `b` at the same time, each on its own thread.
    pub(crate) fn run<A: Send, B: Send>(
        self,
        a: impl FnOnce() -> A + Send,
        b: impl FnOnce() -> B + Send,
    ) -> (A, B) {
        let fenced = self.fenced;
        thread::scope(|threads| {
            let a = threads.spawn(move || {
                FENCED.set(fenced);
                a()
            });
            let b = threads.spawn(move || {
                FENCED.set(fenced);
                b()
            });
            (a.join().unwrap(), b.join().unwrap())
        })
    }
}
