//! Scenarios where `run` and frames end, and in the panic hook.

use std::cell::Cell;
use std::panic;

use super::generator::suspended;
use super::{Scenario, scenario, unwinding, whole};
use crate::attack::combination::run_virtually;
use crate::attack::stage::{Hostile, strike};

thread_local! {
    static IN_PANIC_HOOK: Cell<bool> = const { Cell::new(false) };
}

/// Strikes in the panic hook, if the scenario that tests the panic hook is being played.
pub(super) fn in_panic_hook() {
    if IN_PANIC_HOOK.try_with(|wanted| wanted.replace(false)) == Ok(true) {
        strike();
    }
}

pub(super) const SCENARIOS: &[Scenario] = &[
    unwinding(scenario("run: a destructor of a fiber that its end kills", "main", |stage| {
        let fiber = fibra::spawn(|| {
            let _hostile = Hostile::new("on a stack at the end");
            fibra::park();
        });
        stage.know(fiber.fiber());
        fibra::yield_now();
        "main".into()
    })),
    scenario("run: the destructor of a closure that its end finds unstarted", "main", |_| {
        let captured = Hostile::new("captured");
        drop(fibra::spawn(move || drop(captured)));
        "main".into()
    }),
    scenario("run: a destructor when the main closure returns", "main", |_| {
        let _hostile = Hostile::new("a variable of main");
        "main".into()
    }),
    whole("run: the destructor of main's output", "dropped", |_| {
        drop(run_virtually(|| Hostile::new("main's output")));
        "dropped".into()
    }),
    unwinding(whole("run: the destructor of main's panic", "dropped", |_| {
        let body = || run_virtually(|| panic::panic_any(Hostile::new("main's payload")));
        drop(panic::catch_unwind(body));
        "dropped".into()
    })),
    unwinding(whole("run: a destructor when main's output is waited for", "ran", |_| {
        run_virtually(|| {
            drop(fibra::spawn(|| {
                let _hostile = Hostile::new("on a stack at the end");
                fibra::park();
            }));
            fibra::yield_now();
        });
        "ran".into()
    })),
    unwinding(scenario("run: a destructor of a generator that its end unwinds", "main", |stage| {
        std::mem::forget(suspended("in a generator at the end"));
        stage.know(&fibra::current());
        "main".into()
    })),
    whole("frame: its body", "7", |_| {
        fibra::frame(|| {
            strike();
            7
        })
        .to_string()
    }),
    unwinding(whole("frame: a destructor of a generator that its end unwinds", "left", |_| {
        fibra::frame(|| std::mem::forget(suspended("in a generator of a frame")));
        "left".into()
    })),
    unwinding(whole("frame: a destructor of a generator that its panic unwinds", "left", |_| {
        let body = || {
            fibra::frame(|| {
                std::mem::forget(suspended("in a generator of a frame"));
                panic!("the scenario");
            });
        };
        drop(panic::catch_unwind(body));
        "left".into()
    })),
    unwinding(scenario("panic: the panic hook", "caught", |_| {
        IN_PANIC_HOOK.set(true);
        drop(panic::catch_unwind(|| panic!("the scenario")));
        "caught".into()
    })),
];
