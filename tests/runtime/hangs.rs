//! Programs that might hang, each in a process of its own with a time limit.

use std::sync::Arc;
use std::time::Duration;

use fibra::sync::{Mutex, mpmc};
use fibra::{Handle, RemoteHandle, Runtime, par, select};

use crate::support::{DONE_LINE, in_child, ms, name_of, panic_of, stderr};
use crate::{at_most, on};

const LIMIT: Duration = Duration::from_secs(30);

/// Runs `body` in a child process, which must end within [`LIMIT`], and returns what it printed.
fn ends(test: &str, body: impl FnOnce()) -> String {
    let output = in_child(test, &[], || {
        at_most(LIMIT);
        body();
    });
    let text = stderr(&output);
    assert!(output.status.success() && text.ends_with(DONE_LINE), "{text}");
    text
}

/// Spawns a job on `index` that locks `first`, waits until the other side has its own, and locks
/// `second`.
fn locker(
    handle: &Handle,
    index: usize,
    [first, second]: [&Arc<Mutex<()>>; 2],
    both: &Arc<fibra::sync::Barrier>,
) -> RemoteHandle<String> {
    let (first, second, both) = (first.clone(), second.clone(), both.clone());
    handle.spawn_on(index, move || {
        let _first = first.lock();
        both.wait();
        panic_of_or_ok(|| drop(second.lock()))
    })
}

/// Returns the text of the panic of `f`, or `ok`.
fn panic_of_or_ok(f: impl FnOnce()) -> String {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)) {
        Ok(()) => "ok".into(),
        Err(payload) => crate::support::text_of(payload.as_ref()),
    }
}

#[test]
fn two_locks_taken_in_opposite_order_by_two_schedulers_are_reported() {
    let test = name_of!(two_locks_taken_in_opposite_order_by_two_schedulers_are_reported);
    ends(test, || {
        on(2, |handle| {
            let [a, b] = [(); 2].map(|()| Arc::new(Mutex::new(())));
            let both = Arc::new(fibra::sync::Barrier::new(2));
            let one = locker(&handle, 0, [&a, &b], &both);
            let other = locker(&handle, 1, [&b, &a], &both);
            let mut outcomes = [one.join().unwrap(), other.join().unwrap()];
            outcomes.sort();
            // One wait fails, and releases its lock; the other goes on.
            assert!(outcomes[0].starts_with("deadlock:"), "{outcomes:?}");
            assert!(outcomes[0].contains("each waits for a lock"), "{outcomes:?}");
            assert_eq!(outcomes[1], "ok");
        });
    });
}

#[test]
fn a_circle_of_three_locks_on_three_schedulers_is_reported() {
    let test = name_of!(a_circle_of_three_locks_on_three_schedulers_is_reported);
    ends(test, || {
        on(3, |handle| {
            let locks: Vec<_> = (0..3).map(|_| Arc::new(Mutex::new(()))).collect();
            let all = Arc::new(fibra::sync::Barrier::new(3));
            let jobs: Vec<_> = (0..3)
                .map(|i| locker(&handle, i, [&locks[i], &locks[(i + 1) % 3]], &all))
                .collect();
            let outcomes: Vec<_> = jobs.into_iter().map(|job| job.join().unwrap()).collect();
            let failed = outcomes.iter().filter(|outcome| outcome.starts_with("deadlock:"));
            assert_eq!(failed.count(), 1, "{outcomes:?}");
        });
    });
}

/// The sender is alive on another scheduler, so this is no deadlock; the program ends all the same.
#[test]
fn a_receiver_that_waits_alone_does_not_keep_the_runtime_from_ending() {
    let test = name_of!(a_receiver_that_waits_alone_does_not_keep_the_runtime_from_ending);
    ends(test, || {
        on(2, |handle| {
            let (sender, receiver) = mpmc::bounded::<u32>(1);
            let lonely = handle.spawn_on(1, move || receiver.recv());
            handle.spawn_on(0, move || fibra::finally(fibra::park, || drop(sender))).detach();
            fibra::sleep(ms(20));
            assert!(!lonely.is_finished());
        });
    });
}

#[test]
fn a_receiver_whose_senders_are_gone_is_woken_on_its_scheduler() {
    let test = name_of!(a_receiver_whose_senders_are_gone_is_woken_on_its_scheduler);
    ends(test, || {
        on(2, |handle| {
            for _ in 0..200 {
                let (sender, receiver) = mpmc::bounded::<u32>(0);
                let waiting = handle.spawn_on(1, move || receiver.recv());
                handle.spawn(move || drop(sender)).detach();
                assert!(waiting.join().unwrap().is_err());
            }
        });
    });
}

#[test]
fn a_select_across_schedulers_meets_a_plain_partner() {
    let test = name_of!(a_select_across_schedulers_meets_a_plain_partner);
    ends(test, || {
        on(2, |handle| {
            for round in 0..500_u32 {
                let ((ping, pings), (quit, quits)) = (mpmc::bounded(1), mpmc::bounded::<()>(1));
                let chooser = handle.spawn_on(1, move || {
                    select! {
                        ball = recv(pings) => ball.unwrap(),
                        _ = recv(quits) => unreachable!("nothing is sent there"),
                    }
                });
                handle.spawn_on(0, move || ping.send(round).unwrap()).detach();
                assert_eq!(chooser.join(), Ok(round));
                drop(quit);
            }
        });
    });
}

#[test]
fn a_job_that_joins_itself_in_a_circle_can_be_killed() {
    let test = name_of!(a_job_that_joins_itself_in_a_circle_can_be_killed);
    ends(test, || {
        on(2, |handle| {
            // Each of the two waits for the other.
            let (give_a, take_a) = fibra::sync::oneshot::<RemoteHandle<()>>();
            let (give_b, take_b) = fibra::sync::oneshot::<RemoteHandle<()>>();
            let a = handle.spawn_on(0, move || _ = take_b.recv().unwrap().join());
            let b = handle.spawn_on(1, move || _ = take_a.recv().unwrap().join());
            give_a.send(a).unwrap();
            give_b.send(b).unwrap();
            fibra::sleep(ms(10));
        });
    });
}

#[test]
fn a_wait_for_a_job_that_no_scheduler_can_start_now_is_no_deadlock() {
    let test = name_of!(a_wait_for_a_job_that_no_scheduler_can_start_now_is_no_deadlock);
    ends(test, || {
        on(2, |handle| {
            let holder = handle.spawn_on(1, || std::thread::sleep(ms(100)));
            fibra::sleep(ms(10));
            let waits = handle.spawn_on(1, || 5); // queued behind a thread that sleeps
            assert_eq!(waits.join(), Ok(5));
            holder.join().unwrap();
        });
    });
}

#[test]
fn a_wait_within_one_scheduler_that_nothing_can_end_is_no_error_beside_others() {
    let test = name_of!(a_wait_within_one_scheduler_that_nothing_can_end_is_no_error_beside_others);
    ends(test, || {
        on(2, |handle| {
            let stuck = handle.spawn_on(1, || fibra::channel::Channel::<()>::new().recv().is_err());
            fibra::sleep(ms(20));
            // A runtime of several schedulers reports circles of locks only; a kill ends the wait.
            stuck.kill();
            let outcome = stuck.join();
            assert!(outcome == Ok(true) || outcome.unwrap_err().is_killed());
            drop(panic_of(|| crate::support::quiet_panic("used")));
        });
    });
}

#[test]
fn the_end_of_the_runtime_ends_scopes_that_have_jobs_on_the_first_scheduler() {
    let test = name_of!(the_end_of_the_runtime_ends_scopes_that_have_jobs_on_the_first_scheduler);
    ends(test, || {
        on(2, |handle| {
            let (started, has_started) = fibra::sync::oneshot();
            handle
                .spawn_on(1, move || {
                    fibra::par::scope(|s| {
                        (0..3).for_each(|_| drop(s.spawn(fibra::park)));
                        started.send(()).unwrap();
                    });
                })
                .detach();
            has_started.recv().unwrap();
            fibra::sleep(ms(20)); // this scheduler has stolen jobs of the scope
        });
    });
}

/// A destructor is not interrupted: it waits until a fiber of the other scheduler ends.
#[test]
fn the_end_of_the_runtime_ends_fibers_for_which_destructors_of_other_schedulers_wait() {
    let test =
        name_of!(the_end_of_the_runtime_ends_fibers_for_which_destructors_of_other_schedulers_wait);
    ends(test, || {
        for (holds, waits) in [(0, 1), (1, 0), (1, 2)] {
            for as_a_job in [false, true] {
                on(3, |handle| {
                    let lock = Arc::new(Mutex::new(()));
                    let (locked, is_locked) = fibra::sync::oneshot();
                    let held = lock.clone();
                    let holder = move || {
                        let _guard = held.lock();
                        locked.send(()).unwrap();
                        fibra::park();
                    };
                    let start =
                        move || if as_a_job { holder() } else { drop(fibra::spawn(holder)) };
                    handle.spawn_on(holds, start).detach();
                    is_locked.recv().unwrap();
                    let (started, has_started) = fibra::sync::oneshot();
                    let waiter = move || {
                        started.send(()).unwrap();
                        fibra::finally(fibra::park, || drop(lock.lock()));
                    };
                    handle.spawn_on(waits, waiter).detach();
                    has_started.recv().unwrap();
                });
            }
        }
    });
}

/// A channel changes between the attempt of an arm and the beginning of its wait.
#[test]
fn a_select_misses_neither_a_value_nor_room_nor_the_end_of_the_other_side() {
    let test = name_of!(a_select_misses_neither_a_value_nor_room_nor_the_end_of_the_other_side);
    ends(test, || {
        on(2, |handle| {
            for round in 0..2_000_usize {
                let capacity = [0, 1, 1, 2, 5][round % 5];
                let ((to, from), (quit, quits)) = (mpmc::bounded(capacity), mpmc::bounded::<()>(1));
                if capacity == 1 && round % 2 == 0 {
                    // The chooser waits for room.
                    to.send(0).unwrap();
                    let chooser = handle.spawn_on(1, move || {
                        select! {
                            sent = send(to, 1) => assert!(sent.is_ok() || round % 4 == 0),
                            _ = recv(quits) => unreachable!("nothing is sent there"),
                        }
                    });
                    if round % 4 == 0 {
                        handle.spawn_on(0, move || drop(from)).join().unwrap();
                    } else {
                        assert_eq!(from.recv(), Ok(0));
                        assert_eq!(from.recv(), Ok(1));
                    }
                    chooser.join().unwrap();
                } else {
                    let chooser = handle.spawn_on(1, move || {
                        select! {
                            value = recv(from) => value.ok(),
                            _ = recv(quits) => unreachable!("nothing is sent there"),
                        }
                    });
                    let sends = round % 3 != 0;
                    handle.spawn_on(0, move || sends.then(|| to.send(round))).detach();
                    assert_eq!(chooser.join(), Ok(sends.then_some(round)));
                }
                drop(quit);
            }
        });
    });
}

/// Nothing can end such a shield, and only the report of the stall shows where it is.
#[test]
fn a_shield_that_never_ends_keeps_a_scope_and_its_runtime_and_is_reported() {
    let test = name_of!(a_shield_that_never_ends_keeps_a_scope_and_its_runtime_and_is_reported);
    let output = in_child(test, &[], || {
        at_most(Duration::from_secs(2));
        let runtime = Runtime::builder().threads(2).report_stalls(ms(200)).build().unwrap();
        runtime.run(|| {
            let (started, is_started) = mpmc::bounded(1);
            let scope = move || {
                par::scope(|s| {
                    s.spawn_on(0, || {
                        started.send(()).unwrap();
                        fibra::shield(|| {
                            loop {
                                fibra::park();
                            }
                        });
                    });
                });
            };
            Handle::current().spawn_on(1, scope).detach();
            is_started.recv().unwrap();
        });
    });
    let text = stderr(&output);
    assert!(output.status.code() == Some(9), "{text}");
    assert!(text.contains("stall: all schedulers have slept"), "{text}");
    assert!(text.contains("is parked at tests/runtime/hangs.rs"), "{text}");
}

#[test]
fn a_shield_with_a_limit_of_time_keeps_neither() {
    let test = name_of!(a_shield_with_a_limit_of_time_keeps_neither);
    ends(test, || {
        on(2, |handle| {
            let (started, is_started) = mpmc::bounded(1);
            let scope = move || {
                par::scope(|s| {
                    s.spawn_on(0, || {
                        started.send(()).unwrap();
                        fibra::shield_for(ms(50), fibra::park);
                    });
                });
            };
            handle.spawn_on(1, scope).detach();
            is_started.recv().unwrap();
        });
    });
}
