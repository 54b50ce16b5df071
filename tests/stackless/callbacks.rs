//! Callbacks that wait by fibra's own means: the operations refused meanwhile, to which tasklet.

use std::cell::Cell;
use std::rc::Rc;

use fibra::stackless::{self, Channel, ChannelError};

use crate::support::{check, log};

/// Makes every channel callback wait for a turn, so that the callbacks end in the order they began.
fn wait_in_channel_callbacks() {
    stackless::set_channel_callback(Some(Rc::new(|_| fibra::yield_now())));
}

#[test]
fn channel_callbacks_that_leave_in_the_order_in_which_they_came_refuse_nothing_afterwards() {
    fibra::run(|| {
        wait_in_channel_callbacks();
        let senders = ["a", "b", "c"].map(|name| {
            let channel = Channel::new();
            let to = channel.clone();
            stackless::spawn(move || {
                for n in 0..3 {
                    to.send(format!("{name}{n}")).unwrap();
                }
            });
            channel
        });
        for _ in 0..3 {
            senders.iter().for_each(|channel| log(channel.receive().unwrap()));
        }
    });
    check("a0 b0 c0 a1 b1 c1 a2 b2 c2");
}

#[test]
fn schedule_callbacks_that_leave_in_the_order_in_which_they_came_trap_nothing_afterwards() {
    fibra::run(|| {
        stackless::set_schedule_callback(Some(Rc::new(|_, _| fibra::yield_now())));
        for name in ["a", "b", "c"] {
            stackless::spawn(move || {
                for _ in 0..3 {
                    stackless::schedule();
                }
                log(name);
            });
        }
        stackless::run();
        stackless::set_schedule_callback(None);
        assert_eq!(stackless::switch_trap(0), 0);
        stackless::spawn(|| log("d"));
        stackless::schedule();
    });
    check("a b c d");
}

#[test]
fn only_the_tasklet_in_a_callback_may_not_switch() {
    fibra::run(|| {
        let is_first = Cell::new(true);
        stackless::set_channel_callback(Some(Rc::new(move |_| {
            if is_first.replace(false) {
                fibra::park();
                let nested = Channel::<()>::new().receive().unwrap_err();
                assert!(matches!(nested, ChannelError::Recursive), "{nested}");
                let other = stackless::spawn(|| log("other"));
                assert!(other.run().is_err());
                log("refused");
            }
        })));
        let channel = Channel::new();
        let to = channel.clone();
        let caller = stackless::spawn(move || to.send(1).unwrap());
        stackless::schedule();
        // It waits in its callback.
        stackless::spawn(|| log("free")).run().unwrap();
        let other = Channel::new();
        let from = other.clone();
        stackless::spawn(move || log(from.receive().unwrap()));
        other.send(2).unwrap();
        stackless::schedule();
        caller.fiber().unwrap().unpark();
        log(channel.receive().unwrap());
        stackless::schedule();
    });
    check("free 2 refused 1 other");
}

#[test]
fn a_tasklet_that_is_killed_in_a_callback_leaves_no_trace() {
    fibra::run(|| {
        let is_first = Cell::new(true);
        stackless::set_channel_callback(Some(Rc::new(move |_| {
            if is_first.replace(false) {
                fibra::park();
            }
        })));
        let caller = stackless::spawn(|| drop(Channel::new().send(1)));
        stackless::schedule();
        caller.fiber().unwrap().kill();
        stackless::schedule();
        assert!(!caller.is_alive());
        let channel = Channel::new();
        let to = channel.clone();
        stackless::spawn(move || to.send("sent").unwrap());
        log(channel.receive().unwrap());
    });
    check("sent");
}
