//! Tests waits in destructors while their fiber unwinds: they work, and other fibers are killed and
//! panic meanwhile.

use std::panic::{self, AssertUnwindSafe};

use fibra::channel::{self, Channel};
use fibra::{spawn, yield_now};

use crate::support::{Noisy, OnDrop, check, go, join_panic, log, ms, panic_of, run_virtually};

/// Every kind of wait that can end, in a form that ends.
const WAITS: &[(&str, fn())] = &[
    ("yield", || yield_now()),
    ("sleep", || fibra::sleep(ms(10))),
    ("park", || {
        let me = fibra::current();
        go(move || me.unpark());
        fibra::park();
    }),
    ("park_timeout", || fibra::park_timeout(ms(10))),
    ("park_deadline", || fibra::park_deadline(fibra::now() + ms(10))),
    ("join_timeout", || spawn(|| fibra::sleep(ms(5))).join_timeout(ms(10)).unwrap().unwrap()),
    ("join_deadline", || {
        let by = fibra::now() + ms(10);
        spawn(|| fibra::sleep(ms(5))).join_deadline(by).unwrap().unwrap();
    }),
    ("join_timeout that ends in time", || {
        let mut slow = spawn(|| fibra::sleep(ms(10)));
        assert!(slow.join_timeout(ms(5)).is_none());
        slow.join().unwrap();
    }),
    ("join", || spawn(|| fibra::sleep(ms(10))).join().unwrap()),
    ("join of a failure", || assert!(spawn(|| -> () { panic!("inner") }).join().is_err())),
    ("recv", || {
        let channel = Channel::new();
        let sender = channel.clone();
        go(move || sender.send(1));
        assert_eq!(channel.recv().unwrap(), 1);
    }),
    ("send", || {
        let channel = Channel::new();
        let receiver = channel.clone();
        go(move || receiver.recv());
        channel.send(1).unwrap();
    }),
    ("recv_timeout", || assert!(Channel::<()>::new().recv_timeout(ms(10)).is_err())),
    ("oneshot recv_deadline", || {
        let (_sender, mut receiver) = channel::oneshot::<()>();
        assert!(receiver.recv_deadline(fibra::now() + ms(10)).is_err());
    }),
    ("acquire_many_deadline", || {
        let semaphore = fibra::sync::Semaphore::new(1);
        assert!(semaphore.acquire_many_deadline(2, fibra::now() + ms(10)).is_err());
    }),
    ("a pool's join_deadline", || {
        let pool = fibra::pool::Pool::new(1);
        pool.spawn(|| fibra::sleep(ms(10))).detach();
        assert!(pool.join_deadline(fibra::now() + ms(5)).is_err());
        pool.join_deadline(fibra::now() + ms(50)).unwrap();
    }),
    ("bounded send", || {
        let (sender, receiver) = channel::bounded(0);
        go(move || receiver.recv());
        sender.send(1).unwrap();
    }),
    ("scope", || {
        let text = String::from("borrowed");
        fibra::scope(|s| {
            s.spawn(|| {
                fibra::sleep(ms(10));
                assert_eq!(text, "borrowed");
            });
        });
    }),
    ("spawn_now", || drop(fibra::spawn_now(yield_now))),
];

#[test]
fn every_kind_of_wait_works_in_a_destructor_of_a_panicking_fiber() {
    for &(name, wait) in WAITS {
        run_virtually(|| {
            let child = spawn(move || {
                let _waits = OnDrop(move || {
                    assert!(std::thread::panicking());
                    wait();
                    log(name);
                });
                panic!("outer");
            });
            assert_eq!(join_panic::<()>(child), "outer", "{name}");
            assert!(!std::thread::panicking());
            assert_eq!((fibra::stats().fibers, fibra::stats().timers), (1, 0), "{name}");
        });
        check(name);
    }
}

#[test]
fn every_kind_of_wait_works_in_a_destructor_of_a_killed_fiber() {
    for &(name, wait) in WAITS {
        run_virtually(|| {
            let child = spawn(move || {
                let _waits = OnDrop(move || {
                    wait();
                    wait();
                    log(name);
                });
                fibra::park();
            });
            yield_now();
            child.kill();
            assert!(child.join().unwrap_err().is_killed(), "{name}");
        });
        check(name);
    }
}

#[test]
fn others_panic_and_are_caught_while_a_fiber_waits_unwinding() {
    run_virtually(|| {
        let slow = spawn(|| {
            let _waits = OnDrop(|| fibra::sleep(ms(100)));
            panic!("slow");
        });
        yield_now();
        for i in 0..10 {
            fibra::sleep(ms(1));
            assert_eq!(join_panic(spawn(move || -> () { panic!("{i}") })), i.to_string());
            let caught = panic_of(|| {
                fibra::sleep(ms(1));
                panic!("caught {i}");
            });
            assert_eq!(caught, format!("caught {i}"));
        }
        assert!(!slow.is_finished());
        assert_eq!(join_panic::<()>(slow), "slow");
    });
}

#[test]
fn a_kill_that_comes_while_another_fiber_unwinds_is_late_and_not_lost() {
    run_virtually(|| {
        let start = fibra::now();
        let slow = spawn(|| {
            let _waits = OnDrop(|| fibra::sleep(ms(100)));
            panic!("slow");
        });
        let parked = ["park", "recv", "join"].map(|name| {
            spawn(move || {
                let _noisy = Noisy(name);
                match name {
                    "park" => fibra::park(),
                    "recv" => drop(Channel::<()>::new().recv()),
                    _ => drop(spawn(fibra::park).join()),
                }
            })
        });
        fibra::sleep(ms(1));
        parked.iter().for_each(fibra::JoinHandle::kill);
        for fiber in parked {
            assert!(fiber.join().unwrap_err().is_killed());
        }
        assert_eq!(fibra::now() - start, ms(100));
        assert_eq!(join_panic::<()>(slow), "slow");
    });
    check("park recv join");
}

#[test]
fn many_fibers_unwind_at_once_and_wait_in_turns() {
    run_virtually(|| {
        let fibers: Vec<_> = (0..100)
            .map(|i| {
                spawn(move || {
                    let _last = Noisy(i);
                    let _waits = OnDrop(move || {
                        (0..5).for_each(|n| fibra::sleep(ms((i * 7 + n) % 11)));
                    });
                    if i % 2 == 0 {
                        panic!("{i}");
                    }
                    fibra::park();
                })
            })
            .collect();
        yield_now();
        fibers.iter().for_each(fibra::JoinHandle::kill);
        for fiber in fibers {
            assert!(fiber.join().is_err());
        }
        assert!(!std::thread::panicking());
    });
}

#[test]
fn a_destructor_may_catch_panics_of_its_own_across_waits() {
    run_virtually(|| {
        let child = spawn(|| {
            let _careful = OnDrop(|| {
                for i in 0..3 {
                    let caught = panic::catch_unwind(AssertUnwindSafe(|| {
                        let _inner = OnDrop(|| fibra::sleep(ms(1)));
                        yield_now();
                        panic::resume_unwind(Box::new(i));
                    }));
                    log(caught.unwrap_err().downcast_ref::<i32>().unwrap());
                }
            });
            panic!("outer");
        });
        assert_eq!(join_panic::<()>(child), "outer");
    });
    check("0 1 2");
}

#[test]
fn a_deadlock_of_a_destructor_fails_a_wait_that_can_fail_and_spares_the_others() {
    fibra::run(|| {
        let child = spawn(|| {
            let _waits = OnDrop(|| {
                let received = Channel::<()>::new().recv();
                log(if received.is_err() { "recv failed" } else { "received" });
            });
            panic!("outer");
        });
        assert_eq!(join_panic::<()>(child), "outer");
    });
    check("recv failed");
}

#[test]
fn a_parked_destructor_that_nothing_can_wake_is_not_made_to_panic() {
    fibra::run(|| {
        let stuck = spawn(|| {
            let me = fibra::current();
            let _waits = OnDrop(move || {
                fibra::park();
                log("woken");
                drop(me.name());
            });
            panic!("outer");
        });
        let fiber = stuck.fiber().clone();
        // A panic in the destructor would abort: instead, this join fails.
        let mut stuck = stuck;
        let error = stuck.wait().unwrap_err();
        assert!(matches!(error, fibra::JoinError::Deadlock(_)), "{error}");
        fiber.unpark();
        assert_eq!(join_panic::<()>(stuck), "outer");
    });
    check("woken");
}
