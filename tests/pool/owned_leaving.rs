//! Callers of values on other threads that leave: by a kill, a time limit, or the end of `run`.

#![allow(clippy::disallowed_methods, reason = "plain threads and calls, which may block")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, ThreadId};

use fibra::blocking::Owned;
use fibra::time::timeout;
use fibra::{spawn, yield_now};

use crate::support::{OnDrop, check, log, ms, run_virtually};

fn me() -> ThreadId {
    thread::current().id()
}

/// Sends the thread on which it is dropped.
#[derive(Debug)]
struct Traced(Sender<ThreadId>);

impl Drop for Traced {
    fn drop(&mut self) {
        self.0.send(me()).unwrap();
    }
}

/// A call that ends when it is allowed to, and its control.
struct Slow {
    begun: Receiver<()>,
    open: Sender<()>,
    result_dropped: Receiver<ThreadId>,
}

/// Returns a call that adds 1 when it ends, and whose result reports where it is dropped.
fn slow_call() -> (Slow, impl FnOnce(&mut u32) -> Traced + Send) {
    let (begin, begun) = channel();
    let (open, opened) = channel::<()>();
    let (dropped, result_dropped) = channel();
    let call = move |n: &mut u32| {
        begin.send(()).unwrap();
        let _ = opened.recv();
        *n += 1;
        Traced(dropped)
    };
    (Slow { begun, open, result_dropped }, call)
}

/// Makes a caller leave `owned` in the middle of a call, in one of three ways; lets the call end,
/// and checks that its result is dropped on the thread of the value.
fn leave_in_the_middle(owned: &Owned<u32>, way: usize) {
    let home = owned.call(|_| me()).unwrap();
    fibra::run(|| {
        let (slow, call) = slow_call();
        let other = owned.clone();
        let caller = spawn(move || match way {
            0 => drop(other.call(call)),
            1 => assert!(other.call_timeout(ms(20), call).unwrap_err().is_timeout()),
            _ => assert!(timeout(ms(20), || other.call(call)).is_err()),
        });
        yield_now();
        // This thread waits, so that the time is not over before the call has begun.
        slow.begun.recv().unwrap();
        if way == 0 {
            caller.kill();
            assert!(caller.join().unwrap_err().is_killed());
        } else {
            caller.join().unwrap();
        }
        assert!(slow.result_dropped.try_recv().is_err());
        slow.open.send(()).unwrap();
        assert_eq!(slow.result_dropped.recv().unwrap(), home);
    });
}

#[test]
fn a_call_that_has_begun_goes_on_and_the_value_stays() {
    for way in 0..3 {
        let owned = Owned::new(|| 0);
        leave_in_the_middle(&owned, way);
        assert_eq!(owned.call(|n| *n).unwrap(), 1);
    }
}

#[test]
fn a_value_is_replaced_after_an_abandoned_call_if_its_builder_decides_so() {
    for way in 0..3 {
        let owned = Owned::builder().replace_after_abandoned_call(true).build(|| 7);
        assert_eq!(owned.call(|n| (*n += 1, *n)).unwrap().1, 8);
        leave_in_the_middle(&owned, way);
        assert_eq!(owned.call(|n| *n).unwrap(), 7);
    }
}

#[test]
fn a_call_that_has_not_begun_is_dropped_with_its_fiber_and_replaces_nothing() {
    let owned = Owned::builder().replace_after_abandoned_call(true).build(|| 7);
    fibra::run(|| {
        let (slow, call) = slow_call();
        let (first, second) = (owned.clone(), owned.clone());
        let busy = spawn(move || drop(first.call(call)));
        yield_now();
        slow.begun.recv().unwrap();
        let (witness, dropped) = channel();
        let ran = Arc::new(AtomicBool::new(false));
        let runs = ran.clone();
        let witness = Traced(witness);
        let queued = spawn(move || {
            second.call(move |_| {
                runs.store(true, Ordering::SeqCst);
                drop(witness);
            })
        });
        yield_now();
        queued.kill();
        assert!(queued.join().unwrap_err().is_killed());
        assert_eq!(dropped.try_recv(), Ok(me()));
        slow.open.send(()).unwrap();
        busy.join().unwrap();
        assert_eq!(owned.call(|n| *n).unwrap(), 8);
        assert!(!ran.load(Ordering::SeqCst));
    });
}

#[test]
fn a_kill_is_met_when_the_borrowing_call_is_back() {
    let owned = Owned::new(|| 0);
    fibra::run(|| {
        let (slow, call) = slow_call();
        let other = owned.clone();
        let caller = spawn(move || {
            let mut lent = [7; 100];
            let traced = other.call_uninterruptible(|n| {
                let traced = call(n);
                lent = [8; 100];
                traced
            });
            assert_eq!(lent, [8; 100]);
            log("back");
            drop(traced);
            yield_now();
            log("unreachable");
        });
        yield_now();
        slow.begun.recv().unwrap();
        caller.kill();
        for _ in 0..100 {
            yield_now();
        }
        assert!(!caller.is_finished());
        slow.open.send(()).unwrap();
        assert!(caller.join().unwrap_err().is_killed());
        assert_eq!(slow.result_dropped.recv(), Ok(me()));
    });
    check("back");
}

#[test]
fn a_fiber_that_was_killed_before_begins_no_call() {
    let owned = Owned::new(|| 0);
    fibra::run(|| {
        for borrows in [false, true] {
            let other = owned.clone();
            let caller = spawn(move || {
                fibra::current().kill();
                if borrows {
                    drop(other.call_uninterruptible(|n| *n += 1));
                } else {
                    drop(other.call(|n| *n += 1));
                }
            });
            assert!(caller.join().unwrap_err().is_killed());
        }
    });
    assert_eq!(owned.call(|n| *n).unwrap(), 0);
}

#[test]
fn a_value_whose_maker_was_left_is_dropped_on_its_thread() {
    let (begin, begun) = channel();
    let (open, opened) = channel::<()>();
    let (dropped, value_dropped) = channel();
    fibra::run(|| {
        let maker = spawn(move || {
            Owned::new(move || {
                begin.send(me()).unwrap();
                opened.recv().unwrap();
                Traced(dropped)
            })
        });
        yield_now();
        let home = begun.recv().unwrap();
        maker.kill();
        assert!(maker.join().unwrap_err().is_killed());
        assert!(value_dropped.try_recv().is_err());
        open.send(()).unwrap();
        assert_eq!(value_dropped.recv(), Ok(home));
    });
}

#[test]
fn the_end_of_run_waits_for_calls_that_borrow_and_for_no_others() {
    let owned = Owned::new(|| 0);
    let (slow, call) = slow_call();
    let other = owned.clone();
    fibra::run(|| {
        drop(spawn(move || drop(other.call(call))));
        yield_now();
        slow.begun.recv().unwrap();
    });
    assert!(slow.result_dropped.try_recv().is_err());
    slow.open.send(()).unwrap();
    assert_ne!(slow.result_dropped.recv(), Ok(me()));

    let (open, opened) = channel::<()>();
    let other = owned.clone();
    let opener = fibra::run(|| {
        drop(spawn(move || {
            let _after = OnDrop(|| log("unwound"));
            let lent = String::from("lent");
            let lent = &lent;
            drop(other.call_uninterruptible(move |_| {
                opened.recv().unwrap();
                assert_eq!(lent, "lent");
            }));
            log("back");
            yield_now();
        }));
        yield_now();
        thread::spawn(move || {
            thread::sleep(ms(5));
            open.send(()).unwrap();
        })
    });
    opener.join().unwrap();
    check("back unwound");
}

#[test]
fn a_kill_during_a_close_leaves_the_value_to_its_thread() {
    let (dropped, value_dropped) = channel();
    let owned = Owned::new(move || (0, Traced(dropped)));
    fibra::run(|| {
        let (slow, call) = slow_call();
        let (calls, closes) = (owned.clone(), owned.clone());
        let caller = spawn(move || drop(calls.call(move |value| call(&mut value.0))));
        yield_now();
        slow.begun.recv().unwrap();
        let closing = spawn(move || closes.close());
        yield_now();
        closing.kill();
        assert!(closing.join().unwrap_err().is_killed());
        assert!(owned.is_closed());
        assert!(value_dropped.try_recv().is_err());
        slow.open.send(()).unwrap();
        caller.join().unwrap();
        assert_ne!(value_dropped.recv(), Ok(me()));
    });
}

#[test]
fn a_time_limit_of_a_virtual_clock_ends_a_wait_for_a_call() {
    run_virtually(|| {
        let owned = Owned::new(|| 0);
        let (slow, call) = slow_call();
        let start = fibra::now();
        assert!(owned.call_timeout(ms(10), call).unwrap_err().is_timeout());
        assert!(ms(10) <= fibra::now() - start);
        let past = fibra::now();
        assert!(owned.call_deadline(past, |_| ()).unwrap_err().is_timeout());
        drop(slow.open);
        assert_eq!(owned.call(|n| *n).unwrap(), 1);
    });
}
