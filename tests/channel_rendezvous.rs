//! The rendezvous channel keeps the rules of Stackless: S-134 to S-164, and the traces T17, T18, T20,
//! T21, T24, T25 and T28 to T31.
//!
//! In a trace, `S` is a sender, `R` a receiver, `a` and `b` are other fibers of the ring.

#[path = "channel_rendezvous/closing.rs"]
mod closing;
#[path = "channel_rendezvous/deadlock.rs"]
mod deadlock;
#[path = "channel_rendezvous/order.rs"]
mod order;
#[path = "channel_support/mod.rs"]
mod support;
#[path = "channel_rendezvous/timing.rs"]
mod timing;
#[path = "channel_rendezvous/values.rs"]
mod values;

use fibra::channel::{Channel, Preference};
use support::{Trace, go};

const PREFERENCES: [Preference; 3] =
    [Preference::Receiver, Preference::Neither, Preference::Sender];

/// A channel, and a trace to print into.
fn fixture() -> (Channel<u32>, Trace) {
    (Channel::new(), Trace::default())
}

/// Spawns a fiber that says `name` when its turn comes.
fn bystander(trace: &Trace, name: &'static str) {
    let trace = trace.clone();
    go(move || trace.say(name));
}
