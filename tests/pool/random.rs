//! Random programs over pools, with kills and timeouts at any of their waits: the limit holds,
//! every permit is released, and nothing hangs.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use fibra::Fiber;
use fibra::pool::{Group, Pool, as_completed, join_all, race, try_join_all};
use proptest::prelude::*;

use crate::support::{OnDrop, ms};

/// The actions of a member.
#[derive(Clone, Debug)]
enum Step {
    Work(u64),
    Yield,
    Panic,
    /// Work that a kill does not interrupt.
    Shielded(u64),
    Spawn(Vec<Step>),
    SpawnAndJoin(Vec<Step>),
    SpawnTimeout(u64, Vec<Step>),
    Apply(Vec<Step>),
    Map(Vec<Vec<Step>>),
    /// Reads this number of results.
    Imap(bool, usize, Vec<Vec<Step>>),
    Together(u8, Vec<Vec<Step>>),
}

fn step() -> impl Strategy<Value = Step> {
    let leaf = prop_oneof![
        4 => (1..9_u64).prop_map(Step::Work),
        2 => Just(Step::Yield),
        1 => Just(Step::Panic),
        1 => (1..9_u64).prop_map(Step::Shielded),
    ];
    leaf.prop_recursive(4, 40, 4, |inner| {
        let steps = prop::collection::vec(inner, 0..4);
        let several = prop::collection::vec(steps.clone(), 0..4);
        prop_oneof![
            steps.clone().prop_map(Step::Spawn),
            steps.clone().prop_map(Step::SpawnAndJoin),
            (0..9_u64, steps.clone()).prop_map(|(time, steps)| Step::SpawnTimeout(time, steps)),
            steps.prop_map(Step::Apply),
            several.clone().prop_map(Step::Map),
            (any::<bool>(), 0..5_usize, several.clone())
                .prop_map(|(ordered, n, several)| Step::Imap(ordered, n, several)),
            (0..4_u8, several).prop_map(|(kind, several)| Step::Together(kind, several)),
        ]
    })
}

/// A pool, and the state that is checked in it.
#[derive(Clone)]
struct World {
    pool: Pool,
    working: Rc<Cell<usize>>,
    fibers: Rc<RefCell<Vec<Fiber>>>,
}

impl World {
    fn live(&self, steps: &[Step]) {
        self.fibers.borrow_mut().push(fibra::current());
        steps.iter().for_each(|step| self.take(step));
    }

    /// Returns the body of a fiber that takes `steps`.
    fn life(&self, steps: &[Step]) -> impl FnOnce() + use<> {
        let (world, steps) = (self.clone(), steps.to_vec());
        move || world.live(&steps)
    }

    /// Works under a permit: at most as many fibers as there are permits may be in here.
    fn work(&self, time: u64) {
        self.working.set(self.working.get() + 1);
        let _leaves = OnDrop(|| self.working.set(self.working.get() - 1));
        assert!(self.working.get() <= self.pool.size(), "too many work");
        fibra::sleep(ms(time));
    }

    fn take(&self, step: &Step) {
        let pool = &self.pool;
        match step {
            Step::Work(time) => self.work(*time),
            Step::Yield => fibra::yield_now(),
            Step::Panic => std::panic::resume_unwind(Box::new("random")),
            Step::Shielded(time) => fibra::shield(|| self.work(*time)),
            Step::Spawn(steps) => drop(pool.spawn(self.life(steps))),
            Step::SpawnAndJoin(steps) => drop(pool.spawn(self.life(steps)).join()),
            Step::SpawnTimeout(time, steps) => {
                drop(pool.spawn_timeout(ms(*time), self.life(steps)));
            }
            Step::Apply(steps) => pool.apply(|| steps.iter().for_each(|step| self.take(step))),
            Step::Map(several) => drop(pool.map(several, |steps| self.live(steps))),
            Step::Imap(ordered, n, several) => {
                let (world, several) = (self.clone(), several.clone());
                let f = move |steps: Vec<Step>| world.live(&steps);
                if *ordered {
                    pool.imap(several, f).take(*n).for_each(drop);
                } else {
                    pool.imap_unordered(several, f).take(*n).for_each(drop);
                }
            }
            Step::Together(kind, several) => self.together(*kind, several),
        }
    }

    fn together(&self, kind: u8, several: &[Vec<Step>]) {
        let spawn = |steps: &Vec<Step>| self.pool.spawn(self.life(steps));
        match kind {
            0 => drop(join_all(several.iter().map(spawn))),
            1 => drop(try_join_all(several.iter().map(spawn))),
            2 => as_completed(several.iter().map(spawn)).take(2).for_each(drop),
            _ if several.is_empty() => {}
            // The runners are not members, and the racing fiber may hold a permit: so they only
            // wait for existing members, not for the pool.
            _ => {
                let runs: Vec<_> = several.iter().map(spawn).collect();
                drop(race(runs.into_iter().map(|run| || drop(run.join()))));
            }
        }
    }
}

/// Runs one program, and kills the `n`th fiber to have started at each of the times.
fn check(size: usize, programs: &[Vec<Step>], kills: &[(u64, usize)], end: Option<u64>) {
    fibra::Runtime::builder().virtual_clock().build().unwrap().run(|| {
        let world = World { pool: Pool::new(size), working: Rc::default(), fibers: Rc::default() };
        let outside = Group::new();
        for steps in programs {
            let (world, life) = (world.clone(), world.life(steps));
            outside.spawn(move || drop(world.pool.spawn(life)));
        }
        for &(at, n) in kills {
            let fibers = world.fibers.clone();
            outside.spawn(move || {
                fibra::sleep(ms(at));
                let victim = fibers.borrow().get(n).cloned();
                victim.iter().for_each(Fiber::kill);
            });
        }
        if let Some(end) = end {
            let pool = world.pool.clone();
            outside.spawn(move || {
                fibra::sleep(ms(end));
                pool.kill();
            });
        }
        outside.join().unwrap();
        assert!(outside.iter().all(|outcome| outcome.is_ok()));
        world.pool.join().expect("a pool does not deadlock by itself");
        // Fibers that races have started may still be unwinding.
        fibra::sleep(Duration::from_secs(1));
        assert_eq!(world.working.get(), 0);
        assert_eq!(world.pool.available(), size);
        let alive = world.fibers.borrow().iter().filter(|fiber| !fiber.is_finished()).count();
        assert_eq!(alive, 0, "{:?}", fibra::dump());
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_pool_keeps_its_limit_and_gets_every_permit_back(
        size in 1..4_usize,
        programs in prop::collection::vec(prop::collection::vec(step(), 0..5), 1..4),
        kills in prop::collection::vec((0..40_u64, 0..20_usize), 0..6),
        end in prop::option::weighted(0.2, 0..40_u64),
    ) {
        check(size, &programs, &kills, end);
    }
}
