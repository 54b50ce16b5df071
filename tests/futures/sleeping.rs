//! Futures of times, in fibers and outside of them.

#![allow(clippy::disallowed_methods, reason = "plain threads that wait, and the system's clock")]

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use fibra::future::{block_on, sleep, sleep_until};
use futures_lite::FutureExt;

use crate::support::{HOUR, ms};

/// Asserts that `f` takes at least `least`, and not a multiple of it.
fn takes(least: Duration, f: impl FnOnce()) {
    let start = Instant::now();
    f();
    let taken = start.elapsed();
    assert!(least <= taken && taken < least + Duration::from_secs(10), "{taken:?}");
}

#[test]
fn executors_of_other_crates_and_plain_threads_wait_for_a_time() {
    takes(ms(20), || futures_lite::future::block_on(sleep(ms(20))));
    takes(ms(20), || block_on(sleep(ms(20))));
    takes(ms(20), || block_on(sleep_until(Instant::now() + ms(20))));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    takes(ms(20), || {
        runtime.block_on(async {
            let tasks = [20, 5, 10].map(|n| runtime.spawn(sleep(ms(n))));
            for task in tasks {
                task.await.unwrap();
            }
        });
    });
}

#[test]
fn a_time_that_has_passed_needs_no_wait() {
    block_on(sleep(Duration::ZERO));
    block_on(sleep_until(Instant::now()));
}

#[test]
fn times_end_in_their_order() {
    let ends = Arc::new(Mutex::new(Vec::new()));
    let naps: Vec<_> = [15, 5, 20, 10]
        .into_iter()
        .map(|n| {
            let waker = Waker::from(Arc::new(Notes { number: n, ends: ends.clone() }));
            let mut nap = Box::pin(sleep(ms(n)));
            assert!(nap.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            nap
        })
        .collect();
    while ends.lock().unwrap().len() < naps.len() {
        std::thread::sleep(ms(1));
    }
    assert_eq!(*ends.lock().unwrap(), [5, 10, 15, 20]);
}

/// A waker that notes its number when it is called.
struct Notes {
    number: u64,
    ends: Arc<Mutex<Vec<u64>>>,
}

impl Wake for Notes {
    fn wake(self: Arc<Self>) {
        self.ends.lock().unwrap().push(self.number);
    }
}

#[test]
fn a_time_is_one_of_several_futures() {
    let late = async {
        sleep(ms(5)).await;
        "late"
    };
    assert_eq!(block_on(std::future::pending().or(late)), "late");
    let never = async {
        sleep(Duration::MAX).await;
        "never"
    };
    let late = async {
        sleep(ms(1)).await;
        "late"
    };
    assert_eq!(block_on(never.or(late)), "late");
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
fn only_the_last_waker_is_kept_and_none_after_a_drop() {
    let counts: [Arc<Count>; 2] = std::array::from_fn(|_| Arc::default());
    let wakers = counts.each_ref().map(|count| Waker::from(count.clone()));
    let mut nap = Box::pin(sleep(ms(5)));
    for waker in &wakers {
        for _ in 0..3 {
            assert!(nap.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
        }
    }
    assert_eq!(counts.each_ref().map(Arc::strong_count), [2, 3]);
    while counts[1].0.load(Ordering::SeqCst) == 0 {
        std::thread::sleep(ms(1));
    }
    assert_eq!(counts[0].0.load(Ordering::SeqCst), 0);
    assert!(nap.as_mut().poll(&mut Context::from_waker(&wakers[0])).is_ready());
    let mut long = Box::pin(sleep(HOUR));
    assert!(long.as_mut().poll(&mut Context::from_waker(&wakers[0])).is_pending());
    assert_eq!(Arc::strong_count(&counts[0]), 3);
    drop(long);
    assert_eq!(Arc::strong_count(&counts[0]), 2);
}

#[test]
fn a_time_goes_from_a_fiber_to_a_plain_thread_and_back() {
    let mut nap = Box::pin(sleep(ms(20)));
    let start = Instant::now();
    let mut poll = |cx: &mut Context<'_>| nap.as_mut().poll(cx).is_ready();
    let waker = Waker::noop();
    for _ in 0..2 {
        poll(&mut Context::from_waker(waker));
        fibra::run(|| poll(&mut Context::from_waker(waker)));
    }
    block_on(nap);
    assert!(ms(20) <= start.elapsed());
    let mut nap = Box::pin(sleep(ms(5)));
    assert!(nap.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
    fibra::run(|| block_on(nap));
}

#[test]
fn a_task_beside_the_fibers_of_a_guest_waits_for_a_time() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    fibra::frame(|| {
        runtime.block_on(async {
            let guest = fibra::guest(|| {
                fibra::sleep(ms(10));
                "fibers"
            });
            let mut guest = pin!(guest);
            let task = async {
                sleep(ms(1)).await;
                Ok("task")
            };
            assert_eq!(task.or(guest.as_mut()).await, Ok("task"));
            assert_eq!(guest.await, Ok("fibers"));
        });
    });
}
