//! Tests the order in which fibers run, with the golden traces T01 to T24 of Stackless that concern
//! spawning, yielding, killing and joining.

use fibra::channel::Channel;
use fibra::{spawn, yield_now};

use crate::support::{Noisy, check, go, log, run_virtually};

/// T01: A and B are created, then main yields.
#[test]
fn spawned_fibers_run_in_the_order_in_which_they_were_spawned() {
    fibra::run(|| {
        go(|| log("A"));
        go(|| log("B"));
        yield_now();
        log("m");
    });
    check("A B m");
}

/// T06: of A, B, C, which have not started, A is killed.
#[test]
fn a_fiber_killed_before_its_first_turn_never_runs() {
    fibra::run(|| {
        let [a, _b, _c] = ["A", "B", "C"].map(|name| spawn(move || log(name)));
        a.kill();
        yield_now();
        log("m");
        assert!(a.join().unwrap_err().is_killed());
    });
    check("B C m");
}

/// T08: T waits; A and B are created; T is killed, which makes it ready behind them.
#[test]
fn a_killed_fiber_unwinds_when_its_turn_comes_behind_the_ready_ones() {
    fibra::run(|| {
        let t = spawn(|| {
            let _unwound = Noisy("T!");
            fibra::park();
        });
        yield_now();
        go(|| log("A"));
        go(|| log("B"));
        t.kill();
        log("m");
        yield_now();
        log("m");
    });
    check("m A B T! m");
}

/// T09: A and B log, yield, log.
#[test]
fn yielding_fibers_take_turns() {
    fibra::run(|| {
        let handles = ["A", "B"].map(|name| {
            spawn(move || {
                log(format!("{name}1"));
                yield_now();
                log(format!("{name}2"));
            })
        });
        handles.into_iter().for_each(|handle| handle.join().unwrap());
    });
    check("A1 B1 A2 B2");
}

/// T10, but a panic stays in its fiber: B still runs in its turn.
#[test]
fn a_panic_does_not_change_the_turn_of_others() {
    fibra::run(|| {
        go(|| log("A"));
        let x = spawn(|| {
            log("X");
            panic!("E");
        });
        go(|| log("B"));
        assert_eq!(crate::support::join_panic::<()>(x), "E");
        log("m");
    });
    check("A X B m");
}

/// T14: P, which waited, is made ready between B and C.
#[test]
fn a_woken_fiber_goes_to_the_end_of_the_ring() {
    fibra::run(|| {
        let p = spawn(|| {
            fibra::park();
            log("P");
        });
        yield_now();
        go(|| log("A"));
        go(|| log("B"));
        p.fiber().unpark();
        go(|| log("C"));
        yield_now();
    });
    check("A B P C");
}

/// T15: A creates x and y; B was created before them.
#[test]
fn fibers_spawned_by_a_fiber_run_behind_the_siblings_of_their_parent() {
    fibra::run(|| {
        go(|| {
            log("A");
            go(|| log("x"));
            go(|| log("y"));
        });
        go(|| log("B"));
        yield_now();
        yield_now();
    });
    check("A B x y");
}

/// T19, without the callback: the order in which the fibers run.
#[test]
fn the_current_fiber_is_part_of_the_ring() {
    fibra::run(|| {
        for name in ["a", "b"] {
            go(move || {
                log(name);
                yield_now();
                log(name);
            });
        }
        for _ in 0..3 {
            log("m");
            yield_now();
        }
    });
    check("m a b m a b m");
}

/// T24: a, b and c wait to receive; b is killed.
#[test]
fn a_killed_receiver_leaves_the_queue_and_the_others_keep_their_order() {
    fibra::run(|| {
        let channel = Channel::new();
        let [_a, b, _c] = ["a", "b", "c"].map(|name| {
            let channel = channel.clone();
            spawn(move || {
                let value: i32 = channel.recv().unwrap();
                log(format!("{name}={value}"));
            })
        });
        yield_now();
        assert_eq!(channel.balance(), -3);
        b.kill();
        assert!(b.join().unwrap_err().is_killed());
        assert_eq!(channel.balance(), -2);
        channel.send(1).unwrap();
        channel.send(2).unwrap();
        assert_eq!(channel.balance(), 0);
    });
    check("a=1 c=2");
}

/// T40: the number of fibers that can run, including the running one.
#[test]
fn the_runnable_fibers_include_the_running_one() {
    fibra::run(|| {
        let count = || log(fibra::stats().runnable);
        for _ in 0..2 {
            go(move || {
                count();
                yield_now();
                count();
            });
        }
        count();
        fibra::spawn(|| ()).join().unwrap();
        yield_now();
        yield_now();
        count();
    });
    check("3 3 3 3 2 1");
}

#[test]
fn the_order_holds_across_batches_and_growth_of_the_ring() {
    const FIBERS: usize = 2_000;
    fibra::run(|| {
        let handles: Vec<_> = (0..FIBERS)
            .map(|i| {
                spawn(move || {
                    for round in 0..3 {
                        log(round * FIBERS + i);
                        yield_now();
                    }
                })
            })
            .collect();
        handles.into_iter().for_each(|handle| handle.join().unwrap());
    });
    check(&(0..3 * FIBERS).map(|i| i.to_string()).collect::<Vec<_>>().join(" "));
}

/// Runs a tangle of waits of all kinds, chosen by a small generator of numbers. Returns the trace.
fn tangle() -> String {
    let trace = std::rc::Rc::new(std::cell::RefCell::new(String::new()));
    run_virtually(|| {
        let channel = Channel::new();
        let mut handles = Vec::new();
        for i in 0..50_u64 {
            let (channel, trace) = (channel.clone(), trace.clone());
            handles.push(spawn(move || {
                let mut x = i * 7919 + 1;
                for _ in 0..20 {
                    x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let wait = crate::support::ms(x >> 60);
                    match x >> 32 & 3 {
                        0 => yield_now(),
                        1 => fibra::sleep(wait),
                        2 => drop(channel.send_timeout(i, wait)),
                        _ => drop(channel.recv_timeout(wait)),
                    }
                    trace.borrow_mut().push_str(&format!("{i} "));
                }
            }));
        }
        for (i, handle) in handles.into_iter().enumerate() {
            if i % 7 == 3 {
                handle.kill();
            }
            let _ = handle.join();
        }
    });
    std::rc::Rc::into_inner(trace).unwrap().into_inner()
}

#[test]
fn a_program_on_the_virtual_clock_interleaves_the_same_way_every_time() {
    let first = tangle();
    assert!(2_000 < first.len());
    (0..3).for_each(|_| assert_eq!(tangle(), first));
}
