//! Free locks, locks that are handed from fiber to fiber, and locks for which threads compete.
//!
//! `benches/README.md` defines the measured region.

#![allow(clippy::disallowed_methods, reason = "starts threads")]

mod timing;

use std::cell::Cell;
use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use criterion::{BenchmarkGroup, Criterion, measurement::WallTime};

/// The number of fibers, tasks or coroutines of one thread that share a lock.
const SHARERS: u64 = 10;
/// The number of permits that they share.
const PERMITS: usize = 3;
/// The number of threads that compete for a lock.
const THREADS: u64 = 2;

fn main() {
    let mut criterion = timing::criterion(20);
    free(&mut criterion);
    handed_over(&mut criterion);
    permits(&mut criterion);
    between_threads(&mut criterion);
    criterion.final_summary();
}

/// Benchmarks `run(n)`, which does n operations and returns n.
fn bench(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, run: impl Fn(u64) -> u64) {
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|iterations| timing::timed(iterations, || run(black_box(iterations))));
    });
}

/// Locks, adds one, unlocks.
fn free(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("free lock");
    bench(&mut group, "std::sync::Mutex", |n| {
        let mutex = std::sync::Mutex::new(0);
        (0..n).for_each(|_| *black_box(&mutex).lock().unwrap() += 1);
        mutex.into_inner().unwrap()
    });
    bench(&mut group, "fibra Mutex, in a fiber", |n| fibra::run(|| fibra_mutex(n)));
    bench(&mut group, "fibra Mutex, on a thread", fibra_mutex);
    bench(&mut group, "fibra ReentrantMutex", |n| {
        fibra::run(|| {
            let mutex = fibra::sync::ReentrantMutex::new(std::cell::Cell::new(0));
            for _ in 0..n {
                let guard = black_box(&mutex).lock();
                guard.set(guard.get() + 1);
            }
            mutex.into_inner().get()
        })
    });
    bench(&mut group, "fibra RwLock, writing", |n| {
        fibra::run(|| {
            let lock = fibra::sync::RwLock::new(0);
            (0..n).for_each(|_| *black_box(&lock).write() += 1);
            lock.into_inner()
        })
    });
    bench(&mut group, "fibra RwLock, reading", |n| {
        fibra::run(|| {
            let lock = fibra::sync::RwLock::new(1);
            (0..n).map(|_| *black_box(&lock).read()).sum()
        })
    });
    bench(&mut group, "std::sync::RwLock, reading", |n| {
        let lock = std::sync::RwLock::new(1);
        (0..n).map(|_| *black_box(&lock).read().unwrap()).sum()
    });
    bench(&mut group, "tokio Mutex", |n| {
        on_tokio(async move {
            let mutex = tokio::sync::Mutex::new(0);
            for _ in 0..n {
                *black_box(&mutex).lock().await += 1;
            }
            mutex.into_inner()
        })
    });
    bench(&mut group, "may Mutex", |n| {
        on_may(move || {
            let mutex = may::sync::Mutex::new(0);
            (0..n).for_each(|_| *black_box(&mutex).lock().unwrap() += 1);
            mutex.into_inner().unwrap()
        })
    });
}

fn fibra_mutex(n: u64) -> u64 {
    let mutex = fibra::sync::Mutex::new(0);
    (0..n).for_each(|_| *black_box(&mutex).lock() += 1);
    mutex.into_inner()
}

/// Ten fibers or tasks on one thread lock, let the others run, add one, unlock: each lock is handed
/// over.
fn handed_over(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lock handed over");
    bench(&mut group, "fibra Mutex", |n| {
        fibra::run(|| {
            let mutex = Rc::new(fibra::sync::Mutex::new(0));
            let fibers: Vec<_> = shares(n)
                .map(|share| {
                    let mutex = mutex.clone();
                    fibra::spawn(move || {
                        for _ in 0..share {
                            let mut guard = mutex.lock();
                            fibra::yield_now();
                            *guard += 1;
                        }
                    })
                })
                .collect();
            fibers.into_iter().for_each(|fiber| fiber.join().unwrap());
            *mutex.lock()
        })
    });
    bench(&mut group, "tokio Mutex", |n| {
        on_tokio(async move {
            let mutex = Arc::new(tokio::sync::Mutex::new(0));
            let tasks: Vec<_> = shares(n)
                .map(|share| {
                    let mutex = mutex.clone();
                    tokio::spawn(async move {
                        for _ in 0..share {
                            let mut guard = mutex.lock().await;
                            tokio::task::yield_now().await;
                            *guard += 1;
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            *mutex.lock().await
        })
    });
    bench(&mut group, "may Mutex", |n| {
        on_may(move || {
            let mutex = Arc::new(may::sync::Mutex::new(0));
            let tasks: Vec<_> = shares(n)
                .map(|share| {
                    let mutex = mutex.clone();
                    may::go!(move || {
                        for _ in 0..share {
                            let mut guard = mutex.lock().unwrap();
                            may::coroutine::yield_now();
                            *guard += 1;
                        }
                    })
                })
                .collect();
            tasks.into_iter().for_each(|task| task.join().unwrap());
            *mutex.lock().unwrap()
        })
    });
}

/// Ten fibers or tasks on one thread share three permits: they acquire, let the others run,
/// release.
fn permits(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("semaphore");
    bench(&mut group, "fibra, free", |n| {
        fibra::run(|| {
            let semaphore = fibra::sync::Semaphore::new(PERMITS);
            (0..n).map(|_| black_box(&semaphore).acquire().permits() as u64).sum()
        })
    });
    bench(&mut group, "tokio, free", |n| {
        on_tokio(async move {
            let (semaphore, mut sum) = (tokio::sync::Semaphore::new(PERMITS), 0);
            for _ in 0..n {
                sum += black_box(&semaphore).acquire().await.unwrap().num_permits() as u64;
            }
            sum
        })
    });
    bench(&mut group, "fibra, waited for", |n| {
        fibra::run(|| {
            let semaphore = Rc::new(fibra::sync::Semaphore::new(PERMITS));
            let fibers: Vec<_> = shares(n)
                .map(|share| {
                    let semaphore = semaphore.clone();
                    fibra::spawn(move || {
                        for _ in 0..share {
                            let _permit = semaphore.acquire();
                            fibra::yield_now();
                        }
                        share
                    })
                })
                .collect();
            fibers.into_iter().map(|fiber| fiber.join().unwrap()).sum()
        })
    });
    bench(&mut group, "tokio, waited for", |n| {
        on_tokio(async move {
            let semaphore = Arc::new(tokio::sync::Semaphore::new(PERMITS));
            let tasks: Vec<_> = shares(n)
                .map(|share| {
                    let semaphore = semaphore.clone();
                    tokio::spawn(async move {
                        for _ in 0..share {
                            let _permit = semaphore.acquire().await.unwrap();
                            tokio::task::yield_now().await;
                        }
                        share
                    })
                })
                .collect();
            let mut sum = 0;
            for task in tasks {
                sum += task.await.unwrap();
            }
            sum
        })
    });
}

/// Two threads lock, add one, unlock, as fast as possible, until they have done n operations
/// together. In a scheduler or runtime ten fibers or tasks do so.
fn between_threads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("two threads");
    contest(&mut group, "std::sync::Mutex", |n| {
        let mutex = std::sync::Mutex::new(0);
        on_threads(|| vec![count_while(|| add_below(n, &mut mutex.lock().unwrap()))])
    });
    contest(&mut group, "parking_lot Mutex", |n| {
        let mutex = parking_lot::Mutex::new(0);
        on_threads(|| vec![count_while(|| add_below(n, &mut mutex.lock()))])
    });
    contest(&mut group, "fibra Mutex, threads", |n| {
        let mutex = fibra::sync::Mutex::new(0);
        on_threads(|| vec![count_while(|| add_below(n, &mut mutex.lock()))])
    });
    contest(&mut group, "fibra Mutex, fibers", |n| {
        let mutex = fibra::sync::Mutex::new(0);
        on_threads(|| on_fibers(|| add_below(n, &mut mutex.lock())))
    });
    contest(&mut group, "tokio Mutex, a runtime each", |n| {
        let mutex = Arc::new(tokio::sync::Mutex::new(0));
        on_threads(|| on_tokio(tasks(n, &mutex)))
    });
    contest(&mut group, "std::sync::RwLock, writing", |n| {
        let lock = std::sync::RwLock::new(0);
        on_threads(|| vec![count_while(|| add_below(n, &mut lock.write().unwrap()))])
    });
    contest(&mut group, "fibra RwLock, writing, fibers", |n| {
        let lock = fibra::sync::RwLock::new(0);
        on_threads(|| on_fibers(|| add_below(n, &mut lock.write())))
    });
    contest(&mut group, "fibra Semaphore of one permit, fibers", |n| {
        let (semaphore, total) = (fibra::sync::Semaphore::new(1), AtomicU64::new(0));
        let add = || {
            let _permit = semaphore.acquire();
            let mut now = total.load(Ordering::Relaxed);
            let added = add_below(n, &mut now);
            total.store(now, Ordering::Relaxed);
            added
        };
        on_threads(|| on_fibers(add))
    });
}

/// Benchmarks `run(n)`, which returns the number of operations of each party, those of the first
/// thread first. Prints the least share that a thread, and any party, had in a run of 20 ms or
/// more: 1 is what it would have if all had the same.
fn contest(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, run: impl Fn(u64) -> Vec<u64>) {
    let least = Cell::new([f64::INFINITY; 2]);
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|n| {
            let mut counts = Vec::new();
            let elapsed = timing::timed(n, || {
                counts = run(black_box(n));
                counts.iter().sum()
            });
            if Duration::from_millis(20) <= elapsed {
                let of_threads: Vec<u64> = counts
                    .chunks(counts.len() / THREADS as usize)
                    .map(|of_one| of_one.iter().sum())
                    .collect();
                let before = least.get();
                let shares = [least_share(&of_threads), least_share(&counts)];
                least.set([before[0].min(shares[0]), before[1].min(shares[1])]);
            }
            elapsed
        });
    });
    let [thread, party] = least.get();
    if thread.is_finite() {
        println!("{name}: least share of a thread {thread:.2}, of a party {party:.2}");
    }
}

/// Returns the least of `counts`, as a part of their mean.
fn least_share(counts: &[u64]) -> f64 {
    let mean = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
    counts.iter().min().map_or(0.0, |&least| least as f64 / mean)
}

/// Adds one to `total`, if it is less than `n`. Returns whether it was.
fn add_below(n: u64, total: &mut u64) -> bool {
    let is_below = *total < n;
    *total += u64::from(is_below);
    is_below
}

/// Returns how often `operation` returns true before it returns false.
fn count_while(mut operation: impl FnMut() -> bool) -> u64 {
    let mut count = 0;
    while operation() {
        count += 1;
    }
    count
}

/// In a scheduler of its own, lets ten fibers count how often `operation` returns true.
fn on_fibers(operation: impl Fn() -> bool + Sync) -> Vec<u64> {
    let operation = &operation;
    fibra::run(|| {
        fibra::scope(|s| {
            let fibers: Vec<_> =
                (0..SHARERS).map(|_| s.spawn(move || count_while(operation))).collect();
            fibers.into_iter().map(|fiber| fiber.join().unwrap()).collect()
        })
    })
}

/// Ten tasks of one runtime, which add to the number until it is `n`.
async fn tasks(n: u64, mutex: &Arc<tokio::sync::Mutex<u64>>) -> Vec<u64> {
    let tasks: Vec<_> = (0..SHARERS)
        .map(|_| {
            let mutex = mutex.clone();
            tokio::spawn(async move {
                let mut count = 0;
                while add_below(n, &mut *mutex.lock().await) {
                    count += 1;
                }
                count
            })
        })
        .collect();
    let mut counts = Vec::new();
    for task in tasks {
        counts.push(task.await.unwrap());
    }
    counts
}

/// `n` operations, divided among the sharers of a lock.
fn shares(n: u64) -> impl Iterator<Item = u64> {
    (0..SHARERS).map(move |i| (n + i) / SHARERS)
}

/// Runs `work` on each of the threads, and returns the counts that they return.
fn on_threads(work: impl Fn() -> Vec<u64> + Sync) -> Vec<u64> {
    let ready = std::sync::Barrier::new(THREADS as usize);
    let work = || {
        ready.wait();
        work()
    };
    std::thread::scope(|s| {
        let threads: Vec<_> = (0..THREADS).map(|_| s.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

fn on_tokio<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn on_may<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    may::config().set_workers(1);
    may::go!(f).join().unwrap()
}
