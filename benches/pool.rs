//! The overhead of a pool per item, with ten items at a time: work that never waits, and work that
//! yields once; beside a bare spawn and join, and the equivalents for futures.
//!
//! `benches/README.md` defines the measured region.

mod timing;

use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Duration;

use async_executor::LocalExecutor;
use fibra::pool::Pool;
use tokio::task::JoinSet;

/// The number of items that are processed at the same time.
const WIDTH: usize = 10;

fn main() {
    let mut criterion = timing::criterion(30);
    for (work, yields) in [("no wait", 0), ("one yield", 1)] {
        let mut group = criterion.benchmark_group(format!("pool/{work}"));
        let mut bench = |name: &str, run: fn(u64, u32) -> u64| {
            group.bench_function(name, |b| b.iter_custom(|n| timed(n, yields, run)));
        };
        bench("fibra spawn and join", spawn_and_join);
        bench("fibra Pool::map", map);
        bench("fibra Pool::imap", imap);
        bench("fibra Pool::imap_unordered", imap_unordered);
        bench("tokio JoinSet", tokio_join_set);
        bench("async-executor, tasks in a queue", executor_queue);
    }
    criterion.final_summary();
}

/// Runs the items 0..n and checks the sum of the results.
fn timed(items: u64, yields: u32, run: fn(u64, u32) -> u64) -> Duration {
    timing::timed((0..items).map(double).sum(), || run(black_box(items), yields))
}

fn double(item: u64) -> u64 {
    black_box(item) * 2
}

fn work(item: u64, yields: u32) -> u64 {
    (0..yields).for_each(|_| fibra::yield_now());
    double(item)
}

fn spawn_and_join(items: u64, yields: u32) -> u64 {
    fibra::run(|| {
        let one = |item| fibra::spawn(move || work(item, yields)).join().unwrap();
        (0..items).map(one).sum()
    })
}

fn map(items: u64, yields: u32) -> u64 {
    fibra::run(|| {
        let results = Pool::new(WIDTH).map(0..items, |item| work(item, yields));
        results.unwrap().into_iter().sum()
    })
}

fn imap(items: u64, yields: u32) -> u64 {
    fibra::run(|| {
        let results = Pool::new(WIDTH).imap(0..items, move |item| work(item, yields));
        results.map(Result::unwrap).sum()
    })
}

fn imap_unordered(items: u64, yields: u32) -> u64 {
    fibra::run(|| {
        let results = Pool::new(WIDTH).imap_unordered(0..items, move |item| work(item, yields));
        results.map(Result::unwrap).sum()
    })
}

/// One task per item; the next one is spawned when any task has ended.
fn tokio_join_set(items: u64, yields: u32) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let feed = async move {
        let (mut set, mut sum) = (JoinSet::new(), 0);
        for item in 0..items {
            if set.len() == WIDTH {
                sum += set.join_next().await.expect("it is not empty").expect("no task fails");
            }
            set.spawn(async move {
                for _ in 0..yields {
                    tokio::task::yield_now().await;
                }
                double(item)
            });
        }
        while let Some(result) = set.join_next().await {
            sum += result.expect("no task fails");
        }
        sum
    };
    // Inside a task, because `block_on` itself is slower.
    runtime.block_on(async { tokio::spawn(feed).await.expect("it does not fail") })
}

/// Like `buffered`: the next task is spawned when the oldest one has ended.
fn executor_queue(items: u64, yields: u32) -> u64 {
    let executor = LocalExecutor::new();
    let feed = async {
        let (mut tasks, mut sum) = (VecDeque::with_capacity(WIDTH), 0);
        for item in 0..items {
            if tasks.len() == WIDTH
                && let Some(oldest) = tasks.pop_front()
            {
                sum += oldest.await;
            }
            tasks.push_back(executor.spawn(async move {
                for _ in 0..yields {
                    futures_lite::future::yield_now().await;
                }
                double(item)
            }));
        }
        for task in tasks {
            sum += task.await;
        }
        sum
    };
    futures_lite::future::block_on(executor.run(feed))
}
