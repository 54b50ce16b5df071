//! Values that live on threads of their own: where they are made, used and dropped, the order of
//! calls, panics, replacements, and the end.

#![allow(clippy::disallowed_methods, reason = "plain threads and calls, which may block")]

use std::cell::RefCell;
use std::panic;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, ThreadId};

use fibra::blocking::{Owned, OwnedError, uninterruptible_with};
use fibra::{spawn, yield_now};

use crate::support::{OnDrop, check, log, ms, panic_of, quiet_panic, run_virtually};

fn me() -> ThreadId {
    thread::current().id()
}

/// A value that must stay on its thread, and reports what becomes of it.
struct Resident {
    stays: Rc<RefCell<Vec<u32>>>,
    home: ThreadId,
    reports: Sender<&'static str>,
}

impl Resident {
    fn new(reports: Sender<&'static str>) -> Resident {
        reports.send("made").unwrap();
        Resident { stays: Rc::default(), home: me(), reports }
    }

    fn push(&self, n: u32) -> Vec<u32> {
        assert_eq!(self.home, me());
        self.stays.borrow_mut().push(n);
        self.stays.borrow().clone()
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        assert_eq!(self.home, me());
        // The test may be over.
        let _ = self.reports.send("dropped");
    }
}

fn resident() -> (Owned<Resident>, Receiver<&'static str>) {
    let (reports, reported) = channel();
    (Owned::new(move || Resident::new(reports)), reported)
}

/// Like [`resident`], with a maker that is called again.
fn remade() -> (Owned<Resident>, Receiver<&'static str>) {
    let (reports, reported) = channel();
    (Owned::builder().build(move || Resident::new(reports.clone())), reported)
}

/// Returns a call that waits until the sender is used or dropped, and when it has begun.
fn slow_call() -> (impl FnOnce(&mut Resident) + Send, Receiver<()>, Sender<()>) {
    let (begin, begun) = channel();
    let (open, opened) = channel();
    let call = move |resident: &mut Resident| {
        begin.send(()).unwrap();
        let _ = opened.recv();
        resident.push(0);
    };
    (call, begun, open)
}

#[test]
fn a_value_is_made_used_and_dropped_on_one_thread() {
    let (owned, reported) = resident();
    assert_eq!(reported.try_recv(), Ok("made"));
    let home = owned.call(|resident| resident.home).unwrap();
    assert_ne!(home, me());
    fibra::run(|| {
        assert_eq!(owned.call(|resident| resident.push(1)).unwrap(), [1]);
        let other = owned.clone();
        let fiber = spawn(move || other.call(|resident| resident.push(2)).unwrap());
        assert_eq!(fiber.join().unwrap(), [1, 2]);
    });
    assert!(reported.try_recv().is_err());
    drop(owned);
    assert_eq!(reported.recv(), Ok("dropped"));
    assert!(reported.recv().is_err(), "its thread has ended");
}

#[test]
fn a_call_parks_its_fiber_and_no_other() {
    fibra::run(|| {
        let (owned, _reported) = resident();
        let (call, begun, open) = slow_call();
        let caller = spawn(move || owned.call(call));
        yield_now();
        begun.recv().unwrap();
        for _ in 0..100 {
            yield_now();
        }
        assert!(!caller.is_finished());
        open.send(()).unwrap();
        caller.join().unwrap().unwrap();
    });
}

#[test]
fn calls_run_in_the_order_in_which_they_were_made() {
    let owned = Owned::new(Vec::new);
    fibra::run(|| {
        fibra::scope(|s| {
            for n in 0..1000 {
                let owned = &owned;
                s.spawn(move || owned.call(move |list| list.push(n)).unwrap());
            }
        });
        assert!(owned.call(|list| list.iter().copied().eq(0..1000)).unwrap());
    });
}

#[test]
fn plain_threads_and_several_schedulers_call_the_same_value() {
    let owned = Owned::new(|| Rc::new(RefCell::new(0)));
    let add = |owned: &Owned<Rc<RefCell<u64>>>| {
        (0..100).for_each(|_| owned.call(|sum| *sum.borrow_mut() += 1).unwrap());
    };
    thread::scope(|s| {
        s.spawn(|| add(&owned));
        fibra::Runtime::builder().threads(2).build().unwrap().run(|| {
            let jobs = [0, 1].map(|index| {
                let owned = owned.clone();
                fibra::Handle::current().spawn_on(index, move || add(&owned))
            });
            add(&owned);
            jobs.into_iter().for_each(|job| job.join().unwrap());
        });
    });
    assert_eq!(owned.call(|sum| *sum.borrow()).unwrap(), 400);
}

#[test]
fn a_maker_that_fails_or_panics_reports_it_to_its_caller_and_leaves_nothing() {
    let (witness, dropped) = channel::<()>();
    let make = move || {
        let _witness = witness;
        Err::<(), _>("no such database")
    };
    fibra::run(|| assert_eq!(Owned::try_new(make).unwrap_err(), "no such database"));
    assert!(dropped.recv().is_err());

    let (witness, dropped) = channel::<()>();
    let make = move || {
        let _witness = &witness;
        quiet_panic("no driver")
    };
    let text = fibra::run(|| panic_of(|| Owned::<()>::builder().build(make)));
    assert_eq!(text, "no driver");
    assert!(dropped.recv().is_err());
}

#[test]
fn a_panic_continues_in_the_caller_and_ends_a_value_that_is_made_once() {
    let (owned, reported) = resident();
    fibra::run(|| {
        assert_eq!(panic_of(|| owned.call(|_| quiet_panic("in a call"))), "in a call");
        let error = owned.call(|_| ()).unwrap_err();
        assert!(error.is_poisoned());
        assert!(error.to_string().starts_with("an earlier call panicked"));
        // Calls that borrow are refused, too, and come back.
        let mut lent = 7;
        assert!(owned.call_uninterruptible(|_| lent += 1).unwrap_err().is_poisoned());
        assert_eq!(lent, 7);
    });
    assert_eq!(reported.iter().take(2).collect::<Vec<_>>(), ["made", "dropped"]);
    owned.close();
}

#[test]
fn a_panic_replaces_a_value_that_can_be_made_again() {
    let (owned, reported) = remade();
    fibra::run(|| {
        let home = owned.call(|resident| resident.push(1)).and(owned.call(|_| me())).unwrap();
        assert_eq!(panic_of(|| owned.call(|_| quiet_panic("in a call"))), "in a call");
        assert_eq!(owned.call(|resident| resident.push(2)).unwrap(), [2]);
        assert_eq!(owned.call(|_| me()).unwrap(), home);
        // The same in a call that borrows.
        let text = String::from("borrowed");
        let panics = || -> Result<(), OwnedError> {
            owned.call_uninterruptible(|_| panic::resume_unwind(Box::new(text.clone())))
        };
        assert_eq!(panic_of(panics), "borrowed");
        assert_eq!(owned.call(|resident| resident.push(3)).unwrap(), [3]);
    });
    owned.close();
    let expected = ["made", "dropped", "made", "dropped", "made", "dropped"];
    assert_eq!(reported.try_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn a_maker_that_fails_later_fails_that_call_and_is_tried_again() {
    let made = Arc::new(AtomicUsize::new(0));
    let counted = made.clone();
    let owned = Owned::builder().try_build(move || match counted.fetch_add(1, Ordering::SeqCst) {
        1 => Err("the server is down"),
        2 => quiet_panic("the driver panics"),
        n => Ok(n),
    });
    let owned = owned.unwrap();
    assert_eq!(panic_of(|| owned.call(|_| quiet_panic("in a call"))), "in a call");
    let error = owned.call(|n| *n).unwrap_err();
    assert!(error.is_maker());
    assert_eq!(error.to_string(), "the value could not be made: the server is down");
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "the server is down");
    assert_eq!(panic_of(|| owned.call(|n| *n)), "the driver panics");
    assert_eq!(owned.call(|n| *n).unwrap(), 3);
    assert_eq!(owned.call(|n| *n).unwrap(), 3);
}

#[test]
fn a_value_is_replaced_if_its_check_fails_after_a_call() {
    let made = AtomicUsize::new(0);
    let owned = Owned::builder()
        .keep_if(|value: &mut (usize, bool)| value.1)
        .build(move || (made.fetch_add(1, Ordering::SeqCst), true));
    assert_eq!(owned.call(|value| value.0).unwrap(), 0);
    assert_eq!(owned.call(|value| value.0).unwrap(), 0);
    owned.call(|value| value.1 = false).unwrap();
    assert_eq!(owned.call(|value| value.0).unwrap(), 1);

    let panics = Owned::builder().keep_if(|_: &mut u8| quiet_panic("in the check")).build(|| 7);
    assert_eq!(panic_of(|| panics.call(|n| *n)), "in the check");
    assert_eq!(panic_of(|| panics.call(|n| *n)), "in the check");
}

#[test]
fn a_destructor_of_the_value_that_panics_ends_nothing_else() {
    let owned = Owned::builder().build(|| OnDrop(|| quiet_panic("in the destructor")));
    assert_eq!(panic_of(|| owned.call(|_| quiet_panic("in a call"))), "in a call");
    assert!(owned.call(|_| ()).is_ok());
    owned.close();
}

#[test]
fn a_closed_value_runs_the_queued_calls_and_refuses_later_ones() {
    fibra::run(|| {
        let (owned, reported) = resident();
        let (call, begun, open) = slow_call();
        fibra::scope(|s| {
            let first = s.spawn(|| owned.call(call));
            let queued = s.spawn(|| owned.call(|resident| resident.push(1)));
            let borrowing = s.spawn(|| owned.call_uninterruptible(|resident| resident.push(2)));
            yield_now();
            begun.recv().unwrap();
            let closes = s.spawn(|| {
                owned.close();
                log("closed");
            });
            yield_now();
            assert!(owned.is_closed());
            assert!(owned.call(|_| ()).unwrap_err().is_closed());
            assert!(owned.clone().call_uninterruptible(|_| ()).unwrap_err().is_closed());
            assert!(!closes.is_finished());
            log("open");
            open.send(()).unwrap();
            first.join().unwrap().unwrap();
            assert_eq!(queued.join().unwrap().unwrap(), [0, 1]);
            assert_eq!(borrowing.join().unwrap().unwrap(), [0, 1, 2]);
            closes.join().unwrap();
        });
        assert_eq!(reported.try_iter().collect::<Vec<_>>(), ["made", "dropped"]);
        owned.close(); // Again, and from a plain thread: it does not wait.
        thread::scope(|s| s.spawn(|| owned.close()).join().unwrap());
    });
    check("open closed");
}

#[test]
fn a_call_inside_a_call_to_the_same_value_is_refused() {
    let (owned, reported) = resident();
    let inner = owned.clone();
    let errors = owned.call(move |_| {
        let nested = inner.call(|_| ()).unwrap_err();
        let borrowing = inner.call_uninterruptible(|_| ()).unwrap_err();
        // A scheduler on the same thread changes nothing.
        let fiber = fibra::run(|| inner.call(|_| ()).unwrap_err());
        inner.close(); // Does not wait for itself.
        [nested, borrowing, fiber]
    });
    assert!(errors.unwrap().iter().all(OwnedError::is_nested));
    assert!(owned.call(|_| ()).unwrap_err().is_closed());
    owned.close();
    assert_eq!(reported.try_iter().collect::<Vec<_>>(), ["made", "dropped"]);
}

#[test]
fn the_last_handle_may_be_dropped_by_a_call() {
    let (owned, reported) = resident();
    let (call, _begun, open) = slow_call();
    thread::scope(|s| {
        let last = owned.clone();
        s.spawn(move || {
            let slow = owned.clone();
            fibra::run(|| {
                let waits = spawn(move || slow.call(call));
                yield_now();
                drop(waits);
            });
            owned.call(move |_| drop(last)).unwrap();
        });
        drop(open);
    });
    assert_eq!(reported.iter().collect::<Vec<_>>(), ["made", "dropped"]);
}

#[test]
fn a_value_calls_another_one() {
    fibra::run(|| {
        let (first, second) = (Owned::new(|| 40), Owned::new(|| 2));
        let sum = first.call(move |n| *n + second.call(|m| *m).unwrap());
        assert_eq!(sum.unwrap(), 42);
    });
}

#[test]
fn a_borrowing_call_lends_the_caller_s_data_on_fibers_and_plain_threads() {
    let (owned, _reported) = resident();
    let lend = || {
        let mut seen = vec![0; 3];
        let n = owned.call_uninterruptible(|resident| {
            seen = resident.push(7);
            seen.len()
        });
        assert_eq!(n.unwrap(), seen.len());
    };
    lend();
    fibra::run(lend);
    lend();
    assert_eq!(owned.call(|resident| resident.push(8)).unwrap(), [7, 7, 7, 8]);
}

#[test]
fn an_exclusive_reference_lends_a_value_that_is_not_sync() {
    let mut cell = RefCell::new(vec![1]);
    let add = |cell: &mut RefCell<Vec<i32>>| {
        uninterruptible_with(cell, |cell| {
            cell.borrow_mut().push(2); // through `&self`
            me()
        })
    };
    assert_eq!(add(&mut cell), me());
    assert_ne!(fibra::run(|| add(&mut cell)), me());
    assert_eq!(cell.into_inner(), [1, 2, 2]);
}

#[test]
fn a_virtual_clock_does_not_jump_during_a_call() {
    run_virtually(|| {
        let (owned, _reported) = resident();
        let (call, begun, open) = slow_call();
        let other = owned.clone();
        let caller = spawn(move || other.call_timeout(ms(60_000), call));
        yield_now();
        begun.recv().unwrap();
        let opener = thread::spawn(move || {
            thread::sleep(ms(20));
            open.send(()).unwrap();
        });
        caller.join().unwrap().unwrap();
        opener.join().unwrap();
        let start = fibra::now();
        owned.close();
        assert!(fibra::now() - start < ms(30_000));
    });
}
