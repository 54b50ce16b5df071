//! Free locks, locks that are handed from fiber to fiber, and locks for which threads compete.
//!
//! `benches/README.md` defines the measured region.

#![allow(clippy::disallowed_methods, reason = "starts threads")]

mod timing;

use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;

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

/// Two threads lock, add one, unlock, as fast as possible.
fn between_threads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("two threads");
    bench(&mut group, "std::sync::Mutex", |n| {
        let mutex = std::sync::Mutex::new(0);
        on_threads(n, |share| (0..share).for_each(|_| *mutex.lock().unwrap() += 1));
        mutex.into_inner().unwrap()
    });
    bench(&mut group, "fibra Mutex, threads", |n| {
        let mutex = fibra::sync::Mutex::new(0);
        on_threads(n, |share| (0..share).for_each(|_| *mutex.lock() += 1));
        mutex.into_inner()
    });
    bench(&mut group, "fibra Mutex, fibers", |n| {
        let mutex = fibra::sync::Mutex::new(0);
        on_threads(n, |share| fibra::run(|| (0..share).for_each(|_| *mutex.lock() += 1)));
        mutex.into_inner()
    });
    bench(&mut group, "tokio Mutex, a runtime each", |n| {
        let mutex = tokio::sync::Mutex::new(0);
        on_threads(n, |share| {
            on_tokio(async {
                for _ in 0..share {
                    *mutex.lock().await += 1;
                }
            });
        });
        mutex.into_inner()
    });
}

/// `n` operations, divided among the sharers of a lock.
fn shares(n: u64) -> impl Iterator<Item = u64> {
    (0..SHARERS).map(move |i| (n + i) / SHARERS)
}

fn on_threads(n: u64, work: impl Fn(u64) + Sync) {
    std::thread::scope(|s| {
        for i in 0..THREADS {
            let (work, share) = (&work, (n + i) / THREADS);
            s.spawn(move || work(share));
        }
    });
}

fn on_tokio<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn on_may<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    may::config().set_workers(1);
    may::go!(f).join().unwrap()
}
