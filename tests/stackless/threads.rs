//! Handles to tasklets of a thread whose `run` is over: S-058, S-062, S-200.

#![allow(clippy::disallowed_methods, reason = "plain threads")]

use std::thread;

use fibra::stackless::{self, RemoteTasklet, TaskletError, TaskletExit};

/// Returns a handle to a tasklet that was alive, and whose `run` is over.
fn of_an_ended_thread() -> RemoteTasklet {
    thread::spawn(|| fibra::run(|| stackless::tasklet(|()| ()).bind(()).remote())).join().unwrap()
}

#[test]
fn to_kill_or_remove_a_tasklet_of_an_ended_thread_does_nothing() {
    let remote = of_an_ended_thread();
    remote.kill().unwrap();
    remote.remove().unwrap();
    assert_eq!(remote.thread_id(), None);
}

#[test]
fn a_throw_at_a_tasklet_of_an_ended_thread_fails_and_returns_the_payload() {
    let remote = of_an_ended_thread();
    let error = remote.throw(TaskletExit).unwrap_err();
    assert!(error.to_string().starts_with("tasklet has no thread"), "{error}");
    let TaskletError::NoThreadThrow(payload, _) = error else { panic!("{error}") };
    assert!(payload.is::<TaskletExit>());
    let error = remote.throw("too late").unwrap_err();
    let TaskletError::NoThreadThrow(payload, _) = error else { panic!("{error}") };
    assert_eq!(payload.message(), "too late");
}

#[test]
fn to_insert_or_run_a_tasklet_of_an_ended_thread_is_an_error() {
    let remote = of_an_ended_thread();
    assert!(matches!(remote.insert(), Err(TaskletError::NoThread(_))));
    assert!(matches!(remote.run(), Err(TaskletError::NoThread(_))));
}

#[test]
fn an_exit_thrown_at_a_tasklet_that_was_never_alive_does_nothing() {
    fibra::run(|| {
        let empty = stackless::Tasklet::new().remote();
        empty.throw(TaskletExit).unwrap();
        empty.remove().unwrap();
        empty.kill().unwrap();
        assert!(matches!(empty.throw(1), Err(TaskletError::DeadThrow(..))));
        assert!(matches!(empty.insert(), Err(TaskletError::Dead(_))));
    });
}
