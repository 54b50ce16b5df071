//! Tests the virtual clock: it stands while anything can run, and jumps when everything waits.

use std::time::Duration;

use fibra::channel::{Channel, RecvTimeoutError, SendTimeoutError};

use crate::support::{check, go, log, ms, run_virtually};

#[test]
fn time_stands_still_while_a_fiber_can_run() {
    run_virtually(|| {
        let start = fibra::now();
        go(|| {
            fibra::sleep(Duration::from_micros(1));
            log("slept");
        });
        (0..10_000).for_each(|_| fibra::yield_now());
        assert_eq!(fibra::now(), start);
        check("");
    });
}

#[test]
fn time_jumps_to_the_next_deadline_when_all_wait() {
    run_virtually(|| {
        let start = fibra::now();
        let naps: Vec<_> = [3_600, 60, 86_400]
            .map(|seconds| {
                fibra::spawn(move || {
                    fibra::sleep(Duration::from_secs(seconds));
                    fibra::now()
                })
            })
            .into();
        let ends: Vec<_> = naps.into_iter().map(|nap| nap.join().unwrap() - start).collect();
        assert_eq!(ends, [3_600, 60, 86_400].map(Duration::from_secs));
        assert_eq!(fibra::now() - start, Duration::from_secs(86_400));
    });
}

#[test]
fn timed_waits_end_at_their_time() {
    run_virtually(|| {
        let start = fibra::now();
        let channel = Channel::new();
        assert_eq!(channel.recv_timeout(ms(5)), Err(RecvTimeoutError::Timeout));
        let unsent = channel.send_timeout(7, ms(5)).unwrap_err();
        assert!(matches!(unsent, SendTimeoutError::Timeout(7)), "{unsent}");
        assert_eq!(channel.recv_deadline(start + ms(15)), Err(RecvTimeoutError::Timeout));
        let (sender, receiver) = fibra::channel::bounded(1);
        assert_eq!(receiver.recv_timeout(ms(5)), Err(RecvTimeoutError::Timeout));
        sender.send(1).unwrap();
        assert!(sender.send_timeout(2, ms(5)).is_err());
        fibra::park_timeout(ms(5));
        assert_eq!(fibra::now() - start, ms(30));
        assert_eq!(fibra::stats().timers, 0);
    });
}

#[test]
fn a_message_at_the_very_deadline_counts_when_its_sender_woke_first() {
    run_virtually(|| {
        let channel = Channel::new();
        let sender = channel.clone();
        let sending = fibra::spawn(move || {
            fibra::sleep(ms(10));
            log("sends");
            sender.try_send(1).is_ok()
        });
        fibra::yield_now();
        let received = channel.recv_timeout(ms(10));
        // The sender slept first, so it wakes first; but the deadline has passed for both.
        log(format!("{received:?}"));
        assert_eq!(received.is_ok(), sending.join().unwrap());
    });
    check("sends Ok(1)");
}

#[test]
fn each_run_starts_a_clock_of_its_own() {
    for _ in 0..2 {
        run_virtually(|| {
            let start = fibra::now();
            fibra::sleep(Duration::from_secs(1_000_000));
            assert_eq!(fibra::now() - start, Duration::from_secs(1_000_000));
        });
    }
}

#[test]
fn the_dump_shows_ages_in_virtual_time() {
    run_virtually(|| {
        let _waiter = fibra::Builder::new().name("waiter").spawn(fibra::park);
        fibra::sleep(Duration::from_secs(3_600));
        let dump = fibra::dump();
        assert_eq!(dump.fibers[1].waiting_for, Some(Duration::from_secs(3_600)));
        assert!(dump.to_string().contains(" for 3600s, spawned at "), "{dump}");
    });
}
