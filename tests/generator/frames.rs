//! Where generators work, which fiber owns them, and how the end of their frame ends them.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use fibra::channel::Channel;
use fibra::generator::{self, Generator, ResumeError, Yielder};

type Log = Rc<RefCell<Vec<String>>>;

fn say(log: &Log, text: impl Into<String>) {
    log.borrow_mut().push(text.into());
}

fn read(log: &Log) -> String {
    log.borrow().join(" ")
}

struct Mark(Log, &'static str);

impl Drop for Mark {
    fn drop(&mut self) {
        say(&self.0, self.1);
    }
}

fn marked(log: &Log, name: &'static str) -> Generator<u32> {
    let log = log.clone();
    generator::iter(move |y| {
        let _mark = Mark(log, name);
        for n in 0.. {
            y.yield_(n);
        }
    })
}

#[test]
fn a_resume_outside_of_a_frame_panics_with_the_remedy() {
    let mut generator = generator::iter(|y: &Yielder<u32>| y.yield_(1));
    let panic = catch_unwind(AssertUnwindSafe(|| generator.next())).unwrap_err();
    assert_eq!(
        panic.downcast_ref::<String>().map(String::as_str),
        Some(
            "a generator was resumed outside of `fibra::frame(|| ...)` and `fibra::run(|| ...)`: \
             wrap the call in one of them (see `fibra::guide::pitfalls`)"
        )
    );
    // The failed call changed nothing: inside a frame the generator works.
    fibra::frame(|| assert_eq!(generator.next(), Some(1)));
}

#[test]
fn the_end_of_a_frame_unwinds_what_is_left_the_youngest_first() {
    let log = Log::default();
    let kept = fibra::frame(|| {
        let [mut a, mut b, mut c] = ["a", "b", "c"].map(|name| marked(&log, name));
        for generator in [&mut a, &mut b, &mut c] {
            generator.next();
        }
        std::mem::forget(a);
        say(&log, "end:");
        (b, c)
    });
    say(&log, "after");
    let (mut b, c) = kept;
    assert!(b.is_finished() && c.is_finished());
    assert_eq!(b.next(), None);
    assert_eq!(read(&log), "end: c b a after");
}

#[test]
fn a_frame_that_panics_unwinds_its_generators_first() {
    let log = Log::default();
    let result = catch_unwind(AssertUnwindSafe(|| {
        fibra::frame(|| {
            let mut generator = marked(&log, "unwound");
            generator.next();
            std::mem::forget(generator);
            panic!("out of the frame");
        })
    }));
    assert!(result.is_err());
    assert_eq!(read(&log), "unwound");
}

#[test]
fn frames_nest_and_the_outer_one_owns() {
    let log = Log::default();
    fibra::frame(|| {
        let mut generator = fibra::frame(|| {
            let mut generator = marked(&log, "unwound");
            generator.next();
            generator
        });
        say(&log, "inner frame left");
        assert_eq!(generator.next(), Some(1));
    });
    assert_eq!(read(&log), "inner frame left unwound");
}

#[test]
fn a_wait_in_a_generator_lets_other_fibers_run() {
    let log = Log::default();
    fibra::Runtime::builder().virtual_clock().build().unwrap().run(|| {
        let other = log.clone();
        fibra::spawn(move || {
            for n in 0..3 {
                say(&other, format!("tick{n}"));
                fibra::sleep(Duration::from_millis(10));
            }
        });
        let slow = generator::iter(|y| {
            for n in 0..2 {
                fibra::sleep(Duration::from_millis(15));
                y.yield_(n);
            }
        });
        for n in slow {
            say(&log, format!("got{n}"));
        }
    });
    assert_eq!(read(&log), "tick0 tick1 got0 tick2 got1");
}

#[test]
#[cfg_attr(sanitized, ignore = "the sanitizer keeps local variables elsewhere")]
fn a_fiber_in_a_generator_is_shown_with_the_stack_it_has_used_itself() {
    fibra::run(|| {
        let gate = Channel::<()>::new();
        let wait = gate.clone();
        let fiber = fibra::spawn(move || {
            generator::iter(move |y: &Yielder<()>| {
                wait.recv().unwrap();
                y.yield_(());
            })
            .next()
        });
        fibra::yield_now();
        let dump = fibra::dump();
        let picture = dump.fibers.iter().find(|f| f.id == fiber.fiber().id()).unwrap();
        assert!(0 < picture.stack_used && picture.stack_used < picture.stack_size, "{picture:?}");
        gate.send(()).unwrap();
        fiber.join().unwrap();
    });
}

#[test]
fn a_generator_belongs_to_the_fiber_that_first_resumed_it() {
    fibra::run(|| {
        let log = Log::default();
        let mut generator = marked(&log, "unwound");
        assert_eq!(generator.next(), Some(0));
        let elsewhere = fibra::spawn(move || {
            let refused = matches!(generator.try_resume(()), Err(ResumeError::Elsewhere(())));
            (refused, generator)
        });
        let (refused, mut generator) = elsewhere.join().unwrap();
        assert!(refused);
        assert_eq!(generator.next(), Some(1));
    });
}

#[test]
fn one_that_is_dropped_by_another_fiber_is_unwound_by_its_own() {
    let log = Log::default();
    fibra::run(|| {
        let mut generator = marked(&log, "unwound");
        generator.next();
        let dropper = log.clone();
        fibra::spawn(move || {
            drop(generator);
            say(&dropper, "dropped elsewhere");
        })
        .join()
        .unwrap();
        say(&log, "next start:");
        generator::iter(|y: &Yielder<()>| y.yield_(())).next();
        say(&log, "end");
    });
    assert_eq!(read(&log), "dropped elsewhere next start: unwound end");
}

#[test]
fn a_fibers_end_unwinds_its_generators_before_its_locals() {
    struct Loud(Cell<Option<Log>>);
    impl Drop for Loud {
        fn drop(&mut self) {
            if let Some(log) = self.0.take() {
                say(&log, "local");
            }
        }
    }
    fibra::local! {
        static LOCAL: Loud = Loud(Cell::new(None));
    }
    let log = Log::default();
    let inner = log.clone();
    fibra::run(move || {
        fibra::spawn(move || {
            let mut generator = generator::iter(move |y| {
                LOCAL.with(|local| {
                    local.0.set(Some(inner.clone()));
                    let _mark = Mark(inner, "generator");
                    y.yield_(());
                });
            });
            generator.next();
            std::mem::forget(generator);
        })
        .join()
        .unwrap();
    });
    assert_eq!(read(&log), "generator local");
}

#[test]
fn a_kill_of_the_fiber_passes_through_the_generator_it_waits_in() {
    let log = Log::default();
    let inner = log.clone();
    fibra::run(move || {
        let fiber = fibra::spawn(move || {
            let _outside = Mark(inner.clone(), "fiber");
            let mut generator = generator::iter(move |_: &Yielder<()>| {
                let _inside = Mark(inner, "generator");
                fibra::park();
            });
            generator.next();
        });
        fibra::yield_now();
        fiber.kill();
        assert!(fiber.join().unwrap_err().is_killed());
    });
    assert_eq!(read(&log), "generator fiber");
}

#[test]
fn a_shield_hangs_on_the_stack_on_which_it_was_made() {
    fibra::run(|| {
        let shielded = fibra::spawn(|| {
            let mut generator = generator::iter(|y| {
                fibra::shield(|| {
                    y.yield_("suspended inside a shield");
                    fibra::yield_now(); // the kill is not raised here
                    y.yield_("still there");
                });
            });
            generator.next();
            // The generator's shield does not hold outside of the generator.
            fibra::current().kill();
            generator.next()
        });
        assert!(shielded.join().unwrap_err().is_killed());

        let inside = fibra::spawn(|| {
            let mut generator = generator::iter(|y| {
                fibra::shield(|| {
                    fibra::current().kill();
                    fibra::yield_now();
                    y.yield_("not met in the shield");
                });
            });
            let value = generator.next();
            assert_eq!(value, Some("not met in the shield"));
            fibra::yield_now(); // the kill is raised here
        });
        assert!(inside.join().unwrap_err().is_killed());
    });
}

#[test]
fn a_nursery_that_fails_while_its_generator_is_suspended_is_seen_when_it_goes_on() {
    let result = catch_unwind(|| {
        fibra::run(|| {
            let mut generator = generator::iter(|y| {
                fibra::nursery(|n| {
                    n.spawn(|| panic!("child"));
                    y.yield_("suspended in the nursery");
                    fibra::yield_now();
                    unreachable!("the nursery was cancelled while the generator was suspended");
                });
            });
            assert_eq!(generator.next(), Some("suspended in the nursery"));
            // The nursery's child fails here, where this fiber is in no nursery.
            fibra::yield_now();
            fibra::yield_now();
            generator.next();
        });
    });
    assert_eq!(result.unwrap_err().downcast_ref::<&str>(), Some(&"child"));
}

#[test]
fn a_yielder_lent_to_another_fiber_refuses() {
    fibra::run(|| {
        let mut generator = generator::iter(|y| {
            fibra::scope(|s| {
                let other = s.spawn(|| y.yield_(1));
                let panic = other.join().unwrap_err().into_panic().unwrap();
                let text = panic.downcast_ref::<&str>().expect("a text");
                assert!(text.starts_with("a yield outside of its generator"), "{text}");
            });
            y.yield_(2);
        });
        assert_eq!(generator.next(), Some(2));
    });
}

#[test]
fn a_thread_local_borrowed_across_a_yield_is_still_there_when_the_frame_unwinds() {
    thread_local! {
        static WORD: String = String::from("thread");
    }
    let log = Log::default();
    fibra::frame(|| {
        let log = log.clone();
        let mut generator = generator::iter(move |y| {
            WORD.with(|word| {
                let _mark = Mark(log.clone(), "read");
                y.yield_(());
                say(&log, word.clone());
            });
        });
        generator.next();
        std::mem::forget(generator);
    });
    assert_eq!(read(&log), "read");
}

#[test]
fn borrowing_generators_end_with_their_scope_also_when_forgotten() {
    let words = [String::from("one"), String::from("two")];
    let count = Cell::new(0);
    fibra::frame(|| {
        generator::scope(|s| {
            let mut lengths = s.iter(|y| {
                struct Count<'a>(&'a Cell<u32>);
                impl Drop for Count<'_> {
                    fn drop(&mut self) {
                        self.0.set(self.0.get() + 1);
                    }
                }
                let _count = Count(&count);
                words.iter().for_each(|word| y.yield_(word.len()));
            });
            assert_eq!(lengths.next(), Some(3));
            std::mem::forget(lengths);
        });
        assert_eq!(count.get(), 1);
    });
}

#[test]
fn a_million_yields_from_a_deep_recursion_take_no_stack_of_the_caller() {
    fn walk(y: &Yielder<u32>, depth: u32) {
        if 0 < depth {
            walk(y, depth - 1);
            y.yield_(depth);
            walk(y, depth - 1);
        }
    }
    let sum: u64 = fibra::frame(|| generator::iter(|y| walk(y, 18)).map(u64::from).sum());
    // A tree of depth n has 2^(18 - d) nodes of height d.
    let expected: u64 = (1..=18u64).map(|height| height << (18 - height)).sum();
    assert_eq!(sum, expected);
}
