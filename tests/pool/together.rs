//! Waiting for several fibers: `join_all`, `try_join_all`, `as_completed`, `race`.

use std::panic::resume_unwind;

use fibra::JoinError;
use fibra::pool::{as_completed, join_all, race, try_join_all};

use crate::support::{Noisy, check, log, ms, panic_of, run_virtually};

fn nap(time: u64) -> u64 {
    let _noisy = Noisy(format!("-{time}"));
    fibra::sleep(ms(time));
    time
}

fn naps<const N: usize>(times: [u64; N]) -> [fibra::JoinHandle<u64>; N] {
    times.map(|time| fibra::spawn(move || nap(time)))
}

#[test]
fn all_outcomes_come_in_the_order_of_the_handles() {
    run_virtually(|| {
        let mut handles = Vec::from(naps([20, 10]));
        handles.push(fibra::spawn(|| resume_unwind(Box::new("burnt"))));
        let start = fibra::now();
        let outcomes = join_all(handles);
        let texts = outcomes.iter().map(|o| o.as_ref().map_err(ToString::to_string));
        let burnt = Err(String::from("the fiber panicked: burnt"));
        assert_eq!(texts.collect::<Vec<_>>(), [Ok(&20), Ok(&10), burnt]);
        assert_eq!(fibra::now() - start, ms(20));
        assert!(join_all::<u64, _>([]).is_empty());
    });
    check("-10 -20");
}

#[test]
fn all_values_come_in_the_order_of_the_handles() {
    run_virtually(|| {
        assert_eq!(try_join_all(naps([20, 10, 30])).unwrap(), [20, 10, 30]);
        let ended = naps([1, 2]);
        fibra::sleep(ms(5));
        assert_eq!(try_join_all(ended).unwrap(), [1, 2]);
        assert!(try_join_all::<u64, _>([]).unwrap().is_empty());
    });
    check("-10 -20 -30 -1 -2");
}

#[test]
fn the_first_failure_in_time_kills_the_others() {
    run_virtually(|| {
        let start = fibra::now();
        let mut handles = Vec::from(naps([40, 10]));
        for (at, text) in [(30, "late"), (20, "early")] {
            handles.push(fibra::spawn(move || {
                fibra::sleep(ms(at));
                resume_unwind(Box::new(text))
            }));
        }
        handles.push(fibra::spawn(|| {
            fibra::shield(|| nap(25)) // ends before the call does
        }));
        let error = try_join_all(handles).unwrap_err();
        assert_eq!(error.to_string(), "the fiber panicked: early");
        assert_eq!(fibra::now() - start, ms(25));
    });
    check("-10 -40 -25");
}

#[test]
fn fibers_that_are_waited_for_outlive_a_waiter_that_is_killed() {
    run_virtually(|| {
        let handles = naps([10, 20]);
        let waiter = fibra::spawn(move || try_join_all(handles));
        fibra::sleep(ms(5));
        waiter.kill();
        assert!(waiter.join().unwrap_err().is_killed());
        fibra::sleep(ms(30));
    });
    check("-10 -20");
}

#[test]
fn the_completed_come_in_the_order_of_their_ends() {
    run_virtually(|| {
        let ended = naps([4, 3]);
        fibra::sleep(ms(5));
        let running = naps([30, 10, 20]);
        let order = as_completed(ended.into_iter().chain(running)).map(Result::unwrap);
        assert_eq!(order.collect::<Vec<_>>(), [4, 3, 10, 20, 30]);
        crate::support::forget_trace();
        let mut half_read = as_completed(naps([20, 10]));
        assert_eq!(half_read.next().unwrap().unwrap(), 10);
        drop(half_read);
        log("dropped");
        fibra::sleep(ms(50));
    });
    check("-10 dropped -20");
}

#[test]
fn as_completed_reports_a_deadlock_for_fibers_that_cannot_end() {
    run_virtually(|| {
        let never = fibra::channel::Channel::<u64>::new();
        let stuck = fibra::spawn(move || {
            loop {
                if let Ok(value) = never.recv() {
                    break value;
                }
            }
        });
        let mut outcomes = as_completed([stuck, fibra::spawn(|| nap(10))]);
        assert_eq!(outcomes.next().unwrap().unwrap(), 10);
        assert!(matches!(outcomes.next(), Some(Err(JoinError::Deadlock(_)))));
        assert!(outcomes.next().is_none());
    });
    crate::support::forget_trace();
}

#[test]
fn the_first_wins_and_the_others_have_ended_when_the_race_is_over() {
    run_virtually(|| {
        let track = String::from("borrowed");
        let start = fibra::now();
        let winner = race([30, 10, 20].map(|time| {
            let track = &track;
            move || (nap(time), track.len())
        }));
        assert_eq!(winner.unwrap(), (10, 8));
        assert_eq!(fibra::now() - start, ms(10));
    });
    check("-10 -30 -20");
}

#[test]
fn a_runner_that_ends_immediately_leaves_the_others_unstarted() {
    run_virtually(|| {
        let winner = race([1, 2, 3].map(|n| {
            move || {
                log(format!("+{n}"));
                n
            }
        }));
        assert_eq!(winner.unwrap(), 1);
    });
    check("+1");
}

#[test]
fn a_runner_that_fails_first_wins() {
    run_virtually(|| {
        let fails = race([20, 10].map(|time| {
            move || -> u64 {
                nap(time);
                resume_unwind(Box::new(format!("burnt {time}")))
            }
        }));
        assert_eq!(fails.unwrap_err().to_string(), "the fiber panicked: burnt 10");
    });
    check("-10 -20");
}

#[test]
fn a_race_without_a_possible_winner_is_a_deadlock() {
    run_virtually(|| {
        let never = fibra::channel::Channel::<u64>::new();
        let outcome = race([1, 2].map(|_| {
            || loop {
                if let Ok(value) = never.recv() {
                    break value;
                }
            }
        }));
        assert!(matches!(outcome, Err(JoinError::Deadlock(_))));
    });
}

#[test]
fn a_race_without_runners_is_refused() {
    run_virtually(|| {
        let text = panic_of(|| race(Vec::<fn() -> u64>::new()));
        assert_eq!(text, "a race of no closures has no winner: pass at least one");
    });
}

#[test]
fn killing_the_caller_ends_the_race() {
    run_virtually(|| {
        let spectator = fibra::spawn(|| race([20, 10].map(|time| move || nap(time))));
        fibra::sleep(ms(5));
        spectator.kill();
        assert!(spectator.join().unwrap_err().is_killed());
    });
    check("-20 -10");
}
