//! Futures that are dropped or forgotten before, while and after they wait: nothing is lost.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fibra::sync::{Event, Mutex, RwLock, Semaphore, mpmc};

use super::{poll, ready, try_poll, waker};
use crate::support::sync::thread;
use crate::support::{check, log};

/// Returns a waker that counts its calls.
fn counter() -> (std::task::Waker, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let counts = waker(move || {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    (counts, count)
}

#[test]
fn a_dropped_future_of_a_mutex_passes_the_lock_on() {
    let mutex = Mutex::new(());
    let (wakes, count) = counter();
    drop(mutex.lock_async()); // never polled
    let guard = mutex.lock();
    let mut futures = [(); 4].map(|()| mutex.lock_async()).into_iter();
    let [mut waits, mut served, mut next, last] = [(); 4].map(|()| futures.next().unwrap());
    for future in [&mut waits, &mut served, &mut next] {
        assert!(poll(future, &wakes).is_pending());
    }
    drop(last);
    drop(waits); // in the queue
    drop(guard); // hands over to `served`
    assert_eq!(count.load(Ordering::Relaxed), 1);
    assert!(mutex.is_locked() && mutex.try_lock().is_none());
    drop(served); // and it passes the lock on
    assert_eq!(count.load(Ordering::Relaxed), 2);
    drop(ready(&mut next));
    assert!(!mutex.is_locked());
}

#[test]
fn a_dropped_future_of_a_read_write_lock_passes_the_lock_on() {
    let lock = RwLock::new(());
    let guard = lock.write();
    let (mut writer, mut reader, mut other) =
        (lock.write_async(), lock.read_async(), lock.read_async());
    assert!(try_poll(&mut writer).is_pending());
    assert!(try_poll(&mut reader).is_pending());
    assert!(try_poll(&mut other).is_pending());
    drop(guard);
    drop(writer); // the writer of the lock: both readers get it
    drop(reader);
    assert!(lock.try_write().is_none());
    drop(ready(&mut other));
    assert!(lock.try_write().is_some());

    // A writer that leaves the queue admits the readers behind it.
    let first = lock.read();
    let mut writer = lock.write_async();
    let mut reader = lock.read_async();
    assert!(try_poll(&mut writer).is_pending() && try_poll(&mut reader).is_pending());
    drop(writer);
    let second = ready(&mut reader);
    drop((first, second));
    assert!(!lock.is_locked());
}

#[test]
fn a_dropped_future_of_a_semaphore_gives_its_permits_back() {
    let semaphore = Semaphore::new(2);
    let permit = semaphore.acquire_many(2);
    let (mut large, mut small) = (semaphore.acquire_many_async(2), semaphore.acquire_async());
    assert!(try_poll(&mut large).is_pending() && try_poll(&mut small).is_pending());
    drop(permit); // serves `large`
    assert_eq!(semaphore.available(), 0);
    drop(large); // serves `small`
    assert_eq!(semaphore.available(), 1);
    drop(small);
    assert_eq!(semaphore.available(), 2);

    // A large request that leaves the queue lets the small ones behind it pass.
    let permit = semaphore.acquire();
    let (mut large, mut small) = (semaphore.acquire_many_async(2), semaphore.acquire_async());
    assert!(try_poll(&mut large).is_pending() && try_poll(&mut small).is_pending());
    drop(large);
    drop(ready(&mut small));
    drop(permit);
    assert_eq!(semaphore.available(), 2);
}

#[test]
fn a_dropped_future_of_an_event_leaves_the_queue() {
    let event = Event::new();
    let mut waits = event.wait_async();
    assert!(try_poll(&mut waits).is_pending());
    assert_eq!(format!("{event:?}"), "Event { is_set: false, waiting: 1 }");
    drop(waits);
    assert_eq!(format!("{event:?}"), "Event { is_set: false, waiting: 0 }");
}

#[test]
fn a_received_value_of_a_dropped_future_goes_to_the_next_receiver() {
    for capacity in [0, 1, 8, usize::MAX] {
        let (sender, receiver) = mpmc::bounded(capacity);
        let (mut one, mut two) = (receiver.recv_async(), receiver.recv_async());
        assert!(try_poll(&mut one).is_pending() && try_poll(&mut two).is_pending());
        sender.try_send("first").unwrap();
        drop(one);
        assert_eq!(ready(&mut two), Ok("first"));
        assert!(try_poll(&mut two).is_pending()); // it receives again
        drop(two);
        assert_eq!(receiver.len(), 0);
    }
}

#[test]
fn a_received_value_of_a_dropped_future_goes_back_to_the_front() {
    for capacity in [0, 1, 2, 8, usize::MAX] {
        for by_two_threads in [false, true] {
            let (sender, receiver) = mpmc::bounded(capacity);
            if by_two_threads {
                // From now on there is a ring, if the channel is large enough.
                let receiver = receiver.clone();
                thread(move || receiver.try_recv()).join().unwrap().unwrap_err();
            }
            let mut one = receiver.recv_async();
            assert!(try_poll(&mut one).is_pending());
            sender.try_send(1).unwrap();
            let mut sent = vec![1];
            (2..=3).for_each(|n| {
                if sender.try_send(n).is_ok() {
                    sent.push(n)
                }
            });
            drop(one);
            assert_eq!(receiver.len(), sent.len());
            sender.try_send(4).ok().into_iter().for_each(|()| sent.push(4));
            drop(sender);
            assert_eq!(receiver.iter().collect::<Vec<_>>(), sent, "{capacity} {by_two_threads}");
        }
    }
}

#[test]
fn a_value_that_was_put_back_is_dropped_with_the_channel() {
    let value = Arc::new(());
    let (sender, receiver) = mpmc::bounded(8);
    let there = sender.clone();
    let sent = value.clone();
    let mut receive = receiver.recv_async();
    assert!(try_poll(&mut receive).is_pending());
    thread(move || there.send(sent).unwrap()).join().unwrap();
    drop(receive);
    assert_eq!((receiver.len(), Arc::strong_count(&value)), (1, 2));
    drop(receiver);
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn a_cancelled_send_gives_its_value_back_at_each_stage() {
    let (sender, receiver) = mpmc::bounded(1);
    assert_eq!(sender.send_async(0).into_inner(), Some(0));
    sender.send(1).unwrap();
    let (mut two, mut three) = (sender.send_async(2), sender.send_async(3));
    assert!(try_poll(&mut two).is_pending() && try_poll(&mut three).is_pending());
    assert_eq!(two.into_inner(), Some(2));
    assert_eq!(receiver.recv(), Ok(1));
    // `three` was sent, although its future has not seen it.
    assert_eq!(three.into_inner(), None);
    assert_eq!(receiver.recv(), Ok(3));

    let value = Arc::new(());
    let (sender, receiver) = mpmc::bounded(0);
    let mut send = sender.send_async(value.clone());
    assert!(try_poll(&mut send).is_pending());
    drop(send);
    assert_eq!(Arc::strong_count(&value), 1);
    assert!(receiver.try_recv().is_err());
}

#[test]
fn a_forgotten_future_is_served_once_and_holds_up_no_one_else() {
    let (sender, receiver) = mpmc::bounded(4);
    let mut forgotten = receiver.recv_async();
    assert!(try_poll(&mut forgotten).is_pending());
    mem::forget(forgotten);
    sender.send(1).unwrap(); // it gets this
    sender.send(2).unwrap();
    assert_eq!(receiver.recv(), Ok(2));

    let event = Event::new();
    let mut forgotten = event.wait_async();
    assert!(try_poll(&mut forgotten).is_pending());
    mem::forget(forgotten);
    event.set();
    event.wait();
}

#[test]
fn a_future_moves_to_another_thread_and_is_dropped_there() {
    static MUTEX: Mutex<u32> = Mutex::new(0);
    let guard = MUTEX.lock();
    let (mut one, mut two) = (MUTEX.lock_async(), MUTEX.lock_async());
    assert!(try_poll(&mut one).is_pending() && try_poll(&mut two).is_pending());
    drop(guard);
    thread(move || drop(one)).join().unwrap();
    let guard = ready(&mut two);
    thread(move || drop(guard)).join().unwrap();
    assert!(MUTEX.try_lock().is_some());
}

#[test]
fn only_the_waker_of_the_last_poll_is_called() {
    fibra::run(|| {
        let event = Event::new();
        let mut waits = event.wait_async();
        let (first, firsts) = counter();
        let (last, lasts) = counter();
        assert!(poll(&mut waits, &first).is_pending());
        assert!(poll(&mut waits, &last).is_pending());
        event.set();
        log("set");
        fibra::yield_now(); // a fiber calls it
        assert_eq!((firsts.load(Ordering::Relaxed), lasts.load(Ordering::Relaxed)), (0, 1));
        assert_eq!((Arc::strong_count(&firsts), Arc::strong_count(&lasts)), (2, 2));
        ready(&mut waits);
    });
    check("set");
}
