//! Actions that unwind, leak or exit.

use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::{Action, Kind, disturbs, unwinds};
use crate::attack::driver::EXIT_STATUS;
use crate::attack::ledger::Counted;
use crate::attack::stage::Hostile;

pub(super) const ACTIONS: &[Action] = &[
    unwinds("panics", |_| panic!("the action")),
    unwinds("panics after a wait", |_| {
        fibra::yield_now();
        panic!("the action")
    }),
    Action { times: 2, ..unwinds("panics with what panics", |_| panic_with_hostile()) },
    unwinds("unwinds with what is counted", |_| {
        panic::resume_unwind(Box::new(Counted::new("~unwound with")));
    }),
    unwinds("panics and catches it", |_| {
        drop(catch_unwind(|| panic::panic_any(Counted::new("caught"))));
    }),
    unwinds("has a child that panics", |_| {
        drop(fibra::spawn(|| panic::panic_any(Counted::new("of a child"))).join());
        drop(fibra::spawn(|| panic::panic_any(Counted::new("of a detached child"))));
        fibra::yield_now();
    }),
    unwinds("has a nursery that fails", |_| {
        drop(catch_unwind(|| {
            fibra::nursery(|n| {
                drop(n.spawn(|| fibra::sleep(Duration::from_secs(60))));
                drop(n.spawn(|| panic::panic_any(Counted::new("of a nursery"))));
            });
        }));
    }),
    unwinds("raises what it catches of a kill", |_| {
        fibra::current().kill();
        if let Err(payload) = catch_unwind(fibra::yield_now) {
            fibra::shield(fibra::yield_now);
            panic::resume_unwind(payload);
        }
    }),
    disturbs("catches its kill", |_| {
        fibra::current().kill();
        drop(catch_unwind(fibra::yield_now));
    }),
    unwinds("refuses to end", |_| {
        fibra::current().kill();
        for _ in 0..150 {
            drop(catch_unwind(|| fibra::sleep(Duration::from_millis(1))));
        }
    }),
    unwinds("waits while it unwinds", |_| {
        struct Waits;
        impl Drop for Waits {
            fn drop(&mut self) {
                if fibra::in_fiber() {
                    fibra::sleep(Duration::from_millis(1));
                }
            }
        }
        drop(catch_unwind(AssertUnwindSafe(|| {
            let _waits = Waits;
            panic!("waits while it unwinds");
        })));
    }),
    Action {
        name: "exits",
        kind: Kind::Exits,
        times: 1,
        unwinds: false,
        act: |_| fibra::exit(EXIT_STATUS),
    },
];

fn panic_with_hostile() {
    panic::panic_any(Hostile::new("~a payload that panics"))
}
