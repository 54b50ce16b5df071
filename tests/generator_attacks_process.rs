//! Hostile programs in safe code that use generators and whose process is what is tested: each runs
//! in a child and must end with its body done, no abort and no hang.

#![allow(clippy::disallowed_methods, reason = "children are spawned, and exit")]

use std::cell::{Cell, RefCell};
use std::mem;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::process::{Command, Output};
use std::rc::Rc;
use std::time::Duration;

use fibra::Runtime;
use fibra::generator::{self, Generator, Yielder};

const SECOND: Duration = Duration::from_secs(1);

fn virtually<T>(f: impl FnOnce() -> T) -> T {
    Runtime::builder().virtual_clock().build().unwrap().run(f)
}

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

fn quiet_panic(text: &'static str) -> ! {
    panic::resume_unwind(Box::new(text))
}

fn caught<T>(f: impl FnOnce() -> T) -> bool {
    catch_unwind(AssertUnwindSafe(f)).is_err()
}

const DONE: &str = "the child's body has ended\n";

/// Runs `test` again in a process of its own, in which `f` is called. One that spins is ended by the
/// limit on its processor time, one that takes memory without end by that on its addresses.
fn in_child(test: &str, limits: &str, f: impl FnOnce()) -> Output {
    const CHILD: &str = "FIBRA_ATTACK_CHILD";
    if std::env::var(CHILD).is_ok_and(|wanted| wanted == test) {
        f();
        eprint!("{DONE}");
        std::process::exit(0);
    }
    let script = format!("ulimit -c 0; ulimit -t 20; {limits} exec \"$0\" \"$@\"");
    Command::new("sh")
        .args(["-c", &script])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(CHILD, test)
        .env_remove("RUST_BACKTRACE")
        .output()
        .unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

macro_rules! name_of {
    ($test:ident) => {{
        let _: fn() = $test;
        stringify!($test)
    }};
}

/// The child's body has ended. Returns what it wrote before that.
#[track_caller]
fn check_done(output: &Output) -> String {
    let text = stderr(output);
    assert!(output.status.success(), "{}: {text}", output.status);
    text.strip_suffix(DONE).unwrap_or_else(|| panic!("its body has not ended: {text}")).into()
}

/// Makes a generator whose handle nobody has.
fn forget_after_first<Y: 'static, T: 'static>(f: impl FnOnce(&Yielder<Y>) -> T + 'static) {
    let mut forgotten = generator::iter(f);
    drop(forgotten.next());
    mem::forget(forgotten);
}

// -- fiber-locals ---------------------------------------------------------------------------------

/// The local that its destructor marks, and one whose destructor starts a generator that is
/// suspended with a reference to the other.
#[test]
fn a_local_outlives_a_generator_that_the_destructor_of_another_local_starts() {
    struct Marked;
    struct Starts;
    thread_local! {
        static GONE: Cell<bool> = const { Cell::new(false) };
        static SEEN_GONE: Cell<Option<bool>> = const { Cell::new(None) };
    }
    fibra::local! {
        static OLDER: Marked = Marked;
        static YOUNGER: Starts = Starts;
    }
    impl Drop for Marked {
        fn drop(&mut self) {
            GONE.set(true);
        }
    }
    impl Drop for Starts {
        fn drop(&mut self) {
            forget_after_first(|y| {
                OLDER.with(|_borrowed| {
                    // Were this not a mark but a look at `_borrowed`, it would read freed memory.
                    let _looks = OnDrop(|| SEEN_GONE.set(Some(GONE.get())));
                    y.yield_(());
                });
            });
        }
    }
    virtually(|| {
        fibra::spawn(|| {
            OLDER.with(|_| ());
            YOUNGER.with(|_| ());
        })
        .join()
        .unwrap();
    });
    assert_eq!(SEEN_GONE.get(), Some(false), "the generator's reference to the local dangled");
}

/// The first generator of a fiber is started by the last destructor that it runs.
#[test]
fn a_generator_started_by_the_last_destructor_of_a_fiber_is_unwound() {
    let test = name_of!(a_generator_started_by_the_last_destructor_of_a_fiber_is_unwound);
    let output = in_child(test, "", || {
        struct Starts;
        fibra::local! { static LATE: Starts = Starts; }
        impl Drop for Starts {
            fn drop(&mut self) {
                forget_after_first(|y| {
                    let _says = OnDrop(|| eprintln!("unwound"));
                    y.yield_(());
                });
            }
        }
        fibra::run(|| {
            // The output is dropped by the fiber itself, and makes its first local.
            drop(fibra::spawn(|| OnDrop(|| LATE.with(|_| ()))));
            fibra::yield_now();
        });
    });
    assert_eq!(check_done(&output), "unwound\n");
}

/// As above, with a handle that lives on: it must not come back to life in a fiber whose record
/// takes the place of the owner's. (In a debug build an assertion comes first.)
#[test]
fn a_generator_of_an_ended_fiber_is_resumed_by_none_that_takes_its_place() {
    let test = name_of!(a_generator_of_an_ended_fiber_is_resumed_by_none_that_takes_its_place);
    let output = in_child(test, "", || {
        thread_local! {
            static HANDLE: RefCell<Option<Generator<u32>>> = const { RefCell::new(None) };
        }
        struct Starts;
        fibra::local! { static LATE: Starts = Starts; }
        impl Drop for Starts {
            fn drop(&mut self) {
                let mut one = generator::iter(|y| (0..).for_each(|n| y.yield_(n)));
                one.next();
                HANDLE.with(|handle| *handle.borrow_mut() = Some(one));
            }
        }
        fibra::run(|| {
            drop(fibra::spawn(|| OnDrop(|| LATE.with(|_| ()))));
            fibra::yield_now();
            for _ in 0..10 {
                let resumes = || {
                    HANDLE.with(|handle| {
                        handle.borrow_mut().as_mut().unwrap().try_resume(()).is_ok()
                    })
                };
                assert!(!fibra::spawn(resumes).join().unwrap(), "a stack outlived its fiber");
            }
        });
        HANDLE.with(RefCell::take);
    });
    check_done(&output);
}

// -- the exit of the process ----------------------------------------------------------------------

struct Name(String);

impl Drop for Name {
    fn drop(&mut self) {
        NAME_IS_GONE.with(|gone| gone.set(true));
    }
}

thread_local! {
    // Without a destructor: it can be read to the very end.
    static NAME_IS_GONE: Cell<bool> = const { Cell::new(false) };
    // Destroyed last to first: `KEPT` is used first, so that it goes after `NAME`.
    static KEPT: RefCell<Option<Generator<()>>> = const { RefCell::new(None) };
    static NAME: Name = Name(String::from("name"));
}

/// Keeps in a thread-local a generator that is suspended with a reference to another.
fn keep_one_that_borrows_a_thread_local() {
    KEPT.with(|_| ());
    let mut borrows = generator::iter(|y| {
        NAME.with(|name| {
            let _looks = OnDrop(|| {
                // Freed memory, if it is gone.
                let gone = NAME_IS_GONE.with(Cell::get);
                eprintln!("unwound while its thread-local {}", if gone { "is gone" } else { "lives" });
            });
            y.yield_(());
            assert_eq!(name.0, "name");
        });
    });
    borrows.next();
    KEPT.with(|kept| *kept.borrow_mut() = Some(borrows));
}

#[track_caller]
fn check_exit(output: &Output) {
    let text = stderr(output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(!text.contains("is gone"), "{text}");
}

#[test]
fn exit_in_a_frame_resumes_nothing_after_the_thread_locals_are_destroyed() {
    let test = name_of!(exit_in_a_frame_resumes_nothing_after_the_thread_locals_are_destroyed);
    let output = in_child(test, "", || {
        fibra::frame(|| {
            keep_one_that_borrows_a_thread_local();
            fibra::exit(3);
        });
    });
    check_exit(&output);
}

#[test]
fn exit_in_a_run_in_a_frame_resumes_nothing_after_the_thread_locals_are_destroyed() {
    let test = name_of!(exit_in_a_run_in_a_frame_resumes_nothing_after_the_thread_locals_are_destroyed);
    let output = in_child(test, "", || {
        fibra::frame(|| {
            keep_one_that_borrows_a_thread_local();
            fibra::run(|| fibra::exit(3));
        });
    });
    check_exit(&output);
}

#[test]
fn exit_in_an_unwind_in_a_run_in_a_frame_resumes_nothing_either() {
    let test = name_of!(exit_in_an_unwind_in_a_run_in_a_frame_resumes_nothing_either);
    let output = in_child(test, "", || {
        fibra::frame(|| {
            keep_one_that_borrows_a_thread_local();
            fibra::run(|| {
                let _exits = OnDrop(|| fibra::exit(3));
                quiet_panic("unwinds");
            });
        });
    });
    check_exit(&output);
}

// -- generators that are given up -----------------------------------------------------------------

/// Yields for ever, whatever is raised.
fn refuse_to_end(y: &Yielder<()>) {
    loop {
        let _ = catch_unwind(AssertUnwindSafe(|| y.yield_(())));
    }
}

#[test]
fn a_child_of_a_scope_in_a_generator_that_was_given_up_may_fail_after_its_fiber() {
    let test =
        name_of!(a_child_of_a_scope_in_a_generator_that_was_given_up_may_fail_after_its_fiber);
    let output = in_child(test, "", || {
        virtually(|| {
            let owner = fibra::spawn(|| {
                let mut stubborn = generator::iter(|y| {
                    fibra::nursery(|n| {
                        n.spawn(|| {
                            fibra::sleep(SECOND);
                            quiet_panic("fails when its parent is long gone");
                        });
                        refuse_to_end(y);
                    });
                });
                stubborn.next();
            });
            owner.join().unwrap();
            // These take the memory of the owner's record, which is of the same size.
            let others: Vec<_> = (0..10).map(|_| fibra::spawn(fibra::park)).collect();
            // Wakes directly after the child, before anybody whom that has woken.
            fibra::sleep(SECOND);
            for other in &others {
                eprintln!("{:?}", other.fiber());
            }
            others.iter().for_each(|other| other.fiber().unpark());
            others.into_iter().for_each(|other| other.join().unwrap());
        });
    });
    let text = check_done(&output);
    assert_eq!(text.matches("Some(Waiting").count(), 10, "{text}");
}

#[test]
fn a_frame_ends_after_a_generator_was_given_up_with_another_on_top_of_it() {
    let test = name_of!(a_frame_ends_after_a_generator_was_given_up_with_another_on_top_of_it);
    let output = in_child(test, "", || {
        let with_one_on_top = || {
            let mut outer = generator::iter(|y| {
                generator::scope(|s| {
                    let mut inner = s.iter(|_: &Yielder<()>| refuse_to_end(y));
                    inner.next();
                });
            });
            outer.next();
        };
        fibra::frame(with_one_on_top);
        fibra::frame(|| assert_eq!(generator::iter(|y| y.yield_(7)).next(), Some(7)));
        fibra::run(|| fibra::spawn(with_one_on_top).join().unwrap());
    });
    check_done(&output);
}

#[test]
fn a_value_whose_destructor_panics_does_not_keep_a_closing_generator_alive() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            quiet_panic("bomb");
        }
    }
    let test = name_of!(a_value_whose_destructor_panics_does_not_keep_a_closing_generator_alive);
    let output = in_child(test, "", || {
        fibra::frame(|| {
            let mut stubborn = generator::iter(|y| {
                loop {
                    let _ = catch_unwind(AssertUnwindSafe(|| y.yield_(Bomb)));
                }
            });
            mem::forget(stubborn.next());
        });
    });
    check_done(&output);
}

#[test]
fn destructors_that_start_two_generators_each_are_stopped() {
    struct Starts;
    impl Drop for Starts {
        fn drop(&mut self) {
            for _ in 0..2 {
                let mut next = generator::Builder::new().stack_size(0).build(|y, ()| {
                    let _starts = Starts;
                    y.yield_(());
                });
                let _ = next.try_resume(());
                mem::forget(next);
            }
        }
    }
    let test = name_of!(destructors_that_start_two_generators_each_are_stopped);
    let output = in_child(test, "ulimit -v 4000000;", || {
        fibra::frame(|| {
            forget_after_first(|y| {
                let _starts = Starts;
                y.yield_(());
            });
        });
    });
    check_done(&output);
}

// -- generators while something unwinds -----------------------------------------------------------

/// What a generator that was left in the middle does to a program: nothing, unless it is in a
/// destructor itself.
fn first_word(words: &[String]) -> usize {
    generator::scope(|s| s.iter(|y| words.iter().for_each(|word| y.yield_(word.len()))).next())
        .unwrap_or(0)
}

#[test]
fn a_destructor_may_use_a_borrowing_generator_while_its_thread_unwinds() {
    let test = name_of!(a_destructor_may_use_a_borrowing_generator_while_its_thread_unwinds);
    let output = in_child(test, "", || {
        let words = [String::from("a"), String::from("b")];
        fibra::frame(|| {
            assert!(caught(|| {
                let _uses = OnDrop(|| eprintln!("{}", first_word(&words)));
                quiet_panic("unwinds");
            }));
        });
    });
    assert_eq!(check_done(&output), "1\n");
}

#[test]
fn a_borrowing_generator_may_be_dropped_while_another_fiber_waits_in_a_destructor() {
    let test =
        name_of!(a_borrowing_generator_may_be_dropped_while_another_fiber_waits_in_a_destructor);
    let output = in_child(test, "", || {
        virtually(|| {
            let unwinds = fibra::spawn(|| {
                let _waits = OnDrop(|| fibra::sleep(SECOND));
                quiet_panic("unwinds");
            });
            fibra::yield_now();
            eprintln!("{}", first_word(&[String::from("a"), String::from("b")]));
            unwinds.join().unwrap_err();
        });
    });
    assert_eq!(check_done(&output), "1\n");
}

#[test]
fn a_generator_that_is_dropped_while_another_fiber_waits_in_a_destructor_is_unwound() {
    let test =
        name_of!(a_generator_that_is_dropped_while_another_fiber_waits_in_a_destructor_is_unwound);
    let output = in_child(test, "", || {
        virtually(|| {
            let unwinds = fibra::spawn(|| {
                let _waits = OnDrop(|| fibra::sleep(SECOND));
                quiet_panic("unwinds");
            });
            fibra::yield_now();
            let mut innocent = generator::iter(|y| {
                let _says = OnDrop(|| eprintln!("unwound"));
                y.yield_(());
            });
            innocent.next();
            drop(innocent);
            unwinds.join().unwrap_err();
        });
    });
    assert_eq!(check_done(&output), "unwound\n");
}

#[test]
fn a_borrowing_generator_that_catches_once_may_be_dropped_by_an_unwind() {
    let test = name_of!(a_borrowing_generator_that_catches_once_may_be_dropped_by_an_unwind);
    let output = in_child(test, "", || {
        let text = String::from("clean-up");
        fibra::frame(|| {
            assert!(caught(|| {
                generator::scope(|s| {
                    let mut tidy = s.iter(|y| {
                        let _ = catch_unwind(AssertUnwindSafe(|| y.yield_(())));
                        eprintln!("{text}");
                        y.yield_(()); // the second `GeneratorExit` ends it
                    });
                    tidy.next();
                    quiet_panic("unwinds");
                });
            }));
        });
    });
    assert_eq!(check_done(&output), "clean-up\n");
}

#[test]
fn a_frame_that_unwinds_unwinds_generators_as_one_that_returns() {
    let test = name_of!(a_frame_that_unwinds_unwinds_generators_as_one_that_returns);
    let output = in_child(test, "", || {
        let frame = |panics: bool| {
            fibra::frame(|| {
                forget_after_first(|y| {
                    let _says = OnDrop(|| eprintln!("unwound"));
                    let _ = catch_unwind(AssertUnwindSafe(|| y.yield_(())));
                    y.yield_(());
                });
                if panics {
                    quiet_panic("unwinds");
                }
            });
        };
        frame(false);
        assert!(caught(|| frame(true)));
    });
    assert_eq!(check_done(&output), "unwound\nunwound\n");
}

fn leave_one_whose_destructor_yields_to_the_one_around_it() {
    forget_after_first(|y| {
        generator::scope(|s| {
            let mut inner = s.iter(|inner_y| {
                let _yields = OnDrop(|| y.yield_(1));
                inner_y.yield_(());
            });
            inner.next();
            y.yield_(2);
        });
    });
}

#[test]
fn a_destructor_that_yields_to_the_generator_around_its_own_is_safe_at_the_end_of_a_frame() {
    let test = name_of!(
        a_destructor_that_yields_to_the_generator_around_its_own_is_safe_at_the_end_of_a_frame
    );
    let output = in_child(test, "", || {
        fibra::frame(leave_one_whose_destructor_yields_to_the_one_around_it);
    });
    check_done(&output);
}

#[test]
fn a_destructor_that_yields_to_the_generator_around_its_own_is_safe_at_the_end_of_a_fiber() {
    let test = name_of!(
        a_destructor_that_yields_to_the_generator_around_its_own_is_safe_at_the_end_of_a_fiber
    );
    let output = in_child(test, "", || {
        fibra::run(|| {
            fibra::spawn(leave_one_whose_destructor_yields_to_the_one_around_it).join().unwrap();
        });
    });
    check_done(&output);
}

#[test]
fn a_generator_whose_destructor_yields_may_be_dropped_by_an_unwind() {
    let test = name_of!(a_generator_whose_destructor_yields_may_be_dropped_by_an_unwind);
    let output = in_child(test, "", || {
        fibra::frame(|| {
            assert!(caught(|| {
                let mut yields = generator::iter(|y| {
                    let _yields = OnDrop(|| y.yield_(()));
                    y.yield_(());
                });
                yields.next();
                quiet_panic("unwinds");
            }));
        });
    });
    check_done(&output);
}

#[test]
fn a_generator_whose_unwinding_is_put_off_is_not_given_up_when_the_next_starts() {
    let test = name_of!(a_generator_whose_unwinding_is_put_off_is_not_given_up_when_the_next_starts);
    let output = in_child(test, "", || {
        virtually(|| {
            drop(fibra::spawn(|| {
                let _waits = OnDrop(|| fibra::sleep(SECOND));
                quiet_panic("unwinds");
            }));
            let mut innocent = generator::iter(|y| {
                let _says = OnDrop(|| eprintln!("unwound"));
                fibra::yield_now(); // the other begins to unwind
                y.yield_(());
            });
            innocent.next();
            drop(innocent);
            assert_eq!(generator::iter(|y| y.yield_(7)).count(), 1); // starts one
            fibra::sleep(2 * SECOND);
        });
    });
    let text = check_done(&output);
    assert!(text.contains("unwound\n"), "{text}");
}

#[test]
fn a_destructor_that_yields_does_not_save_its_fiber_from_a_kill() {
    let test = name_of!(a_destructor_that_yields_does_not_save_its_fiber_from_a_kill);
    let output = in_child(test, "", || {
        virtually(|| {
            let fiber = fibra::spawn(|| {
                let _says = OnDrop(|| eprintln!("unwound"));
                let mut yields = generator::iter(|y| {
                    let _yields = OnDrop(|| y.yield_(()));
                    fibra::park();
                });
                yields.next();
                fibra::park();
            });
            fibra::yield_now();
            fiber.kill();
            assert!(fiber.join().unwrap_err().is_killed());
        });
    });
    assert_eq!(check_done(&output), "unwound\n");
}

// -- stacks ---------------------------------------------------------------------------------------

fn overflow() -> u64 {
    #[expect(unconditional_recursion, reason = "it is there to overflow")]
    fn endless(depth: u64) -> u64 {
        let page = std::hint::black_box([depth; 100]);
        endless(depth + 1) + page[7]
    }
    std::hint::black_box(endless(0))
}

#[track_caller]
fn check_overflow(output: &Output, first_line: &str) {
    use std::os::unix::process::ExitStatusExt;
    let text = stderr(output);
    assert_eq!(output.status.signal(), Some(6), "{text}");
    let help = "help: give it more with the `stack_size` of its `Builder`, or recurse less\n\
                fatal runtime error: stack overflow, aborting\n";
    assert!(text.ends_with(&format!("{first_line}\n{help}")), "{text}");
}

#[test]
fn an_overflow_of_a_generator_in_a_frame_is_reported() {
    let output = in_child(name_of!(an_overflow_of_a_generator_in_a_frame_is_reported), "", || {
        fibra::frame(|| {
            // What `run` sets up and takes away again must not take the frame's away.
            fibra::run(|| ());
            generator::iter(|y: &Yielder<()>| {
                y.yield_(());
                overflow()
            })
            .for_each(drop);
        });
    });
    let line = "a generator or greenlet outside of fibers has overflowed its stack of 256 KiB";
    check_overflow(&output, line);
}

#[test]
fn an_overflow_of_a_nested_generator_in_a_fiber_is_reported() {
    let test = name_of!(an_overflow_of_a_nested_generator_in_a_fiber_is_reported);
    let output = in_child(test, "", || {
        fibra::run(|| {
            let fiber = fibra::Builder::new().name("parser").spawn(|| {
                generator::iter(|y| {
                    let tiny = generator::Builder::new().stack_size(0);
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

/// As `tests/big_values.rs` has it for fibers.
#[test]
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

/// The megabytes lie on stacks that were made for them; what the library keeps is on the heap.
#[test]
fn values_of_a_megabyte_go_through_large_stacks() {
    type Huge = [u8; 1 << 20];
    let test = name_of!(values_of_a_megabyte_go_through_large_stacks);
    let output = in_child(test, "", || {
        fibra::run(|| {
            let resumes = fibra::Builder::new().stack_size(64 << 20).spawn(|| {
                let huge = generator::Builder::new().stack_size(32 << 20);
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
                    (i..).for_each(|value| y.yield_(value));
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
            // Nobody but the clean-up of the inner one has the handle.
            *shared.borrow_mut() = Some(outer);
        });
    });
    check_done(&output);
}
