//! Random loads on several schedulers: sums are right, and every party gets its share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fibra::sync::{Mutex, Semaphore, mpmc};
use fibra::{Handle, RemoteHandle};

use crate::on;
use crate::support::sync::Random;

#[test]
fn trees_of_jobs_have_the_right_sum_on_any_number_of_threads() {
    fn node(handle: &Handle, first: u64, leaves: u64, random: u64) -> u64 {
        if leaves == 1 {
            if random % 5 == 0 {
                fibra::yield_now();
            }
            return first;
        }
        let spawn = |child: u64| {
            let (inner, share) = (handle.clone(), leaves / 10);
            let body = move || node(&inner, first + child * share, share, random ^ child);
            match (random + child) % 4 {
                0 => handle.spawn_on(child as usize % handle.threads(), body),
                _ => handle.spawn(body),
            }
        };
        let children: Vec<_> = (0..10).map(spawn).collect();
        children.into_iter().map(|child| child.join().unwrap()).sum()
    }
    for threads in [1, 2, 3, 5] {
        let sum = on(threads, |handle| node(&handle, 0, 10_000, threads as u64));
        assert_eq!(sum, 9_999 * 10_000 / 2, "{threads} threads");
    }
}

#[test]
fn jobs_from_fibers_and_threads_together_are_all_run_once() {
    const SPAWNERS: u64 = 4;
    const JOBS: u64 = 5_000;
    on(2, |handle| {
        let sum = Arc::new(AtomicU64::new(0));
        let spawner = move |handle: Handle, sum: Arc<AtomicU64>, seed: u64| {
            let mut random = Random::new(seed);
            let mut jobs: Vec<RemoteHandle<()>> = Vec::new();
            for n in 0..JOBS {
                let sum = sum.clone();
                let body = move || _ = sum.fetch_add(n, Ordering::Relaxed);
                let job = match random.below(8) {
                    0 => handle.spawn_on(random.below(2) as usize, body),
                    _ => handle.spawn(body),
                };
                match random.below(3) {
                    0 => jobs.push(job),
                    1 => job.detach(),
                    _ => job.join().unwrap(),
                }
            }
            jobs.into_iter().for_each(|job| job.join().unwrap());
        };
        let fibers: Vec<_> = (0..SPAWNERS)
            .map(|seed| {
                let (inner, sum) = (handle.clone(), sum.clone());
                handle.spawn(move || spawner(inner, sum, seed))
            })
            .collect();
        let threads: Vec<_> = (0..SPAWNERS)
            .map(|seed| {
                let (handle, sum) = (handle.clone(), sum.clone());
                thread::spawn(move || spawner(handle, sum, seed + 100))
            })
            .collect();
        fibers.into_iter().for_each(|fiber| fiber.join().unwrap());
        fibra::blocking(|| threads.into_iter().for_each(|thread| thread.join().unwrap()));
        let expected = 2 * SPAWNERS * (JOBS * (JOBS - 1) / 2);
        let begun = Instant::now();
        while sum.load(Ordering::Relaxed) != expected {
            assert!(begun.elapsed() < Duration::from_secs(20), "a detached job was lost");
            fibra::sleep(Duration::from_millis(1));
        }
    });
}

#[test]
fn random_kills_lose_no_join() {
    on(2, |handle| {
        let mut random = Random::new(7);
        let mut jobs = Vec::new();
        let (mut values, mut killed) = (0, 0);
        for n in 0..5_000_u64 {
            let waits = random.below(3);
            let body = move || {
                for _ in 0..waits {
                    fibra::yield_now();
                }
                n
            };
            jobs.push(handle.spawn(body));
            if random.below(2) == 0 {
                let victim = random.below(jobs.len() as u64) as usize;
                jobs[victim].kill();
            }
            if random.below(4) == 0 {
                let joined = random.below(jobs.len() as u64) as usize;
                match jobs.swap_remove(joined).join() {
                    Ok(_) => values += 1,
                    Err(error) => {
                        assert!(error.is_killed(), "{error}");
                        killed += 1;
                    }
                }
            }
        }
        for job in jobs {
            match job.join() {
                Ok(_) => values += 1,
                Err(_) => killed += 1,
            }
        }
        assert_eq!(values + killed, 5_000);
        assert!(0 < values && 0 < killed, "{values} values, {killed} kills");
    });
}

#[test]
fn pairs_across_two_schedulers_exchange_all_their_messages() {
    const PAIRS: usize = 20;
    const MESSAGES: u64 = 500;
    on(2, |handle| {
        let players: Vec<_> = (0..PAIRS)
            .map(|_| {
                let ((ping, pings), (pong, pongs)) = (mpmc::bounded(1), mpmc::bounded(1));
                let answering = handle.spawn_on(1, move || {
                    for ball in pings.iter() {
                        pong.send(ball + 1).unwrap();
                    }
                });
                let asking = handle.spawn_on(0, move || {
                    let mut ball = 0_u64;
                    for _ in 0..MESSAGES / 2 {
                        ping.send(ball + 1).unwrap();
                        ball = pongs.recv().unwrap();
                    }
                    ball
                });
                (asking, answering)
            })
            .collect();
        for (asking, answering) in players {
            assert_eq!(asking.join(), Ok(MESSAGES));
            answering.join().unwrap();
        }
    });
}

/// The least and the greatest number of turns of all parties in a fixed time.
fn shares(turns: Vec<u64>) -> (u64, u64) {
    (turns.iter().copied().min().unwrap(), turns.iter().copied().max().unwrap())
}

/// Runs parties on both schedulers until the time is over, and returns the turns of each.
fn compete(turn: impl Fn() + Clone + Send + 'static) -> Vec<u64> {
    on(2, |handle| {
        let end = Instant::now() + Duration::from_millis(300);
        let parties: Vec<_> = (0..8)
            .map(|n| {
                let turn = turn.clone();
                handle.spawn_on(n % 2, move || {
                    let mut turns = 0;
                    while Instant::now() < end {
                        turn();
                        turns += 1;
                    }
                    turns
                })
            })
            .collect();
        parties.into_iter().map(|party| party.join().unwrap()).collect()
    })
}

#[test]
fn a_lock_between_schedulers_starves_no_party() {
    let lock = Arc::new(Mutex::new(0_u64));
    let turns = compete({
        let lock = lock.clone();
        move || {
            *lock.lock() += 1;
            fibra::yield_now();
        }
    });
    assert_eq!(*lock.lock(), turns.iter().sum::<u64>());
    let (least, most) = shares(turns);
    assert!(most < 100 * least.max(1), "between {least} and {most} turns");
}

#[test]
fn permits_between_schedulers_starve_no_party() {
    let semaphore = Arc::new(Semaphore::new(3));
    let turns = compete({
        let semaphore = semaphore.clone();
        move || {
            let _permit = semaphore.acquire();
            fibra::yield_now();
        }
    });
    let (least, most) = shares(turns);
    assert!(most < 100 * least.max(1), "between {least} and {most} turns");
    assert_eq!(semaphore.available(), 3);
}

#[test]
fn jobs_of_two_busy_spawners_both_make_progress() {
    on(2, |handle| {
        let end = Instant::now() + Duration::from_millis(300);
        let spawners = handle.on_each({
            let handle = handle.clone();
            move |_| {
                let mut done = 0_u64;
                while Instant::now() < end {
                    done += handle.spawn(|| 1_u64).join().unwrap();
                }
                done
            }
        });
        let done: Vec<_> = spawners.into_iter().map(|spawner| spawner.join().unwrap()).collect();
        let (least, most) = shares(done);
        assert!(most < 100 * least.max(1), "between {least} and {most} jobs");
    });
}
