//! Tests intervals: the times of ticks, and the handling of ticks that no fiber waited for.

use std::time::Duration;

use fibra::spawn;
use fibra::time::{MissedTick, interval, interval_at, timeout};

use crate::support::{Watch, check, log, ms, panic_of, run_virtually};

#[test]
fn the_first_tick_is_immediate_and_the_others_a_period_apart_however_long_the_work_takes() {
    run_virtually(|| {
        let watch = Watch::start();
        let start = fibra::now();
        let mut ticks = interval(ms(10));
        for n in 0..5 {
            assert_eq!(ticks.tick(), start + ms(10) * n);
            watch.log(n);
            fibra::sleep(ms(9));
        }
    });
    check("0@0 1@10 2@20 3@30 4@40");
}

#[test]
fn a_series_may_begin_later_or_earlier() {
    run_virtually(|| {
        let watch = Watch::start();
        let start = fibra::now();
        fibra::sleep(ms(5));
        let mut later = interval_at(start + ms(20), ms(10));
        let mut earlier = interval_at(start, ms(10));
        (0..3).for_each(|_| _ = earlier.tick());
        watch.log("earlier");
        (0..2).for_each(|_| _ = later.tick());
        watch.log("later");
    });
    check("earlier@20 later@30");
}

/// The table in the documentation: a period of 10, and work from 10 to 35.
#[test]
fn missed_ticks_are_treated_as_asked() {
    for policy in [MissedTick::Burst, MissedTick::Delay, MissedTick::Skip] {
        run_virtually(|| {
            let start = fibra::now();
            let millis = |at: fibra::time::Instant| (at - start).as_millis();
            let mut ticks = interval(ms(10));
            ticks.set_missed_tick(policy);
            assert_eq!(ticks.missed_tick(), policy);
            for n in 0..6 {
                let due = ticks.tick();
                log(format!("{}@{}", millis(due), millis(fibra::now())));
                if n == 1 {
                    fibra::sleep(ms(25));
                }
            }
            log("|");
        });
    }
    check(
        "0@0 10@10 20@35 30@35 40@40 50@50 | 0@0 10@10 20@35 45@45 55@55 65@65 | \
         0@0 10@10 20@35 40@40 50@50 60@60 |",
    );
}

#[test]
fn a_tick_that_is_late_by_less_than_a_period_moves_no_other() {
    for policy in [MissedTick::Burst, MissedTick::Delay, MissedTick::Skip] {
        run_virtually(|| {
            let watch = Watch::start();
            let mut ticks = interval(ms(10));
            ticks.set_missed_tick(policy);
            ticks.tick();
            fibra::sleep(ms(19));
            ticks.tick();
            watch.log("late");
            ticks.tick();
            watch.log("on time");
        });
        check("late@19 on time@20");
    }
}

#[test]
fn a_tick_that_coincides_with_the_end_of_the_work_is_skipped_to_the_next() {
    run_virtually(|| {
        let watch = Watch::start();
        let mut ticks = interval(ms(10));
        ticks.set_missed_tick(MissedTick::Skip);
        ticks.tick();
        fibra::sleep(ms(30));
        ticks.tick();
        watch.log("10");
        ticks.tick();
        watch.log("40");
    });
    check("10@30 40@40");
}

#[test]
fn a_reset_begins_a_period_from_now() {
    run_virtually(|| {
        let watch = Watch::start();
        let mut ticks = interval(ms(10));
        ticks.tick();
        fibra::sleep(ms(5));
        ticks.reset();
        ticks.tick();
        watch.log("tick");
        ticks.tick();
        watch.log("tick");
    });
    check("tick@15 tick@25");
}

#[test]
fn a_tick_that_no_fiber_got_is_still_due() {
    run_virtually(|| {
        let watch = Watch::start();
        let mut ticks = interval(ms(10));
        ticks.tick();
        assert!(timeout(ms(4), || ticks.tick()).is_err());
        ticks.tick();
        watch.log("tick");
    });
    check("tick@10");
}

#[test]
fn a_burst_lets_others_run_between_its_ticks() {
    run_virtually(|| {
        let mut ticks = interval(ms(1));
        fibra::sleep(ms(3));
        let other = spawn(|| {
            for n in 0..3 {
                log(format!("other {n}"));
                fibra::yield_now();
            }
        });
        for n in 0..3 {
            ticks.tick();
            log(format!("tick {n}"));
        }
        other.join().unwrap();
    });
    check("other 0 tick 0 other 1 tick 1 other 2 tick 2");
}

#[test]
fn a_period_may_be_longer_than_any_clock_and_not_zero() {
    run_virtually(|| {
        let mut ticks = interval(Duration::MAX);
        ticks.tick();
        assert!(timeout(Duration::from_secs(3600), || ticks.tick()).is_err());
        let text = panic_of(|| interval(Duration::ZERO));
        assert_eq!(text, "the period of an interval must not be zero");
    });
}
