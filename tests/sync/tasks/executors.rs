//! Tasks of tokio and fibers of two schedulers at the same primitives.

use std::sync::Arc;

use crate::support::sync::elsewhere;
use fibra::sync::{Mutex, RwLock, Semaphore, mpmc};

const EACH: u32 = if cfg!(miri) { 20 } else { 300 };

fn current_thread() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

fn multi_thread() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap()
}

/// Increments by tasks of `runtime`, fibers of two schedulers, and a thread.
fn count(runtime: &tokio::runtime::Runtime) {
    let mutex = Arc::new(Mutex::new(0));
    let lock = Arc::new(RwLock::new(0));
    let fibers: Vec<_> = (0..2)
        .map(|_| {
            let (mutex, lock) = (mutex.clone(), lock.clone());
            elsewhere(move || {
                fibra::scope(|s| {
                    for _ in 0..4 {
                        s.spawn(|| {
                            for _ in 0..EACH {
                                *mutex.lock() += 1;
                                assert!(*lock.read() < u32::MAX);
                                *lock.write() += 1;
                            }
                        });
                    }
                });
            })
        })
        .collect();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let (mutex, lock) = (mutex.clone(), lock.clone());
                tokio::spawn(async move {
                    for _ in 0..EACH {
                        let mut count = mutex.lock_async().await;
                        tokio::task::yield_now().await;
                        *count += 1;
                        drop(count);
                        assert!(*lock.read_async().await < u32::MAX);
                        *lock.write_async().await += 1;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    fibers.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!((*mutex.lock(), *lock.read()), (16 * EACH, 16 * EACH));
}

#[test]
fn tasks_of_one_thread_and_fibers_of_two_schedulers_exclude_each_other() {
    count(&current_thread());
}

#[test]
fn tasks_of_two_threads_and_fibers_of_two_schedulers_exclude_each_other() {
    count(&multi_thread());
}

#[test]
fn tasks_send_to_fibers_and_fibers_answer() {
    for runtime in [current_thread(), multi_thread()] {
        for capacity in [0, 1, 3, usize::MAX] {
            let (jobs, queue) = mpmc::bounded(capacity);
            let (answers, answered) = mpmc::bounded(capacity);
            let fibers = elsewhere(move || {
                fibra::scope(|s| {
                    for _ in 0..4 {
                        s.spawn(|| {
                            for n in &queue {
                                answers.send(u64::from(n) * 2).unwrap();
                            }
                        });
                    }
                });
                drop(answers);
            });
            let sum = runtime.block_on(async {
                let tasks = (0..4).map(|_| {
                    let jobs = jobs.clone();
                    tokio::spawn(async move {
                        for n in 0..EACH {
                            jobs.send_async(n).await.unwrap();
                        }
                    })
                });
                let tasks: Vec<_> = tasks.collect();
                drop(jobs);
                let mut sum = 0;
                while let Ok(answer) = answered.recv_async().await {
                    sum += answer;
                }
                for task in tasks {
                    task.await.unwrap();
                }
                sum
            });
            fibers.join().unwrap();
            assert_eq!(sum, 4 * u64::from(EACH * (EACH - 1)));
        }
    }
}

#[test]
fn cancelled_tasks_lose_no_permit_and_no_value() {
    let semaphore = Arc::new(Semaphore::new(3));
    let (sender, receiver) = mpmc::bounded(2);
    let received = Arc::new(Mutex::new(Vec::new()));
    let runtime = multi_thread();
    runtime.block_on(async {
        let mut tasks = Vec::new();
        for n in 0..EACH {
            let (semaphore, sender) = (semaphore.clone(), sender.clone());
            let (receiver, received) = (receiver.clone(), received.clone());
            tasks.push(tokio::spawn(async move {
                let _permit = semaphore.acquire_many_async(1 + n as usize % 3).await.unwrap();
                tokio::task::yield_now().await;
            }));
            tasks.push(tokio::spawn(async move { sender.send_async(n).await.unwrap() }));
            tasks.push(tokio::spawn(async move {
                // Nothing is awaited between the receive and the push.
                let value = receiver.recv_async().await.unwrap();
                received.lock().push(value);
            }));
            if n % 3 == 0 {
                let at = (n as usize * 7) % tasks.len();
                tasks.swap_remove(at).abort();
            }
            tokio::task::yield_now().await;
        }
        let mut left = 0;
        while let Some(task) = tasks.pop() {
            // Senders and receivers whose partner was aborted wait forever.
            task.abort();
            left += usize::from(task.await.is_err());
        }
        assert!(left < 3 * EACH as usize);
    });
    drop(runtime);
    assert_eq!(semaphore.available(), 3);
    drop(sender);
    let mut all = std::mem::take(&mut *received.lock());
    all.extend(receiver.iter());
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count, "no value is received twice");
}
