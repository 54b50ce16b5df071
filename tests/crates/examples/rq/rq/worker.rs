//! The side that works jobs: n at a time, each in a fiber.
//!
//! The fiber that calls [`Worker::run`] takes jobs. `execution.rs` runs each, and `upkeep.rs` is
//! one more fiber.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::error::Error as StdError;
use std::rc::Rc;
use std::time::Duration;

use fibra::signal::{Signal, Signals};
use fibra::sync::Event;
use fibra::time::timeout;
use serde_json::Value;

use super::execution::{Running, Taken};
use super::job::Call;
use super::link::{Error, Link};
use super::scripts::TAKE;
use super::{text, upkeep};

pub(super) type Function = Rc<dyn Fn(&Call) -> Result<Value, Box<dyn StdError>>>;

/// A worker: the functions that it has, the queues that it takes jobs from, and its limits.
pub struct Worker {
    pub(super) queues: Vec<String>,
    pub(super) name: String,
    /// The time between two signs of life.
    pub(super) heartbeat: Duration,
    pub(super) functions: HashMap<String, Function>,
    jobs: usize,
    grace: Duration,
    burst: bool,
}

/// The numbers of executions by their ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The function returned, and its result was kept.
    pub finished: u64,
    /// The function failed; its job is retried or failed.
    pub failed: u64,
    /// The worker ended first; the job is in its queue again.
    pub given_back: u64,
    /// Another worker has meanwhile found the job abandoned.
    pub lost: u64,
}

/// What the fibers of a worker share.
pub(super) struct State {
    pub(super) worker: Worker,
    pub(super) link: Rc<Link>,
    pub(super) running: RefCell<HashMap<String, Running>>,
    /// Set when no further job shall be taken.
    pub(super) drain: Event,
    /// The first failure that ends the worker.
    pub(super) failure: RefCell<Option<Error>>,
    /// The time at which the worker began.
    pub(super) birth: String,
    /// Set when an execution has ended, and together with `drain`.
    pub(super) ended: Event,
    pub(super) report: Cell<Report>,
}

impl Worker {
    /// Creates a worker for queues by their names, the most important one first.
    pub fn new<S: Into<String>>(queues: impl IntoIterator<Item = S>) -> Worker {
        Worker {
            queues: queues.into_iter().map(Into::into).collect(),
            name: text::unique(),
            heartbeat: Duration::from_secs(15),
            functions: HashMap::new(),
            jobs: 20,
            grace: Duration::from_secs(10),
            burst: false,
        }
    }

    /// Adds a function that jobs may call by this name.
    pub fn function(
        mut self,
        name: impl Into<String>,
        function: impl Fn(&Call) -> Result<Value, Box<dyn StdError>> + 'static,
    ) -> Worker {
        self.functions.insert(name.into(), Rc::new(function));
        self
    }

    /// Sets how many jobs run at the same time.
    pub fn jobs(mut self, jobs: usize) -> Worker {
        self.jobs = jobs.max(1);
        self
    }

    /// Sets the time between two signs of life. A job counts as abandoned after six of them, and at
    /// least two seconds.
    pub fn heartbeat(mut self, time: Duration) -> Worker {
        self.heartbeat = time;
        self
    }

    /// Sets how long jobs may go on after the worker was asked to end.
    pub fn grace(mut self, time: Duration) -> Worker {
        self.grace = time;
        self
    }

    /// Lets the worker end when its queues are empty.
    pub fn burst(mut self, burst: bool) -> Worker {
        self.burst = burst;
        self
    }

    /// Works until SIGINT or SIGTERM, then lets the running jobs end. What runs after the time of
    /// grace, or at the second signal, is killed, and its jobs go back to their queues.
    ///
    /// # Errors
    ///
    /// Returns an error if the server cannot be reached for the patience of the link, or refuses.
    /// Jobs whose ends could not be written down are found by other workers.
    pub fn run(self, link: Rc<Link>) -> Result<Report, Error> {
        link.check()?;
        let state = Rc::new(State {
            worker: self,
            link,
            running: RefCell::default(),
            drain: Event::new(),
            failure: RefCell::new(None),
            birth: text::now(),
            ended: Event::new(),
            report: Cell::default(),
        });
        upkeep::beat(&state)?;
        let helpers = [
            fibra::spawn({
                let state = state.clone();
                move || upkeep::run(&state)
            }),
            fibra::spawn({
                let state = state.clone();
                move || state.wait_for_signals()
            }),
        ];
        let taken = state.take_jobs();
        state.drain();
        helpers.iter().for_each(|helper| helper.kill());
        if let Some(error) = state.failure.take() {
            return Err(error);
        }
        taken?;
        upkeep::leave(&state)?;
        Ok(state.report.get())
    }

    /// The seconds after which a job without a sign of life counts as abandoned.
    pub(super) fn lease(&self) -> u64 {
        (self.heartbeat.as_secs_f64() * 6.0).ceil().max(2.0) as u64
    }
}

impl State {
    fn wait_for_signals(&self) {
        let signals =
            Signals::new(&[Signal::SIGINT, Signal::SIGTERM]).expect("both can be received");
        for number in 1.. {
            let signal = signals.recv().expect("the descriptor is open");
            eprintln!("{signal:?}: {} jobs run", self.running.borrow().len());
            self.end_soon();
            if number > 1 {
                self.kill_all();
            }
        }
    }

    fn take_jobs(self: &Rc<State>) -> Result<(), Error> {
        let queues = &self.worker.queues;
        let first = format!("rq:queue:{}", queues[0]);
        while !self.drain.is_set() {
            let free = self.worker.jobs - self.running.borrow().len();
            if free == 0 {
                self.ended.clear();
                self.ended.wait(); // of a job, or because the worker was asked to end
                continue;
            }
            let mut args =
                vec![self.worker.name.clone().into(), self.worker.lease().to_string().into()];
            args.extend((0..free.min(100)).map(|_| text::unique().into_bytes()));
            let losses = self.link.connections();
            let taken: Vec<Taken> = self.link.script(&TAKE, queues, &args)?;
            if losses != self.link.connections() {
                upkeep::reclaim(self, &taken)?;
            }
            let none = taken.is_empty();
            taken.into_iter().for_each(|taken| self.start(taken));
            if none && self.worker.burst && self.running.borrow().is_empty() {
                return Ok(());
            }
            if none {
                self.wait_for_jobs(&first)?;
            }
        }
        Ok(())
    }

    /// Waits until the first queue has a job, or a short time. The command moves the first job of
    /// the queue to where it is: so it takes nothing, and may be given up at any time.
    fn wait_for_jobs(&self, queue: &str) -> Result<(), Error> {
        let alone = self.worker.queues.len() == 1 && !self.worker.burst;
        let seconds = if alone { 0.5 } else { 0.05 };
        let mut wait = redis::cmd("BLMOVE");
        wait.arg(queue).arg(queue).arg("LEFT").arg("LEFT").arg(seconds);
        self.link.wait::<Option<String>>(&wait)?;
        Ok(())
    }

    /// Ends the worker because of a failure.
    pub(super) fn fail(&self, error: Error) {
        self.failure.borrow_mut().get_or_insert(error);
        self.end_soon();
    }

    fn end_soon(&self) {
        self.drain.set();
        self.ended.set();
    }

    pub(super) fn kill_all(&self) {
        self.running.borrow().values().for_each(|running| running.fiber.kill());
    }

    /// Waits until no job runs. After the time of grace it kills those that do.
    fn drain(&self) {
        let all = || {
            while !self.running.borrow().is_empty() {
                self.ended.clear();
                self.ended.wait();
            }
        };
        if timeout(self.worker.grace, all).is_err() {
            self.kill_all();
            all();
        }
    }
}
