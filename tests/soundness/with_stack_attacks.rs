//! Attacks on calls on borrowed stacks: calls that are left in the middle, and calls in odd places.

use std::cell::Cell;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::rc::Rc;
use std::thread::panicking;

use fibra::generator::{self, Generator};
use fibra::{Builder, spawn, with_stack_size, yield_now};

use crate::support::{OnDrop, in_child, name_of, stderr};

const LARGE: usize = 1 << 20;

#[inline(never)]
fn depth(left: u32) -> u32 {
    let frame = black_box([1_u8; 100]);
    if left == 0 { 0 } else { depth(left - 1) + u32::from(frame[7]) }
}

/// A generator's stack is not large, even on a plain thread.
#[test]
fn a_small_generator_of_a_plain_thread_borrows_too() {
    let test = name_of!(a_small_generator_of_a_plain_thread_borrows_too);
    let output = in_child(test, &[], || {
        fibra::frame(|| {
            let small = generator::GeneratorBuilder::new().stack_size(16 << 10);
            let mut one = small.build(|y: &generator::Yielder<u32>, ()| {
                y.yield_(with_stack_size(8 << 20, || depth(10_000)));
                with_stack_size(8 << 20, || {
                    y.yield_(depth(10_000));
                    assert_eq!(depth(10_000), 10_000);
                });
            });
            assert_eq!(one.next(), Some(10_000));
            assert_eq!(one.next(), Some(10_000));
            assert_eq!(one.next(), None);
        });
    });
    assert!(output.status.success(), "{}", stderr(&output));
}

/// Creates a generator that refuses to end, in the middle of a call.
fn stubborn() -> Generator<u32> {
    generator::iter(|y| {
        with_stack_size(LARGE, || {
            loop {
                let _ = catch_unwind(AssertUnwindSafe(|| y.yield_(depth(300))));
            }
        });
    })
}

#[test]
fn generators_that_are_abandoned_in_a_call_keep_both_stacks() {
    let test = name_of!(generators_that_are_abandoned_in_a_call_keep_both_stacks);
    let output = in_child(test, &[], || {
        fibra::run(|| {
            for _ in 0..10 {
                let fiber = spawn(|| {
                    let mut before = stubborn();
                    assert_eq!(before.next(), Some(300));
                    with_stack_size(LARGE, || {
                        let mut within = stubborn();
                        assert_eq!(within.next(), Some(300));
                        with_stack_size(LARGE, || drop(before));
                        with_stack_size(LARGE, yield_now);
                        drop(within);
                        yield_now();
                    });
                    let mut last = stubborn();
                    last.next();
                    with_stack_size(LARGE, || depth(1_000));
                });
                fiber.join().unwrap();
                let others: Vec<_> = (0..20)
                    .map(|_| {
                        spawn(|| {
                            with_stack_size(LARGE, || {
                                yield_now();
                                depth(1_000)
                            })
                        })
                    })
                    .collect();
                others.into_iter().for_each(|other| assert_eq!(other.join().unwrap(), 1_000));
            }
            assert_eq!(fibra::stats().stacks_live, 1 + 10 * 3 * 2);
        });
    });
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn a_call_in_a_destructor_during_an_unwind_leaves_the_count_of_panics_alone() {
    fibra::run(|| {
        let seen = Rc::new(Cell::new(0));
        let late = seen.clone();
        let fiber = spawn(move || {
            let _late = OnDrop(move || {
                assert!(panicking());
                let value = with_stack_size(LARGE, || {
                    assert!(panicking());
                    yield_now();
                    let caught = catch_unwind(AssertUnwindSafe(|| {
                        with_stack_size(LARGE, || panic_any(5_u8))
                    }));
                    assert!(caught.unwrap_err().is::<u8>());
                    assert!(panicking());
                    7
                });
                assert!(panicking());
                late.set(value);
            });
            with_stack_size(LARGE, || resume_unwind(Box::new(1_u32)))
        });
        assert!(fiber.join().is_err());
        assert!(!panicking());
        assert_eq!(seen.get(), 7);
        assert_eq!(fibra::stats().stacks_live, 1);
    });
}

#[test]
fn generators_left_in_a_call_are_unwound_by_locals_and_at_the_end() {
    fibra::local! { static KEPT: Cell<Option<Generator<u32>>> = Cell::new(None); }
    thread_local! { static LATE: Cell<Option<Generator<u32>>> = const { Cell::new(None) }; }
    let counts = |unwound: &Rc<Cell<u32>>| {
        let unwound = unwound.clone();
        generator::iter(move |y| {
            with_stack_size(LARGE, || {
                let _mark = OnDrop(|| {
                    unwound.set(unwound.get() + with_stack_size(LARGE, || depth(1)));
                });
                (0..u32::MAX).for_each(|n| y.yield_(n));
            });
        })
    };
    let unwound = Rc::new(Cell::new(0));
    fibra::run(|| {
        let [mut kept, mut late, mut forgotten] = [(); 3].map(|()| counts(&unwound));
        spawn(move || {
            with_stack_size(LARGE, || {
                kept.next();
                late.next();
                forgotten.next();
            });
            KEPT.with(|at| at.set(Some(kept)));
            LATE.set(Some(late));
            std::mem::forget(forgotten);
        })
        .join()
        .unwrap();
        assert_eq!(unwound.get(), 3);
        assert_eq!(fibra::stats().stacks_live, 1);
    });
}

/// Parks below frames that hold nothing to drop.
#[inline(never)]
fn park_deep(left: u32) -> u8 {
    let mut frame = [0_u8; 61];
    black_box(&mut frame);
    if left == 0 {
        fibra::park();
    } else {
        frame[3] = park_deep(left - 1);
    }
    black_box(frame)[5]
}

#[inline(never)]
fn use_deep(left: u32) -> u64 {
    let mut frame = [0_u64; 200];
    black_box(&mut frame);
    for (at, word) in frame.iter_mut().enumerate() {
        *word = black_box(at as u64);
    }
    if left != 0 { use_deep(left - 1) + black_box(frame)[1] } else { 0 }
}

/// For AddressSanitizer: its notes on frames go when the frames go.
#[test]
fn a_stack_that_was_unwound_after_a_wait_is_clean_for_the_next() {
    for _ in 0..4 {
        fibra::run(|| {
            for size in [256 << 10, LARGE, 2 << 20] {
                for _ in 0..8 {
                    let fibers: Vec<_> = (0..8)
                        .map(|_| spawn(move || with_stack_size(size, || park_deep(100))))
                        .collect();
                    yield_now();
                    fibers.iter().for_each(|fiber| fiber.kill());
                    fibers.into_iter().for_each(|fiber| assert!(fiber.join().is_err()));
                    let again: Vec<_> = (0..8)
                        .map(|_| {
                            let small = Builder::new().stack_size(32 << 10);
                            small.spawn(move || {
                                with_stack_size(size, || {
                                    yield_now();
                                    use_deep(20)
                                })
                            })
                        })
                        .collect();
                    again.into_iter().for_each(|fiber| assert_eq!(fiber.join().unwrap(), 20));
                }
            }
            assert_eq!(fibra::stats().stacks_live, 1);
        });
    }
}

#[test]
fn an_exit_in_the_middle_of_calls_unwinds_them() {
    let output = in_child(name_of!(an_exit_in_the_middle_of_calls_unwinds_them), &[], || {
        fibra::run(|| {
            let waits = || {
                with_stack_size(LARGE, || {
                    let _mark = OnDrop(|| eprintln!("unwound"));
                    fibra::park();
                });
            };
            drop(spawn(waits));
            with_stack_size(LARGE, || {
                yield_now();
                with_stack_size(LARGE, || fibra::exit(5));
            });
        });
    });
    assert_eq!(output.status.code(), Some(5));
    assert!(stderr(&output).contains("unwound"));
}
