//! Futures that fibers and threads wait for, and fibers as futures.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn, ready};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use fibra::future::{block_on, sleep, spawn};
use fibra::time::timeout;
use futures_lite::FutureExt;

use crate::support::{Noisy, check, go, join_panic, log, ms};

/// A future that keeps its waker and is ready once it is opened.
#[derive(Clone, Default)]
struct Gate(Arc<Mutex<(bool, Option<Waker>)>>);

impl Gate {
    fn open(&self) {
        let waker = {
            let mut state = self.0.lock().unwrap();
            state.0 = true;
            state.1.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }

    fn waker(&self) -> Option<Waker> {
        self.0.lock().unwrap().1.clone()
    }
}

impl Future for Gate {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.lock().unwrap();
        if state.0 {
            return Poll::Ready(());
        }
        state.1 = Some(cx.waker().clone());
        Poll::Pending
    }
}

#[test]
fn others_run_while_a_fiber_waits_for_a_future() {
    fibra::run(|| {
        let gate = Gate::default();
        let opened = gate.clone();
        let waits = fibra::spawn(move || {
            log("waits");
            block_on(gate);
            log("goes-on");
        });
        go(move || {
            log("opens");
            opened.open();
        });
        waits.join().unwrap();
    });
    check("waits opens goes-on");
}

#[test]
fn what_is_ready_is_returned_without_a_wait() {
    fibra::run(|| {
        go(|| log("another"));
        assert_eq!(block_on(ready(7)), 7);
        log("at once");
        fibra::yield_now();
    });
    check("at once another");
}

#[test]
fn a_waker_that_is_woken_by_its_own_future_lets_others_run_first() {
    fibra::run(|| {
        go(|| {
            (0..2).for_each(|_| {
                log("other");
                fibra::yield_now()
            })
        });
        let mut polls = 0;
        block_on(poll_fn(|cx| {
            log("poll");
            polls += 1;
            cx.waker().wake_by_ref();
            if polls == 3 { Poll::Ready(()) } else { Poll::Pending }
        }));
    });
    check("poll other poll other poll");
}

#[test]
fn other_threads_wake_fibers() {
    fibra::run(|| {
        for _ in 0..200 {
            let gate = Gate::default();
            let opened = gate.clone();
            let thread = std::thread::Builder::new().spawn(move || opened.open()).unwrap();
            block_on(gate);
            thread.join().unwrap();
        }
    });
}

#[test]
fn fibers_of_two_threads_pass_a_ball_by_channels_for_futures() {
    let (to_there, from_here) = async_channel::bounded(1);
    let (to_here, from_there) = async_channel::bounded(1);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            fibra::run(|| {
                while let Ok(n) = block_on(from_here.recv()) {
                    block_on(to_here.send(n + 1)).unwrap();
                }
            });
        });
        fibra::run(|| {
            let mut n = 0;
            while n < 2000 {
                block_on(to_there.send(n)).unwrap();
                n = block_on(from_there.recv()).unwrap();
            }
            drop(to_there);
        });
    });
}

#[test]
fn a_plain_thread_waits_as_well() {
    let gate = Gate::default();
    let opened = gate.clone();
    std::thread::scope(|scope| {
        scope.spawn(move || opened.open());
        block_on(gate);
    });
}

#[test]
fn a_waker_outlives_its_fiber_and_its_scheduler() {
    let gate = Gate::default();
    fibra::run(|| {
        let waits = gate.clone();
        assert!(timeout(ms(1), || block_on(waits)).is_err());
        gate.waker().unwrap().wake();
        let waits = gate.clone();
        let fiber = fibra::spawn(move || block_on(waits));
        fibra::testing::wait_all_blocked();
        fiber.kill();
        assert!(fiber.join().is_err());
        gate.waker().unwrap().wake();
    });
    let waker = gate.waker().unwrap();
    waker.wake_by_ref();
    fibra::run(|| waker.wake_by_ref());
    std::thread::scope(|scope| scope.spawn(|| waker.wake()).join().unwrap());
}

#[test]
fn a_stale_waker_of_an_ended_fiber_may_wake_its_successor_spuriously() {
    fibra::run(|| {
        let first = Gate::default();
        let waits = first.clone();
        let fiber = fibra::spawn(move || block_on(waits));
        fibra::testing::wait_all_blocked();
        fiber.kill();
        assert!(fiber.join().is_err());
        // This future takes the place of the first in the table, and waits for something else.
        let second = Gate::default();
        let waits = second.clone();
        let fiber = fibra::spawn(move || {
            fibra::park();
            block_on(waits);
        });
        fibra::testing::wait_all_blocked();
        first.open();
        fibra::testing::wait_all_blocked();
        assert!(!fiber.is_finished());
        fiber.fiber().unpark();
        fibra::testing::wait_all_blocked();
        assert!(!fiber.is_finished());
        second.open();
        fiber.join().unwrap();
    });
}

#[test]
fn a_kill_drops_the_future() {
    fibra::run(|| {
        let fiber = fibra::spawn(|| {
            block_on(async {
                let _noisy = Noisy("dropped");
                pending::<()>().await;
            });
        });
        fibra::testing::wait_all_blocked();
        fiber.kill();
        assert!(matches!(fiber.join(), Err(fibra::JoinError::Killed)));
    });
    check("dropped");
}

#[test]
fn a_time_limit_ends_the_wait() {
    fibra::run(|| assert!(timeout(ms(2), || block_on(pending::<()>())).is_err()));
}

#[test]
fn a_wake_during_a_wait_inside_of_a_poll_is_not_lost() {
    fibra::run(|| {
        let gate = Gate::default();
        let (opened, mut first) = (gate.clone(), true);
        let fiber = fibra::spawn(move || {
            let mut gate = pin!(gate);
            block_on(poll_fn(|cx| {
                let polled = gate.as_mut().poll(cx);
                if std::mem::take(&mut first) {
                    // This wait has nothing to do with the future.
                    fibra::park();
                }
                polled
            }));
        });
        fibra::testing::wait_all_blocked();
        opened.open();
        fiber.fiber().unpark();
        fiber.join().unwrap();
    });
}

#[test]
fn a_wake_for_an_outer_future_survives_an_inner_one() {
    fibra::run(|| {
        let (outer, inner) = (Gate::default(), Gate::default());
        let (open_outer, open_inner, mut first) = (outer.clone(), inner.clone(), true);
        let fiber = fibra::spawn(move || {
            let mut outer = pin!(outer);
            block_on(poll_fn(|cx| {
                let polled = outer.as_mut().poll(cx);
                if std::mem::take(&mut first) {
                    block_on(inner.clone());
                }
                polled
            }));
        });
        fibra::testing::wait_all_blocked();
        open_outer.open();
        fibra::testing::wait_all_blocked();
        open_inner.open();
        fiber.join().unwrap();
    });
}

#[test]
fn a_panic_in_a_poll_is_the_fibers() {
    fibra::run(|| {
        let fiber = fibra::spawn(|| block_on(async { panic!("in a future") }));
        assert_eq!(join_panic::<()>(fiber), "in a future");
    });
}

#[test]
fn clones_of_a_waker_are_the_same() {
    fibra::run(|| {
        block_on(poll_fn(|cx| {
            assert!(cx.waker().clone().will_wake(cx.waker()));
            Poll::Ready(())
        }));
        let waker = || block_on(poll_fn(|cx| Poll::Ready(cx.waker().clone())));
        let other = fibra::spawn(waker).join().unwrap();
        assert!(waker().will_wake(&waker()) && !waker().will_wake(&other));
    });
}

// ---- Fibers as futures --------------------------------------------------------------------------

#[test]
fn fibers_block_while_their_future_waits() {
    fibra::run(|| {
        let channel = fibra::channel::Channel::new();
        let receiver = channel.clone();
        let sum = block_on(async {
            let receives = spawn(move || receiver.recv().unwrap() + 1);
            let sends = spawn(move || channel.send(41).unwrap());
            sends.await.unwrap();
            receives.await.unwrap()
        });
        assert_eq!(sum, 42);
    });
}

#[test]
fn a_fiber_that_panics_is_an_error_of_its_future() {
    fibra::run(|| {
        let error = block_on(spawn(|| panic!("inside"))).unwrap_err();
        assert!(matches!(error, fibra::JoinError::Panicked(_)));
    });
}

#[test]
fn a_fiber_is_killed_when_its_future_is_dropped() {
    fibra::run(|| {
        let future = spawn(|| {
            let _noisy = Noisy("unwound");
            fibra::park();
        });
        fibra::testing::wait_all_blocked();
        drop(future);
        fibra::testing::wait_all_blocked();
        // The same for a fiber that never ran.
        drop(spawn(|| log("ran")));
        fibra::testing::wait_all_blocked();
    });
    check("unwound");
}

// ---- Time ---------------------------------------------------------------------------------------

#[test]
fn a_time_is_a_future_and_the_earlier_of_two_wins() {
    fibra::run(|| {
        let nap = |n, name| async move {
            sleep(ms(n)).await;
            name
        };
        let start = fibra::now();
        assert_eq!(block_on(nap(10_000, "late").or(nap(5, "early"))), "early");
        assert!(ms(5) <= fibra::now() - start);
    });
}

/// A waker that does not belong to this crate, and forwards each wake.
struct Relay(Waker, AtomicUsize);

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        self.1.fetch_add(1, Ordering::SeqCst);
        // User code may wait.
        fibra::yield_now();
        self.0.wake_by_ref();
    }
}

#[test]
fn a_foreign_waker_is_called_by_a_fiber() {
    fibra::run(|| {
        let relays = Rc::new(RefCell::new(Vec::new()));
        let mut nap = pin!(sleep(ms(5)));
        block_on(poll_fn(|cx| {
            let relay = Arc::new(Relay(cx.waker().clone(), AtomicUsize::new(0)));
            relays.borrow_mut().push(relay.clone());
            nap.as_mut().poll(&mut Context::from_waker(&Waker::from(relay)))
        }));
        assert_eq!(relays.borrow()[0].1.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_sleep_may_move_between_fibers_and_be_dropped_anywhere() {
    let kept = fibra::run(|| {
        let mut nap = Box::pin(sleep(ms(5)));
        let polled = Rc::new(Cell::new(false));
        let once = |nap: &mut Pin<Box<fibra::future::Sleep>>| {
            block_on(poll_fn(|cx| Poll::Ready(nap.as_mut().poll(cx).is_ready())))
        };
        assert!(!once(&mut nap));
        polled.set(true);
        fibra::spawn(move || block_on(nap)).join().unwrap();
        let mut kept = Box::pin(sleep(ms(60_000)));
        let mut dropped = Box::pin(sleep(ms(60_000)));
        assert!(!once(&mut kept) && !once(&mut dropped));
        std::thread::scope(|scope| scope.spawn(|| drop(dropped)).join().unwrap());
        kept
    });
    drop(kept);
}
