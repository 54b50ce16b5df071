//! Tests the order in which jobs start: the newest first at home, the oldest first elsewhere, after
//! the fibers that are ready, and never behind them forever.

use std::sync::{Arc, Mutex};

use fibra::Handle;

use crate::support::{check, go, log, run_virtually};
use crate::{Count, on, spin_until};

#[test]
fn at_home_the_newest_job_starts_first() {
    run_virtually(|| {
        let handle = Handle::current();
        let jobs: Vec<_> = (1..=5).map(|n| handle.spawn(move || log(n))).collect();
        jobs.into_iter().for_each(|job| job.join().unwrap());
    });
    check("5 4 3 2 1");
}

#[test]
fn the_order_of_jobs_on_one_thread_is_the_same_in_each_run() {
    let run = || {
        run_virtually(|| {
            let handle = Handle::current();
            let spawn = |n: u32| {
                let inner = handle.clone();
                handle.spawn(move || {
                    log(n);
                    let children = [1, 2].map(|m| inner.spawn(move || log(10 * n + m)));
                    fibra::yield_now();
                    children.into_iter().for_each(|child| child.join().unwrap());
                    log(format!("{n}'"));
                })
            };
            let jobs: Vec<_> = (1..=40).map(spawn).collect();
            jobs.into_iter().for_each(|job| job.join().unwrap());
        });
        crate::support::trace().join(" ")
    };
    assert_eq!(run(), run());
}

#[test]
fn elsewhere_the_oldest_job_starts_first() {
    on(2, |handle| {
        let order = Arc::new(Mutex::new(Vec::new()));
        for n in 0..20 {
            let order = order.clone();
            handle.spawn(move || order.lock().unwrap().push(n)).detach();
        }
        // This scheduler computes, so all of them are stolen.
        spin_until(|| order.lock().unwrap().len() == 20);
        assert_eq!(*order.lock().unwrap(), (0..20).collect::<Vec<_>>());
    });
}

#[test]
fn fibers_that_are_ready_run_before_a_job_starts() {
    run_virtually(|| {
        Handle::current().spawn(|| log("job")).detach();
        ["a", "b"].into_iter().for_each(|name| go(move || log(name)));
        go(|| {
            fibra::yield_now();
            log("c");
        });
        fibra::sleep(crate::support::ms(1));
    });
    let order = crate::support::trace();
    assert_eq!(order.len(), 4);
    assert!(order.iter().position(|entry| entry == "job") >= Some(2), "{order:?}");
}

#[test]
fn a_job_starts_although_other_fibers_are_always_ready() {
    for threads in [1, 2] {
        on(threads, |handle| {
            // On each scheduler a fiber that never waits for anything.
            let chatty = handle.on_each(|_| {
                loop {
                    fibra::yield_now();
                }
            });
            let done = Arc::new(Count::default());
            for index in 0..threads {
                let (first, second) = (done.clone(), done.clone());
                handle.spawn_on(index, move || first.add()).detach();
                handle.spawn(move || second.add()).detach();
            }
            while done.get() < 2 * threads as u32 {
                fibra::yield_now();
            }
            chatty.iter().for_each(|job| job.kill());
        });
    }
}

#[test]
fn the_oldest_job_of_a_long_queue_starts_although_newer_ones_keep_coming() {
    const NEWER: u32 = 1_000;
    /// Spawns a job that spawns the next one: the newest first would never reach the oldest.
    fn next(handle: &Handle, started: &Arc<Count>, left: u32) {
        let (inner, starts) = (handle.clone(), started.clone());
        let body = move || {
            starts.add();
            if 0 < left {
                next(&inner, &starts, left - 1);
            }
        };
        handle.spawn(body).detach();
    }
    run_virtually(|| {
        let (handle, started) = (Handle::current(), Arc::new(Count::default()));
        let before = started.clone();
        let oldest = handle.spawn(move || before.get());
        next(&handle, &started, NEWER);
        let before = oldest.join().unwrap();
        assert!(before < NEWER / 10, "it was behind {before} of {NEWER} newer ones");
    });
}

#[test]
fn a_recursion_of_jobs_goes_depth_first_and_has_few_fibers_at_a_time() {
    fn node(handle: &Handle, depth: u32, most: &Arc<Mutex<usize>>) -> u64 {
        let mut most_so_far = most.lock().unwrap();
        *most_so_far = (*most_so_far).max(fibra::stats().fibers);
        drop(most_so_far);
        if depth == 0 {
            return 1;
        }
        let spawn = |_| {
            let (inner, most) = (handle.clone(), most.clone());
            handle.spawn(move || node(&inner, depth - 1, &most))
        };
        let children: Vec<_> = (0..10).map(spawn).collect();
        children.into_iter().map(|child| child.join().unwrap()).sum()
    }
    for threads in [1, 2] {
        let most = Arc::new(Mutex::new(0));
        assert_eq!(on(threads, |handle| node(&handle, 3, &most)), 1_000);
        let most = *most.lock().unwrap();
        assert!(most < 100, "{most} fibers at a time, of 1111, on {threads} threads");
    }
}
