//! The schedule callback: S-178 to S-182.

use std::cell::RefCell;
use std::rc::Rc;

use fibra::channel::Preference;
use fibra::stackless::{self, Channel, Run, Tasklet};

use crate::support::stackless::{
    floating, logs, paused, payload_of, raise, raised, raises, receiving, sending, state,
};
use crate::support::{Noisy, check, log};

type Callback = Rc<dyn Fn(&Tasklet, &Tasklet)>;

/// The names of tasklets, for a callback that logs.
#[derive(Clone, Default)]
struct Names(Rc<RefCell<Vec<(Tasklet, &'static str)>>>);

impl Names {
    fn add(&self, name: &'static str, tasklet: &Tasklet) {
        self.0.borrow_mut().push((tasklet.clone(), name));
    }

    fn of(&self, tasklet: &Tasklet) -> &'static str {
        let names = self.0.borrow();
        let found = names.iter().rev().find(|(named, _)| named == tasklet).map(|(_, name)| *name);
        found.unwrap_or(if tasklet.is_main() { "m" } else { "?" })
    }

    /// Makes every switch log `from>to`.
    fn watch(&self) {
        let names = self.clone();
        stackless::set_schedule_callback(Some(Rc::new(move |from, to| {
            assert!(*from == stackless::getcurrent() && from != to);
            log(format!("{}>{}", names.of(from), names.of(to)));
        })));
    }
}

#[test]
fn s_178_the_callback_is_set_got_and_removed() {
    fibra::run(|| {
        assert!(stackless::get_schedule_callback().is_none());
        let first: Callback = Rc::new(|_, _| log("first"));
        let second: Callback = Rc::new(|_, _| log("second"));
        assert!(stackless::set_schedule_callback(Some(first.clone())).is_none());
        assert!(Rc::ptr_eq(&stackless::get_schedule_callback().unwrap(), &first));
        let previous = stackless::set_schedule_callback(Some(second.clone())).unwrap();
        assert!(Rc::ptr_eq(&previous, &first));
        stackless::spawn(|| {});
        stackless::run();
        assert!(Rc::ptr_eq(&stackless::set_schedule_callback(None).unwrap(), &second));
        assert!(stackless::get_schedule_callback().is_none());
        stackless::spawn(|| {});
        stackless::run();
    });
    check("second second");
}

/// Deliberately different: the callback belongs to one scheduler, so the next run has none.
#[test]
fn s_178_the_callback_belongs_to_its_run() {
    fibra::run(|| drop(stackless::set_schedule_callback(Some(Rc::new(|_, _| log("first"))))));
    fibra::run(|| {
        assert!(stackless::get_schedule_callback().is_none());
        stackless::spawn(|| {});
        stackless::run();
    });
    check("");
}

/// T19.
#[test]
fn s_179_it_is_called_before_every_switch_and_at_the_ends() {
    fibra::run(|| {
        let names = Names::default();
        for name in ["a", "b"] {
            names.add(name, &stackless::spawn(stackless::schedule));
        }
        names.watch();
        stackless::run();
        stackless::set_schedule_callback(None);
    });
    check("m>a a>b b>a a>b b>m");
}

#[test]
fn s_179_no_switch_no_call() {
    fibra::run(|| {
        Names::default().watch();
        stackless::schedule();
        stackless::run();
        assert!(stackless::schedule_remove().is_none());
        stackless::getcurrent().run().unwrap();
        stackless::getcurrent().switch().unwrap();
        let channel = Channel::new();
        assert!(channel.send(1).is_err());
        let (p, a) = (paused("P"), logs("A"));
        p.insert().unwrap();
        a.remove().unwrap();
        p.kill_pending().unwrap();
    });
    check("");
}

#[test]
fn s_179_it_sees_run_switch_kill_and_throw() {
    fibra::run(|| {
        let names = Names::default();
        let [p, q, k, t] = ["p", "q", "k", "t"].map(|name| {
            let tasklet = stackless::tasklet(|()| {}).bind(());
            names.add(name, &tasklet);
            tasklet
        });
        names.watch();
        p.run().unwrap();
        log("-");
        q.switch().unwrap();
        log("-");
        k.kill().unwrap();
        log("-");
        log(raised(|| t.throw("E")));
    });
    check("m>p p>m - m>q q>m - m>k k>m - m>t t>m E");
}

#[test]
fn s_179_it_sees_the_switches_of_channels() {
    fibra::run(|| {
        let names = Names::default();
        let channel = Channel::new();
        let r = receiving("R", &channel);
        names.add("r", &r);
        names.watch();
        channel.send(1).unwrap();
        log("-");
        channel.set_preference(Preference::Sender);
        stackless::set_schedule_callback(None);
        let s = sending("S", &channel, 2);
        names.add("s", &s);
        names.watch();
        channel.receive().unwrap();
        log("-");
        let answer = channel.clone();
        names.add("t", &stackless::spawn(move || answer.send(3).unwrap()));
        log(channel.receive().unwrap());
    });
    // T sends with preference for the sender: main continues when T has ended.
    check("m>r R1 r>m - m>s S s>m - m>t t>m 3");
}

#[test]
fn s_179_it_sees_where_an_error_goes() {
    fibra::run(|| {
        let names = Names::default();
        names.add("a", &stackless::spawn(|| log(raised(stackless::run))));
        names.add("x", &raises("X", "E"));
        names.add("b", &logs("B"));
        names.watch();
        stackless::run();
    });
    check("m>a a>x X x>a E a>b B b>m");
}

#[test]
fn s_179_it_sees_an_interrupt() {
    fibra::run(|| {
        let names = Names::default();
        let a = stackless::spawn(|| (0..3).for_each(|_| stackless::tick()));
        names.add("a", &a);
        names.watch();
        assert!(Run::new().ticks(2).run() == Some(a.clone()));
        a.run().unwrap();
    });
    check("m>a a>m m>a a>m");
}

#[test]
fn s_180_current_is_the_previous_one_and_its_state_is_that_of_one_that_runs() {
    fibra::run(|| {
        stackless::set_schedule_callback(Some(Rc::new(|from, to| {
            assert!(*from == stackless::getcurrent() && from.is_current() && !to.is_current());
            log(to.is_main());
        })));
        logs("A");
        stackless::schedule();
    });
    check("false A true");
}

#[test]
fn s_181_its_panics_are_ignored() {
    fibra::run(|| {
        stackless::set_schedule_callback(Some(Rc::new(|_, _| {
            log("cb");
            raise("ignored")
        })));
        logs("A");
        logs("B");
        stackless::run();
        stackless::set_schedule_callback(None);
        log("m");
    });
    check("cb A cb B cb m");
}

#[test]
fn s_182_no_switch_is_possible_inside_of_it() {
    fibra::run(|| {
        let p = paused("P");
        let (target, channel) = (p.clone(), Channel::<i32>::new());
        let seen = channel.clone();
        stackless::set_schedule_callback(Some(Rc::new(move |_, _| {
            drop(payload_of(stackless::schedule));
            drop(payload_of(stackless::schedule_remove));
            drop(payload_of(stackless::run));
            assert!(target.run().is_err() && target.switch().is_err() && target.kill().is_err());
            assert!(seen.receive().is_err());
            log("refused");
        })));
        logs("A");
        stackless::schedule();
        stackless::set_schedule_callback(None);
        assert_eq!((state(&p), channel.balance()), ("alive paused".into(), 0));
        p.run().unwrap();
    });
    check("refused A refused P");
}

#[test]
fn s_182_a_panic_by_a_switch_inside_of_it_does_no_harm() {
    fibra::run(|| {
        stackless::set_schedule_callback(Some(Rc::new(|_, _| stackless::schedule())));
        logs("A");
        logs("B");
        stackless::schedule();
        log("m");
        logs("C");
        stackless::run();
    });
    check("A B m C");
}

#[test]
fn the_callback_may_insert_spawn_and_kill_pending() {
    fibra::run(|| {
        let (p, f) = (paused("P"), floating("F"));
        stackless::set_schedule_callback(Some(Rc::new(move |_, _| {
            stackless::set_schedule_callback(None);
            logs("X");
            p.insert().unwrap();
            f.kill_pending().unwrap();
        })));
        logs("A");
        stackless::run();
        log("m");
    });
    check("A X P F! m");
}

#[test]
fn a_callback_is_dropped_when_it_is_replaced_and_not_while_it_runs() {
    fibra::run(|| {
        let captured = Noisy("dropped");
        stackless::set_schedule_callback(Some(Rc::new(move |_, _| {
            let captured = &captured;
            stackless::set_schedule_callback(None);
            log(format!("{} lives", captured.0));
        })));
        logs("A");
        stackless::run();
    });
    check("dropped lives dropped A");
}

#[test]
fn a_callback_left_at_the_end_of_a_run_is_dropped_with_it() {
    fibra::run(|| {
        let captured = Noisy("dropped");
        let main = stackless::getmain();
        stackless::set_schedule_callback(Some(Rc::new(move |_, _| {
            let _ = (&captured, &main);
        })));
        log("m");
    });
    log("after");
    check("m dropped after");
}
