//! Runs a program on fibra, with the virtual clock, and records what happens.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::time::Duration;

use fibra::channel::{Channel, Preference, Receiver, Sender, bounded};
use fibra::stackless::Channel as Quiet;
use fibra::{Fiber, JoinError, JoinHandle};

use super::failures::{
    kind, recv_failure, recv_timeout_failure, send_failure, send_timeout_failure, try_recv_failure,
    try_send_failure,
};
use super::op::{CAPACITIES, CHANNELS, End, Event, Line, Op, Outcome, Trace, Wait};

/// The results of a run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) trace: Trace,
    /// The outcome of `run` itself.
    pub(crate) main: Outcome,
    /// The number of operations that were begun.
    pub(crate) operations: u64,
    /// The number of values that were made, less those that were dropped.
    pub(crate) leaked: isize,
}

/// The state that the fibers of one run share.
struct World {
    trace: RefCell<Trace>,
    channels: Vec<Channel<Value>>,
    senders: Vec<RefCell<Option<Sender<Value>>>>,
    receivers: Vec<RefCell<Option<Receiver<Value>>>>,
    fibers: RefCell<Vec<Option<Fiber>>>,
    handles: RefCell<Vec<Option<JoinHandle<()>>>>,
    numbers: Cell<u32>,
    operations: Cell<u64>,
    alive: Rc<Cell<isize>>,
}

/// Runs `program` as the main fiber of a new runtime.
pub(crate) fn run(program: &[Op]) -> Report {
    let world = Rc::new(World::new());
    let runtime = fibra::Runtime::builder().virtual_clock().stack_size(64 << 10).build().unwrap();
    let inside = world.clone();
    let result = panic::catch_unwind(AssertUnwindSafe(|| {
        runtime.run(|| body(&inside, 0, program));
    }));
    let main = match result {
        Ok(()) => Outcome::Returned,
        Err(payload) if payload.is::<fibra::Killed>() => Outcome::Killed,
        Err(payload) => Outcome::Unwound(kind(&*payload)),
    };
    drop(inside);
    let trace = world.trace.take();
    let (operations, alive) = (world.operations.get(), world.alive.clone());
    assert_eq!(Rc::strong_count(&world), 1, "a closure has outlived `run`");
    drop(world);
    Report { trace, main, operations, leaked: alive.get() }
}

fn body(world: &Rc<World>, me: usize, ops: &[Op]) {
    let _gone = Gone { world: world.clone(), me };
    live(world, me, ops);
}

fn live(world: &Rc<World>, me: usize, ops: &[Op]) {
    world.fibers.borrow_mut()[me] = Some(fibra::current());
    world.log(Event::Started);
    world.all(ops);
}

/// A guard in a fiber's closure, which logs the end of the closure on whatever fiber that happens.
struct Gone {
    world: Rc<World>,
    me: usize,
}

impl Drop for Gone {
    fn drop(&mut self) {
        self.world.trace.borrow_mut().push((self.me, Event::Gone));
    }
}

/// A value that travels through the channels.
struct Value {
    number: u32,
    world: std::rc::Weak<World>,
    alive: Rc<Cell<isize>>,
}

impl Drop for Value {
    fn drop(&mut self) {
        self.alive.set(self.alive.get() - 1);
        if let (true, Some(world)) = (fibra::in_fiber(), self.world.upgrade()) {
            world.log(Event::Dropped(self.number));
        }
    }
}

/// A guard that does operations when it is dropped.
struct Last<'a> {
    world: &'a Rc<World>,
    ops: &'a [Op],
}

impl Drop for Last<'_> {
    fn drop(&mut self) {
        self.world.clean_up(self.ops);
    }
}

impl World {
    fn new() -> World {
        let (senders, receivers) = CAPACITIES.iter().map(|&capacity| bounded(capacity)).unzip();
        let wrap = |senders: Vec<_>| senders.into_iter().map(|s| RefCell::new(Some(s))).collect();
        let wrap_receivers =
            |receivers: Vec<_>| receivers.into_iter().map(|r| RefCell::new(Some(r))).collect();
        World {
            trace: RefCell::default(),
            channels: (0..CHANNELS).map(|_| Channel::new()).collect(),
            senders: wrap(senders),
            receivers: wrap_receivers(receivers),
            fibers: RefCell::new(vec![None]),
            handles: RefCell::new(vec![None]),
            numbers: Cell::new(0),
            operations: Cell::new(0),
            alive: Rc::default(),
        }
    }

    fn log(&self, event: Event) {
        // Fibers are numbered in the order of their spawn, the main fiber first, here and in fibra.
        let number = usize::try_from(fibra::current().id().number()).unwrap();
        self.trace.borrow_mut().push((number - 1, event));
    }

    fn number(&self) -> u32 {
        self.numbers.set(self.numbers.get() + 1);
        self.numbers.get()
    }

    fn value(self: &Rc<World>) -> Value {
        self.alive.set(self.alive.get() + 1);
        Value { number: self.number(), world: Rc::downgrade(self), alive: self.alive.clone() }
    }

    fn all(self: &Rc<World>, ops: &[Op]) {
        for (i, op) in ops.iter().enumerate() {
            match i % 2 {
                0 => self.one(op),
                // On a borrowed stack, the operation has the same result.
                _ => fibra::with_stack_size(64 << 10, || self.one(op)),
            }
        }
    }

    fn one(self: &Rc<World>, op: &Op) {
        self.operations.set(self.operations.get() + 1);
        match *op {
            Op::Yield => {
                fibra::yield_now();
                self.log(Event::Yielded);
            }
            Op::Tick(times) => {
                for _ in 0..times {
                    fibra::current().unpark();
                    fibra::park();
                }
                self.log(Event::Ticked);
            }
            Op::Send(line, wait) => self.send(line, wait),
            Op::Recv(line, wait) => self.recv(line, wait),
            Op::SendPanic(channel) => {
                let payload = Box::new(self.number());
                let sent = self.channels[channel].send_panic(payload);
                self.log(sent.map_or_else(|e| Event::NotSent(send_failure(&e)), |()| Event::Sent));
            }
            Op::Prefer(channel, preference) => {
                let all = [Preference::Receiver, Preference::Neither, Preference::Sender];
                let preference = all[usize::try_from(preference + 1).unwrap()];
                self.channels[channel].set_preference(preference);
            }
            Op::ScheduleAll(channel, all) => self.channels[channel].set_schedule_all(all),
            // Only the façade can close a channel without a wake.
            Op::Close(channel) => Quiet::from(self.channels[channel].clone()).close(),
            Op::CloseAndWake(channel) => self.channels[channel].close(),
            Op::Open(channel) => self.channels[channel].open(),
            Op::DropEnd(queue, End::Sender) => drop(self.senders[queue].take()),
            Op::DropEnd(queue, End::Receiver) => {
                let receiver = self.receivers[queue].take();
                drop(receiver);
            }
            Op::Balance(channel) => self.log(Event::Balance(self.channels[channel].balance())),
            Op::Spawn(ref ops) => {
                let child = self.prepare(ops);
                let handle = fibra::spawn(child.1);
                self.keep(child.0, handle);
            }
            Op::SpawnNow(ref ops) => {
                let child = self.prepare(ops);
                let handle = fibra::spawn_now(child.1);
                self.keep(child.0, handle);
            }
            Op::Kill(of) => match self.fiber(of) {
                Some(fiber) => fiber.kill(),
                None => self.log(Event::NoSuchFiber),
            },
            Op::KillMyself => fibra::current().kill(),
            Op::Join(of) => self.join(of),
            Op::Detach(of) => drop(self.handle(of)),
            Op::Park => {
                fibra::park();
                self.log(Event::Unparked);
            }
            Op::ParkTimeout(ms) => {
                fibra::park_timeout(millis(ms));
                self.log(Event::Unparked);
            }
            Op::Unpark(of) => match self.fiber(of) {
                Some(fiber) => fiber.unpark(),
                None => self.log(Event::NoSuchFiber),
            },
            Op::Sleep(ms) => {
                let before = fibra::now();
                fibra::sleep(millis(ms));
                let slept = fibra::now() - before;
                self.log(Event::Slept(u64::try_from(slept.as_millis()).unwrap()));
            }
            Op::Panic => panic::resume_unwind(Box::new(self.number())),
            Op::Checkpoint => {
                fibra::checkpoint();
                self.log(Event::Checked);
            }
            Op::Shield(ref ops) => fibra::shield(|| self.all(ops)),
            Op::Catch(ref ops) => {
                if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(|| self.all(ops))) {
                    self.log(Event::Caught(kind(&*payload)));
                }
            }
            Op::Finally(ref ops, ref cleanup) => {
                fibra::finally(|| self.all(ops), || self.clean_up(cleanup));
            }
            Op::Guard(ref ops, ref last) => {
                let _last = Last { world: self, ops: last };
                self.all(ops);
            }
        }
    }

    fn clean_up(self: &Rc<World>, ops: &[Op]) {
        self.log(Event::Cleaning);
        self.all(ops);
    }

    fn prepare(self: &Rc<World>, ops: &[Op]) -> (usize, impl FnOnce() + use<>) {
        let child = self.fibers.borrow().len();
        self.log(Event::Spawned(child));
        self.fibers.borrow_mut().push(None);
        self.handles.borrow_mut().push(None);
        let (ops, gone) = (ops.to_vec(), Gone { world: self.clone(), me: child });
        (child, move || {
            let gone = gone;
            live(&gone.world, gone.me, &ops);
        })
    }

    fn keep(&self, child: usize, handle: JoinHandle<()>) {
        self.fibers.borrow_mut()[child] = Some(handle.fiber().clone());
        self.handles.borrow_mut()[child] = Some(handle);
    }

    fn fiber(&self, of: usize) -> Option<Fiber> {
        let fibers = self.fibers.borrow();
        fibers[of % fibers.len()].clone()
    }

    fn handle(&self, of: usize) -> Option<JoinHandle<()>> {
        let mut handles = self.handles.borrow_mut();
        let of = of % handles.len();
        handles[of].take()
    }

    fn join(&self, of: usize) {
        let Some(handle) = self.handle(of) else { return self.log(Event::NoHandle) };
        self.log(Event::Joined(match handle.join() {
            Ok(()) => Outcome::Returned,
            Err(JoinError::Panicked(panic)) => Outcome::Unwound(kind(&*panic.into_payload())),
            Err(JoinError::Killed) => Outcome::Killed,
            Err(JoinError::Itself) => Outcome::Itself,
            Err(JoinError::Deadlock(_)) => Outcome::Deadlock,
            Err(other) => panic!("unexpected: {other}"),
        }));
    }

    fn send(self: &Rc<World>, line: Line, wait: Wait) {
        let value = self.value();
        let failure = match line {
            Line::Rendezvous(at) => {
                let channel = &self.channels[at];
                match wait {
                    Wait::Not => channel.try_send(value).err().map(|e| try_send_failure(&e)),
                    Wait::Ever => channel.send(value).err().map(|e| send_failure(&e)),
                    Wait::For(ms) => channel
                        .send_timeout(value, millis(ms))
                        .err()
                        .map(|e| send_timeout_failure(&e)),
                }
            }
            Line::Buffered(at) => {
                let sender = self.senders[at].borrow().clone();
                let Some(sender) = sender else {
                    return self.log(Event::NoEnd);
                };
                let failure = match wait {
                    Wait::Not => sender.try_send(value).err().map(|e| try_send_failure(&e)),
                    Wait::Ever => sender.send(value).err().map(|e| send_failure(&e)),
                    Wait::For(ms) => sender
                        .send_timeout(value, millis(ms))
                        .err()
                        .map(|e| send_timeout_failure(&e)),
                };
                drop(sender);
                failure
            }
        };
        self.log(failure.map_or(Event::Sent, Event::NotSent));
    }

    fn recv(&self, line: Line, wait: Wait) {
        let received = match line {
            Line::Rendezvous(at) => {
                let channel = &self.channels[at];
                match wait {
                    Wait::Not => channel.try_recv().map_err(try_recv_failure),
                    Wait::Ever => channel.recv().map_err(|e| recv_failure(&e)),
                    Wait::For(ms) => channel.recv_timeout(millis(ms)).map_err(recv_timeout_failure),
                }
            }
            Line::Buffered(at) => {
                let receiver = self.receivers[at].borrow().clone();
                let Some(receiver) = receiver else {
                    return self.log(Event::NoEnd);
                };
                let received = match wait {
                    Wait::Not => receiver.try_recv().map_err(try_recv_failure),
                    Wait::Ever => receiver.recv().map_err(|e| recv_failure(&e)),
                    Wait::For(ms) => {
                        receiver.recv_timeout(millis(ms)).map_err(recv_timeout_failure)
                    }
                };
                drop(receiver);
                received
            }
        };
        match received {
            Ok(value) => self.log(Event::Received(value.number)),
            Err(failure) => self.log(Event::NotReceived(failure)),
        }
    }
}

fn millis(ms: u8) -> Duration {
    Duration::from_millis(ms.into())
}
