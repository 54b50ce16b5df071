//! Tests `kill`: where it is raised, where it is not, and that it cannot be swallowed.

use std::panic::{self, AssertUnwindSafe};

use fibra::channel::{self, Channel};
use fibra::{JoinError, spawn, yield_now};

use crate::support::{HOUR, Noisy, OnDrop, apart, check, go, log, ms, run_virtually};

/// Every kind of wait, in a form that never ends by itself.
const WAITS: &[(&str, fn())] = &[
    ("yield", || {
        loop {
            yield_now();
        }
    }),
    ("park", fibra::park),
    ("park_timeout", || fibra::park_timeout(HOUR)),
    ("park_deadline", || fibra::park_deadline(fibra::now() + HOUR)),
    ("sleep", || fibra::sleep(HOUR)),
    ("sleep_until", || fibra::sleep_until(fibra::now() + HOUR)),
    ("join", || drop(spawn(fibra::park).join())),
    ("wait for a join", || drop(spawn(fibra::park).wait())),
    ("join_timeout", || drop(spawn(fibra::park).join_timeout(HOUR))),
    ("join_deadline", || drop(spawn(fibra::park).join_deadline(fibra::now() + HOUR))),
    ("send", || drop(Channel::new().send(Noisy("value")))),
    ("recv", || drop(Channel::<()>::new().recv())),
    ("send_timeout", || drop(Channel::new().send_timeout(Noisy("value"), HOUR))),
    ("recv_timeout", || assert!(Channel::<()>::new().recv_timeout(HOUR).is_err())),
    ("send_deadline", || drop(Channel::new().send_deadline(1, fibra::now() + HOUR))),
    ("recv_deadline", || assert!(Channel::<()>::new().recv_deadline(fibra::now() + HOUR).is_err())),
    ("iteration", || Channel::<()>::new().iter().for_each(drop)),
    ("bounded send", || {
        let (sender, _receiver) = channel::bounded(0);
        drop(sender.send(Noisy("value")));
    }),
    ("bounded recv", || {
        let (_sender, receiver) = channel::bounded::<()>(1);
        drop(receiver.recv());
    }),
    ("bounded send_timeout", || {
        let (sender, _receiver) = channel::bounded(0);
        drop(sender.send_timeout(Noisy("value"), HOUR));
    }),
    ("bounded recv_timeout", || {
        let (_sender, receiver) = channel::bounded::<()>(1);
        assert!(receiver.recv_timeout(HOUR).is_err());
    }),
    ("unbounded recv", || {
        let (_sender, receiver) = channel::unbounded::<()>();
        drop(receiver.recv());
    }),
    ("oneshot recv", || {
        let (_sender, receiver) = channel::oneshot::<()>();
        drop(receiver.recv());
    }),
    ("oneshot recv_timeout", || {
        let (_sender, mut receiver) = channel::oneshot::<()>();
        assert!(receiver.recv_timeout(HOUR).is_err());
    }),
    ("oneshot recv_deadline", || {
        let (_sender, mut receiver) = channel::oneshot::<()>();
        assert!(receiver.recv_deadline(fibra::now() + HOUR).is_err());
    }),
    ("acquire_many_deadline", || {
        let semaphore = fibra::sync::Semaphore::new(1);
        drop(semaphore.acquire_many_deadline(2, fibra::now() + HOUR).map(drop));
    }),
    ("a pool's join_timeout", || {
        let pool = fibra::pool::Pool::new(1);
        pool.spawn(fibra::park).detach();
        drop(pool.join_timeout(HOUR));
    }),
    ("a pool's join_deadline", || {
        let pool = fibra::pool::Pool::new(1);
        pool.spawn(fibra::park).detach();
        drop(pool.join_deadline(fibra::now() + HOUR));
    }),
    ("a group's join_deadline", || {
        let group = fibra::pool::Group::<()>::new();
        group.spawn(fibra::park);
        drop(group.join_deadline(fibra::now() + HOUR));
    }),
    ("wait_drained_deadline", || {
        let queue = fibra::pool::LifoQueue::new();
        queue.send(1).unwrap();
        drop(queue.wait_drained_deadline(fibra::now() + HOUR));
    }),
    ("a shared channel's receive_deadline", || {
        let channel = fibra::stackless::SharedChannel::<()>::new();
        drop(channel.receive_deadline(fibra::now() + HOUR));
    }),
    ("scope exit", || {
        fibra::scope(|s| drop(s.spawn(fibra::park)));
    }),
    ("nursery exit", || {
        fibra::nursery(|n| drop(n.spawn(fibra::park)));
    }),
    ("scope body", || {
        fibra::scope(|s| {
            drop(s.spawn(fibra::park));
            fibra::park();
        });
    }),
];

#[test]
fn a_kill_unwinds_every_kind_of_wait() {
    for &(name, wait) in WAITS {
        run_virtually(|| {
            let child = spawn(move || {
                let _outer = Noisy("outer");
                let _inner = Noisy("inner");
                wait();
                log(format!("'{name}' returned"));
            });
            yield_now();
            yield_now();
            assert!(!child.is_finished(), "'{name}' does not wait");
            child.kill();
            let error = child.join().unwrap_err();
            assert!(matches!(error, JoinError::Killed), "'{name}' ended with {error}");
            assert_eq!(fibra::stats().timers, 0, "'{name}' left a deadline behind");
        });
        match name {
            "send" | "send_timeout" | "bounded send" | "bounded send_timeout" => {
                check("value inner outer");
            }
            _ => check("inner outer"),
        }
    }
}

#[test]
fn the_destructor_of_a_value_that_was_not_sent_may_wait_itself() {
    fn slow() -> OnDrop<impl FnMut()> {
        OnDrop(|| {
            fibra::sleep(ms(10));
            log("value dropped");
        })
    }
    let sends: [(&str, fn()); 4] = [
        ("send", || drop(Channel::new().send(slow()))),
        ("send_timeout", || drop(Channel::new().send_timeout(slow(), HOUR))),
        ("bounded send", || {
            let (sender, _receiver) = channel::bounded(0);
            drop(sender.send(slow()));
        }),
        ("bounded send_timeout", || {
            let (sender, _receiver) = channel::bounded(0);
            drop(sender.send_timeout(slow(), HOUR));
        }),
    ];
    for (name, send) in sends {
        run_virtually(|| {
            let start = fibra::now();
            let child = spawn(send);
            yield_now();
            child.kill();
            assert!(child.join().unwrap_err().is_killed(), "{name}");
            assert_eq!(fibra::now() - start, ms(10), "{name}");
            assert_eq!(fibra::stats().timers, 0, "{name}");
        });
        check("value dropped");
    }
}

#[test]
fn a_killed_fiber_that_has_not_started_drops_its_closure_on_a_fiber() {
    fibra::run(|| {
        let main = fibra::current().id();
        let owned = OnDrop(move || {
            assert_ne!(fibra::current().id(), main);
            yield_now();
            log("closure dropped");
        });
        let child = spawn(move || {
            log("unreachable");
            drop(owned);
        });
        child.kill();
        check("");
        assert!(matches!(child.join(), Err(JoinError::Killed)));
    });
    check("closure dropped");
}

#[test]
fn killing_an_ended_fiber_changes_nothing() {
    fibra::run(|| {
        let child = spawn(|| 3);
        yield_now();
        child.kill();
        child.fiber().kill();
        assert_eq!(child.join().unwrap(), 3);
    });
}

#[test]
fn a_fiber_that_kills_itself_unwinds_immediately() {
    fibra::run(|| {
        let child = spawn(|| {
            let _unwound = Noisy("unwound");
            log("kills");
            fibra::current().kill();
            log("unreachable");
        });
        assert!(matches!(child.join(), Err(JoinError::Killed)));
    });
    check("kills unwound");
}

#[test]
fn killing_twice_is_like_killing_once() {
    fibra::run(|| {
        let child = spawn(|| {
            let _unwound = OnDrop(|| {
                log("unwinding");
                yield_now();
                log("unwound");
            });
            fibra::park();
        });
        yield_now();
        child.kill();
        child.kill();
        yield_now();
        child.kill();
        assert!(child.join().unwrap_err().is_killed());
    });
    check("unwinding unwound");
}

#[test]
fn a_fiber_that_ends_before_it_meets_its_kill_returns_its_output() {
    fibra::run(|| {
        let child = spawn(|| {
            let me = fibra::current();
            // Another fiber kills it while it runs: no wait is left that could raise the kill.
            let killer = fibra::spawn_now(move || me.kill());
            drop(killer);
            5
        });
        // `spawn_now` is such a wait, however: the kill is raised there.
        assert!(child.join().is_err());

        let child = spawn(|| {
            fibra::park();
            5
        });
        yield_now();
        child.fiber().unpark();
        child.kill();
        assert_eq!(child.join().unwrap(), 5);
    });
}

#[test]
fn a_completed_receive_beats_a_kill() {
    fibra::run(|| {
        let channel = Channel::new();
        channel.set_preference(channel::Preference::Neither);
        let receiver = channel.clone();
        let child = spawn(move || {
            let value: Noisy<&str> = receiver.recv().unwrap();
            log("received");
            drop(value);
            fibra::park();
            log("unreachable");
        });
        yield_now();
        channel.send(Noisy("value")).unwrap();
        child.kill();
        assert!(child.join().unwrap_err().is_killed());
    });
    check("received value");
}

#[test]
fn a_completed_send_and_a_completed_join_beat_a_kill() {
    fibra::run(|| {
        let channel = Channel::new();
        let sender = channel.clone();
        let child = spawn(move || {
            sender.send(1).unwrap();
            log("sent");
            fibra::park();
        });
        yield_now();
        assert_eq!(channel.recv().unwrap(), 1);
        child.kill();
        assert!(child.join().unwrap_err().is_killed());

        let quick = spawn(fibra::park);
        let quick_fiber = quick.fiber().clone();
        let child = spawn(move || {
            quick.join().unwrap();
            log("joined");
            fibra::park();
        });
        yield_now();
        let joiner = child.fiber().clone();
        quick_fiber.unpark();
        go(move || joiner.kill());
        assert!(child.join().unwrap_err().is_killed());
    });
    check("sent joined");
}

#[test]
fn a_kill_that_is_caught_is_met_again_at_the_next_wait() {
    fibra::run(|| {
        let child = spawn(|| {
            for i in 1..=3 {
                let caught = panic::catch_unwind(fibra::park);
                assert!(caught.is_err());
                log(format!("caught{i}"));
            }
            fibra::park();
            log("unreachable");
        });
        yield_now();
        child.kill();
        assert!(matches!(child.join(), Err(JoinError::Killed)));
    });
    check("caught1 caught2 caught3");
}

#[test]
fn a_fiber_that_catches_its_kill_and_returns_has_returned() {
    fibra::run(|| {
        let child = spawn(|| panic::catch_unwind(fibra::park).is_err());
        yield_now();
        child.kill();
        assert!(child.join().unwrap());
    });
}

#[test]
fn the_payload_of_a_kill_is_nothing_that_code_could_mistake_for_its_own() {
    fibra::run(|| {
        let child = spawn(|| {
            let payload = panic::catch_unwind(fibra::park).unwrap_err();
            assert!(!payload.is::<&str>() && !payload.is::<String>());
            panic::resume_unwind(payload);
        });
        yield_now();
        child.kill();
        assert!(matches!(child.join(), Err(JoinError::Killed)));
    });
}

#[test]
fn a_destructor_that_replaces_the_payload_does_not_hide_the_kill() {
    fibra::run(|| {
        let child = spawn(|| {
            if panic::catch_unwind(fibra::park).is_err() {
                panic::resume_unwind(Box::new("something else"));
            }
        });
        yield_now();
        child.kill();
        assert!(matches!(child.join(), Err(JoinError::Killed)));
    });
}

/// Spawns a worker that catches everything that its jobs raise, and waits for the next job.
fn catch_everything(wait: fn()) -> fibra::JoinHandle<()> {
    spawn(move || {
        let _never = Noisy("unreachable");
        loop {
            let _ = panic::catch_unwind(wait);
        }
    })
}

#[test]
fn join_reports_that_a_worker_which_catches_every_kill_was_abandoned() {
    apart(|| {
        let waits: [(&str, fn()); 6] = [
            ("yield", || yield_now()),
            ("park", || fibra::park()),
            ("sleep", || fibra::sleep(HOUR)),
            ("recv", || drop(Channel::<()>::new().recv())),
            ("recv_timeout", || assert!(Channel::<()>::new().recv_timeout(HOUR).is_err())),
            ("join", || drop(spawn(fibra::park).join())),
        ];
        for (name, wait) in waits {
            run_virtually(|| {
                let worker = catch_everything(wait);
                yield_now();
                yield_now();
                worker.kill();
                let fiber = worker.fiber().clone();
                let error = worker.join().unwrap_err();
                assert!(matches!(error, JoinError::Abandoned), "{name}: {error}");
                assert!(fiber.is_finished(), "{name}");
                assert_eq!(fiber.activity(), Some(fibra::Activity::Abandoned), "{name}");
                assert_eq!(fibra::stats().abandoned, 1, "{name}");
                assert_eq!(fibra::stats().timers, 0, "{name}");
                // Nothing reaches the fiber any more.
                fiber.unpark();
                fiber.kill();
                yield_now();
                assert_eq!(fiber.activity(), Some(fibra::Activity::Abandoned), "{name}");
            });
        }
        check("");
    });
}

#[test]
fn an_abandoned_fiber_is_reported_and_leaves_the_queue_in_which_it_waited() {
    let test = crate::support::name_of!(
        an_abandoned_fiber_is_reported_and_leaves_the_queue_in_which_it_waited
    );
    let output = crate::support::in_child(test, &[], || {
        fibra::run(|| {
            let channel = Channel::<i32>::new();
            let queue = channel.clone();
            let worker = fibra::Builder::new().name("worker").spawn(move || {
                loop {
                    let _ = panic::catch_unwind(AssertUnwindSafe(|| queue.recv()));
                }
            });
            yield_now();
            assert_eq!(channel.balance(), -1);
            worker.kill();
            assert!(matches!(worker.join(), Err(JoinError::Abandoned)));
            assert_eq!(channel.balance(), 0);
            assert!(channel.try_send(1).is_err());
        });
    });
    let text = crate::support::stderr(&output);
    assert!(text.ends_with(crate::support::DONE_LINE), "{text}");
    assert_eq!(text.matches("fiber 'worker' (#2)").count(), 1, "{text}");
    assert!(
        text.contains(
            "caught every kill and went on waiting. It never runs again, and its stack is kept"
        ),
        "{text}"
    );
}

#[test]
fn a_worker_that_catches_the_unwind_at_the_end_of_run_is_abandoned() {
    apart(|| {
        fibra::run(|| {
            go(|| {
                loop {
                    let _ = panic::catch_unwind(fibra::park);
                }
            });
            yield_now();
        });
    });
}

#[test]
fn a_shielded_fiber_meets_its_kill_after_the_shield() {
    run_virtually(|| {
        let child = spawn(|| {
            fibra::shield(|| {
                fibra::sleep(ms(10));
                log("slept");
                yield_now();
                fibra::checkpoint();
                log("shield ends");
            });
            fibra::checkpoint();
            log("unreachable");
        });
        yield_now();
        child.kill();
        yield_now();
        assert!(!child.is_finished());
        assert!(child.join().unwrap_err().is_killed());
    });
    check("slept shield ends");
}

#[test]
fn a_checkpoint_is_a_kill_point_that_lets_no_other_fiber_run() {
    fibra::run(|| {
        go(|| log("other"));
        fibra::checkpoint();
        check("");
        let child = spawn(|| {
            let me = fibra::current();
            fibra::shield(|| me.kill());
            log("still here");
            fibra::checkpoint();
            log("unreachable");
        });
        assert!(child.join().unwrap_err().is_killed());
    });
    check("other still here");
}

#[test]
fn a_kill_is_not_met_while_the_fiber_unwinds() {
    run_virtually(|| {
        let child = spawn(|| {
            let _cleaned_up = OnDrop(|| {
                log("destructor");
                fibra::sleep(ms(10));
                log("slept");
                yield_now();
                fibra::current().kill();
                fibra::checkpoint();
                log("done");
            });
            panic::resume_unwind(Box::new("failure"));
        });
        yield_now();
        child.kill();
        assert!(child.join().is_err());
    });
    check("destructor slept done");
}

#[test]
fn a_scope_ends_when_its_killed_parent_has_seen_all_children_unwind() {
    run_virtually(|| {
        let child = spawn(|| {
            let _outer = Noisy("parent");
            let borrowed = String::from("borrowed");
            fibra::scope(|s| {
                for n in [1, 2] {
                    let borrowed = &borrowed;
                    s.spawn(move || {
                        let _noisy = OnDrop(move || {
                            fibra::sleep(ms(n));
                            log(format!("{borrowed}{n}"));
                        });
                        fibra::park();
                    });
                }
            });
        });
        fibra::sleep(ms(1));
        child.kill();
        assert!(child.join().unwrap_err().is_killed());
    });
    check("borrowed1 borrowed2 parent");
}

#[test]
fn killing_main_makes_run_unwind_with_cancelled_after_everything_was_unwound() {
    let payload = panic::catch_unwind(|| {
        fibra::run(|| {
            let main = fibra::current();
            go(|| {
                let _noisy = Noisy("child");
                fibra::park();
            });
            go(move || main.kill());
            let _noisy = Noisy("main");
            fibra::park();
        });
    });
    let cancelled = payload.unwrap_err().downcast::<fibra::Killed>().unwrap();
    assert_eq!(cancelled.to_string(), "the main fiber was killed");
    check("main child");
}

#[test]
fn a_thousand_killed_fibers_all_unwind() {
    run_virtually(|| {
        let handles: Vec<_> = (0..1_000)
            .map(|i| {
                spawn(move || {
                    let _noisy = Noisy(i);
                    WAITS[1 + i % 5].1();
                })
            })
            .collect();
        yield_now();
        handles.iter().for_each(fibra::JoinHandle::kill);
        for handle in handles {
            assert!(handle.join().unwrap_err().is_killed());
        }
    });
    let all = (0..1_000).map(|i| i.to_string()).collect::<Vec<_>>();
    check(&all.join(" "));
}
