//! The threads that hold the channel decide whether a wait can end (S-165 to S-175).

use std::thread;

use fibra::stackless::{self, ChannelError, SharedChannel};

use super::{logger, receiver};

use crate::support::{check, log, run_virtually};

fn text(error: &ChannelError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

#[test]
fn with_a_single_handle_the_texts_are_those_of_the_local_channel() {
    run_virtually(|| {
        let channel = SharedChannel::<u32>::new();
        let error = channel.receive().unwrap_err();
        log(text(&error));
        assert!(error.report().unwrap().to_string().contains("receiving on a shared channel"));
        logger("a");
        log(text(&channel.receive().unwrap_err()));
        logger("b");
        let error = channel.send(5).unwrap_err();
        log(text(&error.reason));
        assert_eq!((error.value, channel.balance()), (5, 0));
    });
    check(
        "Deadlock: the last runnable tasklet cannot be blocked. \
         a the main tasklet is receiving without a sender available. \
         b the main tasklet is sending without a receiver available.",
    );
}

#[test]
fn a_wait_becomes_a_deadlock_when_the_last_other_handle_is_dropped() {
    // S-175: the end of a thread wakes the sleeping threads here.
    for round in 0..50 {
        fibra::run(|| {
            let channel = SharedChannel::<u32>::new();
            let clones = [channel.clone(), channel.clone()];
            let thread = thread::spawn(move || {
                (0..round).for_each(|_| thread::yield_now());
                drop(clones);
            });
            let error = channel.receive().unwrap_err();
            assert!(matches!(error, ChannelError::Deadlock(_)), "{error}");
            thread.join().unwrap();
        });
    }
}

#[test]
fn the_drop_is_seen_by_a_scheduler_that_sleeps() {
    fibra::run(|| {
        let channel = SharedChannel::<u32>::new();
        let other = channel.clone();
        let thread = thread::spawn(move || {
            while other.balance() != -1 {
                thread::yield_now();
            }
            drop(other);
        });
        assert!(channel.receive().is_err());
        thread.join().unwrap();
    });
}

#[test]
fn another_wait_is_not_failed_while_a_value_is_on_its_way() {
    for _ in 0..200 {
        fibra::run(|| {
            let (shared, local) = (SharedChannel::new(), stackless::Channel::new());
            let (from, to) = (shared.clone(), local.clone());
            stackless::spawn(move || to.send(from.receive().unwrap()).unwrap());
            let thread = thread::spawn(move || {
                while shared.try_send(5).is_err() {
                    thread::yield_now();
                }
            });
            assert_eq!(local.receive().unwrap(), 5);
            thread.join().unwrap();
        });
    }
}

#[test]
fn one_that_is_paused_in_its_wait_is_not_waited_for() {
    run_virtually(|| {
        let shared = SharedChannel::new();
        let waits = receiver(&shared, "R");
        stackless::run();
        shared.try_send(1).unwrap();
        assert!(waits.is_scheduled() && !waits.is_blocked());
        waits.remove().unwrap();
        let local = stackless::Channel::<u32>::new();
        assert!(local.receive().unwrap_err().report().is_some());
        waits.run().unwrap();
    });
    check("R1");
}

#[test]
fn blocking_under_run_is_no_deadlock() {
    // S-166
    run_virtually(|| {
        let channel = SharedChannel::new();
        let blocked = receiver(&channel, "R");
        stackless::run();
        assert!(blocked.is_blocked());
        log(channel.balance());
        channel.send(2).unwrap();
    });
    check("-1 R2");
}
