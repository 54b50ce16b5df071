//! The channels of the model: the partners that meet, and where the values go.

use super::op::{End, Event, Failure, Line, Payload, Wait};
use super::parts::{Message, Model, Reason, Then, WaitOutcome};

/// The number of the first buffered channel, where a number means a channel of either kind.
pub(crate) const BUFFERED: usize = 100;

/// The result of a channel operation: nothing for a send, a message for a receive.
type Met = Result<Option<Message>, Failure>;

impl<'p> Model<'p> {
    pub(crate) fn balance(&self, channel: usize) -> isize {
        let channel = &self.channels[channel];
        let waiting = isize::try_from(channel.waiters.len()).unwrap();
        if channel.senders_wait { waiting } else { -waiting }
    }

    pub(crate) fn send(&mut self, f: usize, line: Line, wait: Wait, message: Message) -> bool {
        let at = match line {
            Line::Rendezvous(at) => at,
            Line::Buffered(at) => return self.push(f, at, wait, message),
        };
        if self.balance(at) < 0 {
            let receiver = self.channels[at].waiters.pop_front().expect("somebody waits");
            self.fibers[receiver].slot = Some(message);
            self.fibers[receiver].wait_outcome = WaitOutcome::Served;
            return self.met(f, at, -1, receiver, wait, None);
        }
        self.join_queue(f, at, wait, Some(message))
    }

    pub(crate) fn recv(&mut self, f: usize, line: Line, wait: Wait) -> bool {
        let at = match line {
            Line::Rendezvous(at) => at,
            Line::Buffered(at) => return self.pull(f, at, wait),
        };
        if 0 < self.balance(at) {
            let sender = self.channels[at].waiters.pop_front().expect("somebody waits");
            let message = self.fibers[sender].slot.take();
            self.fibers[sender].wait_outcome = WaitOutcome::Served;
            return self.met(f, at, 1, sender, wait, message);
        }
        self.join_queue(f, at, wait, None)
    }

    /// Completes a meeting. `runs_partner` is the preference at which the partner runs first.
    pub(crate) fn met(
        &mut self,
        f: usize,
        at: usize,
        runs_partner: i8,
        partner: usize,
        wait: Wait,
        got: Option<Message>,
    ) -> bool {
        let channel = &self.channels[at];
        let stays = wait == Wait::Not;
        if !stays && channel.schedule_all {
            self.make_ready(partner);
            return self.give_way(f, Then::Met(Ok(got)));
        }
        if !stays && channel.preference == runs_partner {
            self.make_ready_next(partner);
            return self.give_way(f, Then::Met(Ok(got)));
        }
        self.make_ready(partner);
        self.finish(f, Ok(got))
    }

    pub(crate) fn join_queue(
        &mut self,
        f: usize,
        at: usize,
        wait: Wait,
        bring: Option<Message>,
    ) -> bool {
        let channel = &mut self.channels[at];
        if channel.closing {
            return self.refuse(f, bring, Failure::Closed);
        }
        let timeout = match wait {
            Wait::Not => return self.refuse(f, bring, Failure::NotNow),
            Wait::Ever => None,
            Wait::For(ms) => Some(ms),
        };
        channel.senders_wait = bring.is_some();
        channel.waiters.push_back(f);
        self.fibers[f].slot = bring;
        let reason = if bring.is_some() { Reason::Send(at) } else { Reason::Recv(at) };
        self.wait(f, reason, timeout)
    }

    pub(crate) fn push(&mut self, f: usize, at: usize, wait: Wait, message: Message) -> bool {
        let Message::Value(number) = message else { unreachable!("values only") };
        let queue = &mut self.queues[at];
        if queue.receivers == 0 {
            return self.refuse(f, Some(message), Failure::Closed);
        }
        if let Some(receiver) = queue.waiting_receivers.pop_front() {
            self.fibers[receiver].slot = Some(message);
            self.fibers[receiver].wait_outcome = WaitOutcome::Served;
            self.make_ready(receiver);
            return self.finish(f, Ok(None));
        }
        if queue.buffer.len() < queue.capacity {
            queue.buffer.push_back(number);
            return self.finish(f, Ok(None));
        }
        let timeout = match wait {
            Wait::Not => return self.refuse(f, Some(message), Failure::NotNow),
            Wait::Ever => None,
            Wait::For(ms) => Some(ms),
        };
        queue.waiting_senders.push_back(f);
        self.fibers[f].slot = Some(message);
        self.wait(f, Reason::Send(at + BUFFERED), timeout)
    }

    pub(crate) fn pull(&mut self, f: usize, at: usize, wait: Wait) -> bool {
        let first = self.queues[at].buffer.pop_front().map(Message::Value);
        let next = self.queues[at].waiting_senders.pop_front().and_then(|sender| {
            self.fibers[sender].wait_outcome = WaitOutcome::Served;
            self.make_ready(sender);
            self.fibers[sender].slot.take()
        });
        let got = match (first, next) {
            (Some(first), Some(Message::Value(next))) => {
                self.queues[at].buffer.push_back(next);
                Some(first)
            }
            (first, next) => first.or(next),
        };
        if got.is_some() {
            return self.finish(f, Ok(got));
        }
        let timeout = match wait {
            _ if self.queues[at].senders == 0 => return self.refuse(f, None, Failure::Closed),
            Wait::Not => return self.refuse(f, None, Failure::NotNow),
            Wait::Ever => None,
            Wait::For(ms) => Some(ms),
        };
        self.queues[at].waiting_receivers.push_back(f);
        self.fibers[f].slot = None;
        self.wait(f, Reason::Recv(at + BUFFERED), timeout)
    }

    /// Fails an operation: its value comes back, and is dropped.
    pub(crate) fn refuse(&mut self, f: usize, value: Option<Message>, failure: Failure) -> bool {
        if let Some(Message::Value(number)) = value {
            self.log(f, Event::Dropped(number));
        }
        let sends = value.is_some();
        self.release(f);
        self.log(f, if sends { Event::NotSent(failure) } else { Event::NotReceived(failure) });
        true
    }

    pub(crate) fn finish(&mut self, f: usize, met: Met) -> bool {
        match met {
            Ok(None) => {
                self.release(f);
                self.log(f, Event::Sent);
            }
            Ok(Some(Message::Value(number))) => {
                self.release(f);
                self.log(f, Event::Received(number));
                self.log(f, Event::Dropped(number));
            }
            Ok(Some(Message::Unwind(number))) => return self.unwind(f, Payload::Panic(number)),
            Err(_) => unreachable!("a meeting succeeds"),
        }
        true
    }

    /// Clones the end that an operation uses. Returns whether there is one.
    pub(crate) fn hold(&mut self, f: usize, line: Line, end: End) -> bool {
        let Line::Buffered(at) = line else { return true };
        let queue = &mut self.queues[at];
        match end {
            End::Sender if queue.has_sender => queue.senders += 1,
            End::Receiver if queue.has_receiver => queue.receivers += 1,
            _ => return false,
        }
        self.fibers[f].holds = Some((at, end));
        true
    }

    pub(crate) fn release(&mut self, f: usize) {
        if let Some((at, end)) = self.fibers[f].holds.take() {
            self.one_end_less(f, at, end);
        }
    }

    pub(crate) fn drop_end(&mut self, f: usize, at: usize, end: End) {
        let queue = &mut self.queues[at];
        let had = match end {
            End::Sender => std::mem::take(&mut queue.has_sender),
            End::Receiver => std::mem::take(&mut queue.has_receiver),
        };
        if had {
            self.one_end_less(f, at, end);
        }
    }

    pub(crate) fn one_end_less(&mut self, f: usize, at: usize, end: End) {
        let queue = &mut self.queues[at];
        let left = match end {
            End::Sender => &mut queue.senders,
            End::Receiver => &mut queue.receivers,
        };
        *left -= 1;
        if *left != 0 {
            return;
        }
        match end {
            End::Sender => {
                let waiters = std::mem::take(&mut queue.waiting_receivers);
                self.turn_away(waiters);
            }
            End::Receiver => {
                let waiters = std::mem::take(&mut queue.waiting_senders);
                let lost = std::mem::take(&mut queue.buffer);
                self.turn_away(waiters);
                lost.into_iter().for_each(|number| self.log(f, Event::Dropped(number)));
            }
        }
    }

    pub(crate) fn turn_away(&mut self, waiters: std::collections::VecDeque<usize>) {
        for waiter in waiters {
            self.fibers[waiter].wait_outcome = WaitOutcome::Closed;
            self.make_ready(waiter);
        }
    }
}
