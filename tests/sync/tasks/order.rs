//! The order in which tasks, fibers and threads are served.

use std::sync::Arc;

use fibra::future::block_on;
use fibra::sync::{Event, Mutex, RwLock, Semaphore, mpmc};

use super::{ready, try_poll};
use crate::support::{check, log};

#[test]
fn tasks_and_fibers_get_a_lock_in_the_order_in_which_they_came() {
    fibra::run(|| {
        let mutex = Arc::new(Mutex::new(()));
        let guard = mutex.lock();
        let all: Vec<_> = (0..6)
            .map(|n| {
                let mutex = mutex.clone();
                fibra::spawn(move || {
                    if n % 2 == 0 {
                        let _guard = mutex.lock();
                        log(format_args!("fiber-{n}"));
                        fibra::yield_now();
                    } else {
                        block_on(async {
                            let _guard = mutex.lock_async().await;
                            log(format_args!("task-{n}"));
                            fibra::yield_now();
                        });
                    }
                })
            })
            .collect();
        fibra::yield_now();
        log("release");
        drop(guard);
        // A newcomer does not overtake.
        drop(mutex.lock());
        log("main");
        all.into_iter().for_each(|fiber| fiber.join().unwrap());
    });
    check("release fiber-0 task-1 fiber-2 task-3 fiber-4 task-5 main");
}

#[test]
fn two_tasks_of_one_thread_wait_for_one_lock() {
    let mutex = Mutex::new(0);
    let (mut one, mut two) = (mutex.lock_async(), mutex.lock_async());
    let guard = ready(&mut one);
    assert!(try_poll(&mut two).is_pending());
    // The thread itself is not the owner: it waits like any other, and does not panic.
    assert!(mutex.lock_timeout(std::time::Duration::from_millis(2)).unwrap_err().is_timeout());
    drop(guard);
    *ready(&mut two) += 1;
    assert_eq!(*mutex.lock(), 1);
    assert_eq!(format!("{mutex:?}"), "Mutex { data: 1, .. }");
    let _guard = ready(&mut mutex.lock_async());
    assert!(format!("{mutex:?}").contains("owner: Some(a task)"));
}

#[test]
fn two_tasks_of_one_fiber_wait_for_one_lock() {
    fibra::run(|| {
        let mutex = Mutex::new(Vec::new());
        let push = |n| {
            let mutex = &mutex;
            async move {
                let mut list = mutex.lock_async().await;
                futures_lite::future::yield_now().await;
                list.push(n);
            }
        };
        block_on(futures_lite::future::zip(push(1), push(2)));
        assert_eq!(*mutex.lock(), [1, 2]);
    });
}

#[test]
fn a_writer_that_is_a_task_is_not_overtaken_by_readers() {
    let lock = RwLock::new(5);
    let first = lock.read();
    let mut shared = lock.read_async();
    let second = ready(&mut shared);
    let (mut writer, mut reader) = (lock.write_async(), lock.read_async());
    assert!(try_poll(&mut writer).is_pending());
    assert!(try_poll(&mut reader).is_pending());
    drop(first);
    assert!(try_poll(&mut writer).is_pending());
    drop(second);
    let mut guard = ready(&mut writer);
    *guard += 1;
    assert!(try_poll(&mut reader).is_pending());
    drop(guard);
    assert_eq!(*ready(&mut reader), 6);
    assert!(!lock.is_locked() || lock.try_write().is_some());
}

#[test]
fn a_large_request_of_a_task_is_not_overtaken_by_small_ones() {
    let semaphore = Semaphore::new(2);
    let one = semaphore.acquire();
    let mut both = semaphore.acquire_many_async(2);
    let mut small = semaphore.acquire_async();
    assert!(try_poll(&mut both).is_pending() && try_poll(&mut small).is_pending());
    assert!(semaphore.try_acquire().is_none());
    drop(one);
    let permit = ready(&mut both).unwrap();
    assert_eq!(permit.permits(), 2);
    assert!(try_poll(&mut small).is_pending());
    drop(permit);
    assert_eq!(ready(&mut small).unwrap().permits(), 1);
    assert_eq!(semaphore.available(), 2);
}

#[test]
fn a_closed_semaphore_fails_all_tasks() {
    let semaphore = Semaphore::new(0);
    let mut waits = semaphore.acquire_async();
    assert!(try_poll(&mut waits).is_pending());
    semaphore.close();
    assert!(ready(&mut waits).unwrap_err().is_closed());
    assert!(ready(&mut semaphore.acquire_async()).unwrap_err().is_closed());
}

#[test]
fn a_task_sees_an_event_that_was_cleared_again() {
    let event = Event::new();
    let mut waits = event.wait_async();
    let mut late = event.wait_async();
    assert!(try_poll(&mut waits).is_pending());
    event.set();
    event.clear();
    ready(&mut waits);
    assert!(try_poll(&mut late).is_pending());
    event.set();
    ready(&mut late);
}

#[test]
fn tasks_and_fibers_receive_in_the_order_in_which_they_came() {
    fibra::run(|| {
        for capacity in [0, 1, 4] {
            let (sender, receiver) = mpmc::bounded(capacity);
            let all: Vec<_> = (0..4)
                .map(|n| {
                    let receiver = receiver.clone();
                    fibra::spawn(move || {
                        let value = if n % 2 == 0 {
                            receiver.recv()
                        } else {
                            block_on(receiver.recv_async())
                        };
                        log(format_args!("{n}:{}", value.unwrap()));
                    })
                })
                .collect();
            fibra::yield_now();
            block_on(async {
                for value in 'a'..='d' {
                    sender.send_async(value).await.unwrap();
                }
            });
            all.into_iter().for_each(|fiber| fiber.join().unwrap());
        }
    });
    check("0:a 1:b 2:c 3:d 0:a 1:b 2:c 3:d 0:a 1:b 2:c 3:d");
}

#[test]
fn tasks_and_fibers_send_in_the_order_in_which_they_came() {
    fibra::run(|| {
        let (sender, receiver) = mpmc::bounded(1);
        sender.send(0).unwrap();
        let all: Vec<_> = (1..=4)
            .map(|n| {
                let sender = sender.clone();
                fibra::spawn(move || {
                    if n % 2 == 0 {
                        sender.send(n).unwrap();
                    } else {
                        block_on(sender.send_async(n)).unwrap();
                    }
                })
            })
            .collect();
        fibra::yield_now();
        drop(sender);
        assert_eq!(receiver.iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        all.into_iter().for_each(|fiber| fiber.join().unwrap());
    });
}

#[test]
fn a_closed_channel_ends_the_waits_of_tasks() {
    let (sender, receiver) = mpmc::bounded::<u8>(1);
    let other = receiver.clone();
    let mut waits = other.recv_async();
    assert!(try_poll(&mut waits).is_pending());
    drop(sender);
    assert!(ready(&mut waits).unwrap_err().is_closed());
    assert!(ready(&mut receiver.recv_async()).unwrap_err().is_closed());

    let (sender, receiver) = mpmc::bounded(1);
    sender.send(1).unwrap();
    let mut waits = sender.send_async(2);
    assert!(try_poll(&mut waits).is_pending());
    drop(receiver);
    assert_eq!(ready(&mut waits).unwrap_err().into_inner(), 2);
    assert_eq!(ready(&mut sender.send_async(3)).unwrap_err().into_inner(), 3);
}

#[test]
#[should_panic(expected = "polled again after it was ready")]
fn a_lock_is_not_given_twice_by_one_future() {
    let mutex = Mutex::new(());
    let mut lock = mutex.lock_async();
    drop(ready(&mut lock));
    let _ = try_poll(&mut lock);
}
