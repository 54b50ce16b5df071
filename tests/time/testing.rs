//! Tests `testing::wait_all_blocked`: it returns when no other fiber can run.

use fibra::channel::Channel;
use fibra::testing::wait_all_blocked;
use fibra::{spawn, yield_now};

use crate::support::{Watch, check, go, log, ms, run_virtually};

#[test]
fn it_returns_when_the_others_wait_however_many_turns_that_takes() {
    run_virtually(|| {
        for name in ["a", "b"] {
            go(move || {
                (0..100).for_each(|_| yield_now());
                log(name);
                fibra::park();
                log("unreachable");
            });
        }
        wait_all_blocked();
        log("all wait");
    });
    check("a b all wait");
}

#[test]
fn it_returns_immediately_if_there_is_no_other_fiber() {
    run_virtually(|| {
        wait_all_blocked();
        wait_all_blocked();
    });
}

#[test]
fn time_does_not_jump_meanwhile() {
    run_virtually(|| {
        let watch = Watch::start();
        go(move || {
            fibra::sleep(ms(10));
            watch.log("slept");
        });
        wait_all_blocked();
        watch.log("all wait");
        fibra::sleep(ms(10));
        wait_all_blocked();
        watch.log("all wait");
    });
    check("all wait@0 slept@10 all wait@10");
}

#[test]
fn fibers_that_are_spawned_and_woken_meanwhile_are_waited_for() {
    run_virtually(|| {
        let channel = Channel::new();
        let receiver = channel.clone();
        go(move || {
            for value in receiver.iter() {
                log(value);
                if value < 3 {
                    let sender = receiver.clone();
                    go(move || sender.send(value + 1));
                }
            }
        });
        yield_now();
        channel.send(1).unwrap();
        wait_all_blocked();
        log("all wait");
    });
    check("1 2 3 all wait");
}

#[test]
fn of_several_the_last_returns_first_and_each_when_the_others_wait() {
    run_virtually(|| {
        for name in ["first", "second"] {
            go(move || {
                wait_all_blocked();
                log(name);
                (0..3).for_each(|_| yield_now());
                log(name);
            });
        }
        (0..5).for_each(|_| yield_now());
        wait_all_blocked();
        log("main");
        fibra::sleep(ms(1));
    });
    check("main second second first first");
}

#[test]
fn a_watcher_that_is_killed_does_not_end_the_wait_of_the_others() {
    run_virtually(|| {
        let first = spawn(wait_all_blocked);
        yield_now();
        go(|| {
            wait_all_blocked();
            log("second");
        });
        let busy = spawn(|| {
            (0..10).for_each(|_| yield_now());
            log("busy");
        });
        yield_now();
        first.kill();
        busy.join().unwrap();
        fibra::sleep(ms(1));
    });
    check("busy second");
}

#[test]
fn it_works_beside_a_deadlock_and_is_none() {
    run_virtually(|| {
        let channel = Channel::<u8>::new();
        let receiver = channel.clone();
        let waits = spawn(move || receiver.recv().is_err());
        wait_all_blocked();
        log("all wait");
        // No fiber can ever send: the join completes the deadlock.
        assert!(waits.join().is_err());
    });
    check("all wait");
}
