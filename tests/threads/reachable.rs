//! Fibers that other threads may wake: with one, a wait is no deadlock; a sleep costs no more.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use fibra::Unparker;
use fibra::channel::Channel;
use rustix::time::{ClockId, clock_gettime};

use crate::support::{in_child, measure_until, ms, name_of, panic_of, stderr};

/// Returns how often the thread has gone to sleep.
fn sleeps_of(thread: &std::path::Path) -> u64 {
    let status = std::fs::read_to_string(thread.join("status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("voluntary_ctxt")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn this_thread() -> std::path::PathBuf {
    std::path::Path::new("/proc").join(std::fs::read_link("/proc/thread-self").unwrap())
}

#[test]
fn the_drop_of_a_clone_leaves_a_sleeping_scheduler_alone() {
    fibra::run(|| {
        let unparker = fibra::current().unparker();
        let me = this_thread();
        let thread = thread::spawn(move || {
            thread::sleep(ms(50));
            let before = sleeps_of(&me);
            for _ in 0..200 {
                drop(unparker.clone());
                thread::sleep(std::time::Duration::from_micros(100));
            }
            let sleeps = sleeps_of(&me) - before;
            unparker.unpark();
            sleeps
        });
        fibra::park();
        let sleeps = thread.join().unwrap();
        assert!(sleeps < 20, "woken {sleeps} times by 200 clones");
    });
}

/// Returns the processor time of this thread, in microseconds.
fn used() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(time.tv_sec * 1_000_000 + time.tv_nsec / 1_000).unwrap()
}

/// Returns the cost of a sleep and a wake while `others` fibers are in `wait` to which a thread
/// holds unparkers. The sleeps are those of ten fibers in turn, the last one first.
fn cost_of_a_sleep_beside(others: usize, wait: fn()) -> u64 {
    const ROUNDS: usize = 300;
    fibra::run(move || {
        let (ask, asked) = mpsc::channel::<Unparker>();
        let go_on: Vec<Channel<()>> = (0..10).map(|_| Channel::new()).collect();
        let (done, sleepers) = (Channel::new(), go_on.iter().cloned());
        let sleepers: Vec<_> = sleepers
            .map(|go_on| {
                let (ask, done) = (ask.clone(), done.clone());
                fibra::spawn(move || {
                    let unparker = fibra::current().unparker();
                    while go_on.recv().is_ok() {
                        ask.send(unparker.clone()).unwrap();
                        fibra::park();
                        done.send(()).unwrap();
                    }
                })
            })
            .collect();
        fibra::yield_now();
        let waiting: Vec<_> =
            (0..others).map(|_| fibra::Builder::new().stack_size(16 << 10).spawn(wait)).collect();
        let unparkers: Vec<_> = waiting.iter().map(|it| it.fiber().unparker()).collect();
        let thread = thread::spawn(move || {
            while let Ok(unparker) = asked.recv() {
                thread::sleep(std::time::Duration::from_micros(50));
                unparker.unpark();
            }
            drop(unparkers);
        });
        (0..3).for_each(|_| fibra::yield_now());
        let rounds = go_on.iter().rev().cycle();
        let round = |go_on: &Channel<()>| {
            go_on.send(()).unwrap();
            done.recv().unwrap();
        };
        rounds.clone().take(10).for_each(round);
        let before = used();
        rounds.take(ROUNDS).for_each(round);
        let used = used() - before;
        sleepers.iter().chain(&waiting).for_each(|it| it.kill());
        drop((sleepers, ask));
        fibra::yield_now();
        thread.join().unwrap();
        used / ROUNDS as u64
    })
}

/// Checks that a sleep costs about the same beside 10 and beside 10,000 fibers in `wait`.
#[track_caller]
fn check_cost(wait: fn()) {
    let is_same = |[few, many]: &[u64; 2]| *many < 4 * (*few).max(20);
    measure_until(is_same, || [10, 10_000].map(|others| cost_of_a_sleep_beside(others, wait)));
}

#[test]
fn a_sleep_costs_the_same_however_many_parked_fibers_others_may_wake() {
    check_cost(fibra::park);
}

#[test]
fn a_sleep_costs_the_same_however_many_fibers_have_unparkers_and_wait_for_something_else() {
    check_cost(|| drop(Channel::<()>::new().recv()));
}

#[test]
fn a_deadlock_is_seen_when_the_last_that_could_be_woken_waits_for_something_else() {
    let report = panic_of(|| {
        fibra::run(|| {
            let passed = Arc::new(AtomicUsize::new(0));
            let others: Vec<_> = (0..50)
                .map(|_| {
                    let passed = passed.clone();
                    fibra::spawn(move || {
                        for _ in 0..2 {
                            fibra::park();
                            passed.fetch_add(1, Ordering::SeqCst);
                        }
                        drop(Channel::<()>::new().recv());
                    })
                })
                .collect();
            let unparkers: Vec<_> = others.iter().map(|it| it.fiber().unparker()).collect();
            let thread = thread::spawn(move || {
                // An unpark that arrives before the previous one is taken is merged with it.
                let wait_for = |count| {
                    while passed.load(Ordering::SeqCst) < count {
                        thread::sleep(Duration::from_micros(100));
                    }
                };
                unparkers.iter().for_each(fibra::Unparker::unpark);
                wait_for(50);
                // Each of them is once the last witness that there is no deadlock.
                for (i, unparker) in unparkers.iter().enumerate() {
                    unparker.unpark();
                    wait_for(51 + i);
                }
                unparkers
            });
            let result = panic_of(fibra::park);
            // They were alive all the time.
            drop(thread.join().unwrap());
            panic!("{result}");
        })
    });
    assert!(report.starts_with("deadlock:"), "{report}");
}

#[test]
fn fibers_that_made_unparkers_and_ended_take_no_memory() {
    // In a process of its own, whose memory no other test changes.
    let test = name_of!(fibers_that_made_unparkers_and_ended_take_no_memory);
    let output = in_child(test, &[], || {
        // A timer is pending all the time, so no sleep asks which fibers may be woken.
        fibra::run(|| {
            let before = resident();
            for round in 0..400_000 {
                fibra::spawn(|| drop(fibra::current().unparker())).join().unwrap();
                if round % 10_000 == 0 {
                    fibra::sleep(Duration::from_micros(10));
                }
            }
            let grown = resident().saturating_sub(before);
            assert!(grown < 1 << 20, "{grown} bytes more");
        });
    });
    assert!(output.status.success(), "{}", stderr(&output));
}

/// Returns the bytes of anonymous memory that this process holds.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10
}
