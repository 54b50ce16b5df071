//! Kills and time limits at channels, at every moment: each value is delivered, returned or
//! dropped exactly once.

mod deadlines;
mod unwinding;

use std::panic::{self, AssertUnwindSafe};

use fibra::channel::{Channel, Preference, bounded};

use crate::support::channel::{Census, Counted, Trace};
use crate::support::{go, run_virtually as run};

const PREFERENCES: [Preference; 3] =
    [Preference::Receiver, Preference::Neither, Preference::Sender];

#[test]
fn a_killed_sender_drops_its_value_once_and_leaves_the_queue() {
    let census = Census::default();
    run(|| {
        let channel = Channel::new();
        let sender = fibra::spawn({
            let (channel, value) = (channel.clone(), census.value());
            move || channel.send(value).unwrap()
        });
        fibra::yield_now();
        assert_eq!(channel.balance(), 1);
        sender.kill();
        assert_eq!(channel.balance(), 1, "it leaves the queue on its own stack");
        assert!(census.dropped().is_empty());
        assert!(sender.join().unwrap_err().is_killed());
        assert_eq!((channel.balance(), census.dropped()), (0, vec![1]));
        assert!(channel.try_recv().is_err());
    });
    census.assert_all_dropped_once();
}

#[test]
fn a_killed_receiver_leaves_the_queue_and_the_next_is_served() {
    let census = Census::default();
    run(|| {
        let channel = Channel::<Counted>::new();
        let receivers = [(); 3].map(|()| {
            let channel = channel.clone();
            fibra::spawn(move || channel.recv().unwrap().number)
        });
        fibra::yield_now();
        let [first, second, third] = receivers;
        first.kill();
        fibra::yield_now();
        assert_eq!(channel.balance(), -2);
        channel.send(census.value()).unwrap();
        third.kill();
        assert_eq!(second.join().unwrap(), 1);
        assert!(first.join().unwrap_err().is_killed());
        assert!(third.join().unwrap_err().is_killed());
        assert_eq!(channel.balance(), 0);
    });
    census.assert_all_dropped_once();
}

#[test]
fn a_receiver_that_is_killed_after_it_was_served_has_its_value() {
    for preference in [Preference::Neither, Preference::Sender] {
        let census = Census::default();
        let trace = Trace::default();
        run(|| {
            let channel = Channel::<Counted>::new();
            channel.set_preference(preference);
            let receiver = fibra::spawn({
                let (channel, trace) = (channel.clone(), trace.clone());
                move || {
                    let value = channel.recv().unwrap();
                    trace.say(format!("got {}", value.number));
                    fibra::yield_now();
                    trace.say("not reached");
                }
            });
            fibra::yield_now();
            channel.send(census.value()).unwrap();
            receiver.kill();
            assert!(receiver.join().unwrap_err().is_killed());
        });
        assert_eq!(trace.take(), "got 1");
        census.assert_all_dropped_once();
    }
}

#[test]
fn a_sender_that_is_killed_after_it_was_served_has_sent() {
    for preference in [Preference::Receiver, Preference::Neither] {
        let census = Census::default();
        let trace = Trace::default();
        run(|| {
            let channel = Channel::<Counted>::new();
            channel.set_preference(preference);
            let sender = fibra::spawn({
                let (channel, trace, value) = (channel.clone(), trace.clone(), census.value());
                move || {
                    channel.send(value).unwrap();
                    trace.say("sent");
                    fibra::yield_now();
                    trace.say("not reached");
                }
            });
            fibra::yield_now();
            let value = channel.recv().unwrap();
            sender.kill();
            assert!(sender.join().unwrap_err().is_killed());
            assert!(census.dropped().is_empty(), "the receiver has it");
            drop(value);
        });
        assert_eq!(trace.take(), "sent");
        census.assert_all_dropped_once();
    }
}

#[test]
fn a_partner_that_was_killed_but_has_not_run_yet_is_still_served() {
    // The kill makes it ready. Before its turn comes, a partner meets it, and the meeting wins.
    for preference in PREFERENCES {
        let census = Census::default();
        run(|| {
            let channel = Channel::<Counted>::new();
            channel.set_preference(preference);
            let receiver = fibra::spawn({
                let channel = channel.clone();
                move || channel.recv().unwrap()
            });
            fibra::yield_now();
            receiver.kill();
            assert_eq!(channel.balance(), -1);
            channel.send(census.value()).unwrap();
            let value = receiver.join().expect("it returned without another wait");
            assert_eq!(value.number, 1);
        });
        census.assert_all_dropped_once();
    }
}

#[test]
fn a_sender_that_was_killed_but_has_not_run_yet_is_still_received_from() {
    for preference in PREFERENCES {
        let census = Census::default();
        run(|| {
            let channel = Channel::<Counted>::new();
            channel.set_preference(preference);
            let sender = fibra::spawn({
                let (channel, value) = (channel.clone(), census.value());
                move || channel.send(value).is_ok()
            });
            fibra::yield_now();
            sender.kill();
            let value = channel.recv().unwrap();
            assert_eq!(value.number, 1);
            assert!(sender.join().expect("it returned without another wait"));
        });
        census.assert_all_dropped_once();
    }
}

#[test]
fn a_caller_that_is_killed_behind_its_partner_keeps_what_it_received() {
    // `Preference::Sender`: the receiver goes behind all other fibers and holds the value there.
    let census = Census::default();
    let trace = Trace::default();
    run(|| {
        let channel = Channel::<Counted>::new();
        channel.set_preference(Preference::Sender);
        go({
            let (channel, value) = (channel.clone(), census.value());
            move || channel.send(value).unwrap()
        });
        let receiver = fibra::spawn({
            let (channel, trace) = (channel.clone(), trace.clone());
            move || {
                let value = channel.recv().unwrap();
                trace.say(format!("got {}", value.number));
                fibra::yield_now();
                trace.say("not reached");
            }
        });
        let victim = receiver.fiber().clone();
        go(move || victim.kill());
        assert!(receiver.join().unwrap_err().is_killed());
    });
    assert_eq!(trace.take(), "got 1");
    census.assert_all_dropped_once();
}

#[test]
fn kills_at_the_front_the_middle_and_the_end_of_a_queue_keep_the_order_of_the_others() {
    for victim in 0..5 {
        let census = Census::default();
        run(|| {
            let channel = Channel::new();
            let (queue, reader) = bounded(0);
            let spawn = |f: Box<dyn FnOnce()>| fibra::spawn(f);
            let senders: Vec<_> = (0..5)
                .map(|_| {
                    let (channel, value) = (channel.clone(), census.value());
                    spawn(Box::new(move || channel.send(value).unwrap()))
                })
                .collect();
            let queued: Vec<_> = (0..5)
                .map(|_| {
                    let (queue, value) = (queue.clone(), census.value());
                    spawn(Box::new(move || queue.send(value).unwrap()))
                })
                .collect();
            fibra::yield_now();
            senders[victim].kill();
            queued[victim].kill();
            fibra::yield_now();
            assert_eq!(channel.balance(), 4);
            assert_eq!(census.dropped(), [victim + 1, victim + 6]);

            let left = |first: usize| (first..first + 5).filter(move |n| n - first != victim);
            let got: Vec<usize> = (0..4).map(|_| channel.recv().unwrap().number).collect();
            assert_eq!(got, left(1).collect::<Vec<_>>());
            let got: Vec<usize> = (0..4).map(|_| reader.recv().unwrap().number).collect();
            assert_eq!(got, left(6).collect::<Vec<_>>());
            assert!(reader.try_recv().is_err());
        });
        census.assert_all_dropped_once();
    }
}

#[test]
fn a_killed_sender_of_a_full_channel_does_not_get_into_the_buffer() {
    let census = Census::default();
    run(|| {
        let (sender, receiver) = bounded(1);
        sender.send(census.value()).unwrap();
        let waiting = fibra::spawn({
            let (sender, value) = (sender.clone(), census.value());
            move || sender.send(value).unwrap()
        });
        fibra::yield_now();
        waiting.kill();
        fibra::yield_now();
        assert_eq!(receiver.recv().unwrap().number, 1);
        assert!(receiver.is_empty());
        assert!(waiting.join().unwrap_err().is_killed());
    });
    census.assert_all_dropped_once();
}

#[test]
fn a_killed_sender_whose_value_is_already_in_the_buffer_has_sent() {
    let census = Census::default();
    run(|| {
        let (sender, receiver) = bounded(1);
        sender.send(census.value()).unwrap();
        let waiting = fibra::spawn({
            let (sender, value) = (sender.clone(), census.value());
            move || sender.send(value).is_ok()
        });
        fibra::yield_now();
        assert_eq!(receiver.recv().unwrap().number, 1);
        assert_eq!(receiver.len(), 1, "the freed place went to the waiting sender");
        waiting.kill();
        assert!(waiting.join().expect("it returned without another wait"));
        assert_eq!(receiver.recv().unwrap().number, 2);
    });
    census.assert_all_dropped_once();
}

#[test]
fn a_fiber_that_is_killed_before_its_first_turn_drops_what_it_would_have_sent() {
    let census = Census::default();
    run(|| {
        let channel = Channel::new();
        let sender = fibra::spawn({
            let (channel, value) = (channel.clone(), census.value());
            move || channel.send(value).unwrap()
        });
        sender.kill();
        assert!(sender.join().unwrap_err().is_killed());
        assert_eq!(channel.balance(), 0);
    });
    census.assert_all_dropped_once();
}

#[test]
fn a_kill_is_not_raised_in_a_shielded_wait_but_in_the_next() {
    let census = Census::default();
    let trace = Trace::default();
    run(|| {
        let channel = Channel::<Counted>::new();
        let receiver = fibra::spawn({
            let (channel, trace) = (channel.clone(), trace.clone());
            move || {
                let value = fibra::shield(|| channel.recv()).unwrap();
                trace.say(format!("got {}", value.number));
                let _ = channel.recv();
                trace.say("not reached");
            }
        });
        fibra::yield_now();
        receiver.kill();
        fibra::yield_now();
        assert_eq!(channel.balance(), -1);
        channel.send(census.value()).unwrap();
        assert!(receiver.join().unwrap_err().is_killed());
        assert_eq!(channel.balance(), 0);
    });
    assert_eq!(trace.take(), "got 1");
    census.assert_all_dropped_once();
}

#[test]
fn code_that_catches_a_kill_meets_it_again_at_its_next_send() {
    let census = Census::default();
    let trace = Trace::default();
    run(|| {
        let channel = Channel::<Counted>::new();
        let sender = fibra::spawn({
            let (channel, trace, census) = (channel.clone(), trace.clone(), census.clone());
            move || {
                for _ in 0..3 {
                    let send = AssertUnwindSafe(|| channel.send(census.value()));
                    trace.say(if panic::catch_unwind(send).is_err() { "caught" } else { "sent" });
                }
                channel.send(census.value()).unwrap();
            }
        });
        fibra::yield_now();
        sender.kill();
        assert!(sender.join().unwrap_err().is_killed());
        assert_eq!(channel.balance(), 0);
    });
    assert_eq!(trace.take(), "caught caught caught");
    census.assert_all_dropped_once();
}

#[test]
fn the_end_of_run_unwinds_waiters_at_channels_the_oldest_first() {
    let census = Census::default();
    let channel = Channel::new();
    let (sender, receiver) = bounded(0);
    run(|| {
        for _ in 0..2 {
            let (channel, value) = (channel.clone(), census.value());
            go(move || channel.send(value).unwrap());
            let (sender, value) = (sender.clone(), census.value());
            go(move || sender.send(value).unwrap());
        }
        fibra::yield_now();
    });
    assert_eq!(census.dropped(), [1, 2, 3, 4]);
    assert_eq!(channel.balance(), 0);
    assert!(receiver.is_empty());
}
