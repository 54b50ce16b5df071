//! Tests time limits that are too long for any clock: they count as no limit, and a virtual clock
//! does not advance to them.

use std::time::Duration;

use fibra::channel::Channel;
use fibra::sync::{Event, Mutex};

use crate::support::{check, go, log, ms, panic_of, run_virtually};

const TOO_LONG: [Duration; 2] = [Duration::MAX, Duration::from_secs(u64::MAX)];

#[test]
fn a_sleep_that_is_too_long_for_the_clock_never_ends_and_time_goes_on() {
    run_virtually(|| {
        for duration in TOO_LONG {
            go(move || {
                fibra::sleep(duration);
                log("ended");
            });
        }
        let start = fibra::now();
        fibra::sleep(ms(1));
        assert_eq!(fibra::stats().timers, 0);
        fibra::sleep(Duration::from_secs(3600));
        assert_eq!(fibra::now() - start, Duration::from_secs(3600) + ms(1));
    });
    check("");
}

#[test]
fn a_wait_whose_limit_is_too_long_for_the_clock_can_be_part_of_a_deadlock() {
    for duration in TOO_LONG {
        let sleep = panic_of(|| run_virtually(|| fibra::sleep(duration)));
        assert!(sleep.contains("deadlock") && sleep.contains("is asleep"), "{sleep}");
        let park = panic_of(|| run_virtually(|| fibra::park_timeout(duration)));
        assert!(park.contains("deadlock") && park.contains("is parked"), "{park}");
        run_virtually(|| {
            let start = fibra::now();
            Channel::<u8>::new().recv_timeout(duration).unwrap_err();
            assert_eq!(fibra::now(), start);
        });
        let lock = run_virtually(|| {
            let mutex = Mutex::new(());
            let _guard = mutex.lock();
            mutex.lock_timeout(duration).map(drop).unwrap_err()
        });
        assert!(lock.is_deadlock(), "{lock:?}");
        let lock = lock.to_string();
        assert!(lock.contains("locking a mutex held by fiber 'main' (#1)"), "{lock}");
    }
}

#[test]
fn a_choice_whose_time_is_too_long_for_the_clock_waits_for_the_others() {
    run_virtually(|| {
        let event = std::rc::Rc::new(Event::new());
        let sets = event.clone();
        go(move || {
            fibra::sleep(ms(5));
            sets.set();
        });
        fibra::select! {
            _ = wait(event) => log("set"),
            after(Duration::MAX) => log("late"),
        }
    });
    check("set");
}
