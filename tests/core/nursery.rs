//! Tests `nursery`: the first failure kills the siblings, ends the body, and is raised at the end.

use std::cell::Cell;

use fibra::{nursery, spawn, yield_now};

use crate::support::{Noisy, OnDrop, check, log, ms, panic_of, run_virtually};

#[test]
fn without_a_failure_it_waits_like_a_scope() {
    run_virtually(|| {
        let sum = Cell::new(0);
        let answer = nursery(|n| {
            for i in [1, 2, 3] {
                let sum = &sum;
                n.spawn(move || {
                    fibra::sleep(ms(i));
                    sum.set(sum.get() + i);
                });
            }
            "answer"
        });
        assert_eq!((answer, sum.get()), ("answer", 6));
    });
}

#[test]
fn the_first_failure_kills_the_siblings_and_unwinds_the_body() {
    run_virtually(|| {
        let text = panic_of(|| {
            nursery(|n| {
                let _noisy = Noisy("body");
                n.spawn(|| {
                    let _noisy = Noisy("sibling");
                    fibra::park();
                });
                n.spawn(|| {
                    fibra::sleep(ms(1));
                    log("fails");
                    panic!("first");
                });
                fibra::park();
                log("unreachable");
            })
        });
        assert_eq!(text, "first");
        // The kill ended with the nursery: this fiber continues.
        yield_now();
        fibra::sleep(ms(1));
        log("goes on");
    });
    check("fails body sibling goes on");
}

#[test]
fn a_failure_while_the_nursery_waits_at_its_end_kills_the_siblings() {
    run_virtually(|| {
        let start = fibra::now();
        let text = panic_of(|| {
            nursery(|n| {
                n.spawn(|| fibra::sleep(ms(1_000)));
                n.spawn(|| {
                    fibra::sleep(ms(1));
                    panic!("early");
                });
            })
        });
        assert_eq!((text.as_str(), fibra::now() - start), ("early", ms(1)));
    });
}

#[test]
fn a_failure_of_the_body_kills_the_children() {
    run_virtually(|| {
        let text = panic_of(|| {
            nursery(|n| {
                n.spawn(|| {
                    let _noisy = Noisy("child");
                    fibra::park();
                });
                yield_now();
                panic!("body");
            })
        });
        assert_eq!(text, "body");
    });
    check("child");
}

#[test]
fn siblings_that_have_not_started_never_do() {
    fibra::run(|| {
        let text = panic_of(|| {
            nursery(|n| {
                n.spawn(|| panic!("first"));
                n.spawn(|| log("unreachable"));
            })
        });
        assert_eq!(text, "first");
    });
    check("");
}

#[test]
fn a_child_spawned_after_the_failure_never_runs() {
    run_virtually(|| {
        let text = panic_of(|| {
            nursery(|n| {
                n.spawn(|| {
                    let _spawns = OnDrop(|| {
                        n.spawn(|| log("unreachable"));
                    });
                    fibra::park();
                });
                n.spawn(|| panic!("first"));
            })
        });
        assert_eq!(text, "first");
    });
    check("");
}

#[test]
fn a_later_failure_is_not_the_one_that_is_raised() {
    run_virtually(|| {
        let text = panic_of(|| {
            nursery(|n| {
                n.spawn(|| {
                    fibra::finally(fibra::park, || panic!("second"));
                });
                n.spawn(|| panic!("first"));
            })
        });
        assert_eq!(text, "first");
    });
}

#[test]
fn a_failure_that_was_joined_still_ends_the_nursery() {
    run_virtually(|| {
        let text = panic_of(|| {
            nursery(|n| {
                n.spawn(|| fibra::sleep(ms(1_000)));
                let failing = n.spawn(|| panic!("joined"));
                assert!(failing.join().is_err());
                fibra::park();
            })
        });
        assert_eq!(text, "a fiber of the nursery failed, and was joined");
    });
}

#[test]
fn a_killed_child_is_no_failure() {
    run_virtually(|| {
        nursery(|n| {
            let child = n.spawn(fibra::park);
            n.spawn(|| {
                fibra::sleep(ms(1));
                log("sibling");
            });
            yield_now();
            child.kill();
        });
    });
    check("sibling");
}

#[test]
fn an_inner_failure_passes_through_an_outer_nursery() {
    run_virtually(|| {
        let text = panic_of(|| {
            nursery(|outer| {
                outer.spawn(|| {
                    let _noisy = Noisy("outer sibling");
                    fibra::park();
                });
                outer.spawn(|| {
                    nursery(|inner| {
                        inner.spawn(|| {
                            let _noisy = Noisy("inner sibling");
                            fibra::park();
                        });
                        inner.spawn(|| panic!("deep"));
                    });
                    log("unreachable");
                });
                fibra::park();
            })
        });
        assert_eq!(text, "deep");
    });
    check("inner sibling outer sibling");
}

#[test]
fn a_shielded_part_of_the_body_is_finished_before_it_is_cancelled() {
    run_virtually(|| {
        let text = panic_of(|| {
            nursery(|n| {
                n.spawn(|| panic!("first"));
                fibra::shield(|| {
                    fibra::sleep(ms(5));
                    log("saved");
                });
                yield_now();
                log("unreachable");
            })
        });
        assert_eq!(text, "first");
    });
    check("saved");
}

#[test]
fn a_nursery_inside_a_shield_can_still_cancel_its_own_body() {
    run_virtually(|| {
        let child = spawn(|| {
            fibra::shield(|| {
                let text = panic_of(|| {
                    nursery(|n| {
                        n.spawn(|| panic!("inner"));
                        fibra::park();
                    })
                });
                log(text);
            });
            fibra::park();
        });
        yield_now();
        child.kill();
        assert!(child.join().unwrap_err().is_killed());
    });
    check("inner");
}

#[test]
fn a_body_that_catches_its_cancellation_meets_it_again() {
    run_virtually(|| {
        let text = panic_of(|| {
            nursery(|n| {
                n.spawn(|| panic!("first"));
                let caught = std::panic::catch_unwind(fibra::park);
                log(format!("caught {}", caught.is_err()));
                fibra::park();
                log("unreachable");
            })
        });
        assert_eq!(text, "first");
    });
    check("caught true");
}
