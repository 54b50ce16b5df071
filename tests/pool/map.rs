//! `Pool::map`: order, back-pressure, borrowing, failures of members, of the source and around it.

use std::cell::Cell;
use std::iter;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;

use fibra::JoinError;
use fibra::pool::Pool;

use crate::support::{Noisy, check, log, ms, panic_of, run_virtually};

/// A source that measures how many items it is ahead of the calls that have ended.
struct Source<'a> {
    left: std::ops::Range<usize>,
    ended: &'a Cell<usize>,
    most_ahead: &'a Cell<usize>,
}

impl Iterator for Source<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let item = self.left.next()?;
        self.most_ahead.set(self.most_ahead.get().max(item + 1 - self.ended.get()));
        Some(item)
    }
}

#[test]
fn results_come_in_the_order_of_the_items() {
    run_virtually(|| {
        let start = fibra::now();
        let slow_first = Pool::new(3).map([30, 10, 20, 5], |time| {
            fibra::sleep(ms(time));
            log(time);
            time * 2
        });
        assert_eq!(slow_first.unwrap(), [60, 20, 40, 10]);
        assert_eq!(fibra::now() - start, ms(30));
    });
    check("10 5 20 30");
}

#[test]
fn the_source_is_pulled_as_members_end_and_one_item_ahead_at_most() {
    run_virtually(|| {
        for size in [1, 2, 7] {
            let (ended, most_ahead) = (Cell::new(0), Cell::new(0));
            let source = Source { left: 0..50, ended: &ended, most_ahead: &most_ahead };
            let pool = Pool::new(size);
            let results = pool.map(source, |item| {
                fibra::sleep(ms(1 + item as u64 % 5));
                ended.set(ended.get() + 1);
                item
            });
            assert_eq!(results.unwrap(), (0..50).collect::<Vec<_>>());
            assert_eq!(most_ahead.get(), size + 1);
            assert_eq!(pool.available(), size);
        }
    });
}

#[test]
fn items_results_and_the_closure_may_borrow() {
    run_virtually(|| {
        let words = vec![String::from("green"), String::from("threads")];
        let total = Cell::new(0);
        let initials = Pool::new(2).map(&words, |word| {
            fibra::yield_now();
            total.set(total.get() + word.len());
            &word[..1]
        });
        assert_eq!((initials.unwrap(), total.get()), (vec!["g", "t"], 12));
    });
}

#[test]
fn the_first_failure_kills_the_others_and_is_returned_when_they_have_ended() {
    run_virtually(|| {
        let pool = Pool::new(3);
        let outcome = pool.map(1..=9, |n| {
            let _noisy = Noisy(format!("-{n}"));
            log(format!("+{n}"));
            fibra::sleep(ms(n * 10));
            assert!(n != 2, "burnt");
        });
        assert_eq!(outcome.unwrap_err().to_string(), "the fiber panicked: burnt");
        assert_eq!(pool.available(), 3, "all have ended");
        assert_eq!(pool.map(1..=2, |n| n).unwrap(), [1, 2], "the pool goes on");
    });
    check("+1 +2 +3 -1 +4 -2 -3 -4");
}

#[test]
fn a_failure_ends_a_source_that_waits() {
    run_virtually(|| {
        let start = fibra::now();
        let source = iter::once(0).chain(iter::repeat_with(|| {
            let _noisy = Noisy("source unwound");
            fibra::sleep(ms(1_000));
            1
        }));
        let outcome = Pool::new(2).map(source, |_| -> () {
            fibra::sleep(ms(5));
            panic!("burnt")
        });
        assert!(matches!(outcome, Err(JoinError::Panicked(_))));
        assert_eq!(fibra::now() - start, ms(5));
    });
    check("source unwound");
}

#[test]
fn a_killed_member_is_a_failure() {
    run_virtually(|| {
        let victim = Rc::new(Cell::new(None));
        let found = victim.clone();
        fibra::spawn(move || {
            fibra::sleep(ms(5));
            let fiber: fibra::Fiber = found.take().unwrap();
            fiber.kill();
        });
        let outcome = Pool::new(2).map(1..=2, |n| {
            let _noisy = Noisy(n);
            if n == 1 {
                victim.set(Some(fibra::current()));
            }
            fibra::sleep(ms(50));
        });
        assert!(matches!(outcome, Err(JoinError::Killed)));
    });
    check("1 2");
}

#[test]
fn a_killed_pool_ends_its_maps() {
    run_virtually(|| {
        let pool = Pool::new(1);
        let other = pool.clone();
        fibra::spawn(move || {
            fibra::sleep(ms(15));
            other.kill();
        });
        let outcome = pool.map(1..=9, |n| {
            log(n);
            fibra::sleep(ms(10));
        });
        assert!(matches!(outcome, Err(JoinError::Killed)));
    });
    check("1 2");
}

#[test]
fn a_panic_of_the_source_unwinds_the_caller() {
    run_virtually(|| {
        let pool = Pool::new(2);
        let source = (1..).inspect(|&n| assert!(n != 3, "source dry"));
        let text = panic_of(|| {
            pool.map(source, |n| {
                let _noisy = Noisy(format!("-{n}"));
                fibra::sleep(ms(10));
            })
        });
        assert_eq!((text.as_str(), pool.available()), ("source dry", 2));
    });
    check("");
    run_virtually(|| {
        let source = (1..).inspect(|&n| {
            fibra::yield_now();
            assert!(n != 3, "source dry");
        });
        let text = panic_of(|| {
            Pool::new(2).map(source, |n| {
                let _noisy = Noisy(format!("-{n}"));
                fibra::sleep(ms(10));
            })
        });
        assert_eq!(text, "source dry");
    });
    check("-1 -2");
}

#[test]
fn a_caller_that_is_killed_leaves_no_member_behind() {
    run_virtually(|| {
        let pool = Pool::new(2);
        // The caller is killed while it waits for a permit, for the source, and for the results.
        for (items, pause) in [(9, 0), (9, 2), (2, 0)] {
            let inner = pool.clone();
            let caller = fibra::spawn(move || {
                let source = (0..items).inspect(|&n| {
                    if n != 0 {
                        fibra::sleep(ms(pause))
                    }
                });
                inner.map(source, |n| {
                    let _noisy = Noisy(n);
                    fibra::sleep(ms(10));
                })
            });
            fibra::sleep(ms(1));
            caller.kill();
            assert!(caller.join().unwrap_err().is_killed());
            assert_eq!(pool.available(), 2);
        }
    });
    check("0 1 0 0 1");
}

#[test]
fn a_map_inside_a_map_of_the_same_pool_needs_only_one_permit() {
    for size in 1..=3 {
        run_virtually(|| {
            let pool = Pool::new(size);
            let (running, most) = (Cell::new(0), Cell::new(0));
            let table = pool.map(1..=3, |row| {
                pool.map(1..=3, |column| {
                    running.set(running.get() + 1);
                    most.set(most.get().max(running.get()));
                    fibra::sleep(ms(1));
                    running.set(running.get() - 1);
                    pool.apply(|| row * column)
                })
                .unwrap()
            });
            assert_eq!(table.unwrap(), [[1, 2, 3], [2, 4, 6], [3, 6, 9]]);
            assert_eq!((most.get(), pool.available()), (size, size));
        });
    }
}

#[test]
fn a_source_may_use_the_pool_that_works_on_it() {
    run_virtually(|| {
        let pool = Pool::new(1);
        let source = (1..=3).map(|n| pool.apply(|| n * 10));
        assert_eq!(pool.map(source, |n| n + 1).unwrap(), [11, 21, 31]);
        let doubled = pool.imap(1..=3, |n| n * 2).map(Result::unwrap);
        assert_eq!(pool.map(doubled, |n| n + 1).unwrap(), [3, 5, 7]);
    });
}

#[test]
fn members_that_never_end_are_a_deadlock() {
    run_virtually(|| {
        let pool = Pool::new(2);
        let outcome = pool.map(1..=3, |n| if n == 2 { fibra::park() } else { fibra::sleep(ms(1)) });
        // The member fails first: it was the last to wait, and its call can fail only by a panic.
        assert!(matches!(outcome, Err(JoinError::Deadlock(_) | JoinError::Panicked(_))));
        assert_eq!(pool.available(), 2);
    });
}

#[test]
fn empty_and_very_long_sources_can_be_mapped() {
    run_virtually(|| {
        let pool = Pool::new(1_000_000);
        assert!(pool.map(iter::empty::<u8>(), |n| n).unwrap().is_empty());
        let many = pool.map(0..20_000_u32, |n| n).unwrap();
        assert_eq!(many.len(), 20_000);
        assert!(many.iter().zip(0..).all(|(&n, i)| n == i));
    });
}

#[test]
fn unread_results_are_dropped_once() {
    run_virtually(|| {
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
            Pool::new(1).map(1..=3, |n| {
                assert!(n != 3, "burnt");
                Noisy(n)
            })
        }));
        assert!(outcome.unwrap().is_err());
    });
    check("1 2");
}

#[test]
fn a_closed_pool_refuses_a_map() {
    run_virtually(|| {
        let pool = Pool::new(1);
        pool.join().unwrap();
        let text = panic_of(|| pool.map(1..=3, |n| n));
        assert!(text.starts_with("the pool was closed by `join` or `close`"), "{text}");
    });
}
