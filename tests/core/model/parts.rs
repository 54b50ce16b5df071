//! The parts of the model: fibers, frames, channels, and the model itself.

use std::collections::VecDeque;

use super::op::{End, Event, Failure, Op, Outcome, Payload, Trace};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    New,
    Runnable,
    Parked,
    Finished,
}

/// The kind of a frame: what happens when the fiber leaves it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind<'p> {
    Root,
    Shield,
    Catch,
    /// The body of a `finally`, with the operations of its clean-up.
    Body(&'p [Op]),
    /// A clean-up, and the payload that unwinds on after it.
    Cleanup(Option<Payload>),
    /// A frame with operations to do at its end, in a destructor.
    Guard(&'p [Op]),
    /// That destructor, and the payload that unwinds meanwhile.
    Last(Option<Payload>),
}

#[derive(Debug)]
pub(crate) struct Frame<'p> {
    pub(crate) kind: Kind<'p>,
    pub(crate) ops: &'p [Op],
}

/// A message that travels through a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Value(u32),
    Unwind(u32),
}

/// The reason for which a fiber waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Send(usize),
    Recv(usize),
    Park,
    Sleep,
    Join(usize),
    WindUp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitOutcome {
    Waiting,
    Served,
    Closed,
}

/// The way in which a fiber continues when it is resumed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Then<'p> {
    /// It continues with the next operation.
    GoOn,
    /// It has given way: it first looks at kills, then logs the event.
    Yielded(Option<Event>),
    /// It gave way before this operation because its budget was spent. The number is the value to
    /// send, and for `Tick` the count of parks that are left.
    Spent(&'p Op, u32),
    /// A meeting ended with this result. The fiber does not look at kills.
    Met(Result<Option<Message>, Failure>),
    /// The child of a `spawn_now` has run. The number is the budget that the caller had before, and
    /// keeps. It is absent if the caller has given way since then, because that budget was spent.
    SpawnedNow(usize, Option<u32>),
    /// It waits, or has waited.
    Waits,
}

#[derive(Debug)]
pub(crate) struct Fiber<'p> {
    pub(crate) state: State,
    pub(crate) frames: Vec<Frame<'p>>,
    pub(crate) then: Then<'p>,
    pub(crate) killed: bool,
    pub(crate) timed_out: bool,
    pub(crate) deadlocked: bool,
    pub(crate) token: bool,
    pub(crate) joiner: Option<usize>,
    /// Whether other fibers know it, so that they can kill and unpark it.
    pub(crate) known: bool,
    /// Whether its join handle can still be taken.
    pub(crate) handle: bool,
    pub(crate) reason: Reason,
    pub(crate) wait_outcome: WaitOutcome,
    pub(crate) slot: Option<Message>,
    /// The end of a buffered channel that its current operation holds.
    pub(crate) holds: Option<(usize, End)>,
    pub(crate) since: u64,
    pub(crate) outcome: Option<Outcome>,
}

#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) preference: i8,
    pub(crate) schedule_all: bool,
    pub(crate) closing: bool,
    pub(crate) waiters: VecDeque<usize>,
    pub(crate) senders_wait: bool,
}

#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) capacity: usize,
    pub(crate) buffer: VecDeque<u32>,
    pub(crate) senders: usize,
    pub(crate) receivers: usize,
    /// Whether the program's own handles to the ends still exist.
    pub(crate) has_sender: bool,
    pub(crate) has_receiver: bool,
    pub(crate) waiting_senders: VecDeque<usize>,
    pub(crate) waiting_receivers: VecDeque<usize>,
}

#[derive(Debug)]
pub(crate) struct Model<'p> {
    pub(crate) fibers: Vec<Fiber<'p>>,
    pub(crate) ring: VecDeque<usize>,
    pub(crate) channels: Vec<Channel>,
    pub(crate) queues: Vec<Queue>,
    pub(crate) trace: Trace,
    pub(crate) numbers: u32,
    pub(crate) now: u64,
    /// The deadline and the fiber of each timer, in the order of insertion.
    pub(crate) timers: Vec<(u64, usize)>,
    /// The fiber whose wait was the last event, or `None` if the last event was a fiber's end.
    pub(crate) last_parked: Option<usize>,
    /// The fiber whose wait failed in the last deadlock, and the value of `runs` at that time.
    pub(crate) last_victim: (Option<usize>, u64),
    /// The number of times that a fiber was given the thread.
    pub(crate) runs: u64,
    pub(crate) live: usize,
    pub(crate) closing: bool,
    pub(crate) budget: u32,
    pub(crate) main_ended: bool,
    /// The number of fibers that unwind now: until it is zero, no kill is raised.
    pub(crate) unwinding: u32,
    /// Whether a killed fiber waits on because another one was unwinding.
    pub(crate) kills_deferred: bool,
}
