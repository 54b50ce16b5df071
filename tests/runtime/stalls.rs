//! `RuntimeBuilder::report_stalls`: the report of a runtime whose schedulers all sleep, and the
//! runtimes that print none.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use fibra::sync::{Event, mpmc};
use fibra::{Handle, Runtime};

use crate::dumps::normal;
use crate::must_end;
use crate::support::{DONE_LINE, in_child, ms, name_of, panic_of, stderr};

/// Runs `body` on a runtime that reports stalls after that time, in a child process, and returns
/// what the child printed, without numbers.
fn reports(test: &str, threads: usize, after: Duration, body: impl FnOnce(Handle)) -> String {
    let output = in_child(test, &[], || {
        must_end();
        let builder = Runtime::builder().threads(threads).report_stalls(after);
        builder.build().unwrap().run(|| body(Handle::current()));
    });
    let text = stderr(&output);
    assert!(output.status.success(), "{text}");
    normal(text.strip_suffix(DONE_LINE).unwrap())
}

#[test]
fn a_stall_is_reported_once_with_the_fibers_of_all_schedulers() {
    let test = name_of!(a_stall_is_reported_once_with_the_fibers_of_all_schedulers);
    let text = reports(test, 2, ms(100), |handle| {
        let (sender, receiver) = mpmc::bounded::<()>(1);
        let forgotten = handle.spawn_on(1, move || receiver.recv());
        let event = Arc::new(Event::new());
        let sets = event.clone();
        let thread = thread::spawn(move || {
            thread::sleep(ms(1_500));
            sets.set();
        });
        event.wait();
        // The next stall, which a time limit will end.
        fibra::sleep(ms(1_500));
        drop(sender);
        assert!(forgotten.join().unwrap().is_err());
        thread.join().unwrap();
    });
    let expected = "\
fibra: stall: all schedulers have slept
scheduler 0 sleeps:
  fiber 'main' (#1) is waiting for an event at stalls.rs
scheduler 1 sleeps:
  fiber 'main' (#1) is waiting for the end of its runtime at threads.rs
  fiber #2 is receiving on an empty channel at stalls.rs
fibra: stall: all schedulers have slept
scheduler 0 sleeps:
  fiber 'main' (#1) is asleep at stalls.rs
scheduler 1 sleeps:
  fiber 'main' (#1) is waiting for the end of its runtime at threads.rs
  fiber #2 is receiving on an empty channel at stalls.rs
";
    assert_eq!(text, expected);
}

#[test]
fn a_runtime_of_one_thread_reports_stalls_as_well() {
    let test = name_of!(a_runtime_of_one_thread_reports_stalls_as_well);
    let text = reports(test, 1, ms(100), |_| {
        fibra::spawn(|| fibra::park());
        fibra::sleep(ms(1_500));
    });
    let expected = "\
fibra: stall: all schedulers have slept
scheduler 0 sleeps:
  fiber 'main' (#1) is asleep at stalls.rs
  fiber #2 is parked at stalls.rs
";
    assert_eq!(text, expected);
}

#[test]
fn a_runtime_in_which_a_fiber_runs_or_computes_now_and_then_reports_none() {
    let test = name_of!(a_runtime_in_which_a_fiber_runs_or_computes_now_and_then_reports_none);
    // On a busy machine, a scheduler may wake up late: it seems to sleep for that time.
    let text = reports(test, 2, ms(1_000), |handle| {
        handle.spawn_on(1, || fibra::park()).detach();
        let end = Instant::now() + ms(1_500);
        while Instant::now() < end {
            fibra::sleep(ms(5));
            // Dumps wake all schedulers.
            drop(handle.dump());
        }
        thread::sleep(ms(1_500));
    });
    assert_eq!(text, "");
}

#[test]
fn on_a_virtual_clock_there_is_no_stall() {
    let builder = Runtime::builder().virtual_clock().report_stalls(ms(1));
    builder.build().unwrap().run(|| fibra::sleep(Duration::from_secs(3_600)));
    let text = panic_of(|| Runtime::builder().report_stalls(Duration::ZERO));
    assert!(text.starts_with("a stall that is reported after no time"), "{text}");
}
