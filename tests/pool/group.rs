//! Groups: outcomes in the order of the ends, kills, and existing fibers that are added.

use std::time::Duration;

use fibra::JoinError;
use fibra::pool::{Group, JoinTimeoutError};

use crate::support::{Noisy, OnDrop, check, log, ms, panic_of, run_virtually};

fn nap(time: u64) -> u64 {
    fibra::sleep(ms(time));
    time
}

fn tell(outcome: &Result<u64, JoinError>) {
    match outcome {
        Ok(value) => log(value),
        Err(JoinError::Panicked(panic)) => log(panic.message()),
        Err(JoinError::Deadlock(_)) => log("deadlock"),
        Err(error) => log(format!("{error:?}")),
    }
}

#[test]
fn outcomes_come_in_the_order_of_the_ends() {
    run_virtually(|| {
        let group = Group::new();
        assert!(group.next().is_none(), "no member is left");
        for time in [30, 10, 20] {
            group.spawn(move || nap(time));
        }
        let killed = group.spawn(|| nap(99));
        group.spawn(|| {
            fibra::sleep(ms(15));
            panic!("burnt")
        });
        assert_eq!((group.len(), group.is_empty()), (5, false));
        fibra::spawn(move || {
            fibra::sleep(ms(25));
            killed.kill();
        });
        for outcome in &group {
            tell(&outcome);
        }
        assert!(group.is_empty() && group.next().is_none());
    });
    check("10 burnt 20 Killed 30");
}

#[test]
fn next_with_fiber_returns_the_fiber_of_each_outcome() {
    run_virtually(|| {
        let group = Group::new();
        let slow = group.spawn_with(fibra::Builder::new().name("slow"), || nap(20));
        let fast = group.spawn(|| nap(10));
        let (first, outcome) = group.next_with_fiber().unwrap();
        assert_eq!((&first, outcome.unwrap()), (&fast, 10));
        let (second, _) = group.next_with_fiber().unwrap();
        assert_eq!((&second, second.name().as_deref()), (&slow, Some("slow")));
    });
}

#[test]
fn added_fibers_come_in_the_order_of_their_ends() {
    run_virtually(|| {
        let group = Group::new();
        let ended = fibra::spawn(|| nap(1));
        fibra::sleep(ms(2));
        // Both end in their first turn, the second before the first.
        let (gate, token) = fibra::channel::bounded(1);
        let first = fibra::spawn(move || token.recv().unwrap());
        let second = fibra::spawn(move || {
            gate.send(5).unwrap();
            4
        });
        let panics = fibra::spawn(|| panic!("burnt"));
        group.add(first);
        group.add(second);
        group.add(panics);
        group.add(ended);
        group.spawn(|| nap(1));
        let own = group.add(fibra::spawn(|| nap(50)));
        group.iter().take(5).for_each(|outcome| tell(&outcome));
        own.kill();
        tell(&group.next().unwrap());
    });
    check("1 4 burnt 5 1 Killed");
}

#[test]
fn join_waits_for_all_members_and_keeps_the_outcomes() {
    run_virtually(|| {
        let group = Group::new();
        group.spawn(|| nap(10));
        let inner = group.clone();
        group.spawn(move || {
            fibra::sleep(ms(20));
            inner.spawn(|| nap(7)); // a member may spawn in a closed group
            3
        });
        let start = fibra::now();
        assert_eq!(group.join_timeout(ms(5)), Err(JoinTimeoutError::Timeout));
        group.join().unwrap();
        assert_eq!(fibra::now() - start, ms(27));
        assert_eq!(group.join_timeout(Duration::ZERO), Ok(()));
        group.iter().for_each(|outcome| tell(&outcome));
        let text = panic_of(|| group.spawn(|| 0));
        assert!(text.starts_with("the group was closed by `join` or `close`"), "{text}");
    });
    check("10 3 7");
}

#[test]
fn a_member_cannot_join_its_group() {
    run_virtually(|| {
        let group = Group::new();
        let inner = group.clone();
        group.spawn(move || matches!(inner.join(), Err(JoinError::Itself)));
        assert!(group.next().unwrap().unwrap());
    });
}

#[test]
fn kill_all_ends_all_members_and_those_added_later() {
    run_virtually(|| {
        let group = Group::new();
        group.spawn(|| {
            let _noisy = Noisy("unwound");
            nap(10)
        });
        let other = fibra::spawn(|| nap(20));
        group.add(other);
        fibra::yield_now();
        group.kill_all();
        group.spawn(|| nap(30));
        group.add(fibra::spawn(|| nap(40)));
        group.join().unwrap();
        group.iter().for_each(|outcome| tell(&outcome));
    });
    check("unwound Killed Killed Killed Killed");
}

#[test]
fn several_readers_share_the_outcomes_and_each_gets_the_end() {
    run_virtually(|| {
        let group = Group::new();
        for time in [10, 20, 30] {
            group.spawn(move || nap(time));
        }
        let readers: Vec<_> = ['a', 'b']
            .map(|name| {
                let group = group.clone();
                fibra::spawn(move || {
                    for outcome in &group {
                        log(format!("{name}{}", outcome.unwrap()));
                    }
                    log(name);
                })
            })
            .into();
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
    check("a10 b20 a30 a b");
}

#[test]
fn a_reader_that_is_killed_loses_no_outcome() {
    run_virtually(|| {
        let group = Group::new();
        fibra::local! { static LATE: OnDrop<fn()> = OnDrop(|| fibra::sleep(ms(10))); }
        // Its closure ends at 10 ms, the fiber itself at 20.
        group.spawn(|| {
            LATE.with(|_| ());
            nap(10)
        });
        let inner = group.clone();
        let reader = fibra::spawn(move || inner.next());
        fibra::sleep(ms(5));
        reader.kill(); // while it waits for an end
        assert!(reader.join().unwrap_err().is_killed());
        let inner = group.clone();
        let reader = fibra::spawn(move || inner.next());
        fibra::sleep(ms(10));
        reader.kill(); // while it waits for the outcome
        assert!(reader.join().unwrap_err().is_killed());
        assert_eq!(group.next().unwrap().unwrap(), 10);
        assert!(group.next().is_none());
    });
}

#[test]
fn members_that_never_end_leave_one_by_one_with_the_report() {
    run_virtually(|| {
        let group: Group<u64> = Group::new();
        let never = fibra::channel::Channel::<u64>::new();
        for _ in 0..2 {
            let never = never.clone();
            group.spawn(move || {
                loop {
                    if let Ok(value) = never.recv() {
                        break value;
                    }
                }
            });
        }
        fibra::yield_now();
        let Err(JoinError::Deadlock(report)) = group.join() else { unreachable!("it never ends") };
        let report = report.to_string();
        assert!(report.contains("is waiting for the members of a group to end"), "{report}");
        assert!(report.contains(file!()), "{report}");
        group.iter().for_each(|outcome| tell(&outcome));
        assert!(group.is_empty());
    });
    check("deadlock deadlock");
}

#[test]
fn the_members_of_a_dropped_group_run_on() {
    run_virtually(|| {
        let group = Group::new();
        group.spawn(|| log(nap(10)));
        group.add(fibra::spawn(|| log(nap(20))));
        drop(group);
        fibra::sleep(ms(30));
    });
    check("10 20");
}

#[test]
fn unread_outcomes_are_dropped_with_the_group() {
    run_virtually(|| {
        let group = Group::new();
        group.spawn(|| Noisy("output"));
        group.join().unwrap();
        log("joined");
        drop(group);
    });
    check("joined output");
}
