//! What the model is made of: fibers, frames, channels, and all of it.

use std::collections::VecDeque;

use super::op::{End, Event, Failure, Op, Outcome, Payload, Trace};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    New,
    Runnable,
    Parked,
    Finished,
}

/// What a frame does when it is left.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind<'p> {
    Root,
    Shield,
    Catch,
    /// The body of a `finally`, with its clean-up.
    Body(&'p [Op]),
    /// A clean-up, and what unwinds on after it.
    Cleanup(Option<Payload>),
    /// Has something to do at its end, in a destructor.
    Guard(&'p [Op]),
    /// That destructor, and what unwinds meanwhile.
    Last(Option<Payload>),
}

#[derive(Debug)]
pub(crate) struct Frame<'p> {
    pub(crate) kind: Kind<'p>,
    pub(crate) ops: &'p [Op],
}

/// What travels through a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Value(u32),
    Unwind(u32),
}

/// What a fiber waits for.
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
pub(crate) enum Fate {
    Waiting,
    Served,
    Closed,
}

/// How a fiber goes on when it is resumed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Then<'p> {
    /// With the next operation.
    GoOn,
    /// It has given way: first a look at kills, then the log.
    Yielded(Option<Event>),
    /// It gave way because its budget was spent, before this operation; with the value to send,
    /// and for `Tick` what is left of it.
    Spent(&'p Op, u32),
    /// A meeting is over, and this came of it. No look at kills.
    Met(Result<Option<Message>, Failure>),
    /// The child has run.
    SpawnedNow(usize),
    /// It waits, or did.
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
    /// Whether others know it, so that they can kill and unpark it.
    pub(crate) known: bool,
    /// Whether its handle is there to be taken.
    pub(crate) handle: bool,
    pub(crate) reason: Reason,
    pub(crate) fate: Fate,
    pub(crate) slot: Option<Message>,
    /// The end of a buffered channel that its present operation holds.
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
    /// Whether the world's own handles are still there.
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
    /// Deadline, fiber; by insertion.
    pub(crate) timers: Vec<(u64, usize)>,
    /// The fiber whose wait was the last event, or none if a fiber's end was.
    pub(crate) last_parked: Option<usize>,
    /// The fiber whose wait failed in the last deadlock, and the count of runs then.
    pub(crate) last_victim: (Option<usize>, u64),
    /// How often a fiber has been given the thread.
    pub(crate) runs: u64,
    pub(crate) live: usize,
    pub(crate) closing: bool,
    pub(crate) budget: u32,
    pub(crate) main_ended: bool,
    /// Fibers that unwind now: while there is one, no kill is raised.
    pub(crate) unwinding: u32,
    /// A killed fiber waits on because another one was unwinding.
    pub(crate) kills_deferred: bool,
}
