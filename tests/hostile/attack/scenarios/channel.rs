//! Scenarios in the values of channels within a thread, and in `select!`.

use std::time::Duration;

use fibra::channel::{self, Channel};
use fibra::select::{Select, recv, send};

use super::{Scenario, scenario, until_ended, unwinding};
use crate::attack::ledger::Counted;
use crate::attack::stage::{Hostile, strike};

pub(super) const SCENARIOS: &[Scenario] = &[
    unwinding(scenario("channel: the message of a sender that is killed", "killed", |stage| {
        let channel = Channel::new();
        let to = channel.clone();
        let sender = fibra::spawn(move || drop(to.send(Hostile::new("message"))));
        stage.know(sender.fiber());
        let from = channel.clone();
        stage.offer(move || drop(from.try_recv()));
        fibra::yield_now();
        sender.kill();
        until_ended(sender.fiber());
        stage.hold(channel);
        "killed".into()
    })),
    scenario("channel: a message that a closed channel gives back", "closed", |_| {
        let channel = Channel::new();
        channel.close();
        drop(channel.send(Hostile::new("message")));
        "closed".into()
    }),
    scenario("channel: a message that is dropped by who receives it", "received", |stage| {
        let channel = Channel::new();
        let to = channel.clone();
        let sender = fibra::spawn(move || drop(to.send(Hostile::new("message"))));
        stage.know(sender.fiber());
        drop(channel.recv());
        "received".into()
    }),
    scenario("channel: a message that comes too late for a limit", "late", |stage| {
        let channel = Channel::new();
        let again = channel.clone();
        stage.offer(move || drop(again.try_recv()));
        drop(channel.send_timeout(Hostile::new("message"), Duration::from_millis(1)));
        "late".into()
    }),
    unwinding(scenario("channel: a payload whose sender is killed", "killed", |stage| {
        let channel = Channel::<()>::new();
        let to = channel.clone();
        let sender = fibra::spawn(move || drop(to.send_panic(Box::new(Hostile::new("payload")))));
        stage.know(sender.fiber());
        fibra::yield_now();
        sender.kill();
        until_ended(sender.fiber());
        "killed".into()
    })),
    unwinding(scenario("channel: a payload that ends its receiver", "ended", |stage| {
        let channel = Channel::<()>::new();
        let from = channel.clone();
        let receiver = fibra::spawn(move || drop(from.recv()));
        stage.know(receiver.fiber());
        fibra::yield_now();
        drop(channel.send_panic(Box::new(Hostile::new("payload"))));
        until_ended(receiver.fiber());
        drop(receiver);
        "ended".into()
    })),
    scenario("channel: buffered values when the receiver goes", "gone", |stage| {
        let (sender, receiver) = channel::bounded(3);
        for _ in 0..3 {
            drop(sender.try_send(Hostile::new("buffered")));
        }
        let again = sender.clone();
        stage.offer(move || drop(again.try_send(Hostile::new("meddled"))));
        stage.hold(sender);
        drop(receiver);
        "gone".into()
    }),
    scenario("channel: buffered values when both ends go", "gone", |stage| {
        let (sender, receiver) = channel::bounded(3);
        drop(sender.try_send(Hostile::new("buffered")));
        drop(sender.try_send(Hostile::new("buffered")));
        drop(sender);
        stage.hold(receiver);
        stage.drop_held();
        "gone".into()
    }),
    scenario("channel: values without bounds when the receiver goes", "gone", |stage| {
        let (sender, receiver) = channel::unbounded();
        for _ in 0..3 {
            drop(sender.send(Hostile::new("unbounded")));
        }
        let again = sender.clone();
        stage.offer(move || drop(again.send(Hostile::new("meddled"))));
        drop(receiver);
        "gone".into()
    }),
    scenario("channel: the value of a sender that waits when the receiver goes", "gone", |stage| {
        let (sender, receiver) = channel::bounded(1);
        let waits = fibra::spawn(move || {
            drop(sender.send(Counted::new("buffered")));
            let _ = sender.send(Counted::new("waits")).map_err(|_| strike());
        });
        stage.know(waits.fiber());
        fibra::yield_now();
        stage.hold(receiver);
        stage.drop_held();
        until_ended(waits.fiber());
        "gone".into()
    }),
    scenario("channel: a value that a receiver drops", "3", |stage| {
        let (sender, receiver) = channel::bounded(1);
        let feeder = fibra::spawn(move || {
            for _ in 0..3 {
                drop(sender.send(Hostile::new("passed on")));
            }
        });
        stage.know(feeder.fiber());
        receiver.iter().map(drop).count().to_string()
    }),
    scenario("channel: a single value when the receiver goes", "gone", |stage| {
        let (sender, receiver) = channel::oneshot();
        drop(sender.send(Hostile::new("single")));
        stage.hold(receiver);
        stage.drop_held();
        "gone".into()
    }),
    scenario("channel: a single value that is given back", "back", |_| {
        let (sender, receiver) = channel::oneshot();
        drop(receiver);
        drop(sender.send(Hostile::new("single")));
        "back".into()
    }),
    scenario("select: what is made of an output", "7", |_| {
        let (sender, receiver) = channel::unbounded();
        sender.send(7).unwrap();
        let mut select = Select::new();
        select.add(recv(&receiver), |value| {
            strike();
            value.unwrap_or(0)
        });
        select.wait().to_string()
    }),
    scenario("select: what is made of an output that is there", "Some(7)", |_| {
        let (sender, receiver) = channel::unbounded();
        sender.send(7).unwrap();
        let mut select = Select::new();
        select.add(recv(&receiver), |value| {
            strike();
            value.unwrap_or(0)
        });
        format!("{:?}", select.try_now())
    }),
    scenario("select: the destructor of an arm that is not taken", "taken", |stage| {
        let (sender, receiver) = channel::unbounded();
        let channel = Channel::<Hostile>::new();
        let mut select = Select::new();
        let captured = Hostile::new("captured by an arm");
        select.add(send(&channel, Hostile::new("offered")), move |_| drop(captured));
        select.add(recv(&receiver), drop);
        let again = sender.clone();
        stage.offer(move || drop(again.send(())));
        drop(fibra::spawn(move || drop(sender.send(()))));
        select.wait();
        "taken".into()
    }),
    scenario("select: the destructor of a value that is not sent", "default", |_| {
        let channel = Channel::<Hostile>::new();
        fibra::select! {
            sent = send(channel, Hostile::new("offered")) => drop(sent),
            default => {}
        }
        "default".into()
    }),
    scenario("select: an arm's body", "7", |_| {
        let (sender, receiver) = channel::unbounded();
        sender.send(7).unwrap();
        let value = fibra::select! {
            value = recv(receiver) => {
                strike();
                value.unwrap_or(0)
            }
        };
        value.to_string()
    }),
    unwinding(scenario("select: the arms of one that is killed", "killed", |stage| {
        let channel = Channel::<Hostile>::new();
        let selects = fibra::spawn(move || {
            let (_sender, receiver) = channel::bounded::<()>(1);
            fibra::select! {
                _ = send(channel, Hostile::new("offered")) => {}
                _ = recv(receiver) => {}
            }
        });
        stage.know(selects.fiber());
        fibra::yield_now();
        selects.kill();
        until_ended(selects.fiber());
        "killed".into()
    })),
];
