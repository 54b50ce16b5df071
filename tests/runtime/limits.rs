//! Tests the limit of queued jobs: `spawn` waits at it, and `try_spawn` gives the closure back.

use std::sync::Arc;
use std::thread;

use fibra::{Handle, Runtime};

use crate::support::ms;
use crate::{Count, spin_until};

fn limited<T>(threads: usize, limit: usize, f: impl FnOnce(Handle) -> T) -> T {
    let builder = Runtime::builder().threads(threads).max_queued_jobs(limit);
    builder.build().unwrap().run(|| f(Handle::current()))
}

#[test]
#[should_panic = "could start none"]
fn a_limit_of_zero_is_refused() {
    let _ = Runtime::builder().max_queued_jobs(0);
}

#[test]
fn at_the_limit_try_spawn_gives_the_closure_back() {
    limited(1, 2, |handle| {
        let jobs = [1, 2].map(|n| handle.try_spawn(move || n).unwrap());
        let error = handle.try_spawn(|| 3).unwrap_err();
        assert!(error.is_full() && !error.is_closed());
        assert!(error.to_string().contains("max_queued_jobs"), "{error}");
        assert_eq!(error.into_inner()(), 3);
        assert_eq!(jobs.map(|job| job.join().unwrap()), [1, 2]);
        assert_eq!(handle.try_spawn(|| 3).unwrap().join(), Ok(3));
    });
}

#[test]
fn at_the_limit_a_fiber_that_spawns_waits_until_a_job_starts() {
    for threads in [1, 2] {
        limited(threads, 3, |handle| {
            let jobs: Vec<_> = (0..200_u32).map(|n| handle.spawn(move || n)).collect();
            let sum: u32 = jobs.into_iter().map(|job| job.join().unwrap()).sum();
            assert_eq!(sum, 199 * 200 / 2);
        });
    }
}

#[test]
fn at_the_limit_a_plain_thread_that_spawns_blocks() {
    limited(2, 3, |handle| {
        let outside = thread::spawn(move || {
            let jobs: Vec<_> = (0..200_u32).map(|n| handle.spawn(move || n)).collect();
            jobs.into_iter().map(|job| job.join().unwrap()).sum::<u32>()
        });
        assert_eq!(fibra::blocking(move || outside.join().unwrap()), 199 * 200 / 2);
    });
}

#[test]
fn a_job_that_runs_does_not_count() {
    limited(2, 1, |handle| {
        let running: Vec<_> = (0..20)
            .map(|_| {
                let job = handle.spawn(fibra::park);
                fibra::sleep(ms(1));
                job
            })
            .collect();
        running.iter().for_each(fibra::RemoteHandle::kill);
    });
}

#[test]
fn a_killed_or_refused_job_gives_its_place_back() {
    limited(1, 1, |handle| {
        for _ in 0..20 {
            handle.spawn(fibra::park).kill();
        }
        assert_eq!(handle.spawn(|| 5).join(), Ok(5));
    });
    let handle = limited(2, 1, |handle| {
        drop(handle.spawn(fibra::park));
        handle
    });
    // Each of these is refused, and none waits.
    for _ in 0..5 {
        assert!(handle.spawn(|| ()).join().unwrap_err().is_shutdown());
    }
}

#[test]
fn a_thread_that_waits_at_the_limit_is_released_by_the_end() {
    let started = Arc::new(Count::default());
    let begins = started.clone();
    let runtime = Runtime::builder().threads(1).max_queued_jobs(1).build().unwrap();
    let handle = runtime.handle();
    let outside = thread::spawn(move || {
        let jobs: Vec<_> = (0..10)
            .map(|_| {
                begins.add();
                handle.spawn(|| ())
            })
            .collect();
        jobs.into_iter().map(fibra::RemoteHandle::join).filter(Result::is_err).count()
    });
    // Main does not wait, so no job starts.
    runtime.run(|| spin_until(|| 2 <= started.get()));
    assert!(8 <= outside.join().unwrap());
}
