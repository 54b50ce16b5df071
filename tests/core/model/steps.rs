//! The effect of each operation in the model.

use super::op::{End, Event, Line, Op, Outcome, Payload, Wait};
use super::parts::{Frame, Kind, Message, Model, Reason, State, Then};

impl<'p> Model<'p> {
    /// Continues where the fiber left the thread. Returns whether the fiber still has the thread.
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
            Then::SpawnedNow(child, budget) => {
                if !self.look_at_kills(f) {
                    return self.unwind(f, Payload::Kill);
                }
                if let Some(budget) = budget {
                    self.budget = budget;
                    if self.spend() {
                        return self.give_way(f, Then::SpawnedNow(child, None));
                    }
                }
                self.fibers[child].known = true;
                self.fibers[child].handle = true;
                true
            }
            Then::Waits => self.woken(f),
        }
    }

    /// Looks at kills, at a kill point. Returns whether the fiber goes on.
    pub(crate) fn look_at_kills(&mut self, f: usize) -> bool {
        !self.is_pending(f) || self.unwinding != 0
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

    /// Performs an operation that may wait, and counts it even if it does not have to wait.
    pub(crate) fn spend_then(&mut self, f: usize, op: &'p Op, number: u32) -> bool {
        let never_waits = matches!(op, Op::Send(_, Wait::Not) | Op::Recv(_, Wait::Not));
        if !never_waits && self.spend() {
            return self.give_way(f, Then::Spent(op, number));
        }
        self.perform(f, op, number)
    }

    /// Counts an operation. Returns whether the budget is used up.
    pub(crate) fn spend(&mut self) -> bool {
        self.budget -= 1;
        self.budget == 0
    }

    pub(crate) fn give_way(&mut self, f: usize, then: Then<'p>) -> bool {
        self.ring.push_back(f);
        self.fibers[f].then = then;
        false
    }

    pub(crate) fn tick(&mut self, f: usize, op: &'p Op, times: u32) -> bool {
        for left in (0..times).rev() {
            // The unpark, and the park that finds the token and uses it up.
            self.fibers[f].token = false;
            if self.spend() {
                return self.give_way(f, Then::Spent(op, left));
            }
        }
        self.log(f, Event::Ticked);
        true
    }

    pub(crate) fn perform(&mut self, f: usize, op: &'p Op, number: u32) -> bool {
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
                self.fibers[f].then = Then::SpawnedNow(child, Some(self.budget));
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
                if !self.look_at_kills(f) {
                    return self.unwind(f, Payload::Kill);
                }
                self.log(f, Event::Checked);
            }
            Op::Shield(ref ops) => self.enter(f, Kind::Shield, ops),
            Op::Catch(ref ops) => self.enter(f, Kind::Catch, ops),
            Op::Finally(ref ops, ref cleanup) => self.enter(f, Kind::Body(cleanup), ops),
            Op::Guard(ref ops, ref last) => self.enter(f, Kind::Guard(last), ops),
        }
        true
    }

    pub(crate) fn enter(&mut self, f: usize, kind: Kind<'p>, ops: &'p [Op]) {
        self.fibers[f].frames.push(Frame { kind, ops });
    }

    pub(crate) fn number(&mut self) -> u32 {
        self.numbers += 1;
        self.numbers
    }

    pub(crate) fn spawn(&mut self, f: usize, ops: &'p [Op]) -> usize {
        let child = self.fibers.len();
        self.log(f, Event::Spawned(child));
        self.admit(ops)
    }

    pub(crate) fn known(&self, of: usize) -> Option<usize> {
        let of = of % self.fibers.len();
        self.fibers[of].known.then_some(of)
    }

    pub(crate) fn kill_myself(&mut self, f: usize) -> bool {
        self.fibers[f].killed = true;
        self.look_at_kills(f) || self.unwind(f, Payload::Kill)
    }

    pub(crate) fn unpark(&mut self, f: usize) {
        let fiber = &mut self.fibers[f];
        if fiber.state == State::Finished {
            return;
        }
        fiber.token = true;
        if fiber.reason == Reason::Park {
            self.make_ready(f);
        }
    }

    pub(crate) fn park(&mut self, f: usize, op: &'p Op) -> bool {
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

    pub(crate) fn join(&mut self, f: usize, of: usize) -> bool {
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

    pub(crate) fn log_join(&mut self, f: usize, of: usize) {
        let outcome = self.fibers[of].outcome.expect("it has ended");
        self.log(f, Event::Joined(outcome));
    }
}
