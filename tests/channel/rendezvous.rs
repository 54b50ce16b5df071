//! The rendezvous channel follows the rules of Stackless for channels (`tests/stackless/RULES.md`)
//! and repeats the traces T17, T18, T20, T21, T24, T25 and T28 to T31.
//!
//! In a trace, `S` is a sender, `R` a receiver, `a` and `b` are other fibers of the ring.

mod closing;
mod deadlock;
mod order;
mod timing;
mod values;

use fibra::channel::{Channel, Preference};

use crate::support::channel::Trace;
use crate::support::go;

const PREFERENCES: [Preference; 3] =
    [Preference::Receiver, Preference::Neither, Preference::Sender];

/// Returns a channel, and a trace to print into.
fn fixture() -> (Channel<u32>, Trace) {
    (Channel::new(), Trace::default())
}

/// Spawns a fiber that prints `name` when its turn comes.
fn bystander(trace: &Trace, name: &'static str) {
    let trace = trace.clone();
    go(move || trace.say(name));
}
