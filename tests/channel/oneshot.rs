//! The one-shot channel: one value, or an error if none can come any more.

use fibra::channel::{RecvError, RecvTimeoutError, TryRecvError, oneshot};

use crate::support::channel::{Census, Counted, Trace};
use crate::support::{go, ms, run_virtually as run};

#[test]
fn the_value_waits_for_the_receiver_or_the_receiver_for_the_value() {
    let trace = Trace::default();
    run(|| {
        let (sender, receiver) = oneshot();
        sender.send(1).unwrap();
        trace.say(receiver.recv().unwrap());

        let (sender, receiver) = oneshot();
        go({
            let trace = trace.clone();
            move || trace.say(receiver.recv().unwrap())
        });
        fibra::yield_now();
        sender.send(2).unwrap();
        trace.say("sent");
        fibra::yield_now();
    });
    assert_eq!(trace.take(), "1 sent 2");
}

#[test]
fn a_sender_that_is_dropped_unused_wakes_the_receiver_with_closed() {
    run(|| {
        let (sender, receiver) = oneshot::<u32>();
        let waiting = fibra::spawn(move || matches!(receiver.recv(), Err(RecvError::Closed)));
        fibra::yield_now();
        drop(sender);
        assert!(waiting.join().unwrap());

        let (sender, mut receiver) = oneshot::<u32>();
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        assert_eq!(receiver.recv_timeout(ms(5)), Err(RecvTimeoutError::Timeout));
        drop(sender);
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
        assert_eq!(receiver.recv_timeout(ms(5)), Err(RecvTimeoutError::Closed));
    });
}

#[test]
fn a_value_for_which_the_receiver_is_gone_comes_back() {
    let census = Census::default();
    run(|| {
        let (sender, receiver) = oneshot();
        drop(receiver);
        let refused = sender.send(census.value()).unwrap_err();
        assert!(refused.is_closed());
        let back = refused.into_inner();
        assert!(census.dropped().is_empty());
        assert_eq!(back.number, 1);
    });
    census.assert_all_dropped_once();
}

#[test]
fn a_value_that_is_never_received_is_dropped_with_the_receiver() {
    let census = Census::default();
    run(|| {
        let (sender, receiver) = oneshot();
        sender.send(census.value()).unwrap();
        assert!(census.dropped().is_empty());
        drop(receiver);
        assert_eq!(census.dropped(), [1]);
    });
    census.assert_all_dropped_once();
}

#[test]
fn after_the_value_there_is_nothing_more() {
    run(|| {
        let (sender, mut receiver) = oneshot();
        sender.send(1).unwrap();
        assert_eq!(receiver.recv_timeout(ms(5)), Ok(1));
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    });
}

#[test]
fn a_killed_receiver_leaves_the_value_to_the_sender() {
    let census = Census::default();
    run(|| {
        let (sender, receiver) = oneshot();
        let waiting = fibra::spawn(move || receiver.recv().map(|_| ()));
        fibra::yield_now();
        waiting.kill();
        assert!(waiting.join().unwrap_err().is_killed());
        assert!(sender.send(census.value()).is_err());
    });
    census.assert_all_dropped_once();
}

#[test]
fn a_receiver_that_is_killed_after_the_value_came_has_it() {
    let census = Census::default();
    run(|| {
        let (sender, receiver) = oneshot();
        let waiting = fibra::spawn(move || receiver.recv().map(|value: Counted| value.number));
        fibra::yield_now();
        sender.send(census.value()).unwrap();
        waiting.kill();
        assert_eq!(waiting.join().expect("it returned without another wait").unwrap(), 1);
    });
    census.assert_all_dropped_once();
}

#[test]
fn waiting_for_a_value_that_cannot_be_sent_is_a_deadlock() {
    run(|| {
        let (_sender, receiver) = oneshot::<u32>();
        assert!(matches!(receiver.recv(), Err(RecvError::Deadlock(_))));
    });
}
