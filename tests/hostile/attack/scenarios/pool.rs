//! Scenarios in pools, groups, and calls in which fibers work together.

use std::iter;
use std::panic;
use std::rc::Rc;
use std::time::Duration;

use fibra::pool::{self, Group, Pool};

use super::{Scenario, joined, scenario, until_ended, unwinding};
use crate::attack::ledger::Counted;
use crate::attack::stage::{Hostile, strike};

fibra::local! {
    static inherit CLONED: Clones = Clones(Counted::new("an inherited local"));
}

struct Clones(Counted);

impl Clone for Clones {
    fn clone(&self) -> Clones {
        strike();
        Clones(self.0.clone())
    }
}

/// Yields three numbers and strikes before each.
fn numbers() -> impl Iterator<Item = u32> {
    let _hostile = ();
    let mut next = 0;
    iter::from_fn(move || {
        strike();
        next += 1;
        (next <= 3).then_some(next)
    })
}

/// Yields three numbers, from a source whose destructor strikes.
fn dropping() -> impl Iterator<Item = u32> {
    let hostile = Hostile::new("in a source");
    (1..=3).inspect(move |_| {
        let _ = &hostile;
    })
}

struct Source;

impl IntoIterator for Source {
    type Item = u32;
    type IntoIter = std::ops::Range<u32>;

    fn into_iter(self) -> Self::IntoIter {
        strike();
        1..4
    }
}

/// Takes one of `results`, and drops the others when they are there.
fn leave<T>(pool: &Pool, mut results: impl Iterator<Item = T>) -> String {
    let first = results.next();
    fibra::sleep(Duration::from_millis(1));
    drop(results);
    drop(first);
    drop(pool.join());
    "left".into()
}

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario("pool: the closure of a spawned one", "joined", |stage| {
        let pool = Pool::new(1);
        let fiber = pool.spawn(strike);
        stage.know(fiber.fiber());
        let outcome = joined(&fiber.join());
        drop(pool.join());
        outcome
    }),
    scenario("pool: the destructor of an output of one that is detached", "ended", |stage| {
        let pool = Pool::new(1);
        let fiber = pool.spawn(|| Hostile::new("output"));
        stage.know(fiber.fiber());
        drop(fiber);
        drop(pool.join());
        "ended".into()
    }),
    scenario("pool: the destructor of a closure that it refuses", "refused", |_| {
        let pool = Pool::new(1);
        let _place = pool.reserve();
        let captured = Hostile::new("captured");
        drop(pool.try_spawn(move || drop(captured)));
        "refused".into()
    }),
    unwinding(scenario(
        "pool: the destructor of a closure that waits for a place",
        "killed",
        |stage| {
            let pool = Rc::new(Pool::new(1));
            let taken = pool.spawn(|| fibra::sleep(Duration::from_secs(5)));
            stage.know(taken.fiber());
            let other = pool.clone();
            let waits = fibra::spawn(move || {
                let captured = Hostile::new("captured");
                drop(other.spawn(move || drop(captured)));
            });
            stage.know(waits.fiber());
            let again = pool.clone();
            stage.offer(move || again.kill());
            fibra::yield_now();
            fibra::yield_now();
            waits.kill();
            until_ended(waits.fiber());
            "killed".into()
        },
    )),
    scenario("pool: the body of a call", "7", |_| {
        let seven = Pool::new(2).apply(|| {
            strike();
            7
        });
        seven.to_string()
    }),
    scenario("map: the source becomes an iterator", "Ok([1, 2, 3])", |_| {
        format!("{:?}", Pool::new(2).map(Source, |n| n))
    }),
    scenario("map: the source", "Ok([1, 2, 3])", |_| {
        format!("{:?}", Pool::new(2).map(numbers(), |n| n))
    }),
    scenario("map: the source's destructor", "Ok([1, 2, 3])", |_| {
        format!("{:?}", Pool::new(2).map(dropping(), |n| n))
    }),
    scenario("map: the function", "Ok([2, 4, 6])", |_| {
        let double = |n| {
            strike();
            n * 2
        };
        format!("{:?}", Pool::new(2).map(1..4, double))
    }),
    scenario("map: the destructor of an item", "Ok([1, 1, 1])", |_| {
        let items = (0..3).map(|_| Hostile::new("item"));
        format!(
            "{:?}",
            Pool::new(2).map(items, |item| {
                drop(item);
                1
            })
        )
    }),
    unwinding(scenario("map: the destructor of a result when another fails", FAILED, |_| {
        let work = |n| {
            assert!(n != 3, "the third has failed");
            Hostile::new("result")
        };
        joined(&Pool::new(1).map(1..5, work))
    })),
    unwinding(scenario("map: a destructor of one that a failure kills", FAILED, |_| {
        let work = |n| {
            let _hostile = Hostile::new("in a member");
            assert!(n != 2, "the third has failed");
            fibra::sleep(Duration::from_secs(5));
        };
        joined(&Pool::new(2).map(1..5, work))
    })),
    scenario("imap: the source", "[1, 2, 3]", |_| {
        let pool = Pool::new(2);
        format!("{:?}", pool.imap(numbers(), |n| n).flatten().collect::<Vec<_>>())
    }),
    scenario("imap: the function", "[1, 2, 3]", |_| {
        let pool = Pool::new(2);
        let work = |n: u32| {
            strike();
            n
        };
        format!("{:?}", pool.imap(1..4, work).flatten().collect::<Vec<_>>())
    }),
    scenario("imap: the destructor of results that are never taken", "left", |_| {
        let pool = Pool::new(2);
        leave(&pool, pool.imap(1..5_u32, |_| Hostile::new("result")))
    }),
    scenario("imap: the source's destructor when it is left", "left", |_| {
        let pool = Pool::new(1);
        let mut results = pool.imap(dropping(), |n| n);
        results.next();
        drop(results);
        drop(pool.join());
        "left".into()
    }),
    scenario("imap: the function of one without order", "6", |_| {
        let pool = Pool::new(2);
        let work = |n: u32| {
            strike();
            n
        };
        pool.imap_unordered(1..4, work).flatten().sum::<u32>().to_string()
    }),
    scenario("imap: the destructor of results without order that are never taken", "left", |_| {
        let pool = Pool::new(2);
        leave(&pool, pool.imap_unordered(1..5_u32, |_| Hostile::new("result")))
    }),
    scenario("group: the closure of a spawned one", "ended", |stage| {
        let group = Group::new();
        stage.know(&group.spawn(strike));
        let again = group.clone();
        stage.offer(move || drop(again.spawn(|| ())));
        drop(group.join());
        "ended".into()
    }),
    scenario("group: the destructor of outcomes that are never taken", "left", |_| {
        let group = Group::new();
        for _ in 0..3 {
            group.spawn(|| Hostile::new("outcome"));
        }
        fibra::sleep(Duration::from_millis(1));
        drop(group);
        "left".into()
    }),
    scenario("group: the destructor of an outcome of one that is added", "left", |stage| {
        let group = Group::new();
        let fiber = fibra::spawn(|| Hostile::new("outcome"));
        stage.know(fiber.fiber());
        group.add(fiber);
        fibra::sleep(Duration::from_millis(1));
        stage.hold(group);
        stage.drop_held();
        "left".into()
    }),
    scenario("group: outcomes that joining throws away", "joined", |_| {
        let group = Group::new();
        group.spawn(|| Hostile::new("outcome"));
        group.spawn(|| Hostile::new("outcome"));
        drop(group.join());
        "joined".into()
    }),
    scenario("together: the source of handles", "3", |_| {
        let handles = numbers().map(|n| fibra::spawn(move || n));
        pool::join_all(handles).len().to_string()
    }),
    scenario("together: the source of handles to be completed", "6", |_| {
        let handles = numbers().map(|n| fibra::spawn(move || n));
        pool::as_completed(handles).flatten().sum::<u32>().to_string()
    }),
    unwinding(scenario("pool: a destructor of one that its pool kills", "killed", |stage| {
        let pool = Pool::new(2);
        let fiber = pool.spawn(|| {
            let _hostile = Hostile::new("in a pool");
            fibra::park();
        });
        stage.know(fiber.fiber());
        fibra::yield_now();
        pool.kill();
        drop(pool.join());
        drop(fiber);
        "killed".into()
    })),
    unwinding(scenario("together: the destructor of an output when another fails", FAILED, |_| {
        let handles = (1..4).map(|n| {
            fibra::spawn(move || {
                assert!(n != 3, "the third has failed");
                Hostile::new("output")
            })
        });
        joined(&pool::try_join_all(handles))
    })),
    scenario("together: the destructor of outputs that are never taken", "left", |_| {
        let handles: Vec<_> = (0..3).map(|_| fibra::spawn(|| Hostile::new("output"))).collect();
        let mut completed = pool::as_completed(handles);
        drop(completed.next());
        fibra::sleep(Duration::from_millis(1));
        drop(completed);
        "left".into()
    }),
    scenario("race: a runner", "joined", |_| {
        let runners = (0..3).map(|_| || strike());
        joined(&pool::race(runners))
    }),
    scenario("race: the source", "joined", |_| joined(&pool::race(numbers().map(|n| move || n)))),
    scenario("race: the clone of an inherited local", "Ok(1)", |_| {
        CLONED.with(|_| ());
        let start = fibra::now();
        let runners = (1..4).map(|n| {
            move || {
                fibra::sleep(Duration::from_secs(7200 * (n - 1)));
                n
            }
        });
        let winner = pool::race(runners);
        let quick = fibra::now() - start < Duration::from_secs(3 * 3600);
        if quick { format!("{winner:?}") } else { "late".into() }
    }),
    scenario("race: the destructor of a loser's output", "joined", |_| {
        let runners = (0..3).map(|_| || Hostile::new("output"));
        joined(&pool::race(runners))
    }),
    unwinding(scenario("race: a destructor of a loser", "joined", |_| {
        let runners = (0..3).map(|n| {
            move || {
                let _hostile = Hostile::new("of a runner");
                fibra::sleep(Duration::from_millis(n));
            }
        });
        joined(&pool::race(runners))
    })),
    unwinding(scenario("pool: the destructor of a panic of one that is detached", "ended", |_| {
        let pool = Pool::new(1);
        drop(pool.spawn(|| panic::panic_any(Hostile::new("payload"))));
        drop(pool.join());
        "ended".into()
    })),
];

const FAILED: &str = "the fiber panicked: the third has failed";
