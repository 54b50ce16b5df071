//! User code at the places where it may run in jobs and scopes: it panics, never ends, kills
//! itself, or works while the runtime ends.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use fibra::{Handle, Runtime, par};

use crate::support::{
    DONE_LINE, OnDrop, PanicsOnDrop, caught, in_child, ms, name_of, panic_of, quiet_panic, stderr,
};
use crate::{Count, must_end, on, sleep_until, spin_until};

/// Runs `body` in a child process, which must end soon, and returns what it printed.
fn ends(test: &str, body: impl FnOnce()) -> String {
    let output = in_child(test, &[], || {
        must_end();
        body();
    });
    let text = stderr(&output);
    // Meanwhile another thread of the child may report that it does not end.
    let is_report =
        |rest: &str| rest.is_empty() || rest.starts_with("fibra: a thread does not end");
    let has_ended = text.rsplit_once(DONE_LINE).is_some_and(|(_, rest)| is_report(rest));
    assert!(output.status.success() && has_ended, "{text}");
    text
}

/// Catches every kill and goes on waiting.
fn never_end() {
    loop {
        let _ = panic::catch_unwind(AssertUnwindSafe(fibra::park));
    }
}

/// Returns a count, and the same count for another closure.
fn count() -> (Arc<Count>, Arc<Count>) {
    let count = Arc::new(Count::default());
    (count.clone(), count)
}

#[test]
fn a_job_that_never_ends_keeps_its_scope_and_not_the_runtime() {
    let test = name_of!(a_job_that_never_ends_keeps_its_scope_and_not_the_runtime);
    let text = ends(test, || {
        on(2, |handle| {
            let (started, seen) = count();
            let scope = move || {
                let left = OnDrop(|| eprintln!("the scope was left"));
                par::scope(|s| {
                    s.spawn(|| {
                        started.add();
                        never_end();
                    });
                    spin_until(|| started.get() == 1); // it was stolen
                });
                drop(left);
            };
            handle.spawn_on(0, scope).detach();
            sleep_until(|| seen.get() == 1);
        });
    });
    assert!(text.contains("it caught every kill"), "{text}");
    assert!(!text.contains("was left"), "{text}");
}

#[test]
fn a_job_on_the_first_scheduler_that_never_ends_keeps_its_scope_and_not_the_runtime() {
    let test =
        name_of!(a_job_on_the_first_scheduler_that_never_ends_keeps_its_scope_and_not_the_runtime);
    let text = ends(test, || {
        on(2, |handle| {
            let (started, seen) = count();
            let scope = move || {
                let left = OnDrop(|| eprintln!("the scope was left"));
                par::scope(|s| {
                    s.spawn_on(0, || {
                        started.add();
                        never_end();
                    });
                    spin_until(|| started.get() == 1);
                });
                drop(left);
            };
            handle.spawn_on(1, scope).detach();
            sleep_until(|| seen.get() == 1);
        });
    });
    assert!(text.contains("it caught every kill"), "{text}");
    assert!(!text.contains("was left"), "{text}");
}

#[test]
fn a_scope_on_one_thread_does_not_outlast_run() {
    let test = name_of!(a_scope_on_one_thread_does_not_outlast_run);
    let text = ends(test, || {
        fibra::run(|| {
            let (started, seen) = count();
            fibra::spawn(move || {
                let left = OnDrop(|| eprintln!("the scope was left"));
                par::scope(|s| {
                    let job = s.spawn(|| {
                        started.add();
                        never_end();
                    });
                    fibra::shield(|| eprintln!("joined: {:?}", job.join()));
                });
                drop(left);
            });
            sleep_until(|| seen.get() == 1);
        });
    });
    assert!(text.contains("joined: Err(Abandoned)"), "{text}");
    assert!(!text.contains("was left"), "{text}");
}

#[test]
fn a_scope_in_a_destructor_at_the_end_starts_no_jobs() {
    for threads in 1..3 {
        on(threads, |handle| {
            let (started, seen) = count();
            for index in 0..threads {
                let started = started.clone();
                let clean_up = OnDrop(|| {
                    let word = String::from("borrowed");
                    par::scope(|s| assert!(s.spawn(|| word.len()).join().unwrap_err().is_killed()));
                    assert_eq!(par::map(&[1, 2, 3], |n| n * 2), [2, 4, 6]);
                });
                let job = move || {
                    started.add();
                    fibra::finally(fibra::park, || drop(clean_up));
                };
                handle.spawn_on(index, job).detach();
            }
            sleep_until(|| seen.get() == threads as u32);
        });
    }
}

#[test]
fn a_refused_closure_whose_destructor_panics_does_not_hold_its_scope() {
    let test = name_of!(a_refused_closure_whose_destructor_panics_does_not_hold_its_scope);
    ends(test, || {
        on(2, |handle| {
            let (spawned, seen) = count();
            let job = handle.spawn_on(1, move || {
                par::scope(|s| {
                    for _ in 0..3 {
                        let bad = PanicsOnDrop("a closure");
                        s.spawn(move || drop(bad));
                    }
                    spawned.add();
                    thread::sleep(ms(200)); // the runtime ends meanwhile
                });
            });
            // This scheduler takes none of them.
            spin_until(|| seen.get() == 1);
            drop(job);
        });
        on(1, |handle| {
            let (started, seen) = count();
            let spawns_late = move || {
                par::scope(|s| {
                    let late = OnDrop(|| {
                        let bad = PanicsOnDrop("a closure");
                        assert!(caught(|| drop(s.spawn(move || drop(bad)))));
                    });
                    started.add();
                    fibra::finally(fibra::park, || drop(late));
                });
            };
            handle.spawn(spawns_late).detach();
            sleep_until(|| seen.get() == 1);
        });
    });
}

#[test]
fn a_map_whose_job_was_killed_does_not_return_a_part() {
    on(2, |handle| {
        let items: Vec<u32> = (0..1000).collect();
        let f = |n: &u32| {
            if handle.index() == Some(1) {
                fibra::current().kill(); // the job, and not the fiber that calls `map`
                fibra::yield_now();
            } else {
                thread::sleep(Duration::from_micros(20));
            }
            *n
        };
        let lost = AtomicBool::new(false);
        for _ in 0..100 {
            match panic::catch_unwind(AssertUnwindSafe(|| par::map(&items, f))) {
                Ok(all) => assert_eq!(all, items), // no job was stolen
                Err(_) => lost.store(true, Ordering::SeqCst),
            }
            if lost.load(Ordering::SeqCst) {
                break;
            }
        }
    });
}

struct PanicsOnClone(RefCell<bool>);

impl Clone for PanicsOnClone {
    fn clone(&self) -> PanicsOnClone {
        if *self.0.borrow() {
            quiet_panic("a clone");
        }
        PanicsOnClone(RefCell::new(false))
    }
}

fibra::local! {
    static inherit send INHERITED: PanicsOnClone = PanicsOnClone(RefCell::new(false));
}

#[test]
fn a_clone_that_panics_keeps_no_permit_of_a_queue() {
    let runtime = Runtime::builder().threads(2).max_queued_jobs(2).build().unwrap();
    runtime.run(|| {
        let handle = Handle::current();
        for _ in 0..5 {
            INHERITED.with(|value| *value.0.borrow_mut() = true);
            assert_eq!(panic_of(|| handle.try_spawn(|| 1)), "a clone");
            assert_eq!(panic_of(|| handle.spawn(|| 1)), "a clone");
            INHERITED.with(|value| *value.0.borrow_mut() = false);
        }
        assert_eq!(handle.try_spawn(|| 1).unwrap().join(), Ok(1));
    });
}
