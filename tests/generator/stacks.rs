//! The stacks of generators: their capacity, the report of an overflow, and their number.

use std::cell::{Cell, RefCell};
use std::mem;
use std::process::Output;
use std::rc::Rc;

use fibra::generator::{self, Generator, Yielder};

use crate::support::limits::{check_done, in_child};
use crate::support::{OnDrop, name_of, stderr};

// -- stacks ---------------------------------------------------------------------------------------

#[cfg(not(sanitized))]
fn overflow() -> u64 {
    #[expect(unconditional_recursion, reason = "it is there to overflow")]
    fn endless(depth: u64) -> u64 {
        let page = std::hint::black_box([depth; 100]);
        endless(depth + 1) + page[7]
    }
    std::hint::black_box(endless(0))
}

#[cfg(not(sanitized))]
#[track_caller]
fn check_overflow(output: &Output, first_line: &str) {
    use std::os::unix::process::ExitStatusExt;
    let text = stderr(output);
    assert_eq!(output.status.signal(), Some(6), "{text}");
    let help = "help: give it more with the `stack_size` of its builder, or recurse less\n\
                help: see `fibra::guide::stack_sizes_and_memory`\n\
                fatal runtime error: stack overflow, aborting\n";
    assert!(text.ends_with(&format!("{first_line}\n{help}")), "{text}");
}

#[test]
#[cfg(not(sanitized))]
fn an_overflow_of_a_generator_in_a_frame_is_reported() {
    let output = in_child(name_of!(an_overflow_of_a_generator_in_a_frame_is_reported), "", || {
        fibra::frame(|| {
            // `run` undoes its own set-up when it returns; that must not undo the frame's.
            fibra::run(|| ());
            generator::iter(|y: &Yielder<()>| {
                y.yield_(());
                overflow()
            })
            .for_each(drop);
        });
    });
    let size = if cfg!(debug_assertions) { "1 MiB" } else { "256 KiB" };
    let place = "a generator or greenlet outside of fibers";
    check_overflow(&output, &format!("{place} has overflowed its stack of {size}"));
}

#[test]
#[cfg(not(sanitized))]
fn an_overflow_of_a_nested_generator_in_a_fiber_is_reported() {
    let test = name_of!(an_overflow_of_a_nested_generator_in_a_fiber_is_reported);
    let output = in_child(test, "", || {
        fibra::run(|| {
            let fiber = fibra::Builder::new().name("parser").spawn(|| {
                generator::iter(|y| {
                    let tiny = generator::GeneratorBuilder::new().stack_size(0);
                    y.yield_(());
                    tiny.build(|_: &Yielder<(), ()>, ()| overflow()).for_each(drop);
                })
                .for_each(|()| fibra::yield_now());
            });
            drop(fiber.join());
        });
    });
    let line = "a generator or greenlet of fiber 'parser' (#2) has overflowed its stack of 16 KiB";
    check_overflow(&output, line);
}

#[test]
#[cfg(not(sanitized))]
fn an_overflow_in_a_fiber_of_a_run_in_a_generator_is_the_fibers() {
    let test = name_of!(an_overflow_in_a_fiber_of_a_run_in_a_generator_is_the_fibers);
    let output = in_child(test, "", || {
        fibra::frame(|| {
            generator::iter(|_: &Yielder<()>| {
                fibra::run(|| {
                    let deep = fibra::Builder::new().name("deep").stack_size(64 << 10);
                    drop(deep.spawn(overflow).join());
                });
            })
            .for_each(drop);
        });
    });
    let text = stderr(&output);
    assert!(text.contains("fiber 'deep' (#2) has overflowed its stack of 64 KiB"), "{text}");
    assert!(!text.contains("generator"), "{text}");
}

/// The test of `tests/soundness/big_values.rs`, for generators in place of fibers.
#[test]
#[cfg(not(sanitized))]
fn captured_values_of_a_megabyte_need_no_stack_size() {
    let test = name_of!(captured_values_of_a_megabyte_need_no_stack_size);
    let output = in_child(test, "", || {
        fibra::run(|| {
            let captured = [1_u8; 1 << 20];
            let mut big = generator::iter(move |y| {
                y.yield_(captured[7]);
                y.yield_(captured[1 << 19]);
            });
            assert_eq!((big.next(), big.next()), (Some(1), Some(1)));
        });
    });
    check_done(&output);
}

#[test]
#[cfg(not(sanitized))]
fn values_of_a_hundred_kilobytes_go_in_and_out_without_a_stack_size() {
    type Big = [u8; 100_000];
    let test = name_of!(values_of_a_hundred_kilobytes_go_in_and_out_without_a_stack_size);
    let output = in_child(test, "", || {
        fibra::run(|| {
            let mut big = Generator::new(|y: &Yielder<Big, Big>, first: Big| -> Big {
                let second = y.yield_(first);
                [second[3] + 1; 100_000]
            });
            let generator::GeneratorState::Yielded(value) = big.resume([2; 100_000]) else {
                unreachable!()
            };
            assert_eq!(value[7], 2);
            let generator::GeneratorState::Complete(value) = big.resume([3; 100_000]) else {
                unreachable!()
            };
            assert_eq!(value[9], 4);
        });
    });
    check_done(&output);
}

/// The megabytes lie on stacks of their size; the values that the library keeps are on the heap.
#[test]
fn values_of_a_megabyte_go_through_large_stacks() {
    type Huge = [u8; 1 << 20];
    let test = name_of!(values_of_a_megabyte_go_through_large_stacks);
    let output = in_child(test, "", || {
        fibra::run(|| {
            let resumes = fibra::Builder::new().stack_size(64 << 20).spawn(|| {
                let huge = generator::GeneratorBuilder::new().stack_size(32 << 20);
                let mut huge = huge.build(|y: &Yielder<Huge, Huge>, first: Huge| -> Huge {
                    let second = y.yield_(first);
                    [second[3] + 1; 1 << 20]
                });
                let generator::GeneratorState::Yielded(value) = huge.resume([2; 1 << 20]) else {
                    unreachable!()
                };
                let generator::GeneratorState::Complete(last) = huge.resume([3; 1 << 20]) else {
                    unreachable!()
                };
                (value[7], last[9])
            });
            assert_eq!(resumes.join().unwrap(), (2, 4));
        });
    });
    check_done(&output);
}

#[test]
#[cfg(not(sanitized))]
fn a_hundred_thousand_generators_live_at_once_and_are_unwound() {
    let test = name_of!(a_hundred_thousand_generators_live_at_once_and_are_unwound);
    let output = in_child(test, "", || {
        const MANY: usize = 100_000;
        let unwound = Rc::new(Cell::new(0));
        fibra::frame(|| {
            let mut all = Vec::new();
            for i in 0..MANY {
                let unwound = unwound.clone();
                let mut one = generator::iter(move |y| {
                    let _counts = OnDrop(|| unwound.set(unwound.get() + 1));
                    (i..i + 9).for_each(|value| y.yield_(value));
                });
                assert_eq!(one.next(), Some(i));
                all.push(one);
            }
            assert!(all.iter_mut().enumerate().all(|(i, one)| one.next() == Some(i + 1)));
            all.drain(..MANY / 2).for_each(drop);
            all.into_iter().for_each(mem::forget);
        });
        assert_eq!(unwound.get(), MANY);
    });
    check_done(&output);
}

#[test]
fn a_borrowing_generator_that_is_unwound_by_the_end_of_its_frame_may_close_the_one_around_it() {
    let test = name_of!(
        a_borrowing_generator_that_is_unwound_by_the_end_of_its_frame_may_close_the_one_around_it
    );
    let output = in_child(test, "", || {
        fibra::frame(|| {
            let shared: Rc<RefCell<Option<Generator<()>>>> = Rc::default();
            let around = shared.clone();
            let mut outer = generator::iter(move |y| {
                generator::scope(|s| {
                    let mut inner = s.iter(|inner_y: &Yielder<()>| {
                        let _closes = OnDrop(|| drop(around.take()));
                        inner_y.yield_(());
                    });
                    inner.next();
                    y.yield_(());
                });
            });
            outer.next();
            // Only the clean-up of the inner one has the handle.
            *shared.borrow_mut() = Some(outer);
        });
    });
    check_done(&output);
}
