//! Tests how many unused stacks a scheduler keeps, and when their memory goes back to the system.

#[cfg(target_os = "linux")]
use std::fs;
use std::time::Duration;

use fibra::{JoinHandle, spawn, yield_now};

#[cfg(target_os = "linux")]
use crate::support::{DONE_LINE, in_child, name_of, stderr};
use crate::support::{ms, run_virtually};

/// Runs `count` fibers that all live at the same time, to their end.
fn burst(count: usize) {
    let fibers: Vec<_> = (0..count).map(|_| spawn(yield_now)).collect();
    fibers.into_iter().for_each(|fiber| fiber.join().unwrap());
}

fn idle() -> usize {
    fibra::stats().stacks_idle
}

/// Returns the memory of this process that is not backed by a file.
#[cfg(target_os = "linux")]
fn anonymous_bytes() -> usize {
    let text = fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let line = text.lines().find(|line| line.starts_with("Anonymous:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

#[cfg(target_os = "linux")]
#[track_caller]
fn pass_in_child(test: &str, body: impl FnOnce()) {
    let output = in_child(test, &[], body);
    assert!(stderr(&output).ends_with(DONE_LINE), "{}", stderr(&output));
}

#[test]
#[cfg_attr(sanitized, ignore = "stacks that were given back are kept closed for a while")]
fn the_stacks_of_a_burst_are_kept_for_the_next_one_and_then_given_back_by_halves() {
    run_virtually(|| {
        burst(4_000);
        let kept: Vec<_> = (0..12)
            .map(|_| {
                fibra::sleep(ms(499));
                let kept = idle();
                fibra::sleep(ms(1));
                kept
            })
            .collect();
        assert!((4_000..4_300).contains(&kept[0]), "{kept:?}");
        assert_eq!(kept[1], kept[0], "the first period ends with all of them used in it");
        for pair in kept[1..].windows(2) {
            let half = pair[0] - pair[0] / 2;
            assert!(pair[1] == half || pair[1] == half - pair[0] % 2 || pair[1] == 64, "{kept:?}");
        }
        assert_eq!(kept.last(), Some(&64));
    });
}

#[test]
#[cfg_attr(sanitized, ignore = "stacks that were given back are kept closed for a while")]
fn bursts_that_repeat_keep_their_stacks_however_long_that_goes_on() {
    run_virtually(|| {
        for _ in 0..100 {
            burst(2_000);
            fibra::sleep(ms(100));
            assert!(2_000 <= idle());
        }
    });
}

#[test]
#[cfg_attr(sanitized, ignore = "stacks that were given back are kept closed for a while")]
fn stacks_of_each_size_are_followed_and_only_the_usual_size_has_a_floor() {
    run_virtually(|| {
        let small = || fibra::Builder::new().stack_size(16 << 10).spawn(yield_now);
        let fibers: Vec<_> = (0..500).map(|_| small()).collect();
        fibers.into_iter().for_each(|fiber| fiber.join().unwrap());
        burst(100);
        let stats = fibra::stats();
        assert!(600 <= stats.stacks_idle);
        assert!((100 << 20) / 4 < stats.stacks_idle_bytes, "{stats:?}");
        fibra::sleep(Duration::from_secs(10));
        assert_eq!(idle(), 64);
        let each = fibra::stats().stacks_idle_bytes / 64;
        assert_eq!(each, if cfg!(debug_assertions) { 1 << 20 } else { 256 << 10 });
    });
}

#[test]
fn the_settings_bound_what_is_kept() {
    let runtime = |min: usize, max: usize, bytes: usize| {
        let builder = fibra::Runtime::builder().virtual_clock().stack_size(64 << 10);
        builder.min_idle_stacks(min).max_idle_stacks(max).max_idle_stack_bytes(bytes)
    };
    let kept = |min, max, bytes| {
        runtime(min, max, bytes).build().unwrap().run(|| {
            burst(1_000);
            let before = idle();
            assert!(before <= max && fibra::stats().stacks_idle_bytes <= bytes);
            fibra::sleep(Duration::from_secs(10));
            (before, idle())
        })
    };
    assert_eq!(kept(0, 0, usize::MAX), (0, 0));
    assert_eq!(kept(10, usize::MAX, 0), (0, 0));
    let (before, after) = kept(200, 100, usize::MAX);
    assert!(before <= 100 && after <= before);
    if !cfg!(sanitized) {
        assert_eq!(kept(200, usize::MAX, usize::MAX).1, 200);
        let (before, after) = kept(0, usize::MAX, 100 << 16);
        assert!((50..=100).contains(&before) && after == 0, "{before} {after}");
    }
}

#[test]
fn a_trim_gives_all_unused_stacks_back_and_leaves_those_in_use() {
    fibra::run(|| {
        let parked: Vec<JoinHandle<u32>> = (0..10)
            .map(|n| {
                spawn(move || {
                    fibra::park();
                    n
                })
            })
            .collect();
        burst(500);
        let before = idle();
        assert_eq!(fibra::trim_stacks(), before);
        assert_eq!((idle(), fibra::stats().stacks_idle_bytes), (0, 0));
        assert_eq!(fibra::trim_stacks(), 0);
        parked.iter().for_each(|fiber| fiber.fiber().unpark());
        assert_eq!(parked.into_iter().map(|fiber| fiber.join().unwrap()).sum::<u32>(), 45);
    });
}

#[test]
fn a_frame_has_a_pool_that_can_be_trimmed() {
    assert_eq!(fibra::trim_stacks(), 0);
    fibra::frame(|| {
        let numbers = || fibra::generator::iter(|y| (0..3).for_each(|n| y.yield_(n)));
        assert_eq!(numbers().sum::<u32>(), 3);
        assert!(cfg!(sanitized) || 0 < fibra::trim_stacks());
        assert_eq!(numbers().sum::<u32>(), 3);
    });
    assert_eq!(fibra::trim_stacks(), 0);
}

#[test]
fn a_trim_takes_no_virtual_time_and_hides_no_deadlock() {
    run_virtually(|| {
        let start = fibra::now();
        let ends = spawn(move || {
            burst(1_000);
            // Stacks may have to be given back later, and nothing else will ever happen.
            fibra::now()
        });
        let stuck = spawn(fibra::park);
        assert_eq!(ends.join().unwrap(), start);
        assert!(stuck.join().is_err_and(|error| error.to_string().contains("deadlock")));
        assert_eq!(fibra::now(), start);
    });
}

#[test]
#[cfg_attr(sanitized, ignore = "stacks that were given back are kept closed for a while")]
fn a_deadlock_is_found_while_stacks_wait_for_a_trim_in_real_time() {
    fibra::run(|| {
        burst(3_000);
        let stuck = spawn(fibra::park);
        let start = fibra::now();
        assert!(stuck.join().is_err());
        assert!(fibra::now() - start < Duration::from_secs(5));
        assert!(3_000 <= idle());
    });
}

#[test]
#[cfg(target_os = "linux")]
#[cfg_attr(sanitized, ignore = "stacks that were given back are kept closed for a while")]
fn ten_seconds_after_a_burst_its_memory_is_back() {
    let test = name_of!(ten_seconds_after_a_burst_its_memory_is_back);
    pass_in_child(test, || {
        run_virtually(|| {
            const FIBERS: usize = 20_000;
            let after_a_burst = || {
                burst(FIBERS);
                let most = anonymous_bytes();
                fibra::sleep(Duration::from_secs(10));
                (most, anonymous_bytes())
            };
            burst(64);
            let before = anonymous_bytes();
            let (most, after) = after_a_burst();
            assert!(before + FIBERS * 4096 < most, "{before} {most}");
            // The allocator keeps most of the memory of the records, about 300 bytes per fiber.
            assert!(after < before + FIBERS * 512, "{before} bytes before, {after} after");
            let (_, again) = after_a_burst();
            // The hooks of `.ci/observed` remember some bytes per fiber.
            let more = if cfg!(fibra_observed) { FIBERS * 128 } else { after / 10 };
            assert!(again < after + more, "{after} bytes after one, {again} after two");
        });
    });
}

/// Returns the processor time that this thread has used.
#[cfg(target_os = "linux")]
fn used() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
}

#[test]
#[cfg(target_os = "linux")]
#[cfg_attr(sanitized, ignore = "stacks that were given back are kept closed for a while")]
#[allow(clippy::disallowed_methods, reason = "a plain thread sleeps")]
fn a_scheduler_that_sleeps_gives_stacks_back_and_then_sleeps_on() {
    let test = name_of!(a_scheduler_that_sleeps_gives_stacks_back_and_then_sleeps_on);
    pass_in_child(test, || {
        fibra::run(|| {
            burst(1_000);
            // By a plain thread, so that no timer ends the sleep of the scheduler.
            let sleep = |time: u64| {
                fibra::blocking(move || std::thread::sleep(ms(time)));
            };
            sleep(4_500);
            assert_eq!(idle(), 64);
            let before = used();
            sleep(2_000);
            let cost = used() - before;
            assert!(cost < ms(2), "{cost:?}");
        });
    });
}
