//! The stage in which a runtime is, as plain data.
//!
//! ```text
//!   Open --the main closure has returned--> Draining --drained, or out of time--> Closed
//!     accepts all jobs                       accepts those of its own fibers       accepts none
//!
//!   code that queues a job               code that closes the runtime
//!   push                                 the stage
//!   fence                                fence
//!   is it closed? -- yes --> empties     empties the queue; or another thread, which sees the
//!                            the queue   stage, has a fence of its own and empties the queue
//! ```
//!
//! Invariants:
//! - The stage only advances.
//! - Of the two sides, the one that comes second sees what the other has written: see
//!   [`publish`](crate::collections::publish). So no job is left in a queue that is closed.

#![forbid(unsafe_code)]

use crate::collections::publish;
use crate::jobs::atomics::{AtomicU8, Ordering};

/// The stage of a runtime.
#[derive(Copy, Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub(crate) enum Stage {
    Open,
    Draining,
    Closed,
}

/// The stage of one runtime, as its threads see it.
#[derive(Debug)]
pub(crate) struct CurrentStage(AtomicU8);

impl CurrentStage {
    pub(crate) fn open() -> CurrentStage {
        CurrentStage(AtomicU8::new(Stage::Open as u8))
    }

    pub(crate) fn get(&self) -> Stage {
        match self.0.load(Ordering::Acquire) {
            0 => Stage::Open,
            1 => Stage::Draining,
            _ => Stage::Closed,
        }
    }

    /// Advances to `stage`. If that is `Closed`, the caller must empty the queues after this call,
    /// or make other threads do so.
    pub(crate) fn advance(&self, stage: Stage) {
        self.0.fetch_max(stage as u8, Ordering::AcqRel);
        publish::fence();
    }

    /// Must be called by a thread that has seen the stage `Closed`, before it empties a queue: the
    /// thread that has advanced the stage may not have come to its fence.
    pub(crate) fn before_emptying(&self) {
        publish::fence();
    }

    /// Returns whether the runtime is closed. The caller has queued a job, and then called
    /// [`publish::fence`]. If it is closed, the caller must empty that queue.
    #[must_use]
    pub(crate) fn is_closed_after_push(&self) -> bool {
        self.get() == Stage::Closed
    }
}

#[cfg(all(test, loom))]
mod models {
    use std::sync::Arc;

    use loom::sync::Mutex;
    use loom::thread::JoinHandle;

    use super::*;
    use crate::collections::publish::FENCED;
    use crate::jobs::atomics::{AtomicUsize, thread};
    use crate::jobs::sleepers::Sleepers;

    /// A runtime with one queue. The queue promises no order: it is a number of jobs.
    struct Model {
        stage: CurrentStage,
        sleepers: Sleepers,
        queued: AtomicUsize,
        /// The number of jobs that were taken out of the queue.
        taken: AtomicUsize,
        /// Whether the scheduler 0 was nudged, and whether its main fiber was called.
        woken: Mutex<(bool, bool)>,
    }

    impl Model {
        fn new() -> Arc<Model> {
            Arc::new(Model {
                stage: CurrentStage::open(),
                sleepers: Sleepers::new(1),
                queued: AtomicUsize::new(0),
                taken: AtomicUsize::new(0),
                woken: Mutex::new((false, false)),
            })
        }

        /// Takes all jobs out of the queue, to start or to refuse them.
        fn empty_queue(&self) -> usize {
            // A look that finds nothing writes nothing, like that of a real queue.
            let mut taken = 0;
            while self.queued.load(Ordering::Relaxed) != 0 {
                taken += self.queued.swap(0, Ordering::AcqRel);
            }
            self.taken.fetch_add(taken, Ordering::Relaxed);
            taken
        }

        fn post(&self) {
            self.queued.fetch_add(1, Ordering::Release);
            publish::fence();
            if self.sleepers.one_to_wake().is_some() {
                self.woken.lock().unwrap().0 = true;
            }
            if self.stage.is_closed_after_push() {
                self.empty_queue();
            }
        }

        fn check(&self, posted: usize) {
            let left = self.queued.load(Ordering::Acquire);
            assert_eq!(left, 0, "a job is left in a queue that is closed");
            assert_eq!(self.taken.load(Ordering::Acquire), posted);
        }
    }

    /// Returns a model, a thread that posts a job to it, and one that closes it.
    fn with_a_post_and_a_close() -> (Arc<Model>, JoinHandle<()>, JoinHandle<()>) {
        let model = Model::new();
        let (poster, closer) = (model.clone(), model.clone());
        let poster = thread::spawn(move || poster.post());
        let closer = thread::spawn(move || {
            closer.stage.advance(Stage::Closed);
            closer.woken.lock().unwrap().1 = true;
        });
        (model, poster, closer)
    }

    fn posts_and_a_close(posts: usize) {
        loom::model(move || {
            let model = Model::new();
            let posters: Vec<_> = (0..posts)
                .map(|_| {
                    let model = model.clone();
                    thread::spawn(move || model.post())
                })
                .collect();
            model.stage.advance(Stage::Closed);
            model.empty_queue();
            posters.into_iter().for_each(|poster| poster.join().unwrap());
            model.check(posts);
        });
    }

    #[test]
    fn loom_a_job_is_refused_by_its_poster_or_by_the_close() {
        posts_and_a_close(2);
    }

    #[test]
    #[should_panic(expected = "a job is left in a queue that is closed")]
    fn loom_a_job_is_left_without_the_fences() {
        FENCED.set(false);
        posts_and_a_close(1);
    }

    /// The queue belongs to a scheduler of another thread than the one that closes. That calls it,
    /// but it may see the stage before.
    #[test]
    fn loom_a_job_for_one_scheduler_is_refused_by_its_poster_or_by_that_scheduler() {
        loom::model(|| {
            let (model, poster, closer) = with_a_post_and_a_close();
            let called = model.woken.lock().unwrap().1;
            if called || model.stage.get() == Stage::Closed {
                model.stage.before_emptying();
                model.empty_queue();
                [poster, closer].map(|thread| thread.join().unwrap());
            } else {
                // It waits for the call, and for no job meanwhile.
                closer.join().unwrap();
                model.stage.before_emptying();
                model.empty_queue();
                poster.join().unwrap();
            }
            model.check(1);
        });
    }

    /// A scheduler goes to sleep while a job is posted and the runtime is closed. It starts the
    /// job, or refuses it, or its poster does; and it does not sleep on after the close.
    #[test]
    fn loom_a_scheduler_that_sleeps_is_woken_for_a_job_or_by_the_close() {
        loom::model(|| {
            let (model, poster, closer) = with_a_post_and_a_close();
            model.sleepers.announce(0);
            let mut started = model.empty_queue();
            let (nudged, called) = *model.woken.lock().unwrap();
            if 0 < started || nudged || called {
                model.sleepers.withdraw(0);
                started += model.empty_queue();
            }
            poster.join().unwrap();
            if started == 0 && model.queued.load(Ordering::Acquire) != 0 {
                let (nudged, called) = *model.woken.lock().unwrap();
                assert!(nudged || called, "it sleeps beside a job");
            }
            closer.join().unwrap();
            // The call wakes it at the latest.
            assert!(model.woken.lock().unwrap().1);
            model.empty_queue();
            model.check(1);
        });
    }
}
