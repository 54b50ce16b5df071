//! Tests what crosses between threads with a job: its value, its panic, the reason of its kill, its
//! name, and the places that reports name.

use std::panic;
use std::sync::Arc;
use std::thread;

use fibra::{Builder, JoinError};

use crate::on;
use crate::support::{DONE_LINE, in_child, ms, name_of, quiet_panic, stderr};

#[test]
fn the_value_crosses() {
    on(2, |handle| {
        let job = handle.spawn_on(1, || vec![String::from("made there")]);
        assert_eq!(job.join(), Ok(vec![String::from("made there")]));
    });
}

#[test]
fn a_panic_crosses_with_its_payload_and_ends_nothing_else() {
    on(2, |handle| {
        let neighbour = handle.spawn_on(1, || {
            fibra::sleep(ms(5));
            "alive"
        });
        let text = handle.spawn_on(1, || -> () { quiet_panic("out of milk") });
        let error = text.join().unwrap_err();
        assert!(error.is_panic());
        assert_eq!(error.to_string(), "the fiber panicked: out of milk");

        let any = handle.spawn_on(1, || -> () { panic::resume_unwind(Box::new(vec![1, 2, 3])) });
        let payload = any.join().unwrap_err().into_panic().unwrap();
        assert_eq!(*payload.downcast::<Vec<i32>>().unwrap(), [1, 2, 3]);
        assert_eq!(neighbour.join(), Ok("alive"));
    });
}

#[test]
fn the_reason_of_a_kill_crosses_in_both_directions() {
    on(2, |handle| {
        let (to, from) = fibra::sync::mpmc::unbounded();
        let job = handle.spawn_on(1, move || {
            to.send(None).unwrap();
            fibra::finally(fibra::park, || to.send(fibra::current().kill_reason()).unwrap());
        });
        assert_eq!(from.recv(), Ok(None));
        job.kill_with("the user has left");
        assert_eq!(from.recv().unwrap().as_deref(), Some("the user has left"));
        let error = job.join().unwrap_err();
        assert!(matches!(&error, JoinError::KilledFor(reason) if reason == "the user has left"));
    });
}

#[test]
fn the_name_and_the_stack_size_of_a_builder_cross() {
    on(2, |handle| {
        for index in [0, 1] {
            let inner = handle.clone();
            let there = handle.spawn_on(index, move || {
                let builder = Builder::new().name("adder").stack_size(64 << 10);
                inner.spawn_with(builder, || {
                    let all = fibra::dump().fibers;
                    let own = all.into_iter().find(|it| it.id == fibra::current().id()).unwrap();
                    (fibra::current().name(), own.name, own.stack_size)
                })
            });
            let (name, shown, stack) = there.join().unwrap().join().unwrap();
            assert_eq!(name.as_deref(), Some("adder"));
            assert_eq!((shown, stack), (name, 64 << 10));
        }
        assert_eq!(handle.spawn(|| fibra::current().name()).join(), Ok(None));
    });
}

#[test]
fn a_fiber_that_waits_for_a_job_is_shown_where_it_called_join() {
    on(2, |handle| {
        let (release, released) = fibra::sync::oneshot::<()>();
        let job = handle.spawn_on(1, move || released.recv().unwrap());
        let waiting = fibra::spawn(move || job.join());
        fibra::yield_now();
        let dump = fibra::dump();
        let shown = dump.fibers.iter().find(|it| it.id == waiting.fiber().id()).unwrap();
        assert_eq!(shown.location.file(), file!());
        assert!(dump.to_string().contains("waiting for a job to end"), "{dump}");
        release.send(()).unwrap();
        waiting.join().unwrap().unwrap();
    });
}

#[test]
fn a_job_that_has_not_run_is_shown_where_it_was_spawned() {
    on(2, |handle| {
        let line = line!() + 1;
        let job = handle.spawn_on(1, fibra::park);
        let shown = handle.spawn_on(1, || fibra::dump().fibers).join().unwrap();
        let places = shown.iter().map(|it| (it.location.file(), it.location.line()));
        assert!(
            places.clone().any(|(file, _)| file == file!()),
            "line {line} of {}: {shown:?}",
            file!()
        );
        job.kill();
        assert!(job.join().unwrap_err().is_killed());
    });
}

#[test]
fn every_joiner_sees_all_that_the_job_has_written() {
    on(2, |handle| {
        for _ in 0..500 {
            let shared = Arc::new(std::sync::atomic::AtomicU64::new(0));
            let written = shared.clone();
            let job = handle.spawn_on(1, move || {
                written.store(7, std::sync::atomic::Ordering::Relaxed);
            });
            job.join().unwrap();
            assert_eq!(shared.load(std::sync::atomic::Ordering::Relaxed), 7);
        }
    });
}

#[test]
fn a_panic_that_nothing_joins_is_reported_once() {
    let test = name_of!(a_panic_that_nothing_joins_is_reported_once);
    let output = in_child(test, &[], || {
        on(2, |handle| {
            // Detached before it panics, and after.
            handle.spawn_on(1, || -> () { quiet_panic("early") }).detach();
            let late = handle.spawn_on(1, || -> () { quiet_panic("late") });
            while !late.is_finished() {
                fibra::sleep(ms(1));
            }
            drop(late);
            // Joined: not reported.
            handle.spawn_on(1, || -> () { quiet_panic("read") }).join().unwrap_err();
            fibra::sleep(ms(20));
        });
    });
    let text = stderr(&output);
    assert!(text.ends_with(DONE_LINE), "{text}");
    for (panic, times) in [("early", 1), ("late", 1), ("read", 0)] {
        assert_eq!(text.matches(panic).count(), times, "{panic}: {text}");
    }
}

#[test]
fn the_value_of_a_detached_job_is_dropped_on_its_thread() {
    struct Tells(std::sync::mpsc::Sender<thread::ThreadId>);
    impl Drop for Tells {
        fn drop(&mut self) {
            self.0.send(thread::current().id()).unwrap();
        }
    }
    let (to, from) = std::sync::mpsc::channel();
    on(2, |handle| {
        let there = handle.spawn_on(1, || thread::current().id()).join().unwrap();
        let (release, released) = fibra::sync::oneshot::<()>();
        let job = handle.spawn_on(1, move || {
            released.recv().unwrap();
            Tells(to)
        });
        job.detach(); // while it runs
        release.send(()).unwrap();
        assert_eq!(fibra::blocking(move || from.recv()), Ok(there));
    });
}

#[test]
fn dropping_the_handle_detaches_the_job_and_it_goes_on() {
    let (to, from) = std::sync::mpsc::channel();
    on(2, |handle| {
        let (release, released) = fibra::sync::oneshot::<()>();
        let job = handle.spawn_on(1, move || {
            released.recv().unwrap();
            to.send("done").unwrap();
        });
        drop(job);
        release.send(()).unwrap();
        assert_eq!(fibra::blocking(move || from.recv()), Ok("done"));
    });
}

#[test]
fn a_job_spawns_jobs_and_joins_them() {
    fn fibonacci(handle: &fibra::Handle, n: u64) -> u64 {
        if n < 2 {
            return n;
        }
        let inner = handle.clone();
        let left = handle.spawn(move || fibonacci(&inner, n - 1));
        fibonacci(handle, n - 2) + left.join().unwrap()
    }
    for threads in [1, 2, 3] {
        assert_eq!(on(threads, |handle| fibonacci(&handle, 14)), 377);
    }
}
