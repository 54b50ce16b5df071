//! The order after a meeting, and the order in which waiting tasklets are served (S-135 to S-146).

use fibra::channel::Preference;
use fibra::stackless::{self, Channel};

use super::{logger, receiver, sender};

use crate::support::{check, log, run_virtually};

#[test]
fn a_new_channel_is_open_balanced_and_prefers_the_receiver() {
    let channel = Channel::<u32>::new();
    assert_eq!((channel.balance(), channel.preference()), (0, Preference::Receiver));
    assert!(!channel.schedule_all() && !channel.is_closing() && !channel.is_closed());
}

#[test]
fn the_balance_counts_the_waiters_and_the_queue_lists_them() {
    run_virtually(|| {
        let channel = Channel::new();
        assert_eq!(channel.first(), None);
        let waiting = ["a", "b", "c"].map(|name| receiver(&channel, name));
        stackless::run();
        assert_eq!((channel.balance(), channel.queue()), (-3, waiting.to_vec()));
        assert_eq!(channel.first().as_ref(), Some(&waiting[0]));
        assert_eq!(waiting[0].next().as_ref(), Some(&waiting[1]));
        (1..=3).for_each(|value| channel.send(value).unwrap());
        assert_eq!(channel.balance(), 0);
        let sending = [("d", 4), ("e", 5)].map(|(name, value)| sender(&channel, name, value));
        stackless::run();
        assert_eq!((channel.balance(), channel.queue()), (2, sending.to_vec()));
        assert_eq!((channel.receive().unwrap(), channel.receive().unwrap()), (4, 5));
        stackless::run();
    });
    check("a1 b2 c3 d e");
}

#[test]
fn the_death_of_one_in_the_middle_keeps_the_order_of_the_others() {
    // T24
    run_virtually(|| {
        let channel = Channel::new();
        let [_a, b, _c] = ["a", "b", "c"].map(|name| receiver(&channel, name));
        stackless::run();
        log(channel.balance());
        b.kill().unwrap();
        log(channel.balance());
        channel.send(1).unwrap();
        channel.send(2).unwrap();
        log(channel.balance());
    });
    check("-3 -2 a1 c2 0");
}

#[test]
fn a_sender_is_still_scheduled_when_main_has_its_value() {
    // T21
    run_virtually(|| {
        let channel = Channel::new();
        let sends = sender(&channel, "S", 7);
        log(channel.receive().unwrap());
        assert!(sends.is_scheduled() && !sends.is_blocked());
        stackless::run();
    });
    check("7 S");
}

/// Logs the order in which main, A, B and T run when T waits to receive and main sends.
fn order_of_a_send(setting: impl FnOnce(&Channel<u32>)) {
    run_virtually(|| {
        let channel = Channel::new();
        setting(&channel);
        receiver(&channel, "T");
        stackless::run();
        let _others = ["A", "B"].map(logger);
        channel.send(1).unwrap();
        log("m");
        stackless::run();
    });
}

/// Logs the order in which main, A, B and T run when T waits to send and main receives.
fn order_of_a_receive(setting: impl FnOnce(&Channel<u32>)) {
    run_virtually(|| {
        let channel = Channel::new();
        setting(&channel);
        sender(&channel, "T", 1);
        stackless::run();
        let _others = ["A", "B"].map(logger);
        log(channel.receive().unwrap());
        log("m");
        stackless::run();
    });
}

#[test]
fn the_preferred_partner_runs_immediately_and_the_caller_goes_behind_all_others() {
    // S-142
    order_of_a_send(|_| {});
    check("T1 A B m");
    order_of_a_receive(|channel| channel.set_preference(Preference::Sender));
    check("T A B 1 m");
}

#[test]
fn without_a_preference_for_the_partner_the_caller_goes_on() {
    // S-143
    for preference in [Preference::Neither, Preference::Sender] {
        order_of_a_send(|channel| channel.set_preference(preference));
        check("m A B T1");
    }
    for preference in [Preference::Neither, Preference::Receiver] {
        order_of_a_receive(|channel| channel.set_preference(preference));
        check("1 m A B T");
    }
}

#[test]
fn schedule_all_lets_all_others_run_whatever_the_preference() {
    // S-141
    for preference in [Preference::Receiver, Preference::Neither, Preference::Sender] {
        let set = |channel: &Channel<u32>| {
            channel.set_preference(preference);
            channel.set_schedule_all(true);
        };
        order_of_a_send(set);
        check("A B T1 m");
        order_of_a_receive(set);
        check("A B T 1 m");
    }
}

#[test]
fn the_preference_has_no_effect_on_a_tasklet_that_must_wait() {
    // S-144
    for preference in [Preference::Receiver, Preference::Neither, Preference::Sender] {
        run_virtually(|| {
            let channel = Channel::new();
            channel.set_preference(preference);
            sender(&channel, "S", 1);
            let _others = ["A", "B"].map(logger);
            stackless::run();
            log(channel.balance());
        });
        check("A B 1");
    }
}

#[test]
fn a_storm_of_transfers_gives_way_but_not_when_it_is_atomic_or_trapped() {
    let storm = |protect: fn() -> Option<Box<dyn std::any::Any>>| {
        run_virtually(|| {
            let channel = Channel::new();
            channel.set_preference(Preference::Neither);
            for _ in 0..300 {
                let channel = channel.clone();
                stackless::spawn(move || assert_eq!(channel.receive().unwrap(), 1));
            }
            stackless::run();
            logger("other");
            let protected = protect();
            (0..300).for_each(|_| channel.send(1).unwrap());
            log("sent");
            drop(protected);
            stackless::run();
        });
    };
    storm(|| None);
    check("other sent");
    storm(|| Some(Box::new(stackless::atomic())));
    check("sent other");
    storm(|| Some(Box::new(stackless::switch_trapped())));
    check("sent other");
}
