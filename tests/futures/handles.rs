//! Handles of jobs on threads, and of fibers and jobs of scopes, as futures.

use std::future::IntoFuture;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};

use fibra::blocking::ThreadPool;
use fibra::future::{block_on, join_all, race};
use fibra::sync::oneshot;
use fibra::{JoinError, par};
use futures_lite::FutureExt;

use crate::support::{caught, ms, quiet_panic, text_of};

/// Polls once, with a waker that does nothing.
fn is_ready<F: Future + Unpin>(future: &mut F) -> bool {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

/// A waker that counts its calls.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_job_on_a_thread_is_awaited_in_fibers_and_elsewhere() {
    let test = || {
        let pool = ThreadPool::new(2);
        let (release, released) = oneshot::<u32>();
        let mut job = pool.spawn(move || released.recv().unwrap()).into_future();
        assert!(!is_ready(&mut job));
        release.send(6).unwrap();
        assert_eq!(block_on(&mut job).unwrap(), 6);
        assert!(caught(|| is_ready(&mut job)), "it is over");
        let jobs = (1..=3).map(|n| pool.spawn(move || n * n));
        let squares: Vec<_> = block_on(join_all(jobs)).into_iter().map(Result::unwrap).collect();
        assert_eq!(squares, [1, 4, 9]);
        let failed = block_on(pool.spawn(|| quiet_panic("no such table")).into_future());
        assert_eq!(text_of(&*failed.unwrap_err()), "no such table");
        // Another executor.
        let done = futures_lite::future::block_on(pool.spawn(|| "done").into_future());
        assert_eq!(done.unwrap(), "done");
    };
    test();
    fibra::run(test);
}

#[test]
fn the_job_of_a_dropped_future_runs_on_and_keeps_no_waker() {
    let pool = ThreadPool::new(1);
    let ((release, released), (ran, has_run)) = (oneshot::<()>(), oneshot());
    let mut job = pool
        .spawn(move || {
            released.recv().unwrap();
            ran.send("it has run").unwrap();
        })
        .into_future();
    let count = Arc::new(Count::default());
    let waker = Waker::from(count.clone());
    assert!(pin!(&mut job).poll(&mut Context::from_waker(&waker)).is_pending());
    drop((job, waker));
    assert_eq!(Arc::strong_count(&count), 1);
    release.send(()).unwrap();
    assert_eq!(has_run.recv(), Ok("it has run"));
}

#[test]
fn a_fiber_of_a_scope_is_awaited() {
    fibra::run(|| {
        let words = [String::from("green"), String::from("threads")];
        fibra::scope(|s| {
            let lengths = words.each_ref().map(|word| {
                s.spawn(|| {
                    fibra::sleep(ms(1));
                    word.len()
                })
            });
            assert_eq!(block_on(join_all(lengths)), [Ok(5), Ok(7)]);
            let panics = s.spawn(|| quiet_panic("no"));
            assert!(matches!(block_on(panics), Err(JoinError::Panicked(_))));
            let ended = s.spawn_now(|| &words[0]);
            let mut ended = ended.into_future();
            assert_eq!(block_on(&mut ended), Ok(&words[0]));
            assert_eq!(block_on(&mut ended), Err(JoinError::Taken));
        });
    });
}

#[test]
fn the_scope_waits_for_a_fiber_whose_future_was_dropped_or_forgotten() {
    fibra::run(|| {
        let ended = std::cell::Cell::new(0);
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        fibra::scope(|s| {
            let naps = [(); 3].map(|()| {
                s.spawn(|| {
                    fibra::sleep(ms(2));
                    ended.set(ended.get() + 1);
                })
            });
            let [mut dropped, mut forgotten, mut polled] = naps.map(IntoFuture::into_future);
            for future in [&mut dropped, &mut forgotten, &mut polled] {
                assert!(Pin::new(future).poll(&mut Context::from_waker(&waker)).is_pending());
            }
            assert_eq!(Arc::strong_count(&count), 5);
            drop(dropped);
            assert_eq!(Arc::strong_count(&count), 4);
            std::mem::forget(forgotten);
            assert_eq!(block_on(polled), Ok(()));
        });
        assert_eq!(ended.get(), 3);
        fibra::testing::wait_all_blocked();
        drop(waker);
        assert_eq!((Arc::strong_count(&count), count.0.load(Ordering::SeqCst)), (1, 1));
    });
}

#[test]
fn the_first_fiber_of_a_scope_wins_a_race() {
    fibra::run(|| {
        let winner = fibra::scope(|s| {
            let naps = [9, 1, 5].map(|n| {
                s.spawn(move || {
                    fibra::sleep(ms(n));
                    n
                })
            });
            block_on(race(naps))
        });
        assert_eq!(winner, Ok(1));
    });
}

#[test]
fn a_job_of_a_scope_across_threads_is_awaited() {
    fibra::Runtime::builder().threads(2).build().unwrap().run(|| {
        let words = [String::from("green"), String::from("threads")];
        par::scope(|s| {
            let lengths = words.each_ref().map(|word| s.spawn(|| word.len()));
            assert_eq!(block_on(join_all(lengths)), [Ok(5), Ok(7)]);
            let panics = s.spawn_on(1, || quiet_panic("no"));
            assert!(matches!(block_on(panics), Err(JoinError::Panicked(_))));
            let mut waits = s.spawn(fibra::park);
            let late = async { Err(JoinError::Taken) };
            assert_eq!(block_on((&mut waits).or(late)), Err(JoinError::Taken));
            waits.kill();
            assert_eq!(block_on(&mut waits), Err(JoinError::Killed));
            assert_eq!(block_on(&mut waits), Err(JoinError::Taken));
        });
    });
}
