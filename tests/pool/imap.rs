//! `Pool::imap` and `imap_unordered`: order, back-pressure, sources that wait or fail, iterators
//! that are dropped half-read.

use std::cell::Cell;
use std::iter;
use std::rc::Rc;

use fibra::JoinError;
use fibra::pool::Pool;

use crate::support::{Noisy, OnDrop, check, log, ms, panic_of, run_virtually};

/// Returns the numbers from 0 on, and counts each one when it is pulled.
fn counted(pulled: &Rc<Cell<usize>>) -> impl Iterator<Item = usize> + 'static {
    let pulled = pulled.clone();
    (0..).inspect(move |n| pulled.set(n + 1))
}

fn nap(time: u64) -> u64 {
    fibra::sleep(ms(time));
    time
}

#[test]
fn imap_keeps_the_order_of_the_items_and_imap_unordered_that_of_the_ends() {
    run_virtually(|| {
        let times = [30, 10, 20, 5, 1];
        let start = fibra::now();
        let ordered = Pool::new(3).imap(times, nap).map(|nap| {
            log(format!("{}@{}", nap.unwrap(), (fibra::now() - start).as_millis()));
        });
        ordered.for_each(drop);
        check("30@30 10@30 20@30 5@35 1@35");
        let start = fibra::now();
        for nap in Pool::new(3).imap_unordered(times, nap) {
            log(format!("{}@{}", nap.unwrap(), (fibra::now() - start).as_millis()));
        }
        check("10@10 5@15 1@16 20@20 30@30");
    });
}

#[test]
fn the_source_is_never_more_items_ahead_than_there_are_permits() {
    run_virtually(|| {
        for size in [1, 3] {
            let pulled = Rc::default();
            let mut squares = Pool::new(size).imap(counted(&pulled), |n| n * n);
            fibra::sleep(ms(10));
            assert_eq!(pulled.get(), size, "work begins without a reader");
            for read in 0..20 {
                assert_eq!(squares.next().unwrap().unwrap(), read * read);
                fibra::sleep(ms(10));
                assert_eq!(pulled.get(), size + read + 1);
            }
            let pulled = Rc::default();
            let mut unordered = Pool::new(size).imap_unordered(counted(&pulled), |n| n);
            for read in 0..20 {
                assert!(unordered.next().is_some());
                assert!(pulled.get() <= size + read + 1, "{} {size} {read}", pulled.get());
            }
        }
    });
}

#[test]
fn members_work_while_the_reader_does() {
    run_virtually(|| {
        let start = fibra::now();
        for result in Pool::new(1).imap(iter::repeat_n(10, 5), nap) {
            fibra::sleep(ms(result.unwrap()));
        }
        assert_eq!(fibra::now() - start, ms(60), "five tens overlap, but for the first and last");
    });
}

#[test]
fn results_are_read_while_the_source_waits() {
    run_virtually(|| {
        let (items, source) = fibra::channel::unbounded();
        let start = fibra::now();
        fibra::spawn(move || {
            for n in 1..=3 {
                items.send(n).unwrap();
                fibra::sleep(ms(100));
            }
        });
        let values = iter::from_fn(move || source.recv().ok());
        for result in Pool::new(8).imap(values, |n| n) {
            log(format!("{}@{}", result.unwrap(), (fibra::now() - start).as_millis()));
        }
    });
    check("1@0 2@100 3@200");
}

#[test]
fn a_failed_item_is_an_error_and_the_others_go_on() {
    run_virtually(|| {
        let pool = Pool::new(2);
        let outcomes = pool.imap(1..=4, |n| {
            assert!(n != 2, "burnt");
            if n == 3 {
                fibra::current().kill();
            }
            n
        });
        let texts = outcomes.map(|outcome| match outcome {
            Ok(n) => n.to_string(),
            Err(error) => error.to_string(),
        });
        let expected = ["1", "the fiber panicked: burnt", "the fiber was killed", "4"];
        assert_eq!(texts.collect::<Vec<_>>(), expected);
        assert_eq!(pool.available(), 2);
    });
}

#[test]
fn a_panic_of_the_source_comes_after_all_results_and_ends_it() {
    run_virtually(|| {
        let source = (1..).inspect(|&n| assert!(n != 3, "dry"));
        let mut results = Pool::new(4).imap(source, |n| nap(n) * 2);
        assert_eq!(results.next().unwrap().unwrap(), 2);
        assert_eq!(results.next().unwrap().unwrap(), 4);
        assert_eq!(results.next().unwrap().unwrap_err().to_string(), "the fiber panicked: dry");
        assert!(results.next().is_none() && results.next().is_none());
    });
}

#[test]
fn a_dropped_iterator_kills_its_feeder_and_its_members() {
    run_virtually(|| {
        let pool = Pool::new(2);
        let gone = OnDrop(|| log("source"));
        let source = (1..).inspect(move |_| {
            let _keep = &gone;
        });
        let mut naps = pool.imap_unordered(source, |n| {
            let _noisy = Noisy(format!("-{n}"));
            nap(n * 10)
        });
        assert_eq!(naps.next().unwrap().unwrap(), 10);
        fibra::sleep(ms(1));
        drop(naps);
        log("dropped");
        pool.join().unwrap();
        fibra::sleep(ms(1));
        assert_eq!(pool.available(), 2);
    });
    check("-1 dropped source -2 -3");
}

#[test]
fn an_iterator_that_was_never_read_can_be_dropped_at_any_time() {
    run_virtually(|| {
        for rounds in 0..6 {
            let pool = Pool::new(2);
            let squares = pool.imap(0.., |n: u64| n * n);
            (0..rounds).for_each(|_| fibra::yield_now());
            drop(squares);
            pool.join().unwrap();
            assert_eq!(pool.available(), 2);
        }
    });
}

#[test]
fn killing_the_reader_kills_the_feeder_and_the_members() {
    run_virtually(|| {
        let pool = Pool::new(2);
        let inner = pool.clone();
        let reader = fibra::spawn(move || {
            inner.imap(1.., |n| nap(n * 10)).for_each(|nap| log(nap.unwrap()));
        });
        fibra::sleep(ms(15));
        reader.kill();
        assert!(reader.join().unwrap_err().is_killed());
        pool.join().unwrap();
        assert_eq!(pool.available(), 2);
    });
    check("10");
}

#[test]
fn a_killed_pool_ends_its_streams() {
    run_virtually(|| {
        let pool = Pool::new(2);
        let mut naps = pool.imap(1.., |n| nap(n * 10));
        assert_eq!(naps.next().unwrap().unwrap(), 10);
        pool.kill();
        let rest: Vec<_> = naps.map(|nap| nap.unwrap_err().to_string()).collect();
        assert_eq!(rest, ["the fiber was killed"; 2], "one under way, one without a place");
    });
}

#[test]
fn a_stream_inside_its_own_pool_needs_only_one_permit() {
    for size in 1..=3 {
        run_virtually(|| {
            let pool = Pool::new(size);
            let inner = pool.clone();
            let outer = pool.imap(1..=3, move |n| {
                inner.imap_unordered(1..=4, move |m| nap(n * m)).map(Result::unwrap).sum::<u64>()
            });
            assert_eq!(outer.map(Result::unwrap).collect::<Vec<_>>(), [10, 20, 30]);
            assert_eq!(pool.available(), size);
        });
    }
}

#[test]
fn streams_of_one_pool_share_its_permits() {
    run_virtually(|| {
        let pool = Pool::new(2);
        let (mut one, mut other) = (pool.imap(1..=4, |_| nap(10)), pool.imap(1..=4, |_| nap(10)));
        let start = fibra::now();
        while let (Some(a), Some(b)) = (one.next(), other.next()) {
            assert_eq!((a.unwrap(), b.unwrap()), (10, 10));
        }
        assert_eq!(fibra::now() - start, ms(40));
    });
}

#[test]
fn a_pipeline_of_streams_over_one_pool_completes() {
    run_virtually(|| {
        let pool = Pool::new(1);
        let first = pool.imap(1..=5, |n| n * 2).map(Result::unwrap);
        let second = pool.imap_unordered(first, |n| n + 1).map(Result::unwrap);
        let third = pool.imap(second, |n| n * 10);
        assert_eq!(third.map(Result::unwrap).collect::<Vec<_>>(), [30, 50, 70, 90, 110]);
    });
}

#[test]
fn a_deadlock_is_reported_to_the_reader_once() {
    run_virtually(|| {
        let pool = Pool::new(2);
        let never = fibra::channel::Channel::<()>::new();
        let source = iter::once(1).chain(iter::from_fn(move || {
            never.recv().ok();
            None
        }));
        let mut results = pool.imap(source, |n| n);
        assert_eq!(results.next().unwrap().unwrap(), 1);
        fibra::yield_now();
        let Some(Err(JoinError::Deadlock(report))) = results.next() else {
            unreachable!("nothing can come")
        };
        let report = report.to_string();
        assert!(report.contains("is waiting for a result of a pool at"), "{report}");
        assert!(report.contains(file!()), "the reader's line: {report}");
        assert!(results.next().is_none());
    });
}

#[test]
fn a_closed_pool_refuses_new_streams_and_completes_the_existing_ones() {
    run_virtually(|| {
        let pool = Pool::new(1);
        let naps = pool.imap(1..=3, nap);
        pool.close();
        assert_eq!(naps.map(Result::unwrap).sum::<u64>(), 6);
        let text = panic_of(|| pool.imap(1..=3, nap));
        assert!(text.starts_with("the pool was closed by `join` or `close`"), "{text}");
    });
}

#[test]
fn an_empty_source_gives_nothing() {
    run_virtually(|| {
        assert!(Pool::new(1).imap(iter::empty::<u64>(), nap).next().is_none());
        assert!(Pool::new(usize::MAX).imap_unordered(iter::empty(), nap).next().is_none());
    });
}

#[test]
fn a_stream_that_outlives_its_run_is_over() {
    let mut naps = run_virtually(|| Pool::new(2).imap(1.., nap));
    fibra::run(move || {
        let rest: Vec<_> = naps.by_ref().map(|nap| nap.unwrap_err().is_killed()).collect();
        assert!(!rest.is_empty() && rest.iter().all(|&killed| killed));
    });
}
