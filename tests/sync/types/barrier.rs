//! Tests `sync::Barrier`.

use std::sync::Arc;

use fibra::sync::{Barrier, TimeoutError};
use fibra::{JoinHandle, spawn, yield_now};

use crate::support::sync::{elsewhere, thread};
use crate::support::{check, log, ms, run_virtually};

fn party(barrier: &Arc<Barrier>, name: &'static str) -> JoinHandle<bool> {
    let barrier = barrier.clone();
    spawn(move || {
        let is_leader = barrier.wait().is_leader();
        log(name);
        is_leader
    })
}

#[test]
fn all_continue_when_the_last_has_come_which_is_the_leader() {
    fibra::run(|| {
        let barrier = Arc::new(Barrier::new(3));
        for _ in 0..2 {
            let parties = ["a", "b", "c"].map(|name| party(&barrier, name));
            let leaders = parties.map(|party| party.join().unwrap());
            assert_eq!(leaders, [false, false, true]);
        }
    });
    check("c a b c a b");
}

#[test]
fn for_one_or_none_no_fiber_waits() {
    assert!(Barrier::new(1).wait().is_leader());
    assert!(Barrier::new(0).wait_timeout(ms(0)).unwrap().is_leader());
}

#[test]
fn a_fiber_that_leaves_is_not_counted() {
    run_virtually(|| {
        let barrier = Arc::new(Barrier::new(3));
        let killed = party(&barrier, "killed");
        yield_now();
        killed.kill();
        assert!(killed.join().is_err());
        let start = fibra::now();
        assert_eq!(barrier.wait_timeout(ms(5)).unwrap_err(), TimeoutError::Timeout);
        assert_eq!(barrier.wait_deadline(start + ms(6)).unwrap_err(), TimeoutError::Timeout);
        let parties = ["a", "b"].map(|name| party(&barrier, name));
        yield_now();
        assert_eq!(format!("{barrier:?}"), "Barrier { parties: 3, waiting: 2 }");
        assert!(barrier.wait().is_leader());
        parties.into_iter().for_each(|party| assert!(!party.join().unwrap()));
    });
    check("a b");
}

#[test]
fn fibers_and_threads_meet() {
    static BARRIER: Barrier = Barrier::new(3);
    let meet = || (0..100).filter(|_| BARRIER.wait().is_leader()).count();
    let threads = [elsewhere(meet), elsewhere(meet), thread(meet)];
    let leaders: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(leaders, 100);
}
