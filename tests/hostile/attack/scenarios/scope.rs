//! Scenarios in scopes and nurseries.

use std::panic::{self, AssertUnwindSafe, catch_unwind};

use super::{Scenario, scenario, unwinding};
use crate::attack::ledger::Counted;
use crate::attack::stage::{Hostile, strike};

/// Returns the values that the scope of the scenario lends.
fn lent() -> Vec<Counted> {
    vec![Counted::new("lent"), Counted::new("lent")]
}

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario("scope: its body", "2", |stage| {
        let lent = lent();
        let count = fibra::scope(|s| {
            let child = s.spawn(|| {
                fibra::yield_now();
                lent.len()
            });
            stage.know(child.fiber());
            strike();
            child.join().unwrap_or(0)
        });
        count.to_string()
    }),
    scenario("scope: a child", "2", |stage| {
        let lent = lent();
        let count = fibra::scope(|s| {
            let child = s.spawn(|| {
                strike();
                lent.len()
            });
            stage.know(child.fiber());
            child.join().unwrap_or(0)
        });
        count.to_string()
    }),
    scenario("scope: a child that is run at once", "2", |_| {
        let lent = lent();
        let count = fibra::scope(|s| {
            let child = s.spawn_now(|| {
                strike();
                lent.len()
            });
            child.join().unwrap_or(0)
        });
        count.to_string()
    }),
    scenario("scope: the destructor of a child's output without a handle", "left", |stage| {
        let lent = lent();
        fibra::scope(|s| {
            let child = s.spawn(|| (Hostile::new("output"), &lent));
            stage.know(child.fiber());
        });
        "left".into()
    }),
    scenario("scope: the destructor of a child's output with its handle", "left", |stage| {
        let lent = lent();
        fibra::scope(|s| {
            let child = s.spawn(|| (Hostile::new("output"), &lent));
            stage.know(child.fiber());
            fibra::yield_now();
            drop(child);
        });
        "left".into()
    }),
    unwinding(scenario("scope: the destructor of the second panic", "caught", |_| {
        let failing = AssertUnwindSafe(|| {
            fibra::scope(|s| {
                drop(s.spawn(|| panic::panic_any(Counted::new("the first payload"))));
                drop(s.spawn(|| panic::panic_any(Hostile::new("the second payload"))));
            });
        });
        drop(catch_unwind(failing));
        "caught".into()
    })),
    unwinding(scenario("scope: a destructor in the body of one that fails", "caught", |_| {
        let lent = lent();
        let failing = AssertUnwindSafe(|| {
            fibra::scope(|s| {
                let _hostile = Hostile::new("in the body");
                drop(s.spawn(|| {
                    fibra::yield_now();
                    lent.len()
                }));
                panic!("the scenario");
            });
        });
        drop(catch_unwind(failing));
        "caught".into()
    })),
    scenario("nursery: its body", "2", |_| {
        let lent = lent();
        let count = fibra::nursery(|n| {
            let child = n.spawn(|| lent.len());
            strike();
            child.join().unwrap_or(0)
        });
        count.to_string()
    }),
    unwinding(scenario(
        "nursery: a destructor in a child whose sibling fails",
        "caught",
        |stage| {
            let lent = lent();
            let failing = AssertUnwindSafe(|| {
                fibra::nursery(|n| {
                    let child = n.spawn(|| {
                        let _hostile = (Hostile::new("in a child"), &lent);
                        fibra::park();
                    });
                    stage.know(child.fiber());
                    drop(n.spawn(|| panic!("the scenario")));
                });
            });
            drop(catch_unwind(failing));
            "caught".into()
        },
    )),
    unwinding(scenario("nursery: a destructor in the body when a child fails", "caught", |_| {
        let lent = lent();
        let failing = AssertUnwindSafe(|| {
            fibra::nursery(|n| {
                drop(n.spawn(|| panic::panic_any(lent[0].clone())));
                let _hostile = Hostile::new("in the body");
                fibra::park();
            });
        });
        drop(catch_unwind(failing));
        "caught".into()
    })),
    unwinding(scenario(
        "nursery: the destructor of a result that its failure replaces",
        "caught",
        |_| {
            let failing = AssertUnwindSafe(|| {
                fibra::nursery(|n| {
                    drop(n.spawn(|| panic!("the scenario")));
                    Hostile::new("the result")
                })
            });
            drop(catch_unwind(failing));
            "caught".into()
        },
    )),
];
