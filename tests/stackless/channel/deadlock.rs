//! The wait that fails when no tasklet can run any more, and its text (S-165 to S-172).

use fibra::stackless::{self, Channel, ChannelError};

use super::{logger, receiver};

use crate::support::{check, log, run_virtually};

/// Returns the first line of an error's text: the report follows.
fn text(error: &ChannelError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

const DEADLOCK: &str = "Deadlock: the last runnable tasklet cannot be blocked.";

#[test]
fn main_alone_cannot_be_blocked() {
    // T28, S-169
    run_virtually(|| {
        let channel = Channel::new();
        let error = channel.receive().unwrap_err();
        assert_eq!(text(&error), DEADLOCK);
        assert!(error.report().unwrap().to_string().contains("receiving on a channel"));
        let error = channel.send(5).unwrap_err();
        assert_eq!((text(&error.reason), error.value), (DEADLOCK.into(), 5));
        assert_eq!(channel.balance(), 0);
    });
}

#[test]
fn the_end_of_the_last_tasklet_is_an_error_of_the_blocked_main() {
    // T29, T30, S-170
    run_virtually(|| {
        let channel = Channel::new();
        logger("a");
        log(text(&channel.receive().unwrap_err()));
        assert_eq!(channel.balance(), 0);
        logger("b");
        let error = channel.send(5).unwrap_err();
        log(text(&error.reason));
        assert!(matches!(error.reason, ChannelError::MainSending(_)));
        assert_eq!((channel.balance(), error.value), (0, 5));
    });
    check(
        "a the main tasklet is receiving without a sender available. \
         b the main tasklet is sending without a receiver available.",
    );
}

#[test]
fn the_tasklet_that_blocks_last_fails_and_may_go_on() {
    // T31, S-167, S-172
    run_virtually(|| {
        let channel = Channel::<u32>::new();
        let (from, to) = (Channel::<u32>::new(), channel.clone());
        stackless::spawn(move || {
            log(text(&from.receive().unwrap_err()));
            log(from.balance());
            to.send(1).unwrap();
        });
        log(channel.receive().unwrap());
    });
    check(&format!("{DEADLOCK} 0 1"));
}

#[test]
fn blocking_under_run_is_no_deadlock() {
    // T32, S-166
    run_virtually(|| {
        let channel = Channel::new();
        let blocked = receiver(&channel, "R");
        stackless::run();
        assert!(blocked.is_blocked());
        log(channel.balance());
    });
    check("-1");
}
