//! A dump with stacks disturbs nothing: not the order, not the time, not the waits.

use std::time::Duration;

use fibra::channel::{Channel, bounded};
use fibra::{generator, stats};

use crate::support::{check, log, run_virtually};

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Logs a program in which fibers wait in many ways, and calls `look` at each step.
fn program(look: fn()) {
    run_virtually(|| {
        let start = fibra::now();
        let at = move || fibra::now().duration_since(start).as_millis();
        let (channel, queue) = (Channel::new(), bounded(1));
        let receiver = channel.clone();
        fibra::spawn(move || {
            while let Ok(n) = receiver.recv() {
                look();
                log(format_args!("got{n}@{}", at()));
            }
        });
        let sender = queue.0;
        fibra::spawn(move || {
            for n in 0..3 {
                sender.send(n).unwrap();
                look();
                log(format_args!("put{n}@{}", at()));
            }
        });
        let killed = fibra::spawn(move || {
            fibra::finally(fibra::park, || log(format_args!("killed@{}", at())));
        });
        fibra::spawn(move || {
            let limited = fibra::time::timeout(ms(15), || {
                generator::iter(|y| {
                    y.yield_(1);
                    fibra::sleep(ms(100));
                })
                .for_each(drop);
            });
            log(format_args!("limit{}@{}", limited.is_err(), at()));
        });
        let sleeper = fibra::spawn(move || {
            for _ in 0..3 {
                look();
                fibra::sleep(ms(10));
                log(format_args!("slept@{}", at()));
                fibra::yield_now();
                log("yielded");
            }
        });
        let parked = fibra::spawn(move || {
            fibra::park();
            log(format_args!("unparked@{}", at()));
        });
        for n in 0..2 {
            fibra::sleep(ms(7));
            look();
            channel.send(n).unwrap();
            log(format_args!("sent{n}"));
            look();
            log(format_args!("took{}", queue.1.recv().unwrap()));
        }
        killed.kill();
        look();
        parked.fiber().unpark();
        look();
        sleeper.join().unwrap();
        look();
        log(format_args!("end@{} {}", at(), stats().switches));
    });
}

fn look() {
    let before = fibra::dump();
    let mut with_stacks = fibra::dump_with_stacks();
    assert!(with_stacks.fibers.iter().any(|fiber| fiber.stack.is_some()));
    with_stacks.fibers.iter_mut().for_each(|fiber| fiber.stack = None);
    assert_eq!(with_stacks, before);
    assert_eq!(fibra::dump(), before);
}

#[test]
fn a_program_runs_alike_with_dumps_and_without() {
    program(|| {});
    let without = crate::support::trace().join(" ");
    program(look);
    check(&without);
    program(look);
    let order = crate::support::trace();
    let times: Vec<_> = order.iter().filter(|entry| entry.contains('@')).collect();
    assert_eq!(times[0], "put0@0");
}

#[test]
fn the_report_of_a_deadlock_is_the_same_after_a_dump() {
    let report = |looks: bool| {
        run_virtually(|| {
            let channel = Channel::<u32>::new();
            let own = channel.clone();
            fibra::spawn(move || drop(own.recv()));
            fibra::sleep(ms(3));
            if looks {
                look();
            }
            channel.recv().unwrap_err().to_string()
        })
    };
    assert_eq!(report(true), report(false));
}

#[test]
fn a_kill_and_an_unpark_that_are_under_way_stay() {
    run_virtually(|| {
        let killed = fibra::spawn(fibra::park);
        let unparked = fibra::spawn(|| {
            fibra::park();
            log("unparked");
            fibra::park();
            log("never");
        });
        fibra::yield_now();
        killed.kill();
        unparked.fiber().unpark();
        look();
        assert!(killed.join().unwrap_err().is_killed());
        fibra::sleep(ms(1));
        check("unparked");
    });
}

#[test]
fn a_waker_of_a_future_and_an_external_wait_stay() {
    fibra::run(|| {
        let (unparker, is_there) = fibra::sync::oneshot();
        let waiter = fibra::spawn(move || {
            unparker.send(fibra::current().unparker()).unwrap();
            fibra::park();
        });
        let unparker = is_there.recv().unwrap();
        let thread = fibra::spawn(move || {
            fibra::blocking(move || {
                std::thread::sleep(ms(5));
                unparker.unpark();
            });
        });
        let task = fibra::spawn(|| fibra::future::block_on(fibra::future::sleep(ms(3))));
        while !(waiter.is_finished() && thread.is_finished() && task.is_finished()) {
            look();
            fibra::sleep(ms(1));
        }
    });
}
