//! Scenarios in the handler and in the callbacks of tasklets.

use std::panic;
use std::rc::Rc;

use fibra::stackless::{self, Channel};

use super::stackless::go;
use super::{Scenario, scenario, unwinding};
use crate::attack::ledger::Counted;
use crate::attack::stage::{Hostile, strike};

pub(super) const SCENARIOS: &[Scenario] = &[
    unwinding(scenario("error handler: its call", "called", |stage| {
        stackless::set_error_handler(Some(Rc::new(|_, _| strike())));
        let tasklet = stackless::spawn(|| panic!("the scenario"));
        go(stage, &tasklet);
        drop(stackless::set_error_handler(None));
        "called".into()
    })),
    unwinding(scenario(
        "error handler: the destructor of an error that it swallows",
        "called",
        |stage| {
            stackless::set_error_handler(Some(Rc::new(|_, _| ())));
            let tasklet = stackless::spawn(|| panic::panic_any(Hostile::new("payload")));
            go(stage, &tasklet);
            drop(stackless::set_error_handler(None));
            "called".into()
        },
    )),
    scenario("error handler: its destructor", "replaced", |_| {
        let captured = Hostile::new("captured by a handler");
        stackless::set_error_handler(Some(Rc::new(move |_, _| {
            let _ = &captured;
        })));
        drop(stackless::set_error_handler(None));
        "replaced".into()
    }),
    scenario("error handler: its destructor at the end of run", "main", |_| {
        let captured = Hostile::new("captured by a handler");
        stackless::set_error_handler(Some(Rc::new(move |_, _| {
            let _ = &captured;
        })));
        "main".into()
    }),
    scenario("schedule callback: its call", "false", |stage| {
        #[allow(clippy::redundant_closure, reason = "a panic of the call has its place here")]
        let tasklet = stackless::spawn(|| stackless::schedule());
        stackless::set_schedule_callback(Some(Rc::new(|_, _| strike())));
        stackless::schedule();
        stackless::schedule();
        drop(stackless::set_schedule_callback(None));
        go(stage, &tasklet);
        tasklet.is_alive().to_string()
    }),
    scenario("schedule callback: its call at the end of a tasklet", "false", |stage| {
        let tasklet = stackless::spawn(|| ());
        stackless::set_schedule_callback(Some(Rc::new(|_, _| strike())));
        go(stage, &tasklet);
        drop(stackless::set_schedule_callback(None));
        tasklet.is_alive().to_string()
    }),
    scenario("schedule callback: its destructor at the end of run", "main", |_| {
        let captured = Hostile::new("captured by a callback");
        stackless::set_schedule_callback(Some(Rc::new(move |_, _| {
            let _ = &captured;
        })));
        "main".into()
    }),
    scenario("channel callback: its call", "true", |stage| {
        stackless::set_channel_callback(Some(Rc::new(|_| strike())));
        let channel = Channel::new();
        let to = channel.clone();
        let sender = stackless::spawn(move || drop(to.send(Counted::new("message"))));
        let received = channel.receive().is_ok();
        go(stage, &sender);
        drop(stackless::set_channel_callback(None));
        received.to_string()
    }),
    scenario("channel callback: another channel after a call", "true", |stage| {
        stackless::set_channel_callback(Some(Rc::new(|_| strike())));
        let channel = Channel::new();
        let senders = [0, 1].map(|_| {
            let to = channel.clone();
            stackless::spawn(move || drop(to.send(Counted::new("message"))))
        });
        let both = [channel.receive().is_ok(), channel.receive().is_ok()];
        drop(stackless::set_channel_callback(None));
        senders.iter().for_each(|sender| go(stage, sender));
        (both == [true, true]).to_string()
    }),
    scenario("channel callback: its destructor", "replaced", |_| {
        let captured = Hostile::new("captured by a callback");
        stackless::set_channel_callback(Some(Rc::new(move |_| {
            let _ = &captured;
        })));
        drop(stackless::set_channel_callback(None));
        "replaced".into()
    }),
];
