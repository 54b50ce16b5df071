//! A race that is decided while its runners are still being spawned.

use std::cell::Cell;

use fibra::pool::race;

use crate::support::{Noisy, check, log, ms, panic_of, run_virtually};

/// A value that yields `yields` times when it is cloned, and panics after `clones` clones.
struct Slow {
    yields: Cell<u32>,
    clones: Cell<u32>,
}

impl Clone for Slow {
    fn clone(&self) -> Slow {
        (0..self.yields.get()).for_each(|_| fibra::yield_now());
        let left = self.clones.get().checked_sub(1);
        self.clones.set(left.expect("cannot be cloned"));
        Slow { yields: Cell::new(0), clones: Cell::new(0) }
    }
}

fibra::local! { static inherit SLOW: Slow = Slow { yields: Cell::new(3), clones: Cell::new(9) }; }

fn runner(n: u64) -> impl FnOnce() -> u64 {
    let dropped = Noisy(format!("-{n}"));
    move || {
        let _dropped = dropped;
        log(format!("+{n}"));
        fibra::sleep(ms(n * 3_600_000));
        n
    }
}

#[test]
fn a_runner_that_wins_before_the_others_exist_ends_the_race() {
    run_virtually(|| {
        SLOW.with(|_| ());
        let start = fibra::now();
        assert_eq!(race([0, 1, 2].map(runner)).unwrap(), 0);
        assert_eq!(fibra::now(), start, "no other runs on");
    });
    check("+0 -0 -2 -1");
}

#[test]
fn a_runner_that_wins_while_another_is_spawned_ends_those_that_run() {
    run_virtually(|| {
        SLOW.with(|_| ());
        let start = fibra::now();
        assert_eq!(race([1, 0, 2].map(runner)).unwrap(), 0);
        assert_eq!(fibra::now(), start);
    });
    check("+1 +0 -0 -1 -2");
}

#[test]
fn a_spawn_that_fails_ends_the_runners_that_are_there() {
    run_virtually(|| {
        SLOW.with(|slow| slow.clones.set(1));
        let start = fibra::now();
        log(panic_of(|| race([1, 2].map(runner))));
        assert_eq!(fibra::now(), start);
    });
    check("+1 -2 -1 cannot be cloned");
}
