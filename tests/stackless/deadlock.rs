//! Deadlocks that follow each other, and deadlocks of a tasklet that may not switch: S-167.

use std::panic::catch_unwind;

use fibra::stackless::{self, Channel, ChannelError};

use crate::support::{check, log, ms, panic_of, run_virtually, text_of};

const DEADLOCK: &str = "Deadlock: the last runnable tasklet cannot be blocked.";

/// Starts a tasklet that serves a channel to which nothing is ever sent, and fails by an error.
fn server() -> Channel<()> {
    let requests = Channel::<()>::new();
    let from = requests.clone();
    stackless::spawn(move || {
        loop {
            from.receive().unwrap();
        }
    });
    requests
}

#[test]
fn the_tasklet_that_tries_to_block_gets_the_deadlock_each_time() {
    fibra::run(|| {
        let requests = server();
        let channel = Channel::new();
        let answer = channel.clone();
        stackless::spawn(move || {
            for _ in 0..3 {
                let error = Channel::<()>::new().receive().unwrap_err();
                assert!(error.to_string().starts_with(DEADLOCK), "{error}");
                let error = Channel::new().send(()).unwrap_err();
                assert!(error.to_string().starts_with(DEADLOCK), "{error}");
            }
            answer.send("answer").unwrap();
        });
        log(channel.receive().unwrap());
        assert_eq!(requests.balance(), -1);
    });
    check("answer");
}

#[test]
fn main_that_tries_to_block_gets_the_deadlock_each_time() {
    fibra::run(|| {
        let requests = server();
        stackless::schedule();
        for _ in 0..3 {
            let error = Channel::<()>::new().receive().unwrap_err();
            assert!(error.to_string().starts_with(DEADLOCK), "{error}");
        }
        assert_eq!(requests.balance(), -1);
    });
}

#[test]
fn the_tasklet_that_leaves_the_ring_last_gets_the_deadlock_each_time() {
    fibra::run(|| {
        let channel = Channel::new();
        let answer = channel.clone();
        stackless::spawn(move || {
            let _handle = stackless::getcurrent();
            for _ in 0..3 {
                let text = panic_of(stackless::schedule_remove);
                assert!(text.starts_with(DEADLOCK), "{text}");
            }
            answer.send("answer").unwrap();
        });
        log(channel.receive().unwrap());
    });
    check("answer");
}

#[test]
fn a_trapped_tasklet_that_is_alone_gets_the_deadlock() {
    fibra::run(|| {
        let _trapped = stackless::switch_trapped();
        let error = Channel::<()>::new().receive().unwrap_err();
        assert!(error.to_string().starts_with(DEADLOCK), "{error}");
        let error = Channel::new().send(7).unwrap_err();
        assert!(matches!(error.reason, ChannelError::Deadlock(_)), "{error}");
        assert_eq!(error.into_inner(), 7);
    });
}

#[test]
fn a_trapped_tasklet_may_not_wait_for_others() {
    run_virtually(|| {
        let trapped = stackless::switch_trapped();
        let refused = || {
            let error = Channel::<()>::new().receive().unwrap_err();
            assert!(matches!(error, ChannelError::SwitchTrap), "{error}");
        };
        stackless::spawn(|| fibra::sleep(ms(1)));
        refused();
        fibra::yield_now();
        // The tasklet sleeps: it would run before the wait is over.
        refused();
        drop(trapped);
    });
}

#[test]
fn a_deadlock_that_is_not_caught_still_goes_to_main() {
    fibra::run(|| {
        stackless::spawn(|| {
            let _ = Channel::<()>::new().receive();
            let error = Channel::<()>::new().receive().unwrap_err();
            stackless::raise(error.to_string())
        });
        let raised = catch_unwind(|| Channel::<()>::new().receive()).unwrap_err();
        assert!(text_of(raised.as_ref()).contains(DEADLOCK));
    });
}
