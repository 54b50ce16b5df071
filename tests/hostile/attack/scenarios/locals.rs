//! Scenarios in fiber-locals.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use fibra::generator::{Generator, Yielder};

use super::{Scenario, joined, scenario, until_ended};
use crate::attack::ledger::{Counted, Token};
use crate::attack::stage::{Hostile, strike};

/// Strikes when it is cloned.
struct Clones(Counted);

impl Clone for Clones {
    fn clone(&self) -> Clones {
        let clone = self.0.clone();
        strike();
        Clones(clone)
    }
}

/// A value whose clones strike when they are dropped.
struct Inherits(Option<Hostile>);

impl Clone for Inherits {
    fn clone(&self) -> Inherits {
        Inherits(Some(Hostile::new("an inherited local")))
    }
}

fibra::local! {
    static MADE: Counted = {
        let counted = Counted::new("a local");
        strike();
        counted
    };
    static DROPPED: Hostile = Hostile::new("a local");
    static LENT: Counted = Counted::new("a local that is lent");
    static USED: RefCell<Vec<Counted>> = RefCell::default();
    static MAKES_ANOTHER: MakesAnother = MakesAnother;
    static inherit CLONED: Clones = Clones(Counted::new("an inherited local"));
    static inherit INHERITED: Inherits = Inherits(None);
}

/// Uses another fiber-local when it is dropped.
struct MakesAnother;

impl Drop for MakesAnother {
    fn drop(&mut self) {
        DROPPED.with(|_| ());
    }
}

/// Reads the borrowed value after a sleep: it must still be there.
fn reads(lent: &Counted, token: Token) {
    fibra::sleep(Duration::from_millis(1));
    strike();
    fibra::sleep(Duration::from_millis(1));
    if token.is_dropped() {
        eprintln!("@fault: what was lent is gone");
    } else {
        assert!(lent.token() == token);
    }
}

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario("local: its initialiser", "joined", |stage| {
        let fiber = fibra::spawn(|| MADE.with(|_| ()));
        stage.know(fiber.fiber());
        joined(&fiber.join())
    }),
    scenario("local: what it is used with", "1", |stage| {
        let fiber = fibra::spawn(|| {
            USED.with(|used| {
                used.borrow_mut().push(Counted::new("in a local"));
                strike();
                used.borrow().len()
            })
        });
        stage.know(fiber.fiber());
        fiber.join().unwrap_or(0).to_string()
    }),
    scenario(
        "local: what a child reads of it when a generator is given up that lends it",
        "read",
        |stage| {
            let fiber = fibra::spawn(|| {
                let mut lends = Generator::new(|y: &Yielder<u32>, ()| {
                    LENT.with(|lent| {
                        fibra::scope(|s| {
                            let token = lent.token();
                            drop(s.spawn(move || reads(lent, token)));
                            loop {
                                drop(catch_unwind(AssertUnwindSafe(|| y.yield_(1))));
                            }
                        });
                    });
                });
                lends.resume(());
                std::mem::forget(lends);
            });
            stage.know(fiber.fiber());
            until_ended(fiber.fiber());
            fibra::sleep(Duration::from_millis(5));
            "read".into()
        },
    ),
    scenario("local: its destructor", "joined", |stage| {
        let fiber = fibra::spawn(|| DROPPED.with(|_| ()));
        stage.know(fiber.fiber());
        joined(&fiber.join())
    }),
    scenario("local: its destructor on main", "main", |_| {
        DROPPED.with(|_| ());
        "main".into()
    }),
    scenario("local: the destructor of one that a destructor makes", "joined", |_| {
        joined(&fibra::spawn(|| MAKES_ANOTHER.with(|_| ())).join())
    }),
    scenario("local: the destructor of one that an output's makes", "joined", |_| {
        struct Output;
        impl Drop for Output {
            fn drop(&mut self) {
                DROPPED.with(|_| ());
            }
        }
        let fiber = fibra::spawn(|| Output);
        let known = fiber.fiber().clone();
        drop(fiber);
        until_ended(&known);
        "joined".into()
    }),
    scenario("local: its clone", "joined", |_| {
        CLONED.with(|_| ());
        joined(&fibra::spawn(|| CLONED.with(|_| ())).join())
    }),
    scenario("local: its clone for one that is run at once", "joined", |_| {
        CLONED.with(|_| ());
        joined(&fibra::spawn_now(|| CLONED.with(|_| ())).join())
    }),
    scenario("local: its clone for a child of a scope", "joined", |_| {
        CLONED.with(|_| ());
        fibra::scope(|s| joined(&s.spawn(|| CLONED.with(|_| ())).join()))
    }),
    scenario("local: the destructor of one that is inherited", "joined", |_| {
        INHERITED.with(|inherits| assert!(inherits.0.is_none()));
        joined(&fibra::spawn(|| ()).join())
    }),
    scenario("local: the destructor of one that is inherited and never used", KILLED, |_| {
        INHERITED.with(|_| ());
        let fiber = fibra::spawn(|| ());
        fiber.kill();
        joined(&fiber.join())
    }),
];

const KILLED: &str = "the fiber was killed";
