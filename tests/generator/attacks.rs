//! Hostile programs in safe code that use generators: generators on generators, what they do
//! while they are closed, and values of all kinds.

use std::cell::{Cell, RefCell};
use std::mem;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use fibra::channel::Channel;
use fibra::generator::{self, CloseError, Generator, GeneratorExit, GeneratorState, Yielder};

use crate::support::{
    Noisy, OnDrop, PanicsOnDrop, caught, check, go, log, ms, quiet_panic, run_virtually,
};

/// Returns a generator that logs when it is unwound.
fn noisy(name: &'static str) -> Generator<u32> {
    generator::iter(move |y| {
        let _noisy = Noisy(name);
        for n in 0.. {
            y.yield_(n);
        }
    })
}

// -- generators on generators ---------------------------------------------------------------------

/// Nests three generators; the innermost yields through the yielder that `at` selects.
fn tower(at: usize) -> Generator<u32> {
    generator::iter(move |a: &Yielder<u32>| {
        let _a = Noisy("a");
        generator::scope(|s| {
            let middle = s.iter(|b: &Yielder<u32>| {
                let _b = Noisy("b");
                generator::scope(|s| {
                    let inner = s.iter(|c: &Yielder<u32>| {
                        let _c = Noisy("c");
                        for n in 0.. {
                            [a, b, c][at].yield_(n);
                        }
                    });
                    // The middle one passes on the values that the innermost yields for itself.
                    for n in inner {
                        b.yield_(n);
                    }
                });
            });
            for n in middle {
                a.yield_(n);
            }
        });
    })
}

#[test]
fn a_tower_of_generators_continues_together_wherever_it_yields_and_is_resumed() {
    fibra::frame(|| {
        for at in 0..3 {
            let mut one = tower(at);
            assert_eq!((one.next(), one.next()), (Some(0), Some(1)));
            // Resumed from another generator's stack, and from a stack on top of that.
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
        run_virtually(|| {
            assert_eq!(fibra::spawn(move || tower(at).next()).join().unwrap(), Some(0))
        });
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
        // The outer one's yield suspends the middle one, which still counts as running. Its handle,
        // on the outer one's stack, is borrowed. Only the outer one can be reached from here.
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

// -- what happens while a generator is closed -----------------------------------------------------

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
                let payload = raised.expect_err("nothing resumes it");
                assert!(payload.is::<GeneratorExit>());
            }
            log("gave up");
        });
        assert_eq!(stubborn.next(), Some(0));
        // `close` raises the exit once; the drop raises it until the generator ends.
        assert!(matches!(stubborn.close(), Err(CloseError::Ignored(1))));
        assert!(matches!(stubborn.close(), Err(CloseError::Ignored(2))));
    });
    check("gave up unwound");
}

#[test]
fn payloads_and_values_whose_destructors_panic_are_survived() {
    fibra::frame(|| {
        let mut panics = generator::iter(|y| {
            let _ = catch_unwind(AssertUnwindSafe(|| y.yield_(1)));
            panic::resume_unwind(Box::new(PanicsOnDrop("the destructor")));
        });
        panics.next();
        drop(panics);
        let mut output = generator::iter(|y| {
            let _ = catch_unwind(AssertUnwindSafe(|| y.yield_(1)));
            PanicsOnDrop("the destructor")
        });
        output.next();
        drop(output);
        let captured = PanicsOnDrop("the destructor");
        let mut captures = generator::iter(move |y| {
            let _captured = &captured;
            y.yield_(1);
        });
        captures.next();
        // It returns, so that its captured value is dropped while nothing unwinds.
        assert!(caught(|| captures.next()));
        let holds = |fresh: PanicsOnDrop| {
            generator::iter(move |y: &Yielder<()>| {
                drop(fresh);
                y.yield_(());
            })
        };
        assert!(caught(|| drop(holds(PanicsOnDrop("the destructor")))));
        let mut closed = holds(PanicsOnDrop("the destructor"));
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
    // Outside of every frame only an unstarted generator can be used, and only to be ended.
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
        // Other generators work meanwhile.
        assert_eq!(generator::iter(|y| y.yield_(7)).next(), Some(7));
        assert!(caught(|| one.next()));
        assert!(one.is_finished() && !std::thread::panicking());
    });
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
        // A value that is refused is returned; a value in a closed generator is dropped once.
        assert!(kept.close().is_ok());
        let back = kept.try_resume(Empty(count.clone())).unwrap_err().into_inner();
        assert_eq!(count.get(), 2);
        drop(back);
        assert_eq!(count.get(), 3);
    });
}
