//! The waits of a fiber of the model, and how they end.

use super::meetings::BUFFERED;
use super::op::{Event, Failure, Outcome, Payload};
use super::parts::{Message, Model, Reason, State, Then, WaitOutcome};

impl<'p> Model<'p> {
    pub(crate) fn wait(&mut self, f: usize, reason: Reason, timeout: Option<u8>) -> bool {
        if let Some(ms) = timeout {
            self.timers.push((self.now + u64::from(ms), f));
        }
        self.fibers[f].reason = reason;
        self.fibers[f].wait_outcome = WaitOutcome::Waiting;
        self.before_wait(f)
    }

    pub(crate) fn before_wait(&mut self, f: usize) -> bool {
        let timed_out = std::mem::take(&mut self.fibers[f].timed_out);
        let deadlocked = std::mem::take(&mut self.fibers[f].deadlocked);
        if !self.look_at_kills(f) {
            if let Some(Message::Value(number)) = self.abandon(f) {
                self.log(f, Event::Dropped(number));
            }
            self.release(f);
            return self.unwind(f, Payload::Kill);
        }
        self.kills_deferred |= self.is_pending(f);
        if deadlocked {
            return self.interrupted(f, Failure::Deadlock);
        } else if timed_out {
            return self.interrupted(f, Failure::TimedOut);
        }
        self.fibers[f].then = Then::Waits;
        self.leave(f);
        false
    }

    pub(crate) fn woken(&mut self, f: usize) -> bool {
        let reason = self.fibers[f].reason;
        let done = match reason {
            Reason::Send(_) | Reason::Recv(_) => {
                self.fibers[f].wait_outcome != WaitOutcome::Waiting
            }
            Reason::Park => std::mem::take(&mut self.fibers[f].token),
            Reason::Sleep => false,
            Reason::Join(of) => self.fibers[of].state == State::Finished,
            Reason::WindUp => {
                self.wait_for_the_last();
                return false;
            }
        };
        if !done {
            return self.before_wait(f);
        }
        self.fibers[f].timed_out = false;
        self.fibers[f].deadlocked = false;
        let outcome = self.fibers[f].wait_outcome;
        let slot = self.abandon(f);
        match (reason, outcome) {
            (Reason::Send(_), WaitOutcome::Served) => self.finish(f, Ok(None)),
            (Reason::Recv(_), WaitOutcome::Served) => self.finish(f, Ok(slot)),
            (Reason::Send(_) | Reason::Recv(_), _) => self.refuse(f, slot, Failure::Closed),
            (Reason::Join(of), _) => {
                self.log_join(f, of);
                true
            }
            _ => {
                self.log(f, Event::Unparked);
                true
            }
        }
    }

    pub(crate) fn interrupted(&mut self, f: usize, failure: Failure) -> bool {
        let slot = self.abandon(f);
        match (self.fibers[f].reason, failure) {
            (Reason::Send(_) | Reason::Recv(_), failure) => return self.refuse(f, slot, failure),
            (Reason::Join(_), _) => self.log(f, Event::Joined(Outcome::Deadlock)),
            (Reason::Park, Failure::TimedOut) => self.log(f, Event::Unparked),
            (Reason::Sleep, _) => self.log(f, Event::Slept(self.now - self.fibers[f].since)),
            _ => return self.unwind(f, Payload::Deadlock),
        }
        true
    }

    /// Removes the fiber from all in which it waited. Returns the message that it still holds.
    pub(crate) fn abandon(&mut self, f: usize) -> Option<Message> {
        self.timers.retain(|&(_, fiber)| fiber != f);
        match self.fibers[f].reason {
            Reason::Send(at) if BUFFERED <= at => {
                self.queues[at - BUFFERED].waiting_senders.retain(|&fiber| fiber != f);
            }
            Reason::Recv(at) if BUFFERED <= at => {
                self.queues[at - BUFFERED].waiting_receivers.retain(|&fiber| fiber != f);
            }
            Reason::Send(at) | Reason::Recv(at) => {
                self.channels[at].waiters.retain(|&fiber| fiber != f);
            }
            Reason::Join(of) => self.fibers[of].joiner = None,
            _ => {}
        }
        self.fibers[f].slot.take()
    }
}
