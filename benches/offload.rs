//! The time of a call on another thread, with its result: one after the other, and 64 at once;
//! beside the thread pools of futures, and a thread per call.
//!
//! `benches/README.md` defines the measured region.

#![allow(clippy::disallowed_methods, reason = "starts threads")]

mod timing;

use std::hint::black_box;
use std::thread;
use std::time::Duration;

use async_executor::LocalExecutor;
use criterion::Criterion;

/// The number of calls in flight at the same time.
const CROWD: u64 = 64;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(20)
        .configure_from_args();
    let contenders: [(&str, Run, Run); 4] = [
        ("fibra", fibra_one, fibra_many),
        ("blocking, futures-lite", unblock_one, unblock_many),
        ("tokio", tokio_one, tokio_many),
        ("std::thread", thread_one, thread_many),
    ];
    for (workload, at_once) in [("one after the other", false), ("64 at once", true)] {
        let mut group = criterion.benchmark_group(format!("offload/{workload}"));
        for (name, one, many) in contenders {
            let run = if at_once { many } else { one };
            group.bench_function(name, |b| b.iter_custom(|n| timed(n, run)));
        }
    }
    let mut group = criterion.benchmark_group("offload/that may borrow");
    group.bench_function("fibra", |b| b.iter_custom(|n| timed(n, fibra_borrowing)));
}

type Run = fn(u64) -> u64;

/// Makes the calls 0..n and checks the sum of their results.
fn timed(calls: u64, run: Run) -> Duration {
    timing::timed((0..calls).map(call).sum(), || run(black_box(calls)))
}

fn call(n: u64) -> u64 {
    black_box(n) * 2
}

fn fibra_one(calls: u64) -> u64 {
    fibra::run(|| (0..calls).map(|n| fibra::blocking(move || call(n))).sum())
}

fn fibra_borrowing(calls: u64) -> u64 {
    fibra::run(|| {
        let mut sum = 0;
        for n in 0..calls {
            fibra::blocking::uninterruptible(|| sum += call(n));
        }
        sum
    })
}

fn fibra_many(calls: u64) -> u64 {
    fibra::run(|| {
        let fibers: Vec<_> = (0..CROWD)
            .map(|first| {
                let mine = (first..calls).step_by(CROWD as usize);
                fibra::spawn(move || mine.map(|n| fibra::blocking(move || call(n))).sum::<u64>())
            })
            .collect();
        fibers.into_iter().map(|fiber| fiber.join().unwrap()).sum()
    })
}

fn unblock_one(calls: u64) -> u64 {
    futures_lite::future::block_on(async {
        let mut sum = 0;
        for n in 0..calls {
            sum += blocking::unblock(move || call(n)).await;
        }
        sum
    })
}

fn unblock_many(calls: u64) -> u64 {
    let executor = LocalExecutor::new();
    futures_lite::future::block_on(executor.run(async {
        let spawn = |first| {
            executor.spawn(async move {
                let mut sum = 0;
                for n in (first..calls).step_by(CROWD as usize) {
                    sum += blocking::unblock(move || call(n)).await;
                }
                sum
            })
        };
        let tasks: Vec<_> = (0..CROWD).map(spawn).collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await;
        }
        sum
    }))
}

fn tokio_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime")
}

async fn tokio_call(n: u64) -> u64 {
    tokio::task::spawn_blocking(move || call(n)).await.expect("it does not fail")
}

fn tokio_one(calls: u64) -> u64 {
    let all = async move {
        let mut sum = 0;
        for n in 0..calls {
            sum += tokio_call(n).await;
        }
        sum
    };
    // Inside a task, because `block_on` itself is slower.
    tokio_runtime().block_on(async { tokio::spawn(all).await.expect("it does not fail") })
}

fn tokio_many(calls: u64) -> u64 {
    let spawn = move |first| {
        tokio::spawn(async move {
            let mut sum = 0;
            for n in (first..calls).step_by(CROWD as usize) {
                sum += tokio_call(n).await;
            }
            sum
        })
    };
    tokio_runtime().block_on(async {
        let tasks: Vec<_> = (0..CROWD).map(spawn).collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await.expect("it does not fail");
        }
        sum
    })
}

fn thread_one(calls: u64) -> u64 {
    (0..calls).map(|n| thread::spawn(move || call(n)).join().unwrap()).sum()
}

fn thread_many(calls: u64) -> u64 {
    let numbers: Vec<_> = (0..calls).collect();
    let crowd = |numbers: &[u64]| {
        let start = |n: u64| thread::spawn(move || call(n));
        let threads: Vec<_> = numbers.iter().copied().map(start).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum::<u64>()
    };
    numbers.chunks(CROWD as usize).map(crowd).sum()
}
