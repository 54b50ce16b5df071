//! Channels that are closed, opened again, and iterated to their end (S-154 to S-160).

use fibra::stackless::{self, Channel};

use super::{receiver, sender};

use crate::support::{check, log, panic_of, run_virtually};

#[test]
fn a_closing_channel_gives_out_what_waits_and_is_closed_then() {
    // T25, S-160
    run_virtually(|| {
        let channel = Channel::new();
        let _senders = [("a", 0), ("b", 1), ("c", 2)].map(|(name, i)| sender(&channel, name, i));
        stackless::run();
        channel.close();
        log(format!("{} {}", channel.is_closing(), channel.is_closed()));
        for value in &channel {
            log(value);
        }
        log(format!("{} {}", channel.is_closing(), channel.is_closed()));
        log(channel.send(5).unwrap_err());
        channel.open();
        log(format!("{} {}", channel.is_closing(), channel.is_closed()));
        stackless::run();
    });
    check(
        "true false 0 1 2 true true Send/receive operation on a closed channel false false a b c",
    );
}

#[test]
fn the_iteration_of_a_closed_channel_without_senders_ends_immediately() {
    run_virtually(|| {
        let channel = Channel::<u32>::new();
        channel.close();
        let _trap = stackless::block_trap(true);
        assert_eq!(channel.iter().next(), None);
        receiver(&channel, "R");
        stackless::run();
        assert_eq!(channel.iter().next(), None);
    });
    check("R:Send/receive operation on a closed channel");
}

#[test]
fn close_wakes_no_waiter_and_waiters_can_still_be_met() {
    // S-156, S-159
    run_virtually(|| {
        let channel = Channel::new();
        receiver(&channel, "R");
        stackless::run();
        channel.close();
        stackless::run();
        log(channel.balance());
        channel.send(1).unwrap();
        assert!(channel.is_closed());
    });
    check("-1 R1");
}

#[test]
fn close_and_wake_refuses_the_waiters() {
    run_virtually(|| {
        let channel = Channel::new();
        let _senders = [("a", 0), ("b", 1)].map(|(name, i)| sender(&channel, name, i));
        stackless::run();
        channel.close_and_wake();
        stackless::run();
        assert!(channel.is_closed());
    });
    check(
        "a:Send/receive operation on a closed channel b:Send/receive operation on a closed channel",
    );
}

#[test]
fn an_iteration_that_cannot_go_on_panics() {
    run_virtually(|| {
        let channel = Channel::<u32>::new();
        let _trap = stackless::block_trap(true);
        log(panic_of(|| channel.iter().next()));
    });
    check("this tasklet does not like to be blocked.");
}
