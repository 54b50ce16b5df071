//! Tests `sync::Mutex`: exclusion, order, waits that end early, other threads.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use fibra::sync::{Mutex, MutexGuard, TimeoutError};
use fibra::{finally, spawn, yield_now};

use crate::support::sync::{elsewhere, thread};
use crate::support::{Noisy, OnDrop, check, go, log, ms, panic_of, run_virtually};

/// Spawns a fiber that locks, logs its name, holds the lock for a turn and logs its name again.
fn visitor(mutex: &Arc<Mutex<()>>, name: &'static str) -> fibra::JoinHandle<()> {
    let mutex = mutex.clone();
    fibra::Builder::new().name(name).spawn(move || {
        let _guard = mutex.lock();
        log(name);
        yield_now();
        log(name);
    })
}

#[test]
fn waiters_get_it_in_the_order_in_which_they_came() {
    fibra::run(|| {
        let mutex = Arc::new(Mutex::new(()));
        let guard = mutex.lock();
        let visitors = ["a", "b", "c"].map(|name| visitor(&mutex, name));
        yield_now();
        log("main");
        drop(guard);
        visitors.into_iter().for_each(|visitor| visitor.join().unwrap());
        assert!(!mutex.is_locked());
    });
    check("main a a b b c c");
}

#[test]
fn a_release_hands_it_over_and_no_caller_barges_in() {
    fibra::run(|| {
        let mutex = Arc::new(Mutex::new(()));
        let guard = mutex.lock();
        let first = visitor(&mutex, "first");
        yield_now();
        drop(guard);
        assert!(mutex.try_lock().is_none(), "it is the first's, who has not run yet");
        log("main waits");
        drop(mutex.lock());
        log("main");
        first.join().unwrap();
    });
    check("main waits first first main");
}

#[test]
fn a_free_lock_lets_others_run_after_many_calls_only() {
    fibra::run(|| {
        let mutex = Mutex::new(0);
        go(|| log("other"));
        (0..100).for_each(|_| *mutex.lock() += 1);
        log(*mutex.lock());
        (0..100).for_each(|_| *mutex.lock() += 1);
        log(*mutex.lock());
    });
    check("100 other 200");
}

#[test]
fn the_data_is_reached_with_and_without_the_lock() {
    let mut mutex = Mutex::new(String::from("a"));
    mutex.lock().push('b');
    mutex.get_mut().push('c');
    assert_eq!(format!("{mutex:?}"), r#"Mutex { data: "abc", .. }"#);
    let guard = mutex.lock();
    assert_eq!(format!("{guard:?} {guard}"), r#""abc" abc"#);
    assert!(format!("{mutex:?}").starts_with("Mutex { data: <locked>, owner: Some(thread "));
    drop(guard);
    assert_eq!(mutex.into_inner(), "abc");
    assert_eq!(*Mutex::from(1).lock() + *Mutex::<i32>::default().lock(), 1);
    let unsized_one: Box<Mutex<[u8]>> = Box::new(Mutex::new([1, 2]));
    unsized_one.lock()[0] = 3;
    assert_eq!(*unsized_one.lock(), [3, 2]);
}

#[test]
fn a_deadline_ends_the_wait_and_nothing_is_left_behind() {
    run_virtually(|| {
        let mutex = Arc::new(Mutex::new(()));
        let start = fibra::now();
        let guard = mutex.lock();
        assert_eq!(mutex.lock_timeout(ms(20)).unwrap_err(), TimeoutError::Timeout);
        assert_eq!(fibra::now() - start, ms(20));
        assert!(mutex.lock_deadline(start + ms(30)).is_err());
        assert_eq!(fibra::now() - start, ms(30));
        assert!(mutex.lock_deadline(start).is_err(), "long over");
        drop(guard);
        assert!(mutex.lock_deadline(start).is_ok(), "a free lock needs no time");
        assert!(mutex.lock_timeout(ms(0)).is_ok());

        let guard = mutex.lock();
        let visitor = visitor(&mutex, "visitor");
        let late = spawn({
            let mutex = mutex.clone();
            move || mutex.lock_timeout(ms(5)).is_err()
        });
        fibra::sleep(ms(10));
        drop(guard);
        assert!(late.join().unwrap());
        visitor.join().unwrap();
    });
    check("visitor visitor");
}

#[test]
fn a_fiber_that_is_killed_in_line_leaves_it() {
    run_virtually(|| {
        let mutex = Arc::new(Mutex::new(()));
        let guard = mutex.lock();
        let [a, b, c] = ["a", "b", "c"].map(|name| visitor(&mutex, name));
        yield_now();
        b.kill();
        assert!(b.join().unwrap_err().is_killed());
        drop(guard);
        a.join().unwrap();
        c.join().unwrap();
    });
    check("a a c c");
}

#[test]
fn a_lock_that_was_handed_over_beats_a_kill_and_a_deadline() {
    for deadline in [false, true] {
        run_virtually(|| {
            let mutex = Arc::new(Mutex::new(()));
            let guard = mutex.lock();
            let other = mutex.clone();
            let waits = spawn(move || {
                let guard =
                    if deadline { other.lock_timeout(ms(5)).unwrap() } else { other.lock() };
                log("has it");
                fibra::checkpoint();
                drop(guard);
                log("not killed");
            });
            yield_now();
            drop(guard);
            if !deadline {
                waits.kill();
            }
            assert!(mutex.is_locked());
            fibra::sleep(ms(10));
            assert!(!mutex.is_locked(), "its guard was dropped by the unwind");
        });
        check(if deadline { "has it not killed" } else { "has it" });
    }
}

#[test]
fn a_panic_unlocks_it_and_does_not_restore_the_data() {
    fibra::run(|| {
        let mutex = Arc::new(Mutex::new(0));
        let other = mutex.clone();
        let failed = spawn(move || {
            *other.lock() = 1;
            let mut guard = other.lock();
            *guard = 2;
            std::panic::resume_unwind(Box::new("half way"));
        });
        assert!(failed.join().is_err());
        assert_eq!(*mutex.lock(), 2);
    });
}

#[test]
fn a_destructor_waits_for_it_while_its_fiber_unwinds() {
    run_virtually(|| {
        let mutex = Arc::new(Mutex::new(()));
        let guard = mutex.lock();
        let other = mutex.clone();
        let unwinds = spawn(move || {
            let _waits = OnDrop(|| {
                drop(other.lock());
                log("cleaned up");
            });
            fibra::park();
        });
        yield_now();
        unwinds.kill();
        yield_now();
        unwinds.kill();
        fibra::sleep(ms(1));
        log("released");
        drop(guard);
        assert!(unwinds.join().unwrap_err().is_killed());
    });
    check("released cleaned up");
}

#[test]
fn a_clean_up_waits_for_it_after_a_kill() {
    fibra::run(|| {
        let mutex = Arc::new(Mutex::new(()));
        let guard = mutex.lock();
        let other = mutex.clone();
        let killed = spawn(move || finally(fibra::park, || drop((other.lock(), log("cleaned")))));
        yield_now();
        killed.kill();
        yield_now();
        drop(guard);
        assert!(killed.join().is_err());
    });
    check("cleaned");
}

#[test]
fn a_guard_may_go_to_another_fiber_of_its_thread() {
    fibra::run(|| {
        let mutex: &'static Mutex<u8> = Box::leak(Box::new(Mutex::new(1)));
        let guard = mutex.lock();
        let other = spawn(move || {
            yield_now();
            drop(guard);
        });
        assert_eq!(*mutex.lock(), 1);
        other.join().unwrap();
    });
}

#[test]
fn a_guard_may_outlive_the_run_in_which_it_was_taken() {
    static MUTEX: Mutex<u8> = Mutex::new(1);
    let guard: MutexGuard<'static, u8> = fibra::run(|| MUTEX.lock());
    assert!(MUTEX.try_lock().is_none());
    let waits = thread(|| *MUTEX.lock());
    drop(guard);
    assert_eq!(waits.join().unwrap(), 1);
}

#[test]
fn fibers_and_threads_wait_in_one_line() {
    static MUTEX: Mutex<Vec<&str>> = Mutex::new(Vec::new());
    let guard = MUTEX.lock();
    let fiber = elsewhere(|| {
        fibra::Builder::new().name("waits").spawn(|| MUTEX.lock().push("fiber")).join().unwrap();
    });
    let plain = thread(|| MUTEX.lock().push("thread"));
    let late = thread(|| MUTEX.lock_timeout(ms(1)).is_err());
    assert!(late.join().unwrap());
    drop(guard);
    fiber.join().unwrap();
    plain.join().unwrap();
    let mut order = MUTEX.lock().clone();
    order.sort_unstable();
    assert_eq!(order, ["fiber", "thread"]);
}

#[test]
fn a_plain_thread_times_out() {
    let mutex = Arc::new(Mutex::new(()));
    let _guard = mutex.lock();
    let other = mutex.clone();
    let late = thread(move || other.lock_timeout(ms(1)).map(drop));
    assert_eq!(late.join().unwrap(), Err(TimeoutError::Timeout));
}

#[test]
fn a_plain_thread_that_would_wait_for_itself_panics() {
    let mutex = Mutex::new(());
    let _guard = mutex.lock();
    let text = panic_of(|| drop(mutex.lock()));
    assert_eq!(text, "this thread would wait forever: it holds the lock itself");
    assert!(mutex.lock_timeout(ms(1)).is_err());
}

#[test]
fn a_guard_that_is_forgotten_leaves_it_locked() {
    run_virtually(|| {
        let mutex = Mutex::new(Noisy("dropped"));
        std::mem::forget(mutex.lock());
        assert!(mutex.lock_timeout(ms(1)).is_err());
        assert!(mutex.try_lock().is_none());
    });
    check("dropped");
}

#[test]
fn what_is_in_it_is_dropped_once() {
    let dropped = Rc::new(Cell::new(0));
    let count = dropped.clone();
    let mutex = Mutex::new(OnDrop(move || count.set(count.get() + 1)));
    drop(mutex.lock());
    assert_eq!(dropped.get(), 0);
    drop(mutex);
    assert_eq!(dropped.get(), 1);
}
