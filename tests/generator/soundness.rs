//! Hostile programs in safe code that use generators: each tries to make them touch freed memory,
//! skip a destructor, hang or return a wrong value.

use std::cell::RefCell;
use std::mem;
use std::panic::catch_unwind;
use std::rc::Rc;

use fibra::channel::{Channel, RecvTimeoutError};
use fibra::generator::{self, CloseError, Generator, GeneratorExit, GeneratorState, ResumeError};
use fibra::generator::{Scope, Yielder};

use crate::support::{
    HOUR, Noisy, OnDrop, apart, caught, check, go, log, ms, panic_of, quiet_panic, run_virtually,
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
            // The reference to the dropped one's stack is cleaned up when the next one starts.
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
fn a_handle_that_its_own_body_owns_is_harmless() {
    fibra::frame(|| {
        let cell: Rc<RefCell<Option<Generator<u32>>>> = Rc::default();
        let own = cell.clone();
        let mut knot = generator::iter(move |y| {
            let _noisy = Noisy("unwound");
            assert!(own.borrow().is_none());
            y.yield_(1);
            // Here it owns its own handle, and drops it while it runs.
            drop(own.take());
            log("dropped its handle");
            y.yield_(2);
        });
        assert_eq!(knot.next(), Some(1));
        *cell.borrow_mut() = Some(knot);
        // It has the only handle to itself: the end of the frame closes it, its clean-up drops it.
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
fn a_fiber_that_refuses_to_end_in_a_generator_is_abandoned_and_its_generators_with_it() {
    apart(|| {
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
            assert!(matches!(refuses.join(), Err(fibra::JoinError::Abandoned)));
        });
        let mut other = kept.take().unwrap();
        // Its stack is kept, and no call reaches it any more, in any frame.
        assert!(other.try_resume(()).is_err());
        fibra::frame(|| assert!(other.try_resume(()).is_err()));
        fibra::run(|| assert!(other.try_resume(()).is_err()));
        drop(other);
        check("");
    });
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
        // The failed nursery is gone, and its stack memory has been used for other things.
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
                n.spawn(|| quiet_panic("reported, because it is not joined"));
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
            let words = [String::from("lent")];
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
                assert_eq!(fibra::frame(|| of_main.next()), Some(1));
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

#[test]
fn a_fiber_local_that_the_last_callback_makes_is_dropped_on_its_fiber() {
    struct Local;
    impl Drop for Local {
        fn drop(&mut self) {
            log(format!("in a fiber: {}", fibra::in_fiber()));
        }
    }
    fibra::local! { static LOCAL: Local = Local; }
    fibra::run(|| {
        let makes = OnDrop(|| LOCAL.with(|_| ()));
        let callback = move |_: &fibra::stackless::Tasklet, _: &fibra::stackless::Tasklet| {
            let _ = &makes;
        };
        fibra::stackless::set_schedule_callback(Some(Rc::new(callback)));
    });
    check("in a fiber: true");
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
            // The other direction: started here, dropped in the other fiber.
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
        // A frame inside the scope ends the generators that were started in it.
        let mut one = s.iter(|y| {
            let _says = OnDrop(|| log(&word));
            y.yield_(1);
        });
        fibra::frame(|| one.next());
        assert!(one.is_finished());
    });
    check("word");
}

// -- programs that the compiler refuses -----------------------------------------------------------

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
