//! Scenarios in jobs of a runtime. The runtime has one scheduler, so that the actions
//! find everything on their thread.

use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use fibra::{Handle, RemoteHandle, par};

use super::{Scenario, joined, scenario, unwinding};
use crate::attack::combination::run_virtually;
use crate::attack::stage::{Hostile, OnDrop, strike};

/// A waker that strikes when it wakes, and when its last clone is dropped.
struct Strikes(#[allow(dead_code, reason = "strikes")] Hostile);

impl Wake for Strikes {
    fn wake(self: Arc<Self>) {
        strike();
    }
}

/// Waits until `job` has ended, but only for a limited number of rounds. (A join would make the
/// clock as slow as real time.)
fn until_ended<T>(job: &RemoteHandle<T>) {
    fibra::yield_now();
    for round in 0..40 {
        if job.is_finished() {
            return;
        }
        fibra::sleep(Duration::from_millis(1 << round.min(25)));
    }
}

/// Returns the outcome of `job` as text, without waiting longer than `until_ended`.
fn outcome<T: Send>(mut job: RemoteHandle<T>) -> String {
    until_ended(&job);
    job.try_join().map_or_else(|| "never".into(), |outcome| joined(&outcome))
}

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario("runtime's job: its closure", "joined", |_| outcome(par::spawn(strike))),
    scenario("runtime's job: the destructor of a closure that is killed first", "killed", |_| {
        let captured = Hostile::new("captured");
        let job = par::spawn(move || drop(captured));
        job.kill();
        drop(job);
        fibra::sleep(Duration::from_millis(1));
        "killed".into()
    }),
    scenario("runtime's job: the destructor of a closure that its end finds", "main", |_| {
        let captured = Hostile::new("captured");
        drop(par::spawn(move || drop(captured)));
        "main".into()
    }),
    scenario("runtime's job: the destructor of a closure that is refused", "refused", |_| {
        let handle = run_elsewhere();
        let captured = Hostile::new("captured");
        drop(handle.spawn(move || drop(captured)));
        "refused".into()
    }),
    scenario("runtime's job: the destructor of an output without a handle", "dropped", |_| {
        drop(par::spawn(|| Hostile::new("output")));
        fibra::sleep(Duration::from_millis(1));
        "dropped".into()
    }),
    scenario("runtime's job: the destructor of an output with its handle", "dropped", |_| {
        let job = par::spawn(|| Hostile::new("output"));
        until_ended(&job);
        drop(job);
        "dropped".into()
    }),
    unwinding(scenario(
        "runtime's job: the destructor of a panic without a handle",
        "dropped",
        |_| {
            drop(par::spawn(|| panic::panic_any(Hostile::new("payload"))));
            fibra::sleep(Duration::from_millis(1));
            "dropped".into()
        },
    )),
    unwinding(scenario(
        "runtime's job: the destructor of a panic with its handle",
        "dropped",
        |_| {
            let job = par::spawn(|| panic::panic_any(Hostile::new("payload")));
            until_ended(&job);
            drop(job);
            "dropped".into()
        },
    )),
    unwinding(scenario("runtime's job: a destructor that its kill runs", "killed", |_| {
        let job = par::spawn(|| {
            let _hostile = Hostile::new("in a job");
            fibra::park();
        });
        fibra::sleep(Duration::from_millis(1));
        job.kill();
        until_ended(&job);
        "killed".into()
    })),
    unwinding(scenario("runtime's job: its handle goes in an unwind", "caught", |_| {
        let job = par::spawn(|| Hostile::new("output"));
        until_ended(&job);
        let unwinds = AssertUnwindSafe(|| {
            let _job = job;
            panic!("the scenario");
        });
        drop(catch_unwind(unwinds));
        "caught".into()
    })),
    unwinding(scenario("runtime's job: a spawn in an unwind", "caught", |_| {
        let unwinds = AssertUnwindSafe(|| {
            let _spawns = OnDrop(|| {
                let captured = Hostile::new("captured");
                drop(par::spawn(move || drop(captured)));
                fibra::sleep(Duration::from_millis(1));
            });
            panic!("the scenario");
        });
        drop(catch_unwind(unwinds));
        "caught".into()
    })),
    scenario("runtime's job: it kills itself by its handle", "joined", |_| {
        let (to, from) = fibra::channel::bounded(1);
        let fiber = fibra::spawn(move || {
            let job: RemoteHandle<()> = from.recv().unwrap();
            until_ended(&job);
        });
        let job = par::spawn(|| {
            strike();
            strike();
        });
        drop(to.send(job));
        drop(fiber.join());
        "joined".into()
    }),
    scenario("waker: it wakes at the end of a runtime's job", "woken", |_| {
        let mut job = par::spawn(fibra::yield_now);
        let waker = Waker::from(Arc::new(Strikes(Hostile::new("waker"))));
        let _ = Future::poll(Pin::new(&mut job), &mut Context::from_waker(&waker));
        drop(waker);
        until_ended(&job);
        drop(job);
        "woken".into()
    }),
    scenario("waker: it goes when another takes its place at a runtime's job", "replaced", |_| {
        let mut job = par::spawn(fibra::yield_now);
        let waker = Waker::from(Arc::new(Strikes(Hostile::new("waker"))));
        let _ = Future::poll(Pin::new(&mut job), &mut Context::from_waker(&waker));
        drop(waker);
        let _ = Future::poll(Pin::new(&mut job), &mut Context::from_waker(Waker::noop()));
        drop(job);
        fibra::sleep(Duration::from_millis(1));
        "replaced".into()
    }),
];

/// Returns the handle of a `run` that is over.
fn run_elsewhere() -> Handle {
    std::thread::scope(|s| s.spawn(|| run_virtually(Handle::current)).join().unwrap())
}
