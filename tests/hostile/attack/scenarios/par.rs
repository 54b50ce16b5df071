//! Scenarios in scopes, maps and streams over the schedulers of a runtime. The runtime has one
//! scheduler, so that the actions find everything on their thread.
//!
//! A scope waits for its jobs in an external wait, so the clock advances as real time does.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use fibra::par;

use super::{Scenario, scenario, unwinding};
use crate::attack::stage::{Hostile, strike};

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario("par: the body of a scope", "left", |_| {
        par::scope(|s| {
            s.spawn(fibra::yield_now);
            strike();
        });
        "left".into()
    }),
    scenario("par: a job of a scope", "left", |_| {
        let word = String::from("left");
        par::scope(|s| {
            let word = &word;
            s.spawn(move || {
                strike();
                word.len()
            });
        });
        word
    }),
    scenario("par: a sibling that a job of a scope spawns", "left", |_| {
        par::scope(|s| {
            s.spawn(|| {
                s.spawn(strike);
            });
        });
        "left".into()
    }),
    scenario("par: the destructor of an output in a scope, without a handle", "left", |_| {
        par::scope(|s| drop(s.spawn(|| Hostile::new("output"))));
        "left".into()
    }),
    scenario("par: the destructor of an output in a scope, with its handle", "left", |_| {
        par::scope(|s| {
            let job = s.spawn(|| Hostile::new("output"));
            (0..5).for_each(|_| fibra::yield_now());
            drop(job);
        });
        "left".into()
    }),
    scenario("par: the destructor of a closure that the kill of its scope drops", "left", |_| {
        par::scope(|s| {
            let captured = Hostile::new("captured");
            s.spawn(move || drop(captured));
            s.kill();
        });
        "left".into()
    }),
    unwinding(scenario("par: a destructor that the kill of its scope runs", "left", |_| {
        par::scope(|s| {
            s.spawn(|| {
                let _hostile = Hostile::new("in a job");
                fibra::sleep(Duration::from_millis(200));
            });
            fibra::sleep(Duration::from_millis(1));
            s.kill();
        });
        "left".into()
    })),
    unwinding(scenario("par: the destructor of the second panic of a scope", "caught", |_| {
        let fails = AssertUnwindSafe(|| {
            par::scope(|s| {
                s.spawn(|| panic!("the first"));
                (0..5).for_each(|_| fibra::yield_now());
                s.spawn(|| std::panic::panic_any(Hostile::new("payload")));
            });
        });
        drop(catch_unwind(fails));
        "caught".into()
    })),
    unwinding(scenario("par: a destructor in the body of a scope that fails", "caught", |_| {
        let fails = AssertUnwindSafe(|| {
            par::scope(|s| {
                s.spawn(fibra::yield_now);
                let _hostile = Hostile::new("in the body");
                panic!("the scenario");
            });
        });
        drop(catch_unwind(fails));
        "caught".into()
    })),
    scenario("par: the function of a map", "[2, 3, 4]", |_| {
        let mapped = par::map(&[1, 2, 3], |n| {
            strike();
            n + 1
        });
        format!("{mapped:?}")
    }),
    unwinding(scenario("par: the destructor of the results of a map that fails", "caught", |_| {
        let fails = AssertUnwindSafe(|| {
            par::map(&[1, 2, 3], |&n| {
                assert!(n != 3, "the scenario");
                Hostile::new("result")
            })
        });
        drop(catch_unwind(fails));
        "caught".into()
    })),
    scenario("par: the first of two closures", "(1, 2)", |_| {
        let both = par::join(
            || {
                strike();
                1
            },
            || 2,
        );
        format!("{both:?}")
    }),
    scenario("par: the second of two closures", "(1, 2)", |_| {
        let both = par::join(
            || 1,
            || {
                strike();
                2
            },
        );
        format!("{both:?}")
    }),
    scenario("par: the source of a stream", "[2, 3, 4]", |_| {
        let source = [1, 2, 3].into_iter().inspect(|_| strike());
        format!("{:?}", par::imap(source, |n| n + 1).collect::<Vec<_>>())
    }),
    scenario("par: the function of a stream", "[2, 3, 4]", |_| {
        let results = par::imap([1, 2, 3], |n| {
            strike();
            n + 1
        });
        format!("{:?}", results.collect::<Vec<_>>())
    }),
    scenario("par: the destructor of results of a stream that are not taken", "1", |_| {
        let mut results = par::imap(0..5, |_| Hostile::new("result"));
        drop(results.next());
        fibra::sleep(Duration::from_millis(1));
        drop(results);
        "1".into()
    }),
];
