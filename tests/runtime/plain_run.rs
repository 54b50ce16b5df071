//! Tests the handle of a plain `run`: a way for other threads to spawn fibers there.

use std::thread;

use fibra::Handle;

use crate::support::{ms, panic_of};

#[test]
fn another_thread_spawns_a_fiber_in_a_run() {
    let thread = fibra::run(|| {
        let handle = Handle::current();
        let here = thread::current().id();
        let outside = thread::spawn(move || handle.spawn(|| thread::current().id()).join());
        assert_eq!(fibra::blocking(move || outside.join().unwrap()), Ok(here));
        here
    });
    assert_eq!(thread, thread::current().id());
}

#[test]
fn a_run_that_sleeps_is_woken_by_a_job() {
    fibra::run(|| {
        let (handle, unparker) = (Handle::current(), fibra::current().unparker());
        let outside = thread::spawn(move || {
            thread::sleep(ms(20));
            handle.spawn(move || unparker.unpark()).join()
        });
        fibra::park();
        assert_eq!(fibra::blocking(move || outside.join().unwrap()), Ok(()));
    });
}

#[test]
fn all_handles_of_a_run_are_one() {
    fibra::run(|| {
        let (one, two) = (Handle::current(), Handle::current());
        assert_eq!((one.threads(), one.index(), two.index()), (1, Some(0), Some(0)));
        let job = one.spawn(move || two.index());
        assert_eq!(job.join(), Ok(Some(0)));
        assert!(Handle::try_current().is_some());
    });
}

#[test]
fn while_a_handle_exists_a_wait_is_no_deadlock_and_afterwards_it_is() {
    fibra::run(|| {
        let handle = Handle::current();
        let outside = thread::spawn(move || {
            thread::sleep(ms(20));
            drop(handle);
        });
        let text = panic_of(fibra::park);
        assert!(text.starts_with("deadlock:"), "{text}");
        outside.join().unwrap();
    });
}

#[test]
fn a_job_on_one_thread_that_waits_forever_is_a_deadlock_of_its_joiner() {
    fibra::run(|| {
        let job = Handle::current().spawn(|| fibra::channel::Channel::<()>::new().recv());
        // The handle of the job can kill it from elsewhere, so nothing is certain while it exists.
        let fiber = fibra::spawn(move || job.join());
        fibra::sleep(ms(5));
        assert!(!fiber.is_finished());
        fiber.kill();
        assert!(fiber.join().unwrap_err().is_killed());
    });
}

#[test]
fn a_handle_of_a_run_that_is_over_refuses_jobs() {
    let handle = fibra::run(Handle::current);
    let error = handle.try_spawn(|| ()).unwrap_err();
    assert!(error.is_closed());
    assert!(error.to_string().contains("has ended or is ending"), "{error}");
}
