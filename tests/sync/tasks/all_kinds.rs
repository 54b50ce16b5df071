//! Tasks that wait for conditions, barriers, wait groups, promises and values that are made once,
//! beside fibers and threads.

use std::future::{Future, IntoFuture};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fibra::future::block_on;
use fibra::sync::{Barrier, Condvar, Mutex, Once, OnceCell, PromiseError, WaitGroup, promise};

use super::{poll, ready, try_poll, waker};
use crate::support::sync::thread;
use crate::support::{caught, ms, quiet_panic};

/// Runs `scene` on a plain thread, and in a fiber.
fn in_both_worlds(scene: impl Fn()) {
    scene();
    fibra::run(scene);
}

/// Asserts that a future may go to another thread.
fn sendable<F: Future + Send>(future: F) -> F {
    future
}

#[test]
fn a_task_waits_for_a_condition_and_gets_the_guard_back() {
    in_both_worlds(|| {
        let (count, changed) = (Mutex::new(0), Condvar::new());
        let mut wait = sendable(changed.wait_async(ready(&mut count.lock_async())));
        assert!(count.is_locked(), "until the first poll");
        assert!(try_poll(&mut wait).is_pending());
        assert!(!count.is_locked());
        *count.lock() = 1;
        changed.notify_one();
        let guard = ready(&mut wait);
        assert_eq!(*guard, 1);
        assert!(count.is_locked());
        drop((guard, wait));
        assert!(!count.is_locked());
    });
}

#[test]
fn a_task_waits_while_a_condition_holds() {
    let (count, changed) = (Arc::new(Mutex::new(0)), Arc::new(Condvar::new()));
    let (theirs, changes) = (count.clone(), changed.clone());
    let counts = thread(move || {
        fibra::run(|| {
            for _ in 0..10 {
                *theirs.lock() += 1;
                changes.notify_all();
                fibra::yield_now();
            }
        });
    });
    block_on(sendable(async {
        let count = count.lock_async().await;
        let count = changed.wait_while_async(count, |count| *count < 10).await;
        assert_eq!(*count, 10);
    }));
    counts.join().unwrap();
}

#[test]
fn notifications_reach_tasks_and_fibers_in_the_order_of_their_waits() {
    fibra::run(|| {
        let (lock, changed) = (Mutex::new(()), Condvar::new());
        let waits = || {
            let mut wait = changed.wait_async(ready(&mut lock.lock_async()));
            assert!(try_poll(&mut wait).is_pending());
            wait
        };
        let mut first = waits();
        fibra::scope(|s| {
            let second = s.spawn(|| drop(changed.wait(lock.lock())));
            fibra::yield_now();
            let mut third = waits();
            changed.notify_one();
            drop(ready(&mut first));
            changed.notify_one();
            second.join().unwrap();
            assert!(try_poll(&mut third).is_pending());
            changed.notify_one();
            drop(ready(&mut third));
        });
    });
}

#[test]
fn a_notification_of_a_dropped_future_goes_to_the_next() {
    in_both_worlds(|| {
        let (lock, changed) = (Mutex::new(()), Condvar::new());
        let waits = || {
            let mut wait = changed.wait_async(ready(&mut lock.lock_async()));
            assert!(try_poll(&mut wait).is_pending());
            wait
        };
        // Dropped in the queue, while it was notified, and while it locks the mutex.
        let (gone, notified, mut locking, mut last) = (waits(), waits(), waits(), waits());
        drop(gone);
        changed.notify_one();
        drop(notified);
        let guard = lock.lock();
        assert!(try_poll(&mut locking).is_pending(), "the mutex is locked");
        drop(locking);
        drop(guard);
        drop(ready(&mut last));
        assert!(!lock.is_locked());
        assert_eq!(format!("{changed:?}"), "Condvar { waiting: 0 }");
        // Never polled: the guard unlocks.
        drop(changed.wait_async(ready(&mut lock.lock_async())));
        assert!(!lock.is_locked());
    });
}

#[test]
fn tasks_fibers_and_threads_meet_at_a_barrier() {
    let barrier = Arc::new(Barrier::new(3));
    let (theirs, others) = (barrier.clone(), barrier.clone());
    let from_thread = thread(move || theirs.wait().is_leader());
    let from_fiber = thread(move || fibra::run(|| others.wait().is_leader()));
    let leads = block_on(sendable(barrier.wait_async())).is_leader();
    let leaders = [leads, from_thread.join().unwrap(), from_fiber.join().unwrap()];
    assert_eq!(leaders.iter().filter(|&&leads| leads).count(), 1);
}

#[test]
fn a_task_that_leaves_a_barrier_has_not_arrived() {
    in_both_worlds(|| {
        let barrier = Barrier::new(2);
        let mut leaves = barrier.wait_async();
        assert!(try_poll(&mut leaves).is_pending());
        drop(leaves);
        let (mut one, mut two) = (barrier.wait_async(), barrier.wait_async());
        assert!(try_poll(&mut one).is_pending());
        assert!(ready(&mut two).is_leader());
        assert!(!ready(&mut one).is_leader());
        assert!(caught(|| try_poll(&mut one).is_ready()), "it is over");
        // One that had arrived when it left counts.
        let (mut one, mut two) = (barrier.wait_async(), barrier.wait_async());
        assert!(try_poll(&mut one).is_pending());
        assert!(ready(&mut two).is_leader());
        drop(one);
        assert_eq!(format!("{barrier:?}"), "Barrier { parties: 2, waiting: 0 }");
        assert!(ready(&mut Barrier::new(1).wait_async()).is_leader());
    });
}

#[test]
fn a_task_waits_for_a_group_of_workers() {
    in_both_worlds(|| {
        let group = WaitGroup::new();
        ready(&mut group.wait_async());
        let workers = [group.worker(), group.worker()];
        let (mut waits, mut leaves) = (sendable(group.wait_async()), group.wait_async());
        assert!(try_poll(&mut waits).is_pending() && try_poll(&mut leaves).is_pending());
        drop(leaves);
        drop(workers);
        let _later = group.worker();
        ready(&mut waits);
        assert_eq!(format!("{group:?}"), "WaitGroup { workers: 1, waiting: 0 }");
    });
}

#[test]
fn any_number_of_tasks_wait_for_a_promise() {
    in_both_worlds(|| {
        let (promise, promised) = promise();
        let mut waits = [(); 3].map(|()| sendable(promised.wait_async()));
        waits.iter_mut().for_each(|wait| assert!(try_poll(wait).is_pending()));
        let count = Arc::new(AtomicUsize::new(0));
        let counts = count.clone();
        let counter = waker(move || {
            counts.fetch_add(1, Ordering::Relaxed);
        });
        waits.iter_mut().for_each(|wait| assert!(poll(wait, &counter).is_pending()));
        promise.set("kept");
        fibra::in_fiber().then(|| fibra::sleep(ms(1)));
        assert_eq!(count.load(Ordering::Relaxed), 3);
        waits.iter_mut().for_each(|wait| assert_eq!(ready(wait), Ok(&"kept")));
        assert_eq!(block_on((&promised).into_future()), Ok(&"kept"));

        let (broken, promised) = fibra::sync::promise::<u32>();
        let mut wait = promised.wait_async();
        assert!(try_poll(&mut wait).is_pending());
        drop(broken);
        assert_eq!(ready(&mut wait), Err(PromiseError::Broken));
    });
}

#[test]
fn a_task_waits_for_a_once() {
    in_both_worlds(|| {
        let once = Once::new();
        let mut waits = pin!(sendable(once.wait_async()));
        let mut gone = Box::pin(once.wait_async());
        assert!(try_poll(&mut waits).is_pending() && try_poll(&mut gone).is_pending());
        drop(gone);
        once.call_once(|| ());
        ready(&mut waits);
    });
}

#[test]
fn one_of_many_makes_the_value_of_a_cell() {
    let cell = Arc::new(OnceCell::new());
    let made = Arc::new(AtomicUsize::new(0));
    let others = (0..4).map(|n| {
        let (cell, made) = (cell.clone(), made.clone());
        thread(move || match n {
            0 => *cell.get_or_init(|| made.fetch_add(1, Ordering::Relaxed)),
            1 => fibra::run(|| *cell.get_or_init(|| made.fetch_add(1, Ordering::Relaxed))),
            _ => block_on(async {
                let make = || async {
                    later().await;
                    made.fetch_add(1, Ordering::Relaxed)
                };
                *cell.get_or_init_async(make).await
            }),
        })
    });
    let others: Vec<_> = others.collect();
    assert_eq!(block_on(sendable(cell.wait_async())), &0);
    others.into_iter().for_each(|other| assert_eq!(other.join().unwrap(), 0));
    assert_eq!(made.load(Ordering::Relaxed), 1);
}

/// Returns a future that is ready when it is polled for the second time.
fn later() -> impl Future<Output = ()> + Send {
    let mut polled = false;
    std::future::poll_fn(move |cx| {
        if std::mem::replace(&mut polled, true) {
            return std::task::Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    })
}

#[test]
fn the_turn_of_a_dropped_or_failed_future_goes_to_the_next_caller() {
    in_both_worlds(|| {
        let cell = OnceCell::new();
        let never = || std::future::pending::<u32>();
        let mut makes = Box::pin(cell.get_or_init_async(never));
        assert!(try_poll(&mut makes).is_pending());
        let fails = || async { Err::<u32, _>("no value") };
        let mut next = Box::pin(cell.get_or_try_init_async(fails));
        let mut gone = Box::pin(cell.get_or_init_async(never));
        let mut last = Box::pin(cell.get_or_init_async(|| async { 7 }));
        let mut watches = Box::pin(cell.wait_async());
        assert!(try_poll(&mut next).is_pending() && try_poll(&mut gone).is_pending());
        assert!(try_poll(&mut last).is_pending() && try_poll(&mut watches).is_pending());
        drop(makes); // in its turn
        assert_eq!(ready(&mut next), Err("no value")); // the turn goes to `gone`
        drop(gone); // before it has seen its turn
        assert!(try_poll(&mut watches).is_pending());
        assert_eq!(ready(&mut last), &7);
        assert_eq!(ready(&mut watches), &7);
        assert_eq!(ready(&mut Box::pin(cell.get_or_init_async(never))), &7);
    });
}

#[test]
fn a_fiber_takes_the_turn_of_a_task_that_panics() {
    fibra::run(|| {
        let cell = OnceCell::new();
        let fails = || async {
            fibra::yield_now();
            quiet_panic("no value");
        };
        fibra::scope(|s| {
            let task = s.spawn(|| caught(|| block_on(cell.get_or_init_async(fails))));
            fibra::yield_now();
            let fiber = s.spawn(|| *cell.get_or_init(|| 7));
            assert_eq!((task.join(), fiber.join()), (Ok(true), Ok(7)));
        });
    });
}
