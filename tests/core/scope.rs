//! Tests `scope`: borrows, and that it is left only after every child has ended, whatever happens.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};

use fibra::channel::Channel;
use fibra::{JoinError, scope, spawn, yield_now};

use crate::support::{
    Noisy, OnDrop, check, go, in_child, log, ms, name_of, panic_of, run_virtually, stderr,
};

#[test]
fn children_borrow_from_their_parent_and_from_the_scope() {
    fibra::run(|| {
        let words = [String::from("green"), String::from("threads")];
        let total = Cell::new(0);
        let longest = scope(|s| {
            let lengths: Vec<_> = words
                .iter()
                .map(|word| {
                    s.spawn(|| {
                        yield_now();
                        total.set(total.get() + word.len());
                        // A child may also spawn fibers in the scope.
                        s.spawn(|| total.set(total.get() + 100));
                        word.len()
                    })
                })
                .collect();
            lengths.into_iter().map(|length| length.join().unwrap()).max().unwrap()
        });
        assert_eq!((longest, total.get()), (7, 212));
    });
}

#[test]
fn children_may_change_what_they_borrow() {
    fibra::run(|| {
        let mut parts = [0; 4];
        scope(|s| {
            for (i, part) in parts.iter_mut().enumerate() {
                s.spawn(move || {
                    yield_now();
                    *part = i * i;
                });
            }
        });
        assert_eq!(parts, [0, 1, 4, 9]);
    });
}

#[test]
fn the_scope_waits_for_children_whose_handles_were_dropped_or_forgotten() {
    run_virtually(|| {
        let count = Cell::new(0);
        scope(|s| {
            let slow = || {
                fibra::sleep(ms(10));
                count.set(count.get() + 1);
            };
            drop(s.spawn(slow));
            std::mem::forget(s.spawn(slow));
            let _kept = s.spawn(slow);
            assert_eq!(s.running(), 3);
            log("body ends");
        });
        assert_eq!(count.get(), 3);
        log("scope ends");
    });
    check("body ends scope ends");
}

#[test]
fn a_scope_without_children_lets_no_other_fiber_run() {
    fibra::run(|| {
        go(|| log("other"));
        assert_eq!(scope(|_| 7), 7);
        check("");
    });
}

#[test]
fn a_panic_of_the_body_is_raised_after_all_children_have_ended() {
    run_virtually(|| {
        let borrowed = RefCell::new(Vec::new());
        let text = panic_of(|| {
            scope(|s| {
                for n in [20, 10] {
                    let borrowed = &borrowed;
                    s.spawn(move || {
                        fibra::sleep(ms(n));
                        borrowed.borrow_mut().push(n);
                    });
                }
                panic!("body");
            })
        });
        assert_eq!(text, "body");
        assert_eq!(borrowed.take(), [10, 20]);
    });
}

#[test]
fn a_panic_of_a_child_that_was_not_joined_is_raised_when_all_have_ended() {
    run_virtually(|| {
        let done = Cell::new(false);
        let text = panic_of(|| {
            scope(|s| {
                s.spawn(|| panic!("child"));
                s.spawn(|| {
                    fibra::sleep(ms(10));
                    done.set(true);
                });
                log("body goes on");
                yield_now();
                log("body ends");
            })
        });
        assert_eq!((text.as_str(), done.get()), ("child", true));
    });
    check("body goes on body ends");
}

#[test]
fn a_panic_that_was_joined_is_not_raised_again() {
    fibra::run(|| {
        let text = scope(|s| match s.spawn(|| panic!("child")).join() {
            Err(JoinError::Panicked(panic)) => String::from(panic.message()),
            other => unreachable!("{other:?}"),
        });
        assert_eq!(text, "child");
    });
}

#[test]
fn of_two_panics_the_bodys_or_else_the_first_childs_is_raised() {
    fibra::run(|| {
        let text = panic_of(|| {
            scope(|s| {
                s.spawn(|| panic!("first child"));
                s.spawn(|| panic!("second child"));
            })
        });
        assert_eq!(text, "first child");
        let text = panic_of(|| {
            scope(|s| {
                s.spawn(|| panic!("child"));
                yield_now();
                panic!("body");
            })
        });
        assert_eq!(text, "body");
    });
}

#[test]
fn scope_kill_kills_the_children_and_not_the_body() {
    fibra::run(|| {
        scope(|s| {
            let child = s.spawn(|| {
                let _noisy = Noisy("child");
                fibra::park();
            });
            yield_now();
            s.kill();
            assert!(child.join().unwrap_err().is_killed());
            assert_eq!(s.running(), 0);
            // The scope is still open.
            assert_eq!(s.spawn(|| 4).join().unwrap(), 4);
        });
    });
    check("child");
}

#[test]
fn a_killed_child_is_nothing_to_raise() {
    fibra::run(|| {
        let answer = scope(|s| {
            let child = s.spawn(fibra::park);
            yield_now();
            child.kill();
            5
        });
        assert_eq!(answer, 5);
    });
}

#[test]
fn scopes_nest_and_a_kill_unwinds_the_inner_one_first() {
    run_virtually(|| {
        let outer = spawn(|| {
            let data = String::from("data");
            let _noisy = Noisy("parent");
            scope(|s| {
                s.spawn(|| {
                    let _noisy = Noisy(format!("child of {data}"));
                    let inner = String::from("inner");
                    scope(|t| {
                        t.spawn(|| {
                            let _noisy = Noisy(format!("grandchild of {inner} {data}"));
                            fibra::park();
                        });
                    });
                });
            });
        });
        fibra::sleep(ms(1));
        outer.kill();
        assert!(outer.join().unwrap_err().is_killed());
    });
    check("grandchild of inner data child of data parent");
}

/// The classic trap: a destructor opens a scope while its fiber unwinds, and catches what the scope
/// raises. It must still not leave before the children that borrow from it have ended.
#[test]
fn a_scope_in_a_destructor_is_not_left_before_its_children_have_ended() {
    struct Opens;
    impl Drop for Opens {
        fn drop(&mut self) {
            let borrowed = vec![1, 2, 3];
            let result = panic::catch_unwind(AssertUnwindSafe(|| {
                scope(|s| {
                    for n in [5, 15] {
                        let borrowed = &borrowed;
                        s.spawn(move || {
                            fibra::sleep(ms(n));
                            log(format!("{n}:{}", borrowed.len()));
                        });
                    }
                    s.spawn(|| panic!("child"));
                });
            }));
            log(if result.is_err() { "failed" } else { "passed" });
        }
    }
    let unwinds: [(&str, fn()); 2] = [
        ("panics", || {
            let _opens = Opens;
            panic!("outer");
        }),
        ("is killed", || {
            let _opens = Opens;
            fibra::park();
        }),
    ];
    for (how, body) in unwinds {
        run_virtually(|| {
            let child = spawn(body);
            let other = spawn(|| {
                fibra::sleep(ms(10));
                panic!("another fiber fails meanwhile");
            });
            yield_now();
            if how == "is killed" {
                child.kill();
            }
            assert!(child.join().is_err());
            assert!(other.join().is_err());
        });
    }
    check("5:3 15:3 failed 5:3 15:3 failed");
}

#[test]
fn a_deadlock_inside_a_scope_kills_the_children_and_is_raised_by_the_scope() {
    fibra::run(|| {
        let channel = Channel::<()>::new();
        let text = panic_of(|| {
            scope(|s| {
                for _ in 0..2 {
                    s.spawn(|| {
                        let _noisy = Noisy("child");
                        fibra::shield(fibra::park);
                    });
                }
                assert!(channel.try_recv().is_err());
            })
        });
        assert!(text.contains("deadlock:"), "{text}");
    });
    check("child child");
}

#[test]
fn a_child_that_refuses_to_end_aborts_the_process_rather_than_lose_its_scope() {
    let test = name_of!(a_child_that_refuses_to_end_aborts_the_process_rather_than_lose_its_scope);
    let output = in_child(test, &[], || {
        fibra::run(|| {
            let borrowed = String::from("borrowed");
            scope(|s| {
                let child = s.spawn(|| {
                    loop {
                        let _ = panic::catch_unwind(fibra::park);
                        assert_eq!(borrowed, "borrowed");
                    }
                });
                yield_now();
                child.kill();
            });
        });
    });
    let text = stderr(&output);
    assert!(text.contains("Its scope lends it borrowed data and cannot be left"), "{text}");
    assert!(!text.contains(crate::support::DONE_LINE), "{text}");
}

#[test]
fn the_output_of_a_child_may_borrow_too() {
    fibra::run(|| {
        let text = String::from("some words here");
        let words = scope(|s| s.spawn(|| text.split(' ').collect::<Vec<_>>()).join().unwrap());
        assert_eq!(words, ["some", "words", "here"]);
    });
}

#[test]
fn an_output_that_is_not_joined_is_dropped_before_the_scope_is_left() {
    fibra::run(|| {
        let name = String::from("value");
        scope(|s| {
            drop(s.spawn(|| {
                OnDrop(|| {
                    yield_now();
                    log(&name);
                })
            }));
        });
        log("left");
    });
    check("value left");
}

#[test]
fn a_thousand_children_of_one_scope() {
    run_virtually(|| {
        let sum = Cell::new(0);
        scope(|s| {
            for i in 0..1_000 {
                let sum = &sum;
                s.spawn(move || {
                    fibra::sleep(ms(i % 7));
                    sum.set(sum.get() + i);
                });
            }
        });
        assert_eq!(sum.get(), 499_500);
    });
}
