//! Futures that are polled by hand: the lower bound for stackless tasks, without an executor.
//!
//! Each task is a boxed future that waits once per turn. A loop polls them all in a circle, with a
//! waker that does nothing. There is no queue, no wake and no fairness: a program could not work
//! like this, but no executor can be faster.

use super::stopwatch::Stopwatch;
use super::{Cannot, NOT_APPLICABLE, Sample, nested};
use crate::workloads::Workload;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

pub(crate) fn run(workload: Workload) -> Result<Sample, Cannot> {
    match workload {
        Workload::Yield { tasks, rounds } => Ok(yield_round(tasks, rounds)),
        Workload::YieldDeep { tasks, rounds } => Ok(yield_round_deep(tasks, rounds)),
        Workload::YieldDeepBoxed { tasks, rounds } => Ok(yield_round_deep_boxed(tasks, rounds)),
        _ => Err(NOT_APPLICABLE),
    }
}

/// Region: every task yields `rounds` times, from the last start to the last finish.
fn yield_round(tasks: u64, rounds: u64) -> Sample {
    crowd(tasks, |id| turns(id, rounds))
}

/// Region: like [`yield_round`]; every poll passes through ten plain `async fn` calls.
fn yield_round_deep(tasks: u64, rounds: u64) -> Sample {
    crowd(tasks, |id| nested::plain(turns(id, rounds)))
}

/// Region: like [`yield_round`]; every poll passes through ten boxed futures.
fn yield_round_deep_boxed(tasks: u64, rounds: u64) -> Sample {
    crowd(tasks, |id| nested::boxed(turns(id, rounds)))
}

async fn turns(id: u64, rounds: u64) -> u64 {
    let mut sum = 0;
    for round in 0..rounds {
        pending_once().await;
        sum += id + round;
    }
    sum
}

/// A future that is pending at its first poll, is ready at its second, and requests no wake.
fn pending_once() -> impl Future<Output = ()> {
    let mut polled = false;
    poll_fn(move |_| match std::mem::replace(&mut polled, true) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
}

fn crowd<F: Future<Output = u64> + 'static>(tasks: u64, body: impl Fn(u64) -> F) -> Sample {
    let watch = Stopwatch::new(tasks);
    let start = |id| -> Pin<Box<dyn Future<Output = ()>>> {
        let (watch, body) = (watch.clone(), body(id));
        Box::pin(async move {
            watch.start();
            watch.finish(body.await);
        })
    };
    let mut crowd: Vec<_> = (0..tasks).map(start).collect();
    let mut context = Context::from_waker(Waker::noop());
    // All futures end in the same round, so none is polled after its end.
    loop {
        let mut ended = false;
        for future in &mut crowd {
            ended |= future.as_mut().poll(&mut context).is_ready();
        }
        if ended {
            return watch.sample();
        }
    }
}
