//! Hostile programs in safe code that are judged by their process: how it ends, and what it maps.

#![allow(clippy::disallowed_methods, reason = "children are spawned, and exit")]

use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::process::Command;

use fibra::{JoinError, Runtime};

use crate::support::limits::{SECOND, in_child};
use crate::support::{OnDrop, name_of, quiet_panic, run_virtually, stderr};

/// Returns the number of pages of 4 KiB that this process has mapped.
#[cfg(all(target_os = "linux", not(sanitized)))]
fn mapped_pages() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').next().unwrap().parse().unwrap()
}

#[test]
#[cfg(all(target_os = "linux", not(sanitized)))]
fn many_runs_do_not_use_up_address_space() {
    // Alone: a thread that runs another test maps a heap of 64 MiB when it first allocates.
    let output = in_child(name_of!(many_runs_do_not_use_up_address_space), "", || {
        let run = || run_virtually(|| fibra::spawn(|| {}).join().unwrap());
        (0..10).for_each(|_| run());
        let before = mapped_pages();
        (0..3000).for_each(|_| run());
        let grown = mapped_pages().saturating_sub(before);
        assert!(grown < (16 << 20) / 4096, "{grown} pages: each run leaks something");
    });
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
#[cfg(all(target_os = "linux", not(sanitized)))]
fn without_memory_for_a_borrowed_stack_the_calls_around_it_unwind_and_later_ones_work() {
    fn deepen(calls: u32) -> u32 {
        assert!(calls < 100, "no limit was met");
        fibra::with_stack_size(1 << 30, || deepen(calls + 1) + 1)
    }
    let test = name_of!(
        without_memory_for_a_borrowed_stack_the_calls_around_it_unwind_and_later_ones_work
    );
    let output = in_child(test, "ulimit -v 10000000;", || {
        run_virtually(|| {
            let payload = panic::catch_unwind(|| deepen(0)).unwrap_err();
            let text = payload.downcast_ref::<String>().expect("a text");
            assert!(text.starts_with("no stack of 1073741824 bytes for a call: "), "{text}");
            assert_eq!(fibra::stats().stacks_live, 1);
            assert_eq!(fibra::with_stack_size(1 << 20, || 7), 7);
        });
    });
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn exit_ends_the_process_from_a_destructor_that_unwinds() {
    let output =
        in_child(name_of!(exit_ends_the_process_from_a_destructor_that_unwinds), "", || {
            fibra::run(|| {
                drop(fibra::spawn(|| {
                    let _exits = OnDrop(|| fibra::exit(3));
                    quiet_panic("unwinds");
                }));
                fibra::park();
            });
        });
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
}

#[test]
fn exit_ends_the_process_from_a_shielded_fiber_of_a_scope() {
    let output =
        in_child(name_of!(exit_ends_the_process_from_a_shielded_fiber_of_a_scope), "", || {
            fibra::run(|| {
                drop(fibra::spawn(|| {
                    fibra::scope(|s| {
                        s.spawn(|| fibra::shield(|| fibra::scope(|_| fibra::exit(4))));
                    });
                }));
                fibra::park();
            });
        });
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert!(!stderr(&output).contains("panicked at"), "{}", stderr(&output));
}

#[test]
fn a_main_fiber_that_catches_every_kill_ends_the_process_with_a_report() {
    let name = name_of!(a_main_fiber_that_catches_every_kill_ends_the_process_with_a_report);
    let output = in_child(name, "", || {
        fibra::run(|| {
            let main = fibra::current();
            drop(fibra::spawn(move || main.kill()));
            loop {
                let _ = catch_unwind(fibra::park);
            }
        });
    });
    use std::os::unix::process::ExitStatusExt;
    assert_eq!(output.status.signal(), Some(6), "{}", stderr(&output));
    assert!(stderr(&output).contains("fiber 'main' (#1)"), "{}", stderr(&output));
    assert!(stderr(&output).contains("caught every kill"), "{}", stderr(&output));
}

#[test]
#[cfg(target_os = "linux")]
fn a_report_that_cannot_be_written_does_no_harm() {
    let output = in_child(
        name_of!(a_report_that_cannot_be_written_does_no_harm),
        "exec 2>/dev/full;",
        || {
            fibra::run(|| {
                drop(fibra::spawn(|| quiet_panic("not joined")));
                let stubborn = fibra::spawn(|| {
                    loop {
                        let _ = catch_unwind(fibra::park);
                    }
                });
                fibra::yield_now();
                stubborn.kill();
                assert!(matches!(stubborn.join(), Err(JoinError::Abandoned)));
            });
            std::process::exit(5);
        },
    );
    assert_eq!(output.status.code(), Some(5));
}

/// Limits this process to mapping `bytes` more.
#[cfg(all(target_os = "linux", not(sanitized)))]
fn limit_further_mappings_to(bytes: usize) {
    let id = std::process::id().to_string();
    let limit = format!("--as={}", mapped_pages() * 4096 + bytes);
    let status = Command::new("prlimit").args(["--pid", &id, &limit]).status();
    assert!(status.unwrap().success());
}

#[test]
#[cfg(all(target_os = "linux", not(sanitized)))]
fn a_main_fiber_that_gets_no_stack_is_an_error() {
    let output = in_child(name_of!(a_main_fiber_that_gets_no_stack_is_an_error), "", || {
        // The builder has found a stack of this size, but the closure needs a larger one.
        let runtime = Runtime::builder().main_stack_size(0).build().unwrap();
        let large = [7u8; 2048];
        // Enough for the stack of the overflow handler, but not for another slab.
        limit_further_mappings_to(2 << 20);
        let spawned = OnDrop(|| drop(fibra::spawn(|| println!("a child of main's closure"))));
        let raised = catch_unwind(AssertUnwindSafe(|| {
            runtime.run(move || {
                drop(spawned);
                assert_eq!(large, [7u8; 2048]);
            });
        }));
        let text = raised.unwrap_err().downcast::<String>().unwrap();
        assert!(text.contains("stack"), "{text}");
        std::process::exit(6);
    });
    assert_eq!(output.status.code(), Some(6), "{}", stderr(&output));
}

#[test]
#[cfg(all(target_os = "linux", not(sanitized)))]
fn a_large_closure_that_gets_no_stack_is_dropped_and_an_error() {
    let output =
        in_child(name_of!(a_large_closure_that_gets_no_stack_is_dropped_and_an_error), "", || {
            Runtime::builder().stack_size(16 << 10).build().unwrap().run(|| {
                let large = Box::new([1u8; 200 << 10]);
                let handle = spawn_large(*large);
                limit_further_mappings_to(0);
                let Err(JoinError::NoStack(_)) = handle.join() else { panic!("it has no stack") };
            });
            std::process::exit(7);
        });
    assert_eq!(output.status.code(), Some(7), "{}", stderr(&output));
}

#[test]
#[cfg(all(target_os = "linux", not(sanitized)))]
fn a_fiber_that_waits_for_the_spare_stack_cannot_be_paused() {
    let output =
        in_child(name_of!(a_fiber_that_waits_for_the_spare_stack_cannot_be_paused), "", || {
            run_virtually(|| {
                let spawn = || {
                    let slow = OnDrop(|| fibra::sleep(SECOND));
                    fibra::Builder::new().stack_size(64 << 20).spawn(move || drop(slow))
                };
                let (first, second) = (spawn(), spawn());
                limit_further_mappings_to(0);
                fibra::yield_now();
                assert!(!second.fiber().pause());
                for handle in [first, second] {
                    let Err(JoinError::NoStack(_)) = handle.join() else {
                        panic!("it has no stack")
                    };
                }
            });
            std::process::exit(8);
        });
    assert_eq!(output.status.code(), Some(8), "{}", stderr(&output));
}

#[cfg(all(target_os = "linux", not(sanitized)))]
fn spawn_large(large: [u8; 200 << 10]) -> fibra::JoinHandle<u8> {
    fibra::spawn(move || large[12345])
}
