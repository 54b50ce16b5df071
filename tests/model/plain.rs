//! What a program does by the rules: an interpreter over plain data, without a switch.
//!
//! The ring is a `VecDeque` of fiber numbers, a channel is a `VecDeque` of waiting fibers, and a
//! fiber is a stack of frames beside what it waits for. Nothing here knows how fibra does it.

use std::collections::VecDeque;

use crate::op::{CAPACITIES, CHANNELS, Event, Failure, Op, Outcome, Payload, Trace};

/// Operations that a fiber may do in one turn without waiting, before it gives way.
const BUDGET: u32 = 128;

/// What the model says a run shows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Prediction {
    pub(crate) trace: Trace,
    pub(crate) main: Outcome,
}

/// Predicts what `program` does as the main fiber.
pub(crate) fn predict(program: &[Op]) -> Prediction {
    let mut model = Model::new();
    model.admit(program);
    model.ring.push_back(0);
    while !model.main_ended {
        match model.ring.pop_front() {
            Some(fiber) => model.resume(fiber),
            None => model.idle(),
        }
    }
    let main = match model.fibers[0].outcome {
        Some(outcome) => outcome,
        None => unreachable!("the main fiber has ended"),
    };
    Prediction { trace: model.trace, main }
}

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
    pub(crate) holds: Option<(usize, crate::op::End)>,
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
    pub(crate) live: usize,
    pub(crate) closing: bool,
    pub(crate) budget: u32,
    pub(crate) main_ended: bool,
}

impl<'p> Model<'p> {
    fn new() -> Model<'p> {
        let channel = || Channel {
            preference: -1,
            schedule_all: false,
            closing: false,
            waiters: VecDeque::new(),
            senders_wait: false,
        };
        let queue = |&capacity: &usize| Queue {
            capacity,
            buffer: VecDeque::new(),
            senders: 1,
            receivers: 1,
            has_sender: true,
            has_receiver: true,
            waiting_senders: VecDeque::new(),
            waiting_receivers: VecDeque::new(),
        };
        Model {
            fibers: Vec::new(),
            ring: VecDeque::new(),
            channels: (0..CHANNELS).map(|_| channel()).collect(),
            queues: CAPACITIES.iter().map(queue).collect(),
            trace: Vec::new(),
            numbers: 0,
            now: 0,
            timers: Vec::new(),
            last_parked: None,
            live: 0,
            closing: false,
            budget: 0,
            main_ended: false,
        }
    }

    pub(crate) fn admit(&mut self, ops: &'p [Op]) -> usize {
        self.live += 1;
        self.fibers.push(Fiber {
            state: State::New,
            frames: vec![Frame { kind: Kind::Root, ops }],
            then: Then::GoOn,
            killed: self.closing,
            timed_out: false,
            deadlocked: false,
            token: false,
            joiner: None,
            known: false,
            handle: false,
            reason: Reason::WindUp,
            fate: Fate::Waiting,
            slot: None,
            holds: None,
            since: 0,
            outcome: None,
        });
        self.fibers.len() - 1
    }

    /// Gives a fiber the thread until it leaves it.
    fn resume(&mut self, f: usize) {
        self.budget = BUDGET;
        let is_new = self.fibers[f].state == State::New;
        self.fibers[f].state = State::Runnable;
        if is_new && self.fibers[f].killed {
            self.log(f, Event::Gone);
            return self.end(f, Outcome::Killed);
        }
        if is_new {
            self.fibers[f].known = true;
            self.log(f, Event::Started);
        }
        let then = std::mem::replace(&mut self.fibers[f].then, Then::GoOn);
        if !self.go_on(f, then) {
            return;
        }
        while self.step(f) {}
    }

    /// The next operation. Returns whether the fiber still has the thread.
    fn step(&mut self, f: usize) -> bool {
        let frame = self.fibers[f].frames.last_mut().expect("a running fiber has a frame");
        if let Some((op, rest)) = frame.ops.split_first() {
            frame.ops = rest;
            return self.start(f, op);
        }
        let kind = frame.kind;
        self.fibers[f].frames.pop();
        match kind {
            Kind::Root => {
                self.log(f, Event::Gone);
                self.end(f, Outcome::Returned);
                false
            }
            Kind::Shield | Kind::Catch | Kind::Cleanup(None) => true,
            Kind::Body(cleanup) => self.clean_up(f, cleanup, None),
            Kind::Cleanup(Some(payload)) => self.unwind(f, payload),
        }
    }

    /// Unwinds to the innermost frame that stops it. Returns whether the fiber has the thread.
    pub(crate) fn unwind(&mut self, f: usize, payload: Payload) -> bool {
        loop {
            let frame = self.fibers[f].frames.pop().expect("an unwind stops at the root");
            match frame.kind {
                Kind::Shield | Kind::Cleanup(_) => {}
                Kind::Catch => {
                    self.log(f, Event::Caught(payload));
                    return true;
                }
                Kind::Body(cleanup) => return self.clean_up(f, cleanup, Some(payload)),
                Kind::Root => {
                    self.log(f, Event::Gone);
                    let killed = self.fibers[f].killed;
                    let outcome = if killed { Outcome::Killed } else { Outcome::Unwound(payload) };
                    self.end(f, outcome);
                    return false;
                }
            }
        }
    }

    fn clean_up(&mut self, f: usize, ops: &'p [Op], then: Option<Payload>) -> bool {
        self.fibers[f].frames.push(Frame { kind: Kind::Cleanup(then), ops });
        self.log(f, Event::Cleaning);
        true
    }

    /// The closure has ended. The main fiber first ends all others.
    fn end(&mut self, f: usize, outcome: Outcome) {
        self.fibers[f].outcome = Some(outcome);
        if f == 0 {
            return self.wind_up();
        }
        self.fibers[f].state = State::Finished;
        self.last_parked = None;
        self.live -= 1;
        if let Some(joiner) = self.fibers[f].joiner.take() {
            self.make_ready(joiner);
        }
        if self.live <= 1 && self.closing {
            self.make_ready(0);
        }
    }

    fn wind_up(&mut self) {
        self.closing = true;
        for fiber in 1..self.fibers.len() {
            self.kill(fiber);
        }
        self.wait_for_the_last();
    }

    /// The main fiber, winding up, leaves the thread or is done.
    pub(crate) fn wait_for_the_last(&mut self) {
        if 1 < self.live {
            self.fibers[0].then = Then::Waits;
            self.fibers[0].reason = Reason::WindUp;
            return self.leave(0);
        }
        self.main_ended = true;
    }

    pub(crate) fn kill(&mut self, f: usize) {
        if self.fibers[f].state == State::Finished {
            return;
        }
        self.fibers[f].killed = true;
        if self.is_pending(f) {
            self.make_ready(f);
        }
    }

    /// Whether a kill can be raised in this fiber now.
    pub(crate) fn is_pending(&self, f: usize) -> bool {
        let shields = |frame: &Frame| matches!(frame.kind, Kind::Shield | Kind::Cleanup(_));
        let fiber = &self.fibers[f];
        let winds_up = f == 0 && self.closing;
        fiber.killed && !winds_up && !fiber.frames.iter().any(shields)
    }

    pub(crate) fn make_ready(&mut self, f: usize) {
        if self.fibers[f].state == State::Parked {
            self.fibers[f].state = State::Runnable;
            self.ring.push_back(f);
        }
    }

    pub(crate) fn make_ready_next(&mut self, f: usize) {
        if self.fibers[f].state == State::Parked {
            self.fibers[f].state = State::Runnable;
            self.ring.push_front(f);
        }
    }

    pub(crate) fn leave(&mut self, f: usize) {
        self.fibers[f].state = State::Parked;
        self.last_parked = Some(f);
    }

    /// No fiber can run: the next deadline, or a deadlock.
    fn idle(&mut self) {
        let Some(at) = self.timers.iter().map(|&(at, _)| at).min() else {
            return self.break_deadlock();
        };
        self.now = at;
        let due: Vec<usize> =
            self.timers.iter().filter(|&&(a, _)| a == at).map(|&(_, fiber)| fiber).collect();
        self.timers.retain(|&(a, _)| a != at);
        for fiber in due {
            self.fibers[fiber].timed_out = true;
            self.make_ready(fiber);
        }
    }

    /// The wait that completed the deadlock fails; else the main fiber's, else the oldest.
    fn break_deadlock(&mut self) {
        let can_fail = |&f: &usize| {
            let fiber = &self.fibers[f];
            fiber.state == State::Parked && fiber.reason != Reason::WindUp
        };
        let victim =
            self.last_parked.filter(can_fail).or_else(|| (0..self.fibers.len()).find(can_fail));
        let victim = victim.expect("every fiber of the model can fail");
        self.fibers[victim].deadlocked = true;
        self.make_ready(victim);
    }

    pub(crate) fn log(&mut self, f: usize, event: Event) {
        self.trace.push((f, event));
    }
}
