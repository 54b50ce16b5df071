//! A rate limiter: a number of requests per second, a burst after a pause, and clients that do not
//! wait forever.
//!
//! The limiter assigns moments, one per interval, and a client sleeps until its own. There is no
//! queue, and no fiber that fills a bucket. After a pause a few moments are already in the past, so
//! a burst of requests passes immediately.
//!
//! A client with a time limit wraps the wait in `timeout`. When the limit unwinds the wait, the
//! moment is returned to the limiter if no later one was assigned.
//!
//! ```text
//! $ cargo run --release --example rate_limiter [CLIENTS = 12]
//! 4 a second, 3 at once, 12 clients:
//!   0ms: 1 2 3
//!   250ms: 4
//!   500ms: 5
//!   ...
//! ```
//!
//! The clock is virtual: the times are exact, and the run takes no time.

mod arguments;
mod broken_pipe;

use fibra::time::{Instant, timeout};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

fn main() -> io::Result<()> {
    broken_pipe::end_quietly();
    let clients = arguments::number(1, "CLIENTS", 1..=100_000, 12);
    println!("4 a second, 3 at once, {clients} clients:");
    fibra::Runtime::builder().virtual_clock().build()?.run(|| {
        let served = crowd(clients, Duration::MAX);
        served.iter().for_each(|(at, who)| println!("  {at}ms:{who}"));
        println!("the same, with a patience of 1s:");
        let served = crowd(clients, Duration::from_secs(1));
        served.iter().for_each(|(at, who)| println!("  {at}ms:{who}"));
    });
    Ok(())
}

/// Lets all clients come at the same time. Returns the clients that were served, by millisecond.
fn crowd(clients: usize, patience: Duration) -> BTreeMap<u128, String> {
    let limiter = RateLimiter::new(Duration::from_millis(250), 3);
    let start = fibra::now();
    let served = RefCell::new(BTreeMap::new());
    fibra::scope(|s| {
        for client in 1..=clients {
            let (limiter, served) = (&limiter, &served);
            s.spawn(move || {
                let is_served = timeout(patience, || limiter.wait()).is_ok();
                let at = (fibra::now() - start).as_millis();
                let text =
                    if is_served { format!(" {client}") } else { format!(" ({client} left)") };
                served.borrow_mut().entry(at).or_insert_with(String::new).push_str(&text);
            });
        }
    });
    served.into_inner()
}

/// Lets one client pass per `interval`, and after a pause up to `burst` clients together.
struct RateLimiter {
    interval: Duration,
    burst: u32,
    /// The next moment that is not assigned.
    next: Cell<Instant>,
}

impl RateLimiter {
    fn new(interval: Duration, burst: u32) -> RateLimiter {
        let limiter = RateLimiter { interval, burst, next: Cell::new(fibra::now()) };
        limiter.next.set(limiter.earliest());
        limiter
    }

    /// Returns the earliest moment that can be assigned.
    fn earliest(&self) -> Instant {
        let past = self.interval * self.burst.saturating_sub(1);
        fibra::now().checked_sub(past).unwrap_or_else(fibra::now)
    }

    /// Waits for the caller's turn.
    fn wait(&self) {
        let mine = self.next.get().max(self.earliest());
        self.next.set(mine + self.interval);
        let given_back = GivenBack { limiter: self, moment: mine };
        fibra::sleep_until(mine);
        std::mem::forget(given_back);
    }
}

/// A moment that is returned to the limiter if its client is unwound before it comes.
struct GivenBack<'a> {
    limiter: &'a RateLimiter,
    moment: Instant,
}

impl Drop for GivenBack<'_> {
    fn drop(&mut self) {
        let RateLimiter { interval, next, .. } = self.limiter;
        if next.get() == self.moment + *interval {
            next.set(self.moment);
        }
    }
}
