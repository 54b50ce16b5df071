//! Tests panics: a panic stays in its fiber, is carried to the fiber that joins, and is reported
//! once if no fiber joins.

use std::panic::{self, AssertUnwindSafe};

use fibra::{spawn, yield_now};

use crate::support::{
    DONE_LINE, Noisy, OnDrop, check, go, in_child, join_panic, log, ms, name_of, panic_of,
    run_virtually, stderr,
};

#[test]
fn a_panic_ends_only_its_own_fiber_and_runs_its_destructors() {
    fibra::run(|| {
        let failing = spawn(|| {
            let _noisy = Noisy("unwound");
            panic!("boom");
        });
        let other = spawn(|| {
            yield_now();
            log("other");
            3
        });
        assert_eq!(join_panic::<()>(failing), "boom");
        assert_eq!(other.join().unwrap(), 3);
    });
    check("unwound other");
}

#[test]
fn any_payload_is_carried_to_the_joiner() {
    fibra::run(|| {
        let failing = spawn(|| panic::panic_any(vec![1, 2, 3]));
        let payload = failing.join().unwrap_err().into_panic().unwrap();
        assert_eq!(*payload.downcast::<Vec<i32>>().unwrap(), [1, 2, 3]);
    });
}

#[test]
fn a_panic_can_be_caught_inside_the_fiber_across_waits() {
    fibra::run(|| {
        let child = spawn(|| {
            let caught = panic_of(|| {
                yield_now();
                panic!("inner");
            });
            yield_now();
            caught
        });
        yield_now();
        assert_eq!(child.join().unwrap(), "inner");
    });
}

#[test]
fn fibers_may_be_suspended_inside_catch_unwind_in_any_nesting() {
    fibra::run(|| {
        let handles: Vec<_> = (0..20)
            .map(|i| {
                spawn(move || {
                    let caught = panic_of(|| {
                        (0..20 - i).for_each(|_| yield_now());
                        panic!("{i}");
                    });
                    (0..i).for_each(|_| yield_now());
                    assert!(!std::thread::panicking());
                    caught
                })
            })
            .collect();
        for (i, handle) in handles.into_iter().enumerate() {
            assert_eq!(handle.join().unwrap(), i.to_string());
        }
    });
}

#[test]
fn a_panic_while_a_thousand_fibers_are_parked_disturbs_none() {
    fibra::run(|| {
        let parked: Vec<_> = (0..1_000)
            .map(|i| {
                spawn(move || {
                    fibra::park();
                    i
                })
            })
            .collect();
        yield_now();
        assert_eq!(join_panic(spawn(|| -> () { panic!("boom") })), "boom");
        for (i, fiber) in parked.into_iter().enumerate() {
            assert!(!fiber.is_finished());
            fiber.fiber().unpark();
            assert_eq!(fiber.join().unwrap(), i);
        }
    });
}

#[test]
fn a_panic_that_is_not_joined_is_reported_once_with_the_fibers_name() {
    let output = in_child(
        name_of!(a_panic_that_is_not_joined_is_reported_once_with_the_fibers_name),
        &[],
        || {
            panic::set_hook(Box::new(|_| ()));
            fibra::run(|| {
                drop(fibra::Builder::new().name("early").spawn(|| panic!("detached before")));
                let late = fibra::Builder::new().name("late").spawn(|| panic!("detached after"));
                let joined = spawn(|| panic!("joined"));
                yield_now();
                drop(late);
                assert_eq!(join_panic::<()>(joined), "joined");
                // A fiber that fails while `run` ends.
                go(|| {
                    let _panics = OnDrop(|| panic!("at the end"));
                    fibra::park();
                });
                yield_now();
            });
        },
    );
    let expected = [
        (
            "fibra: fiber 'early' (#2), spawned at ",
            ", panicked and was not joined: detached before",
        ),
        ("fibra: fiber 'late' (#3), spawned at ", ", panicked and was not joined: detached after"),
    ];
    let text = stderr(&output);
    for (line, (start, end)) in text.lines().zip(expected) {
        assert!(line.starts_with(start) && line.ends_with(end), "{text}");
        assert!(line.contains("tests/core/panic.rs:"), "{text}");
    }
    assert_eq!(text.matches("was not joined").count(), 2, "{text}");
}

#[test]
fn a_payload_whose_destructor_panics_harms_nothing_else() {
    struct PanicsOnDrop;
    impl Drop for PanicsOnDrop {
        fn drop(&mut self) {
            log("payload dropped");
            panic::panic_any(Bomb2);
        }
    }
    struct Bomb2;
    impl Drop for Bomb2 {
        fn drop(&mut self) {
            log("never: it is leaked");
        }
    }
    fibra::run(|| {
        go(|| panic::panic_any(PanicsOnDrop));
        yield_now();
        assert_eq!(spawn(|| 1).join().unwrap(), 1);
    });
    check("payload dropped");
}

#[test]
fn an_output_that_is_not_joined_may_panic_spawn_or_wait_when_it_is_dropped() {
    run_virtually(|| {
        go(|| OnDrop(|| panic!("output")));
        go(|| {
            OnDrop(|| {
                log("spawns");
                go(|| log("spawned"));
            })
        });
        go(|| {
            OnDrop(|| {
                log("sleeps");
                fibra::sleep(ms(10));
                log("slept");
            })
        });
        fibra::sleep(ms(20));
        log("main");
        assert_eq!(fibra::stats().fibers, 1);
    });
    check("spawns sleeps spawned slept main");
}

#[test]
fn a_payload_that_is_not_joined_may_spawn_or_wait_when_it_is_dropped() {
    struct Slow;
    impl Drop for Slow {
        fn drop(&mut self) {
            go(|| log("spawned"));
            fibra::sleep(ms(10));
            log("payload dropped");
        }
    }
    run_virtually(|| {
        go(|| panic::panic_any(Slow));
        fibra::sleep(ms(20));
        assert_eq!(fibra::stats().fibers, 1);
    });
    check("spawned payload dropped");
}

#[test]
fn the_output_of_a_handle_dropped_after_the_end_is_dropped_where_the_handle_is() {
    fibra::run(|| {
        let child = spawn(|| {
            OnDrop(|| {
                log(fibra::current());
                yield_now();
            })
        });
        yield_now();
        drop(child);
    });
    check("fiber 'main' (#1)");
}

#[test]
fn a_panic_of_main_ends_run_after_all_others_were_unwound() {
    let text = panic_of(|| {
        fibra::run(|| {
            go(|| {
                let _noisy = Noisy("child");
                fibra::park();
            });
            yield_now();
            let _noisy = Noisy("main");
            panic!("main failed");
        })
    });
    assert_eq!(text, "main failed");
    check("main child");
}

#[test]
fn a_destructor_that_panics_while_a_kill_unwinds_is_caught_by_the_destructors_catcher() {
    fibra::run(|| {
        let child = spawn(|| {
            let _careful = OnDrop(|| {
                let caught = panic::catch_unwind(AssertUnwindSafe(|| {
                    yield_now();
                    panic!("inside");
                }));
                log(caught.is_err());
            });
            fibra::park();
        });
        yield_now();
        child.kill();
        assert!(child.join().unwrap_err().is_killed());
    });
    check("true");
}

#[test]
fn two_panics_at_once_in_one_fiber_abort_as_in_a_thread() {
    let output =
        in_child(name_of!(two_panics_at_once_in_one_fiber_abort_as_in_a_thread), &[], || {
            fibra::run(|| {
                let failing = spawn(|| {
                    let _panics = OnDrop(|| panic!("second"));
                    panic!("first");
                });
                drop(failing.join());
            });
        });
    let text = stderr(&output);
    assert!(!text.contains(DONE_LINE), "{text}");
    assert!(text.contains("panic in a destructor during cleanup"), "{text}");
}
