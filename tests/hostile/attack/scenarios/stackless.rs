//! Scenarios in the façade for tasklets.

use std::rc::Rc;
use std::{panic, thread};

use fibra::stackless::{self, Channel, PortableTasklet, SharedChannel, Tasklet};

use super::{Scenario, joined, scenario, unwinding};
use crate::attack::ledger::Counted;
use crate::attack::stage::{Hostile, Stage, strike, strike_if_never};

/// Runs tasklets until `tasklet` has ended.
pub(super) fn go(stage: &Stage, tasklet: &Tasklet) {
    stage.know_tasklet(tasklet);
    if let Some(fiber) = tasklet.fiber() {
        stage.know(&fiber);
        super::until_ended(&fiber);
    }
}

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario("tasklet: its function", "false", |stage| {
        let tasklet = stackless::spawn(strike);
        go(stage, &tasklet);
        tasklet.is_alive().to_string()
    }),
    scenario("tasklet: its function when another runs it", "false", |stage| {
        let tasklet = stackless::tasklet(|()| strike()).bind(());
        drop(tasklet.run());
        go(stage, &tasklet);
        tasklet.is_alive().to_string()
    }),
    scenario("tasklet: the destructor of its argument", "false", |stage| {
        let tasklet = stackless::tasklet(drop::<Hostile>).setup(Hostile::new("argument"));
        go(stage, &tasklet);
        tasklet.is_alive().to_string()
    }),
    scenario("tasklet: the destructor of an argument that is refused", "refused", |stage| {
        let bound = stackless::tasklet(drop::<Hostile>);
        let tasklet = (*bound).clone();
        stage.know_tasklet(&tasklet);
        drop(tasklet.bind(|()| ()).map(|other| other.setup(())));
        drop(bound.try_setup(Hostile::new("argument")));
        go(stage, &tasklet);
        "refused".into()
    }),
    scenario("tasklet: its function in a second life", "false", |stage| {
        let tasklet = stackless::spawn(|| ());
        stackless::schedule();
        drop(tasklet.bind(|()| strike()).map(|bound| bound.setup(())));
        go(stage, &tasklet);
        strike_if_never();
        tasklet.is_alive().to_string()
    }),
    scenario("tasklet: the destructor of a function without arguments", "unbound", |_| {
        let captured = Hostile::new("captured");
        drop(stackless::tasklet(move |()| drop(captured)));
        "unbound".into()
    }),
    scenario("tasklet: the destructor of a function that is replaced", "replaced", |stage| {
        let captured = Hostile::new("captured");
        let tasklet = stackless::tasklet(move |()| drop(captured)).bind(());
        stage.know_tasklet(&tasklet);
        drop(tasklet.bind(|()| ()));
        "replaced".into()
    }),
    scenario("tasklet: the destructor of a function that never runs", "dropped", |stage| {
        let captured = Hostile::new("captured");
        stage.hold(stackless::tasklet(move |()| drop(captured)).bind(()));
        stage.drop_held();
        "dropped".into()
    }),
    scenario(
        "tasklet: the destructor of a function that is killed before it runs",
        "false",
        |stage| {
            let captured = Hostile::new("captured");
            let tasklet = stackless::spawn(move || drop(captured));
            stage.know_tasklet(&tasklet);
            drop(tasklet.kill());
            go(stage, &tasklet);
            tasklet.is_alive().to_string()
        },
    ),
    scenario("tasklet: the destructor of a portable one", "dropped", |_| {
        let captured = Hostile::new("captured");
        drop(PortableTasklet::new(move || drop(captured)));
        "dropped".into()
    }),
    unwinding(scenario("tasklet: a destructor when its last handle goes", "dropped", |stage| {
        let tasklet = stackless::spawn(|| {
            let _hostile = Hostile::new("in a paused tasklet");
            stackless::schedule_remove();
        });
        stackless::schedule();
        stage.hold(tasklet);
        stage.drop_held();
        "dropped".into()
    })),
    unwinding(scenario("tasklet: a destructor when it is killed", "false", |stage| {
        let tasklet = stackless::spawn(|| {
            let _hostile = Hostile::new("in a tasklet");
            drop(Channel::<()>::new().receive());
        });
        stackless::schedule();
        stage.know_tasklet(&tasklet);
        drop(tasklet.kill());
        go(stage, &tasklet);
        tasklet.is_alive().to_string()
    })),
    scenario("tempval: its destructor at the end of a tasklet", "false", |stage| {
        let tasklet = stackless::spawn(|| ());
        tasklet.set_tempval(Some(Box::new(Hostile::new("tempval"))));
        go(stage, &tasklet);
        tasklet.is_alive().to_string()
    }),
    scenario("tempval: its destructor at the end of a fiber with an output", "joined", |stage| {
        let fiber = fibra::spawn(|| {
            let me = stackless::getcurrent();
            me.set_tempval(Some(Box::new(Hostile::new("tempval"))));
            Counted::new("output")
        });
        stage.know(fiber.fiber());
        joined(&fiber.join())
    }),
    scenario("tempval: its destructor while a handle may go", "went", |stage| {
        let fiber = fibra::spawn(|| {
            let me = stackless::getcurrent();
            me.set_tempval(Some(Box::new(Hostile::new("tempval"))));
            Counted::new("output")
        });
        stage.know(fiber.fiber());
        let known = fiber.fiber().clone();
        stage.hold(fiber);
        fibra::yield_now();
        stage.drop_held();
        super::until_ended(&known);
        "went".into()
    }),
    scenario("tempval: its destructor at the end of a scope's child", "2", |stage| {
        let lent = [Counted::new("lent"), Counted::new("lent")];
        let count = fibra::scope(|s| {
            let child = s.spawn(|| {
                let me = stackless::getcurrent();
                me.set_tempval(Some(Box::new(Hostile::new("tempval"))));
                (Counted::new("output"), &lent)
            });
            stage.know(child.fiber());
            fibra::yield_now();
            drop(child);
            lent.len()
        });
        count.to_string()
    }),
    scenario("tempval: its destructor when another takes its place", "replaced", |_| {
        let tasklet = stackless::getcurrent();
        tasklet.set_tempval(Some(Box::new(Hostile::new("tempval"))));
        tasklet.set_tempval(None);
        "replaced".into()
    }),
    scenario("tempval: its destructor when the ring is left", "back", |_| {
        let me = stackless::getcurrent();
        me.set_tempval(Some(Box::new(Hostile::new("tempval"))));
        let again = me.clone();
        drop(fibra::spawn(move || {
            for _ in 0..10 {
                if again.is_alive() && !again.is_paused() {
                    fibra::sleep(std::time::Duration::from_secs(1800));
                }
            }
            drop(again.insert());
        }));
        drop(stackless::schedule_remove());
        "back".into()
    }),
    unwinding(scenario("pending throw: the destructor of one that is raised", "false", |stage| {
        let tasklet = stackless::spawn(|| drop(panic::catch_unwind(stackless::schedule)));
        stackless::schedule();
        drop(tasklet.throw(Hostile::new("thrown")));
        go(stage, &tasklet);
        tasklet.is_alive().to_string()
    })),
    unwinding(scenario(
        "pending throw: the destructor of one that another replaces",
        "false",
        |stage| {
            let tasklet = stackless::spawn(|| drop(panic::catch_unwind(stackless::schedule)));
            stackless::schedule();
            drop(tasklet.throw_pending(Hostile::new("the first")));
            drop(tasklet.throw_pending(Counted::new("the second")));
            go(stage, &tasklet);
            tasklet.is_alive().to_string()
        },
    )),
    unwinding(scenario(
        "pending throw: the destructor of one that is not raised",
        "false",
        |stage| {
            let tasklet = stackless::spawn(|| {
                let me = stackless::getcurrent();
                fibra::shield(|| {
                    drop(fibra::spawn(move || drop(me.throw_pending(Hostile::new("thrown")))));
                    stackless::schedule();
                });
            });
            stackless::set_error_handler(Some(Rc::new(|_, _| ())));
            go(stage, &tasklet);
            drop(stackless::set_error_handler(None));
            tasklet.is_alive().to_string()
        },
    )),
    scenario("pending throw: the destructor of one at a dead tasklet", "true", |_| {
        let dead = Tasklet::new();
        dead.throw(Hostile::new("thrown")).is_err().to_string()
    }),
    unwinding(scenario(
        "pending throw: the destructor of one from another thread",
        "thrown",
        |stage| {
            let tasklet = stackless::spawn(|| drop(panic::catch_unwind(fibra::park)));
            stackless::schedule();
            let remote = tasklet.remote();
            let throw = move || drop(remote.throw(Hostile::new("thrown from afar")));
            thread::Builder::new().spawn(throw).unwrap().join().unwrap();
            stackless::schedule();
            go(stage, &tasklet);
            "thrown".into()
        },
    )),
    unwinding(scenario(
        "pending throw: the destructor of one that comes after the end",
        "thrown",
        |_| {
            let tasklet = stackless::spawn(|| ());
            let remote = tasklet.remote();
            drop(remote.throw(Hostile::new("thrown from afar")));
            drop(remote.throw(Hostile::new("thrown from afar, too")));
            drop(tasklet.kill());
            fibra::yield_now();
            fibra::yield_now();
            "thrown".into()
        },
    )),
    unwinding(scenario(
        "pending throw: the destructor of one that is in the mail at the end of run",
        "main",
        |_| {
            drop(stackless::getmain().remote().throw(Hostile::new("thrown at main from afar")));
            "main".into()
        },
    )),
    scenario("tasklet channel: a message that is replaced", "true", |stage| {
        let channel = Channel::new();
        let to = channel.clone();
        let sender = stackless::spawn(move || drop(to.send(Hostile::new("the first"))));
        stackless::schedule();
        let replaced = channel.replace_message(&sender, Hostile::new("the second"));
        let is_replaced = replaced.is_ok();
        drop(replaced);
        drop(channel.receive());
        go(stage, &sender);
        is_replaced.to_string()
    }),
    unwinding(scenario("tasklet channel: a message whose sender is killed", "false", |stage| {
        let channel = Channel::new();
        let to = channel.clone();
        let sender = stackless::spawn(move || drop(to.send(Hostile::new("message"))));
        stackless::schedule();
        stage.know_tasklet(&sender);
        drop(sender.kill());
        go(stage, &sender);
        sender.is_alive().to_string()
    })),
    unwinding(scenario("tasklet channel: an exception that is received", "caught", |stage| {
        let channel = Channel::<()>::new();
        let to = channel.clone();
        let sender = stackless::spawn(move || drop(to.send_exception(Hostile::new("exception"))));
        let receive = panic::AssertUnwindSafe(|| drop(channel.receive()));
        drop(panic::catch_unwind(receive));
        go(stage, &sender);
        "caught".into()
    })),
    scenario("tasklet channel: the source of a sequence", "3", |stage| {
        let channel = Channel::new();
        let from = channel.clone();
        let receiver = stackless::spawn(move || {
            for _ in 0..3 {
                drop(from.receive());
            }
        });
        let sent = channel.send_sequence((0..3).inspect(|_| strike()));
        go(stage, &receiver);
        sent.unwrap_or(0).to_string()
    }),
    unwinding(scenario("shared channel: a message whose sender is killed", "false", |stage| {
        let channel = SharedChannel::new();
        let to = channel.clone();
        let sender = stackless::spawn(move || drop(to.send(Hostile::new("message"))));
        stackless::schedule();
        stage.know_tasklet(&sender);
        drop(sender.kill());
        go(stage, &sender);
        drop(channel);
        sender.is_alive().to_string()
    })),
    scenario("shared channel: a message that a closed one gives back", "closed", |_| {
        let channel = SharedChannel::new();
        channel.close();
        drop(channel.send(Hostile::new("message")));
        "closed".into()
    }),
    unwinding(scenario("shared channel: an exception that is received", "caught", |stage| {
        let channel = SharedChannel::<u32>::new();
        let to = channel.clone();
        let sender = stackless::spawn(move || drop(to.send_exception(Hostile::new("exception"))));
        let receive = panic::AssertUnwindSafe(|| drop(channel.receive()));
        drop(panic::catch_unwind(receive));
        go(stage, &sender);
        "caught".into()
    })),
    scenario("shared channel: a message that is received", "true", |stage| {
        let channel = SharedChannel::new();
        let to = channel.clone();
        let sender = stackless::spawn(move || drop(to.send(Hostile::new("message"))));
        let message = channel.receive();
        let received = message.is_ok();
        drop(message);
        go(stage, &sender);
        received.to_string()
    }),
    scenario("run: a tasklet that it runs", "run", |stage| {
        let tasklet = stackless::spawn(strike);
        stage.know_tasklet(&tasklet);
        stackless::run();
        go(stage, &tasklet);
        "run".into()
    }),
    unwinding(scenario("run: the destructor of what a tasklet ends it with", "caught", |stage| {
        let tasklet = stackless::spawn(|| panic::panic_any(Hostile::new("payload")));
        stage.know_tasklet(&tasklet);
        drop(panic::catch_unwind(stackless::run));
        go(stage, &tasklet);
        drop(panic::catch_unwind(fibra::yield_now));
        "caught".into()
    })),
];
