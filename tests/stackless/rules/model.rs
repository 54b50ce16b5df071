//! Random programs, each step of which is compared with a model of the rules: the running tasklet,
//! the order of the ring, the state of every tasklet and the balance of every channel.

mod plain;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use fibra::channel::Preference;
use fibra::stackless::{self, Channel, Tasklet, TaskletExit};
use plain::{Model, Place, Thrown};

use crate::support::stackless::{quietly, raise, state};

/// The state that all tasklets of a program share.
struct World {
    model: RefCell<Model>,
    tasklets: RefCell<Vec<Tasklet>>,
    channels: Vec<Channel<usize>>,
    random: Cell<u64>,
    steps: Cell<usize>,
    /// The program, for the report of a failure.
    said: RefCell<Vec<String>>,
    /// Whether a difference was found or the steps are used up: all tasklets must end.
    over: Cell<bool>,
    difference: RefCell<Option<String>>,
}

const CHANNELS: usize = 2;
const MOST_ALIVE: usize = 8;

impl World {
    fn new(seed: u64, steps: usize) -> Rc<World> {
        let world = World {
            model: RefCell::new(Model::new(CHANNELS)),
            tasklets: RefCell::new(vec![stackless::getcurrent()]),
            channels: (0..CHANNELS).map(|_| Channel::new()).collect(),
            random: Cell::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            steps: Cell::new(steps),
            said: RefCell::default(),
            over: Cell::new(false),
            difference: RefCell::default(),
        };
        for (n, channel) in world.channels.iter().enumerate() {
            let preference = i32::try_from(world.pick(3)).unwrap() - 1;
            let all = world.pick(4) == 0;
            channel.set_preference(match preference {
                -1 => Preference::Receiver,
                0 => Preference::Neither,
                _ => Preference::Sender,
            });
            channel.set_schedule_all(all);
            let mut model = world.model.borrow_mut();
            (model.channels[n].preference, model.channels[n].schedule_all) = (preference, all);
        }
        Rc::new(world)
    }

    fn pick(&self, below: usize) -> usize {
        let mut x = self.random.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.random.set(x);
        usize::try_from(x >> 33).unwrap() % below
    }

    fn say(&self, me: usize, what: impl std::fmt::Display) {
        self.said.borrow_mut().push(format!("{me}: {what}"));
    }

    fn differ(&self, text: String) {
        if !self.over.replace(true) {
            *self.difference.borrow_mut() = Some(text);
        }
    }

    fn handle(&self, t: usize) -> Tasklet {
        self.tasklets.borrow()[t].clone()
    }

    /// Compares all observable state with the model.
    fn compare(&self, me: usize) {
        let model = self.model.borrow();
        let tasklets = self.tasklets.borrow();
        if model.current() != me {
            return self.differ(format!("{me} runs, the model expects {}", model.current()));
        }
        let mut ring = vec![me];
        let mut next = tasklets[me].next();
        while let Some(t) = next.filter(|t| *t != tasklets[me]) {
            ring.push(tasklets.iter().position(|other| *other == t).expect("a known tasklet"));
            next = t.next();
        }
        if ring != model.ring {
            return self
                .differ(format!("the ring is {ring:?}, the model expects {:?}", model.ring));
        }
        for (t, member) in model.members.iter().enumerate() {
            let expected = match member.place {
                Place::Dead => "dead",
                Place::Paused => "alive paused",
                Place::Ring if t == me => "alive current scheduled",
                Place::Ring => "alive scheduled",
                Place::Channel(_) => "alive blocked scheduled",
            };
            if state(&tasklets[t]) != expected {
                let seen = state(&tasklets[t]);
                return self.differ(format!("{t} is {seen}, the model expects {expected}"));
            }
        }
        for (n, channel) in self.channels.iter().enumerate() {
            if channel.balance() != model.balance(n) {
                let (seen, expected) = (channel.balance(), model.balance(n));
                return self.differ(format!("balance {seen}, the model expects {expected}"));
            }
        }
    }

    fn agree(&self, what: &str, expected: bool, seen: bool) {
        if expected != seen {
            self.differ(format!("{what} said {seen}, the model expects {expected}"));
        }
    }
}

/// The way in which a tasklet continues after a step.
enum Then {
    GoOn,
    End,
    Fail,
}

/// Does the steps of a tasklet until it ends.
fn life(world: &Rc<World>, me: usize) {
    loop {
        if world.over.get() {
            return;
        }
        world.compare(me);
        let result = catch_unwind(AssertUnwindSafe(|| step(world, me)));
        if world.over.get() {
            return;
        }
        match result {
            Ok(then) => {
                let pending = world.model.borrow().members[me].pending;
                if pending.is_some() {
                    world.differ(format!("{me} should have raised {pending:?}"));
                }
                match then {
                    Then::GoOn => {}
                    Then::End => return,
                    Then::Fail => raise("E"),
                }
            }
            Err(payload) => {
                let seen = if payload.is::<TaskletExit>() { Thrown::Exit } else { Thrown::Error };
                let expected = world.model.borrow_mut().members[me].pending.take();
                world.say(me, format!("raises {seen:?}"));
                if expected != Some(seen) {
                    world.differ(format!("{me} raised {seen:?}, the model expects {expected:?}"));
                }
                if me != 0 && seen == Thrown::Exit && world.pick(3) != 0 {
                    world.say(me, "dies of it");
                    world.model.borrow_mut().end();
                    return;
                }
            }
        }
    }
}

/// Does one operation of the running tasklet: in the model first, then in the scheduler.
fn step(world: &Rc<World>, me: usize) -> Then {
    if world.steps.get() == 0 {
        world.over.set(true);
        return Then::End;
    }
    world.steps.set(world.steps.get() - 1);
    let count = world.tasklets.borrow().len();
    // Prefers a young tasklet: most of the old ones are dead.
    let t =
        if world.pick(4) == 0 { world.pick(count) } else { count - 1 - world.pick(count.min(9)) };
    match world.pick(20) {
        0..=3 => create(world, me),
        4 => insert_or_remove(world, me, t, true),
        5 => insert_or_remove(world, me, t, false),
        6 | 7 => run_or_switch(world, me, t, true),
        8 => run_or_switch(world, me, t, false),
        9 | 10 => {
            world.say(me, "schedule");
            world.model.borrow_mut().schedule();
            stackless::schedule();
        }
        11 => {
            if world.model.borrow().may_leave(me) {
                world.say(me, "schedule_remove");
                world.model.borrow_mut().schedule_remove();
                drop(stackless::schedule_remove());
            }
        }
        12 | 13 => {
            world.say(me, "run");
            world.model.borrow_mut().run_all();
            stackless::run();
        }
        14 => kill(world, me, t),
        15 => kill_later(world, me, t),
        16 => {
            if me != 0 && world.pick(2) == 0 {
                world.say(me, "ends");
                world.model.borrow_mut().end();
                return Then::End;
            }
        }
        17 => return fail(world, me),
        _ => transfer(world, me),
    }
    Then::GoOn
}

fn create(world: &Rc<World>, me: usize) {
    let alive = world.model.borrow().members.iter().filter(|m| m.place != Place::Dead).count();
    if MOST_ALIVE < alive {
        return;
    }
    let scheduled = world.pick(3) != 0;
    let place = if scheduled { Place::Ring } else { Place::Paused };
    let t = world.model.borrow_mut().create(place);
    world.say(me, format!("creates {t}, {place:?}"));
    let shared = world.clone();
    let bound = stackless::tasklet(move |t| life(&shared, t));
    let tasklet = if scheduled { bound.setup(t) } else { bound.bind(t) };
    world.tasklets.borrow_mut().push(tasklet);
}

fn insert_or_remove(world: &World, me: usize, t: usize, insert: bool) {
    world.say(me, format!("{} {t}", if insert { "insert" } else { "remove" }));
    let target = world.handle(t);
    if insert {
        let expected = world.model.borrow_mut().insert(t);
        world.agree("insert", expected, target.insert().is_ok());
    } else {
        let expected = world.model.borrow_mut().remove(t);
        world.agree("remove", expected, target.remove().is_ok());
    }
}

fn run_or_switch(world: &World, me: usize, t: usize, stay: bool) {
    world.say(me, format!("{} {t}", if stay { "t.run" } else { "t.switch" }));
    let target = world.handle(t);
    let expected = world.model.borrow_mut().run(t, stay);
    let result = if stay { target.run() } else { target.switch() };
    if !world.over.get() {
        world.agree("run", expected, result.is_ok());
    }
}

fn kill(world: &World, me: usize, t: usize) {
    if t != me && !world.model.borrow().can_be_thrown_at(t) {
        return;
    }
    world.say(me, format!("kill {t}"));
    let target = world.handle(t);
    if t == me {
        world.model.borrow_mut().members[me].pending = Some(Thrown::Exit);
    } else {
        world.model.borrow_mut().kill(t);
    }
    target.kill().unwrap();
}

fn kill_later(world: &World, me: usize, t: usize) {
    if t == me || !world.model.borrow().can_be_thrown_at(t) {
        return;
    }
    world.say(me, format!("kill later {t}"));
    let target = world.handle(t);
    world.model.borrow_mut().kill_later(t);
    target.kill_pending().unwrap();
}

fn fail(world: &World, me: usize) -> Then {
    let target = world.model.borrow().wake_up_target();
    if me == 0 || target == me || !world.model.borrow().can_be_thrown_at(target) {
        return Then::GoOn;
    }
    world.say(me, "fails");
    world.model.borrow_mut().fail();
    Then::Fail
}

fn transfer(world: &World, me: usize) {
    let (n, sends) = (world.pick(CHANNELS), world.pick(2) == 0);
    let would_block = {
        let model = world.model.borrow();
        let queue = &model.channels[n];
        queue.waiting.is_empty() || queue.senders == sends
    };
    if would_block && !world.model.borrow().may_block() {
        return;
    }
    world.say(me, format!("{} {n}", if sends { "send" } else { "receive" }));
    world.model.borrow_mut().transfer(n, sends);
    // The operation fails for main when the last other tasklet has ended.
    if sends {
        drop(world.channels[n].send(me));
    } else {
        drop(world.channels[n].receive());
    }
}

/// Runs the program of `seed`. Returns the first difference from the model, and the program.
fn program(seed: u64, steps: usize) -> Option<String> {
    fibra::run(|| {
        let world = World::new(seed, steps);
        life(&world, 0);
        world.over.set(true);
        let all = world.tasklets.take();
        for t in all.iter().skip(1) {
            while t.is_alive() {
                quietly(|| drop(t.kill()));
            }
        }
        let said = world.said.take();
        let last = said[said.len().saturating_sub(40)..].join("\n");
        world.difference.take().map(|text| format!("seed {seed}: {text}\n{last}"))
    })
}

#[test]
fn random_programs_follow_the_model() {
    for seed in 1..=500 {
        if let Some(difference) = program(seed, 300) {
            panic!("{difference}");
        }
    }
}
