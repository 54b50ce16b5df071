//! Tests `park`, `park_timeout` and `Fiber::unpark`: one token, which disturbs no other wait.

use fibra::Activity;
use fibra::channel::Channel;

use crate::support::{Noisy, check, go, log, ms, run_virtually};

#[test]
fn an_unpark_that_came_first_is_not_lost_and_counts_once() {
    fibra::run(|| {
        let me = fibra::current();
        (0..3).for_each(|_| me.unpark());
        fibra::park();
        log("first");
        go(move || {
            log("other");
            me.unpark();
        });
        fibra::park();
        log("second");
    });
    check("first other second");
}

#[test]
fn unparking_twice_runs_the_fiber_once() {
    fibra::run(|| {
        let child = fibra::spawn(|| {
            for i in 1.. {
                fibra::park();
                log(i);
            }
        });
        fibra::yield_now();
        child.fiber().unpark();
        child.fiber().unpark();
        fibra::yield_now();
        fibra::yield_now();
        log("m");
    });
    check("1 m");
}

#[test]
fn a_fiber_that_has_not_started_keeps_an_unpark_for_its_first_park() {
    fibra::run(|| {
        let child = fibra::spawn(|| {
            fibra::park();
            log("went through");
        });
        child.fiber().unpark();
        child.join().unwrap();
    });
    check("went through");
}

#[test]
fn unparking_an_ended_fiber_does_nothing() {
    fibra::run(|| {
        let child = fibra::spawn(|| ());
        let fiber = child.fiber().clone();
        child.join().unwrap();
        fiber.unpark();
        assert_eq!(fiber.activity(), None);
    });
}

#[test]
fn an_unpark_does_not_disturb_a_fiber_that_receives() {
    fibra::run(|| {
        let channel = Channel::new();
        let other = channel.clone();
        let child = fibra::spawn(move || {
            log(other.recv().unwrap());
            fibra::park();
            log("the unpark was kept");
        });
        fibra::yield_now();
        for _ in 0..3 {
            child.fiber().unpark();
            fibra::yield_now();
            let waits = Activity::Waiting("receiving on a channel");
            assert_eq!((child.fiber().activity(), channel.balance()), (Some(waits), -1));
        }
        channel.send(1).unwrap();
        child.join().unwrap();
    });
    check("1 the unpark was kept");
}

#[test]
fn an_unpark_does_not_shorten_a_sleep_or_a_join() {
    run_virtually(|| {
        let start = fibra::now();
        let sleeper = fibra::spawn(|| fibra::sleep(ms(50)));
        let asleep = sleeper.fiber().clone();
        let joiner = fibra::spawn(move || sleeper.join());
        fibra::yield_now();
        asleep.unpark();
        joiner.fiber().unpark();
        joiner.join().unwrap().unwrap();
        assert_eq!(fibra::now() - start, ms(50));
    });
}

#[test]
fn park_timeout_returns_when_the_time_is_over() {
    run_virtually(|| {
        let start = fibra::now();
        fibra::park_timeout(ms(30));
        assert_eq!(fibra::now() - start, ms(30));
        fibra::park_timeout(ms(0));
        assert_eq!(fibra::now() - start, ms(30));
        assert_eq!(fibra::stats().timers, 0);
    });
}

#[test]
fn park_timeout_returns_at_an_unpark_and_disarms_its_deadline() {
    run_virtually(|| {
        let start = fibra::now();
        let me = fibra::current();
        me.unpark();
        fibra::park_timeout(ms(1_000));
        go(move || {
            fibra::sleep(ms(5));
            me.unpark();
        });
        fibra::park_timeout(ms(1_000));
        assert_eq!(fibra::now() - start, ms(5));
        assert_eq!(fibra::stats().timers, 0);
        // The deadline that was disarmed does not end a later wait.
        fibra::sleep(ms(3_000));
        assert_eq!(fibra::now() - start, ms(3_005));
    });
}

#[test]
fn a_deadline_that_passes_while_the_fiber_is_ready_does_not_time_out_its_next_wait() {
    run_virtually(|| {
        let child = fibra::spawn(|| {
            fibra::park_timeout(ms(10));
            log("woken");
            let start = fibra::now();
            fibra::sleep(ms(10));
            assert_eq!(fibra::now() - start, ms(10));
        });
        let fiber = child.fiber().clone();
        // Wakes at the same instant as the deadline, and before it.
        let waker = fibra::spawn(move || {
            fibra::sleep(ms(10));
            fiber.unpark();
        });
        waker.join().unwrap();
        child.join().unwrap();
    });
    check("woken");
}

#[test]
fn an_unpark_that_came_before_a_kill_completes_the_park_and_the_next_wait_unwinds() {
    fibra::run(|| {
        let child = fibra::spawn(|| {
            let _unwound = Noisy("unwound");
            fibra::park();
            log("park returned");
            fibra::park();
            log("unreachable");
        });
        fibra::yield_now();
        child.fiber().unpark();
        child.kill();
        assert!(child.join().unwrap_err().is_killed());
    });
    check("park returned unwound");
}
