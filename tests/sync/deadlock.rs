//! Tests that a lock that can never become free is an error, and that the report names the owners.

use std::sync::Arc;

use fibra::sync::{Mutex, Once, ReentrantMutex, RwLock};
use fibra::{Builder, JoinHandle, spawn, yield_now};

use crate::support::sync::{elsewhere, thread};
use crate::support::{check, join_panic, log, ms, panic_of, run_virtually, without_origins};

/// Returns the report with the places in this file replaced, as they change with every edit.
fn without_places(report: &str) -> String {
    let report = without_origins(report);
    let mut parts = report.split("tests/sync/deadlock.rs:");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str("HERE");
        text.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':'));
    }
    text
}

fn named<T: 'static>(name: &str, f: impl FnOnce() -> T + 'static) -> JoinHandle<T> {
    Builder::new().name(name).spawn(f)
}

/// Spawns a fiber that locks `first`, lets others run, and locks `second`.
fn locker(name: &str, first: &Arc<Mutex<()>>, second: &Arc<Mutex<()>>) -> JoinHandle<()> {
    let (first, second) = (first.clone(), second.clone());
    named(name, move || {
        let _first = first.lock();
        yield_now();
        let _second = second.lock();
    })
}

#[test]
fn a_fiber_that_locks_a_mutex_twice_is_named_as_its_owner() {
    fibra::run(|| {
        let mutex = Mutex::new(());
        let guard = mutex.lock();
        let expected = "\
deadlock: all fibers wait and nothing can wake one (see `fibra::guide::pitfalls`); the wait of fiber 'main' (#1) fails (it was the last that could run):
  fiber 'main' (#1) is locking a mutex held by fiber 'main' (#1) at HERE
each waits for a lock that the next one holds: fiber 'main' (#1) -> fiber 'main' (#1)";
        assert_eq!(without_places(&panic_of(|| drop(mutex.lock()))), expected);
        drop(guard);
        drop(mutex.lock());
    });
}

#[test]
fn two_that_wait_for_each_other_are_named() {
    run_virtually(|| {
        let [a, b] = [(); 2].map(|()| Arc::new(Mutex::new(())));
        let first = locker("first", &a, &b);
        let second = locker("second", &b, &a);
        (0..2).for_each(|_| yield_now());
        let third = named("third", move || drop(a.lock()));
        yield_now();
        let report = panic_of(|| panic!("{}", first.join().unwrap_err()));
        let expected = "\
the fiber will never end: deadlock: all fibers wait and nothing can wake one (see `fibra::guide::pitfalls`); the wait of fiber 'main' (#1) fails (it was the last that could run):
  fiber 'main' (#1) is waiting for a fiber to end at HERE
  fiber 'first' (#2) is locking a mutex held by fiber 'second' (#3) at HERE
  fiber 'second' (#3) is locking a mutex held by fiber 'first' (#2) at HERE
  fiber 'third' (#4) is locking a mutex held by fiber 'first' (#2) at HERE
each waits for a lock that the next one holds: fiber 'first' (#2) -> fiber 'second' (#3) -> fiber 'first' (#2)";
        assert_eq!(without_places(&report), expected);
        second.kill();
        third.join().unwrap();
    });
}

#[test]
fn the_wait_that_completes_the_circle_fails_and_the_others_go_on() {
    fibra::run(|| {
        let locks = [(); 3].map(|()| Arc::new(Mutex::new(())));
        let [a, b, c] =
            [0, 1, 2].map(|i| locker(["a", "b", "c"][i], &locks[i], &locks[(i + 1) % 3]));
        let report = join_panic(c);
        assert!(report.contains("the wait of fiber 'c' (#4) fails"), "{report}");
        let circle = "fiber 'c' (#4) -> fiber 'a' (#2) -> fiber 'b' (#3) -> fiber 'c' (#4)";
        assert!(report.ends_with(circle), "{report}");
        a.join().unwrap();
        b.join().unwrap();
    });
}

#[test]
fn the_report_gives_the_circle_as_data() {
    fibra::run(|| {
        let [a, b] = [(); 2].map(|()| Arc::new(Mutex::new(())));
        let _first = locker("first", &a, &b);
        let second = locker("second", &b, &a);
        (0..3).for_each(|_| yield_now());
        let fibra::JoinError::Deadlock(report) = second.join().unwrap_err() else { panic!() };
        assert_eq!(report.cycle(), ["fiber 'first' (#2)", "fiber 'second' (#3)"]);
        let held_by = report.dump().fibers.iter().map(|fiber| fiber.held_by.as_deref());
        let expected = [None, Some("fiber 'second' (#3)"), Some("fiber 'first' (#2)")];
        assert_eq!(held_by.collect::<Vec<_>>(), expected);
    });
}

#[test]
fn a_fiber_that_waits_for_its_own_rwlock_is_named_as_its_owner() {
    fibra::run(|| {
        let lock = RwLock::new(());
        let reader = lock.read();
        let report = panic_of(|| drop(lock.write()));
        assert!(
            report.contains("waiting to write an RwLock held by fiber 'main' (#1)"),
            "{report}"
        );
        let second = lock.read();
        let report = panic_of(|| drop(lock.write()));
        let readers = "an RwLock held by 2 readers, the first of which was fiber 'main' (#1) at";
        assert!(report.contains(readers), "{report}");
        drop((reader, second));
        let _writer = lock.write();
        let report = panic_of(|| drop(lock.read()));
        assert!(report.contains("waiting to read an RwLock held by fiber 'main' (#1)"), "{report}");
    });
}

#[test]
fn other_locks_name_their_owners_too() {
    fibra::run(|| {
        let reentrant: &'static ReentrantMutex<()> = Box::leak(Box::default());
        let _again = (reentrant.lock(), reentrant.lock());
        let once: &'static Once = Box::leak(Box::default());
        let waits = named("reentrant", || drop(reentrant.lock()));
        let runs = named("runs", || once.call_once(|| drop(reentrant.lock())));
        yield_now();
        let report = panic_of(|| once.call_once(|| ()));
        assert!(report.contains("locking a reentrant mutex held by fiber 'main' (#1)"), "{report}");
        assert!(report.contains("'main' (#1) is waiting for a Once held by fiber 'runs' (#3)"));
        assert!(report.ends_with("fiber 'main' (#1) -> fiber 'runs' (#3) -> fiber 'main' (#1)"));
        waits.kill();
        runs.kill();
    });
}

#[test]
fn a_lock_whose_owner_has_ended_is_dead() {
    fibra::run(|| {
        let mutex = Arc::new(Mutex::new(()));
        let other = mutex.clone();
        spawn(move || std::mem::forget(other.lock())).join().unwrap();
        let report = panic_of(|| drop(mutex.lock()));
        assert!(report.contains("held by a fiber that has ended"), "{report}");
        assert!(!report.contains("each waits"), "{report}");
    });
}

#[test]
fn a_lock_that_the_thread_itself_holds_outside_of_run_is_dead() {
    let mutex = Mutex::new(());
    let guard = mutex.lock();
    let report = panic_of(|| fibra::run(|| drop(mutex.lock())));
    assert!(report.contains("held by the thread that called `run`"), "{report}");
    drop(guard);
    fibra::run(|| drop(mutex.lock()));
}

#[test]
fn a_lock_that_another_thread_holds_is_waited_for() {
    static MUTEX: Mutex<()> = Mutex::new(());
    static LOCK: RwLock<()> = RwLock::new(());
    for plain in [true, false] {
        let (ready, is_ready) = std::sync::mpsc::channel();
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let hold = move || {
            let _guards = (MUTEX.lock(), LOCK.read());
            ready.send(()).unwrap();
            stopped.recv().unwrap();
        };
        let holder = if plain { thread(hold) } else { elsewhere(hold) };
        is_ready.recv().unwrap();
        run_virtually(|| {
            let waits = spawn(|| drop(MUTEX.lock()));
            let writes = spawn(|| drop(LOCK.write()));
            yield_now();
            let dump = fibra::dump().to_string();
            let owner = if plain { "another thread" } else { "a fiber of another thread" };
            assert!(dump.contains(&format!("locking a mutex held by {owner} at")), "{dump}");
            // From here on, nothing in this thread can run until the other thread drops its guards.
            stop.send(()).unwrap();
            waits.join().unwrap();
            writes.join().unwrap();
        });
        holder.join().unwrap();
    }
}

#[test]
fn a_wait_with_a_deadline_is_no_deadlock() {
    run_virtually(|| {
        let mutex = Arc::new(Mutex::new(()));
        let other = mutex.clone();
        let _holder = spawn(move || {
            let _guard = other.lock();
            fibra::sleep(ms(10));
            log("released");
        });
        yield_now();
        assert!(mutex.lock_timeout(ms(5)).is_err());
        log("late");
        drop(mutex.lock());
    });
    check("late released");
}

#[test]
fn a_fiber_whose_lock_is_dead_ends_at_the_end_of_run() {
    fibra::run(|| {
        let mutex = Arc::new(Mutex::new(()));
        let other = mutex.clone();
        let _stuck = spawn(move || {
            let _guard = other.lock();
            let _note = crate::support::Noisy("unwound");
            let _again = other.lock();
        });
        yield_now();
    });
    check("unwound");
}

#[test]
fn an_unparker_somewhere_does_not_hide_a_deadlock_of_locks() {
    let panic = std::panic::catch_unwind(|| {
        fibra::run(|| {
            let _unparker = fibra::current().unparker();
            let mutex = fibra::sync::Mutex::new(());
            let _guard = mutex.lock();
            drop(mutex.lock());
        });
    });
    let text = *panic.unwrap_err().downcast::<String>().unwrap();
    assert!(text.contains("is locking a mutex held by fiber 'main' (#1)"), "{text}");
}
