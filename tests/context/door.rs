//! What the code of a context may do while its fiber is switched.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::time::Duration;

use fibra::channel::{self, Channel};
use fibra::context::{Carried, carry, with_value};
use fibra::generator;
use fibra::sync::mpmc;
use fibra::{spawn, yield_now};

use crate::support::{check, log, run_virtually, trace};
use crate::{named, show};

/// A context that calls closures.
struct Calls<E: Fn(), L: Fn()>(E, L);

impl<E: Fn(), L: Fn()> Carried for Calls<E, L> {
    fn enter(&self) {
        (self.0)();
    }

    fn leave(&self) {
        (self.1)();
    }
}

/// Calls `f` in `leave` of a context of a fiber that yields, and logs the panic.
fn try_at_door(f: impl Fn()) {
    let caught = Cell::new(false);
    let leave = || {
        if !caught.replace(true) {
            match panic::catch_unwind(AssertUnwindSafe(&f)) {
                Ok(()) => log("fine"),
                Err(payload) => log(fibra::Panic::new(payload)),
            }
        }
    };
    carry(&Calls(|| (), leave), yield_now);
}

#[test]
fn waits_panic() {
    fibra::run(|| {
        try_at_door(fibra::park);
        try_at_door(|| fibra::sleep(Duration::from_millis(1)));
        try_at_door(|| fibra::scope(|_| ()));
        try_at_door(|| spawn(|| ()).join().unwrap());
        try_at_door(|| fibra::blocking(|| ()));
        let (_tx, rx) = mpmc::bounded::<u32>(1);
        try_at_door(|| drop(rx.recv()));
        try_at_door(|| drop(fibra::select! { value = recv(rx) => value }));
        try_at_door(|| fibra::future::block_on(std::future::pending()));
        try_at_door(|| drop(fibra::stackless::schedule_remove()));
    });
    let trace = trace();
    assert_eq!(trace.len(), 9, "{trace:?}");
    for text in trace {
        assert!(text.contains("would wait (") && text.contains("`enter` or `leave`"), "{text}");
    }
}

#[test]
fn yields_panic_and_do_not_run_others() {
    fibra::run(|| {
        spawn(|| log("other"));
        try_at_door(yield_now);
        try_at_door(|| drop(fibra::spawn_now(|| log("never now"))));
    });
    let trace = trace();
    assert!(trace[0].contains("would wait (to let others run)"), "{trace:?}");
    assert!(trace[1..].contains(&String::from("other")), "{trace:?}");
}

#[test]
fn what_does_not_wait_is_allowed() {
    fibra::run(|| {
        let (tx, rx) = channel::unbounded();
        try_at_door(|| (0..1_000).for_each(|n| tx.send(n).unwrap()));
        assert_eq!(rx.len(), 1_000);
        try_at_door(|| drop(spawn(|| log("spawned"))));
        yield_now();
        let channel = Channel::new();
        let receiver = channel.clone();
        spawn(move || log(receiver.recv().unwrap()));
        yield_now();
        // The partner is ready, and runs later than it would otherwise.
        try_at_door(|| channel.send("sent").unwrap());
        try_at_door(|| drop(fibra::dump()));
        try_at_door(|| fibra::shield(|| ()));
        yield_now();
    });
    check("fine fine spawned fine sent fine fine");
}

#[test]
fn a_context_may_wake_its_own_fiber() {
    fibra::run(|| {
        let me = fibra::current();
        carry(&Calls(|| (), || me.unpark()), fibra::park);
        let (tx, rx) = channel::unbounded();
        let sent = carry(&Calls(|| (), || tx.send(1).unwrap()), || rx.recv());
        assert_eq!(sent, Ok(1));
        let (tx, rx) = mpmc::unbounded();
        let sent = carry(&Calls(|| (), || tx.send(1).unwrap()), || rx.recv());
        assert_eq!(sent, Ok(1));
        let sent = carry(
            &Calls(|| (), || tx.send(2).unwrap()),
            || fibra::select! { value = recv(rx) => value },
        );
        assert_eq!(sent, Ok(1));
    });
}

#[test]
fn a_context_may_kill_its_own_fiber() {
    fibra::run(|| {
        let killed = spawn(|| {
            let me = fibra::current();
            carry(&Calls(|| (), || me.kill()), fibra::park);
        });
        assert!(killed.join().unwrap_err().is_killed());
    });
}

#[test]
fn a_panic_at_a_door_is_reported_and_not_passed_on() {
    fibra::run(|| {
        let first = Cell::new(true);
        let leave = || {
            if first.replace(false) {
                panic!("leave fails");
            }
        };
        named("a", || {
            carry(&Calls(|| (), leave), || {
                named("c", || {
                    yield_now();
                    show("back");
                });
            });
        });
    });
    check("+a +c -c -a +a +c back[a,c] -c -a");
}

#[test]
fn a_panic_at_the_ends_of_a_region_is_the_callers() {
    fibra::run(|| {
        let enters = panic::catch_unwind(|| {
            carry(&Calls(|| panic!("enter fails"), || log("left")), || log("body"));
        });
        assert_eq!(fibra::Panic::new(enters.unwrap_err()).to_string(), "enter fails");
        let leaves = panic::catch_unwind(|| {
            carry(&Calls(|| (), || panic!("leave fails")), || log("body"));
        });
        assert_eq!(fibra::Panic::new(leaves.unwrap_err()).to_string(), "leave fails");
        let both = panic::catch_unwind(|| {
            carry(&Calls(|| (), || panic!("leave fails")), || panic!("body fails"));
        });
        assert_eq!(fibra::Panic::new(both.unwrap_err()).to_string(), "body fails");
        yield_now();
    });
    check("body");
}

#[test]
fn a_generator_cannot_be_left_from_a_door() {
    fibra::run(|| {
        let mut numbers = generator::iter(|y| {
            try_at_door(|| y.yield_(1));
            y.yield_(2);
        });
        assert_eq!(numbers.next(), Some(2));
        assert_eq!(numbers.next(), None);
        assert!(trace()[0].contains("a yield outside of its generator"));
    });
}

#[test]
fn a_generator_may_run_at_a_door() {
    fibra::run(|| {
        let numbers = RefCell::new(generator::iter(|y| {
            named("g", || y.yield_(1));
            y.yield_(2);
        }));
        assert_eq!(numbers.borrow_mut().next(), Some(1));
        try_at_door(|| log(numbers.borrow_mut().next().unwrap()));
        let inside = generator::iter(|y| {
            let again = Rc::new(RefCell::new(generator::iter(|z| z.yield_(3))));
            // Its first call would start it.
            try_at_door(|| log(again.borrow_mut().next().unwrap()));
            y.yield_(4);
        });
        inside.for_each(log);
    });
    let trace = trace();
    assert_eq!(trace[..6], ["+g", "-g", "+g", "-g", "2", "fine"]);
    assert!(trace[6].starts_with("a generator was resumed outside"), "{trace:?}");
    assert_eq!(trace[7], "4");
}

#[cfg(feature = "greenlet")]
#[test]
fn a_greenlet_cannot_be_left_from_a_door() {
    use fibra::greenlet::{Greenlet, current};

    fibra::run(|| {
        let main = current::<u32>();
        let other = Greenlet::new(move |value: u32| {
            let second = Greenlet::new(|value: u32| value);
            try_at_door(|| log(main.switch(7).unwrap_err()));
            try_at_door(|| log(second.switch(7).unwrap_err()));
            let lost = Greenlet::new({
                let main = main.clone();
                move |value: u32| main.switch(value).unwrap()
            });
            let _ = lost.switch(9);
            let lost = Cell::new(Some(lost));
            try_at_door(|| drop(lost.take()));
            value + 1
        });
        log(other.switch(1).unwrap());
        log(other.switch(5).unwrap());
    });
    let trace = trace();
    assert!(trace[0].starts_with("a greenlet was used outside"), "{trace:?}");
    assert_eq!(trace[1], "fine");
    assert!(trace[2].starts_with("a greenlet was used outside"), "{trace:?}");
    assert_eq!(trace[3..], ["fine", "9", "fine", "2"]);
}

#[test]
fn a_value_of_a_thread_local_is_exchanged() {
    thread_local! { static VALUE: Cell<u32> = const { Cell::new(0) } }
    fibra::run(|| {
        let change = |first| {
            spawn(move || {
                with_value(&VALUE, first, || {
                    for _ in 0..3 {
                        VALUE.set(VALUE.get() + 1);
                        yield_now();
                    }
                    VALUE.get()
                })
            })
        };
        let (a, b) = (change(10), change(20));
        yield_now();
        VALUE.set(5);
        assert_eq!((a.join().unwrap(), b.join().unwrap(), VALUE.get()), (13, 23, 5));
    });
}

#[test]
fn a_hook_with_a_deadline_of_the_wait_that_it_belongs_to() {
    run_virtually(|| {
        let leave = || {
            let waits = || fibra::park_timeout(Duration::from_millis(1));
            if let Err(payload) = panic::catch_unwind(waits) {
                log(fibra::Panic::new(payload).to_string().contains("would wait"));
            }
        };
        carry(&Calls(|| (), leave), || fibra::sleep(Duration::from_millis(1)));
    });
    check("true");
}

/// A context that does the same in each call.
struct Always<F: Fn()>(F);

impl<F: Fn()> Carried for Always<F> {
    fn enter(&self) {
        (self.0)();
    }

    fn leave(&self) {
        (self.0)();
    }
}

#[test]
fn a_context_that_wakes_its_fiber_each_time_does_not_keep_others_from_running() {
    fibra::run(|| {
        let me = fibra::current();
        carry(&Always(|| me.unpark()), || {
            let (sender, receiver) = fibra::channel::bounded::<u32>(1);
            let lock = std::rc::Rc::new(fibra::sync::Mutex::new(0));
            let held = lock.clone();
            let child = fibra::spawn(move || {
                let mut held = held.lock();
                fibra::sleep(Duration::from_millis(2));
                *held += 1;
                sender.send(5).unwrap();
                6
            });
            fibra::yield_now();
            assert_eq!(*lock.lock(), 1);
            assert_eq!(receiver.recv(), Ok(5));
            fibra::sleep(Duration::from_millis(2));
            fibra::yield_now();
            assert_eq!(child.join().unwrap(), 6);
            assert_eq!(fibra::blocking(|| 7), 7);
            fibra::future::block_on(fibra::future::sleep(Duration::from_millis(2)));
        });
    });
}

#[test]
fn a_context_that_kills_its_fiber_each_time_ends_it_once() {
    let ended = std::rc::Rc::new(std::cell::Cell::new(0));
    fibra::run(|| {
        let counts = ended.clone();
        let child = fibra::spawn(move || {
            let me = fibra::current();
            let killed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                carry(&Always(|| me.kill()), || {
                    counts.set(counts.get() + 1);
                    fibra::park();
                    counts.set(100);
                });
            }));
            counts.set(counts.get() + 10);
            if let Err(payload) = killed {
                std::panic::resume_unwind(payload);
            }
        });
        assert!(child.join().unwrap_err().is_killed());
    });
    assert!(ended.get() < 100, "{}", ended.get());
}

#[test]
fn a_context_that_spawns_panics_and_drops_fibers_in_a_generator() {
    fibra::run(|| {
        let act = Always(|| {
            let child = fibra::spawn(fibra::park);
            child.fiber().kill();
            drop(child);
            let _ = std::panic::catch_unwind(|| fibra::generator::iter(|y| y.yield_(1)).next());
            let _ = std::panic::catch_unwind(fibra::yield_now);
        });
        carry(&act, || {
            let mut numbers = fibra::generator::iter(|y| {
                carry(&Always(|| drop(fibra::spawn(fibra::yield_now))), || {
                    for n in 0..5 {
                        fibra::yield_now();
                        y.yield_(n);
                    }
                });
            });
            assert_eq!(numbers.by_ref().take(3).collect::<Vec<_>>(), [0, 1, 2]);
            fibra::sleep(Duration::from_millis(1));
            drop(numbers);
        });
    });
}
