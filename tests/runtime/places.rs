//! Tests where jobs run: on which thread, on which scheduler, and that they stay there.

use std::cell::Cell;
use std::collections::HashSet;
use std::sync::Arc;
use std::thread;

use fibra::{Handle, Runtime};

use crate::support::ms;
use crate::{Count, on, spin_until};

#[test]
fn a_runtime_has_one_thread_unless_it_is_asked_for_more() {
    let caller = thread::current().id();
    Runtime::builder().build().unwrap().run(|| {
        let handle = Handle::current();
        assert_eq!((handle.threads(), handle.index()), (1, Some(0)));
        assert_eq!(handle.spawn(|| thread::current().id()).join(), Ok(caller));
    });
    assert_eq!(on(3, |handle| handle.threads()), 3);
}

#[test]
fn all_cores_is_the_number_of_processors_that_the_process_may_use() {
    let cores = thread::available_parallelism().unwrap().get();
    let runtime = Runtime::builder().all_cores().build().unwrap();
    assert_eq!(runtime.handle().threads(), cores);
    assert_eq!(runtime.run(|| Handle::current().threads()), cores);
}

#[test]
fn the_main_fiber_is_on_the_first_scheduler_and_on_the_calling_thread() {
    let caller = thread::current().id();
    on(2, |handle| {
        assert_eq!((handle.index(), thread::current().id()), (Some(0), caller));
        let not_send = std::rc::Rc::new(5);
        assert_eq!(*not_send, 5);
    });
}

#[test]
fn spawn_on_chooses_the_scheduler() {
    on(3, |handle| {
        let mut ids = HashSet::new();
        for index in 0..3 {
            let there = handle.clone();
            let job = handle.spawn_on(index, move || (there.index(), thread::current().id()));
            let (at, id) = job.join().unwrap();
            assert_eq!(at, Some(index));
            ids.insert(id);
        }
        assert_eq!(ids.len(), 3);
        assert!(ids.contains(&thread::current().id()));
    });
}

#[test]
#[should_panic = "there is no scheduler 2"]
fn spawn_on_a_scheduler_that_is_not_there_panics() {
    on(2, |handle| drop(handle.spawn_on(2, || ())));
}

#[test]
fn on_each_runs_once_on_each_scheduler_in_the_order_of_the_indices() {
    on(3, |handle| {
        let there = handle.clone();
        let jobs = handle.on_each(move |index| (index, there.index()));
        let places: Vec<_> = jobs.into_iter().map(|job| job.join().unwrap()).collect();
        assert_eq!(places, [(0, Some(0)), (1, Some(1)), (2, Some(2))]);
    });
}

#[test]
fn state_that_on_each_sets_is_what_later_jobs_of_the_scheduler_see() {
    thread_local! {
        static STATE: Cell<usize> = const { Cell::new(0) };
    }
    on(2, |handle| {
        handle
            .on_each(|index| STATE.set(index + 10))
            .into_iter()
            .for_each(|job| job.join().unwrap());
        for index in [0, 1] {
            assert_eq!(handle.spawn_on(index, || STATE.get()).join(), Ok(index + 10));
        }
    });
}

#[test]
fn threads_have_names_and_the_caller_keeps_its_own() {
    let name = || thread::current().name().map(String::from);
    let own = name();
    let names = |runtime: Runtime| {
        runtime.run(|| {
            let jobs = Handle::current().on_each(move |_| name());
            jobs.into_iter().map(|job| job.join().unwrap()).collect::<Vec<_>>()
        })
    };
    let by_default = names(Runtime::builder().threads(2).build().unwrap());
    assert_eq!(by_default, [own.clone(), Some("fibra-1".into())]);
    let chosen = names(Runtime::builder().threads(3).thread_name("mill").build().unwrap());
    assert_eq!(chosen, [own, Some("mill-1".into()), Some("mill-2".into())]);
}

#[test]
fn a_job_starts_on_another_scheduler_while_this_one_computes() {
    on(2, |handle| {
        let here = thread::current().id();
        let started = Arc::new(Count::default());
        let starts = started.clone();
        let job = handle.spawn(move || {
            starts.add();
            thread::current().id()
        });
        spin_until(|| started.get() == 1); // this fiber does not wait, so only another one can
        assert_ne!(job.join(), Ok(here));
    });
}

#[test]
fn a_job_is_spawned_from_outside_by_a_plain_thread() {
    on(2, |handle| {
        let there = handle.clone();
        let outside = thread::spawn(move || {
            assert_eq!(there.index(), None);
            let inner = there.clone();
            there.spawn(move || (inner.index().is_some(), fibra::in_fiber())).join()
        });
        assert_eq!(fibra::blocking(|| outside.join().unwrap()), Ok((true, true)));
    });
}

#[test]
fn a_job_stays_on_its_thread_however_often_it_waits() {
    on(2, |handle| {
        let jobs: Vec<_> = (0..50)
            .map(|i| {
                handle.spawn(move || {
                    let (thread, local) = (thread::current().id(), std::rc::Rc::new(i));
                    for turn in 0..20 {
                        match turn % 3 {
                            0 => fibra::yield_now(),
                            1 => fibra::sleep(ms(1) / 10),
                            _ => fibra::blocking(|| ()),
                        }
                        assert_eq!(thread::current().id(), thread);
                    }
                    *local
                })
            })
            .collect();
        let sum: u32 = jobs.into_iter().map(|job| job.join().unwrap()).sum();
        assert_eq!(sum, 49 * 50 / 2);
    });
}

#[test]
fn a_fiber_that_a_job_spawns_stays_with_it_and_needs_no_send() {
    on(2, |handle| {
        let job = handle.spawn_on(1, || {
            let shared = std::rc::Rc::new(Cell::new(0));
            let fibers: Vec<_> = (0..10)
                .map(|_| {
                    let shared = shared.clone();
                    fibra::spawn(move || {
                        shared.set(shared.get() + 1);
                        thread::current().id()
                    })
                })
                .collect();
            let here = thread::current().id();
            assert!(fibers.into_iter().all(|fiber| fiber.join().unwrap() == here));
            shared.get()
        });
        assert_eq!(job.join(), Ok(10));
    });
}

#[test]
fn the_handle_of_another_runtime_brings_a_job_there() {
    let (to, from) = std::sync::mpsc::channel();
    let (end, ended) = fibra::sync::oneshot::<()>();
    let other = thread::spawn(move || {
        on(2, |handle| {
            to.send((handle, thread::current().id())).unwrap();
            ended.recv().unwrap();
        });
    });
    let (foreign, foreign_main) = from.recv().unwrap();
    on(2, |own| {
        assert_eq!(foreign.index(), None);
        let there = foreign.clone();
        let job = foreign.spawn_on(0, move || (there.index(), thread::current().id()));
        assert_eq!(job.join(), Ok((Some(0), foreign_main)));
        assert_eq!(own.index(), Some(0));
    });
    end.send(()).unwrap();
    other.join().unwrap();
}

#[test]
fn a_handle_of_the_runtime_is_there_before_it_runs() {
    let runtime = Runtime::builder().threads(2).build().unwrap();
    let handle = runtime.handle();
    let jobs: Vec<_> = (0..10).map(|n| handle.spawn(move || n)).collect();
    let there = handle.spawn_on(1, || thread::current().id());
    assert!(jobs.iter().all(|job| !job.is_finished()));
    let (sum, thread) = runtime.run(|| {
        (jobs.into_iter().map(|job| job.join().unwrap()).sum::<u32>(), there.join().unwrap())
    });
    assert_eq!(sum, 45);
    assert_ne!(thread, thread::current().id());
}

#[test]
#[should_panic = "works only inside a fiber"]
fn outside_of_a_fiber_there_is_no_current_handle() {
    assert!(Handle::try_current().is_none());
    let _ = Handle::current();
}

#[test]
#[cfg(target_os = "linux")]
fn pinned_threads_have_a_processor_each_and_the_caller_is_free_again_afterwards() {
    use rustix::thread::sched_getaffinity;
    let processors = || sched_getaffinity(None).unwrap().count();
    let before = processors();
    let runtime = Runtime::builder().threads(2).pin_threads(true).build().unwrap();
    let pinned = runtime.run(|| {
        let jobs = Handle::current().on_each(move |_| processors());
        jobs.into_iter().map(|job| job.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(pinned, [1, 1]);
    assert_eq!(processors(), before);
}
