//! Runs the same programs on fibra.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::time::{Duration, Instant};

use fibra::generator::{self, GeneratorExit, Yielder};
use fibra::time::timeout;
use fibra::{JoinError, finally, nursery, shield, shield_for};

use super::op::{End, Event, Op, Payload, Program, count};

/// The payload of the programs' panics.
pub(crate) const BOOM: &str = "boom";

pub(crate) fn run(program: &Program) -> Vec<(u64, Event)> {
    let runtime = fibra::Runtime::builder().virtual_clock().build().unwrap();
    let (ops, kill) = (program.ops.clone(), program.kill);
    runtime.run(move || {
        let trace = Rc::new(RefCell::new(Vec::new()));
        let world = World { start: fibra::now(), trace: trace.clone() };
        let its = world.clone();
        let fiber = fibra::spawn(move || {
            let result = panic::catch_unwind(AssertUnwindSafe(|| all(&its, None, &ops, 0)));
            its.trace.borrow_mut().push((its.millis(), Event::Ended(End::Returned)));
            result.unwrap_or_else(|payload| panic::resume_unwind(payload));
        });
        let target = fiber.fiber().clone();
        let killer = kill.map(|at| {
            fibra::spawn(move || {
                fibra::sleep(millis(at));
                target.kill();
            })
        });
        let end = match fiber.join() {
            Ok(()) => End::Returned,
            Err(JoinError::Panicked(_)) => End::Panicked,
            Err(error) => {
                assert!(error.is_killed(), "{error}");
                End::Killed
            }
        };
        drop(killer);
        assert!(fibra::stats().timers <= 1, "timers are left behind");
        let mut trace = trace.take();
        trace.last_mut().unwrap().1 = Event::Ended(end);
        trace
    })
}

#[derive(Clone)]
struct World {
    start: Instant,
    trace: Rc<RefCell<Vec<(u64, Event)>>>,
}

impl World {
    fn log(&self, event: Event) {
        self.trace.borrow_mut().push((self.millis(), event));
    }

    fn millis(&self) -> u64 {
        let elapsed = fibra::now() - self.start;
        u64::try_from(elapsed.as_millis()).unwrap()
    }
}

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn all(world: &World, y: Option<&Yielder<()>>, ops: &[Op], mut number: usize) {
    for op in ops {
        one(world, y, op, number);
        number += op.count();
    }
}

fn one(world: &World, y: Option<&Yielder<()>>, op: &Op, number: usize) {
    let inside = |body: &[Op]| all(world, y, body, number + 1);
    match op {
        Op::Sleep(n) => {
            fibra::sleep(millis(*n));
            world.log(Event::Slept(number));
        }
        Op::Limit(n, body) => match timeout(millis(*n), || inside(body)) {
            Ok(()) => world.log(Event::InTime(number)),
            Err(_) => world.log(Event::Elapsed(number)),
        },
        Op::Shield(body) => {
            shield(|| inside(body));
            world.log(Event::Unshielded(number));
        }
        Op::Grace(n, body) => {
            shield_for(millis(*n), || inside(body));
            world.log(Event::Unshielded(number));
        }
        Op::Finally(body, then) => finally(
            || inside(body),
            || {
                world.log(Event::Cleaning(number));
                all(world, y, then, number + 1 + count(body));
            },
        ),
        Op::Catch(body) => {
            if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(|| inside(body))) {
                match kind_of(&*payload) {
                    Payload::Exit => panic::resume_unwind(payload),
                    kind => world.log(Event::Caught(number, kind)),
                }
            }
        }
        Op::Nursery(children, body) => {
            nursery(|n| {
                for &child in children {
                    n.spawn(move || {
                        fibra::sleep(millis(child.sleeps));
                        assert!(!child.fails, "{BOOM}");
                    });
                }
                inside(body);
            });
            world.log(Event::Left(number));
        }
        Op::Generator(body, then) => generator(world, y, body, then, number),
        Op::Yield => {
            if let Some(yielder) = y {
                yielder.yield_(());
                world.log(Event::Resumed(number));
            }
        }
        Op::Panic => panic!("{BOOM}"),
    }
}

fn generator(world: &World, y: Option<&Yielder<()>>, body: &[Op], then: &[Op], number: usize) {
    let result = generator::scope(|s| {
        let mut steps = s.iter(|own| all(world, Some(own), body, number + 1));
        // The unwind is caught first: the generator is closed while nothing unwinds.
        panic::catch_unwind(AssertUnwindSafe(|| {
            if steps.next().is_some() {
                all(world, y, then, number + 1 + count(body));
            }
            steps.by_ref().for_each(drop);
        }))
    });
    world.log(Event::Closed(number));
    result.unwrap_or_else(|payload| panic::resume_unwind(payload));
}

fn kind_of(payload: &(dyn Any + Send)) -> Payload {
    if payload.is::<GeneratorExit>() {
        return Payload::Exit;
    }
    let is_text = payload.is::<&str>() || payload.is::<String>();
    if is_text { Payload::Panic } else { Payload::Cancel }
}
