//! Tasklets of two schedulers at one lock, while others throw at them, pause them and put them
//! back: the lock stays exclusive, each release reaches a waiter, and every tasklet goes on.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fibra::stackless::{self, RemoteTasklet, Tasklet};
use fibra::sync::{Mutex, ReentrantMutex, RwLock, Semaphore, mpmc};

use crate::on;
use crate::support::ms;

const TASKLETS: usize = 4;
const DURATION: Duration = Duration::from_millis(250);

/// What is thrown.
struct Thrown;

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % n
    }
}

/// A thing for one user at a time, and the number of its uses.
#[derive(Default)]
struct Used {
    in_use: AtomicBool,
    uses: AtomicU64,
}

impl Used {
    fn once(&self, yields: bool) {
        struct Leaves<'a>(&'a AtomicBool);
        impl Drop for Leaves<'_> {
            fn drop(&mut self) {
                self.0.store(false, Ordering::SeqCst);
            }
        }
        assert!(!self.in_use.swap(true, Ordering::SeqCst), "it has two users");
        let _leaves = Leaves(&self.in_use);
        self.uses.fetch_add(1, Ordering::SeqCst);
        if yields {
            fibra::yield_now();
        }
    }
}

/// Uses the thing in turns, at least once, until the time is over. Returns whether it is over;
/// otherwise the tasklet was thrown at.
fn works(turn: &dyn Fn(bool), end: Instant, random: &mut Random) -> bool {
    let until_the_end = || {
        loop {
            turn(random.below(4) == 0);
            if random.below(8) == 0 {
                fibra::yield_now();
            }
            if end <= Instant::now() {
                break;
            }
        }
    };
    match panic::catch_unwind(AssertUnwindSafe(until_the_end)) {
        Ok(()) => true,
        Err(thrown) if thrown.is::<Thrown>() => false,
        Err(other) => panic::resume_unwind(other),
    }
}

/// Attacks tasklets of this scheduler, and one of the other.
fn attack(tasklets: &[Tasklet], far: &[RemoteTasklet], random: &mut Random) {
    let near = &tasklets[random.below(TASKLETS as u64) as usize];
    match random.below(6) {
        0 => drop(near.throw_pending(Thrown)),
        1 => drop(near.throw(Thrown)),
        2 => drop(near.remove()),
        3 => drop(near.fiber().map(|fiber| fiber.pause())),
        4 => drop(far[random.below(TASKLETS as u64) as usize].throw(Thrown)),
        _ => drop(far[random.below(TASKLETS as u64) as usize].remove()),
    }
    for tasklet in tasklets {
        if random.below(3) == 0 {
            drop(tasklet.insert());
            tasklet.fiber().iter().for_each(|fiber| _ = fiber.resume());
        }
    }
}

/// Lets tasklets of two schedulers take turns at one thing, under attack.
fn storm(turn: impl Fn(&Used, bool) + Clone + Send + 'static) {
    let used = Arc::new(Used::default());
    let end = Instant::now() + DURATION;
    let shared = used.clone();
    on(2, move |handle| {
        let mut jobs = Vec::new();
        let (to_1, from_0) = mpmc::bounded(TASKLETS);
        let (to_0, from_1) = mpmc::bounded(TASKLETS);
        for (index, to, from) in [(0, to_1, from_1), (1, to_0, from_0)] {
            let (turn, used) = (turn.clone(), shared.clone());
            jobs.push(handle.spawn_on(index, move || {
                let tasklets: Vec<_> = (0..TASKLETS as u64)
                    .map(|n| {
                        let (turn, used) = (turn.clone(), used.clone());
                        let mut random = Random(n + 100 * index as u64);
                        stackless::spawn(move || {
                            let turn = |yields| turn(&used, yields);
                            while !works(&turn, end, &mut random) {}
                        })
                    })
                    .collect();
                fibra::yield_now(); // they have begun
                tasklets.iter().for_each(|tasklet| to.send(tasklet.remote()).unwrap());
                let far: Vec<_> = from.iter().take(TASKLETS).collect();
                let mut random = Random(7 + index as u64);
                while Instant::now() < end {
                    attack(&tasklets, &far, &mut random);
                    fibra::sleep(Duration::from_micros(200));
                }
                // Orders of the other scheduler may come until it has stopped, too.
                while tasklets.iter().any(Tasklet::is_alive) {
                    tasklets.iter().for_each(|tasklet| drop(tasklet.insert()));
                    fibra::sleep(ms(1));
                }
            }));
        }
        for mut job in jobs {
            // What is thrown at a tasklet that has ended is raised by the main fiber.
            let ended = fibra::shield(|| job.join_timeout(ms(20_000)));
            assert_eq!(ended, Some(Ok(())), "a tasklet waits in vain");
        }
    });
    assert_ne!(used.uses.load(Ordering::SeqCst), 0);
}

#[test]
fn a_mutex_stays_right_while_its_waiters_are_thrown_at_and_paused() {
    let lock = Arc::new(Mutex::new(()));
    storm(move |used, yields| {
        let _guard = lock.lock();
        used.once(yields);
    });
}

#[test]
fn a_reentrant_mutex_stays_right_while_its_waiters_are_thrown_at_and_paused() {
    let lock = Arc::new(ReentrantMutex::new(()));
    storm(move |used, yields| {
        let _guard = lock.lock();
        let _again = lock.lock();
        used.once(yields);
    });
}

#[test]
fn a_lock_of_readers_stays_right_while_its_waiters_are_thrown_at_and_paused() {
    let lock = Arc::new(RwLock::new(0_u64));
    storm(move |used, yields| {
        for _ in 0..2 {
            let guard = lock.read();
            if yields {
                fibra::yield_now();
            }
            drop(guard);
        }
        let mut guard = lock.write();
        *guard += 1;
        used.once(yields);
    });
}

#[test]
fn a_semaphore_stays_right_while_its_waiters_are_thrown_at_and_paused() {
    let semaphore = Arc::new(Semaphore::new(1));
    storm(move |used, yields| {
        let _permit = semaphore.acquire();
        used.once(yields);
    });
}

#[test]
fn a_channel_loses_no_token_while_its_waiters_are_thrown_at_and_paused() {
    // The one token is sent back by a destructor, whatever happens to its holder.
    struct Token(mpmc::Sender<()>);
    impl Drop for Token {
        fn drop(&mut self) {
            self.0.try_send(()).expect("there is room for one");
        }
    }
    let (sender, receiver) = mpmc::bounded(1);
    sender.try_send(()).unwrap();
    storm(move |used, yields| {
        receiver.recv().expect("a sender is left");
        let _token = Token(sender.clone());
        used.once(yields);
    });
}
