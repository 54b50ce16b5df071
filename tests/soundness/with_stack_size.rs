//! Calls on borrowed stacks: what a fiber may do on one, and that the stack is always given back.

use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::Duration;

use fibra::generator::{self, Generator};
use fibra::{Builder, JoinHandle, spawn, with_stack_size, yield_now};

const LARGE: usize = 1 << 20;

/// Recurses, in frames of at least 100 bytes.
#[inline(never)]
fn depth(left: u32) -> u32 {
    let frame = black_box([1_u8; 100]);
    if left == 0 { 0 } else { depth(left - 1) + u32::from(frame[7]) }
}

fn on_small_stack<T: 'static>(f: impl FnOnce() -> T + 'static) -> JoinHandle<T> {
    Builder::new().stack_size(16 << 10).spawn(f)
}

type Log = Rc<RefCell<String>>;

struct Mark(Log, &'static str);

impl Drop for Mark {
    fn drop(&mut self) {
        self.0.borrow_mut().push_str(self.1);
    }
}

#[test]
fn a_small_fiber_recurses_as_deep_as_the_borrowed_stack_is() {
    fibra::run(|| {
        let fiber = on_small_stack(|| with_stack_size(8 << 20, || depth(10_000)));
        assert_eq!(fiber.join().unwrap(), 10_000);
    });
}

#[test]
fn calls_within_calls_go_as_deep_as_one_likes() {
    fn nest(left: u32) -> u32 {
        if left == 0 { depth(5) } else { with_stack_size(0, || nest(left - 1) + 1) }
    }
    fibra::run(|| {
        assert_eq!(on_small_stack(|| nest(20_000)).join().unwrap(), 20_005);
        assert_eq!(fibra::stats().stacks_live, 1);
    });
}

#[test]
fn it_is_the_same_fiber_which_waits_there_and_goes_on() {
    let log = Log::default();
    fibra::run(|| {
        let walk = |name: &'static str| {
            let log = log.clone();
            on_small_stack(move || {
                let id = fibra::current().id();
                let value = with_stack_size(LARGE, || {
                    for _ in 0..3 {
                        assert_eq!(fibra::current().id(), id);
                        log.borrow_mut().push_str(name);
                        yield_now();
                    }
                    depth(1_000)
                });
                assert_eq!(value, 1_000);
            })
        };
        let fibers = ["a", "b", "c"].map(walk);
        fibers.into_iter().for_each(|fiber| fiber.join().unwrap());
    });
    assert_eq!(*log.borrow(), "abcabcabc");
}

#[test]
fn a_panic_comes_out_of_the_call_with_its_payload() {
    fibra::run(|| {
        let log = Log::default();
        let call = || {
            with_stack_size(LARGE, || {
                let _mark = Mark(log.clone(), "unwound");
                resume_unwind(Box::new(7_u32))
            })
        };
        let payload = catch_unwind(AssertUnwindSafe(call)).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&7_u32));
        assert_eq!(*log.borrow(), "unwound");
        assert_eq!(fibra::stats().stacks_live, 1);
    });
}

#[test]
fn a_kill_unwinds_the_call_and_then_the_caller() {
    fibra::run(|| {
        let log = Log::default();
        let marks = log.clone();
        let fiber = on_small_stack(move || {
            let _outer = Mark(marks.clone(), " caller");
            with_stack_size(LARGE, || {
                let _inner = Mark(marks, "call");
                fibra::park();
            });
        });
        yield_now();
        assert_eq!(fibra::stats().stacks_live, 3);
        fiber.kill();
        assert!(fiber.join().is_err());
        assert_eq!(*log.borrow(), "call caller");
        assert_eq!(fibra::stats().stacks_live, 1);
    });
}

#[test]
fn a_time_limit_reaches_into_the_call() {
    let runtime = fibra::Runtime::builder().virtual_clock().build().unwrap();
    runtime.run(|| {
        let limit = Duration::from_secs(1);
        let waits = || with_stack_size(LARGE, fibra::park);
        assert!(fibra::time::timeout(limit, waits).is_err());
        let within = || fibra::time::timeout(limit, fibra::park).is_err();
        assert!(with_stack_size(LARGE, within));
    });
}

#[test]
fn the_end_of_run_unwinds_a_call_that_waits() {
    let log = Log::default();
    let mark = Mark(log.clone(), "unwound");
    fibra::run(|| {
        drop(spawn(move || {
            with_stack_size(LARGE, || {
                let _mark = mark;
                fibra::park();
            });
        }));
        yield_now();
    });
    assert_eq!(*log.borrow(), "unwound");
}

/// Creates a generator that counts, and yields in the middle of a call.
fn counts() -> Generator<u32> {
    generator::iter(|y| {
        with_stack_size(LARGE, || {
            for n in 0..3 {
                assert_eq!(depth(500), 500);
                y.yield_(n);
            }
        });
    })
}

#[test]
fn a_generator_yields_from_the_middle_of_a_call() {
    fibra::run(|| {
        assert_eq!(counts().collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(with_stack_size(LARGE, || counts().sum::<u32>()), 3);
        assert_eq!(fibra::stats().stacks_live, 1);
    });
}

#[test]
fn calls_of_generators_end_in_any_order() {
    fibra::run(|| {
        let [mut a, mut b, mut c] = [counts(), counts(), counts()];
        for generator in [&mut a, &mut b, &mut c] {
            assert_eq!(generator.next(), Some(0));
        }
        // The oldest call ends inside a younger one, and the youngest ends when it is dropped.
        with_stack_size(LARGE, || {
            assert_eq!(a.by_ref().collect::<Vec<_>>(), [1, 2]);
            drop(c);
            assert_eq!(depth(1_000), 1_000);
        });
        assert_eq!(b.by_ref().collect::<Vec<_>>(), [1, 2]);
        drop((a, b));
        assert_eq!(fibra::stats().stacks_live, 1);
    });
}

#[test]
#[cfg_attr(sanitized, ignore = "the sanitizer keeps local variables elsewhere")]
fn a_dump_shows_how_much_of_its_own_stack_a_fiber_uses() {
    fibra::run(|| {
        let used = Rc::new(Cell::new(0));
        let own = used.clone();
        let waits = on_small_stack(move || {
            fibra::park();
            with_stack_size(LARGE, || with_stack_size(LARGE, || depth_then_park(500)));
            own.set(1);
        });
        let look = || {
            yield_now();
            let dump = fibra::dump();
            let fibers = dump.fibers.iter();
            let small = fibers.filter(|fiber| fiber.stack_size == 16 << 10);
            small.map(|fiber| fiber.stack_used).collect::<Vec<_>>()
        };
        let before = look();
        waits.fiber().unpark();
        let within = look();
        assert!((1..16 << 10).contains(&before[0]), "{before:?}");
        // The fiber has left its own stack a little deeper than where it first waited.
        assert!((1..16 << 10).contains(&within[0]), "{within:?}");
        waits.fiber().unpark();
        waits.join().unwrap();
        assert_eq!(used.get(), 1);
    });
}

fn depth_then_park(left: u32) -> u32 {
    let frame = black_box([1_u8; 100]);
    if left == 0 {
        fibra::park();
        return 0;
    }
    depth_then_park(left - 1) + u32::from(frame[3])
}

#[test]
fn on_a_plain_thread_it_is_just_called() {
    assert_eq!(with_stack_size(LARGE, || 5), 5);
    assert_eq!(fibra::frame(|| with_stack_size(LARGE, || counts().sum::<u32>())), 3);
}
