//! The unbounded channel: a send never waits, and no value is lost or kept.

use fibra::channel::{Receiver, RecvError, SendError, TryRecvError, TrySendError, unbounded};

use crate::support::channel::{Census, Counted, Trace};
use crate::support::{go, ms, run_virtually as run};

#[test]
fn a_send_never_waits_and_never_switches() {
    let trace = Trace::default();
    run(|| {
        let (sender, receiver) = unbounded();
        go({
            let trace = trace.clone();
            move || trace.say("a")
        });
        // The number of sends that fit into one budget of operations.
        (0..100).for_each(|value| sender.send(value).unwrap());
        trace.say("sent");
        assert_eq!((sender.len(), receiver.len()), (100, 100));
        assert!(receiver.iter().take(20).eq(0..20));
        trace.say("received");
        fibra::yield_now();
        sender.try_send(100).unwrap();
        assert!(receiver.iter().take(81).eq(20..=100));
        assert!(receiver.is_empty());
    });
    assert_eq!(trace.take(), "sent received a");
}

#[test]
fn it_holds_a_hundred_thousand_values_in_order() {
    run(|| {
        let (sender, receiver) = unbounded();
        let producer = fibra::spawn(move || {
            for value in 0..100_000u32 {
                sender.send(value).unwrap();
            }
        });
        producer.join().unwrap();
        assert_eq!(receiver.len(), 100_000);
        assert!(receiver.iter().eq(0..100_000));
    });
}

#[test]
fn a_producer_that_never_waits_gives_way_when_its_budget_is_spent() {
    let trace = Trace::default();
    run(|| {
        let (sender, receiver) = unbounded();
        let producer = fibra::spawn(move || {
            loop {
                sender.send(()).unwrap();
            }
        });
        for turn in 0..3 {
            fibra::yield_now();
            trace.say(turn);
        }
        assert!(receiver.len() < 1000, "{}", receiver.len());
        producer.kill();
        assert!(producer.join().unwrap_err().is_killed());
    });
    assert_eq!(trace.take(), "0 1 2");
}

#[test]
fn a_consumer_that_never_waits_gives_way_when_its_budget_is_spent() {
    let trace = Trace::default();
    run(|| {
        let (sender, receiver) = unbounded();
        (0..1000).for_each(|value| sender.send(value).unwrap());
        let consumer = fibra::spawn({
            let trace = trace.clone();
            move || {
                let sum: u32 = receiver.iter().sum();
                trace.say(sum);
            }
        });
        fibra::yield_now();
        trace.say("between");
        drop(sender);
        consumer.join().unwrap();
    });
    assert_eq!(trace.take(), "between 499500");
}

#[test]
fn waiting_receivers_share_the_values_in_the_order_in_which_they_came() {
    let trace = Trace::default();
    run(|| {
        let (sender, receiver) = unbounded();
        for name in ["a", "b"] {
            let (receiver, trace) = (receiver.clone(), trace.clone());
            go(move || receiver.iter().for_each(|value| trace.say(format!("{name}{value}"))));
        }
        fibra::yield_now();
        (1..=3).for_each(|value| sender.send(value).unwrap());
        assert_eq!(receiver.len(), 1, "two went straight to those who wait");
        fibra::yield_now();
        (4..=5).for_each(|value| sender.send(value).unwrap());
        fibra::yield_now();
    });
    assert_eq!(trace.take(), "a1 a3 b2 a4 b5");
}

#[test]
fn both_ends_learn_of_the_others_end_and_values_are_dropped_once() {
    let census = Census::default();
    run(|| {
        let (sender, receiver) = unbounded();
        sender.send(census.value()).unwrap();
        drop(sender);
        assert_eq!(receiver.recv().unwrap().number, 1);
        assert!(matches!(receiver.recv(), Err(RecvError::Closed)));
        assert_eq!(receiver.try_recv().err(), Some(TryRecvError::Closed));

        let (sender, receiver) = unbounded();
        (0..3).for_each(|_| sender.send(census.value()).unwrap());
        drop(receiver);
        assert_eq!(census.dropped(), [1, 2, 3, 4]);
        match sender.send(census.value()) {
            Err(SendError::Closed(value)) => assert_eq!(value.number, 5),
            other => panic!("{other:?}"),
        }
        assert!(matches!(sender.try_send(census.value()), Err(TrySendError::Closed(_))));
    });
    census.assert_all_dropped_once();
}

#[test]
fn a_killed_consumer_loses_only_what_it_holds() {
    let census = Census::default();
    run(|| {
        let (sender, receiver) = unbounded();
        (0..4).for_each(|_| sender.send(census.value()).unwrap());
        let consumer = fibra::spawn({
            let receiver = receiver.clone();
            move || {
                for value in receiver.iter() {
                    fibra::sleep(ms(10));
                    drop(value);
                }
            }
        });
        fibra::sleep(ms(15));
        consumer.kill();
        assert!(consumer.join().unwrap_err().is_killed());
        assert_eq!(census.dropped(), [1, 2]);
        assert_eq!(receiver.try_recv().unwrap().number, 3);
        assert_eq!(receiver.len(), 1);
    });
    census.assert_all_dropped_once();
}

#[test]
fn a_value_may_hold_the_receiver_of_its_own_channel() {
    struct Carries(Option<(Counted, Receiver<Carries>)>);

    let census = Census::default();
    run(|| {
        let (sender, receiver) = unbounded();
        assert!(sender.send(Carries(Some((census.value(), receiver.clone())))).is_ok());
        let (value, other) = receiver.recv().unwrap().0.unwrap();
        assert_eq!(value.number, 1);
        drop(receiver);
        assert!(sender.send(Carries(None)).is_ok());
        assert!(other.recv().unwrap().0.is_none());
    });
    census.assert_all_dropped_once();
}
