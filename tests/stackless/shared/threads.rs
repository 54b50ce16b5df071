//! Partners of different threads: the partner is appended to its own ring, and the caller continues
//! (S-191 to S-193).

use std::sync::mpsc;
use std::thread;

use fibra::channel::Preference;
use fibra::stackless::{self, ChannelError, SharedChannel};

use super::{logger, receiver};

use crate::support::{check, forget_trace, log, ms, run_virtually};

/// Runs `f` in another thread, inside a `run` of its own.
fn elsewhere<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> thread::JoinHandle<T> {
    thread::spawn(move || fibra::run(f))
}

#[test]
fn a_value_crosses_in_both_directions() {
    fibra::run(|| {
        let (there, back) = (SharedChannel::new(), SharedChannel::new());
        let (from, to) = (there.clone(), back.clone());
        let echo = elsewhere(move || {
            for value in &from {
                to.send(value * 2).unwrap();
            }
        });
        for i in 0..1_000 {
            there.send(i).unwrap();
            assert_eq!(back.receive().unwrap(), 2 * i);
        }
        there.close_and_wake();
        echo.join().unwrap();
    });
}

#[test]
fn a_partner_in_another_thread_goes_behind_those_of_its_ring_and_the_caller_goes_on() {
    // S-192: for all settings of preference and `schedule_all`.
    for (preference, all) in [(Preference::Receiver, false), (Preference::Neither, true)] {
        let channel = SharedChannel::new();
        channel.set_preference(preference);
        channel.set_schedule_all(all);
        run_virtually(|| {
            receiver(&channel, "T");
            stackless::run();
            let remote = channel.clone();
            let sender = elsewhere(move || {
                let other = stackless::spawn(|| {});
                remote.send(1).unwrap();
                assert!(other.is_alive(), "the caller goes on without a switch");
                let _trap = stackless::switch_trapped();
                assert!(matches!(remote.receive(), Err(ChannelError::SwitchTrap)));
            });
            sender.join().unwrap();
            let _others = ["A", "B"].map(logger);
            fibra::sleep(ms(1));
        });
        check("A B T1");
    }
}

#[test]
fn a_trapped_tasklet_may_still_transfer_to_another_thread() {
    let channel = SharedChannel::new();
    run_virtually(|| {
        receiver(&channel, "T");
        stackless::run();
        let remote = channel.clone();
        let sender = elsewhere(move || {
            let _trap = stackless::switch_trapped();
            remote.send(1).unwrap();
        });
        sender.join().unwrap();
        fibra::sleep(ms(1));
    });
    check("T1");
}

#[test]
fn a_tasklet_that_waits_blocks_only_itself() {
    // S-193
    fibra::run(|| {
        let channel = SharedChannel::new();
        let (remote, go) = (channel.clone(), mpsc::channel());
        let sender = elsewhere(move || {
            go.1.recv().unwrap();
            remote.send(1).unwrap();
        });
        let start = go.0;
        stackless::spawn(move || {
            log("another");
            start.send(()).unwrap();
        });
        log(channel.receive().unwrap());
        sender.join().unwrap();
    });
    check("another 1");
}

#[test]
fn a_plain_thread_feeds_a_tasklet_that_sleeps() {
    fibra::run(|| {
        let channel = SharedChannel::new();
        let to = channel.clone();
        let feeder = thread::spawn(move || {
            for value in 0..100 {
                while to.try_send(value).is_err() {
                    thread::yield_now();
                }
            }
            // The last value must be received before the channel closes: `try_send` handed it over.
            to.close_and_wake();
        });
        assert!(channel.iter().eq(0..100));
        feeder.join().unwrap();
    });
}

#[test]
fn close_and_wake_reaches_waiters_in_other_threads() {
    let channel = SharedChannel::new();
    let waiting = [(); 2].map(|()| {
        let channel: SharedChannel<u32> = channel.clone();
        elsewhere(move || matches!(channel.receive(), Err(ChannelError::Closed)))
    });
    while channel.balance() != -2 {
        thread::yield_now();
    }
    channel.close_and_wake();
    assert!(channel.try_send(1).is_err());
    waiting.into_iter().for_each(|thread| assert!(thread.join().unwrap()));
}

#[test]
fn a_closed_sender_gets_its_value_back() {
    let channel = SharedChannel::new();
    let remote = channel.clone();
    let sender = elsewhere(move || {
        let error = remote.send(String::from("mine")).unwrap_err();
        assert!(matches!(error.reason, ChannelError::Closed));
        error.into_inner()
    });
    while channel.balance() != 1 {
        thread::yield_now();
    }
    channel.close_and_wake();
    assert_eq!(sender.join().unwrap(), "mine");
}

#[test]
fn values_that_are_not_sync_cross() {
    let channel = SharedChannel::new();
    let remote = channel.clone();
    let sender = elsewhere(move || remote.send(std::cell::Cell::new(3)).unwrap());
    fibra::run(|| assert_eq!(channel.receive().unwrap().get(), 3));
    sender.join().unwrap();
    forget_trace();
}
