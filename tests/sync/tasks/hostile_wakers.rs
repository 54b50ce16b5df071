//! Wakers that lock, wait, panic when they are called, cloned or dropped, and drop the last handle.

#![allow(unsafe_code, reason = "makes wakers by hand")]

use std::cell::Cell;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::panic::{self, AssertUnwindSafe};
use std::ptr;
use std::sync::{Arc, Mutex as StdMutex};
use std::task::{Poll, RawWaker, RawWakerVTable, Waker};

use fibra::sync::{Event, Mutex, RwLock, Semaphore, mpmc};

use super::{poll, ready, try_poll, waker};
use crate::support::sync::thread;
use crate::support::{caught, check, log, quiet_panic};

#[test]
fn a_waker_may_lock_the_same_lock() {
    static MUTEX: Mutex<u32> = Mutex::new(0);
    fn scene() {
        let mut first = MUTEX.lock_async();
        let mut second = MUTEX.lock_async();
        let guard = MUTEX.lock();
        let wakes = waker(|| drop(MUTEX.lock_timeout(std::time::Duration::from_micros(100))));
        assert!(poll(&mut first, &wakes).is_pending());
        assert!(poll(&mut second, &wakes).is_pending());
        drop(guard);
        drop(ready(&mut first));
        drop(ready(&mut second));
    }
    scene();
    fibra::run(scene);
}

#[test]
fn a_waker_may_wait_without_holding_up_the_others() {
    fibra::run(|| {
        let (event, gate) = (Arc::new(Event::new()), Arc::new(Event::new()));
        let (inner, opens) = (gate.clone(), gate.clone());
        let waits = waker(move || {
            log("waits");
            inner.wait();
            log("waited");
        });
        let opens = waker(move || {
            log("opens");
            opens.set();
        });
        let (mut one, mut two) = (event.wait_async(), event.wait_async());
        assert!(poll(&mut one, &waits).is_pending());
        assert!(poll(&mut two, &opens).is_pending());
        event.set();
        log("set");
        gate.wait();
        fibra::testing::wait_all_blocked();
        ready(&mut one);
        ready(&mut two);
    });
    check("set waits opens waited");
}

#[test]
fn the_panic_of_a_waker_loses_no_wake() {
    fn scene() {
        let event = Event::new();
        let (mut one, mut two) = (event.wait_async(), event.wait_async());
        let woken = Arc::new(Event::new());
        let sets = woken.clone();
        assert!(poll(&mut one, &waker(|| panic!("of a waker"))).is_pending());
        assert!(poll(&mut two, &waker(move || sets.set())).is_pending());
        event.set();
        woken.wait();
        ready(&mut one);
        ready(&mut two);
    }
    scene();
    fibra::run(scene);
}

#[test]
fn a_waker_may_drop_the_last_handle_of_its_channel() {
    fn scene() {
        let (sender, receiver) = mpmc::bounded::<u32>(1);
        let last = StdMutex::new(Some(sender.clone()));
        let drops = waker(move || drop(last.lock().unwrap().take()));
        let mut receive = receiver.recv_async();
        assert!(poll(&mut receive, &drops).is_pending());
        drop(drops);
        sender.send(1).unwrap();
        drop(sender);
        assert_eq!(ready(&mut receive), Ok(1));
        // On the thread of a scheduler a fiber drops it.
        while try_poll(&mut receive).is_pending() {
            fibra::yield_now();
        }
    }
    scene();
    fibra::run(scene);
}

/// A waker of which each function takes a permit and gives it back.
fn greedy() -> Waker {
    static TABLE: RawWakerVTable = RawWakerVTable::new(
        |_| {
            take();
            RawWaker::new(ptr::null(), &TABLE)
        },
        |_| take(),
        |_| take(),
        |_| take(),
    );
    // SAFETY: the functions use no data.
    unsafe { Waker::from_raw(RawWaker::new(ptr::null(), &TABLE)) }
}

static PERMITS: Semaphore = Semaphore::new(2);

fn take() {
    drop(PERMITS.acquire());
}

#[test]
fn wakers_may_use_the_primitive_when_they_are_cloned_called_and_dropped() {
    let permit = PERMITS.acquire();
    let mut futures: Vec<_> = (0..3).map(|_| PERMITS.acquire_async()).collect();
    let greedy = greedy();
    let first = match poll(&mut futures[0], &greedy) {
        Poll::Ready(first) => first.unwrap(),
        Poll::Pending => panic!("one is free"),
    };
    drop(first);
    let waits = thread(move || {
        // All permits are taken, so a waker that is cloned under a lock would never return.
        fibra::future::block_on(async {
            let _one = PERMITS.acquire_async().await.unwrap();
        });
    });
    assert!(poll(&mut futures[1], &greedy).is_ready());
    assert!(poll(&mut futures[2], &greedy).is_ready());
    drop((futures, permit));
    waits.join().unwrap();
    assert_eq!(PERMITS.available(), 2);
}

/// A waker whose clone panics.
fn unclonable() -> Waker {
    static TABLE: RawWakerVTable =
        RawWakerVTable::new(|_| panic!("no clone"), |_| (), |_| (), |_| ());
    // SAFETY: the functions use no data.
    unsafe { Waker::from_raw(RawWaker::new(ptr::null(), &TABLE)) }
}

#[test]
fn the_panic_of_a_clone_leaves_everything_usable() {
    let mutex = Mutex::new(1);
    let guard = mutex.lock();
    let mut lock = mutex.lock_async();
    let waker = unclonable();
    let panicked = panic::catch_unwind(AssertUnwindSafe(|| poll(&mut lock, &waker).is_ready()));
    assert!(panicked.is_err());
    assert!(try_poll(&mut lock).is_pending());
    let panicked = panic::catch_unwind(AssertUnwindSafe(|| poll(&mut lock, &waker).is_ready()));
    assert!(panicked.is_err());
    drop(guard);
    assert_eq!(*ready(&mut lock), 1);

    let (sender, receiver) = mpmc::bounded(0);
    let mut send = sender.send_async("kept");
    let panicked = panic::catch_unwind(AssertUnwindSafe(|| poll(&mut send, &waker).is_ready()));
    assert!(panicked.is_err());
    assert!(try_poll(&mut send).is_pending());
    assert_eq!(receiver.recv(), Ok("kept"));
}

thread_local! {
    /// What the next clone of a [`touchy`] waker does.
    static ON_CLONE: Cell<Option<Box<dyn FnOnce()>>> = const { Cell::new(None) };
}

/// A waker whose clones panic when they are dropped. [`ON_CLONE`] is called by a clone.
fn touchy() -> ManuallyDrop<Waker> {
    static TABLE: RawWakerVTable =
        RawWakerVTable::new(copy, |_| (), |_| (), |_| quiet_panic("of the drop of a waker"));
    fn copy(_: *const ()) -> RawWaker {
        ON_CLONE.take().into_iter().for_each(|call| call());
        RawWaker::new(ptr::null(), &TABLE)
    }
    // SAFETY: the functions use no data.
    ManuallyDrop::new(unsafe { Waker::from_raw(RawWaker::new(ptr::null(), &TABLE)) })
}

/// Polls `future` with a waker that calls `frees` when it is cloned, and panics when the clone is
/// dropped.
fn poll_touchily<F: Future + Unpin>(future: &mut F, frees: impl FnOnce() + 'static) {
    ON_CLONE.set(Some(Box::new(frees)));
    assert!(caught(|| poll(future, &touchy()).is_ready()));
}

#[test]
fn the_panic_of_a_drop_loses_no_lock_and_no_permit() {
    fn scene() {
        let semaphore: &'static Semaphore = Box::leak(Box::new(Semaphore::new(2)));
        for polls_again in [false, true] {
            let permits = semaphore.acquire_many(2);
            let mut acquire = semaphore.acquire_many_async(2);
            poll_touchily(&mut acquire, || drop(permits));
            assert_eq!(semaphore.available(), 0, "the future has got the permits");
            if polls_again {
                drop(ready(&mut acquire).unwrap());
            } else {
                drop(acquire);
            }
            assert_eq!(semaphore.available(), 2);
        }

        let mutex: &'static Mutex<()> = Box::leak(Box::new(Mutex::new(())));
        let guard = mutex.lock();
        let mut lock = mutex.lock_async();
        poll_touchily(&mut lock, || drop(guard));
        assert!(mutex.is_locked());
        drop(lock);
        assert!(!mutex.is_locked());

        let lock: &'static RwLock<()> = Box::leak(Box::new(RwLock::new(())));
        let writer = lock.write();
        let mut read = lock.read_async();
        poll_touchily(&mut read, || drop(writer));
        assert!(lock.try_write().is_none());
        drop(read);
        assert!(lock.try_write().is_some());
    }
    scene();
    fibra::run(scene);
}

#[test]
fn the_panic_of_a_drop_loses_no_value() {
    fn scene() {
        for capacity in [1, 8, usize::MAX] {
            let (sender, receiver) = mpmc::bounded(capacity);
            let mut receive = receiver.recv_async();
            let sends = sender.clone();
            poll_touchily(&mut receive, move || sends.send("kept").unwrap());
            drop(receive);
            assert_eq!(receiver.try_recv(), Ok("kept"));
            let mut receive = receiver.recv_async();
            poll_touchily(&mut receive, move || sender.send("kept, too").unwrap());
            assert_eq!(ready(&mut receive), Ok("kept, too"));
        }
    }
    scene();
    fibra::run(scene);
}

#[test]
fn the_panic_of_a_drop_leaves_the_line() {
    let (semaphore, event) = (Semaphore::new(0), Event::new());
    let (mut acquire, mut wait) = (semaphore.acquire_async(), event.wait_async());
    let (mut next, touchy) = (semaphore.acquire_async(), touchy());
    assert!(poll(&mut acquire, &touchy).is_pending() && poll(&mut wait, &touchy).is_pending());
    assert!(try_poll(&mut next).is_pending());
    assert!(caught(|| drop(acquire)) && caught(|| drop(wait)));
    semaphore.add_permits(1);
    drop(ready(&mut next).unwrap());
    assert_eq!(format!("{event:?}"), "Event { is_set: false, waiting: 0 }");
}
