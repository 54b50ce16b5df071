//! Tests `spawn_now`: the child runs immediately, and its caller directly after it (S-038).

use fibra::spawn_now;

use crate::support::{Noisy, check, go, join_panic, log};

fn queue_a_and_b() {
    go(|| log("A"));
    go(|| log("B"));
}

#[test]
fn the_caller_continues_directly_behind_the_child_that_ends() {
    fibra::run(|| {
        queue_a_and_b();
        let child = spawn_now(|| log("P"));
        log("m");
        assert!(child.is_finished());
        fibra::yield_now();
        log("m");
    });
    check("P m A B m");
}

#[test]
fn the_caller_continues_directly_behind_the_child_that_waits() {
    fibra::run(|| {
        queue_a_and_b();
        let child = spawn_now(|| {
            log("P1");
            fibra::park();
            log("P2");
        });
        log("m");
        child.fiber().unpark();
        fibra::yield_now();
        log("m");
    });
    check("P1 m A B P2 m");
}

#[test]
fn a_child_that_yields_goes_behind_all_others() {
    fibra::run(|| {
        queue_a_and_b();
        let child = spawn_now(|| {
            log("P1");
            fibra::yield_now();
            log("P2");
        });
        log("m");
        child.join().unwrap();
        log("m");
    });
    check("P1 m A B P2 m");
}

#[test]
fn what_the_child_spawns_runs_behind_the_caller() {
    fibra::run(|| {
        go(|| log("A"));
        drop(spawn_now(|| {
            log("P");
            go(|| log("x"));
        }));
        log("m");
        fibra::yield_now();
    });
    check("P m A x");
}

#[test]
fn a_fan_out_is_visited_depth_first_on_few_stacks() {
    fn leaves(first: u64, size: u64) -> u64 {
        if size == 1 {
            log(first);
            // The caller's stack, and one per level. Idle stacks do not count: the number that this
            // thread holds in reserve depends on the number that other threads have left for it.
            assert_eq!(fibra::stats().stacks_live, 4);
            return first;
        }
        let part = size / 3;
        let parts = (0..3).map(|i| spawn_now(move || leaves(first + i * part, part)));
        parts.collect::<Vec<_>>().into_iter().map(|part| part.join().unwrap()).sum()
    }
    fibra::run(|| {
        assert_eq!(leaves(0, 27), 351);
        let stats = fibra::stats();
        assert_eq!((stats.spawned, stats.stacks_live), (1 + 3 + 9 + 27, 1));
    });
    check(&(0..27).map(|i| i.to_string()).collect::<Vec<_>>().join(" "));
}

#[test]
fn a_panic_of_the_child_stays_with_the_child() {
    fibra::run(|| {
        let child = spawn_now(|| panic!("early"));
        log("m");
        assert_eq!(join_panic::<()>(child), "early");
    });
    check("m");
}

#[test]
fn a_child_may_kill_its_caller_which_is_unwound_at_the_call() {
    fibra::run(|| {
        let parent = fibra::spawn(|| {
            let _noisy = Noisy("parent unwound");
            let me = fibra::current();
            let _child = spawn_now(move || {
                me.kill();
                log("child goes on");
                fibra::yield_now();
                log("child ends");
            });
            log("unreachable");
        });
        assert!(parent.join().unwrap_err().is_killed());
        fibra::yield_now();
    });
    check("child goes on parent unwound child ends");
}

#[test]
fn a_builder_starts_a_named_fiber_immediately() {
    fibra::run(|| {
        let child = fibra::Builder::new().name("eager").spawn_now(|| fibra::current().name());
        assert!(child.is_finished());
        assert_eq!(child.join().unwrap().as_deref(), Some("eager"));
    });
}
