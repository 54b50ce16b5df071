//! Tests the waits of the core that have a time limit: they end in time, and leave nothing
//! behind.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use fibra::JoinError;
use fibra::channel::{Channel, bounded, oneshot};
use fibra::pool::{DrainTimeoutError, Group, JoinTimeoutError, LifoQueue, Pool};
use fibra::process::Command;
use fibra::signal::{Signal, Signals};
use fibra::stackless::SharedChannel;
use fibra::sync::{Mutex, Semaphore, TimeoutError, mpmc};
use fibra::{spawn, yield_now};

use crate::support::{HOUR, ms, run_virtually};

#[test]
fn a_join_that_times_out_leaves_the_fiber_joinable() {
    run_virtually(|| {
        let start = fibra::now();
        let mut slow = spawn(|| {
            fibra::sleep(ms(30));
            "done"
        });
        assert!(slow.join_timeout(ms(10)).is_none());
        assert_eq!(fibra::now() - start, ms(10));
        assert!(slow.join_deadline(start + ms(20)).is_none());
        assert_eq!(fibra::now() - start, ms(20));
        assert_eq!(fibra::stats().timers, 1, "a join left its deadline behind");
        assert_eq!(slow.join_timeout(HOUR).unwrap().unwrap(), "done");
        assert_eq!(fibra::now() - start, ms(30));
        assert_eq!(fibra::stats().timers, 0);
        assert!(matches!(slow.join_timeout(HOUR), Some(Err(JoinError::Taken))));
    });
}

#[test]
fn a_join_of_a_scoped_fiber_that_times_out_leaves_it_joinable() {
    run_virtually(|| {
        let (start, word) = (fibra::now(), String::from("borrowed"));
        fibra::scope(|scope| {
            let mut slow = scope.spawn(|| {
                fibra::sleep(ms(30));
                &word[..]
            });
            assert!(slow.join_timeout(ms(10)).is_none());
            assert!(slow.join_deadline(start + ms(20)).is_none());
            assert_eq!(fibra::now() - start, ms(20));
            assert_eq!(slow.join_timeout(HOUR).unwrap().unwrap(), "borrowed");
        });
    });
}

#[test]
fn a_join_whose_deadline_has_passed_still_takes_the_output_of_an_ended_fiber() {
    run_virtually(|| {
        let before = fibra::now();
        let mut ended = spawn(|| 7);
        yield_now();
        fibra::sleep(ms(1));
        assert_eq!(ended.join_deadline(before).unwrap().unwrap(), 7);
    });
}

#[test]
fn a_join_with_a_time_limit_reports_what_a_join_reports() {
    run_virtually(|| {
        let mut killed = spawn(fibra::park);
        yield_now();
        killed.kill();
        assert!(killed.join_timeout(HOUR).unwrap().unwrap_err().is_killed());

        // It parks first: a deadlock fails the wait of the fiber that ran last.
        let mut stuck = spawn(fibra::park);
        yield_now();
        let error = stuck.join_timeout(std::time::Duration::MAX).unwrap().unwrap_err();
        assert!(error.is_deadlock(), "{error}");
    });
}

#[test]
fn a_park_ends_at_its_deadline_or_at_an_unpark() {
    run_virtually(|| {
        let start = fibra::now();
        fibra::park_deadline(start + ms(5));
        assert_eq!(fibra::now() - start, ms(5));
        fibra::park_deadline(start);
        assert_eq!(fibra::now() - start, ms(5));

        let me = fibra::current();
        drop(spawn(move || {
            fibra::sleep(ms(2));
            me.unpark();
        }));
        fibra::park_deadline(start + HOUR);
        assert_eq!(fibra::now() - start, ms(7));
        assert_eq!(fibra::stats().timers, 0);
    });
}

#[test]
fn a_oneshot_can_be_received_until_a_deadline() {
    run_virtually(|| {
        let start = fibra::now();
        let (sender, mut receiver) = oneshot();
        assert!(receiver.recv_deadline(start + ms(3)).unwrap_err().is_timeout());
        assert_eq!(fibra::now() - start, ms(3));
        sender.send(4).unwrap();
        assert_eq!(receiver.recv_deadline(start), Ok(4));
    });
}

#[test]
fn several_permits_can_be_acquired_until_a_deadline() {
    run_virtually(|| {
        let semaphore = Semaphore::new(2);
        let start = fibra::now();
        let two = semaphore.acquire_many_deadline(2, start + ms(1)).unwrap();
        let error = semaphore.acquire_many_deadline(2, start + ms(4)).map(drop);
        assert_eq!((error, fibra::now() - start), (Err(TimeoutError::Timeout), ms(4)));
        drop(two);
        assert_eq!(semaphore.acquire_many_deadline(2, start).unwrap().permits(), 2);
    });
}

#[test]
fn a_pool_and_a_group_can_be_joined_until_a_deadline() {
    run_virtually(|| {
        let start = fibra::now();
        let pool = Pool::new(2);
        let slow = pool.spawn(|| fibra::sleep(ms(30)));
        assert_eq!(pool.join_deadline(start + ms(10)), Err(JoinTimeoutError::Timeout));
        assert_eq!(pool.join_deadline(start), Err(JoinTimeoutError::Timeout));
        assert_eq!((fibra::now() - start, fibra::stats().timers), (ms(10), 1));
        assert!(pool.try_spawn(|| ()).unwrap_err().is_closed());
        assert_eq!(pool.join_deadline(start + HOUR), Ok(()));
        assert_eq!(pool.join_deadline(start), Ok(()));
        assert_eq!((fibra::now() - start, fibra::stats().timers), (ms(30), 0));
        slow.join().unwrap();

        let group = Group::new();
        group.spawn(|| fibra::sleep(ms(10)));
        assert_eq!(group.join_deadline(start + ms(35)), Err(JoinTimeoutError::Timeout));
        assert_eq!(group.join_deadline(start + HOUR), Ok(()));
        assert_eq!((fibra::now() - start, fibra::stats().timers), (ms(40), 0));
        assert!(group.next().unwrap().is_ok());
    });
}

#[test]
fn the_end_of_the_work_in_a_queue_can_be_awaited_until_a_deadline() {
    run_virtually(|| {
        let start = fibra::now();
        let queue = LifoQueue::new();
        queue.send(1).unwrap();
        assert_eq!(queue.wait_drained_deadline(start + ms(5)), Err(DrainTimeoutError::Timeout));
        let worker = queue.clone();
        drop(spawn(move || {
            let task = worker.recv_task();
            fibra::sleep(ms(5));
            drop(task);
        }));
        assert!(queue.wait_drained_deadline(start + HOUR).is_ok());
        assert!(queue.wait_drained_deadline(start).is_ok());
        assert_eq!((fibra::now() - start, fibra::stats().timers), (ms(10), 0));
    });
}

#[test]
#[allow(clippy::disallowed_methods, reason = "also on a plain thread")]
fn a_signal_and_the_end_of_a_child_can_be_awaited_until_a_deadline() {
    let wait = || -> io::Result<()> {
        let soon = || Instant::now() + ms(5);
        let signals = Signals::new(&[Signal::SIGWINCH])?;
        assert_eq!(signals.recv_deadline(soon()).unwrap_err().kind(), io::ErrorKind::TimedOut);
        let mut child = Command::new("sleep").arg("1000").kill_on_drop(true).spawn()?;
        for at in [soon(), Instant::now()] {
            let late = child.wait_deadline(at).unwrap_err();
            assert_eq!(late.kind(), io::ErrorKind::TimedOut);
        }
        child.kill()?;
        assert!(!child.wait_deadline(Instant::now() + HOUR)?.success());
        assert!(!child.wait_deadline(Instant::now())?.success(), "the status is kept");
        Ok(())
    };
    wait().unwrap();
    fibra::run(wait).unwrap();
}

type Form = (&'static str, fn(Instant) -> bool);

/// The waits with a deadline. Each waits for something that never happens, and returns whether its
/// time was over.
const FORMS: &[Form] = &[
    ("park_deadline", |at| {
        fibra::park_deadline(at);
        at <= fibra::now()
    }),
    ("join_deadline", |at| {
        let mut parked = spawn(fibra::park);
        let is_late = parked.join_deadline(at).is_none();
        parked.kill();
        is_late
    }),
    ("Channel::recv_deadline", |at| Channel::<()>::new().recv_deadline(at).is_err()),
    ("Channel::send_deadline", |at| Channel::new().send_deadline(1, at).is_err()),
    ("bounded recv_deadline", |at| {
        let (_sender, receiver) = bounded::<()>(1);
        receiver.recv_deadline(at).unwrap_err().is_timeout()
    }),
    ("bounded send_deadline", |at| {
        let (sender, _receiver) = bounded(0);
        sender.send_deadline(1, at).unwrap_err().is_timeout()
    }),
    ("oneshot recv_deadline", |at| {
        let (_sender, mut receiver) = oneshot::<()>();
        receiver.recv_deadline(at).unwrap_err().is_timeout()
    }),
    ("SharedChannel::receive_deadline", |at| {
        SharedChannel::<()>::new().receive_deadline(at).is_err()
    }),
    ("SharedChannel::send_deadline", |at| SharedChannel::new().send_deadline(1, at).is_err()),
    ("mpmc recv_deadline", |at| {
        let (_sender, receiver) = mpmc::bounded::<()>(1);
        receiver.recv_deadline(at).unwrap_err().is_timeout()
    }),
    ("mpmc send_deadline", |at| {
        let (sender, _receiver) = mpmc::bounded(1);
        sender.send(1).unwrap();
        sender.send_deadline(2, at).unwrap_err().is_timeout()
    }),
    ("lock_deadline", |at| {
        let mutex = Mutex::new(());
        let _guard = mutex.lock();
        mutex.lock_deadline(at).is_err()
    }),
    ("acquire_many_deadline", |at| {
        Semaphore::new(1).acquire_many_deadline(2, at).map(drop) == Err(TimeoutError::Timeout)
    }),
    ("Pool::join_deadline", |at| {
        let pool = Pool::new(1);
        let parked = pool.spawn(fibra::park);
        let is_late = pool.join_deadline(at).unwrap_err().is_timeout();
        parked.kill();
        is_late
    }),
    ("Group::join_deadline", |at| {
        let group = Group::<()>::new();
        let parked = group.spawn(fibra::park);
        let is_late = group.join_deadline(at).unwrap_err().is_timeout();
        parked.kill();
        is_late
    }),
    ("WorkQueue::recv_deadline", |at| LifoQueue::<()>::new().recv_deadline(at).is_err()),
    ("WorkQueue::wait_drained_deadline", |at| {
        let queue = LifoQueue::new();
        queue.send(1).unwrap();
        queue.wait_drained_deadline(at).unwrap_err().is_timeout()
    }),
];

#[test]
fn a_deadline_that_has_passed_ends_each_wait_in_no_time() {
    for &(name, wait) in FORMS {
        run_virtually(|| {
            let start = fibra::now();
            fibra::sleep(ms(10));
            for at in [start, start + ms(10), start.checked_sub(HOUR).unwrap_or(start)] {
                assert!(wait(at), "{name}");
            }
            assert_eq!(fibra::now() - start, ms(10), "{name}");
            assert_eq!(fibra::stats().timers, 0, "{name}");
        });
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the first instant of a search")]
fn a_deadline_that_the_clock_cannot_show_ends_no_wait() {
    let mut far = Instant::now();
    for bit in (0..63).rev() {
        far = far.checked_add(Duration::from_secs(1 << bit)).unwrap_or(far);
    }
    for &(name, wait) in FORMS {
        run_virtually(|| {
            let start = fibra::now();
            let limited = fibra::time::timeout(ms(5), || wait(far));
            assert!(limited.is_err(), "{name}");
            assert_eq!(fibra::now() - start, ms(5), "{name}");
            assert_eq!(fibra::stats().timers, 0, "{name}");
        });
    }
}

#[test]
fn a_join_that_has_timed_out_or_was_killed_leaves_no_joiner_behind() {
    run_virtually(|| {
        let slow = Rc::new(RefCell::new(spawn(|| {
            fibra::sleep(ms(30));
            "done"
        })));
        let (late, killed) = (slow.clone(), slow.clone());
        let late = spawn(move || late.borrow_mut().join_timeout(ms(5)).is_none());
        assert!(late.join().unwrap());
        let killed = spawn(move || killed.borrow_mut().join_timeout(HOUR).is_none());
        yield_now();
        killed.kill();
        assert!(killed.join().unwrap_err().is_killed());
        // The records of both fibers are free, and may be used again.
        let others: Vec<_> = (0..10).map(|_| spawn(|| fibra::park_timeout(ms(50)))).collect();
        yield_now();
        let mut handle = slow.borrow_mut();
        assert_eq!(handle.join_timeout(HOUR).unwrap().unwrap(), "done");
        assert!(others.iter().all(|other| !other.is_finished()));
    });
}
