//! corosensei without a scheduler: the lower bound for tasks with stacks.
//!
//! A loop resumes the coroutines in a circle, and each suspends immediately. One operation is the
//! round trip, resume and suspend. fibra's `yield_now` cannot be cheaper.

use super::stopwatch::Stopwatch;
use super::{Cannot, NOT_APPLICABLE, Sample};
use crate::workloads::Workload;
use corosensei::{Coroutine, CoroutineResult};

pub(crate) fn run(workload: Workload) -> Result<Sample, Cannot> {
    match workload {
        Workload::Yield { tasks, rounds } => Ok(yield_round(tasks, rounds)),
        _ => Err(NOT_APPLICABLE),
    }
}

/// Region: every coroutine suspends `rounds` times, from the last start to the last finish.
fn yield_round(tasks: u64, rounds: u64) -> Sample {
    let watch = Stopwatch::new(tasks);
    let start = |id| {
        let watch = watch.clone();
        Coroutine::new(move |yielder, ()| {
            watch.start();
            let mut sum = 0;
            for round in 0..rounds {
                yielder.suspend(());
                sum += id + round;
            }
            watch.finish(sum);
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
