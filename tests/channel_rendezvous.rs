//! The rendezvous channel keeps the rules of Stackless: S-134 to S-164, and the traces T17, T18, T20,
//! T21, T24, T25 and T28 to T31.
//!
//! In a trace, `S` is a sender, `R` a receiver, `a` and `b` are other fibers of the ring.

#[path = "channel_support/mod.rs"]
mod support;

use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;

use fibra::JoinError;
use fibra::channel::{
    Channel, Preference, RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError,
    TrySendError,
};
use support::{Census, Counted, Trace, go, ms, run};

const PREFERENCES: [Preference; 3] =
    [Preference::Receiver, Preference::Neither, Preference::Sender];

/// A channel, and a trace to print into.
fn fixture() -> (Channel<u32>, Trace) {
    (Channel::new(), Trace::default())
}

/// Spawns a fiber that says `name` when its turn comes.
fn bystander(trace: &Trace, name: &'static str) {
    let trace = trace.clone();
    go(move || trace.say(name));
}

/// A sender meets a receiver that waits, with `a` and `b` in the ring. Who runs when?
fn send_to_a_waiting_receiver(preference: Preference, schedule_all: bool) -> String {
    run(|| {
        let (channel, trace) = fixture();
        channel.set_preference(preference);
        channel.set_schedule_all(schedule_all);
        go({
            let (channel, trace) = (channel.clone(), trace.clone());
            move || trace.say(format!("R{}", channel.recv().unwrap()))
        });
        fibra::yield_now();
        bystander(&trace, "a");
        bystander(&trace, "b");
        channel.send(1).unwrap();
        trace.say("S");
        fibra::yield_now();
        trace.take()
    })
}

/// As above, with the roles of sender and receiver exchanged.
fn receive_from_a_waiting_sender(preference: Preference, schedule_all: bool) -> String {
    run(|| {
        let (channel, trace) = fixture();
        channel.set_preference(preference);
        channel.set_schedule_all(schedule_all);
        go({
            let (channel, trace) = (channel.clone(), trace.clone());
            move || {
                channel.send(1).unwrap();
                trace.say("S");
            }
        });
        fibra::yield_now();
        bystander(&trace, "a");
        bystander(&trace, "b");
        let value = channel.recv().unwrap();
        trace.say(format!("R{value}"));
        fibra::yield_now();
        trace.take()
    })
}

#[test]
fn a_new_channel_is_open_balanced_and_prefers_the_receiver() {
    // S-134
    let channel = Channel::<u32>::default();
    assert_eq!(channel.balance(), 0);
    assert_eq!(channel.preference(), Preference::Receiver);
    assert!(!channel.schedule_all() && !channel.is_closing() && !channel.is_closed());
    assert_eq!(
        format!("{channel:?}"),
        "Channel { balance: 0, preference: Receiver, closing: false, .. }"
    );
}

#[test]
fn the_settings_are_shared_by_all_handles() {
    // S-145, S-146
    let channel = Channel::<u32>::new();
    let other = channel.clone();
    for preference in PREFERENCES {
        channel.set_preference(preference);
        assert_eq!(other.preference(), preference);
    }
    channel.set_schedule_all(true);
    assert!(other.schedule_all());
    assert_eq!(other.preference(), Preference::Sender, "it is kept beside schedule_all");
    other.set_schedule_all(false);
    assert!(!channel.schedule_all());
    channel.close();
    assert!(other.is_closing());
}

#[test]
fn a_send_switches_to_the_receiver_only_if_that_is_preferred() {
    // S-142, S-143, T18
    assert_eq!(send_to_a_waiting_receiver(Preference::Receiver, false), "R1 a b S");
    assert_eq!(send_to_a_waiting_receiver(Preference::Neither, false), "S a b R1");
    assert_eq!(send_to_a_waiting_receiver(Preference::Sender, false), "S a b R1");
}

#[test]
fn a_receive_switches_to_the_sender_only_if_that_is_preferred() {
    // S-142, S-143, T18
    assert_eq!(receive_from_a_waiting_sender(Preference::Receiver, false), "R1 a b S");
    assert_eq!(receive_from_a_waiting_sender(Preference::Neither, false), "R1 a b S");
    assert_eq!(receive_from_a_waiting_sender(Preference::Sender, false), "S a b R1");
}

#[test]
fn with_schedule_all_everybody_runs_before_the_caller_whatever_the_preference() {
    // S-141, T17
    for preference in PREFERENCES {
        assert_eq!(send_to_a_waiting_receiver(preference, true), "a b R1 S");
        assert_eq!(receive_from_a_waiting_sender(preference, true), "a b S R1");
    }
}

#[test]
fn the_preference_does_not_matter_to_a_caller_that_must_wait() {
    // S-144
    for preference in PREFERENCES {
        for schedule_all in [false, true] {
            let trace = run(|| {
                let (channel, trace) = fixture();
                channel.set_preference(preference);
                channel.set_schedule_all(schedule_all);
                go({
                    let (channel, trace) = (channel.clone(), trace.clone());
                    move || {
                        trace.say("waits");
                        channel.recv().unwrap();
                    }
                });
                bystander(&trace, "a");
                bystander(&trace, "b");
                fibra::yield_now();
                trace.say(channel.balance());
                trace.take()
            });
            assert_eq!(trace, "waits a b -1");
        }
    }
}

#[test]
fn a_ping_pong_alternates_by_the_preference() {
    let exchange = |preference| {
        run(|| {
            let (channel, trace) = fixture();
            channel.set_preference(preference);
            let sender = fibra::spawn({
                let (channel, trace) = (channel.clone(), trace.clone());
                move || {
                    for i in 1..=4 {
                        channel.send(i).unwrap();
                        trace.say(format!("S{i}"));
                    }
                }
            });
            for _ in 1..=4 {
                let value = channel.recv().unwrap();
                trace.say(format!("R{value}"));
            }
            sender.join().unwrap();
            trace.take()
        })
    };
    assert_eq!(exchange(Preference::Receiver), "R1 S1 R2 S2 R3 S3 R4 S4");
    assert_eq!(exchange(Preference::Neither), "S1 R1 R2 S2 S3 R3 R4 S4");
    assert_eq!(exchange(Preference::Sender), "S1 R1 S2 R2 S3 R3 S4 R4");
}

#[test]
fn the_balance_counts_waiting_senders_up_and_waiting_receivers_down() {
    // S-135
    run(|| {
        let (channel, trace) = fixture();
        for number in 0..3 {
            let channel = channel.clone();
            go(move || channel.send(number).unwrap());
        }
        fibra::yield_now();
        trace.say(channel.balance());
        for _ in 0..3 {
            channel.recv().unwrap();
            trace.say(channel.balance());
        }
        for _ in 0..2 {
            let channel = channel.clone();
            go(move || channel.recv().unwrap());
        }
        fibra::yield_now();
        trace.say(channel.balance());
        channel.send(1).unwrap();
        channel.send(2).unwrap();
        trace.say(channel.balance());
        assert_eq!(trace.take(), "3 2 1 0 -2 0");
    });
}

#[test]
fn waiters_are_served_in_the_order_in_which_they_came() {
    // S-137
    run(|| {
        let (channel, trace) = fixture();
        for number in 1..=4 {
            let (channel, trace) = (channel.clone(), trace.clone());
            go(move || trace.say(format!("R{number}={}", channel.recv().unwrap())));
        }
        fibra::yield_now();
        for value in [10, 20, 30, 40] {
            channel.send(value).unwrap();
        }
        assert_eq!(trace.take(), "R1=10 R2=20 R3=30 R4=40");

        for number in 1..=4 {
            let channel = channel.clone();
            go(move || channel.send(number).unwrap());
        }
        fibra::yield_now();
        (0..4).for_each(|_| trace.say(channel.recv().unwrap()));
        assert_eq!(trace.take(), "1 2 3 4");
    });
}

#[test]
fn a_fiber_that_comes_back_queues_behind_those_who_wait() {
    run(|| {
        let (channel, trace) = fixture();
        channel.set_preference(Preference::Neither);
        for name in ["a", "b"] {
            let (channel, trace) = (channel.clone(), trace.clone());
            go(move || {
                for _ in 0..3 {
                    trace.say(format!("{name}{}", channel.recv().unwrap()));
                }
            });
        }
        fibra::yield_now();
        for value in 1..=6 {
            channel.send(value).unwrap();
            fibra::yield_now();
        }
        assert_eq!(trace.take(), "a1 b2 a3 b4 a5 b6");
    });
}

#[test]
fn killing_a_receiver_in_the_middle_corrects_the_balance_and_keeps_the_order() {
    // T24
    run(|| {
        let (channel, trace) = fixture();
        let [_a, b, _c] = ["a", "b", "c"].map(|name| {
            let (channel, trace) = (channel.clone(), trace.clone());
            fibra::spawn(move || trace.say(format!("{name}={}", channel.recv().unwrap())))
        });
        fibra::yield_now();
        trace.say(channel.balance());
        b.kill();
        assert!(b.join().unwrap_err().is_killed());
        trace.say(channel.balance());
        channel.send(1).unwrap();
        channel.send(2).unwrap();
        trace.say(channel.balance());
        assert_eq!(trace.take(), "-3 -2 a=1 c=2 0");
    });
}

#[test]
fn main_receives_from_a_fiber_that_then_is_still_scheduled() {
    // T21
    run(|| {
        let (channel, trace) = fixture();
        let sender = fibra::spawn({
            let (channel, trace) = (channel.clone(), trace.clone());
            move || {
                channel.send(7).unwrap();
                trace.say("S");
            }
        });
        trace.say(channel.recv().unwrap());
        assert_eq!(sender.fiber().state(), Some(fibra::Activity::Runnable));
        fibra::yield_now();
        assert_eq!(trace.take(), "7 S");
    });
}

#[test]
fn try_forms_neither_wait_nor_switch_whatever_the_preference() {
    for preference in PREFERENCES {
        for schedule_all in [false, true] {
            run(|| {
                let (channel, trace) = fixture();
                channel.set_preference(preference);
                channel.set_schedule_all(schedule_all);
                assert!(matches!(channel.try_send(1), Err(TrySendError::Full(1))));
                assert_eq!(channel.try_recv(), Err(TryRecvError::Empty));
                assert_eq!(channel.balance(), 0);

                go({
                    let (channel, trace) = (channel.clone(), trace.clone());
                    move || {
                        trace.say(format!("R{}", channel.recv().unwrap()));
                        channel.send(2).unwrap();
                        trace.say("S");
                    }
                });
                fibra::yield_now();
                bystander(&trace, "a");
                channel.try_send(1).unwrap();
                trace.say("sent");
                fibra::yield_now();
                assert_eq!(trace.take(), "sent a R1");
                bystander(&trace, "b");
                let value = channel.try_recv().unwrap();
                trace.say(format!("got{value}"));
                fibra::yield_now();
                assert_eq!(trace.take(), "got2 b S");
            });
        }
    }
}

#[test]
fn timeout_forms_meet_a_partner_as_the_others_do() {
    run(|| {
        let (channel, trace) = fixture();
        go({
            let (channel, trace) = (channel.clone(), trace.clone());
            move || trace.say(format!("R{}", channel.recv_timeout(ms(10)).unwrap()))
        });
        fibra::yield_now();
        bystander(&trace, "a");
        channel.send_timeout(1, ms(10)).unwrap();
        trace.say("S");
        assert_eq!(trace.take(), "R1 a S");

        channel.set_preference(Preference::Sender);
        go({
            let (channel, trace) = (channel.clone(), trace.clone());
            move || {
                channel.send_deadline(2, fibra::now() + ms(10)).unwrap();
                trace.say("S");
            }
        });
        fibra::yield_now();
        bystander(&trace, "a");
        let value = channel.recv_deadline(fibra::now() + ms(10)).unwrap();
        trace.say(format!("R{value}"));
        assert_eq!(trace.take(), "S a R2");
    });
}

#[test]
fn timeout_forms_wait_as_long_as_they_say_and_then_give_up() {
    run(|| {
        let (channel, _) = fixture();
        let start = fibra::now();
        assert_eq!(channel.recv_timeout(ms(30)), Err(RecvTimeoutError::Timeout));
        assert_eq!(fibra::now() - start, ms(30));
        let sent = channel.send_deadline(1, fibra::now() + ms(20));
        assert!(matches!(sent, Err(SendTimeoutError::Timeout(1))));
        assert_eq!(fibra::now() - start, ms(50));
        // A time that is over: others run once, and that is all.
        assert_eq!(channel.recv_deadline(start), Err(RecvTimeoutError::Timeout));
        assert_eq!((fibra::now() - start, channel.balance()), (ms(50), 0));
    });
}

#[test]
fn a_value_that_comes_in_time_is_received_when_it_comes() {
    run(|| {
        let (channel, _) = fixture();
        let start = fibra::now();
        go({
            let channel = channel.clone();
            move || {
                fibra::sleep(ms(7));
                channel.send(5).unwrap();
            }
        });
        assert_eq!(channel.recv_timeout(ms(1000)), Ok(5));
        assert_eq!(fibra::now() - start, ms(7));
        fibra::sleep(ms(2000)); // the deadline is off
    });
}

#[test]
fn a_closed_channel_gives_what_its_senders_bring_and_then_refuses() {
    // T25, S-156, S-157, S-158, S-160
    run(|| {
        let (channel, trace) = fixture();
        for number in 0..3 {
            let channel = channel.clone();
            go(move || channel.send(number).unwrap());
        }
        fibra::yield_now();
        channel.close();
        trace.say(format!("{} {}", channel.is_closing(), channel.is_closed()));
        channel.iter().for_each(|value| trace.say(value));
        trace.say(format!("{} {}", channel.is_closing(), channel.is_closed()));
        assert!(matches!(channel.send(9), Err(SendError::Closed(9))));
        assert!(matches!(channel.recv(), Err(RecvError::Closed)));
        assert!(matches!(channel.try_send(9), Err(TrySendError::Closed(9))));
        assert_eq!(channel.try_recv(), Err(TryRecvError::Closed));
        assert!(matches!(channel.send_timeout(9, ms(1)), Err(SendTimeoutError::Closed(9))));
        assert_eq!(channel.recv_timeout(ms(1)), Err(RecvTimeoutError::Closed));
        channel.open();
        trace.say(format!("{} {}", channel.is_closing(), channel.is_closed()));
        assert_eq!(trace.take(), "true false 0 1 2 true true false false");
    });
}

#[test]
fn closing_wakes_nobody_and_those_who_wait_can_still_be_met() {
    // S-156, S-159
    run(|| {
        let (channel, trace) = fixture();
        go({
            let (channel, trace) = (channel.clone(), trace.clone());
            move || {
                channel.iter().for_each(|value| trace.say(value));
                trace.say("end");
            }
        });
        fibra::yield_now();
        channel.close();
        fibra::yield_now();
        assert_eq!((channel.balance(), channel.is_closed()), (-1, false));
        channel.send(1).unwrap();
        assert_eq!(trace.take(), "1 end");
        assert!(channel.is_closed());
    });
}

#[test]
fn close_and_wake_refuses_those_who_wait_and_senders_get_their_values_back() {
    run(|| {
        let (channel, trace) = fixture();
        for name in ["a", "b"] {
            let (channel, trace) = (channel.clone(), trace.clone());
            go(move || trace.say(format!("{name}:{:?}", channel.recv())));
        }
        fibra::yield_now();
        channel.close_and_wake();
        trace.say("closed");
        assert!(channel.is_closed());
        fibra::yield_now();
        assert_eq!(trace.take(), "closed a:Err(Closed) b:Err(Closed)");

        channel.open();
        for number in [1, 2] {
            let (channel, trace) = (channel.clone(), trace.clone());
            go(move || trace.say(channel.send(number).unwrap_err().into_inner()));
        }
        fibra::yield_now();
        channel.close_and_wake();
        fibra::yield_now();
        assert_eq!(trace.take(), "1 2");
        channel.close_and_wake();
        assert_eq!(channel.balance(), 0);
    });
}

#[test]
fn iteration_ends_at_once_on_a_closed_channel_and_waits_on_an_open_one() {
    // S-154, S-160
    run(|| {
        let (channel, trace) = fixture();
        channel.close();
        assert_eq!(channel.iter().count(), 0);
        channel.open();
        go({
            let channel = channel.clone();
            move || {
                for number in 1..=3 {
                    fibra::sleep(ms(1));
                    channel.send(number).unwrap();
                }
                channel.close_and_wake();
            }
        });
        for value in &channel {
            trace.say(value);
        }
        assert_eq!(trace.take(), "1 2 3");
    });
}

#[test]
fn refused_operations_leave_no_trace() {
    // S-148: neither in the channel, nor in the ring, nor of the value.
    let census = Census::default();
    run(|| {
        let trace = Trace::default();
        let channel = Channel::<Counted>::new();
        bystander(&trace, "a");
        drop(channel.try_send(census.value()));
        drop(channel.try_recv());
        channel.close();
        drop(channel.send(census.value()));
        drop(channel.recv());
        drop(channel.send_timeout(census.value(), ms(5)));
        drop(channel.recv_timeout(ms(5)));
        trace.say("main");
        assert_eq!(channel.balance(), 0);
        assert_eq!(census.dropped(), [1, 2, 3]);
        fibra::yield_now();
        assert_eq!(trace.take(), "main a", "nobody ran in between");
    });
}

#[test]
fn main_alone_at_a_channel_fails_with_a_deadlock_and_goes_on() {
    // T28, S-167, S-169
    run(|| {
        let (channel, _) = fixture();
        let error = channel.recv().unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, RecvError::Deadlock(_)));
        assert!(text.contains("(it was the last that could run)"), "{text}");
        assert!(text.contains("fiber 'main' (#1) is receiving on a channel at tests/"), "{text}");
        assert_eq!(channel.balance(), 0);

        match channel.send(4) {
            Err(SendError::Deadlock(4, report)) => assert_eq!(report.dump().fibers.len(), 1),
            other => panic!("{other:?}"),
        }
        assert_eq!(channel.balance(), 0);
    });
}

#[test]
fn if_the_last_fiber_that_could_run_ends_the_wait_of_main_fails() {
    // T29, T30, S-170
    run(|| {
        let (channel, trace) = fixture();
        bystander(&trace, "a");
        let text = channel.recv().unwrap_err().to_string();
        assert!(text.contains("the last fiber that could run has ended"), "{text}");
        bystander(&trace, "b");
        let error = channel.send(3).unwrap_err();
        assert!(error.to_string().contains("the last fiber that could run has ended"));
        assert_eq!((error.into_inner(), channel.balance()), (3, 0));
        assert_eq!(trace.take(), "a b");
    });
}

#[test]
fn a_fiber_may_handle_the_deadlock_that_it_has_completed() {
    // T31, S-172
    run(|| {
        let (channel, trace) = fixture();
        let reply = Channel::new();
        go({
            let (channel, reply, trace) = (channel.clone(), reply.clone(), trace.clone());
            move || {
                let error = channel.recv().unwrap_err();
                assert!(matches!(error, RecvError::Deadlock(_)));
                trace.say(format!("handled {}", channel.balance()));
                reply.send(1).unwrap();
            }
        });
        trace.say(reply.recv().unwrap());
        assert_eq!(trace.take(), "handled 0 1");
    });
}

#[test]
fn the_end_of_a_fiber_whose_own_wait_has_failed_lets_the_wait_of_main_fail() {
    // S-168: the fiber completes the deadlock first, and then ends.
    run(|| {
        let (channel, _) = fixture();
        let child = fibra::spawn({
            let channel = channel.clone();
            move || channel.recv().is_err()
        });
        let main = Channel::<u32>::new();
        assert!(matches!(main.recv(), Err(RecvError::Deadlock(_))));
        assert!(child.join().unwrap());
    });
}

#[test]
fn a_sleeping_fiber_is_no_deadlock() {
    run(|| {
        let (channel, _) = fixture();
        go({
            let channel = channel.clone();
            move || {
                fibra::sleep(ms(1000));
                channel.send(1).unwrap();
            }
        });
        assert_eq!(channel.recv().unwrap(), 1);
    });
}

#[test]
fn a_sent_panic_is_raised_by_the_receiver() {
    // S-151
    run(|| {
        let (channel, trace) = fixture();
        let receiver = fibra::spawn({
            let channel = channel.clone();
            move || channel.recv()
        });
        fibra::yield_now();
        channel.send_panic(Box::new("boom")).unwrap();
        match receiver.join() {
            Err(JoinError::Panicked(payload)) => assert_eq!(payload.downcast_ref(), Some(&"boom")),
            other => panic!("{other:?}"),
        }

        // A sender that waits brings one as well, to whatever form of receive.
        let receives: [fn(&Channel<u32>); 3] = [
            |channel| drop(channel.recv()),
            |channel| assert!(channel.try_recv().is_err()),
            |channel| assert!(channel.recv_timeout(ms(5)).is_err()),
        ];
        for receive in receives {
            go({
                let (channel, trace) = (channel.clone(), trace.clone());
                move || {
                    channel.send_panic(Box::new(5u8)).unwrap();
                    trace.say("sent");
                }
            });
            fibra::yield_now();
            let caught = panic::catch_unwind(AssertUnwindSafe(|| receive(&channel)));
            assert_eq!(caught.unwrap_err().downcast_ref(), Some(&5u8));
            assert_eq!(channel.balance(), 0);
            fibra::yield_now();
        }
        assert_eq!(trace.take(), "sent sent sent");
    });
}

#[test]
fn a_panic_that_could_not_be_sent_comes_back() {
    run(|| {
        let (channel, _) = fixture();
        channel.close();
        let payload = channel.send_panic(Box::new(5u8)).unwrap_err().into_inner();
        assert_eq!(payload.downcast_ref(), Some(&5u8));
        channel.open();
        match channel.send_panic(Box::new(6u8)) {
            Err(SendError::Deadlock(payload, _)) => {
                assert_eq!(payload.downcast_ref(), Some(&6u8));
            }
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn channels_travel_through_channels() {
    // S-163
    run(|| {
        let requests = Channel::<(u32, Channel<u32>)>::new();
        go({
            let requests = requests.clone();
            move || {
                for (number, reply) in &requests {
                    reply.send(number * number).unwrap();
                }
            }
        });
        let squares = [3, 4].map(|number| {
            let reply = Channel::new();
            requests.send((number, reply.clone())).unwrap();
            reply.recv().unwrap()
        });
        assert_eq!(squares, [9, 16]);
    });
}

#[test]
fn values_need_be_neither_send_nor_sized_like_a_word() {
    run(|| {
        let channel = Channel::new();
        let shared = Rc::new(1);
        go({
            let (channel, shared) = (channel.clone(), shared.clone());
            move || channel.send((shared, [7u64; 100])).unwrap()
        });
        let (received, array) = channel.recv().unwrap();
        assert!(Rc::ptr_eq(&received, &shared));
        assert_eq!(array.iter().sum::<u64>(), 700);
        let units = Channel::<()>::new();
        go({
            let units = units.clone();
            move || units.send(()).unwrap()
        });
        units.recv().unwrap();
    });
}

#[test]
fn the_channel_lives_through_a_switch_in_which_all_other_handles_go() {
    // S-149
    let census = Census::default();
    run(|| {
        let channel = Channel::<Counted>::new();
        let receiver = fibra::spawn({
            let channel = channel.clone();
            move || {
                let value = channel.recv().unwrap();
                drop(channel);
                value.number
            }
        });
        fibra::yield_now();
        let sender = fibra::spawn({
            let value = census.value();
            move || {
                // The last handle is this one, and it is dropped with the closure.
                channel.send(value).unwrap();
                channel.balance()
            }
        });
        assert_eq!(receiver.join().unwrap(), 1);
        assert_eq!(sender.join().unwrap(), 0);
    });
    census.assert_all_dropped_once();
}

#[test]
fn a_channel_works_in_one_run_after_the_other() {
    let channel = Channel::new();
    for value in 1..=2 {
        run(|| {
            let sender = channel.clone();
            go(move || sender.send(value).unwrap());
            assert_eq!(channel.recv().unwrap(), value);
            // These wait at the end of `run`, and are taken out of the queue.
            let sender = channel.clone();
            go(move || sender.send(9));
            fibra::yield_now();
        });
        assert_eq!(channel.balance(), 0);
    }
}

#[test]
fn a_pair_that_never_waits_for_long_lets_a_third_fiber_run() {
    // A send to a receiver that is served again and again never parks for want of a partner.
    run(|| {
        let (channel, trace) = fixture();
        for preference in PREFERENCES {
            channel.set_preference(preference);
            let pair = [
                fibra::spawn({
                    let channel = channel.clone();
                    move || {
                        while channel.send(1).is_ok() {}
                    }
                }),
                fibra::spawn({
                    let channel = channel.clone();
                    move || {
                        while channel.recv().is_ok() {}
                    }
                }),
            ];
            for turn in 0..3 {
                fibra::yield_now();
                trace.say(turn);
            }
            pair.into_iter().for_each(|fiber| fiber.kill());
            fibra::yield_now();
            assert_eq!(trace.take(), "0 1 2");
        }
    });
}

#[test]
fn an_unpark_does_not_disturb_a_wait_at_a_channel() {
    run(|| {
        let (channel, trace) = fixture();
        let receiver = fibra::spawn({
            let (channel, trace) = (channel.clone(), trace.clone());
            move || {
                trace.say(channel.recv().unwrap());
                fibra::park(); // the unpark was kept for this
                trace.say("parked");
            }
        });
        fibra::yield_now();
        receiver.fiber().unpark();
        fibra::yield_now();
        assert_eq!((channel.balance(), trace.take()), (-1, String::new()));
        channel.send(3).unwrap();
        receiver.join().unwrap();
        assert_eq!(trace.take(), "3 parked");
    });
}

#[test]
fn waiting_outside_of_a_fiber_panics_with_what_to_do() {
    let channel = Channel::new();
    let calls: [fn(&Channel<u32>); 4] = [
        |channel| drop(channel.send(1)),
        |channel| drop(channel.recv()),
        |channel| drop(channel.try_send(1)),
        |channel| assert!(channel.recv_timeout(ms(1)).is_err()),
    ];
    for call in calls {
        let payload = panic::catch_unwind(AssertUnwindSafe(|| call(&channel))).unwrap_err();
        let text = payload.downcast_ref::<String>().unwrap();
        assert!(text.contains("`fibra::run(|| ...)`"), "{text}");
        assert_eq!(channel.balance(), 0);
    }
}
