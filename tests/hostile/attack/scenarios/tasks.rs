//! Scenarios in futures, wakers and jobs of threads.

use std::future::{self, Future, IntoFuture};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use fibra::future::block_on;

use super::{Scenario, joined, scenario, until_ended, unwinding};
use crate::attack::ledger::Counted;
use crate::attack::stage::{Hostile, strike};

/// A waker that strikes when it wakes.
struct WakesHere(#[allow(dead_code, reason = "counts")] Counted);

impl Wake for WakesHere {
    fn wake(self: Arc<Self>) {
        strike();
    }
}

/// A waker that strikes when its last clone is dropped.
struct GoesHere(#[allow(dead_code, reason = "strikes")] Hostile);

impl Wake for GoesHere {
    fn wake(self: Arc<Self>) {}
}

fn wakes() -> Waker {
    Waker::from(Arc::new(WakesHere(Counted::new("waker"))))
}

fn goes() -> Waker {
    Waker::from(Arc::new(GoesHere(Hostile::new("waker"))))
}

/// Polls `future` once.
fn poll(future: &mut (impl Future + Unpin), waker: &Waker) {
    let _ = Pin::new(future).poll(&mut Context::from_waker(waker));
}

/// Strikes when it is converted to a future.
struct Becomes;

impl IntoFuture for Becomes {
    type Output = u32;
    type IntoFuture = future::Ready<u32>;

    fn into_future(self) -> Self::IntoFuture {
        strike();
        future::ready(7)
    }
}

/// A future that strikes when it is dropped, and is ready at the second poll.
struct Dropped(#[allow(dead_code, reason = "strikes")] Hostile, bool);

impl Future for Dropped {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.1 {
            return Poll::Ready(());
        }
        self.1 = true;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario("future: it is made", "7", |_| block_on(Becomes).to_string()),
    scenario("future: a poll", "7", |_| {
        let mut polls = 0;
        let seven = block_on(future::poll_fn(|context| {
            strike();
            polls += 1;
            context.waker().wake_by_ref();
            if polls < 3 { Poll::Pending } else { Poll::Ready(7) }
        }));
        seven.to_string()
    }),
    scenario("future: a poll behind a timer", "7", |_| {
        let mut nap = fibra::future::sleep(Duration::from_millis(1));
        let seven = block_on(future::poll_fn(|context| {
            let napped = Pin::new(&mut nap).poll(context);
            strike();
            napped.map(|()| 7)
        }));
        seven.to_string()
    }),
    scenario("future: its destructor", "ready", |_| {
        block_on(Dropped(Hostile::new("future"), false));
        "ready".into()
    }),
    unwinding(scenario("future: its destructor when the fiber is killed", "killed", |stage| {
        let fiber = fibra::spawn(|| {
            let hostile = Hostile::new("future");
            block_on(async move {
                future::pending::<()>().await;
                drop(hostile);
            });
        });
        stage.know(fiber.fiber());
        fibra::yield_now();
        fiber.kill();
        until_ended(fiber.fiber());
        "killed".into()
    })),
    scenario("future: the closure of a fiber as one", "joined", |_| {
        joined(&block_on(fibra::future::spawn(strike)))
    }),
    scenario("future: the output of a fiber that is never awaited", "dropped", |_| {
        let mut task = pin!(fibra::future::spawn_now(|| Hostile::new("output")));
        fibra::yield_now();
        let task = std::mem::replace(&mut *task, fibra::future::spawn(|| Hostile::new("output")));
        drop(task);
        "dropped".into()
    }),
    unwinding(scenario(
        "future: a destructor of a fiber as one that is dropped",
        "dropped",
        |_| {
            let task = fibra::future::spawn_now(|| {
                let _hostile = Hostile::new("in a fiber");
                fibra::park();
            });
            drop(task);
            fibra::sleep(Duration::from_millis(1));
            "dropped".into()
        },
    )),
    scenario("waker: it wakes at the end of a fiber", "woken", |_| {
        let mut task = fibra::future::spawn(fibra::yield_now);
        poll(&mut task, &wakes());
        fibra::sleep(Duration::from_millis(1));
        "woken".into()
    }),
    scenario("waker: it goes when another takes its place at a fiber", "replaced", |_| {
        let mut task = fibra::future::spawn(fibra::yield_now);
        poll(&mut task, &goes());
        poll(&mut task, Waker::noop());
        "replaced".into()
    }),
    scenario("waker: it goes with the future of a fiber", "gone", |_| {
        let mut task = fibra::future::spawn(|| fibra::sleep(Duration::from_secs(1)));
        poll(&mut task, &goes());
        drop(task);
        fibra::sleep(Duration::from_millis(1));
        "gone".into()
    }),
    scenario("waker: it wakes at the end of a fiber of a scope", "woken", |_| {
        fibra::scope(|s| {
            let mut task = s.spawn(fibra::yield_now).into_future();
            poll(&mut task, &wakes());
            fibra::sleep(Duration::from_millis(1));
        });
        "woken".into()
    }),
    scenario(
        "waker: it goes when another takes its place at a fiber of a scope",
        "replaced",
        |_| {
            fibra::scope(|s| {
                let mut task = s.spawn(fibra::yield_now).into_future();
                poll(&mut task, &goes());
                poll(&mut task, Waker::noop());
            });
            "replaced".into()
        },
    ),
    scenario("waker: it goes with the future of a fiber of a scope", "gone", |_| {
        fibra::scope(|s| {
            let mut task = s.spawn(fibra::yield_now).into_future();
            poll(&mut task, &goes());
            drop(task);
        });
        "gone".into()
    }),
    scenario("waker: it wakes when a time has come", "woken", |_| {
        let mut nap = fibra::future::sleep(Duration::from_millis(1));
        poll(&mut nap, &wakes());
        fibra::sleep(Duration::from_millis(3));
        drop(nap);
        "woken".into()
    }),
    scenario("waker: it goes when another takes its place at a time", "replaced", |_| {
        let mut nap = fibra::future::sleep(Duration::from_millis(1));
        poll(&mut nap, &goes());
        poll(&mut nap, Waker::noop());
        fibra::sleep(Duration::from_millis(3));
        "replaced".into()
    }),
    scenario("waker: it goes with the future of a time", "gone", |_| {
        let mut nap = fibra::future::sleep(Duration::from_secs(1));
        poll(&mut nap, &goes());
        drop(nap);
        "gone".into()
    }),
    scenario("waker: it is left in a future that is leaked", "leaked", |_| {
        let mut nap = fibra::future::sleep(Duration::from_secs(1 << 24));
        poll(&mut nap, &goes());
        std::mem::forget(nap);
        "leaked".into()
    }),
    scenario("job: the destructor of a result", "dropped", |_| {
        drop(fibra::blocking(|| Hostile::new("result")));
        "dropped".into()
    }),
    scenario("job: the destructor of a result that is lent", "1", |_| {
        let lent = [Counted::new("lent")];
        let (hostile, count) =
            fibra::blocking::uninterruptible(|| (Hostile::new("result"), lent.len()));
        drop(hostile);
        count.to_string()
    }),
    scenario("job: the destructor of a result with its handle", "dropped", |_| {
        let job = fibra::blocking::global().spawn(|| Hostile::new("result"));
        drop(job.join());
        "dropped".into()
    }),
    scenario("owned value: the destructor of a result", "dropped", |_| {
        let owned = fibra::blocking::Owned::new(|| ());
        drop(owned.call(|()| Hostile::new("result")));
        "dropped".into()
    }),
    scenario("owned value: the destructor of a result that is lent", "1", |_| {
        let owned = fibra::blocking::Owned::new(|| ());
        let lent = [Counted::new("lent")];
        let result = owned.call_uninterruptible(|()| (Hostile::new("result"), lent.len()));
        let (hostile, count) = result.unwrap();
        drop(hostile);
        count.to_string()
    }),
    unwinding(scenario("job: the destructor of a panic", "dropped", |_| {
        let panics = || -> u32 { std::panic::panic_any(Hostile::new("payload")) };
        drop(fibra::blocking::global().spawn(panics).join());
        "dropped".into()
    })),
];
