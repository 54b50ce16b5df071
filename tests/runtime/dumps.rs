//! `Handle::dump`: all schedulers of a runtime, as any thread sees them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fibra::sync::Mutex;
use fibra::{Builder, Handle, Runtime, RuntimeDump, SchedulerState};

use crate::support::{DONE_LINE, in_child, ms, name_of, stderr, without_origins};
use crate::{must_end, on, sleep_until, spin_until};

const LONG: Duration = Duration::from_secs(20);

fn states(dump: &RuntimeDump) -> Vec<SchedulerState> {
    dump.schedulers.iter().map(|scheduler| scheduler.state).collect()
}

/// Returns the text of `dump` without times, lines, the folders of files, and spawns.
pub(crate) fn normal(dump: &str) -> String {
    let mut text = String::new();
    for line in without_origins(dump).lines() {
        let is_time = |end: &str| end.starts_with(|first: char| first.is_ascii_digit());
        let line = match line.rsplit_once(" for ") {
            Some((line, end)) if is_time(end) => line,
            _ => line,
        };
        let line = match line.split_once(" at ") {
            Some((what, place)) => {
                let file = place.rsplit('/').next().unwrap();
                format!("{what} at {}", file.split(':').next().unwrap())
            }
            None => line.to_owned(),
        };
        text += &line;
        text.push('\n');
    }
    text
}

/// Waits until the text of the dump is `expected`.
#[track_caller]
fn check(handle: &Handle, expected: &str) {
    let by = Instant::now() + LONG;
    loop {
        let text = normal(&handle.dump().to_string());
        if text == expected {
            return;
        }
        assert!(Instant::now() < by, "{text}");
        fibra::sleep(ms(1));
    }
}

#[test]
fn a_fiber_sees_the_fibers_of_all_schedulers() {
    on(3, |handle| {
        let lock = Arc::new(Mutex::new(()));
        let guard = lock.lock();
        let waits = lock.clone();
        handle.spawn_on(1, move || drop(waits.lock())).detach();
        let parks = || {
            Builder::new().name("parks").spawn(|| fibra::park());
            fibra::sleep(LONG);
        };
        handle.spawn_on(1, parks).detach();
        check(
            &handle,
            "\
scheduler 0 is awake:
  fiber 'main' (#1) runs, last waited at dumps.rs
scheduler 1 sleeps:
  fiber 'main' (#1) is waiting for the end of its runtime at threads.rs
  fiber #2 is locking a mutex held by fiber 'main' (#1) of scheduler 0 at dumps.rs
  fiber #3 is asleep at dumps.rs
  fiber 'parks' (#4) is parked at dumps.rs
scheduler 2 sleeps:
  fiber 'main' (#1) is waiting for the end of its runtime at threads.rs
",
        );
        drop(guard);
    });
}

#[test]
fn the_dump_of_one_scheduler_names_the_way_to_see_the_others() {
    let last = |threads| on(threads, |_| fibra::dump().to_string()).lines().last().unwrap().into();
    let [one, two, three]: [String; 3] = [1, 2, 3].map(last);
    assert!(one.starts_with("  fiber 'main' (#1) runs"), "{one}");
    assert_eq!(two, "  (`Handle::dump` also shows the other scheduler)");
    assert_eq!(three, "  (`Handle::dump` also shows the 2 other schedulers)");
}

#[test]
fn a_scheduler_that_computes_is_shown_as_busy_with_the_jobs_that_wait_for_it() {
    on(2, |handle| {
        let (started, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (starts, stops) = (started.clone(), stop.clone());
        let computes = handle.spawn_on(1, move || {
            starts.store(true, Ordering::SeqCst);
            spin_until(|| stops.load(Ordering::SeqCst));
        });
        sleep_until(|| started.load(Ordering::SeqCst));
        let waiting: Vec<_> = (0..3).map(|_| handle.spawn_on(1, || ())).collect();
        let dump = handle.dump_within(ms(10));
        let text = dump.to_string();
        let expected = "\nscheduler 1 is busy: it did not answer within 10ms, 3 queued jobs";
        assert!(text.ends_with(expected), "{text}");
        assert_eq!((dump.schedulers[1].fibers.clone(), dump.schedulers[1].queued_jobs), (None, 3));
        // However often it is asked, it answers once.
        (0..100).for_each(|_| drop(handle.dump_within(Duration::ZERO)));
        stop.store(true, Ordering::SeqCst);
        computes.join().unwrap();
        waiting.into_iter().for_each(|job| job.join().unwrap());
        assert!(handle.dump_within(LONG).schedulers[1].fibers.is_some());
    });
}

#[test]
fn schedulers_that_ask_each_other_answer() {
    let test = name_of!(schedulers_that_ask_each_other_answer);
    let output = in_child(test, &[], || {
        must_end();
        on(3, |handle| {
            let asks = |_| {
                let handle = Handle::current();
                for _ in 0..300 {
                    let dump = handle.dump_within(LONG);
                    assert!(dump.schedulers.iter().all(|it| it.fibers.is_some()), "{dump}");
                }
            };
            // Two fibers of each scheduler, and a plain thread.
            let jobs = [handle.on_each(asks), handle.on_each(asks)];
            let outside = handle.clone();
            let thread = thread::spawn(move || {
                let dumps = (0..300).map(|_| outside.dump_within(LONG));
                dumps.filter(|dump| dump.schedulers.iter().all(|it| it.fibers.is_some())).count()
            });
            jobs.into_iter().flatten().for_each(|job| job.join().unwrap());
            assert_eq!(fibra::blocking(move || thread.join().unwrap()), 300);
        });
    });
    let text = stderr(&output);
    assert!(output.status.success() && text.ends_with(DONE_LINE), "{text}");
}

#[test]
fn a_plain_thread_sees_a_runtime_from_before_its_start_until_after_its_end() {
    let runtime = Runtime::builder().threads(2).build().unwrap();
    let handle = runtime.handle();
    assert_eq!(states(&handle.dump()), [SchedulerState::NotStarted; 2]);
    drop(handle.spawn(|| ()));
    let text = handle.dump().to_string();
    let expected =
        "scheduler 0 has not started\nscheduler 1 has not started\n1 queued job for any scheduler";
    assert_eq!(text, expected);
    let during = runtime.run(|| {
        let there = handle.clone();
        let thread = thread::spawn(move || {
            let by = Instant::now() + LONG;
            loop {
                thread::sleep(ms(20));
                let dump = there.dump();
                if states(&dump) == [SchedulerState::Asleep; 2] || by < Instant::now() {
                    break dump;
                }
            }
        });
        fibra::blocking(move || thread.join().unwrap())
    });
    assert_eq!(states(&during), [SchedulerState::Asleep; 2], "{during}");
    let after = handle.dump();
    assert_eq!(after.to_string(), "scheduler 0 has ended\nscheduler 1 has ended");
    assert_eq!(after.clone(), after);
}

#[test]
fn a_plain_run_shows_its_scheduler_to_other_threads() {
    fibra::run(|| {
        let handle = Handle::current();
        let thread = thread::spawn(move || handle.dump());
        let dump = fibra::blocking(move || thread.join().unwrap());
        assert_eq!((dump.schedulers.len(), dump.queued_jobs), (1, 0));
        let fibers = &dump.schedulers[0].fibers.as_ref().unwrap().fibers;
        assert_eq!(fibers.len(), 1, "{dump}");
    });
}

#[test]
fn a_fiber_that_is_killed_while_it_asks_takes_its_request_back() {
    on(2, |handle| {
        let (started, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (starts, stops) = (started.clone(), stop.clone());
        let computes = handle.spawn_on(1, move || {
            starts.store(true, Ordering::SeqCst);
            spin_until(|| stops.load(Ordering::SeqCst));
        });
        sleep_until(|| started.load(Ordering::SeqCst));
        let there = handle.clone();
        let asks = fibra::spawn(move || there.dump_within(LONG));
        fibra::sleep(ms(5));
        asks.kill();
        assert!(asks.join().unwrap_err().is_killed());
        stop.store(true, Ordering::SeqCst);
        computes.join().unwrap();
        assert!(handle.dump_within(LONG).schedulers[1].fibers.is_some());
    });
}

#[test]
fn a_runtime_that_ends_answers_what_is_left() {
    for _ in 0..50 {
        let runtime = Runtime::builder().threads(2).build().unwrap();
        let handle = runtime.handle();
        let asks = thread::spawn(move || {
            let begun = Instant::now();
            loop {
                let dump = handle.dump_within(LONG);
                if states(&dump) == [SchedulerState::Ended; 2] {
                    return begun.elapsed();
                }
            }
        });
        runtime.run(|| fibra::sleep(Duration::from_micros(300)));
        assert!(asks.join().unwrap() < LONG / 2);
    }
}
