//! Scenarios in greenlets.

use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use fibra::greenlet::{self, Greenlet, GreenletLocals};

use super::{Scenario, scenario, until_ended, unwinding};
use crate::attack::ledger::Counted;
use crate::attack::stage::{Hostile, strike};

/// The values that greenlets exchange.
type Value = Option<Hostile>;

fn back_to_parent() -> Result<Value, greenlet::SwitchError<Value>> {
    let parent = greenlet::current::<Value>().parent();
    parent.map_or(Ok(None), |parent| parent.switch(None))
}

/// Returns a suspended greenlet with a value on its stack.
fn suspended() -> Greenlet<Value> {
    let greenlet = Greenlet::new(|_: Value| {
        let _hostile = Hostile::new("in a greenlet");
        back_to_parent().unwrap_or_default()
    });
    drop(greenlet.switch(None));
    greenlet
}

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario("greenlet: its function", "true", |_| {
        let greenlet = Greenlet::new(|_: Value| {
            strike();
            None
        });
        drop(greenlet.switch(None));
        greenlet.is_dead().to_string()
    }),
    scenario("greenlet: the destructor of a function that never runs", "dropped", |_| {
        let captured = Hostile::new("captured");
        drop(Greenlet::new(move |value: Value| {
            drop(captured);
            value
        }));
        "dropped".into()
    }),
    scenario("greenlet: the destructor of a function that is replaced", "replaced", |stage| {
        let captured = Hostile::new("captured");
        let greenlet = Greenlet::new(move |value: Value| {
            drop(captured);
            value
        });
        let again = greenlet.clone();
        stage.offer(move || {
            let _ = again.clear_run();
        });
        let _ = greenlet.set_run(|value| value);
        "replaced".into()
    }),
    scenario("greenlet: the destructor of its argument", "true", |_| {
        let greenlet = Greenlet::new(|value: Value| {
            drop(value);
            None
        });
        drop(greenlet.switch(Some(Hostile::new("argument"))));
        greenlet.is_dead().to_string()
    }),
    scenario("greenlet: the destructor of its result", "dropped", |_| {
        let greenlet = Greenlet::new(|_: Value| Some(Hostile::new("result")));
        drop(greenlet.switch(None));
        "dropped".into()
    }),
    scenario("greenlet: the destructor of a value at a dead one", "dropped", |_| {
        let greenlet = Greenlet::new(|value: Value| value);
        drop(greenlet.switch(None));
        drop(greenlet.switch(Some(Hostile::new("argument"))));
        "dropped".into()
    }),
    unwinding(scenario("greenlet: a destructor when its last handle goes", "gone", |stage| {
        stage.hold(suspended());
        stage.drop_held();
        "gone".into()
    })),
    unwinding(scenario("greenlet: a destructor when it is killed", "killed", |stage| {
        let greenlet = suspended();
        let again = greenlet.clone();
        stage.offer(move || drop(again.switch(None)));
        drop(greenlet.kill());
        "killed".into()
    })),
    unwinding(scenario("greenlet: a destructor when its fiber ends", "ended", |stage| {
        let fiber = fibra::spawn(|| std::mem::forget(suspended()));
        stage.know(fiber.fiber());
        until_ended(fiber.fiber());
        "ended".into()
    })),
    unwinding(scenario("greenlet: a destructor when another fiber drops it", "dropped", |stage| {
        let greenlet = suspended();
        let fiber = fibra::spawn(move || drop(greenlet));
        stage.know(fiber.fiber());
        until_ended(fiber.fiber());
        fibra::yield_now();
        let _ = greenlet::main::<Value>().is_main();
        drop(Greenlet::new(|value: Value| value).switch(None));
        "dropped".into()
    })),
    unwinding(scenario(
        "greenlet: a destructor when its last handle goes in an unwind",
        "caught",
        |_| {
            let body = || {
                let _greenlet = suspended();
                panic!("the scenario");
            };
            drop(catch_unwind(body));
            drop(Greenlet::new(|value: Value| value).switch(None));
            "caught".into()
        },
    )),
    unwinding(scenario(
        "greenlet: a destructor when its fiber is killed inside of it",
        "ended",
        |stage| {
            let fiber = fibra::spawn(|| {
                let waits = Greenlet::new(|value: Value| {
                    let _hostile = Hostile::new("in a greenlet");
                    fibra::park();
                    value
                });
                drop(waits.switch(None));
            });
            stage.know(fiber.fiber());
            fibra::yield_now();
            fiber.kill();
            until_ended(fiber.fiber());
            "ended".into()
        },
    )),
    unwinding(scenario("greenlet: the destructor of what is thrown at it", "true", |_| {
        let greenlet = Greenlet::new(|_: Value| {
            drop(catch_unwind(AssertUnwindSafe(back_to_parent)));
            None
        });
        drop(greenlet.switch(None));
        drop(greenlet.throw(Hostile::new("thrown")));
        greenlet.is_dead().to_string()
    })),
    unwinding(scenario(
        "greenlet: the destructor of what is thrown at an unstarted one",
        "caught",
        |_| {
            let greenlet = Greenlet::new(|value: Value| value);
            drop(catch_unwind(AssertUnwindSafe(|| drop(greenlet.throw(Hostile::new("thrown"))))));
            "caught".into()
        },
    )),
    unwinding(scenario("greenlet: the destructor of its panic", "caught", |_| {
        let greenlet: Greenlet<Value> =
            Greenlet::new(|_| panic::panic_any(Hostile::new("payload")));
        drop(catch_unwind(AssertUnwindSafe(|| drop(greenlet.switch(None)))));
        "caught".into()
    })),
    scenario("greenlet: the tracer", "true", |_| {
        greenlet::settrace(Some(Rc::new(|_, _, _| strike())));
        let greenlet = Greenlet::new(|value: Value| value);
        drop(greenlet.switch(None));
        drop(greenlet::settrace(None));
        greenlet.is_dead().to_string()
    }),
    unwinding(scenario("greenlet: the tracer when its last handle goes", "gone", |_| {
        let greenlet = Greenlet::new(|_: Value| back_to_parent().unwrap_or_default());
        drop(greenlet.switch(None));
        greenlet::settrace(Some(Rc::new(|_, _, _| strike())));
        drop(greenlet);
        drop(greenlet::settrace(None));
        "gone".into()
    })),
    scenario("greenlet: the tracer when an unstarted one is killed", "true", |stage| {
        let greenlet = Greenlet::new(|value: Value| value);
        let again = greenlet.clone();
        stage.offer(move || drop(again.switch(Some(Hostile::new("argument")))));
        greenlet::settrace(Some(Rc::new(|_, _, _| strike())));
        drop(greenlet.kill());
        drop(greenlet::settrace(None));
        let dead = greenlet.is_dead();
        stage.hold(greenlet);
        dead.to_string()
    }),
    scenario("greenlet: the destructor of a tracer that is replaced", "replaced", |_| {
        let captured = Hostile::new("captured by a tracer");
        greenlet::settrace(Some(Rc::new(move |_, _, _| {
            let _ = &captured;
        })));
        drop(greenlet::settrace(None));
        "replaced".into()
    }),
    scenario("greenlet: the destructor of a tracer at the end of a fiber", "ended", |stage| {
        let fiber = fibra::spawn(|| {
            let captured = Hostile::new("captured by a tracer");
            greenlet::settrace(Some(Rc::new(move |_, _, _| {
                let _ = &captured;
            })));
        });
        stage.know(fiber.fiber());
        until_ended(fiber.fiber());
        "ended".into()
    }),
    scenario("greenlet: the destructor of a local that is replaced", "replaced", |_| {
        let locals = greenlet::locals();
        drop(locals.set(Hostile::new("a greenlet's local")));
        drop(locals.set(Hostile::new("a greenlet's local")));
        drop(locals.remove::<Hostile>());
        "replaced".into()
    }),
    scenario("greenlet: the destructor of a local at its end", "true", |_| {
        let greenlet = Greenlet::new(|value: Value| {
            drop(greenlet::locals().set(Hostile::new("a greenlet's local")));
            value
        });
        drop(greenlet.switch(None));
        let dead = greenlet.is_dead();
        drop(greenlet);
        dead.to_string()
    }),
    scenario("greenlet: the destructor of locals that are replaced", "replaced", |_| {
        let greenlet = Greenlet::new(|value: Value| value);
        drop(greenlet.locals().set(Hostile::new("a greenlet's local")));
        drop(greenlet.set_locals(GreenletLocals::new()));
        "replaced".into()
    }),
    scenario("greenlet: the destructor of locals of main", "ended", |stage| {
        let fiber = fibra::spawn(|| {
            let counted = Counted::new("beside a local");
            drop(greenlet::locals().set((counted, Hostile::new("a main greenlet's local"))));
        });
        stage.know(fiber.fiber());
        until_ended(fiber.fiber());
        "ended".into()
    }),
];
