//! Scenarios in generators.

use std::panic::{self, AssertUnwindSafe, catch_unwind};

use fibra::generator::{self, Generator, GeneratorState, Yielder};

use super::{Scenario, scenario, until_ended, unwinding};
use crate::attack::ledger::Counted;
use crate::attack::stage::{Hostile, strike};

/// Returns a suspended generator with a hostile value on its stack.
pub(super) fn suspended(what: &'static str) -> Generator<u32> {
    let mut generator = Generator::new(move |y: &Yielder<u32>, ()| {
        let _hostile = Hostile::new(what);
        y.yield_(1);
    });
    generator.resume(());
    generator
}

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario("generator: its function", "[1, 2]", |_| {
        let numbers = generator::iter(|y| {
            for n in 1..3 {
                strike();
                y.yield_(n);
            }
        });
        format!("{:?}", numbers.collect::<Vec<_>>())
    }),
    scenario("generator: the destructor of a function that never runs", "dropped", |_| {
        let captured = Hostile::new("captured");
        drop(generator::iter(move |y: &Yielder<u32>| {
            y.yield_(1);
            drop(captured);
        }));
        "dropped".into()
    }),
    scenario("generator: the destructor of a yielded value", "2", |_| {
        let values = generator::iter(|y| (0..2).for_each(|_| y.yield_(Hostile::new("yielded"))));
        values.map(drop).count().to_string()
    }),
    scenario("generator: the destructor of a value that is passed in", "ended", |_| {
        let mut takes = Generator::new(|y: &Yielder<u32, Hostile>, first| {
            drop(first);
            drop(y.yield_(1));
        });
        takes.resume(Hostile::new("passed in"));
        takes.resume(Hostile::new("passed in"));
        "ended".into()
    }),
    scenario("generator: the destructor of a value that an ended one gives back", "back", |_| {
        let mut ended = Generator::new(|_: &Yielder<u32, Hostile>, first| drop(first));
        ended.resume(Hostile::new("passed in"));
        drop(ended.try_resume(Hostile::new("passed in")));
        "back".into()
    }),
    scenario("generator: the destructor of its result", "ended", |_| {
        let mut generator = Generator::new(|y: &Yielder<u32>, ()| {
            y.yield_(1);
            Hostile::new("result")
        });
        generator.resume(());
        match generator.resume(()) {
            GeneratorState::Complete(result) => drop(result),
            GeneratorState::Yielded(_) => {}
        }
        "ended".into()
    }),
    unwinding(scenario("generator: a destructor when it is closed", "closed", |stage| {
        let mut generator = suspended("in a generator");
        stage.know(&fibra::current());
        drop(generator.close());
        "closed".into()
    })),
    unwinding(scenario("generator: a destructor when it is dropped", "dropped", |stage| {
        stage.hold(suspended("in a generator"));
        stage.drop_held();
        "dropped".into()
    })),
    unwinding(scenario(
        "generator: a destructor when another fiber drops it",
        "dropped",
        |stage| {
            let generator = suspended("in a generator");
            let fiber = fibra::spawn(move || drop(generator));
            stage.know(fiber.fiber());
            until_ended(fiber.fiber());
            fibra::yield_now();
            let _ = generator::iter(|y: &Yielder<u32>| y.yield_(1)).next();
            "dropped".into()
        },
    )),
    unwinding(scenario("generator: a destructor when its fiber ends", "ended", |stage| {
        let fiber = fibra::spawn(|| std::mem::forget(suspended("in a generator")));
        stage.know(fiber.fiber());
        until_ended(fiber.fiber());
        "ended".into()
    })),
    unwinding(scenario("generator: a destructor when its fiber is killed", "ended", |stage| {
        let fiber = fibra::spawn(|| {
            let generator = suspended("in a generator");
            fibra::park();
            drop(generator);
        });
        stage.know(fiber.fiber());
        fibra::yield_now();
        fiber.kill();
        until_ended(fiber.fiber());
        "ended".into()
    })),
    unwinding(scenario(
        "generator: a destructor when its fiber is killed inside of it",
        "ended",
        |stage| {
            let fiber = fibra::spawn(|| {
                let mut waits = Generator::new(|_: &Yielder<u32>, ()| {
                    let _hostile = Hostile::new("in a generator");
                    fibra::park();
                });
                waits.resume(());
            });
            stage.know(fiber.fiber());
            fibra::yield_now();
            fiber.kill();
            until_ended(fiber.fiber());
            "ended".into()
        },
    )),
    unwinding(scenario(
        "generator: the destructor of a value yielded while it closes",
        "closed",
        |_| {
            let mut stubborn = Generator::new(|y: &Yielder<Hostile>, ()| {
                drop(catch_unwind(AssertUnwindSafe(|| y.yield_(Hostile::new("yielded")))));
                y.yield_(Hostile::new("yielded while it closes"));
            });
            drop(stubborn.resume(()));
            drop(stubborn.close());
            drop(stubborn);
            "closed".into()
        },
    )),
    unwinding(scenario("generator: the destructor of what is thrown at it", "ended", |_| {
        let mut generator = Generator::new(|y: &Yielder<u32>, ()| {
            drop(catch_unwind(AssertUnwindSafe(|| y.yield_(1))));
        });
        generator.resume(());
        generator.throw(Hostile::new("thrown"));
        "ended".into()
    })),
    unwinding(scenario(
        "generator: the destructor of what is thrown at an unstarted one",
        "caught",
        |_| {
            let mut generator = Generator::new(|y: &Yielder<u32>, ()| {
                y.yield_(1);
            });
            let thrown = AssertUnwindSafe(|| generator.throw(Hostile::new("thrown")));
            drop(catch_unwind(thrown));
            "caught".into()
        },
    )),
    unwinding(scenario("generator: the destructor of its panic", "caught", |_| {
        let mut generator =
            Generator::new(|_: &Yielder<u32>, ()| panic::panic_any(Hostile::new("payload")));
        let resumed = AssertUnwindSafe(|| {
            let _: GeneratorState<u32, ()> = generator.resume(());
        });
        drop(catch_unwind(resumed));
        "caught".into()
    })),
    unwinding(scenario(
        "generator: the destructor of a panic when it is dropped",
        "dropped",
        |_| {
            struct Replaces;
            impl Drop for Replaces {
                fn drop(&mut self) {}
            }
            let mut generator = Generator::new(|y: &Yielder<u32>, ()| {
                let _replaces = Replaces;
                drop(catch_unwind(AssertUnwindSafe(|| y.yield_(1))));
                panic::panic_any(Hostile::new("payload"));
            });
            generator.resume(());
            drop(generator);
            "dropped".into()
        },
    )),
    unwinding(scenario(
        "generator: the destructor of a result when it is dropped",
        "dropped",
        |_| {
            let mut generator = Generator::new(|y: &Yielder<u32>, ()| {
                drop(catch_unwind(AssertUnwindSafe(|| y.yield_(1))));
                Hostile::new("result")
            });
            generator.resume(());
            drop(generator);
            "dropped".into()
        },
    )),
    scenario("generator: the body of a scope", "2", |_| {
        let lent = [Counted::new("lent"), Counted::new("lent")];
        generator::scope(|s| {
            let lengths = s.iter(|y| lent.iter().for_each(|_| y.yield_(1)));
            strike();
            lengths.sum::<usize>().to_string()
        })
    }),
    scenario("generator: the function of one that borrows", "2", |_| {
        let lent = [Counted::new("lent"), Counted::new("lent")];
        generator::scope(|s| {
            let lengths = s.iter(|y| {
                for _ in &lent {
                    strike();
                    y.yield_(1_u32);
                }
            });
            lengths.sum::<u32>().to_string()
        })
    }),
    unwinding(scenario("generator: a destructor of one that borrows", "left", |_| {
        let lent = [Counted::new("lent")];
        generator::scope(|s| {
            let mut clones = s.iter(|y| {
                let _hostile = (Hostile::new("in a generator that borrows"), &lent);
                y.yield_(1_u32);
            });
            clones.next();
            std::mem::forget(clones);
        });
        "left".into()
    })),
];
