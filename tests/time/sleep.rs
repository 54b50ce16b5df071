//! Tests `sleep` and `sleep_until`: the order of waking, never early, also on the real clock.

use std::time::Duration;

use crate::support::{check, go, log, ms, run_virtually};

#[test]
fn sleepers_wake_in_the_order_of_their_deadlines() {
    run_virtually(|| {
        for n in [30, 10, 50, 20, 40] {
            go(move || {
                fibra::sleep(ms(n));
                log(n);
            });
        }
        fibra::sleep(ms(100));
    });
    check("10 20 30 40 50");
}

#[test]
fn sleepers_with_one_deadline_wake_in_the_order_in_which_they_fell_asleep() {
    run_virtually(|| {
        for name in ["a", "b", "c", "d"] {
            go(move || {
                fibra::sleep(ms(10));
                log(name);
            });
        }
        fibra::sleep(ms(20));
    });
    check("a b c d");
}

#[test]
fn a_sleep_ends_exactly_at_its_deadline_on_the_virtual_clock_however_far_it_is() {
    run_virtually(|| {
        let year = 365 * 24 * 3600;
        for duration in [
            Duration::from_nanos(1),
            Duration::from_micros(1),
            Duration::from_micros(63),
            Duration::from_micros(64),
            Duration::from_micros(65),
            ms(4_095),
            ms(4_097),
            Duration::from_secs(3_600),
            Duration::from_secs(year),
            Duration::from_secs(500 * year),
        ] {
            let start = fibra::now();
            fibra::sleep(duration);
            let slept = fibra::now() - start;
            assert!(duration <= slept, "{duration:?} became {slept:?}");
            assert!(slept <= duration + Duration::from_micros(1), "{duration:?} became {slept:?}");
        }
    });
}

#[test]
fn a_sleep_is_never_early_on_the_real_clock() {
    fibra::run(|| {
        let sleepers: Vec<_> = (0..50)
            .map(|i| {
                fibra::spawn(move || {
                    let (wanted, start) = (Duration::from_micros(i * 97), fibra::now());
                    fibra::sleep(wanted);
                    assert!(wanted <= fibra::now() - start);
                })
            })
            .collect();
        sleepers.into_iter().for_each(|sleeper| sleeper.join().unwrap());
    });
}

#[test]
fn a_sleep_of_zero_is_a_yield() {
    run_virtually(|| {
        go(|| log("other"));
        fibra::sleep(Duration::ZERO);
        log("main");
        assert_eq!(fibra::stats().timers, 0);
    });
    check("other main");
}

#[test]
fn a_sleep_until_a_moment_that_is_over_returns() {
    run_virtually(|| {
        let start = fibra::now();
        fibra::sleep(ms(5));
        fibra::sleep_until(start);
        fibra::sleep_until(start + ms(7));
        assert_eq!(fibra::now() - start, ms(7));
    });
}

#[test]
fn a_sleep_forever_ends_with_its_kill_and_holds_up_no_other_fiber() {
    run_virtually(|| {
        let start = fibra::now();
        let forever =
            [Duration::MAX, Duration::from_secs(u64::MAX), Duration::from_micros(u64::MAX)]
                .map(|duration| fibra::spawn(move || fibra::sleep(duration)));
        fibra::sleep(ms(1));
        assert_eq!(fibra::now() - start, ms(1));
        for sleeper in forever {
            sleeper.kill();
            assert!(sleeper.join().unwrap_err().is_killed());
        }
        assert_eq!(fibra::stats().timers, 0);
    });
}

#[test]
fn a_sleep_forever_does_not_disturb_the_real_clock() {
    fibra::run(|| {
        let sleeper = fibra::spawn(|| fibra::sleep(Duration::MAX));
        let start = fibra::now();
        fibra::sleep(ms(1));
        assert!(ms(1) <= fibra::now() - start);
        assert!(!sleeper.is_finished());
    });
}

#[test]
fn ten_thousand_sleepers_wake_in_order() {
    run_virtually(|| {
        let sleepers: Vec<_> = (0..10_000_u64)
            .map(|i| {
                // A permutation: 7919 has no factor in common with 10,000.
                let deadline = i * 7919 % 10_000;
                fibra::spawn(move || {
                    fibra::sleep(Duration::from_micros(deadline * 13 + 1));
                    log(deadline);
                })
            })
            .collect();
        sleepers.into_iter().for_each(|sleeper| sleeper.join().unwrap());
    });
    check(&(0..10_000).map(|i| i.to_string()).collect::<Vec<_>>().join(" "));
}

#[test]
fn a_killed_sleeper_disarms_its_deadline() {
    run_virtually(|| {
        let start = fibra::now();
        let sleeper = fibra::spawn(|| fibra::sleep(ms(1_000)));
        fibra::sleep(ms(1));
        assert_eq!(fibra::stats().timers, 1);
        sleeper.kill();
        assert!(sleeper.join().unwrap_err().is_killed());
        assert_eq!(fibra::stats().timers, 0);
        assert_eq!(fibra::now() - start, ms(1));
    });
}
