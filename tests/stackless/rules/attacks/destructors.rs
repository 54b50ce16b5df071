//! Destructors of payloads, captures, arguments and tempvals that call back.

use std::cell::RefCell;
use std::rc::Rc;

use fibra::stackless::{self, Channel, Tasklet, TaskletError};

use super::Meddler;

use crate::support::stackless::{
    floating, logs, logs_end, paused, quietly, raise, raised, some, state,
};
use crate::support::{Noisy, OnDrop, check, log, trace};

#[test]
fn payloads_that_call_back_are_dropped_wherever_they_end() {
    fibra::run(|| {
        // The handler swallows this one.
        stackless::set_error_handler(Some(Rc::new(|_, _| log("handled"))));
        stackless::spawn(|| raise(Payload("swallowed")));
        stackless::run();
        // The handler's payload replaces this one.
        stackless::set_error_handler(Some(Rc::new(|_, _| raise("E"))));
        stackless::spawn(|| raise(Payload("replaced")));
        log(raised(stackless::run));
        stackless::set_error_handler(None);
        // The failed throw returns this one.
        let error = Tasklet::new().throw(Payload("returned")).unwrap_err();
        let TaskletError::DeadThrow(payload, ..) = error else { panic!("not given back") };
        drop(payload);
        // A second throw replaces the first, and the second may never be raised.
        let f = floating("F");
        f.throw_pending(Payload("thrown 1")).unwrap();
        f.throw_pending(Payload("thrown 2")).unwrap();
        // The destructor of the first one schedules, so the second may have been raised already.
        quietly(stackless::run);
        assert_eq!(state(&f), "dead");
        log("m");
    });
    check("handled swallowed replaced E returned thrown 1 thrown 2 m");
}

/// A payload, which can be any `Send` value. Its destructor drops a [`Meddler`].
struct Payload(&'static str);

impl Drop for Payload {
    fn drop(&mut self) {
        drop(Meddler(self.0));
    }
}

#[test]
fn a_pending_throw_that_is_never_raised_is_dropped_once() {
    fibra::run(|| {
        let f = floating("F");
        f.throw_pending(Noisy("F's")).unwrap();
        paused("P").throw_pending(Noisy("P's")).unwrap();
        log("m");
    });
    let mut seen = trace();
    seen.sort_unstable();
    assert_eq!(seen, ["F's", "P's", "m"]);
}

#[test]
fn captures_and_arguments_that_call_back_may_be_dropped_unrun() {
    fibra::run(|| {
        let captured = Meddler("capture");
        let bound = stackless::tasklet(move |()| drop(captured));
        bound.unbind().unwrap();
        drop(bound);
        let captured = Meddler("killed");
        stackless::tasklet(move |()| drop(captured)).bind(()).kill().unwrap();
        drop(stackless::tasklet(drop).bind(Meddler("argument")));
        let captured = Meddler("thrown");
        let t = stackless::tasklet(move |()| drop(captured)).bind(());
        // The capture's destructor schedules: the error may arrive after the throw has returned.
        log(raised(|| {
            t.throw("E").unwrap();
            stackless::run();
        }));
        let captured = Meddler("replaced");
        let t = stackless::tasklet(move |()| drop(captured)).bind(());
        t.bind(|()| log("T")).unwrap().setup(());
        stackless::run();
        let captured = Meddler("end");
        stackless::spawn(move || drop(captured));
    });
    check("capture killed argument thrown E replaced T end");
}

#[test]
fn a_capture_that_binds_its_own_tasklet_while_it_is_dropped() {
    fibra::run(|| {
        let t = Tasklet::new();
        let own = t.clone();
        let captured = OnDrop(move || {
            log("dropped");
            let bound = own.bind(|()| log("T"));
            match bound {
                Ok(bound) => drop(bound.try_setup(())),
                Err(error) => drop(error),
            }
        });
        let bound = t.bind(move |()| drop(captured)).unwrap();
        drop(bound);
        stackless::run();
        assert_eq!(state(&t), "dead");
        log("m");
    });
    let seen = trace();
    assert!(seen == ["dropped", "T", "m"] || seen == ["dropped", "m"], "{seen:?}");
}

#[test]
fn a_capture_that_kills_its_own_tasklet_while_it_is_dropped() {
    fibra::run(|| {
        let t = Tasklet::new();
        let own = t.clone();
        let captured = OnDrop(move || {
            log("dropped");
            quietly(|| drop(own.kill()));
            quietly(|| drop(own.throw_pending("E")));
            drop((own.insert(), own.remove(), own.unbind(), own.bind(|()| ())));
            drop((own.take_tempval(), own.next(), own.fiber(), own.downgrade()));
        });
        t.bind(move |()| drop(captured)).unwrap().bind(());
        t.kill().unwrap();
        quietly(stackless::run);
        assert_eq!(state(&t), "dead");
        log("m");
    });
    check("dropped m");
}

#[test]
fn tempvals_that_call_back_are_dropped_wherever_they_end() {
    fibra::run(|| {
        let f = floating("F");
        f.set_tempval(some(Meddler("replaced")));
        f.set_tempval(some(Meddler("cleared")));
        f.set_tempval(None);
        let own = f.clone();
        f.set_tempval(some(OnDrop(move || {
            drop(own.take_tempval());
            own.set_tempval(None);
            log("own");
        })));
        f.set_tempval(some(Meddler("returned")));
        f.run().unwrap();
        let p = paused("P");
        p.set_tempval(some(Meddler("unstarted")));
        drop(p);
        stackless::getcurrent().set_tempval(some(Meddler("main's")));
    });
    let seen = trace();
    for name in ["replaced", "cleared", "own", "returned", "F2", "unstarted", "main's"] {
        assert_eq!(seen.iter().filter(|entry| *entry == name).count(), 1, "{name} in {seen:?}");
    }
}

#[test]
fn a_payload_whose_destructor_panics_harms_nothing_else() {
    fibra::run(|| {
        stackless::set_error_handler(Some(Rc::new(|_, _| log("handled"))));
        stackless::spawn(|| raise(OnDrop(|| raise("destructor"))));
        logs("A");
        quietly(stackless::run);
        quietly(stackless::run);
        let f = floating("F");
        f.throw_pending(OnDrop(|| raise("thrown 1"))).unwrap();
        quietly(|| drop(f.throw_pending("thrown 2")));
        quietly(stackless::run);
        assert_eq!(state(&f), "dead");
        log("m");
    });
    check("handled A F:thrown 2 handled m");
}

#[test]
fn a_tasklet_that_drops_its_own_last_handle_goes_on() {
    fibra::run(|| {
        let slot = Rc::new(RefCell::new(None));
        let own = slot.clone();
        let t = stackless::tasklet(move |()| {
            stackless::schedule_remove();
            drop(own.take());
            drop(stackless::getcurrent());
            log("T1");
            stackless::schedule();
            log("T2");
        });
        let t = t.bind(());
        t.run().unwrap();
        let weak = t.downgrade();
        *slot.borrow_mut() = Some(t);
        weak.upgrade().unwrap().insert().unwrap();
        stackless::run();
        assert!(weak.upgrade().is_none());
    });
    check("T1 T2");
}

#[test]
fn two_tasklets_whose_destructors_kill_each_other() {
    fibra::run(|| {
        let slots: [Rc<RefCell<Option<Tasklet>>>; 2] = Default::default();
        for (own, name) in [(0, "A"), (1, "B")] {
            let other = slots[1 - own].clone();
            let t = stackless::tasklet(move |()| {
                let _kills = OnDrop(move || {
                    log(name);
                    let other = other.borrow().clone();
                    other.unwrap().kill().unwrap();
                });
                logs_end(name, || drop(stackless::schedule_remove()));
            });
            let t = t.bind(());
            t.run().unwrap();
            *slots[own].borrow_mut() = Some(t);
        }
        let [a, b] = slots.clone().map(|slot| slot.take().unwrap());
        *slots[0].borrow_mut() = Some(a.clone());
        *slots[1].borrow_mut() = Some(b.clone());
        a.kill().unwrap();
        log("m");
        quietly(stackless::run);
        assert_eq!((state(&a), state(&b)), ("dead".into(), "dead".into()));
    });
    let seen = trace();
    assert_eq!(seen[..2], ["A!", "A"], "{seen:?}");
    assert_eq!(seen.iter().filter(|entry| *entry == "B").count(), 1, "{seen:?}");
}

#[test]
fn at_the_end_of_the_run_destructors_may_still_call_back() {
    fibra::run(|| {
        let channel = Channel::<i32>::new();
        for name in ["A", "B"] {
            let channel = channel.clone();
            stackless::spawn(move || {
                let _meddles = Meddler(name);
                drop(channel.receive());
            });
        }
        stackless::run();
        let f = floating("F");
        stackless::spawn(move || {
            let _last = f;
            let _meddles = Meddler("C");
            fibra::park();
        });
        stackless::schedule();
        logs("never");
        log("m");
    });
    let mut seen = trace();
    seen.retain(|entry| entry != "F!" && entry != "never");
    assert_eq!(seen[0], "m");
    seen.sort_unstable();
    assert_eq!(seen, ["A", "B", "C", "m"]);
}
