//! Callbacks and error handlers that panic, re-enter, or change the tasklet they are called for.

use std::cell::Cell;
use std::rc::Rc;

use fibra::stackless::{self, Channel, Run, Tasklet};

use crate::support::stackless::{
    floating, logs, logs_end, paused, payload_of, quietly, raise, raised, raises, receiving,
    sending, state,
};
use crate::support::{check, log, text_of};

#[test]
fn a_channel_callback_that_panics_is_ignored() {
    fibra::run(|| {
        let channel = Channel::new();
        stackless::set_channel_callback(Some(Rc::new(|_| raise("callback"))));
        receiving("R", &channel);
        channel.send(1).unwrap();
        stackless::set_channel_callback(None);
        assert_eq!(channel.balance(), 0);
        log("m");
    });
    check("R1 m");
}

#[test]
fn a_channel_callback_may_not_use_channels_but_may_make_tasklets() {
    fibra::run(|| {
        let (channel, other) = (Channel::new(), Channel::<i32>::new());
        let (seen, made) = (other.clone(), Cell::new(0));
        stackless::set_channel_callback(Some(Rc::new(move |_| {
            assert!(seen.send(1).is_err() && seen.receive().is_err());
            made.set(made.get() + 1);
            if made.get() == 1 {
                logs("X");
            }
            quietly(stackless::schedule);
            quietly(stackless::run);
        })));
        sending("S", &channel, 1);
        assert_eq!(channel.receive().unwrap(), 1);
        stackless::set_channel_callback(None);
        assert_eq!((channel.balance(), other.balance()), (0, 0));
        stackless::run();
        log("m");
    });
    let mut seen = crate::support::trace();
    assert_eq!(seen.pop().as_deref(), Some("m"));
    seen.sort_unstable();
    assert_eq!(seen, ["S", "X"]);
}

#[test]
fn a_channel_callback_that_changes_the_channel_leaves_it_whole() {
    fibra::run(|| {
        let channel = Channel::new();
        let r = receiving("R", &channel);
        let (victim, changed) = (r.clone(), channel.clone());
        stackless::set_channel_callback(Some(Rc::new(move |event| {
            if event.sending {
                drop(victim.kill_pending());
                changed.close();
            }
        })));
        // The partner that the callback was shown is gone when the operation is done.
        let error = channel.send(1);
        stackless::set_channel_callback(None);
        assert!(error.is_err());
        assert_eq!((channel.balance(), state(&r)), (0, "alive scheduled".into()));
        stackless::run();
    });
    check("R!");
}

#[test]
fn callbacks_that_replace_each_other_from_within() {
    fibra::run(|| {
        stackless::set_schedule_callback(Some(Rc::new(|_, _| {
            log("first");
            stackless::set_schedule_callback(Some(Rc::new(|_, _| log("second"))));
        })));
        logs("A");
        stackless::run();
        let channel = Channel::new();
        stackless::set_schedule_callback(None);
        stackless::set_channel_callback(Some(Rc::new(|_| {
            stackless::set_channel_callback(None);
            log("channel");
        })));
        receiving("R", &channel);
        channel.send(1).unwrap();
    });
    check("first A second channel R1");
}

#[test]
fn an_error_handler_may_run_the_scheduler() {
    fibra::run(|| {
        stackless::set_error_handler(Some(Rc::new(|_, payload| {
            log(format!("<{}", text_of(payload)));
            logs("x");
            stackless::run();
            log(">");
        })));
        raises("X", "E");
        raises("Y", "F");
        stackless::run();
        log("m");
    });
    // X's handler waits in a run, inside which Y ends; Y's handler waits in a run for x and x.
    check("X <E Y <F x x > > m");
}

#[test]
fn an_error_handler_that_raises_without_end_is_stopped() {
    fibra::run(|| {
        let depth = Rc::new(Cell::new(0));
        let seen = depth.clone();
        stackless::set_error_handler(Some(Rc::new(move |_, _| {
            seen.set(seen.get() + 1);
            if seen.get() < 10 {
                raises("again", "nested").run().unwrap();
            }
            raise("deepest");
        })));
        raises("X", "E");
        while 1 < stackless::getruncount() {
            quietly(stackless::run);
        }
        assert_eq!(depth.get(), 10);
    });
    crate::support::forget_trace();
}

#[test]
fn an_error_handler_that_kills_its_tasklet_ends_it() {
    fibra::run(|| {
        stackless::set_error_handler(Some(Rc::new(|tasklet, _| {
            logs_end("handler", || tasklet.kill().unwrap());
        })));
        let x = raises("X", "E");
        assert!(payload_of(stackless::run).is::<stackless::TaskletExit>());
        assert_eq!(state(&x), "dead");
    });
    check("X handler!");
}

#[test]
fn an_error_handler_may_keep_and_rebind_the_dead() {
    fibra::run(|| {
        let kept: Rc<Cell<Option<Tasklet>>> = Rc::default();
        let slot = kept.clone();
        stackless::set_error_handler(Some(Rc::new(move |tasklet, _| {
            assert!(tasklet.bind(|()| log("never")).is_err());
            slot.set(Some(tasklet.clone()));
        })));
        drop(raises("X", "E"));
        stackless::run();
        let x = kept.take().unwrap();
        x.bind(|()| log("X again")).unwrap().setup(());
        stackless::run();
    });
    check("X X again");
}

#[test]
fn an_error_handler_that_throws_at_main_reaches_it() {
    fibra::run(|| {
        stackless::set_error_handler(Some(Rc::new(|_, payload| {
            let text = format!("handled {}", text_of(payload));
            stackless::getmain().throw(text).unwrap();
            log("handler goes on");
        })));
        raises("X", "E");
        log(raised(stackless::run));
        stackless::run();
        log("m");
    });
    check("X handled E handler goes on m");
}

#[test]
fn a_schedule_callback_that_drops_the_last_handle_of_a_paused_tasklet() {
    fibra::run(|| {
        let last = Cell::new(Some(floating("F")));
        stackless::set_schedule_callback(Some(Rc::new(move |_, _| drop(last.take()))));
        logs("A");
        stackless::schedule();
        stackless::set_schedule_callback(None);
        log("m");
        stackless::run();
        log("m2");
    });
    let seen = crate::support::trace();
    assert!(seen.contains(&"F!".into()) && seen.last().unwrap() == "m2", "{seen:?}");
    assert_eq!(seen.len(), 4, "{seen:?}");
}

#[test]
fn a_schedule_callback_that_removes_the_next_tasklet() {
    fibra::run(|| {
        let [a, b] = ["A", "B"].map(logs);
        let (first, done) = (a.clone(), Cell::new(false));
        stackless::set_schedule_callback(Some(Rc::new(move |_, _| {
            if !done.replace(true) {
                drop(first.remove());
            }
        })));
        stackless::run();
        stackless::set_schedule_callback(None);
        log("m");
        a.kill().unwrap();
        drop(b);
        assert_eq!(stackless::getruncount(), 1);
    });
    let seen = crate::support::trace();
    assert!(seen.contains(&"B".into()) && seen.last().unwrap() == "m", "{seen:?}");
}

#[test]
fn a_schedule_callback_that_removes_the_target_of_a_switch() {
    fibra::run(|| {
        let a = logs("A");
        let victim = a.clone();
        stackless::set_schedule_callback(Some(Rc::new(move |_, _| {
            drop((victim.remove(), victim.kill_pending(), victim.remove()));
        })));
        quietly(|| drop(a.run()));
        stackless::set_schedule_callback(None);
        quietly(|| drop(a.kill()));
        stackless::run();
        assert_eq!((state(&a), stackless::getruncount()), ("dead".into(), 1));
    });
    crate::support::forget_trace();
}

#[test]
fn a_schedule_callback_that_unbinds_the_target_of_a_run() {
    fibra::run(|| {
        let p = paused("P");
        let victim = p.clone();
        stackless::set_schedule_callback(Some(Rc::new(move |_, _| {
            drop((victim.remove(), victim.unbind()));
        })));
        quietly(|| drop(p.run()));
        quietly(|| drop(p.switch()));
        stackless::set_schedule_callback(None);
        quietly(stackless::run);
        quietly(|| drop(p.kill()));
        assert_eq!((state(&p), stackless::getruncount()), ("dead".into(), 1));
        assert_eq!(state(&stackless::getcurrent()), "alive current scheduled");
    });
    let _ = crate::support::trace();
}

#[test]
fn ticks_inside_callbacks_interrupt_nothing() {
    fibra::run(|| {
        stackless::set_schedule_callback(Some(Rc::new(|_, _| {
            (0..9).for_each(|_| stackless::tick());
        })));
        logs("A");
        logs("B");
        assert!(Run::new().ticks(3).run().is_none());
        stackless::set_schedule_callback(None);
        log("m");
    });
    check("A B m");
}
