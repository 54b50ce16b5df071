//! The order in which partners run after they meet, and in which waiting fibers are served.

use fibra::channel::{Channel, Preference};

use super::{PREFERENCES, bystander, fixture};

use crate::support::{go, run_virtually as run};

/// Sends to a waiting receiver, with `a` and `b` in the ring. Returns the order of their turns.
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

/// Receives from a waiting sender, with `a` and `b` in the ring. Returns the order of their turns.
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
fn with_schedule_all_all_others_run_before_the_caller_whatever_the_preference() {
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
fn a_fiber_that_comes_back_queues_behind_the_waiting_ones() {
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
        assert_eq!(sender.fiber().activity(), Some(fibra::Activity::Runnable));
        fibra::yield_now();
        assert_eq!(trace.take(), "7 S");
    });
}

#[test]
fn a_pair_that_never_waits_for_long_lets_a_third_fiber_run() {
    // A sender whose receiver is served again and again never parks for lack of a partner.
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
                fibra::park(); // returns immediately: the unpark was kept for it
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
