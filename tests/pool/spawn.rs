//! A pool: its limit, the fibers that wait for a permit, its end, and members that use it
//! themselves.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use fibra::JoinError;
use fibra::pool::{JoinTimeoutError, Pool, SpawnTimeoutError, TrySpawnError};

use crate::support::{Noisy, OnDrop, check, log, ms, panic_of, run_virtually};

/// Runs `body` on a virtual clock, and returns the virtual time that it took.
fn timed(body: impl FnOnce()) -> Duration {
    run_virtually(|| {
        let start = fibra::now();
        body();
        fibra::now() - start
    })
}

/// Sleeps, and logs its start and its end.
fn work(name: u32, time: u64) -> u32 {
    log(format!("+{name}"));
    fibra::sleep(ms(time));
    log(format!("-{name}"));
    name
}

#[test]
fn at_most_as_many_members_run_as_there_are_permits_and_they_start_in_order() {
    let time = timed(|| {
        let pool = Pool::new(2);
        for n in 1..=5 {
            pool.spawn(move || work(n, 10));
        }
        log("spawned");
        pool.join().unwrap();
    });
    check("+1 +2 -1 -2 +3 +4 -3 -4 spawned +5 -5");
    assert_eq!(time, ms(30));
}

#[test]
fn permits_are_given_out_first_come_first_served() {
    run_virtually(|| {
        let pool = Pool::new(1);
        pool.spawn(|| work(0, 10));
        let spawners: Vec<_> = (1..=3)
            .map(|n| {
                let pool = pool.clone();
                fibra::spawn(move || drop(pool.spawn(move || work(n, 10))))
            })
            .collect();
        fibra::yield_now();
        assert_eq!(pool.available(), 0);
        assert!(matches!(pool.try_spawn(|| ()), Err(TrySpawnError::Full(_))));
        for spawner in spawners {
            spawner.join().unwrap();
        }
        pool.join().unwrap();
        assert_eq!((pool.available(), pool.size()), (1, 1));
    });
    check("+0 -0 +1 -1 +2 -2 +3 -3");
}

#[test]
fn a_refused_closure_is_returned() {
    run_virtually(|| {
        let pool = Pool::new(1);
        let busy = pool.spawn(|| fibra::sleep(ms(100)));
        let text = String::from("mine");
        let Err(full @ TrySpawnError::Full(_)) = pool.try_spawn(move || text) else {
            unreachable!("the pool is full")
        };
        assert_eq!(full.to_string(), "spawning into a pool that is full");
        let Err(late @ SpawnTimeoutError::Timeout(_)) =
            pool.spawn_timeout(ms(10), full.into_inner())
        else {
            unreachable!("the pool stays full")
        };
        assert_eq!(late.to_string(), "timed out while waiting for a permit of a pool");
        let deadline = fibra::now() + ms(200);
        let handle = pool.spawn_deadline(deadline, late.into_inner()).unwrap();
        assert!(busy.is_finished());
        assert_eq!(handle.join().unwrap(), "mine");
        pool.close();
        let closed = pool.try_spawn(|| ()).unwrap_err();
        assert!(matches!(closed, TrySpawnError::Closed(_)));
        assert_eq!(closed.to_string(), "spawning into a pool that was closed or killed");
        assert!(matches!(pool.spawn_timeout(ms(1), || ()), Err(SpawnTimeoutError::Closed(_))));
    });
}

#[test]
fn a_permit_is_released_however_a_member_ends() {
    run_virtually(|| {
        let pool = Pool::new(3);
        let returned = pool.spawn(|| 7);
        let panicked = pool.spawn(|| -> u32 { panic!("burnt") });
        let killed = pool.spawn(|| -> u32 {
            fibra::park();
            unreachable!("killed before")
        });
        fibra::yield_now();
        killed.kill();
        assert_eq!(returned.join().unwrap(), 7);
        assert_eq!(panicked.join().unwrap_err().to_string(), "the fiber panicked: burnt");
        assert!(killed.join().unwrap_err().is_killed());
        assert_eq!(pool.available(), 3);
        let unstarted = pool.spawn(|| unreachable!("killed before it runs"));
        unstarted.kill();
        assert!(unstarted.join().unwrap_err().is_killed());
        assert_eq!(pool.available(), 3);
    });
}

#[test]
fn a_fiber_that_is_killed_or_times_out_leaves_the_line() {
    run_virtually(|| {
        let pool = Pool::new(1);
        pool.spawn(|| work(1, 20));
        let waits = |n| {
            let pool = pool.clone();
            fibra::spawn(move || drop(pool.spawn(move || work(n, 10))))
        };
        let (second, third) = (waits(2), waits(3));
        let pool_of_4 = pool.clone();
        let fourth = fibra::spawn(move || pool_of_4.spawn_timeout(ms(5), || work(4, 10)).is_err());
        fibra::yield_now();
        second.kill();
        assert!(second.join().unwrap_err().is_killed());
        assert!(fourth.join().unwrap());
        third.join().unwrap();
        pool.join().unwrap();
        assert_eq!(pool.available(), 1);
    });
    check("+1 -1 +3 -3");
}

#[test]
fn a_fiber_that_is_killed_after_it_got_a_permit_still_uses_it() {
    run_virtually(|| {
        let pool = Pool::new(1);
        let first = pool.spawn(|| log("first"));
        let pool2 = pool.clone();
        let spawner = fibra::spawn(move || {
            let second = pool2.spawn(|| log("second"));
            log("spawned");
            second.join().unwrap(); // killed here
            unreachable!();
        });
        fibra::yield_now();
        assert!(first.is_finished());
        spawner.kill();
        assert!(spawner.join().unwrap_err().is_killed());
        pool.join().unwrap();
    });
    check("first spawned second");
}

#[test]
fn join_closes_the_pool_and_members_may_go_on_spawning() {
    let time = timed(|| {
        let pool = Pool::new(2);
        let inner = pool.clone();
        pool.spawn(move || {
            fibra::sleep(ms(10));
            inner.spawn(|| work(2, 10));
            log("has spawned");
        });
        assert_eq!(pool.join_timeout(ms(5)), Err(JoinTimeoutError::Timeout));
        let refused = panic_of(|| pool.spawn(|| ()));
        assert!(refused.starts_with("the pool was closed by `join` or `close`"), "{refused}");
        pool.join().unwrap();
        log("empty");
        assert_eq!(pool.join_timeout(Duration::ZERO), Ok(()));
    });
    check("has spawned +2 -2 empty");
    assert_eq!(time, ms(20));
}

#[test]
fn a_member_cannot_join_its_pool() {
    run_virtually(|| {
        let pool = Pool::new(2);
        let inner = pool.clone();
        let member = pool.spawn(move || inner.join());
        assert!(matches!(member.join().unwrap(), Err(JoinError::Itself)));
        assert!(pool.try_spawn(|| ()).is_ok(), "and does not close it by that");
    });
}

#[test]
fn a_member_without_a_permit_does_not_see_its_pool_empty() {
    run_virtually(|| {
        let pool = Pool::new(1);
        let (inner, asks) = (pool.clone(), pool.clone());
        let member = pool.spawn(move || {
            let items = std::iter::once_with(move || asks.join_timeout(ms(5)));
            inner.map(items, |joined| joined).unwrap()
        });
        assert_eq!(member.join().unwrap(), [Err(JoinTimeoutError::Timeout)]);
    });
}

#[test]
fn a_pool_is_not_empty_while_a_member_runs_without_a_permit() {
    run_virtually(|| {
        let start = fibra::now();
        let pool = Pool::new(1);
        let inner = pool.clone();
        let mut member = pool.spawn(move || {
            let items = std::iter::once_with(|| fibra::sleep(ms(20)));
            inner.map(items, |()| fibra::sleep(ms(5))).unwrap().len()
        });
        fibra::sleep(ms(1));
        assert_eq!(pool.available(), 1, "it releases its permit while it waits for its items");
        assert_eq!(pool.join_deadline(start + ms(10)), Err(JoinTimeoutError::Timeout));
        pool.join().unwrap();
        assert_eq!(fibra::now() - start, ms(25));
        assert_eq!(member.try_join().unwrap().unwrap(), 1);
    });
}

#[test]
fn a_killed_pool_kills_its_members_and_all_that_are_spawned_later() {
    run_virtually(|| {
        let pool = Pool::new(2);
        let members: Vec<_> = (1..=2)
            .map(|n| {
                pool.spawn(move || {
                    let _noisy = Noisy(format!("unwound{n}"));
                    fibra::sleep(ms(50));
                })
            })
            .collect();
        let waiting = pool.clone();
        let spawner = fibra::spawn(move || waiting.spawn(|| log("never")).join());
        fibra::sleep(ms(1));
        pool.kill();
        for member in members {
            assert!(member.join().unwrap_err().is_killed());
        }
        assert!(spawner.join().unwrap().unwrap_err().is_killed());
        assert!(pool.spawn(|| log("never")).join().unwrap_err().is_killed());
        assert!(matches!(pool.try_spawn(|| ()), Err(TrySpawnError::Closed(_))));
        pool.join().unwrap();
        assert_eq!(pool.available(), 2);
    });
    check("unwound1 unwound2");
}

#[test]
fn a_member_that_kills_its_pool_unwinds_last() {
    run_virtually(|| {
        let pool = Pool::new(2);
        let inner = pool.clone();
        let killer = pool.spawn(move || {
            fibra::yield_now();
            inner.kill();
            unreachable!("it unwinds in `kill`");
        });
        let other = pool.spawn(|| fibra::sleep(ms(50)));
        assert!(other.join().unwrap_err().is_killed());
        assert!(killer.join().unwrap_err().is_killed());
    });
}

#[test]
fn the_members_of_a_dropped_pool_run_on() {
    run_virtually(|| {
        let pool = Pool::new(1);
        pool.spawn(|| work(1, 10));
        drop(pool);
        fibra::sleep(ms(20));
    });
    check("+1 -1");
}

#[test]
fn a_member_that_spawns_into_its_full_pool_lends_its_permit() {
    let time = timed(|| {
        let pool = Pool::new(1);
        let inner = pool.clone();
        let outer = pool.spawn(move || {
            log("outer");
            let child = inner.clone().spawn(move || {
                let grandchild = inner.spawn(|| work(2, 10));
                assert!(grandchild.is_finished());
                work(1, 10)
            });
            assert!(child.is_finished(), "the caller went on when it had ended");
            log("on");
            child.join().unwrap()
        });
        assert_eq!(outer.join().unwrap(), 1);
        assert_eq!(pool.available(), 1);
    });
    check("outer +2 -2 +1 -1 on");
    assert_eq!(time, ms(20));
}

#[test]
fn a_lender_that_is_killed_takes_nothing_from_the_borrower() {
    run_virtually(|| {
        let pool = Pool::new(1);
        let inner = pool.clone();
        let lender = pool.spawn(move || {
            inner.spawn(|| work(1, 10));
            unreachable!("killed before");
        });
        fibra::sleep(ms(1));
        lender.kill();
        assert!(lender.join().unwrap_err().is_killed());
        assert_eq!(pool.available(), 0, "the borrower has the place");
        pool.join().unwrap();
        assert_eq!(pool.available(), 1);
    });
    check("+1 -1");
}

#[test]
fn the_limit_holds_while_members_spawn_members() {
    fn tree(pool: &Pool, depth: u32, running: &Rc<Cell<usize>>, most: &Rc<Cell<usize>>) {
        running.set(running.get() + 1);
        most.set(most.get().max(running.get()));
        fibra::sleep(ms(1));
        running.set(running.get() - 1);
        let children = (0..3).filter(|_| depth != 0).map(|_| {
            let (pool, running, most) = (pool.clone(), running.clone(), most.clone());
            pool.clone().spawn(move || tree(&pool, depth - 1, &running, &most))
        });
        fibra::pool::join_all(children).into_iter().for_each(|outcome| outcome.unwrap());
    }

    for size in 1..=4 {
        run_virtually(|| {
            let pool = Pool::new(size);
            let (running, most) = (Rc::default(), Rc::new(Cell::new(0)));
            let (inner, most2) = (pool.clone(), most.clone());
            pool.spawn(move || tree(&inner, 4, &running, &most2));
            pool.join().unwrap();
            // The root lends its permit, or waits for its children while it holds one.
            assert_eq!((most.get(), pool.available()), (size.clamp(1, 3), size));
        });
    }
}

#[test]
fn apply_runs_inline_in_a_member_and_waits_for_a_permit_otherwise() {
    let time = timed(|| {
        let pool = Pool::new(1);
        let name = String::from("borrowed");
        let outside = fibra::current().id();
        let length = pool.apply(|| {
            let member = fibra::current().id();
            assert_ne!(member, outside);
            let inside = pool.apply(|| fibra::current().id());
            assert_eq!(inside, member, "no other fiber");
            name.len()
        });
        assert_eq!(length, 8);
        pool.spawn(|| fibra::sleep(ms(10)));
        pool.apply(|| fibra::sleep(ms(10)));
    });
    assert_eq!(time, ms(20));
}

#[test]
fn apply_passes_on_a_panic_and_reports_a_killed_pool() {
    run_virtually(|| {
        let pool = Pool::new(1);
        assert_eq!(panic_of(|| pool.apply(|| panic!("burnt"))), "burnt");
        let inner = pool.clone();
        fibra::spawn(move || {
            fibra::sleep(ms(1));
            inner.kill();
        });
        let killed = panic_of(|| pool.apply(|| fibra::sleep(ms(10))));
        assert_eq!(killed, "the pool could not apply the closure: the fiber was killed");
    });
}

#[test]
fn killing_the_caller_of_apply_kills_the_member() {
    run_virtually(|| {
        let pool = Pool::new(1);
        let inner = pool.clone();
        let caller = fibra::spawn(move || {
            inner.apply(|| {
                let _noisy = Noisy("unwound");
                fibra::park();
            });
        });
        fibra::sleep(ms(1));
        caller.kill();
        assert!(caller.join().unwrap_err().is_killed());
        assert_eq!(pool.available(), 1);
    });
    check("unwound");
}

#[test]
fn a_pool_that_stays_full_forever_is_a_deadlock() {
    run_virtually(|| {
        let pool = Pool::new(1);
        let stuck = pool.spawn(|| {
            let unused = fibra::channel::Channel::<()>::new();
            unused.recv().unwrap_err().to_string()
        });
        fibra::yield_now();
        let report = panic_of(|| pool.spawn(|| ()));
        assert!(report.contains("is waiting for a permit of a pool at"), "{report}");
        assert!(report.contains(file!()), "the caller's line: {report}");
        assert_eq!(pool.join_timeout(ms(5)), Err(JoinTimeoutError::Timeout));
        assert!(!stuck.is_finished());
        let Err(JoinTimeoutError::Deadlock(report)) = pool.join_timeout(Duration::MAX) else {
            unreachable!("the time is never over")
        };
        assert!(report.to_string().contains("is waiting for the members of a pool to end"));
        let Err(JoinError::Deadlock(report)) = pool.join() else { unreachable!("it never ends") };
        assert!(report.to_string().contains("is waiting for the members of a pool to end"));
    });
}

#[test]
fn members_are_named_by_the_pools_builder() {
    run_virtually(|| {
        let pool = Pool::with_builder(2, fibra::Builder::new().name("worker"));
        let name = || fibra::current().name().unwrap();
        assert_eq!(&*pool.spawn(name).join().unwrap(), "worker");
        assert_eq!(&*pool.apply(name), "worker");
    });
}

#[test]
fn a_pool_of_size_0_is_refused_and_a_huge_one_is_not() {
    let text = panic_of(|| Pool::new(0));
    assert_eq!(text, "a pool of size 0 could never run anything: make it at least 1");
    run_virtually(|| {
        let pool = Pool::new(usize::MAX);
        for _ in 0..1_000 {
            pool.spawn(|| fibra::sleep(ms(1)));
        }
        assert_eq!(pool.available(), usize::MAX - 1_000);
        pool.join().unwrap();
    });
}

#[test]
fn a_destructor_may_use_the_pool_of_the_fiber_that_runs_it() {
    run_virtually(|| {
        let pool = Pool::new(1);
        let (in_drop, in_output) = (pool.clone(), pool.clone());
        let member = pool.spawn(move || {
            let _late = OnDrop(move || {
                in_drop.spawn(|| log("from a destructor"));
            });
            fibra::yield_now();
            OnDrop(move || assert_eq!(in_output.apply(|| 1), 1))
        });
        drop(member.join().unwrap());
        pool.join().unwrap();
    });
    check("from a destructor");
}

#[test]
fn a_pool_that_outlives_its_run_serves_the_next_one() {
    let kept = RefCell::new(None);
    run_virtually(|| {
        let pool = Pool::new(1);
        pool.spawn(fibra::park); // killed at the end of `run`
        kept.replace(Some(pool));
    });
    let pool = kept.take().unwrap();
    assert_eq!(pool.available(), 1);
    pool.kill();
    run_virtually(|| assert!(pool.spawn(|| ()).join().unwrap_err().is_killed()));
}
