//! Whoever is killed or times out at a channel, and whenever: each value is delivered, given back or
//! dropped exactly once.

#[path = "channel_support/mod.rs"]
mod support;

use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

use fibra::channel::{
    Channel, Preference, RecvError, RecvTimeoutError, SendTimeoutError, Sender, bounded, unbounded,
};
use support::{Census, Counted, Trace, go, ms, run};

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
    // The kill makes it ready; before its turn comes somebody meets it. The meeting wins.
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
    // `Preference::Sender`: the receiver goes behind everybody with the value in its hands.
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
fn a_sender_that_times_out_gets_its_own_value_back() {
    let census = Census::default();
    run(|| {
        let channel = Channel::new();
        let start = fibra::now();
        match channel.send_timeout(census.value(), ms(5)) {
            Err(SendTimeoutError::Timeout(value)) => assert_eq!(value.number, 1),
            other => panic!("{other:?}"),
        }
        assert_eq!((fibra::now() - start, channel.balance()), (ms(5), 0));

        let (sender, receiver) = bounded(1);
        sender.send(census.value()).unwrap();
        match sender.send_deadline(census.value(), fibra::now() + ms(5)) {
            Err(SendTimeoutError::Timeout(value)) => assert_eq!(value.number, 3),
            other => panic!("{other:?}"),
        }
        assert_eq!(fibra::now() - start, ms(10));
        assert_eq!(receiver.recv().unwrap().number, 2);
        assert!(receiver.try_recv().is_err(), "the third was given back");
    });
    census.assert_all_dropped_once();
}

#[test]
fn a_receiver_that_times_out_leaves_the_queue_and_takes_nothing() {
    run(|| {
        let channel = Channel::<u32>::new();
        assert_eq!(channel.recv_timeout(ms(5)), Err(RecvTimeoutError::Timeout));
        assert_eq!(channel.balance(), 0);
        let (sender, receiver) = unbounded();
        assert_eq!(receiver.recv_timeout(ms(5)), Err(RecvTimeoutError::Timeout));
        sender.send(1).unwrap();
        assert_eq!(receiver.len(), 1);
        assert_eq!(receiver.recv_deadline(fibra::now()), Ok(1));
    });
}

#[test]
fn a_fiber_that_timed_out_but_has_not_run_yet_is_still_served() {
    // Two deadlines pass at the same time: the sleeper runs first and meets the other.
    let census = Census::default();
    run(|| {
        let channel = Channel::<Counted>::new();
        let sleeper = fibra::spawn({
            let (channel, census) = (channel.clone(), census.clone());
            move || {
                fibra::sleep(ms(5));
                channel.try_send(census.value()).expect("the receiver is still in the queue");
            }
        });
        let receiver = fibra::spawn({
            let channel = channel.clone();
            move || channel.recv_timeout(ms(5)).unwrap().number
        });
        assert_eq!(receiver.join().unwrap(), 1);
        sleeper.join().unwrap();

        let (sender, receiver) = bounded(0);
        let sleeper = fibra::spawn(move || {
            fibra::sleep(ms(5));
            receiver.try_recv().map(|value: Counted| value.number)
        });
        let value = census.value();
        let waiter = fibra::spawn(move || sender.send_timeout(value, ms(5)).is_ok());
        assert!(waiter.join().unwrap());
        assert_eq!(sleeper.join().unwrap().unwrap(), 2);
    });
    census.assert_all_dropped_once();
}

#[test]
fn a_timeout_that_was_beaten_does_not_disturb_the_next_wait() {
    run(|| {
        let channel = Channel::<u32>::new();
        let other = Channel::<u32>::new();
        go({
            let (channel, other) = (channel.clone(), other.clone());
            move || {
                fibra::sleep(ms(5));
                channel.try_send(1).unwrap();
                fibra::sleep(ms(50));
                other.send(2).unwrap();
            }
        });
        let receiver = fibra::spawn(move || {
            let first = channel.recv_timeout(ms(5)).unwrap();
            // No deadline here: a leftover of the first one would end this wait.
            (first, other.recv().unwrap())
        });
        assert_eq!(receiver.join().unwrap(), (1, 2));
    });
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
fn the_end_of_run_unwinds_those_who_wait_at_channels_the_oldest_first() {
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

/// A value whose destructor waits.
struct Waits(Trace, Duration);

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.say("dropping");
        fibra::sleep(self.1);
        self.0.say("dropped");
    }
}

#[test]
fn a_value_whose_destructor_sleeps_may_be_in_a_send_with_a_deadline_that_is_killed() {
    // The deadline of the send must be off before the destructor arms one of its own.
    let trace = Trace::default();
    run(|| {
        let channel = Channel::<Waits>::new();
        let (queue, _reader) = bounded(0);
        type Send = fn(&Channel<Waits>, &Sender<Waits>, Waits);
        let senders: [Send; 2] = [
            |channel, _, value| drop(channel.send_timeout(value, ms(10))),
            |_, queue, value| drop(queue.send_timeout(value, ms(10))),
        ];
        for send in senders {
            let (channel, queue, value) =
                (channel.clone(), queue.clone(), Waits(trace.clone(), ms(50)));
            let sender = fibra::spawn(move || send(&channel, &queue, value));
            fibra::yield_now();
            let start = fibra::now();
            sender.kill();
            assert!(sender.join().unwrap_err().is_killed());
            assert_eq!(fibra::now() - start, ms(50));
        }
        fibra::sleep(ms(100));
    });
    assert_eq!(trace.take(), "dropping dropped dropping dropped");
}

#[test]
fn the_deadline_of_a_killed_send_does_not_end_a_wait_of_its_values_destructor() {
    struct Receives(Channel<u32>, Trace);
    impl Drop for Receives {
        fn drop(&mut self) {
            self.1.say(format!("{:?}", self.0.recv().unwrap()));
        }
    }
    let trace = Trace::default();
    run(|| {
        let channel = Channel::<Receives>::new();
        let late = Channel::<u32>::new();
        let sender = fibra::spawn({
            let value = Receives(late.clone(), trace.clone());
            move || drop(channel.send_timeout(value, ms(10)))
        });
        fibra::yield_now();
        sender.kill();
        fibra::sleep(ms(100));
        late.send(7).unwrap();
        assert!(sender.join().unwrap_err().is_killed());
    });
    assert_eq!(trace.take(), "7");
}

#[test]
fn a_kill_that_came_while_another_fiber_unwound_is_raised_when_that_has_ended() {
    // While any fiber of the thread unwinds, no kill can be raised: it must not be forgotten.
    let trace = Trace::default();
    run(|| {
        let channel = Channel::<u32>::new();
        let slow = fibra::spawn({
            let guard = Waits(trace.clone(), ms(100));
            move || {
                let _guard = guard;
                fibra::park();
            }
        });
        let receiver = fibra::spawn({
            let channel = channel.clone();
            move || channel.recv()
        });
        fibra::yield_now();
        slow.kill();
        fibra::yield_now();
        receiver.kill();
        assert!(receiver.join().unwrap_err().is_killed());
        trace.say("killed");
        assert_eq!(channel.balance(), 0);
    });
    assert_eq!(trace.take(), "dropping dropped killed");
}

#[test]
fn a_deadline_that_passes_while_a_stray_wake_is_queued_is_not_lost() {
    // A failed child wakes its parent, whose shielded wait goes on. Behind it are more fibers than
    // run between two looks at the timers, so the deadline passes while the parent is in the ring.
    run(|| {
        let result = panic::catch_unwind(|| {
            fibra::nursery(|nursery| {
                nursery.spawn(|| {
                    for _ in 0..200 {
                        go(fibra::yield_now);
                    }
                    panic::resume_unwind(Box::new("failed"));
                });
                // It would be a deadlock without its deadline.
                fibra::shield(|| fibra::sleep_until(fibra::now()));
                "not cut short"
            })
        });
        assert_eq!(result.unwrap_err().downcast_ref(), Some(&"failed"));
    });
}

#[test]
fn a_send_with_a_deadline_that_gives_way_first_still_times_out() {
    // Its budget is spent, so it yields before it waits; behind more fibers than run between two
    // looks at the timers, the deadline passes meanwhile.
    run(|| {
        let channel = Channel::<u32>::new();
        let sender = fibra::spawn(move || {
            for _ in 0..200 {
                go(fibra::yield_now);
            }
            for _ in 0..127 {
                fibra::current().unpark();
                fibra::park();
            }
            matches!(channel.send_timeout(1, Duration::ZERO), Err(SendTimeoutError::Timeout(1)))
        });
        assert!(sender.join().unwrap());
    });
}

#[test]
fn a_fiber_that_could_not_fail_in_a_deadlock_while_it_unwound_can_fail_in_its_next_wait() {
    struct Parks;
    impl Drop for Parks {
        fn drop(&mut self) {
            fibra::park();
        }
    }
    run(|| {
        let channel = Channel::<u32>::new();
        let main = fibra::current();
        let helper = fibra::spawn({
            let channel = channel.clone();
            move || {
                // It fails in place of the main fiber, and wakes that.
                let failed = matches!(channel.recv(), Err(RecvError::Deadlock(_)));
                main.unpark();
                failed
            }
        });
        fibra::yield_now();
        let unwinding = panic::catch_unwind(|| {
            let _parks = Parks;
            panic::resume_unwind(Box::new("unwinds"));
        });
        assert!(unwinding.is_err());
        assert!(helper.join().unwrap());
        assert!(matches!(channel.recv(), Err(RecvError::Deadlock(_))));
    });
}

#[test]
fn a_wait_that_could_not_fail_because_another_fiber_unwound_can_fail_afterwards() {
    struct Receives(Channel<u32>);
    impl Drop for Receives {
        fn drop(&mut self) {
            assert!(matches!(self.0.recv(), Err(RecvError::Deadlock(_))));
        }
    }
    run(|| {
        let channel = Channel::<u32>::new();
        let unwinding = fibra::spawn(move || {
            let _receives = Receives(channel);
            panic::resume_unwind(Box::new("unwinds"));
        });
        fibra::yield_now();
        // The deadlock is offered here first. A panic now would abort, so the destructor fails.
        // When that has ended, the deadlock is this fiber's.
        let parked = panic::catch_unwind(fibra::park);
        assert!(parked.unwrap_err().downcast_ref::<String>().unwrap().starts_with("deadlock"));
        assert!(unwinding.join().is_err());
    });
}
