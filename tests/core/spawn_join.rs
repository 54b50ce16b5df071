//! Tests `spawn`, `Builder` and `JoinHandle`: what a fiber returns, and to which caller.

use std::cell::Cell;
use std::rc::Rc;

use fibra::{Activity, JoinError};

use crate::support::{Noisy, check, go, log, ms, run_virtually};

#[test]
fn a_spawned_fiber_runs_when_its_turn_comes_and_join_gives_its_output() {
    fibra::run(|| {
        let child = fibra::spawn(|| {
            log("body");
            7
        });
        log("spawned");
        assert!(!child.is_finished());
        assert_eq!(child.fiber().activity(), Some(Activity::NotStarted));
        log(child.join().unwrap());
    });
    check("spawned body 7");
}

#[test]
fn join_of_an_ended_fiber_does_not_let_others_run() {
    fibra::run(|| {
        let child = fibra::spawn(|| log("child"));
        fibra::yield_now();
        go(|| log("other"));
        assert!(child.is_finished());
        assert_eq!(child.fiber().activity(), None);
        child.join().unwrap();
        log("joined");
    });
    check("child joined");
}

#[test]
fn wait_leaves_the_output_for_join() {
    fibra::run(|| {
        let mut child = fibra::spawn(|| Noisy("dropped"));
        child.wait().unwrap();
        child.wait().unwrap();
        log("waited");
        let output = child.join().unwrap();
        log("joined");
        drop(output);
    });
    check("waited joined dropped");
}

#[test]
fn join_wakes_the_joiner_behind_the_ready_fibers() {
    fibra::run(|| {
        let child = fibra::spawn(|| log("child"));
        go(|| log("b"));
        go(|| log("c"));
        child.join().unwrap();
        log("joiner");
    });
    check("child b c joiner");
}

#[test]
fn fibers_join_in_chains() {
    let sum = fibra::run(|| {
        fn below(depth: u32) -> u32 {
            if depth == 0 {
                return 0;
            }
            depth + fibra::spawn(move || below(depth - 1)).join().unwrap()
        }
        below(1_000)
    });
    assert_eq!(sum, 500_500);
}

#[test]
fn a_detached_fiber_runs_on_and_drops_its_output_itself() {
    fibra::run(|| {
        let before = fibra::current().id();
        drop(fibra::spawn(move || {
            fibra::yield_now();
            log("end");
            crate::support::OnDrop(move || {
                assert_ne!(fibra::current().id(), before, "dropped on the wrong fiber");
                log("dropped");
            })
        }));
        fibra::yield_now();
        fibra::yield_now();
        log("main");
    });
    check("end dropped main");
}

#[test]
fn a_killed_joiner_leaves_the_fiber_that_it_joined_alone() {
    run_virtually(|| {
        let slow = fibra::spawn(|| {
            fibra::sleep(ms(10));
            log("slow ended");
            Noisy("output dropped")
        });
        let slow_fiber = slow.fiber().clone();
        let joiner = fibra::spawn(move || slow.join().map(|_| ()));
        fibra::yield_now();
        joiner.kill();
        assert!(joiner.join().unwrap_err().is_killed());
        assert!(!slow_fiber.is_finished());
        fibra::sleep(ms(20));
        assert!(slow_fiber.is_finished());
    });
    check("slow ended output dropped");
}

#[test]
fn a_handle_can_be_joined_by_any_fiber() {
    fibra::run(|| {
        let child = fibra::spawn(|| 5);
        let other = fibra::spawn(move || child.join().unwrap() + 1);
        assert_eq!(other.join().unwrap(), 6);
    });
}

#[test]
fn fibers_share_what_is_not_send() {
    let total = fibra::run(|| {
        let total = Rc::new(Cell::new(0));
        let handles: Vec<_> = (1..=10)
            .map(|n| {
                let total = total.clone();
                fibra::spawn(move || {
                    fibra::yield_now();
                    total.set(total.get() + n);
                    total
                })
            })
            .collect();
        for handle in handles {
            assert!(Rc::ptr_eq(&handle.join().unwrap(), &total));
        }
        total.get()
    });
    assert_eq!(total, 55);
}

#[test]
fn a_fiber_that_has_not_run_has_no_stack_and_an_ended_one_gives_its_stack_back() {
    fibra::run(|| {
        let before = fibra::stats().stacks_live;
        let handles: Vec<_> = (0..100).map(|_| fibra::spawn(fibra::park)).collect();
        assert_eq!(fibra::stats().stacks_live, before);
        fibra::yield_now();
        assert_eq!(fibra::stats().stacks_live, before + 100);
        for handle in handles {
            handle.fiber().unpark();
            handle.join().unwrap();
        }
        assert_eq!(fibra::stats().stacks_live, before);
    });
}

#[test]
#[cfg_attr(sanitized, ignore = "stacks that were given back are kept closed for a while")]
fn ten_thousand_fibers_in_a_row_use_one_stack() {
    fibra::run(|| {
        fibra::spawn(|| ()).join().unwrap();
        let before = fibra::stats();
        (0..10_000).for_each(|i| assert_eq!(fibra::spawn(move || i).join().unwrap(), i));
        let after = fibra::stats();
        assert_eq!(after.stacks_live + after.stacks_idle, before.stacks_live + before.stacks_idle);
        assert_eq!((after.fibers, after.spawned), (1, before.spawned + 10_000));
    });
}

#[test]
fn a_builder_names_its_fiber_and_sizes_its_stack() {
    fibra::run(|| {
        let builder = fibra::Builder::new().name("parser").stack_size(100_000);
        let child = builder.spawn(fibra::park);
        let dump = fibra::dump();
        assert_eq!(child.fiber().name().as_deref(), Some("parser"));
        assert_eq!(child.fiber().to_string(), "fiber 'parser' (#2)");
        assert_eq!(dump.fibers[1].name.as_deref(), Some("parser"));
        assert_eq!(dump.fibers[1].stack_size, 128 << 10);
        assert_eq!(dump.fibers[0].stack_size, 8 << 20);
    });
}

#[test]
fn a_runtime_sets_the_stack_size_of_fibers_that_ask_for_none() {
    let runtime = fibra::Runtime::builder().stack_size(60_000).build().unwrap();
    runtime.run(|| {
        let _plain = fibra::spawn(fibra::park);
        let _own = fibra::Builder::new().stack_size(1 << 20).spawn(fibra::park);
        let sizes: Vec<_> = fibra::dump().fibers.iter().map(|fiber| fiber.stack_size).collect();
        assert_eq!(sizes, [8 << 20, 64 << 10, 1 << 20]);
    });
}

#[test]
fn ids_count_from_one_in_each_run_and_are_never_equal_across_runs() {
    let ids = || {
        fibra::run(|| {
            let child = fibra::spawn(|| fibra::current().id());
            [fibra::current().id(), child.join().unwrap()]
        })
    };
    let (first, second) = (ids(), ids());
    assert_eq!(first.map(fibra::FiberId::number), [1, 2]);
    assert_eq!(second.map(fibra::FiberId::number), [1, 2]);
    assert!(first[0] != second[0] && first[1] != second[1]);
}

#[test]
fn a_join_error_describes_what_happened() {
    fibra::run(|| {
        let killed = fibra::spawn(fibra::park);
        killed.kill();
        let error = killed.join().unwrap_err();
        assert!(matches!(error, JoinError::Killed), "{error:?}");
        assert_eq!(error.to_string(), "the fiber was killed");
        assert!(error.into_panic().unwrap_err().is_killed());

        let error = fibra::spawn(|| panic!("no {}", "cheese")).join().unwrap_err();
        assert_eq!(error.to_string(), "the fiber panicked: no cheese");
        assert!(!error.is_killed());
        assert_eq!(crate::support::text_of(error.into_panic().unwrap().as_ref()), "no cheese");
    });
}
