//! Generators exchange values and end by the rules of PEP 342: send, throw, close and their edges.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use fibra::generator::{
    self, CloseError, Generator, GeneratorExit, GeneratorState, ResumeError, Yielder,
};

use crate::support::apart;

type Log = Rc<RefCell<Vec<String>>>;

fn log() -> Log {
    Log::default()
}

fn say(log: &Log, text: impl Into<String>) {
    log.borrow_mut().push(text.into());
}

fn read(log: &Log) -> String {
    log.borrow().join(" ")
}

/// A value that logs its drop.
struct Mark(Log, &'static str);

impl Drop for Mark {
    fn drop(&mut self) {
        say(&self.0, self.1);
    }
}

fn payload_text(payload: Box<dyn Any + Send>) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or("another type")
}

#[test]
fn nothing_runs_before_the_first_resume() {
    let log = log();
    fibra::frame(|| {
        let inner = log.clone();
        let mut generator = generator::iter(move |y| {
            say(&inner, "started");
            y.yield_(1);
        });
        say(&log, "made");
        assert_eq!(generator.next(), Some(1));
    });
    assert_eq!(read(&log), "made started");
}

#[test]
fn the_first_value_is_an_argument_and_later_ones_come_out_of_the_yields() {
    fibra::frame(|| {
        let mut echo = Generator::new(|y: &Yielder<String, &'static str>, first: &'static str| {
            let second = y.yield_(format!("got {first}"));
            let third = y.yield_(format!("got {second}"));
            format!("end {third}")
        });
        assert_eq!(echo.resume("a"), GeneratorState::Yielded("got a".into()));
        assert_eq!(echo.resume("b"), GeneratorState::Yielded("got b".into()));
        assert_eq!(echo.resume("c"), GeneratorState::Complete("end c".into()));
    });
}

#[test]
fn an_iterator_ends_with_its_function_and_stays_ended() {
    fibra::frame(|| {
        let mut two = generator::iter(|y| {
            y.yield_('a');
            y.yield_('b');
            "the value is for `resume`"
        });
        assert_eq!(
            [two.next(), two.next(), two.next(), two.next()],
            [Some('a'), Some('b'), None, None]
        );
        assert!(two.is_finished());
    });
}

#[test]
fn an_ended_generator_gives_the_value_back() {
    fibra::frame(|| {
        let mut generator = Generator::new(|_: &Yielder<(), String>, first: String| first);
        assert_eq!(generator.resume("x".into()), GeneratorState::Complete("x".into()));
        match generator.try_resume("y".into()) {
            Err(ResumeError::Finished(value)) => assert_eq!(value, "y"),
            other => panic!("{other:?}"),
        }
        let panic = catch_unwind(AssertUnwindSafe(|| generator.resume("z".into()))).unwrap_err();
        let text = panic.downcast_ref::<String>().expect("a text");
        assert!(text.contains("resumed after its end"), "{text}");
    });
}

#[test]
fn throw_raises_at_the_pending_yield_and_gives_what_is_yielded_next() {
    apart(|| {
        let log = log();
        fibra::frame(|| {
            let inner = log.clone();
            let mut stubborn = generator::iter(move |y| {
                for n in 0.. {
                    match catch_unwind(AssertUnwindSafe(|| y.yield_(n))) {
                        Ok(()) => say(&inner, "resumed"),
                        Err(payload) => say(&inner, format!("caught {}", payload_text(payload))),
                    }
                }
            });
            assert_eq!(stubborn.next(), Some(0));
            assert_eq!(stubborn.throw("first"), GeneratorState::Yielded(1));
            assert_eq!(stubborn.next(), Some(2));
            assert_eq!(stubborn.throw("second"), GeneratorState::Yielded(3));
            assert!(matches!(stubborn.close(), Err(CloseError::Ignored(4))));
        });
        // The last one comes from the end of the frame, which repeats it until the generator ends.
        let text = read(&log);
        assert!(
            text.starts_with("caught first resumed caught second caught another type"),
            "{text}"
        );
    });
}

#[test]
fn an_uncaught_throw_comes_out_of_throw_and_ends_the_generator() {
    let log = log();
    fibra::frame(|| {
        let inner = log.clone();
        let mut generator = generator::iter(move |y| {
            let _mark = Mark(inner, "dropped");
            y.yield_(());
        });
        generator.next();
        let thrown = catch_unwind(AssertUnwindSafe(|| generator.throw("out"))).unwrap_err();
        assert_eq!((payload_text(thrown), generator.is_finished()), ("out", true));
    });
    assert_eq!(read(&log), "dropped");
}

#[test]
fn throw_into_a_fresh_generator_never_calls_its_function() {
    let log = log();
    fibra::frame(|| {
        let (inner, mark) = (log.clone(), Mark(log.clone(), "captures dropped"));
        let mut fresh = generator::iter(move |y| {
            let _mark = mark;
            say(&inner, "ran");
            y.yield_(());
        });
        let thrown = catch_unwind(AssertUnwindSafe(|| fresh.throw("early"))).unwrap_err();
        assert_eq!((payload_text(thrown), fresh.next()), ("early", None));
    });
    assert_eq!(read(&log), "captures dropped");
}

#[test]
fn throw_at_an_ended_generator_raises_in_the_caller() {
    fibra::frame(|| {
        let mut ended = generator::iter(|_: &Yielder<()>| ());
        assert_eq!(ended.next(), None);
        let thrown = catch_unwind(AssertUnwindSafe(|| ended.throw("late"))).unwrap_err();
        assert_eq!(payload_text(thrown), "late");
    });
}

#[test]
fn a_panic_comes_out_of_the_resume_and_ends_the_generator() {
    fibra::frame(|| {
        let mut generator = generator::iter(|y| {
            y.yield_(1);
            panic!("no more");
        });
        assert_eq!(generator.next(), Some(1));
        let panic = catch_unwind(AssertUnwindSafe(|| generator.next())).unwrap_err();
        assert_eq!((payload_text(panic), generator.next()), ("no more", None));
    });
}

#[test]
fn close_of_a_fresh_generator_runs_nothing_and_of_an_ended_one_does_nothing() {
    let log = log();
    fibra::frame(|| {
        let (inner, mark) = (log.clone(), Mark(log.clone(), "captures dropped"));
        let mut fresh = generator::iter(move |_: &Yielder<()>| {
            let _mark = &mark;
            say(&inner, "ran");
        });
        assert!(matches!(fresh.close(), Ok(None)));
        assert!(matches!(fresh.close(), Ok(None)));
        assert_eq!(fresh.next(), None);
    });
    assert_eq!(read(&log), "captures dropped");
}

#[test]
fn close_unwinds_with_generator_exit_and_gives_a_value_returned_after_it() {
    let log = log();
    fibra::frame(|| {
        let inner = log.clone();
        let mut plain = generator::iter(move |y| {
            let _mark = Mark(inner, "unwound");
            y.yield_(());
        });
        plain.next();
        assert!(matches!(plain.close(), Ok(None)));

        let mut returning = Generator::new(|y: &Yielder<u32>, ()| {
            let payload = catch_unwind(AssertUnwindSafe(|| y.yield_(1))).unwrap_err();
            assert!(payload.is::<GeneratorExit>());
            "goodbye"
        });
        returning.next();
        assert!(matches!(returning.close(), Ok(Some("goodbye"))));
    });
    assert_eq!(read(&log), "unwound");
}

#[test]
fn a_generator_that_ignores_generator_exit_reports_it_and_stays_usable() {
    fibra::frame(|| {
        let mut ignoring = generator::iter(|y| {
            let _ = catch_unwind(AssertUnwindSafe(|| y.yield_(1)));
            y.yield_(2);
            y.yield_(3);
        });
        assert_eq!(ignoring.next(), Some(1));
        let error = ignoring.close().unwrap_err();
        assert_eq!(error.to_string(), "the generator ignored GeneratorExit");
        assert!(matches!(error, CloseError::Ignored(2)));
        assert_eq!((ignoring.next(), ignoring.next()), (Some(3), None));
    });
}

#[test]
fn a_panic_while_it_is_closed_is_reported_by_close() {
    fibra::frame(|| {
        let mut generator = generator::iter(|y| {
            if catch_unwind(AssertUnwindSafe(|| y.yield_(()))).is_err() {
                panic!("clean-up failed");
            }
        });
        generator.next();
        match generator.close() {
            Err(CloseError::Panicked(payload)) => {
                assert_eq!(payload.message(), "clean-up failed");
            }
            other => panic!("{other:?}"),
        }
        assert!(generator.is_finished());
    });
}

#[test]
fn dropping_a_suspended_generator_closes_it() {
    let log = log();
    fibra::frame(|| {
        let inner = log.clone();
        let mut generator = generator::iter(move |y| {
            let _mark = Mark(inner.clone(), "unwound");
            fibra::finally(|| y.yield_(()), || say(&inner, "clean-up"));
        });
        generator.next();
        say(&log, "drop:");
        drop(generator);
        say(&log, "after");
    });
    assert_eq!(read(&log), "drop: clean-up unwound after");
}

#[test]
fn a_generator_does_not_resume_itself() {
    fibra::frame(|| {
        let slot: Rc<RefCell<Option<Generator<u32>>>> = Rc::default();
        let inner = slot.clone();
        *slot.borrow_mut() = Some(Generator::new(move |y: &Yielder<u32>, ()| {
            // The handle is borrowed during its own resume: the type system's form of "generator
            // already executing".
            y.yield_(u32::from(inner.try_borrow_mut().is_err()));
        }));
        let mut generator = slot.borrow_mut();
        assert_eq!(generator.as_mut().unwrap().next(), Some(1));
        drop(generator.take());
    });
}

#[test]
fn yields_pass_through_any_depth_of_calls_and_closures() {
    fn down(y: &Yielder<u32>, depth: u32) {
        if depth == 0 {
            return [7, 8].iter().for_each(|n| y.yield_(*n));
        }
        down(y, depth - 1);
    }
    let values: Vec<u32> = fibra::frame(|| generator::iter(|y| down(y, 500)).collect());
    assert_eq!(values, [7, 8]);
}

#[test]
fn a_generator_may_yield_from_the_one_around_it_and_both_go_on_together() {
    let log = log();
    fibra::frame(|| {
        let inner_log = log.clone();
        let mut outer = generator::iter(move |y_outer| {
            generator::scope(|s| {
                let mut inner = s.iter(|y_inner| {
                    y_outer.yield_("outer, from inside the inner");
                    say(&inner_log, "inner goes on");
                    y_inner.yield_("inner");
                });
                assert_eq!(inner.next(), Some("inner"));
            });
            y_outer.yield_("outer");
        });
        assert_eq!(outer.next(), Some("outer, from inside the inner"));
        assert_eq!(outer.next(), Some("outer"));
        assert_eq!(outer.next(), None);
    });
    assert_eq!(read(&log), "inner goes on");
}
