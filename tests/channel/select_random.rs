//! Random programs of selects, sends, receives, kills and time limits: nothing is lost or doubled,
//! and no fiber is left in a queue.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use fibra::channel::{Channel, Preference, bounded};
use fibra::select;
use proptest::prelude::*;

const CHANNELS: usize = 3;

/// One step of a fiber's program.
#[derive(Clone, Debug)]
enum Step {
    /// Selects among receives on these channels, sends on those, and a time limit.
    Select {
        receive: Vec<usize>,
        send: Vec<usize>,
        limit: u64,
    },
    Send(usize),
    Receive(usize),
    Yield,
    Sleep(u64),
}

#[derive(Clone, Debug)]
struct Program {
    fibers: Vec<Vec<Step>>,
    /// The kills: at which step, and which fiber.
    kills: Vec<(u64, usize)>,
    preference: u8,
    capacity: usize,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let some = || prop::collection::vec(0..=CHANNELS, 0..4);
    let step = prop_oneof![
        4 => (some(), some(), 0..5u64)
            .prop_map(|(receive, send, limit)| Step::Select { receive, send, limit }),
        2 => (0..=CHANNELS).prop_map(Step::Send),
        2 => (0..=CHANNELS).prop_map(Step::Receive),
        1 => Just(Step::Yield),
        1 => (0..4u64).prop_map(Step::Sleep),
    ];
    prop::collection::vec(step, 0..8)
}

fn programs() -> impl Strategy<Value = Program> {
    let fibers = prop::collection::vec(steps(), 1..6);
    let kills = prop::collection::vec((0..8u64, 0..6usize), 0..4);
    (fibers, kills, 0..3u8, 0..3usize).prop_map(|(fibers, kills, preference, capacity)| Program {
        fibers,
        kills,
        preference,
        capacity,
    })
}

/// A value that records its drop: each ends exactly once, received or returned.
struct Value {
    number: usize,
    ends: Rc<RefCell<Vec<u32>>>,
}

impl Drop for Value {
    fn drop(&mut self) {
        self.ends.borrow_mut()[self.number] += 1;
    }
}

/// The channels: rendezvous channels, and one that buffers values.
#[derive(Clone)]
struct Channels {
    rendezvous: Vec<Channel<Value>>,
    sender: fibra::channel::Sender<Value>,
    receiver: fibra::channel::Receiver<Value>,
    ends: Rc<RefCell<Vec<u32>>>,
}

impl Channels {
    fn value(&self) -> Value {
        let number = self.ends.borrow().len();
        self.ends.borrow_mut().push(0);
        Value { number, ends: self.ends.clone() }
    }

    fn take(&self, step: Step) {
        match step {
            Step::Select { receive, send, limit } => self.select(&receive, &send, limit),
            Step::Send(at) if at == CHANNELS => drop(self.sender.send(self.value())),
            Step::Send(at) => drop(self.rendezvous[at].send(self.value())),
            Step::Receive(at) if at == CHANNELS => drop(self.receiver.recv()),
            Step::Receive(at) => drop(self.rendezvous[at].recv()),
            Step::Yield => fibra::yield_now(),
            Step::Sleep(ms) => fibra::sleep(Duration::from_millis(ms)),
        }
    }

    fn select(&self, receive: &[usize], send: &[usize], limit: u64) {
        let mut select = select::Select::new();
        for &at in receive {
            match self.rendezvous.get(at) {
                Some(channel) => select.add(select::recv(channel), |value| drop(value.ok())),
                None => select.add(select::recv(&self.receiver), |value| drop(value.ok())),
            }
        }
        for &at in send {
            match self.rendezvous.get(at) {
                Some(channel) => {
                    select.add(select::send(channel, self.value()), drop);
                }
                None => {
                    select.add(select::send(&self.sender, self.value()), drop);
                }
            }
        }
        select.add(select::after(Duration::from_millis(limit)), |()| ());
        select.wait();
    }
}

fn run(program: &Program) {
    let ends = Rc::new(RefCell::new(Vec::new()));
    let counted = ends.clone();
    fibra::Runtime::builder().virtual_clock().build().unwrap().run(move || {
        let (sender, receiver) = bounded(program.capacity);
        let channels = Channels {
            rendezvous: (0..CHANNELS).map(|_| Channel::new()).collect(),
            sender,
            receiver,
            ends: counted,
        };
        let preference = [Preference::Receiver, Preference::Neither, Preference::Sender];
        channels.rendezvous.iter().for_each(|channel| {
            channel.set_preference(preference[usize::from(program.preference)])
        });
        let fibers: Vec<_> = program
            .fibers
            .iter()
            .map(|steps| {
                let (steps, channels) = (steps.clone(), channels.clone());
                fibra::spawn(move || steps.into_iter().for_each(|step| channels.take(step)))
            })
            .collect();
        let mut kills = program.kills.clone();
        kills.sort_unstable();
        let start = fibra::now();
        for (at, fiber) in kills {
            fibra::sleep_until(start + Duration::from_millis(at));
            if let Some(fiber) = fibers.get(fiber) {
                fiber.kill();
            }
        }
        fibra::sleep(Duration::from_secs(1));
        // A waiting fiber waits at one channel or at none: no queue holds a select that is over.
        let waiting = fibra::dump().fibers.len() - 1;
        let queued: usize = channels.rendezvous.iter().map(|c| c.balance().unsigned_abs()).sum();
        assert!(queued <= waiting, "{queued} in the queues, {waiting} fibers");
        fibers.iter().for_each(|fiber| fiber.kill());
        fibers.into_iter().for_each(|fiber| drop(fiber.join()));
        assert!(channels.rendezvous.iter().all(|channel| channel.balance() == 0));
    });
    let ends = ends.borrow();
    assert!(ends.iter().all(|&count| count == 1), "each value ends once: {ends:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn nothing_is_lost_or_doubled_and_no_fiber_is_left_behind(program in programs()) {
        run(&program);
    }
}
