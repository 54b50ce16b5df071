//! corosensei without a scheduler: the lower bound for tasks with stacks.
//!
//! A loop resumes the coroutines in a circle, and each suspends immediately. One operation is the
//! round trip, resume and suspend. fibra's `yield_now` cannot be cheaper.

use super::returning::{self, Calls};
use super::stopwatch::Stopwatch;
use super::{Cannot, NOT_APPLICABLE, Sample};
use crate::workloads::Workload;
use corosensei::{Coroutine, CoroutineResult, Yielder};
use std::marker::PhantomData;

pub(crate) fn run(workload: Workload) -> Result<Sample, Cannot> {
    match workload {
        Workload::Yield { tasks, rounds } => {
            Ok(crowd(tasks, move |yielder, id| turns(yielder, id, rounds)))
        }
        Workload::YieldReturning { tasks, rounds, depth } => {
            Ok(crowd(tasks, move |yielder, id| {
                returning::turns::<Wait<'_>>(yielder, id, rounds, depth)
            }))
        }
        _ => Err(NOT_APPLICABLE),
    }
}

fn turns(yielder: &Yielder<(), ()>, id: u64, rounds: u64) -> u64 {
    let mut sum = 0;
    for round in 0..rounds {
        yielder.suspend(());
        sum += id + round;
    }
    sum
}

/// The wait under calls that return.
struct Wait<'a>(PhantomData<&'a ()>);

impl<'a> Calls for Wait<'a> {
    type Context = &'a Yielder<(), ()>;

    #[inline(always)]
    fn call(yielder: Self::Context, value: u64) -> u64 {
        yielder.suspend(());
        value
    }
}

/// Region: every coroutine runs `body`, from the last start to the last finish. All of them must
/// suspend equally often.
fn crowd(tasks: u64, body: impl Fn(&Yielder<(), ()>, u64) -> u64 + Copy + 'static) -> Sample {
    let watch = Stopwatch::new(tasks);
    let start = |id| {
        let watch = watch.clone();
        Coroutine::new(move |yielder: &Yielder<(), ()>, ()| {
            watch.start();
            watch.finish(body(yielder, id));
        })
    };
    let mut crowd: Vec<Coroutine<(), (), ()>> = (0..tasks).map(start).collect();
    // All coroutines end in the same round, so none is resumed after its end.
    loop {
        let mut ended = false;
        for coroutine in &mut crowd {
            ended |= matches!(coroutine.resume(()), CoroutineResult::Return(()));
        }
        if ended {
            return watch.sample();
        }
    }
}
