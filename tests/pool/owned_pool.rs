//! Pools of values on threads of their own: how many values there are, which calls get them in
//! which order, replacements, idle values, the numbers, and the end.

#![allow(clippy::disallowed_methods, reason = "plain threads and calls, which may block")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use fibra::blocking::{OwnedError, OwnedPool};
use fibra::time::timeout;
use fibra::{spawn, yield_now};

use crate::support::{ms, panic_of, quiet_panic};

/// Counts the values of a pool.
#[derive(Clone, Default)]
struct Census {
    made: Arc<AtomicUsize>,
    alive: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

/// A value that must stay on its thread.
struct Member {
    number: usize,
    home: ThreadId,
    census: Census,
}

impl Census {
    fn member(&self) -> Result<Member, OwnedError> {
        let number = self.made.fetch_add(1, Ordering::SeqCst);
        let alive = self.alive.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(alive, Ordering::SeqCst);
        Ok(Member { number, home: thread::current().id(), census: self.clone() })
    }

    fn pool(&self, max: usize) -> OwnedPool<Member> {
        let census = self.clone();
        OwnedPool::new(max, move || census.member())
    }

    fn alive(&self) -> usize {
        self.alive.load(Ordering::SeqCst)
    }

    fn made(&self) -> usize {
        self.made.load(Ordering::SeqCst)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        assert_eq!(self.home, thread::current().id());
        self.census.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Returns a call that reports its number, and ends when the sender is used or dropped.
fn slow_call() -> (impl FnOnce(&mut Member) -> usize + Send, Receiver<()>, Sender<()>) {
    let (begin, begun) = channel();
    let (open, opened) = channel();
    let call = move |member: &mut Member| {
        begin.send(()).unwrap();
        let _ = opened.recv();
        member.number
    };
    (call, begun, open)
}

/// Waits, for some seconds at most, until `condition` holds.
fn wait_until(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(20));
        thread::sleep(ms(1));
    }
}

#[test]
fn values_are_made_on_demand_and_used_again() {
    let census = Census::default();
    let pool = census.pool(3);
    assert_eq!((pool.stats().size, pool.stats().max, census.made()), (0, 3, 0));
    fibra::run(|| {
        for _ in 0..100 {
            assert_eq!(pool.call(|member| member.number).unwrap(), 0);
        }
        assert_eq!((pool.stats().size, pool.stats().idle, pool.stats().calls), (1, 1, 100));
        let (call, begun, open) = slow_call();
        let other = pool.clone();
        let busy = spawn(move || other.call(call).unwrap());
        yield_now();
        begun.recv().unwrap();
        // The first one is in use.
        assert_eq!(pool.call(|member| member.number).unwrap(), 1);
        let stats = pool.stats();
        assert_eq!((stats.size, stats.running, stats.idle, stats.waiting), (2, 1, 1, 0));
        open.send(()).unwrap();
        assert_eq!(busy.join().unwrap(), 0);
    });
    pool.close();
    assert_eq!((census.alive(), census.made(), pool.stats().size), (0, 2, 0));
}

#[test]
fn waiting_calls_get_values_in_the_order_in_which_they_were_made() {
    let census = Census::default();
    let pool = census.pool(1);
    let (sender, order) = channel();
    fibra::run(|| {
        let (call, begun, open) = slow_call();
        fibra::scope(|s| {
            s.spawn(|| pool.call(call).unwrap());
            yield_now();
            begun.recv().unwrap();
            for n in 0..100 {
                let (sender, pool) = (sender.clone(), &pool);
                s.spawn(move || pool.call(move |_| sender.send(n).unwrap()).unwrap());
            }
            yield_now();
            assert_eq!(pool.stats().waiting, 100);
            open.send(()).unwrap();
        });
    });
    assert!(order.try_iter().eq(0..100));
}

#[test]
fn a_time_limit_ends_the_wait_for_a_value() {
    let census = Census::default();
    let pool = census.pool(1);
    fibra::run(|| {
        let (call, begun, open) = slow_call();
        let other = pool.clone();
        let busy = spawn(move || other.call(call));
        yield_now();
        begun.recv().unwrap();
        assert!(pool.call_timeout(ms(1), |_| ()).unwrap_err().is_timeout());
        assert!(pool.call_deadline(fibra::now() + ms(1), |_| ()).unwrap_err().is_timeout());
        assert!(timeout(ms(1), || pool.call(|_| ())).is_err());
        open.send(()).unwrap();
        busy.join().unwrap().unwrap();
        pool.call(|_| ()).unwrap();
        // The three calls never ran.
        assert_eq!(pool.stats().calls, 2);
    });
}

#[test]
fn idle_values_are_dropped_on_their_threads_and_made_again() {
    let census = Census::default();
    let maker = census.clone();
    let pool = OwnedPool::builder()
        .max(2)
        .idle_timeout(ms(5))
        .thread_name("member")
        .build(move || maker.member());
    fibra::run(|| {
        let name = pool.call(|_| thread::current().name().map(String::from)).unwrap();
        assert_eq!(name.as_deref(), Some("member-1"));
    });
    wait_until(|| pool.stats().size == 0);
    assert_eq!(census.alive(), 0);
    assert_eq!(pool.call(|member| member.number).unwrap(), 1);
    assert_eq!(pool.stats().replaced, 0);
}

#[test]
fn a_maker_that_fails_fails_its_call_and_the_next_call_tries_again() {
    let attempts = AtomicUsize::new(0);
    let pool = OwnedPool::new(1, move || match attempts.fetch_add(1, Ordering::SeqCst) {
        0 => Err("refused"),
        1 => quiet_panic("the driver panics"),
        n => Ok(n),
    });
    fibra::run(|| {
        let error = pool.call(|n| *n).unwrap_err();
        assert_eq!(error.to_string(), "the value could not be made: refused");
        assert_eq!(panic_of(|| pool.call(|n| *n)), "the driver panics");
        assert_eq!(pool.call(|n| *n).unwrap(), 2);
        assert_eq!((pool.stats().calls, pool.stats().replaced), (1, 0));
    });
}

#[test]
fn values_are_replaced_after_a_panic_a_failed_check_and_an_abandoned_call() {
    let census = Census::default();
    let maker = census.clone();
    let pool = OwnedPool::builder()
        .max(1)
        .keep_if(|member: &mut Member| member.number != 1)
        .replace_after_abandoned_call(true)
        .build(move || maker.member());
    fibra::run(|| {
        assert_eq!(panic_of(|| pool.call(|_| quiet_panic("in a call"))), "in a call");
        assert_eq!(pool.call(|member| member.number).unwrap(), 1);
        let (call, begun, open) = slow_call();
        let other = pool.clone();
        let late = spawn(move || other.call_timeout(ms(20), call).unwrap_err().is_timeout());
        yield_now();
        // This thread waits, so that the time is not over before the call has begun.
        begun.recv().unwrap();
        assert!(late.join().unwrap());
        open.send(()).unwrap();
        assert_eq!(pool.call(|member| member.number).unwrap(), 3);
        assert_eq!((pool.stats().replaced, pool.stats().calls), (3, 4));
    });
    assert_eq!(census.most.load(Ordering::SeqCst), 1);
}

#[test]
fn a_call_inside_a_call_to_the_same_pool_is_refused() {
    let pool = Census::default().pool(4);
    let inner = pool.clone();
    let error = pool.call(move |_| inner.call(|_| ()).unwrap_err());
    assert!(error.unwrap().is_nested());
}

#[test]
fn a_closed_pool_runs_the_queued_calls_and_refuses_later_ones() {
    let census = Census::default();
    let pool = census.pool(1);
    fibra::run(|| {
        let (call, begun, open) = slow_call();
        fibra::scope(|s| {
            let first = s.spawn(|| pool.call(call));
            let queued = s.spawn(|| pool.call(|member| member.number));
            let borrowing = s.spawn(|| {
                let mut lent = 0;
                pool.call_uninterruptible(|member| lent += member.number + 1).unwrap();
                lent
            });
            yield_now();
            begun.recv().unwrap();
            let closes = s.spawn(|| pool.close());
            yield_now();
            assert!(pool.is_closed() && !closes.is_finished());
            assert!(pool.call(|_| ()).unwrap_err().is_closed());
            open.send(()).unwrap();
            assert_eq!(first.join().unwrap().unwrap(), 0);
            assert_eq!(queued.join().unwrap().unwrap(), 0);
            assert_eq!(borrowing.join().unwrap(), 1);
            closes.join().unwrap();
            assert_eq!(census.alive(), 0);
        });
    });
    // A pool that was never used closes, too.
    census.pool(1).close();
}

#[test]
fn many_callers_that_come_and_leave_never_exceed_the_limit_and_leave_nothing() {
    let census = Census::default();
    let maker = census.clone();
    let pool = OwnedPool::builder()
        .max(3)
        .idle_timeout(Duration::from_micros(200))
        .replace_after_abandoned_call(true)
        .build(move || maker.member());
    let served = AtomicUsize::new(0);
    let load = || {
        fibra::scope(|s| {
            for n in 0_u64..300 {
                let (pool, served) = (&pool, &served);
                s.spawn(move || {
                    fibra::sleep(Duration::from_micros(n % 7 * 300));
                    let nap =
                        move |_: &mut Member| thread::sleep(Duration::from_micros(n % 5 * 50));
                    let result = match n % 4 {
                        0 => pool.call_timeout(Duration::from_micros(n), nap),
                        1 => pool.call_uninterruptible(nap),
                        _ => pool.call(nap),
                    };
                    if n % 4 != 0 {
                        result.unwrap();
                        served.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
    };
    thread::scope(|s| {
        s.spawn(|| fibra::run(load));
        fibra::run(load);
    });
    assert_eq!(served.load(Ordering::SeqCst), 450);
    assert!(census.most.load(Ordering::SeqCst) <= 3);
    pool.close();
    assert_eq!((census.alive(), pool.stats().size, pool.stats().waiting), (0, 0, 0));
}
