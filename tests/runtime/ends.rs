//! Tests how a runtime ends: what is dropped, what is killed, what is waited for, and what its
//! handles do afterwards.

use std::io;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Instant;

use fibra::{Handle, JoinError, Runtime};

use crate::support::{
    DONE_LINE, OnDrop, in_child, ms, name_of, panic_of, quiet_panic, rounds, stderr,
};
use crate::{Count, must_end, on, sleep_until, spin_until};

#[test]
fn a_virtual_clock_with_several_threads_is_an_error() {
    let error = Runtime::builder().virtual_clock().threads(2).build().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert!(error.to_string().contains("virtual clock"), "{error}");
    let error = Runtime::builder().threads(3).virtual_clock().build().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert!(Runtime::builder().virtual_clock().threads(1).build().is_ok());
}

#[test]
#[should_panic = "a runtime needs a thread"]
fn no_threads_at_all_is_refused() {
    let _ = Runtime::builder().threads(0);
}

#[test]
fn the_result_of_main_and_its_panic_come_out() {
    assert_eq!(on(2, |_| "result"), "result");
    let text = panic_of(|| on(2, |_| quiet_panic("main has failed")));
    assert_eq!(text, "main has failed");
    // The runtime that has failed has ended its threads: another one works.
    assert_eq!(on(2, |handle| handle.spawn_on(1, || 1).join()), Ok(1));
}

#[test]
fn try_spawn_after_the_end_gives_the_closure_back() {
    let handle = on(2, |handle| handle);
    let text = String::from("kept");
    let error = handle.try_spawn(move || text).unwrap_err();
    assert!(error.is_closed() && !error.is_full());
    assert_eq!(error.into_inner()(), "kept");
}

#[test]
fn handles_after_the_end_give_clear_errors() {
    let (handle, runs) = on(2, |handle| {
        let runs = handle.spawn_on(1, fibra::park);
        let is_there = handle.spawn_on(1, || ());
        is_there.join().unwrap();
        (handle, runs)
    });
    let drops = Arc::new(Count::default());
    let dropped = drops.clone();
    let guard = OnDrop(move || _ = dropped.add());
    let job = handle.spawn(move || drop(guard));
    assert_eq!(drops.get(), 1); // its closure was dropped
    assert!(job.is_finished());
    let error = job.join().unwrap_err();
    assert!(error.is_shutdown());
    assert!(error.to_string().contains("its runtime has ended"), "{error}");
    assert_eq!(handle.spawn_on(1, || ()).join(), Err(JoinError::Shutdown));
    assert!(handle.on_each(|_| ()).into_iter().all(|job| job.join() == Err(JoinError::Shutdown)));
    assert_eq!((handle.threads(), handle.index()), (2, None));
    runs.kill();
    assert!(runs.join().unwrap_err().is_killed());
    assert_eq!(format!("{:?}", handle.clone()), format!("{handle:?}"));
}

#[test]
fn at_the_end_jobs_that_run_are_killed_and_unwound_on_their_threads() {
    let (to, from) = mpsc::channel();
    let other = on(2, |handle| {
        let other = handle.spawn_on(1, || thread::current().id()).join().unwrap();
        for index in [0, 1] {
            let to = to.clone();
            let (started, has_started) = fibra::sync::oneshot();
            handle
                .spawn_on(index, move || {
                    let _guard = OnDrop(move || to.send((index, thread::current().id())).unwrap());
                    started.send(()).unwrap();
                    fibra::park();
                })
                .detach();
            has_started.recv().unwrap();
        }
        other
    });
    let mut unwound: Vec<_> = from.try_iter().collect();
    unwound.sort_by_key(|(index, _)| *index);
    assert_eq!(unwound, [(0, thread::current().id()), (1, other)]);
}

#[test]
fn at_the_end_queued_jobs_are_dropped_once_each_and_their_joiners_learn_it() {
    const JOBS: u32 = 100;
    let dropped = Arc::new(Count::default());
    let ran = Arc::new(Count::default());
    let mut jobs = Vec::new();
    on(2, |handle| {
        for n in 0..JOBS {
            let (drops, runs) = (dropped.clone(), ran.clone());
            let guard = OnDrop(move || _ = drops.add());
            let body = move || {
                let _guard = guard;
                runs.add();
            };
            jobs.push(match n % 3 {
                0 => handle.spawn(body),
                _ => handle.spawn_on(n as usize % 2, body),
            });
        }
    });
    assert_eq!(dropped.get(), JOBS); // before `run` has returned
    let outcomes: Vec<_> = jobs.into_iter().map(fibra::RemoteHandle::join).collect();
    let of = |f: fn(&Result<(), JoinError>) -> bool| outcomes.iter().filter(|it| f(it)).count();
    assert_eq!(of(|it| it.is_ok()) as u32, ran.get(), "{outcomes:?}");
    let is_expected = |it: &Result<(), JoinError>| match it {
        Ok(()) => true,
        Err(error) => error.is_shutdown() || error.is_killed(),
    };
    assert_eq!(of(is_expected), JOBS as usize, "{outcomes:?}");
}

#[test]
fn a_queued_job_is_dropped_on_a_fiber_whose_destructor_may_wait() {
    let (to, from) = mpsc::channel();
    on(2, |handle| {
        let guard = OnDrop(move || {
            fibra::yield_now();
            to.send(fibra::in_fiber()).unwrap();
        });
        handle.spawn_on(0, move || drop(guard)).detach();
    });
    assert_eq!(from.recv(), Ok(true));
}

#[test]
fn within_the_grace_time_jobs_end_by_themselves() {
    let grace = std::time::Duration::from_secs(20);
    let runtime = Runtime::builder().threads(2).shutdown_timeout(grace).build().unwrap();
    let begun = Instant::now();
    let jobs = runtime.run(|| {
        let handle = Handle::current();
        let inner = handle.clone();
        let spawner = handle.spawn(move || {
            fibra::sleep(ms(3));
            // A job of the runtime may still spawn others.
            inner.spawn(|| {
                fibra::sleep(ms(3));
                "second"
            })
        });
        let slow = handle.spawn_on(1, || fibra::sleep(ms(10)));
        (spawner, slow)
    });
    assert_eq!(jobs.0.join().unwrap().join(), Ok("second"));
    assert_eq!(jobs.1.join(), Ok(()));
    assert!(begun.elapsed() < grace / 2, "it waits for the jobs and not for the grace time");
}

#[test]
fn during_the_grace_time_other_threads_cannot_spawn() {
    let grace = std::time::Duration::from_secs(20);
    let runtime = Runtime::builder().threads(2).shutdown_timeout(grace).build().unwrap();
    let handle = runtime.handle();
    let (ending, ended) = mpsc::channel();
    let refused = Arc::new(Count::default());
    let is_refused = refused.clone();
    let outside = thread::spawn(move || {
        ended.recv().unwrap();
        loop {
            // The end begins a moment after main has returned.
            match handle.try_spawn(|| ()) {
                Ok(_) => thread::yield_now(),
                Err(error) => {
                    refused.add();
                    return error.is_closed();
                }
            }
        }
    });
    let last = runtime.run(|| {
        // The job would be killed at the end of the grace time.
        let last = Handle::current().spawn_on(1, move || sleep_until(|| is_refused.get() == 1));
        ending.send(()).unwrap();
        last
    });
    assert!(outside.join().unwrap());
    assert_eq!(last.join(), Ok(()), "refused while a job still ran");
}

#[test]
fn after_the_grace_time_jobs_are_killed() {
    let runtime = Runtime::builder().threads(2).shutdown_timeout(ms(10)).build().unwrap();
    let begun = Instant::now();
    let jobs = runtime.run(|| {
        let started = Arc::new(Count::default());
        let starts = started.clone();
        let jobs = Handle::current().on_each(move |_| {
            starts.add();
            fibra::park();
        });
        sleep_until(|| started.get() == 2);
        jobs
    });
    assert!(ms(10) <= begun.elapsed());
    for job in jobs {
        assert!(job.join().unwrap_err().is_killed());
    }
}

#[test]
fn a_runtime_that_is_never_run_ends_its_threads_and_refuses_its_jobs() {
    let runtime = Runtime::builder().threads(3).build().unwrap();
    let handle = runtime.handle();
    let drops = Arc::new(Count::default());
    let dropped = drops.clone();
    let guard = OnDrop(move || _ = dropped.add());
    let job = handle.spawn(move || drop(guard));
    drop((runtime, handle));
    assert_eq!(job.join(), Err(JoinError::Shutdown));
    assert_eq!(drops.get(), 1);
}

#[test]
fn a_runtime_ends_although_fibers_are_parked_everywhere() {
    let unwound = Arc::new(Count::default());
    on(2, |handle| {
        let spawns = |unwound: &Arc<Count>| {
            for _ in 0..50 {
                let unwinds = unwound.clone();
                drop(fibra::spawn(move || {
                    let _guard = OnDrop(move || _ = unwinds.add());
                    fibra::park();
                }));
            }
            fibra::yield_now();
        };
        let there = unwound.clone();
        handle.spawn_on(1, move || spawns(&there)).join().unwrap();
        spawns(&unwound);
    });
    assert_eq!(unwound.get(), 100);
}

#[test]
fn a_thousand_runtimes_in_a_row() {
    for n in rounds(1_000) {
        let sum = on(2, |handle| {
            handle.spawn(fibra::park).detach();
            handle.spawn_on(1, move || n).join().unwrap() + handle.spawn(move || n).join().unwrap()
        });
        assert_eq!(sum, 2 * n);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn runtimes_leave_no_threads_descriptors_or_mappings() {
    let test = name_of!(runtimes_leave_no_threads_descriptors_or_mappings);
    let output = in_child(test, &[], || {
        must_end();
        let count = |folder: &str| std::fs::read_dir(folder).unwrap().count();
        let threads = count("/proc/self/task");
        let mappings = || std::fs::read_to_string("/proc/self/maps").unwrap().lines().count();
        let round = || on(2, |handle| handle.spawn_on(1, || ()).join().unwrap());
        (0..10).for_each(|_| round());
        let (descriptors, mapped) = (count("/proc/self/fd"), mappings());
        (0..100).for_each(|_| round());
        assert_eq!(count("/proc/self/fd"), descriptors);
        assert!(mappings() < mapped + 20, "{mapped} mappings, and then {}", mappings());
        // The kernel lists a thread for a moment after it was joined.
        spin_until(|| count("/proc/self/task") == threads);
    });
    let text = stderr(&output);
    assert!(text.ends_with(DONE_LINE), "{text}");
}

#[test]
fn two_runtimes_run_at_the_same_time() {
    thread::scope(|s| {
        let runs: Vec<_> = (0..2)
            .map(|n| s.spawn(move || on(2, |handle| handle.spawn_on(1, move || n).join())))
            .collect();
        let results: Vec<_> = runs.into_iter().map(|run| run.join().unwrap()).collect();
        assert_eq!(results, [Ok(0), Ok(1)]);
    });
}

#[test]
fn a_runtime_inside_a_fiber_is_refused() {
    on(2, |handle| {
        let text = handle.spawn_on(1, || panic_of(|| on(2, |_| ()))).join().unwrap();
        assert!(text.contains("was called inside `fibra::run`"), "{text}");
    });
}

#[test]
fn a_panic_of_main_ends_the_other_schedulers_too() {
    let unwound = Arc::new(Count::default());
    let unwinds = unwound.clone();
    let text = panic_of(|| {
        on(2, |handle| {
            let (started, has_started) = fibra::sync::oneshot();
            handle
                .spawn_on(1, move || {
                    let _guard = OnDrop(move || _ = unwinds.add());
                    started.send(()).unwrap();
                    fibra::park();
                })
                .detach();
            has_started.recv().unwrap();
            quiet_panic("main has failed");
        })
    });
    assert_eq!((text.as_str(), unwound.get()), ("main has failed", 1));
}

#[test]
fn spawns_of_other_threads_during_the_end_run_or_are_refused_and_none_is_lost() {
    for _ in 0..50 {
        let (started, dropped) = (Arc::new(Count::default()), Arc::new(Count::default()));
        let runtime = Runtime::builder().threads(2).build().unwrap();
        let handle = runtime.handle();
        let (begins, drops) = (started.clone(), dropped.clone());
        let spawner = thread::spawn(move || {
            let mut jobs = Vec::new();
            loop {
                let drops = drops.clone();
                let guard = OnDrop(move || _ = drops.add());
                jobs.push(handle.spawn(move || drop(guard)));
                begins.add();
                if handle.try_spawn(|| ()).is_err_and(|error| error.is_closed()) {
                    return jobs;
                }
            }
        });
        runtime.run(|| spin_until(|| 10 < started.get()));
        let jobs = spawner.join().unwrap();
        let number = jobs.len() as u32;
        for job in jobs {
            match job.join() {
                Ok(()) => {}
                Err(error) => assert!(error.is_shutdown() || error.is_killed(), "{error}"),
            }
        }
        assert_eq!(dropped.get(), number);
    }
}

#[test]
fn exit_on_any_scheduler_unwinds_all_of_them_and_ends_the_process() {
    let test = name_of!(exit_on_any_scheduler_unwinds_all_of_them_and_ends_the_process);
    let output = in_child(test, &[], || {
        must_end();
        on(2, |handle| {
            let _main = OnDrop(|| eprintln!("dropped: main"));
            handle
                .spawn_on(1, || {
                    let _parked = OnDrop(|| eprintln!("dropped: parked"));
                    fibra::park();
                })
                .detach();
            handle
                .spawn_on(1, || {
                    let _exiting = OnDrop(|| eprintln!("dropped: exiting"));
                    fibra::exit(4);
                })
                .detach();
            fibra::park();
        });
    });
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(4), "{text}");
    for guard in ["main", "parked", "exiting"] {
        assert!(text.contains(&format!("dropped: {guard}")), "{text}");
    }
}

#[test]
fn a_job_that_is_queued_when_main_returns_does_not_start_without_a_grace_time() {
    for _ in 0..100 {
        let started = Arc::new(Count::default());
        let starts = started.clone();
        let job = on(2, |handle| handle.spawn_on(0, move || _ = starts.add()));
        assert_eq!((job.join(), started.get()), (Err(JoinError::Shutdown), 0));
    }
}
