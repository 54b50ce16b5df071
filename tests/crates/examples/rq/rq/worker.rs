//! The side that works jobs: n at a time, each in a fiber.
//!
//! The fiber that calls [`Worker::run`] takes jobs. Each job has two fibers: the function runs in
//! one, and the other waits for it and writes down how it ended, so that a panic, a time limit and
//! a kill end only the function. `upkeep.rs` is one more fiber.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::error::Error as StdError;
use std::rc::Rc;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use fibra::signal::{Signal, Signals};
use fibra::sync::Event;
use fibra::time::timeout;
use redis::Script;
use serde_json::Value;

use super::job::Call;
use super::link::{Error, Link};
use super::{text, upkeep};

macro_rules! script {
    ($name:literal) => {
        LazyLock::new(|| {
            Script::new(concat!(include_str!("scripts/common.lua"), include_str!($name)))
        })
    };
}

static TAKE: LazyLock<Script> = script!("scripts/take.lua");
static FINISH: LazyLock<Script> = script!("scripts/finish.lua");
static FAIL: LazyLock<Script> = script!("scripts/fail.lua");
static GIVE_BACK: LazyLock<Script> = script!("scripts/give_back.lua");

type Function = Rc<dyn Fn(&Call) -> Result<Value, Box<dyn StdError>>>;

/// A worker: the functions that it has, the queues that it takes jobs from, and its limits.
pub struct Worker {
    pub(super) queues: Vec<String>,
    pub(super) name: String,
    /// The time between two signs of life.
    pub(super) heartbeat: Duration,
    functions: HashMap<String, Function>,
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

/// An execution of a job, as the script returns it.
pub(super) type Taken = (String, String, String, String, Vec<u8>, String, String);

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
    /// Set when an execution has ended.
    ended: Event,
    report: Cell<Report>,
}

/// A job that runs.
pub(super) struct Running {
    pub(super) queue: String,
    pub(super) id: String,
    pub(super) fiber: fibra::Fiber,
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
            self.drain.set();
            if number > 1 {
                self.kill_all();
            }
        }
    }

    fn take_jobs(self: &Rc<State>) -> Result<(), Error> {
        let queues = &self.worker.queues;
        let first = format!("rq:queue:{}", queues[0]);
        while !self.drain.is_set() {
            while self.running.borrow().len() >= self.worker.jobs {
                self.ended.clear();
                self.ended.wait();
            }
            let free = self.worker.jobs - self.running.borrow().len();
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

    fn start(self: &Rc<State>, taken: Taken) {
        let state = self.clone();
        let (queue, id, execution) = (taken.0.clone(), taken.1.clone(), taken.2.clone());
        let function = fibra::spawn({
            let state = state.clone();
            let taken = taken.clone();
            move || state.call(&taken)
        });
        let fiber = function.fiber().clone();
        self.running.borrow_mut().insert(execution, Running { queue, id, fiber });
        fibra::spawn(move || {
            let start = Instant::now();
            let outcome = match function.join() {
                Ok(outcome) => Some(outcome),
                Err(error) if error.is_killed() => None,
                Err(error) => Some(Err(error.to_string())),
            };
            if let Err(error) = state.end(&taken, start.elapsed(), outcome) {
                state.fail(error);
            }
            state.running.borrow_mut().remove(&taken.2);
            state.ended.set();
        })
        .detach();
    }

    /// Calls the function of a job. The error is the text of the job's failure.
    fn call(&self, (_, id, _, _, data, limit, _): &Taken) -> Result<Value, String> {
        let call = Call::read(id, data)?;
        let name = &call.function;
        let function = self.worker.functions.get(name);
        let function = function.ok_or_else(|| format!("no function `{name}` in this worker"))?;
        let returned = match limit.parse::<u64>() {
            Err(_) => Ok(function(&call)), // -1, or none
            Ok(seconds) => timeout(Duration::from_secs(seconds), || function(&call)),
        };
        match returned {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(format!("{name}: {}", with_causes(&*error))),
            Err(_) => Err(format!("{name}: it took longer than its time limit of {limit} seconds")),
        }
    }

    /// Writes down how an execution ended. `None`: it was killed.
    fn end(
        &self,
        (queue, id, execution, start, _, _, ttl): &Taken,
        time: Duration,
        outcome: Option<Result<Value, String>>,
    ) -> Result<(), Error> {
        let mut args: Vec<Vec<u8>> =
            [queue, id, execution, &self.worker.name].map(|text| text.clone().into()).into();
        let Some(outcome) = outcome else {
            let back: u64 = self.link.script(&GIVE_BACK, &[], &args)?;
            self.count(back == 1, |report| &mut report.given_back);
            return Ok(());
        };
        args.extend([start.clone().into(), time.as_secs_f64().to_string().into()]);
        match outcome {
            Ok(value) => {
                let ttl = if ttl.is_empty() { "500" } else { ttl };
                args.push(ttl.into());
                args.push(if value.is_null() {
                    Vec::new()
                } else {
                    text::to_base64(value.to_string().as_bytes())
                });
                let written: u64 = self.link.script(&FINISH, &[], &args)?;
                self.count(written == 1, |report| &mut report.finished);
            }
            Err(text) => {
                eprintln!("job {id}: {text}");
                let packed = text::compress(text.as_bytes());
                args.extend([text::to_base64(&packed), packed]);
                let status: String = self.link.script(&FAIL, &[], &args)?;
                self.count(!status.is_empty(), |report| &mut report.failed);
            }
        }
        Ok(())
    }

    fn count(&self, written: bool, number: impl Fn(&mut Report) -> &mut u64) {
        let mut report = self.report.get();
        *(if written { number(&mut report) } else { &mut report.lost }) += 1;
        self.report.set(report);
    }

    /// Ends the worker because of a failure.
    pub(super) fn fail(&self, error: Error) {
        self.failure.borrow_mut().get_or_insert(error);
        self.drain.set();
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

/// Returns the text of an error and of those that caused it.
fn with_causes(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!("\n  because: {error}");
        cause = error.source();
    }
    text
}
