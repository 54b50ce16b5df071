//! Hostile programs in safe code: each must work or fail with a text, and leave nothing behind.

#![allow(clippy::disallowed_methods, reason = "threads end, and with them their thread-locals")]

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use fibra::greenlet::{self, Greenlet, GreenletExit, SwitchError, settrace};
use fibra::{JoinError, frame, run, spawn, yield_now};

use crate::support::greenlet::{KeyError, key_error, raise, raised, words};
use crate::support::{
    DONE_LINE, Noisy, OnDrop, apart, check, in_child, log, name_of, panic_of, stderr,
};

type Number = Greenlet<i64>;

fn main() -> Number {
    greenlet::main()
}

fn back(n: i64) -> i64 {
    main().switch(n).unwrap()
}

fn suspended(name: &'static str) -> Number {
    let g = Greenlet::new(move |_: i64| {
        let _noisy = Noisy(name);
        back(0)
    });
    g.switch(0).unwrap();
    g
}

thread_local! {
    static KEPT: RefCell<Vec<Number>> = const { RefCell::new(Vec::new()) };
    static LENT: String = String::from("a thread-local");
}

#[test]
fn one_kept_in_a_thread_local_is_unwound_before_the_thread_local_it_borrows() {
    let trace = std::thread::spawn(|| {
        frame(|| {
            let g = Greenlet::new(|n: i64| {
                LENT.with(|lent| {
                    let _guard = OnDrop(|| log(lent));
                    back(n)
                })
            });
            g.switch(1).unwrap();
            KEPT.with_borrow_mut(|kept| kept.push(g));
        });
        check("a thread-local");
        KEPT.with_borrow(|kept| words(&kept[0]))
    });
    assert_eq!(trace.join().unwrap(), "dead");
}

#[test]
fn unstarted_ones_kept_in_a_thread_local_are_dropped_when_the_thread_ends() {
    let thread = std::thread::spawn(|| {
        let inside = frame(|| Greenlet::new(|n: i64| n));
        KEPT.with_borrow_mut(|kept| kept.extend([inside, Greenlet::new(|n: i64| n)]));
    });
    thread.join().unwrap();
}

#[test]
fn started_here_switched_to_there_and_dropped_in_a_third_place() {
    run(|| {
        let shared: Rc<RefCell<Option<Number>>> = Rc::default();
        let keep = shared.clone();
        let owner = spawn(move || {
            keep.replace(Some(suspended("unwound by its owner")));
            fibra::park();
            drop(greenlet::current::<i64>());
            log("owner goes on");
        });
        yield_now();
        let g = shared.take().unwrap();
        let g = spawn(move || {
            assert!(matches!(g.switch(1), Err(SwitchError::Elsewhere(1, _))));
            g
        })
        .join()
        .unwrap();
        spawn(move || drop(g)).join().unwrap();
        log("dropped");
        owner.fiber().unpark();
        owner.join().unwrap();
        check("dropped unwound by its owner owner goes on");
    });
}

#[test]
fn the_last_handle_goes_while_it_is_parked_in_a_wait() {
    run(|| {
        let shared: Rc<RefCell<Option<Number>>> = Rc::default();
        let keep = shared.clone();
        let owner = spawn(move || {
            let child = Number::empty();
            let inner = keep.clone();
            let g = Greenlet::new(move |n: i64| {
                let _noisy = Noisy("killed");
                let child = inner.take().unwrap();
                child.set_parent(&main()).unwrap();
                inner.replace(Some(greenlet::current()));
                yield_now();
                log("still runs");
                back(n)
            });
            child.set_run(|n| n).unwrap();
            child.set_parent(&g).unwrap();
            keep.replace(Some(child.clone()));
            drop(g);
            // Its end starts `g`, to which no handle is left here.
            log(child.switch(5).unwrap());
        });
        yield_now();
        drop(shared.take());
        log("dropped");
        owner.join().unwrap();
        check("dropped still runs killed 5");
    });
}

#[test]
fn main_is_killed_while_a_greenlet_waits() {
    let payload = raised(|| {
        run(|| {
            let _main = Noisy("main");
            let me = fibra::current();
            drop(spawn(move || me.kill()));
            let g = Greenlet::new(|n: i64| {
                let _noisy = Noisy("greenlet");
                fibra::park();
                n
            });
            g.switch(1).unwrap();
        });
    });
    assert!(payload.is::<fibra::Killed>());
    check("greenlet main");
}

#[test]
fn a_kill_that_meets_main_in_a_destructor_is_not_lost() {
    run(|| {
        let fiber = spawn(|| {
            let g = Greenlet::new(|n: i64| {
                fibra::park();
                n
            });
            let _guard = OnDrop(move || {
                // This fiber unwinds, so the kill cannot be raised here.
                let result = g.switch(1);
                log(matches!(result, Err(SwitchError::Unraised(_)) | Ok(_)));
            });
            raise(KeyError("first"))
        });
        yield_now();
        fiber.kill();
        yield_now();
        fiber.fiber().unpark();
        assert!(matches!(fiber.join(), Err(JoinError::Killed)));
        check("true");
    });
}

#[test]
fn a_tracer_that_raises_where_nothing_can_be_raised() {
    frame(|| {
        let g = Greenlet::new(|n: i64| n);
        let error = key_error(|| {
            let _guard = OnDrop(|| {
                settrace(Some(Rc::new(|_, _, target| {
                    if target == main().id() {
                        raise("tracer")
                    }
                })));
                match g.switch(1) {
                    Err(SwitchError::Unraised(panic)) => log(panic.message()),
                    other => log(format!("{other:?}")),
                }
            });
            raise(KeyError("e"))
        });
        assert_eq!(error, "e");
        check("tracer");
    });
}

#[test]
fn a_victim_of_another_family_cannot_reach_a_main_that_does_not_wait_for_it() {
    frame(|| {
        let victim = Greenlet::new(|n: i64| {
            drop(raised(|| back(n)));
            // Main waits for texts.
            log(matches!(main().switch(1), Err(SwitchError::Family(1, _))));
            log(matches!(main().kill(), Err(SwitchError::Family(..))));
            n
        });
        victim.switch(1).unwrap();
        let dropper = Greenlet::new(move |text: &'static str| {
            drop(victim);
            text
        });
        assert_eq!(dropper.switch("x").unwrap(), "x");
        check("true true");
    });
}

#[test]
fn a_value_that_ends_in_a_main_of_another_family_is_an_error_there() {
    frame(|| {
        let z = suspended("z");
        let to_z = z.clone();
        let victim = Greenlet::new(move |n: i64| {
            drop(raised(|| back(n)));
            // `z` switches back to main, which waits for a text.
            to_z.switch(1).unwrap()
        });
        victim.switch(1).unwrap();
        let dropper = Greenlet::new(move |text: &'static str| {
            drop(victim);
            text
        });
        let text = panic_of(|| dropper.switch("x"));
        assert!(text.contains("exchange values of type `&str`"), "{text}");
        assert!(z.is_dead() && !dropper.is_dead());
        check("z");
        assert_eq!(dropper.switch("y").unwrap(), "x", "its victim is killed again");
    });
}

#[test]
fn a_hundred_thousand_in_a_chain_are_unwound_one_in_the_other() {
    let output =
        in_child(name_of!(a_hundred_thousand_in_a_chain_are_unwound_one_in_the_other), &[], || {
            frame(|| {
                // With the sanitizer, each one needs 30 KiB.
                let count = if cfg!(sanitized) { 10_000 } else { 100_000 };
                let unwound = Rc::new(Cell::new(0));
                let mut last = main();
                for _ in 0..count {
                    let (next, count) = (last, unwound.clone());
                    last = Greenlet::new(move |_: i64| {
                        let _guard = OnDrop(|| count.set(count.get() + 1));
                        let n = back(0);
                        next.switch(n + 1).unwrap()
                    });
                    last.switch(0).unwrap();
                }
                assert_eq!(last.switch(0).unwrap(), count);
                drop(last);
                assert_eq!(unwound.get(), count);
            });
        });
    assert_eq!(stderr(&output), DONE_LINE);
}

#[test]
fn a_destructor_that_starts_others_without_end_is_stopped() {
    fn again(n: i64) -> i64 {
        let _guard = OnDrop(|| {
            // The frame is ending: this one cannot be switched to, and main makes the next one.
            KEPT.with_borrow_mut(|kept| kept.push(Greenlet::new(again)));
        });
        back(n)
    }
    let output =
        in_child(name_of!(a_destructor_that_starts_others_without_end_is_stopped), &[], || {
            struct Restarts;
            impl Drop for Restarts {
                fn drop(&mut self) {
                    let g = Greenlet::new(again);
                    let _ = g.switch(1);
                    greenlet::locals().set(Restarts);
                    std::mem::forget(g);
                }
            }
            frame(|| {
                greenlet::locals().set(Restarts);
                let g = Greenlet::new(again);
                g.switch(1).unwrap();
                std::mem::forget(g);
            });
        });
    assert_eq!(
        stderr(&output),
        format!(
            "fibra: a greenlet is one of too many that were started by destructors: its stack is \
             kept\n{DONE_LINE}"
        )
    );
}

#[test]
fn overflowing_a_greenlets_stack_is_reported() {
    fn down(n: u64) -> u64 {
        let page = std::hint::black_box([n; 64]);
        if page[0] == u64::MAX { 0 } else { down(n + 1) + page[0] }
    }
    let output = in_child(name_of!(overflowing_a_greenlets_stack_is_reported), &[], || {
        frame(|| {
            let g = Greenlet::new(down);
            let _ = g.switch(0);
        });
    });
    let text = stderr(&output);
    assert!(!output.status.success() && text.contains("overflow"), "{text}");
}

#[test]
fn a_greenlet_may_open_a_scope_whose_children_borrow_from_its_stack() {
    run(|| {
        let g = Greenlet::new(|n: i64| {
            let local = Cell::new(n);
            fibra::scope(|s| {
                s.spawn(|| {
                    yield_now();
                    local.set(local.get() + 1);
                    log("child");
                });
                back(0)
            });
            local.get()
        });
        g.switch(1).unwrap();
        // The greenlet waits for its children before it is unwound.
        drop(g);
        log("dropped");
        check("child dropped");
    });
}

#[test]
fn a_switch_while_the_thread_unwinds_elsewhere() {
    run(|| {
        let unwinding = spawn(|| {
            let _guard = OnDrop(|| {
                yield_now();
                yield_now();
            });
            raise(KeyError("slow"))
        });
        yield_now();
        assert!(std::thread::panicking());
        let g = Greenlet::new(|n: i64| match main().switch(n) {
            Err(SwitchError::Unraised(payload)) => i64::from(payload.is::<GreenletExit>()),
            other => panic!("{other:?}"),
        });
        g.switch(7).unwrap();
        // It switched away while the thread unwound, maybe in a destructor: the exit is not raised.
        assert_eq!(g.kill().unwrap(), 1);
        assert!(matches!(unwinding.join(), Err(JoinError::Panicked(_))));
    });
}

#[test]
fn exits_that_pass_everywhere_at_once() {
    frame(|| {
        // Each one holds the next, which is its parent, and drops it when it is killed.
        let mut last = suspended("0");
        for name in ["1", "2"] {
            let inner = last.clone();
            let outer = Greenlet::new(move |_: i64| {
                let _noisy = Noisy(name);
                let result = catch_unwind(AssertUnwindSafe(|| back(0)));
                drop(inner.kill());
                result.unwrap_or_else(|_| GreenletExit::new(name).raise())
            });
            outer.switch(0).unwrap();
            last.set_parent(&outer).unwrap();
            last = outer;
        }
        drop(last.kill());
        assert!(last.is_dead());
    });
}

#[test]
fn exit_unwinds_a_greenlet_and_ends_the_process() {
    let output = in_child(name_of!(exit_unwinds_a_greenlet_and_ends_the_process), &[], || {
        run(|| {
            let g = Greenlet::new(|_: i64| {
                let _guard = OnDrop(|| eprintln!("unwound"));
                fibra::exit(7)
            });
            let _ = g.switch(1);
        });
    });
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(7), "unwound\n"));
}

#[test]
#[cfg_attr(sanitized, ignore = "the sanitizer needs addresses itself")]
#[cfg(target_os = "linux")]
fn without_memory_for_a_stack_the_value_comes_back_and_it_stays_unstarted() {
    let test = name_of!(without_memory_for_a_stack_the_value_comes_back_and_it_stays_unstarted);
    const CHILD: &str = "FIBRA_GREENLET_NO_STACK";
    if std::env::var_os(CHILD).is_some() {
        return frame(|| {
            let make = || greenlet::GreenletBuilder::new().stack_size(1 << 30).build(back);
            let mut started = Vec::new();
            let refused = loop {
                let g = make();
                match g.switch(5) {
                    Ok(_) => started.push(g),
                    Err(SwitchError::NoStack(5, _)) => break g,
                    Err(other) => panic!("{other}"),
                }
                assert!(started.len() < 100);
            };
            assert_eq!(words(&refused), "pending");
            drop(started);
            assert_eq!(refused.switch(6).unwrap(), 6);
            eprint!("{DONE_LINE}");
        });
    }
    let mut child = std::process::Command::new("sh");
    child.args(["-c", "ulimit -v 10000000; exec \"$0\" \"$@\""]);
    child.arg(std::env::current_exe().unwrap());
    child.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    let output = child.env(CHILD, "1").output().unwrap();
    assert!(stderr(&output).ends_with(DONE_LINE), "{}", stderr(&output));
}

#[test]
fn closures_and_values_of_a_megabyte_need_no_stack_size() {
    let program = || {
        let large = [7u8; 1 << 20];
        let g = Greenlet::new(move |n: i64| n + i64::from(large[n as usize]));
        assert_eq!(g.switch(1).unwrap(), 8);
        let later = Number::empty();
        later.set_run(move |n| n + i64::from(large[n as usize])).unwrap();
        assert_eq!(later.switch(2).unwrap(), 9);
        let g = Greenlet::new(|mut page: [u8; 100_000]| {
            page[1] += 1;
            greenlet::main().switch(page).unwrap()
        });
        let page = g.switch([1; 100_000]).unwrap();
        assert_eq!(g.switch(page).unwrap()[..3], [1, 2, 1]);
    };
    // The test's own stack must be large enough for them, too.
    let thread = std::thread::Builder::new().stack_size(64 << 20);
    thread.spawn(move || frame(program)).unwrap().join().unwrap();
}

#[test]
fn a_destructor_that_unwinds_may_use_greenlets_of_its_own() {
    frame(|| {
        let error = key_error(|| {
            let _guard = OnDrop(|| {
                let g = Greenlet::new(|n: i64| {
                    let _noisy = Noisy("helper");
                    back(n + 1)
                });
                log(g.switch(1).unwrap());
                // Whether `g` itself unwinds is unknown, so it is killed when the unwind is over.
            });
            raise(KeyError("e"))
        });
        log(error);
        drop(greenlet::current::<i64>());
        check("2 e helper");
    });
}

#[test]
fn a_victim_that_switches_in_a_destructor_may_be_dropped_by_an_unwind() {
    apart(|| {
        frame(|| {
            let g = Greenlet::new(|n: i64| {
                let _guard = OnDrop(|| log(format!("{:?}", main().switch(0))));
                back(n)
            });
            g.switch(1).unwrap();
            let error = key_error(|| {
                let _g = g;
                raise(KeyError("e"))
            });
            // It is suspended in its destructor, and is abandoned there.
            assert_eq!(error, "e");
            check("");
        });
    });
}

#[test]
fn thread_locals_are_not_destroyed_when_the_process_exits_with_greenlets_left() {
    struct Late(Number, Number);
    impl Drop for Late {
        fn drop(&mut self) {
            eprintln!("{:?} {:?}", self.0.switch(1), self.1.switch(1));
        }
    }
    thread_local! {
        static LATE: RefCell<Option<Late>> = const { RefCell::new(None) };
    }
    let test = name_of!(thread_locals_are_not_destroyed_when_the_process_exits_with_greenlets_left);
    for inside_run in ["", "1"] {
        let output = in_child(test, &[("INSIDE_RUN", inside_run)], || {
            frame(|| {
                let other = suspended("never");
                let g =
                    greenlet::GreenletBuilder::new().stack_size(1 << 20).build(move |_: i64| {
                        LATE.set(Some(Late(main(), other)));
                        if std::env::var("INSIDE_RUN").unwrap().is_empty() {
                            fibra::exit(5)
                        }
                        run(|| {
                            // Nothing can be unwound in an unwind: the process exits immediately.
                            let _guard = OnDrop(|| fibra::exit(5));
                            raise(KeyError("e"))
                        })
                    });
                let _ = g.switch(1);
            });
        });
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(5), "{text}");
        // The stack of the other greenlet may refer to the values: they are never destroyed.
        assert_eq!(text, "");
    }
}
