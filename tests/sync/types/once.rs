//! Tests `sync::Once`, `OnceCell` and `LazyLock`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use fibra::sync::{LazyLock, Once, OnceCell};
use fibra::{spawn, yield_now};

use crate::support::sync::{elsewhere, thread};
use crate::support::{Noisy, check, log, panic_of};

#[test]
fn one_does_it_and_the_others_wait() {
    fibra::run(|| {
        let once = Arc::new(Once::new());
        let fibers = ["a", "b", "c"].map(|name| {
            let once = once.clone();
            spawn(move || {
                once.call_once(|| {
                    yield_now();
                    log(format!("{name} does it"));
                });
                log(name);
            })
        });
        let watcher = spawn({
            let once = once.clone();
            move || {
                once.wait();
                log("watcher");
            }
        });
        fibers.into_iter().for_each(|fiber| fiber.join().unwrap());
        watcher.join().unwrap();
        once.call_once(|| unreachable!());
        once.wait();
        assert_eq!(format!("{once:?}"), "Once { is_completed: true, .. }");
    });
    check("a does it a b c watcher");
}

#[test]
fn after_a_panic_or_a_kill_the_first_in_line_does_it() {
    for killed in [true, false] {
        fibra::run(|| {
            let once = Arc::new(Once::new());
            let first = spawn({
                let once = once.clone();
                move || {
                    once.call_once(|| {
                        yield_now();
                        if killed {
                            fibra::park();
                        }
                        std::panic::resume_unwind(Box::new("no"));
                    });
                }
            });
            let watcher = spawn({
                let once = once.clone();
                move || {
                    once.wait();
                    log("watcher");
                }
            });
            let others = ["a", "b"].map(|name| {
                let once = once.clone();
                spawn(move || once.call_once(|| log(name)))
            });
            yield_now();
            assert!(!once.is_completed());
            if killed {
                first.kill();
            }
            assert!(first.join().is_err());
            watcher.join().unwrap();
            others.into_iter().for_each(|other| other.join().unwrap());
        });
        check("a watcher");
    }
}

#[test]
fn after_a_panic_with_no_waiter_it_is_open_again() {
    let once = Once::default();
    panic_of(|| once.call_once(|| panic!("no")));
    once.call_once(|| log("second"));
    check("second");
}

#[test]
fn a_waiter_that_is_killed_leaves_the_line() {
    fibra::run(|| {
        let once = Arc::new(Once::new());
        let fibers = ["first", "killed", "last"].map(|name| {
            let once = once.clone();
            spawn(move || {
                once.call_once(|| (0..3).for_each(|_| yield_now()));
                log(name);
            })
        });
        yield_now();
        fibers[1].kill();
        let ends = fibers.map(|fiber| fiber.join().is_ok());
        assert_eq!(ends, [true, false, true]);
    });
    check("first last");
}

#[test]
fn a_closure_that_calls_its_own_once_panics() {
    let once = Once::new();
    let inside = || panic_of(|| once.call_once(|| once.call_once(|| ())));
    assert_eq!(
        inside(),
        "the closure of a `Once` called the same `Once`, and would wait for itself"
    );
    fibra::run(|| assert!(inside().contains("called the same `Once`")));
    let cell: OnceCell<u32> = OnceCell::new();
    panic_of(|| *cell.get_or_init(|| *cell.get_or_init(|| 1)));
    assert_eq!(cell.get(), None);
}

#[test]
fn a_cell_is_written_once() {
    let mut cell = OnceCell::new();
    assert_eq!((cell.get(), format!("{cell:?}").as_str()), (None, "OnceCell(<empty>)"));
    assert_eq!(cell.get_or_try_init(|| Err::<u32, _>("no")), Err("no"));
    assert_eq!(cell.get_or_try_init(|| Ok::<_, &str>(1)), Ok(&1));
    assert_eq!(cell.set(2), Err(2));
    assert_eq!((*cell.wait(), *cell.get_or_init(|| 3)), (1, 1));
    *cell.get_mut().unwrap() += 1;
    assert_eq!(format!("{cell:?}"), "OnceCell(2)");
    assert_eq!((cell.take(), cell.get()), (Some(2), None));
    assert_eq!(cell.set(5), Ok(()));
    assert_eq!((cell.into_inner(), OnceCell::from(6).get()), (Some(5), Some(&6)));
}

#[test]
fn a_lazy_value_is_made_on_first_use() {
    static LAZY: LazyLock<Vec<u32>> = LazyLock::new(|| {
        log("made");
        vec![1, 2]
    });
    assert_eq!(format!("{LAZY:?}"), "LazyLock(<not made yet>)");
    log(LAZY.len() + LAZY.len());
    assert_eq!(format!("{LAZY:?} {:?}", *LazyLock::<u8>::default()), "LazyLock([1, 2]) 0");
    check("made 4");
}

#[test]
fn a_lazy_value_whose_closure_has_panicked_panics() {
    let captured = Noisy("dropped");
    let lazy: LazyLock<u32, _> = LazyLock::new(move || {
        let _captured = captured;
        panic!("first")
    });
    assert_eq!(panic_of(|| *lazy), "first");
    check("dropped");
    assert!(panic_of(|| *lazy).contains("the closure of a LazyLock has panicked"));
}

#[test]
fn one_of_many_threads_makes_it() {
    static MADE: AtomicU32 = AtomicU32::new(0);
    static CELL: OnceCell<u32> = OnceCell::new();
    let get = || {
        *CELL.get_or_init(|| {
            std::thread::yield_now();
            MADE.fetch_add(1, Ordering::Relaxed) + 10
        })
    };
    let threads = [elsewhere(get), thread(get), elsewhere(get), thread(|| *CELL.wait())];
    threads.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), 10));
    assert_eq!(MADE.load(Ordering::Relaxed), 1);
}
