//! Hostile programs in safe code that use generators: each tries to make them touch what is gone,
//! lose a destructor, hang or give a wrong value.

mod support;

use std::cell::{Cell, RefCell};
use std::mem;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use fibra::channel::{Channel, RecvTimeoutError};
use fibra::generator::{self, CloseError, Generator, GeneratorExit, GeneratorState, ResumeError};
use fibra::generator::{Scope, Yielder};
use support::{Noisy, OnDrop, check, go, log, ms, panic_of, run_virtually};

const HOUR: Duration = Duration::from_secs(3600);

fn quiet_panic(text: &'static str) -> ! {
    panic::resume_unwind(Box::new(text))
}

fn caught<T>(f: impl FnOnce() -> T) -> bool {
    catch_unwind(AssertUnwindSafe(f)).is_err()
}

/// A generator that says when it is unwound.
fn noisy(name: &'static str) -> Generator<u32> {
    generator::iter(move |y| {
        let _noisy = Noisy(name);
        (0..).for_each(|n| y.yield_(n));
    })
}

/// A payload, or any value, whose destructor panics.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        quiet_panic("bomb");
    }
}

// -- handles that are kept too long ---------------------------------------------------------------

#[test]
#[allow(clippy::disallowed_methods, reason = "a thread whose thread-locals are destroyed")]
fn a_handle_in_a_thread_local_is_dead_when_that_is_destroyed() {
    thread_local! {
        static KEPT: RefCell<Option<Generator<u32>>> = const { RefCell::new(None) };
        static NAME: String = String::from("name");
    }
    let keep = || {
        KEPT.with(|_| ()); // first used, destroyed last
        let mut borrows = generator::iter(|y| {
            NAME.with(|name| {
                let _looks = OnDrop(|| log(format!("unwound with {name}")));
                y.yield_(1);
            });
        });
        assert_eq!(borrows.next(), Some(1));
        KEPT.with(|kept| *kept.borrow_mut() = Some(borrows));
    };
    let look = |expected: &str| {
        check(expected);
        KEPT.with(|kept| {
            let mut kept = kept.borrow_mut();
            let kept = kept.as_mut().unwrap();
            assert!(kept.is_finished() && kept.next().is_none());
            assert!(matches!(kept.try_resume(()), Err(ResumeError::Finished(()))));
            assert!(matches!(kept.close(), Ok(None)));
        });
    };
    std::thread::spawn(move || {
        fibra::frame(keep);
        look("unwound with name");
        fibra::run(|| fibra::spawn(keep).join().unwrap());
        look("unwound with name");
        fibra::run(keep);
        look("unwound with name");
    })
    .join()
    .unwrap();
}

#[test]
fn no_fiber_but_its_own_resumes_throws_or_closes_and_all_may_drop() {
    run_virtually(|| {
        let shared: Rc<RefCell<Vec<Generator<u32>>>> = Rc::default();
        let (of_owner, left) = (shared.clone(), Channel::<()>::new());
        let release = left.clone();
        let owner = fibra::spawn(move || {
            for name in ["a", "b", "c"] {
                let mut made = noisy(name);
                made.next();
                of_owner.borrow_mut().push(made);
            }
            left.recv().unwrap();
            // The reference to the dropped one's stack is cleaned up when the next starts.
            assert_eq!(generator::iter(|y| y.yield_(1)).next(), Some(1));
            log("owner ends");
        });
        fibra::yield_now();
        {
            let mut all = shared.borrow_mut();
            assert!(matches!(all[0].try_resume(()), Err(ResumeError::Elsewhere(()))));
            assert!(matches!(all[0].close(), Err(CloseError::Refused)));
            assert!(panic_of(|| all[0].throw(1)).starts_with("nothing can be thrown"));
            assert!(panic_of(|| all[0].next()).contains("belongs to the fiber"));
            drop(all.pop()); // "c"
        }
        log("dropped");
        release.send(()).unwrap();
        owner.join().unwrap();
        log("joined");
        assert!(shared.borrow_mut().iter_mut().all(|one| one.next().is_none()));
        shared.take();
    });
    check("dropped c owner ends b a joined");
}

#[test]
fn a_generator_may_be_the_output_and_the_message_of_a_fiber() {
    run_virtually(|| {
        let fresh = fibra::spawn(|| noisy("fresh")).join().unwrap();
        let mut started = fibra::spawn(|| {
            let mut made = noisy("started");
            made.next();
            made
        });
        let mut other = Some(fresh);
        assert_eq!(other.as_mut().unwrap().next(), Some(0));
        fibra::yield_now();
        assert!(!format!("{started:?}").is_empty());
        let mut dead = { mem::replace(&mut started, fibra::spawn(|| noisy("-"))) }.join().unwrap();
        assert_eq!(dead.next(), None);
        other.take();
        drop(started.join());
    });
    check("started fresh");
}

#[test]
fn a_handle_that_its_own_body_owns_is_no_trouble() {
    fibra::frame(|| {
        let cell: Rc<RefCell<Option<Generator<u32>>>> = Rc::default();
        let own = cell.clone();
        let mut knot = generator::iter(move |y| {
            let _noisy = Noisy("unwound");
            assert!(own.borrow().is_none());
            y.yield_(1);
            // Here it is its own owner, and drops itself while it runs.
            drop(own.take());
            log("dropped its handle");
            y.yield_(2);
        });
        assert_eq!(knot.next(), Some(1));
        *cell.borrow_mut() = Some(knot);
        // Nobody else has it now: the end of the frame closes it, and its clean-up drops it.
        let weak = Rc::downgrade(&cell);
        drop(cell);
        assert!(weak.upgrade().is_some());
    });
    check("unwound");
}

#[test]
fn a_leaked_generator_ends_with_its_frame() {
    fibra::frame(|| {
        let leaked: &'static mut Generator<u32> = Box::leak(Box::new(noisy("leaked")));
        assert_eq!((leaked.next(), leaked.next()), (Some(0), Some(1)));
    });
    check("leaked");
}

// -- generators on generators ---------------------------------------------------------------------

/// Three generators on each other; the innermost yields for the one that `at` says.
fn tower(at: usize) -> Generator<u32> {
    generator::iter(move |a: &Yielder<u32>| {
        let _a = Noisy("a");
        generator::scope(|s| {
            let mut middle = s.iter(|b: &Yielder<u32>| {
                let _b = Noisy("b");
                generator::scope(|s| {
                    let mut inner = s.iter(|c: &Yielder<u32>| {
                        let _c = Noisy("c");
                        for n in 0.. {
                            [a, b, c][at].yield_(n);
                        }
                    });
                    // What the innermost yields for itself the middle one passes on, and so on.
                    while let Some(n) = inner.next() {
                        b.yield_(n);
                    }
                });
            });
            while let Some(n) = middle.next() {
                a.yield_(n);
            }
        });
    })
}

#[test]
fn a_tower_goes_on_together_whoever_is_yielded_for_and_from_wherever_it_is_resumed() {
    fibra::frame(|| {
        for at in 0..3 {
            let mut one = tower(at);
            assert_eq!((one.next(), one.next()), (Some(0), Some(1)));
            // Resumed from another generator's stack, and from one on top of that.
            let mut from_above = generator::iter(move |y| {
                y.yield_(one.next());
                generator::scope(|s| {
                    let next = || one.next();
                    s.iter(|_: &Yielder<()>| y.yield_({ next }())).for_each(drop);
                });
                y.yield_(one.next());
                one
            });
            assert_eq!(from_above.next(), Some(Some(2)));
            assert_eq!(from_above.next(), Some(Some(3)));
            assert_eq!(from_above.next(), Some(Some(4)));
            let GeneratorState::Complete(mut one) = from_above.resume(()) else { panic!() };
            assert_eq!(one.next(), Some(5));
            check("");
            drop(one);
            check("c b a");
        }
    });
}

#[test]
fn a_tower_is_unwound_in_order_by_drop_close_throw_and_the_end_of_its_frame() {
    for at in 0..3 {
        fibra::frame(|| {
            let mut one = tower(at);
            one.next();
            assert!(matches!(one.close(), Ok(None)));
            check("c b a");
            let mut one = tower(at);
            one.next();
            assert!(caught(|| one.throw("thrown")));
            check("c b a");
            let mut one = tower(at);
            one.next();
            mem::forget(one);
        });
        check("c b a");
        run_virtually(|| assert_eq!(fibra::spawn(move || tower(at).next()).join().unwrap(), Some(0)));
        check("c b a");
    }
}

#[test]
fn two_towers_are_dropped_in_every_order_and_resumed_in_between() {
    for order in 0..4 {
        fibra::frame(|| {
            let (mut one, mut two) = (tower(order % 2), tower(order / 2));
            one.next();
            two.next();
            one.next();
            drop(one);
            assert_eq!(two.next(), Some(1));
            drop(two);
        });
        check("c b a c b a");
    }
}

#[test]
fn an_inner_generator_that_catches_what_was_thrown_at_the_outer_one_keeps_both_going() {
    fibra::frame(|| {
        let mut outer = generator::iter(|y: &Yielder<u32>| {
            generator::scope(|s| {
                let mut inner = s.iter(|_: &Yielder<()>| {
                    assert!(caught(|| y.yield_(1)));
                    y.yield_(2);
                });
                assert_eq!(inner.next(), None);
            });
            y.yield_(3);
        });
        assert_eq!(outer.next(), Some(1));
        assert_eq!(outer.throw("caught"), GeneratorState::Yielded(2));
        assert_eq!((outer.next(), outer.next()), (Some(3), None));
    });
}

#[test]
fn a_running_generator_is_neither_resumed_nor_closed_by_what_it_calls() {
    fibra::frame(|| {
        // The middle one is suspended by the outer's yield; it counts as running, and its handle,
        // which lies on the outer one's stack, is borrowed. Only the outer one can be had.
        let shared: Rc<RefCell<Option<Generator<u32>>>> = Rc::default();
        let inside = shared.clone();
        let mut outer = generator::iter(move |y| {
            assert!(inside.borrow().is_none(), "whoever resumes it has taken it");
            y.yield_(1);
            assert!(inside.try_borrow_mut().is_err(), "and here it is borrowed");
            y.yield_(2);
        });
        assert_eq!(outer.next(), Some(1));
        *shared.borrow_mut() = Some(outer);
        assert_eq!(shared.borrow_mut().as_mut().unwrap().next(), Some(2));
        shared.take();
    });
}

// -- what happens while one is closed -------------------------------------------------------------

#[test]
fn clean_up_may_resume_and_start_others_and_panic() {
    fibra::frame(|| {
        let mut other = noisy("other");
        other.next();
        let mut one = generator::iter(move |y| {
            let _last = Noisy("last");
            let _starts = OnDrop(|| log(generator::iter(|y| y.yield_("new")).count()));
            let _resumes = OnDrop(move || log(other.next().unwrap()));
            y.yield_(());
        });
        one.next();
        drop(one);
        check("1 other 1 last");

        let panics = || {
            let mut panics = generator::iter(|y| {
                let _last = Noisy("last");
                fibra::finally(|| y.yield_(()), || quiet_panic("clean-up"));
            });
            panics.next();
            panics
        };
        drop(panics());
        assert!(matches!(panics().close(), Err(CloseError::Panicked(_))));
        mem::forget(panics());
    });
    check("last last last");
}

#[test]
fn clean_up_may_wait() {
    run_virtually(|| {
        let channel = Channel::new();
        let of_sender = channel.clone();
        go(move || {
            fibra::sleep(ms(5));
            of_sender.send("message").unwrap();
        });
        let make = || {
            let channel = channel.clone();
            let mut waits = generator::iter(move |y| {
                let _waits = OnDrop(|| {
                    fibra::sleep(ms(1));
                    log(channel.recv().unwrap_or("none"));
                    fibra::spawn(|| fibra::sleep(ms(1))).join().unwrap();
                    fibra::scope(|s| drop(s.spawn(|| fibra::sleep(ms(1)))));
                });
                y.yield_(());
            });
            waits.next();
            waits
        };
        drop(make());
    });
    check("message");
}

#[test]
fn a_closing_generator_that_yields_is_raised_in_again_until_it_ends() {
    fibra::frame(|| {
        let mut stubborn = generator::iter(|y| {
            let _noisy = Noisy("unwound");
            for n in 0..50 {
                let raised = catch_unwind(AssertUnwindSafe(|| y.yield_(n)));
                let payload = raised.expect_err("nobody resumes it");
                assert!(payload.is::<GeneratorExit>());
            }
            log("gave up");
        });
        assert_eq!(stubborn.next(), Some(0));
        // `close` is an edge, the drop a level.
        assert!(matches!(stubborn.close(), Err(CloseError::Ignored(1))));
        assert!(matches!(stubborn.close(), Err(CloseError::Ignored(2))));
    });
    check("gave up unwound");
}

#[test]
fn payloads_and_values_whose_destructors_panic_are_survived() {
    fibra::frame(|| {
        let mut bombs = generator::iter(|y| {
            let _ = catch_unwind(AssertUnwindSafe(|| y.yield_(1)));
            panic::resume_unwind(Box::new(Bomb));
        });
        bombs.next();
        drop(bombs);
        let mut output = generator::iter(|y| {
            let _ = catch_unwind(AssertUnwindSafe(|| y.yield_(1)));
            Bomb
        });
        output.next();
        drop(output);
        let captured = Bomb;
        let mut captures = generator::iter(move |y| {
            let _captured = &captured;
            y.yield_(1);
        });
        captures.next();
        // It returns, so that its captured value is dropped while nothing unwinds.
        assert!(caught(|| captures.next()));
        let fresh = Bomb;
        assert!(caught(|| drop(generator::iter(move |y: &Yielder<()>| y.yield_(drop(fresh))))));
        let fresh = Bomb;
        let mut closed = generator::iter(move |y: &Yielder<()>| y.yield_(drop(fresh)));
        assert!(caught(|| closed.close()));
        assert!(closed.is_finished());
        assert_eq!(generator::iter(|y| y.yield_(7)).next(), Some(7));
    });
}

#[test]
fn throw_and_close_in_every_state() {
    fibra::frame(|| {
        let fresh = || noisy("unwound");
        assert!(caught(|| fresh().throw("fresh")));
        assert!(matches!(fresh().close(), Ok(None)));
        check("");
        let mut ended = generator::iter(|_: &Yielder<()>| 5);
        assert_eq!(ended.next(), None);
        assert!(matches!(ended.close(), Ok(None)));
        assert!(caught(|| ended.throw("ended")));
        let mut returns = generator::iter(|y| caught(|| y.yield_(())));
        returns.next();
        assert!(matches!(returns.close(), Ok(Some(true))));
        let mut returns = generator::iter(|y| caught(|| y.yield_(())));
        returns.next();
        assert_eq!(returns.throw(1), GeneratorState::Complete(true));
    });
    // Outside of every frame only a fresh one can be had, and it can end.
    assert!(caught(|| noisy("never").throw("outside")));
    assert!(matches!(noisy("never").close(), Ok(None)));
    check("");
}

#[test]
fn a_generator_suspended_in_a_destructor_of_its_own_can_be_resumed_and_nothing_else() {
    fibra::frame(|| {
        let mut one = generator::iter(|y: &Yielder<u32>| {
            let _yields = OnDrop(|| y.yield_(2));
            y.yield_(1);
            quiet_panic("unwinds");
        });
        assert_eq!((one.next(), one.next()), (Some(1), Some(2)));
        assert!(std::thread::panicking());
        assert!(matches!(one.close(), Err(CloseError::Refused)));
        // Others work meanwhile.
        assert_eq!(generator::iter(|y| y.yield_(7)).next(), Some(7));
        assert!(caught(|| one.next()));
        assert!(one.is_finished() && !std::thread::panicking());
    });
}

// -- fibers that are killed, and end --------------------------------------------------------------

#[test]
fn a_generator_that_catches_the_kill_of_its_fiber_meets_it_again() {
    run_virtually(|| {
        let fiber = fibra::spawn(|| {
            let _noisy = Noisy("fiber");
            let mut one = generator::iter(|y| {
                let _noisy = Noisy("generator");
                for n in 0..3 {
                    assert!(caught(fibra::park));
                    y.yield_(n);
                }
            });
            assert_eq!((one.next(), one.next()), (Some(0), Some(1)));
            let _suspended = one;
            fibra::park();
            unreachable!();
        });
        fibra::yield_now();
        fiber.kill();
        assert!(fiber.join().unwrap_err().is_killed());
    });
    check("generator fiber");
}

#[test]
fn a_fiber_that_refuses_to_end_in_a_generator_is_retired_and_its_generators_with_it() {
    let kept: Rc<RefCell<Option<Generator<u32>>>> = Rc::default();
    let inside = kept.clone();
    run_virtually(move || {
        let refuses = fibra::spawn(move || {
            let mut other = noisy("never");
            other.next();
            *inside.borrow_mut() = Some(other);
            generator::iter(|_: &Yielder<()>| {
                loop {
                    let _ = catch_unwind(fibra::park);
                }
            })
            .for_each(drop);
        });
        fibra::yield_now();
        refuses.kill();
        assert!(matches!(refuses.join(), Err(fibra::JoinError::Retired)));
    });
    let mut other = kept.take().unwrap();
    // Its stack is kept, and nobody reaches it any more, in no frame.
    assert!(other.try_resume(()).is_err());
    fibra::frame(|| assert!(other.try_resume(()).is_err()));
    fibra::run(|| assert!(other.try_resume(()).is_err()));
    drop(other);
    check("");
}

#[test]
fn nurseries_timeouts_and_shields_stay_with_the_stack_they_are_on() {
    run_virtually(|| {
        let channel = Channel::<()>::new();
        let mut one = generator::iter(move |y| {
            let late = channel.recv_timeout(ms(5));
            assert!(matches!(late, Err(RecvTimeoutError::Timeout)), "{late:?}");
            y.yield_(1);
            fibra::shield(|| {
                y.yield_(2);
                let late = channel.recv_timeout(ms(5));
                assert!(matches!(late, Err(RecvTimeoutError::Timeout)), "{late:?}");
            });
            fibra::nursery(|n| {
                n.spawn(|| fibra::sleep(HOUR));
                fibra::finally(|| y.yield_(3), || log("finally"));
            });
        });
        // Resumed inside a nursery that fails before the next resume.
        let failed = caught(|| {
            fibra::nursery(|n| {
                assert_eq!(one.next(), Some(1));
                n.spawn(|| quiet_panic("fails"));
                assert_eq!(one.next(), Some(2));
                fibra::yield_now();
                fibra::yield_now();
            });
        });
        assert!(failed);
        // The failed nursery is gone, and its stack was used for other things.
        std::hint::black_box([7_u8; 4096]);
        assert_eq!(one.next(), Some(3));
        let before = fibra::now();
        drop(one);
        assert_eq!(fibra::now(), before, "the sleeper was killed, not waited for");
    });
    check("finally");
}

#[test]
fn a_nursery_may_fail_and_its_generator_be_closed_without_a_look_at_it() {
    run_virtually(|| {
        let mut one = generator::iter(|y| {
            let _noisy = Noisy("unwound");
            fibra::nursery(|n| {
                n.spawn(|| quiet_panic("reported, for nobody sees it"));
                y.yield_(());
            });
        });
        one.next();
        fibra::sleep(ms(1));
        assert!(matches!(one.close(), Ok(None)));
    });
    check("unwound");
}

#[test]
fn a_scope_in_a_generator_lends_to_fibers_until_the_generator_is_closed() {
    run_virtually(|| {
        let mut one = generator::iter(|y| {
            let words = vec![String::from("lent")];
            fibra::scope(|s| {
                s.spawn(|| {
                    fibra::sleep(ms(5));
                    log(&words[0]);
                });
                y.yield_(());
            });
        });
        one.next();
        go(|| log("other"));
        // The drop waits for the fiber.
        drop(one);
        log("dropped");
    });
    check("other lent dropped");
}

#[test]
fn the_main_fibers_generators_are_unwound_before_others_are_killed() {
    run_virtually(|| {
        go(|| {
            let _noisy = Noisy("other fiber");
            fibra::park();
        });
        fibra::yield_now();
        mem::forget({
            let mut one = noisy("generator of main");
            one.next();
            one
        });
    });
    check("generator of main other fiber");
}

#[test]
fn a_run_in_a_generator_of_a_frame_has_frames_of_its_own() {
    fibra::frame(|| {
        let mut of_thread = noisy("thread's");
        of_thread.next();
        let mut one = generator::iter(move |y| {
            let inside = run_virtually(|| {
                assert!(caught(|| y.yield_(0)), "a fiber is not its frame");
                assert!(matches!(of_thread.try_resume(()), Err(ResumeError::Elsewhere(()))));
                let mut of_main = noisy("main's");
                of_main.next();
                fibra::frame(|| drop(of_main.next()));
                fibra::sleep(ms(1));
                of_main
            });
            assert!(inside.is_finished());
            y.yield_(of_thread.next().unwrap());
        });
        assert_eq!(one.next(), Some(1));
    });
    check("main's thread's");
}

// -- scopes ---------------------------------------------------------------------------------------

#[test]
fn scopes_close_what_is_forgotten_also_when_they_unwind_and_nest() {
    fibra::frame(|| {
        let word = String::from("borrowed");
        let unwound = caught(|| {
            generator::scope(|s| {
                let mut outer = s.iter(|y| {
                    let _says = OnDrop(|| log(format!("outer {word}")));
                    generator::scope(|s| {
                        let mut inner = s.iter(|y: &Yielder<()>| {
                            let _says = OnDrop(|| log(format!("inner {word}")));
                            y.yield_(());
                        });
                        inner.next();
                        mem::forget(inner);
                        y.yield_(());
                    });
                });
                outer.next();
                mem::forget(outer);
                quiet_panic("unwinds");
            });
        });
        assert!(unwound);
    });
    check("inner borrowed outer borrowed");
}

#[test]
fn a_destructor_may_start_more_in_the_scope_that_ends() {
    fn start<'scope>(s: &'scope Scope<'scope, '_>, word: &'scope str, left: u32) {
        let mut one = s.iter(move |y: &Yielder<()>| {
            let _starts = OnDrop(move || {
                log(format!("{word}{left}"));
                if left != 0 {
                    start(s, word, left - 1);
                }
            });
            y.yield_(());
        });
        one.next();
        mem::forget(one);
    }
    fibra::frame(|| {
        let word = String::from("w");
        generator::scope(|s| start(s, &word, 3));
        log("left");
    });
    check("w3 w2 w1 w0 left");
}

#[test]
fn a_borrowing_generator_ends_with_the_scoped_fiber_that_started_it() {
    run_virtually(|| {
        let word = String::from("word");
        generator::scope(|g| {
            let mut one = g.iter(|y| {
                let _says = OnDrop(|| log(&word));
                y.yield_(1);
            });
            fibra::scope(|s| {
                s.spawn(|| {
                    assert_eq!(one.next(), Some(1));
                    log("started");
                });
            });
            assert!(one.is_finished());
            // And the other way: started here, dropped there.
            let mut two = g.iter(|y| {
                let _says = OnDrop(|| log("two"));
                y.yield_(1);
            });
            two.next();
            fibra::scope(|s| drop(s.spawn(move || drop(two))));
            log("dropped elsewhere");
        });
        log("left");
    });
    check("started word dropped elsewhere two left");
}

#[test]
fn a_fresh_borrowing_generator_that_is_forgotten_never_runs() {
    let word = String::from("word");
    generator::scope(|s| {
        mem::forget(s.iter(|y: &Yielder<()>| {
            let _never = OnDrop(|| log(&word));
            y.yield_(());
        }));
        // A frame inside the scope ends what was started in it.
        let mut one = s.iter(|y| {
            let _says = OnDrop(|| log(&word));
            y.yield_(1);
        });
        fibra::frame(|| one.next());
        assert!(one.is_finished());
    });
    check("word");
}

// -- values ---------------------------------------------------------------------------------------

#[test]
fn values_without_a_size_or_with_a_large_alignment_keep_their_count_and_place() {
    #[derive(Debug)]
    struct Empty(Rc<Cell<u32>>);
    impl Drop for Empty {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    struct Unit;
    thread_local! { static UNITS: Cell<u32> = const { Cell::new(0) } }
    impl Drop for Unit {
        fn drop(&mut self) {
            UNITS.set(UNITS.get() + 1);
        }
    }
    #[repr(align(4096))]
    #[derive(Clone, Copy)]
    struct Wide(u64);

    fibra::frame(|| {
        let mut units = Generator::new(|y: &Yielder<Unit, Unit>, first| {
            let second = y.yield_(first);
            y.yield_(second)
        });
        units.resume(Unit);
        units.resume(Unit);
        assert_eq!(UNITS.get(), 2, "each was dropped by the resumer");
        drop(units.resume(Unit));
        assert_eq!(UNITS.get(), 3);

        let mut wide = Generator::new(|y: &Yielder<Wide, Wide>, first: Wide| {
            assert!((&raw const first).is_aligned());
            let second = y.yield_(first);
            assert!((&raw const second).is_aligned());
            second
        });
        assert!(matches!(wide.resume(Wide(3)), GeneratorState::Yielded(Wide(3))));
        assert!(matches!(wide.resume(Wide(4)), GeneratorState::Complete(Wide(4))));

        let count = Rc::new(Cell::new(0));
        let mut kept = Generator::new(|y: &Yielder<Empty, Empty>, first| {
            let second = y.yield_(first);
            let _ = y.yield_(second);
        });
        kept.resume(Empty(count.clone()));
        kept.resume(Empty(count.clone()));
        assert_eq!(count.get(), 2);
        // A value that is refused comes back; one in a closed generator is dropped once.
        assert!(kept.close().is_ok());
        let back = kept.try_resume(Empty(count.clone())).unwrap_err().into_inner();
        assert_eq!(count.get(), 2);
        drop(back);
        assert_eq!(count.get(), 3);
    });
}

// -- what the compiler refuses --------------------------------------------------------------------

trait AmbiguousIf<Why> {
    fn is_neither() {}
}

struct Send_;
struct Sync_;

impl<T: ?Sized> AmbiguousIf<()> for T {}
impl<T: ?Sized + Send> AmbiguousIf<Send_> for T {}
impl<T: ?Sized + Sync> AmbiguousIf<Sync_> for T {}

#[test]
fn generators_stay_on_their_thread() {
    <Generator<u32> as AmbiguousIf<_>>::is_neither();
    <Generator<u32, u32, u32, generator::Borrowed<'static>> as AmbiguousIf<_>>::is_neither();
    <Yielder<u32> as AmbiguousIf<_>>::is_neither();
    <&'static Yielder<u32> as AmbiguousIf<_>>::is_neither();
    <Scope<'static, 'static> as AmbiguousIf<_>>::is_neither();
    fn is_both<T: Send + Sync>() {}
    is_both::<GeneratorExit>();
    is_both::<GeneratorState<u32, u32>>();
    is_both::<ResumeError<u32>>();
}
