//! The rules as plain data: the next tasklet to run after each operation.
//!
//! Invariants: `ring[0]` is the running tasklet; a tasklet is in the ring, on one channel, or in
//! neither; main, number 0, never ends.

/// The error that a tasklet raises when it runs again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Thrown {
    Exit,
    Error,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Place {
    Dead,
    Paused,
    Ring,
    Channel(usize),
}

#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) place: Place,
    pub(crate) started: bool,
    pub(crate) pending: Option<Thrown>,
    /// Whether its wait at a channel has completed and it has not run since. An error thrown at it
    /// then is raised later, at a point that no rule gives: the programs do not throw at it.
    pub(crate) completed: bool,
}

/// A channel: the tasklets that wait there to send or to receive, and its preference.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    pub(crate) waiting: Vec<usize>,
    pub(crate) senders: bool,
    /// The preference: -1, 0 or 1, like in Stackless.
    pub(crate) preference: i32,
    pub(crate) schedule_all: bool,
}

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) members: Vec<Member>,
    pub(crate) ring: Vec<usize>,
    pub(crate) channels: Vec<Queue>,
    /// The tasklets that wait in `run()`, the innermost last.
    pub(crate) runs: Vec<usize>,
}

impl Model {
    pub(crate) fn new(channels: usize) -> Model {
        let main = Member { place: Place::Ring, started: true, pending: None, completed: false };
        Model {
            members: vec![main],
            ring: vec![0],
            channels: vec![Queue::default(); channels],
            runs: Vec::new(),
        }
    }

    pub(crate) fn current(&self) -> usize {
        self.ring[0]
    }

    /// S-165.
    pub(crate) fn wake_up_target(&self) -> usize {
        self.runs.last().copied().unwrap_or(0)
    }

    pub(crate) fn place(&self, t: usize) -> Place {
        self.members[t].place
    }

    /// Returns whether an error thrown at `t` is raised as soon as it runs.
    pub(crate) fn can_be_thrown_at(&self, t: usize) -> bool {
        !self.members[t].completed
    }

    /// Returns whether the running tasklet may leave the ring without a deadlock.
    pub(crate) fn may_leave(&self, me: usize) -> bool {
        self.may_block() || self.wake_up_target() == me
    }

    /// Returns whether the running tasklet may wait at a channel without a deadlock.
    pub(crate) fn may_block(&self) -> bool {
        1 < self.ring.len() || self.place(self.wake_up_target()) == Place::Paused
    }

    pub(crate) fn balance(&self, channel: usize) -> isize {
        let queue = &self.channels[channel];
        let waiting = isize::try_from(queue.waiting.len()).unwrap();
        if queue.senders { waiting } else { -waiting }
    }

    pub(crate) fn create(&mut self, place: Place) -> usize {
        let t = self.members.len();
        self.members.push(Member { place, started: false, pending: None, completed: false });
        if place == Place::Ring {
            self.ring.push(t);
        }
        t
    }

    /// S-032, S-033.
    pub(crate) fn insert(&mut self, t: usize) -> bool {
        match self.place(t) {
            Place::Dead | Place::Channel(_) => false,
            Place::Ring => true,
            Place::Paused => {
                self.append(t);
                true
            }
        }
    }

    /// S-035, S-036.
    pub(crate) fn remove(&mut self, t: usize) -> bool {
        match self.place(t) {
            Place::Channel(_) => false,
            Place::Ring if t == self.current() => false,
            Place::Ring => {
                self.take_out(t);
                true
            }
            Place::Dead | Place::Paused => true,
        }
    }

    /// S-037 to S-042.
    pub(crate) fn run(&mut self, t: usize, stay: bool) -> bool {
        if matches!(self.place(t), Place::Dead | Place::Channel(_)) {
            return false;
        }
        if t != self.current() {
            if !stay {
                self.take_out(self.current());
            }
            self.bring(t);
        }
        true
    }

    /// S-103.
    pub(crate) fn schedule(&mut self) {
        self.ring.rotate_left(1);
        self.settle();
    }

    /// S-105, S-106.
    pub(crate) fn schedule_remove(&mut self) {
        self.take_out(self.current());
        self.go_on();
    }

    /// S-107, S-108.
    pub(crate) fn run_all(&mut self) {
        if 1 < self.ring.len() {
            let me = self.current();
            self.runs.push(me);
            self.take_out(me);
            self.go_on();
        }
    }

    /// S-051, S-052; for a tasklet other than the running one.
    pub(crate) fn kill(&mut self, t: usize) {
        if self.place(t) != Place::Dead {
            self.members[t].pending = Some(Thrown::Exit);
            self.bring(t);
        }
    }

    /// S-053.
    pub(crate) fn kill_later(&mut self, t: usize) {
        if self.place(t) == Place::Dead {
            return;
        }
        self.members[t].pending = Some(Thrown::Exit);
        if self.place(t) != Place::Ring {
            self.leave_channel(t);
            self.append(t);
        }
    }

    /// S-063, S-064, S-170.
    pub(crate) fn end(&mut self) {
        let me = self.current();
        self.take_out(me);
        self.members[me].place = Place::Dead;
        self.go_on();
    }

    /// S-065 to S-067.
    pub(crate) fn fail(&mut self) {
        let me = self.current();
        self.take_out(me);
        self.members[me].place = Place::Dead;
        let target = self.wake_up_target();
        self.members[target].pending = Some(Thrown::Error);
        self.bring(target);
    }

    /// S-138 to S-144.
    pub(crate) fn transfer(&mut self, channel: usize, sends: bool) {
        let me = self.current();
        let queue = &mut self.channels[channel];
        if queue.waiting.is_empty() || queue.senders == sends {
            queue.senders = sends;
            queue.waiting.push(me);
            self.take_out(me);
            self.members[me].place = Place::Channel(channel);
            return self.go_on();
        }
        let partner = queue.waiting.remove(0);
        let (preference, all) = (queue.preference, queue.schedule_all);
        self.members[partner].completed = true;
        self.members[partner].place = Place::Ring;
        let direction = if sends { 1 } else { -1 };
        if all {
            self.ring.push(partner);
            self.members[me].completed = true;
            self.schedule();
        } else if preference == -direction {
            self.members[me].completed = true;
            self.ring.insert(1, partner);
            self.schedule();
        } else {
            self.ring.push(partner);
        }
    }

    /// Appends a paused tasklet.
    fn append(&mut self, t: usize) {
        self.members[t].place = Place::Ring;
        self.ring.push(t);
    }

    /// Takes a member of the ring out of it.
    fn take_out(&mut self, t: usize) {
        self.ring.retain(|&member| member != t);
        self.members[t].place = Place::Paused;
    }

    fn leave_channel(&mut self, t: usize) {
        if let Place::Channel(channel) = self.place(t) {
            self.channels[channel].waiting.retain(|&waiting| waiting != t);
            self.members[t].place = Place::Paused;
        }
    }

    /// Makes `t` the running one: by rotation if it is in the ring (S-008), else in front.
    fn bring(&mut self, t: usize) {
        self.leave_channel(t);
        match self.ring.iter().position(|&member| member == t) {
            Some(place) => self.ring.rotate_left(place),
            None => {
                self.members[t].place = Place::Ring;
                self.ring.insert(0, t);
            }
        }
        self.settle();
    }

    /// Continues with the next tasklet after the running one has left the ring.
    fn go_on(&mut self) {
        if self.ring.is_empty() {
            self.bring(self.wake_up_target());
        } else {
            self.settle();
        }
    }

    /// Settles the state before the code of the running one continues: S-056, S-114, S-115.
    fn settle(&mut self) {
        let me = self.current();
        if !self.members[me].started && self.members[me].pending.is_some() {
            return self.end();
        }
        self.members[me].started = true;
        self.members[me].completed = false;
        let Some(place) = self.runs.iter().position(|&waiting| waiting == me) else { return };
        let deeper = self.runs.split_off(place);
        for &waiting in deeper[1..].iter().rev() {
            if self.place(waiting) == Place::Paused {
                self.append(waiting);
            }
        }
    }
}
