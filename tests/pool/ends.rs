//! The end of a fiber reaches groups, pools and streams without a fiber that waits for it.

use fibra::JoinError;
use fibra::pool::{Group, Pool, as_completed, try_join_all};

use crate::support::{
    DONE_LINE, OnDrop, apart, check, in_child, log, ms, name_of, run_virtually, stderr,
};

/// A value whose destructor uses more stack than the smallest stack has.
struct Deep;

impl Drop for Deep {
    fn drop(&mut self) {
        let room = std::hint::black_box([1_u8; 60_000]);
        log(room.iter().map(|&byte| usize::from(byte)).sum::<usize>());
    }
}

#[test]
fn an_output_is_dropped_on_the_stack_of_its_own_fiber() {
    let test = name_of!(an_output_is_dropped_on_the_stack_of_its_own_fiber);
    let child = in_child(test, &[], || {
        fibra::run(|| {
            let nap = || {
                fibra::spawn(|| {
                    fibra::yield_now();
                    Deep
                })
            };
            drop(as_completed([nap(), nap()]));
            let group = Group::new();
            group.add(nap());
            drop(group);
            let waiter = fibra::spawn(move || try_join_all([nap()]).map(drop));
            fibra::yield_now();
            waiter.kill();
            assert!(waiter.join().unwrap_err().is_killed());
            (0..4).for_each(|_| fibra::yield_now());
        });
        check("60000 60000 60000 60000");
    });
    assert!(stderr(&child).ends_with(DONE_LINE), "{}", stderr(&child));
}

#[test]
fn waiting_for_existing_fibers_spawns_no_fibers() {
    run_virtually(|| {
        let naps = [30, 10, 20].map(|time| fibra::spawn(move || fibra::sleep(ms(time))));
        let spawned = fibra::stats().spawned;
        let group = Group::new();
        for nap in naps {
            group.add(nap);
        }
        assert_eq!(as_completed([fibra::spawn(|| 1)]).map(Result::unwrap).sum::<i32>(), 1);
        assert_eq!(group.iter().flatten().count(), 3);
        assert_eq!(fibra::stats().spawned, spawned + 1);
    });
}

#[test]
fn a_member_has_ended_when_its_fiber_locals_are_gone() {
    run_virtually(|| {
        fibra::local! { static LATE: OnDrop<fn()> = OnDrop(|| fibra::sleep(ms(50))); }
        let late = |time| {
            fibra::spawn(move || {
                LATE.with(|_| ());
                fibra::sleep(ms(time));
                log(time);
                time
            })
        };
        let soon = fibra::spawn(|| {
            fibra::sleep(ms(20));
            20
        });
        for outcome in as_completed([late(10), soon, late(0)]) {
            log(format!("read-{}", outcome.unwrap()));
        }
        let pool = Pool::new(1);
        let start = fibra::now();
        drop(pool.spawn(|| LATE.with(|_| ())));
        pool.apply(|| log((fibra::now() - start).as_millis()));
    });
    check("0 10 read-20 read-0 read-10 50");
}

/// Catches each kill and continues to wait.
fn refuses() {
    loop {
        let _ = std::panic::catch_unwind(fibra::park);
    }
}

#[test]
fn an_abandoned_member_is_read_like_any_other() {
    apart(|| {
        run_virtually(|| {
            let group = Group::new();
            group.spawn(refuses);
            group.add(fibra::spawn(refuses));
            fibra::yield_now();
            group.kill_all();
            for outcome in &group {
                assert!(matches!(outcome, Err(JoinError::Abandoned)), "{outcome:?}");
            }
            group.join().unwrap();
        });
    });
}

#[test]
fn an_abandoned_member_releases_its_permit() {
    apart(|| {
        run_virtually(|| {
            let pool = Pool::new(1);
            let first = pool.spawn(refuses);
            fibra::yield_now();
            first.kill();
            let second = pool.spawn(|| 2);
            assert_eq!(second.join().unwrap(), 2);
            assert!(matches!(first.join(), Err(JoinError::Abandoned)));
            pool.join().unwrap();
        });
    });
}

/// A value that waits when it is cloned.
struct Slow;

impl Clone for Slow {
    fn clone(&self) -> Slow {
        fibra::sleep(ms(10));
        Slow
    }
}

fibra::local! { static inherit SLOW: Slow = Slow; }

#[test]
fn a_group_is_not_empty_while_a_member_is_being_spawned() {
    run_virtually(|| {
        SLOW.with(|_| ());
        let group = Group::new();
        let inner = group.clone();
        let spawner = fibra::Builder::new().spawn(move || {
            SLOW.with(|_| ());
            inner.spawn(|| log("runs"));
        });
        fibra::yield_now();
        group.join().unwrap();
        log("idle");
        assert!(group.next().is_some());
        spawner.join().unwrap();
    });
    check("runs idle");
}

#[test]
fn a_member_whose_spawn_was_interrupted_is_not_waited_for() {
    run_virtually(|| {
        let (group, pool) = (Group::<()>::new(), Pool::new(1));
        let (in_group, in_pool) = (group.clone(), pool.clone());
        let spawners: [fibra::JoinHandle<()>; 2] = [
            fibra::spawn(move || {
                SLOW.with(|_| ());
                in_group.spawn(|| unreachable!("never spawned"));
            }),
            fibra::spawn(move || {
                SLOW.with(|_| ());
                in_pool.spawn(|| unreachable!("never spawned"));
            }),
        ];
        fibra::yield_now();
        let reader = group.clone();
        let reader = fibra::spawn(move || reader.next().is_none());
        fibra::yield_now();
        for spawner in spawners {
            spawner.kill();
            assert!(spawner.join().unwrap_err().is_killed());
        }
        assert!(reader.join().unwrap());
        group.join().unwrap();
        pool.join().unwrap();
    });
}
