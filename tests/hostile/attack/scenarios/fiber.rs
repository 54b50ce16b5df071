//! Scenarios in closures, outputs, panics and names of fibers.

use std::borrow::Cow;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use fibra::{Builder, time};

use super::{Scenario, joined, scenario, until_ended, unwinding};
use crate::attack::stage::{Hostile, strike, strike_if_never};

/// Strikes when it is converted to a string.
struct Name;

impl From<Name> for String {
    fn from(_: Name) -> String {
        strike();
        "name".into()
    }
}

impl From<Name> for Cow<'static, str> {
    fn from(_: Name) -> Cow<'static, str> {
        strike();
        "name".into()
    }
}

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario("fiber: the closure of a spawned one", "joined", |stage| {
        let fiber = fibra::spawn(strike);
        stage.know(fiber.fiber());
        joined(&fiber.join())
    }),
    scenario("fiber: a closure that is run at once", "joined", |_| {
        let fiber = fibra::spawn_now(strike);
        joined(&fiber.join())
    }),
    scenario("fiber: the main closure", "main", |_| {
        strike();
        "main".into()
    }),
    scenario(
        "fiber: the destructor of a closure that never runs",
        "the fiber was killed",
        |stage| {
            let captured = Hostile::new("captured");
            let fiber = fibra::spawn(move || drop(captured));
            stage.know(fiber.fiber());
            fiber.kill();
            joined(&fiber.join())
        },
    ),
    scenario(
        "fiber: the destructor of a large closure that never runs",
        "the fiber was killed",
        |_| {
            let captured = (Hostile::new("captured"), [7_u8; 1 << 16]);
            let fiber = fibra::spawn(move || drop(captured));
            fiber.kill();
            joined(&fiber.join())
        },
    ),
    scenario("fiber: the destructor of an output of one that is detached", "ended", |stage| {
        let fiber = fibra::spawn(|| Hostile::new("output"));
        stage.know(fiber.fiber());
        let known = fiber.fiber().clone();
        drop(fiber);
        until_ended(&known);
        "ended".into()
    }),
    scenario("fiber: the destructor of a large output", "ended", |stage| {
        let fiber = fibra::spawn(|| (Hostile::new("output"), [7_u8; 1 << 16]));
        stage.know(fiber.fiber());
        let known = fiber.fiber().clone();
        stage.hold(fiber);
        stage.drop_held();
        until_ended(&known);
        "ended".into()
    }),
    scenario("fiber: the destructor of an output with its handle", "dropped", |stage| {
        let mut fiber = fibra::spawn(|| Hostile::new("output"));
        stage.know(fiber.fiber());
        let _ = fiber.wait();
        drop(fiber);
        "dropped".into()
    }),
    scenario(
        "fiber: the destructor of an output with the handle of one that is killed",
        "killed",
        |s| {
            let mut fiber = fibra::spawn(|| Hostile::new("output"));
            s.know(fiber.fiber());
            let holder = fibra::spawn(move || {
                let _ = fiber.wait();
                fibra::park();
            });
            s.know(holder.fiber());
            fibra::yield_now();
            fibra::yield_now();
            holder.kill();
            let _ = holder.join();
            strike_if_never();
            "killed".into()
        },
    ),
    unwinding(scenario(
        "fiber: the destructor of a panic of one that is detached",
        "ended",
        |stage| {
            let fiber = fibra::spawn(|| panic::panic_any(Hostile::new("payload")));
            stage.know(fiber.fiber());
            let known = fiber.fiber().clone();
            drop(fiber);
            until_ended(&known);
            "ended".into()
        },
    )),
    unwinding(scenario("fiber: the destructor of a panic with its handle", "dropped", |stage| {
        let mut fiber = fibra::spawn(|| panic::panic_any(Hostile::new("payload")));
        stage.know(fiber.fiber());
        let _ = fiber.wait();
        drop(fiber);
        "dropped".into()
    })),
    unwinding(scenario("fiber: the destructor of a panic in place of a kill", KILLED, |stage| {
        let fiber = fibra::spawn(|| {
            let _ = catch_unwind(AssertUnwindSafe(fibra::park));
            panic::panic_any(Hostile::new("payload"))
        });
        stage.know(fiber.fiber());
        fibra::yield_now();
        fiber.kill();
        joined::<()>(&fiber.join())
    })),
    unwinding(scenario("fiber: a destructor that a kill runs", KILLED, |stage| {
        let fiber = fibra::spawn(|| {
            let _hostile = Hostile::new("on the stack");
            fibra::park();
        });
        stage.know(fiber.fiber());
        fibra::yield_now();
        fiber.kill();
        joined(&fiber.join())
    })),
    unwinding(scenario("fiber: a destructor that a panic runs", "panicked", |stage| {
        let fiber = fibra::spawn(|| {
            let _hostile = Hostile::new("on the stack");
            panic!("the scenario");
        });
        stage.know(fiber.fiber());
        if fiber.join().is_err() { "panicked".into() } else { "did not".into() }
    })),
    unwinding(scenario("fiber: a destructor that a deadlock runs", "panicked", |stage| {
        let fiber = fibra::spawn(|| {
            let _hostile = Hostile::new("on the stack");
            fibra::park();
        });
        stage.know(fiber.fiber());
        stage.fibers().iter().take(2).for_each(fibra::Fiber::kill);
        match fiber.join() {
            Err(fibra::JoinError::Panicked(_) | fibra::JoinError::Deadlock(_)) => "panicked".into(),
            other => format!("{other:?}"),
        }
    })),
    scenario("fiber: the conversion of a name", "name", |_| {
        let fiber = Builder::new().name(Name).spawn(|| fibra::current().name());
        fiber.join().unwrap().map(|name| name.to_string()).unwrap_or_default()
    }),
    scenario("fiber: the conversion of a reason", "the fiber was killed: name", |stage| {
        let fiber = fibra::spawn(fibra::park);
        stage.know(fiber.fiber());
        fiber.fiber().kill_with(Name);
        joined(&fiber.join())
    }),
    scenario("fiber: a body on a larger stack", "7", |_| {
        let seven = fibra::with_stack_size(1 << 18, || {
            strike();
            7
        });
        seven.to_string()
    }),
    unwinding(scenario("fiber: a destructor on a larger stack that unwinds", "caught", |_| {
        let body = || {
            fibra::with_stack_size(1 << 18, || {
                let _hostile = Hostile::new("on a larger stack");
                panic!("the scenario");
            });
        };
        drop(catch_unwind(body));
        "caught".into()
    })),
    scenario("fiber: a shielded body", "7", |_| {
        fibra::shield(|| {
            strike();
            7
        })
        .to_string()
    }),
    scenario("fiber: a body that is shielded for a while", "7", |_| {
        fibra::shield_for(Duration::from_secs(1), || {
            strike();
            7
        })
        .to_string()
    }),
    scenario("fiber: the body before a clean-up", "7", |_| {
        let body = || {
            strike();
            7
        };
        fibra::finally(body, fibra::yield_now).to_string()
    }),
    scenario("fiber: the clean-up behind a body", "7", |_| {
        fibra::finally(|| 7, strike).to_string()
    }),
    unwinding(scenario("fiber: the clean-up behind a panic", "caught", |_| {
        drop(catch_unwind(|| fibra::finally(|| panic!("the scenario"), strike)));
        "caught".into()
    })),
    unwinding(scenario("fiber: the clean-up behind a kill", KILLED, |stage| {
        let fiber = fibra::spawn(|| fibra::finally(fibra::park, strike));
        stage.know(fiber.fiber());
        fibra::yield_now();
        fiber.kill();
        joined(&fiber.join())
    })),
    scenario("fiber: a body with a limit", "Ok(7)", |_| {
        let limited = time::timeout(Duration::from_secs(1 << 20), || {
            strike();
            7
        });
        format!("{:?}", limited.map_err(|_| ()))
    }),
    unwinding(scenario("fiber: a destructor that a limit runs", "true", |_| {
        let limited = time::timeout(Duration::from_millis(1), || {
            let _hostile = Hostile::new("beyond a limit");
            fibra::sleep(Duration::from_secs(1));
        });
        limited.is_err().to_string()
    })),
    scenario("fiber: the destructor of a result that comes too late", "late", |_| {
        let limited = time::timeout(Duration::from_millis(1), || {
            fibra::shield(|| fibra::sleep(Duration::from_millis(2)));
            Hostile::new("late")
        });
        drop(limited);
        "late".into()
    }),
];

const KILLED: &str = "the fiber was killed";
