//! The bounded channel: its order, its capacity, how each end learns that the other end is gone,
//! and where the values go.

mod destructors;

use std::panic::{self, AssertUnwindSafe};

use fibra::channel::{
    RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError, bounded,
};

use crate::support::channel::{Census, Counted, Trace};
use crate::support::{go, ms, run_virtually as run};

#[test]
fn values_arrive_in_the_order_in_which_their_sends_began() {
    for capacity in [0, 1, 2, 3, 100] {
        run(|| {
            let (sender, receiver) = bounded(capacity);
            for first in [0, 10, 20] {
                let sender = sender.clone();
                go(move || (first..first + 3).for_each(|value| sender.send(value).unwrap()));
            }
            drop(sender);
            let mut got: Vec<u32> = receiver.iter().collect();
            let mut of_each = |first| {
                let (mine, rest) = got.iter().partition::<Vec<u32>, _>(|&&v| v / 10 == first / 10);
                got = rest;
                mine
            };
            for first in [0, 10, 20] {
                assert_eq!(of_each(first), [first, first + 1, first + 2], "capacity {capacity}");
            }
            assert!(got.is_empty());
        });
    }
}

#[test]
fn a_send_waits_only_while_the_channel_is_full() {
    for (capacity, expected) in [
        (0, "main R0 S0 S1 R1 R2 S2 S3 R3"),
        (1, "S0 main R0 R1 S1 S2 S3 R2 R3"),
        (2, "S0 S1 main R0 R1 R2 S2 S3 R3"),
        (9, "S0 S1 S2 S3 main R0 R1 R2 R3"),
    ] {
        let trace = Trace::default();
        run(|| {
            let (sender, receiver) = bounded(capacity);
            go({
                let trace = trace.clone();
                move || {
                    for value in 0..4 {
                        sender.send(value).unwrap();
                        trace.say(format!("S{value}"));
                    }
                }
            });
            fibra::yield_now();
            trace.say("main");
            for value in receiver.iter() {
                trace.say(format!("R{value}"));
            }
        });
        assert_eq!(trace.take(), expected, "capacity {capacity}");
    }
}

#[test]
fn with_a_capacity_of_zero_each_send_waits_for_its_receiver() {
    run(|| {
        let (sender, receiver) = bounded(0);
        assert!(matches!(sender.try_send(1), Err(TrySendError::Full(1))));
        let send = fibra::spawn(move || sender.send(2).unwrap());
        fibra::yield_now();
        assert!(!send.is_finished());
        assert_eq!((receiver.len(), receiver.is_empty()), (0, true), "a waiter is not buffered");
        assert_eq!(receiver.try_recv(), Ok(2));
        send.join().unwrap();

        let (sender, receiver) = bounded(0);
        let receive = fibra::spawn(move || receiver.recv().unwrap());
        fibra::yield_now();
        sender.try_send(3).expect("a receiver waits");
        assert_eq!(receive.join().unwrap(), 3);
    });
}

#[test]
fn neither_a_send_nor_a_receive_that_need_not_wait_switches() {
    let trace = Trace::default();
    run(|| {
        let (sender, receiver) = bounded(2);
        go({
            let (receiver, trace) = (receiver.clone(), trace.clone());
            move || trace.say(format!("R{}", receiver.recv().unwrap()))
        });
        fibra::yield_now();
        sender.send(1).unwrap(); // to the waiting receiver
        sender.send(2).unwrap(); // to the buffer
        trace.say("sent");
        trace.say(receiver.recv().unwrap());
        fibra::yield_now();
    });
    assert_eq!(trace.take(), "sent 2 R1");
}

#[test]
fn the_length_counts_the_buffer_and_not_the_waiters() {
    run(|| {
        let (sender, receiver) = bounded(2);
        assert!(sender.is_empty() && receiver.is_empty());
        for value in 0..4 {
            let sender = sender.clone();
            go(move || sender.send(value).unwrap());
        }
        fibra::yield_now();
        assert_eq!((sender.len(), receiver.len()), (2, 2));
        let lengths: Vec<_> = (0..4)
            .map(|value| {
                assert_eq!(receiver.try_recv(), Ok(value));
                receiver.len()
            })
            .collect();
        assert_eq!(lengths, [2, 2, 1, 0]);
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    });
}

#[test]
fn receivers_are_served_in_the_order_in_which_they_came() {
    let trace = Trace::default();
    run(|| {
        let (sender, receiver) = bounded(1);
        for name in ["a", "b", "c"] {
            let (receiver, trace) = (receiver.clone(), trace.clone());
            go(move || trace.say(format!("{name}{}", receiver.recv().unwrap())));
        }
        fibra::yield_now();
        (1..=3).for_each(|value| sender.send(value).unwrap());
        assert!(sender.is_empty(), "all went straight to a receiver");
        fibra::yield_now();
    });
    assert_eq!(trace.take(), "a1 b2 c3");
}

#[test]
fn when_the_last_sender_goes_waiting_receivers_learn_of_it() {
    let trace = Trace::default();
    run(|| {
        let (sender, receiver) = bounded::<u32>(1);
        let second = sender.clone();
        for name in ["a", "b"] {
            let (receiver, trace) = (receiver.clone(), trace.clone());
            go(move || trace.say(format!("{name}:{:?}", receiver.recv())));
        }
        fibra::yield_now();
        drop(sender);
        fibra::yield_now();
        trace.say("one left");
        drop(second);
        trace.say("none left");
        fibra::yield_now();
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
        assert_eq!(receiver.recv_timeout(ms(1)), Err(RecvTimeoutError::Closed));
    });
    assert_eq!(trace.take(), "one left none left a:Err(Closed) b:Err(Closed)");
}

#[test]
fn what_was_sent_before_the_last_sender_went_is_still_received() {
    run(|| {
        let (sender, receiver) = bounded(1);
        let waiting = sender.clone();
        sender.send(1).unwrap();
        go(move || waiting.send(2).unwrap());
        fibra::yield_now();
        drop(sender);
        assert_eq!(receiver.recv().unwrap(), 1);
        fibra::yield_now(); // the other sender has ended by now, too
        assert_eq!(receiver.iter().collect::<Vec<_>>(), [2]);
        assert!(matches!(receiver.recv(), Err(RecvError::Closed)));
    });
}

#[test]
fn when_the_last_receiver_goes_waiting_senders_get_their_values_back() {
    let census = Census::default();
    let trace = Trace::default();
    run(|| {
        let (sender, receiver) = bounded(1);
        let second = receiver.clone();
        sender.send(census.value()).unwrap();
        for _ in 0..2 {
            let (sender, value, trace) = (sender.clone(), census.value(), trace.clone());
            go(move || match sender.send(value) {
                Err(SendError::Closed(value)) => trace.say(value.number),
                other => panic!("{other:?}"),
            });
        }
        fibra::yield_now();
        drop(receiver);
        fibra::yield_now();
        assert!(census.dropped().is_empty());
        drop(second);
        assert_eq!(census.dropped(), [1], "the buffered value can never be received");
        fibra::yield_now();
        assert_eq!(trace.take(), "2 3");
        assert!(matches!(sender.try_send(census.value()), Err(TrySendError::Closed(_))));
        assert!(matches!(sender.send(census.value()), Err(SendError::Closed(_))));
        let sent = sender.send_timeout(census.value(), ms(1));
        assert!(matches!(sent, Err(SendTimeoutError::Closed(_))));
        assert!(sender.is_empty());
    });
    census.assert_all_dropped_once();
}

#[test]
fn full_and_late_sends_give_the_value_back() {
    let census = Census::default();
    run(|| {
        let (sender, receiver) = bounded(1);
        sender.try_send(census.value()).unwrap();
        let full = sender.try_send(census.value()).unwrap_err();
        assert!(matches!(full, TrySendError::Full(_)));
        assert_eq!(full.into_inner().number, 2);
        let late = sender.send_timeout(census.value(), ms(3)).unwrap_err();
        assert!(matches!(late, SendTimeoutError::Timeout(_)));
        assert_eq!(late.into_inner().number, 3);
        // Room is made before the deadline: the send completes when the room is there.
        let start = fibra::now();
        go(move || {
            fibra::sleep(ms(2));
            let first = receiver.recv().unwrap().number;
            (first, receiver.recv().unwrap().number)
        });
        sender.send_timeout(census.value(), ms(3)).unwrap();
        assert_eq!(fibra::now() - start, ms(2));
        fibra::sleep(ms(10));
    });
    census.assert_all_dropped_once();
}

#[test]
fn a_receive_with_a_deadline_gets_what_comes_in_time() {
    run(|| {
        let (sender, receiver) = bounded(1);
        go(move || {
            fibra::sleep(ms(5));
            sender.send(1).unwrap();
            fibra::sleep(ms(100));
        });
        let start = fibra::now();
        assert_eq!(receiver.recv_timeout(ms(3)), Err(RecvTimeoutError::Timeout));
        assert_eq!(receiver.recv_deadline(start + ms(9)), Ok(1));
        assert_eq!(fibra::now() - start, ms(5));
        assert_eq!(receiver.recv_timeout(ms(1000)), Err(RecvTimeoutError::Closed));
        assert_eq!(fibra::now() - start, ms(105));
    });
}

#[test]
fn a_deadlock_at_either_end_is_an_error_that_gives_the_value_back() {
    run(|| {
        let (sender, receiver) = bounded(1);
        let error = receiver.recv().unwrap_err();
        assert!(error.to_string().contains("is receiving on an empty channel (made at tests/"));
        sender.send(1).unwrap();
        let error = sender.send(2).unwrap_err();
        assert!(matches!(error, SendError::Deadlock(2, _)));
        assert!(error.to_string().contains("is sending on a full channel (made at tests/"));
        assert_eq!(receiver.len(), 1);
    });
}

#[test]
fn iteration_panics_with_the_report_if_nothing_can_ever_run_again() {
    run(|| {
        let (_sender, receiver) = bounded::<u32>(1);
        let iterate = AssertUnwindSafe(|| receiver.iter().count());
        let payload = panic::catch_unwind(iterate).unwrap_err();
        assert!(payload.downcast_ref::<String>().unwrap().starts_with("deadlock: "));
    });
}

#[test]
fn killing_all_in_the_queue_but_one_leaves_that_one_its_turn() {
    let census = Census::default();
    run(|| {
        for survivor in 0..3 {
            let (sender, receiver) = bounded::<Counted>(0);
            let senders: Vec<_> = (0..3)
                .map(|_| {
                    let (sender, value) = (sender.clone(), census.value());
                    fibra::spawn(move || sender.send(value).unwrap())
                })
                .collect();
            fibra::yield_now();
            for (at, sender) in senders.iter().enumerate() {
                if at != survivor {
                    sender.kill();
                }
            }
            fibra::yield_now();
            let got = receiver.recv().unwrap().number;
            assert_eq!((got - 1) % 3, survivor);
            assert!(receiver.try_recv().is_err());

            let receivers: Vec<_> = (0..3)
                .map(|_| {
                    let receiver = receiver.clone();
                    fibra::spawn(move || receiver.recv().unwrap().number)
                })
                .collect();
            fibra::yield_now();
            for (at, receiver) in receivers.iter().enumerate() {
                if at != survivor {
                    receiver.kill();
                }
            }
            fibra::yield_now();
            sender.try_send(census.value()).expect("one receiver waits");
            assert!(sender.try_send(census.value()).is_err(), "and no other");
            for (at, receiver) in receivers.into_iter().enumerate() {
                assert_eq!(receiver.join().is_ok(), at == survivor);
            }
            // Keep the numbers of the values in step with the rounds: 5 were made.
            drop(census.value());
        }
    });
    census.assert_all_dropped_once();
}

#[test]
fn a_pair_that_never_waits_does_not_starve_a_third_fiber() {
    // One fiber sends to itself: no operation ever waits, and only the budget makes it yield.
    let trace = Trace::default();
    run(|| {
        let (sender, receiver) = bounded(8);
        let busy = fibra::spawn(move || {
            loop {
                sender.send(1).unwrap();
                receiver.recv().unwrap();
            }
        });
        for turn in 0..3 {
            fibra::yield_now();
            trace.say(turn);
        }
        // The yield is also a point at which a kill is raised.
        busy.kill();
        assert!(busy.join().unwrap_err().is_killed());
    });
    assert_eq!(trace.take(), "0 1 2");
}

#[test]
fn the_handles_may_outlive_their_run_and_the_values_in_the_buffer_with_them() {
    let census = Census::default();
    let (sender, receiver) = bounded(2);
    run(|| sender.send(census.value()).unwrap());
    assert!(census.dropped().is_empty());
    run(|| assert_eq!(receiver.recv().unwrap().number, 1));
    run(|| sender.send(census.value()).unwrap());
    drop(sender);
    drop(receiver);
    census.assert_all_dropped_once();
}
