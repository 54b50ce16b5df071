//! Tests stack overflows and wild pointers, each in a process of its own.

#![allow(unsafe_code, reason = "faults on purpose, and installs signal handlers")]

use std::os::unix::process::ExitStatusExt;
use std::process::Output;

use crate::support::{in_child, name_of, stderr};

const HELP: &str = "help: give it more with `fibra::Builder::new().stack_size(bytes)`, or recurse \
                    less\nhelp: see `fibra::guide::stack_sizes_and_memory`\nfatal runtime error: stack overflow, aborting\n";

#[inline(never)]
#[expect(unconditional_recursion, reason = "it is there to overflow")]
fn overflow() -> u64 {
    let frame = std::hint::black_box([0_u64; 16]);
    std::hint::black_box(overflow()) + frame[3]
}

#[track_caller]
fn check_overflow(output: &Output, first_line: &str) {
    let text = stderr(output);
    assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{text}");
    let of_main = first_line.starts_with("fiber 'main'");
    let size =
        if of_main { "Runtime::builder().main_stack_size" } else { "Builder::new().stack_size" };
    let help = HELP.replace("Builder::new().stack_size", size);
    assert!(text.ends_with(&format!("{first_line}\n{help}")), "{text}");
}

#[test]
fn an_overflow_in_a_fiber_is_reported_with_its_name_and_stack_size_and_aborts() {
    let test = name_of!(an_overflow_in_a_fiber_is_reported_with_its_name_and_stack_size_and_aborts);
    for guards in ["", "mprotect"] {
        let output = in_child(test, &[("FIBRA_STACK_GUARDS", guards)], || {
            fibra::run(|| {
                crate::support::go(fibra::park);
                let deep = fibra::Builder::new().name("deep").stack_size(128 << 10);
                drop(deep.spawn(overflow).join());
            });
        });
        check_overflow(&output, "fiber 'deep' (#3) has overflowed its stack of 128 KiB");
    }
}

#[test]
fn an_overflow_after_a_wait_is_reported_too() {
    let output = in_child(name_of!(an_overflow_after_a_wait_is_reported_too), &[], || {
        fibra::run(|| {
            let deep = fibra::Builder::new().stack_size(64 << 10).spawn(|| {
                fibra::yield_now();
                overflow()
            });
            drop(deep.join());
        });
    });
    check_overflow(&output, "fiber #2 has overflowed its stack of 64 KiB");
}

#[test]
fn an_overflow_on_the_smallest_stack_is_reported() {
    let output = in_child(name_of!(an_overflow_on_the_smallest_stack_is_reported), &[], || {
        fibra::run(|| {
            let tiny = fibra::Builder::new().name("tiny").stack_size(0).spawn(overflow);
            drop(tiny.join());
        });
    });
    check_overflow(&output, "fiber 'tiny' (#2) has overflowed its stack of 16 KiB");
}

#[test]
fn an_overflow_of_main_is_reported() {
    let output = in_child(name_of!(an_overflow_of_main_is_reported), &[], || {
        fibra::run(overflow);
    });
    check_overflow(&output, "fiber 'main' (#1) has overflowed its stack of 8 MiB");
}

#[test]
fn an_overflow_of_a_main_with_a_stack_of_another_size_is_reported() {
    let test = name_of!(an_overflow_of_a_main_with_a_stack_of_another_size_is_reported);
    let output = in_child(test, &[], || {
        fibra::Runtime::builder().main_stack_size(2 << 20).build().unwrap().run(overflow);
    });
    check_overflow(&output, "fiber 'main' (#1) has overflowed its stack of 2 MiB");
}

#[test]
fn an_overflow_of_a_borrowed_stack_is_reported_with_its_size() {
    let test = name_of!(an_overflow_of_a_borrowed_stack_is_reported_with_its_size);
    for guards in ["", "mprotect"] {
        let output = in_child(test, &[("FIBRA_STACK_GUARDS", guards)], || {
            fibra::run(|| {
                let small = fibra::Builder::new().name("small").stack_size(0);
                let fiber = small.spawn(|| {
                    fibra::with_stack_size(128 << 10, || {
                        fibra::yield_now();
                        fibra::with_stack_size(0, fibra::yield_now);
                        overflow()
                    })
                });
                drop(fiber.join());
            });
        });
        check_overflow(&output, "fiber 'small' (#2) has overflowed its stack of 128 KiB");
    }
}

#[test]
fn an_overflow_after_a_call_on_a_borrowed_stack_is_reported() {
    let test = name_of!(an_overflow_after_a_call_on_a_borrowed_stack_is_reported);
    let output = in_child(test, &[], || {
        fibra::run(|| {
            let fiber = fibra::Builder::new().stack_size(0).spawn(|| {
                fibra::with_stack_size(128 << 10, fibra::yield_now);
                overflow()
            });
            drop(fiber.join());
        });
    });
    check_overflow(&output, "fiber #2 has overflowed its stack of 16 KiB");
}

#[test]
fn an_overflow_on_a_second_scheduler_thread_is_reported() {
    let test = name_of!(an_overflow_on_a_second_scheduler_thread_is_reported);
    let output = in_child(test, &[], || {
        std::thread::scope(|s| {
            s.spawn(|| fibra::run(|| drop(fibra::spawn(overflow).join())));
        });
    });
    let large_frames = cfg!(any(debug_assertions, sanitized));
    let default = if large_frames { "1 MiB" } else { "256 KiB" };
    check_overflow(&output, &format!("fiber #2 has overflowed its stack of {default}"));
}

#[test]
fn an_overflow_in_a_reused_stack_names_the_fiber_that_overflowed() {
    let test = name_of!(an_overflow_in_a_reused_stack_names_the_fiber_that_overflowed);
    let output = in_child(test, &[], || {
        fibra::run(|| {
            fibra::Builder::new().name("first").spawn(|| ()).join().unwrap();
            drop(fibra::Builder::new().name("second").stack_size(0).spawn(overflow).join());
        });
    });
    check_overflow(&output, "fiber 'second' (#3) has overflowed its stack of 16 KiB");
}

fn touch_a_wild_pointer() {
    // SAFETY: none: this write is the fault that is tested. It ends the child.
    unsafe { std::ptr::without_provenance_mut::<u8>(4096).write_volatile(1) };
}

#[test]
#[cfg_attr(sanitized, ignore = "the sanitizer reports faults itself")]
fn a_wild_pointer_in_a_fiber_is_a_plain_segmentation_fault() {
    let test = name_of!(a_wild_pointer_in_a_fiber_is_a_plain_segmentation_fault);
    let output = in_child(test, &[], || {
        fibra::run(|| drop(fibra::spawn(touch_a_wild_pointer).join()));
    });
    assert_eq!(output.status.signal(), Some(libc::SIGSEGV), "{}", stderr(&output));
    assert!(!stderr(&output).contains("overflow"), "{}", stderr(&output));
}

#[test]
#[cfg_attr(sanitized, ignore = "the sanitizer reports faults itself")]
fn after_run_a_wild_pointer_is_a_plain_segmentation_fault() {
    let test = name_of!(after_run_a_wild_pointer_is_a_plain_segmentation_fault);
    let output = in_child(test, &[], || {
        fibra::run(|| ());
        touch_a_wild_pointer();
    });
    assert_eq!(output.status.signal(), Some(libc::SIGSEGV), "{}", stderr(&output));
}

extern "C" fn earlier_handler(_: libc::c_int) {
    // SAFETY: `_exit` has no preconditions.
    unsafe { libc::_exit(77) }
}

fn install_an_earlier_handler() {
    // SAFETY: zeroes are a valid `sigaction`, and the handler has the signature for no flags. It
    // does not need the fiber's stack: fibra's handler, which calls it, runs on its own stack.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = earlier_handler as *const () as usize;
        assert_eq!(libc::sigaction(libc::SIGSEGV, &action, std::ptr::null_mut()), 0);
    }
}

#[test]
fn an_earlier_handler_gets_the_wild_pointers_and_not_the_overflows() {
    let test = name_of!(an_earlier_handler_gets_the_wild_pointers_and_not_the_overflows);
    let faults: [(&str, fn()); 2] =
        [("wild", touch_a_wild_pointer), ("overflow", || assert_ne!(overflow(), 1))];
    for (name, fault) in faults {
        // The child runs this loop too: it must skip all rows but the one that it was started for.
        if std::env::var("FIBRA_TEST_FAULT").is_ok_and(|wanted| wanted != name) {
            continue;
        }
        let output = in_child(test, &[("FIBRA_TEST_FAULT", name)], || {
            install_an_earlier_handler();
            fibra::run(|| drop(fibra::Builder::new().stack_size(0).spawn(fault).join()));
        });
        if name == "wild" {
            assert_eq!(output.status.code(), Some(77), "{}", stderr(&output));
        } else {
            check_overflow(&output, "fiber #2 has overflowed its stack of 16 KiB");
        }
    }
}
