//! Interprets a program by the rules, over plain data, without a context switch.
//!
//! The ring is a `VecDeque` of fiber numbers, a channel is a `VecDeque` of waiting fibers, and a
//! fiber is a stack of frames and a reason to wait. Nothing here depends on how fibra does it.

use std::collections::VecDeque;

use super::op::{CAPACITIES, CHANNELS, Event, Op, Outcome, Payload, Trace};
use super::parts::{Channel, Fiber, Frame, Kind, Model, Queue, Reason, State, Then, WaitOutcome};

/// The number of operations that a fiber may do without waiting before it gives way.
const BUDGET: u32 = 128;

/// The number of fibers that run between two looks at deadlines and late kills.
const BATCH: u64 = 64;

/// The results of a run that the model predicts.
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
        model.batch();
        model.turn();
    }
    let main = match model.fibers[0].outcome {
        Some(outcome) => outcome,
        None => unreachable!("the main fiber has ended"),
    };
    Prediction { trace: model.trace, main }
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
            last_victim: (None, 0),
            runs: 0,
            live: 0,
            closing: false,
            budget: 0,
            main_ended: false,
            unwinding: 0,
            kills_deferred: false,
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
            wait_outcome: WaitOutcome::Waiting,
            slot: None,
            holds: None,
            since: 0,
            outcome: None,
        });
        self.fibers.len() - 1
    }

    fn batch(&mut self) {
        while let Some(fiber) = self.ring.pop_front() {
            self.runs += 1;
            self.resume(fiber);
            if self.runs.is_multiple_of(BATCH) {
                return;
            }
        }
    }

    /// Ends a batch. Deadlines pass only when no fiber can run, because only then time advances.
    fn turn(&mut self) {
        if self.kills_deferred && self.unwinding == 0 {
            self.kills_deferred = false;
            for fiber in 0..self.fibers.len() {
                if self.is_pending(fiber) {
                    self.make_ready(fiber);
                }
            }
        }
        if self.ring.is_empty() && !self.main_ended {
            self.idle();
        }
    }

    /// Gives a fiber the thread until the fiber leaves it.
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

    /// Does the next operation. Returns whether the fiber still has the thread.
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
            Kind::Shield | Kind::Catch | Kind::Cleanup(None) | Kind::Last(None) => true,
            Kind::Body(ops) => self.clean_up(f, Kind::Cleanup(None), ops),
            Kind::Guard(ops) => self.clean_up(f, Kind::Last(None), ops),
            Kind::Cleanup(Some(payload)) => self.unwind(f, payload),
            Kind::Last(Some(payload)) => self.unwind_on(f, payload),
        }
    }

    /// Unwinds to the innermost frame that stops it. Returns whether the fiber has the thread.
    pub(crate) fn unwind(&mut self, f: usize, payload: Payload) -> bool {
        self.unwinding += 1;
        self.unwind_on(f, payload)
    }

    fn unwind_on(&mut self, f: usize, payload: Payload) -> bool {
        loop {
            let frame = self.fibers[f].frames.pop().expect("an unwind stops at the root");
            match frame.kind {
                Kind::Shield | Kind::Cleanup(_) | Kind::Last(None) => {}
                Kind::Last(Some(_)) => unreachable!("two unwinds at once"),
                Kind::Guard(ops) => return self.clean_up(f, Kind::Last(Some(payload)), ops),
                Kind::Catch => {
                    self.unwinding -= 1;
                    self.log(f, Event::Caught(payload));
                    return true;
                }
                Kind::Body(ops) => {
                    self.unwinding -= 1;
                    return self.clean_up(f, Kind::Cleanup(Some(payload)), ops);
                }
                Kind::Root => {
                    self.unwinding -= 1;
                    self.log(f, Event::Gone);
                    let killed = self.fibers[f].killed;
                    let outcome = if killed { Outcome::Killed } else { Outcome::Unwound(payload) };
                    self.end(f, outcome);
                    return false;
                }
            }
        }
    }

    fn clean_up(&mut self, f: usize, kind: Kind<'p>, ops: &'p [Op]) -> bool {
        self.fibers[f].frames.push(Frame { kind, ops });
        self.log(f, Event::Cleaning);
        true
    }

    /// Ends a fiber whose closure has ended. The main fiber first ends all others.
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

    /// Parks the main fiber, which winds up, while other fibers live. Otherwise ends it.
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

    /// Returns whether a kill must be raised in this fiber as soon as nothing unwinds.
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

    /// Moves on when no fiber can run: to the next deadline, or to a deadlock.
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

    /// Fails the wait that completed the deadlock, unless the wait of its fiber failed in the last
    /// deadlock too and the fiber has run just once since. Otherwise it is the wait of the main
    /// fiber, or else of the oldest fiber, with such a fiber as the last resort.
    fn break_deadlock(&mut self) {
        let can_fail = |&f: &usize| {
            let fiber = &self.fibers[f];
            // The park would panic, and two unwinds at the same time abort.
            let declines = fiber.reason == Reason::Park && self.unwinding != 0;
            fiber.state == State::Parked && fiber.reason != Reason::WindUp && !declines
        };
        let (last_victim, then) = self.last_victim;
        let again = |f: &usize| self.runs <= then + 1 && last_victim == Some(*f);
        let fresh = |f: &usize| can_fail(f) && !again(f);
        let all = || 0..self.fibers.len();
        let victim = self.last_parked.filter(fresh).or(Some(0).filter(can_fail));
        let victim = victim.or_else(|| all().find(fresh));
        let victim = victim.or_else(|| all().find(can_fail));
        let victim = victim.expect("every fiber of the model can fail");
        self.last_victim = (Some(victim), self.runs);
        self.fibers[victim].deadlocked = true;
        self.make_ready(victim);
    }

    pub(crate) fn log(&mut self, f: usize, event: Event) {
        self.trace.push((f, event));
    }
}
