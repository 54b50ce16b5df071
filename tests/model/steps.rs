//! What each operation does in the model.

use crate::op::{End, Event, Failure, Line, Op, Outcome, Payload, Wait};
use crate::plain::{Fate, Frame, Kind, Message, Model, Reason, State, Then};

/// Buffered channels are numbered after the rendezvous channels where a number means either.
const BUFFERED: usize = 100;

/// What comes of a channel operation: nothing for a send, a message for a receive.
type Met = Result<Option<Message>, Failure>;

impl<'p> Model<'p> {
    /// Goes on where the fiber left the thread. Returns whether it still has it.
    pub(crate) fn go_on(&mut self, f: usize, then: Then<'p>) -> bool {
        match then {
            Then::GoOn => true,
            Then::Yielded(event) => {
                if !self.look_at_kills(f) {
                    return self.unwind(f, Payload::Kill);
                }
                event.into_iter().for_each(|event| self.log(f, event));
                true
            }
            Then::Spent(op, number) => {
                if self.look_at_kills(f) {
                    return self.perform(f, op, number);
                }
                if let Op::Send(..) = op {
                    self.log(f, Event::Dropped(number));
                }
                self.release(f);
                self.unwind(f, Payload::Kill)
            }
            Then::Met(met) => self.finish(f, met),
            Then::SpawnedNow(child) => {
                if !self.look_at_kills(f) {
                    return self.unwind(f, Payload::Kill);
                }
                self.fibers[child].known = true;
                self.fibers[child].handle = true;
                true
            }
            Then::Waits => self.woken(f),
        }
    }

    /// A yield is a kill point. Returns whether the fiber goes on.
    fn look_at_kills(&mut self, f: usize) -> bool {
        !self.is_pending(f)
    }

    /// Begins an operation.
    pub(crate) fn start(&mut self, f: usize, op: &'p Op) -> bool {
        match *op {
            Op::Send(line, _) => {
                let number = self.number();
                match self.hold(f, line, End::Sender) {
                    true => self.spend_then(f, op, number),
                    false => {
                        self.log(f, Event::NoEnd);
                        self.log(f, Event::Dropped(number));
                        true
                    }
                }
            }
            Op::Recv(line, _) => match self.hold(f, line, End::Receiver) {
                true => self.spend_then(f, op, 0),
                false => {
                    self.log(f, Event::NoEnd);
                    true
                }
            },
            Op::SendPanic(_) => {
                let number = self.number();
                self.spend_then(f, op, number)
            }
            Op::Tick(times) => self.tick(f, op, times.into()),
            _ => self.perform(f, op, 0),
        }
    }

    /// Counts an operation that may not have to wait.
    fn spend_then(&mut self, f: usize, op: &'p Op, number: u32) -> bool {
        let never_waits = matches!(op, Op::Send(_, Wait::Not) | Op::Recv(_, Wait::Not));
        if !never_waits && self.spend() {
            return self.give_way(f, Then::Spent(op, number));
        }
        self.perform(f, op, number)
    }

    /// Returns whether the budget is used up.
    fn spend(&mut self) -> bool {
        self.budget -= 1;
        self.budget == 0
    }

    fn give_way(&mut self, f: usize, then: Then<'p>) -> bool {
        self.ring.push_back(f);
        self.fibers[f].then = then;
        false
    }

    fn tick(&mut self, f: usize, op: &'p Op, times: u32) -> bool {
        for left in (0..times).rev() {
            // The unpark and the park that finds it: the token is used up.
            self.fibers[f].token = false;
            if self.spend() {
                return self.give_way(f, Then::Spent(op, left));
            }
        }
        self.log(f, Event::Ticked);
        true
    }

    fn perform(&mut self, f: usize, op: &'p Op, number: u32) -> bool {
        match *op {
            Op::Yield => return self.give_way(f, Then::Yielded(Some(Event::Yielded))),
            Op::Tick(_) => return self.tick(f, op, number),
            Op::Send(line, wait) => return self.send(f, line, wait, Message::Value(number)),
            Op::SendPanic(at) => {
                let message = Message::Unwind(number);
                return self.send(f, Line::Rendezvous(at), Wait::Ever, message);
            }
            Op::Recv(line, wait) => return self.recv(f, line, wait),
            Op::Prefer(channel, preference) => self.channels[channel].preference = preference,
            Op::ScheduleAll(channel, all) => self.channels[channel].schedule_all = all,
            Op::Close(channel) => self.channels[channel].closing = true,
            Op::CloseAndWake(channel) => {
                self.channels[channel].closing = true;
                let waiters = std::mem::take(&mut self.channels[channel].waiters);
                self.turn_away(waiters);
            }
            Op::Open(channel) => self.channels[channel].closing = false,
            Op::DropEnd(queue, end) => self.drop_end(f, queue, end),
            Op::Balance(channel) => {
                let balance = self.balance(channel);
                self.log(f, Event::Balance(balance));
            }
            Op::Spawn(ref ops) => {
                let child = self.spawn(f, ops);
                self.fibers[child].known = true;
                self.fibers[child].handle = true;
                self.ring.push_back(child);
            }
            Op::SpawnNow(ref ops) => {
                let child = self.spawn(f, ops);
                self.ring.push_front(f);
                self.ring.push_front(child);
                self.fibers[f].then = Then::SpawnedNow(child);
                return false;
            }
            Op::Kill(of) => match self.known(of) {
                Some(victim) if victim == f => return self.kill_myself(f),
                Some(victim) => self.kill(victim),
                None => self.log(f, Event::NoSuchFiber),
            },
            Op::KillMyself => return self.kill_myself(f),
            Op::Join(of) => return self.join(f, of),
            Op::Detach(of) => {
                let of = of % self.fibers.len();
                self.fibers[of].handle = false;
            }
            Op::Park | Op::ParkTimeout(_) => return self.park(f, op),
            Op::Unpark(of) => match self.known(of) {
                Some(of) => self.unpark(of),
                None => self.log(f, Event::NoSuchFiber),
            },
            Op::Sleep(ms) => {
                self.fibers[f].since = self.now;
                return self.wait(f, Reason::Sleep, Some(ms));
            }
            Op::Panic => {
                let number = self.number();
                return self.unwind(f, Payload::Panic(number));
            }
            Op::Checkpoint => {
                if self.is_pending(f) {
                    return self.unwind(f, Payload::Kill);
                }
                self.log(f, Event::Checked);
            }
            Op::Shield(ref ops) => self.enter(f, Kind::Shield, ops),
            Op::Catch(ref ops) => self.enter(f, Kind::Catch, ops),
            Op::Finally(ref ops, ref cleanup) => self.enter(f, Kind::Body(cleanup), ops),
        }
        true
    }

    fn enter(&mut self, f: usize, kind: Kind<'p>, ops: &'p [Op]) {
        self.fibers[f].frames.push(Frame { kind, ops });
    }

    fn number(&mut self) -> u32 {
        self.numbers += 1;
        self.numbers
    }

    fn spawn(&mut self, f: usize, ops: &'p [Op]) -> usize {
        let child = self.fibers.len();
        self.log(f, Event::Spawned(child));
        self.admit(ops)
    }

    fn known(&self, of: usize) -> Option<usize> {
        let of = of % self.fibers.len();
        self.fibers[of].known.then_some(of)
    }

    fn kill_myself(&mut self, f: usize) -> bool {
        self.fibers[f].killed = true;
        if self.is_pending(f) { self.unwind(f, Payload::Kill) } else { true }
    }

    fn unpark(&mut self, f: usize) {
        let fiber = &mut self.fibers[f];
        if fiber.state == State::Finished {
            return;
        }
        fiber.token = true;
        if fiber.reason == Reason::Park {
            self.make_ready(f);
        }
    }

    fn park(&mut self, f: usize, op: &'p Op) -> bool {
        if std::mem::take(&mut self.fibers[f].token) {
            if self.spend() {
                return self.give_way(f, Then::Yielded(Some(Event::Unparked)));
            }
            self.log(f, Event::Unparked);
            return true;
        }
        let timeout = if let Op::ParkTimeout(ms) = *op { Some(ms) } else { None };
        self.wait(f, Reason::Park, timeout)
    }

    fn join(&mut self, f: usize, of: usize) -> bool {
        let of = of % self.fibers.len();
        if !std::mem::take(&mut self.fibers[of].handle) {
            self.log(f, Event::NoHandle);
        } else if self.fibers[of].state == State::Finished {
            self.log_join(f, of);
        } else if of == f {
            self.log(f, Event::Joined(Outcome::Itself));
        } else {
            self.fibers[of].joiner = Some(f);
            return self.wait(f, Reason::Join(of), None);
        }
        true
    }

    fn log_join(&mut self, f: usize, of: usize) {
        let outcome = self.fibers[of].outcome.expect("it has ended");
        self.log(f, Event::Joined(outcome));
    }

    // -- waiting --------------------------------------------------------------------------------

    fn wait(&mut self, f: usize, reason: Reason, timeout: Option<u8>) -> bool {
        if let Some(ms) = timeout {
            self.timers.push((self.now + u64::from(ms), f));
        }
        self.fibers[f].reason = reason;
        self.fibers[f].fate = Fate::Waiting;
        self.before_wait(f)
    }

    fn before_wait(&mut self, f: usize) -> bool {
        let timed_out = std::mem::take(&mut self.fibers[f].timed_out);
        let deadlocked = std::mem::take(&mut self.fibers[f].deadlocked);
        if self.is_pending(f) {
            if let Some(Message::Value(number)) = self.abandon(f) {
                self.log(f, Event::Dropped(number));
            }
            self.release(f);
            return self.unwind(f, Payload::Kill);
        }
        if deadlocked {
            return self.interrupted(f, Failure::Deadlock);
        }
        if timed_out {
            return self.interrupted(f, Failure::TimedOut);
        }
        self.fibers[f].then = Then::Waits;
        self.leave(f);
        false
    }

    fn woken(&mut self, f: usize) -> bool {
        let reason = self.fibers[f].reason;
        let done = match reason {
            Reason::Send(_) | Reason::Recv(_) => self.fibers[f].fate != Fate::Waiting,
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
        let fate = self.fibers[f].fate;
        let slot = self.abandon(f);
        match (reason, fate) {
            (Reason::Send(_), Fate::Served) => self.finish(f, Ok(None)),
            (Reason::Recv(_), Fate::Served) => self.finish(f, Ok(slot)),
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

    fn interrupted(&mut self, f: usize, failure: Failure) -> bool {
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

    /// Takes the fiber out of everything in which it waited. Returns what it still holds.
    fn abandon(&mut self, f: usize) -> Option<Message> {
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

    // -- channels -------------------------------------------------------------------------------

    fn balance(&self, channel: usize) -> isize {
        let channel = &self.channels[channel];
        let waiting = isize::try_from(channel.waiters.len()).unwrap();
        if channel.senders_wait { waiting } else { -waiting }
    }

    fn send(&mut self, f: usize, line: Line, wait: Wait, message: Message) -> bool {
        let at = match line {
            Line::Rendezvous(at) => at,
            Line::Buffered(at) => return self.push(f, at, wait, message),
        };
        if self.balance(at) < 0 {
            let receiver = self.channels[at].waiters.pop_front().expect("somebody waits");
            self.fibers[receiver].slot = Some(message);
            self.fibers[receiver].fate = Fate::Served;
            return self.met(f, at, -1, receiver, wait, None);
        }
        self.join_queue(f, at, wait, Some(message))
    }

    fn recv(&mut self, f: usize, line: Line, wait: Wait) -> bool {
        let at = match line {
            Line::Rendezvous(at) => at,
            Line::Buffered(at) => return self.pull(f, at, wait),
        };
        if 0 < self.balance(at) {
            let sender = self.channels[at].waiters.pop_front().expect("somebody waits");
            let message = self.fibers[sender].slot.take();
            self.fibers[sender].fate = Fate::Served;
            return self.met(f, at, 1, sender, wait, message);
        }
        self.join_queue(f, at, wait, None)
    }

    /// Two partners have met. `runs_partner` is the preference at which the partner runs first.
    fn met(
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

    fn join_queue(&mut self, f: usize, at: usize, wait: Wait, bring: Option<Message>) -> bool {
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

    fn push(&mut self, f: usize, at: usize, wait: Wait, message: Message) -> bool {
        let Message::Value(number) = message else { unreachable!("values only") };
        let queue = &mut self.queues[at];
        if queue.receivers == 0 {
            return self.refuse(f, Some(message), Failure::Closed);
        }
        if let Some(receiver) = queue.waiting_receivers.pop_front() {
            self.fibers[receiver].slot = Some(message);
            self.fibers[receiver].fate = Fate::Served;
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

    fn pull(&mut self, f: usize, at: usize, wait: Wait) -> bool {
        let first = self.queues[at].buffer.pop_front().map(Message::Value);
        let next = self.queues[at].waiting_senders.pop_front().and_then(|sender| {
            self.fibers[sender].fate = Fate::Served;
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

    /// A failed operation: its value comes back, and is dropped.
    fn refuse(&mut self, f: usize, value: Option<Message>, failure: Failure) -> bool {
        if let Some(Message::Value(number)) = value {
            self.log(f, Event::Dropped(number));
        }
        let sends = value.is_some();
        self.release(f);
        self.log(f, if sends { Event::NotSent(failure) } else { Event::NotReceived(failure) });
        true
    }

    fn finish(&mut self, f: usize, met: Met) -> bool {
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

    // -- ends of buffered channels --------------------------------------------------------------

    /// The operation clones its end. Returns whether there is one.
    fn hold(&mut self, f: usize, line: Line, end: End) -> bool {
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

    fn release(&mut self, f: usize) {
        if let Some((at, end)) = self.fibers[f].holds.take() {
            self.one_end_less(f, at, end);
        }
    }

    fn drop_end(&mut self, f: usize, at: usize, end: End) {
        let queue = &mut self.queues[at];
        let had = match end {
            End::Sender => std::mem::take(&mut queue.has_sender),
            End::Receiver => std::mem::take(&mut queue.has_receiver),
        };
        if had {
            self.one_end_less(f, at, end);
        }
    }

    fn one_end_less(&mut self, f: usize, at: usize, end: End) {
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

    fn turn_away(&mut self, waiters: std::collections::VecDeque<usize>) {
        for waiter in waiters {
            self.fibers[waiter].fate = Fate::Closed;
            self.make_ready(waiter);
        }
    }
}
