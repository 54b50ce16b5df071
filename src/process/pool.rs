//! A pool of worker processes that answer messages.
//!
//! ```text
//!   call --> a permit --> an idle worker, or a new one --> request, answer --> idle again
//!                                                       \-> anything else: killed, reaped
//! ```
//!
//! Invariants:
//! - A worker has at most one request, and is idle only when it has answered all requests that it
//!   was sent. An answer counts only for the request with the same number.
//! - There are never more worker processes, idle or working, than permits.

use std::fmt;
use std::io::{self, BufReader};
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use crate::process::child::Child;
use crate::process::command::Command;
use crate::process::frames;
use crate::process::pipes::{ChildStdin, ChildStdout};
use crate::sched::api::scope::scope;
use crate::sched::lowlevel::{OnDeadlock, WaitReason, interrupted, locked};
use crate::sync::{self, Semaphore};

static WAITING: WaitReason =
    WaitReason::new("waiting for a worker process", OnDeadlock::Fail).ended_by_outsiders();

/// The time that a worker that has closed its pipes may take to end, before it is killed. A panic
/// unwinds first, and `main` may have destructors.
const GRACE: Duration = Duration::from_secs(5);

/// A set of worker processes, for work that needs more than one core, or that may crash.
///
/// Each is started by the same [`Command`], and calls [`worker`](crate::process::worker()): usually
/// the same program with an argument. A request and its answer are bytes; with serde that is
/// `serde_json::to_vec` on one side and `from_slice` on the other, or any other format.
///
/// A pool can be used by fibers and plain threads, of several schedulers. When it is dropped the
/// workers read the end of their requests, and end; one that works for a fiber that was killed is
/// killed.
///
/// # Examples
///
/// See [`worker`](crate::process::worker()) for both sides.
pub struct WorkerPool {
    command: Mutex<Command>,
    size: usize,
    permits: Semaphore,
    idle: Mutex<Vec<Worker>>,
}

impl WorkerPool {
    /// Starts `size` workers by `command`. The pool sets its `stdin` and `stdout`.
    ///
    /// # Errors
    ///
    /// Returns an error if a worker cannot be started.
    ///
    /// # Panics
    ///
    /// Panics if `size` is 0.
    pub fn new(mut command: Command, size: usize) -> io::Result<WorkerPool> {
        assert!(0 < size, "a pool of 0 workers would answer nothing: make it at least 1");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let workers = (0..size).map(|_| Worker::start(&mut command)).collect::<io::Result<_>>()?;
        Ok(WorkerPool {
            command: Mutex::new(command),
            size,
            permits: Semaphore::new(size),
            idle: Mutex::new(workers),
        })
    }

    /// Returns how many workers it has.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// Sends `request` to a worker, waiting for one if all are busy, and returns the answer.
    ///
    /// If the caller is killed, or its time is over, the worker is killed, because it cannot be
    /// stopped in any other way. The next call starts another.
    ///
    /// # Errors
    ///
    /// Returns [`WorkerLost`], in an error of the kind [`BrokenPipe`](io::ErrorKind::BrokenPipe),
    /// if the worker ends before it has answered; the next call starts another. Returns
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for a request of 4 GiB or more, and the errors
    /// of [`Command::spawn`], when a worker must be replaced.
    #[track_caller]
    pub fn call(&self, request: &[u8]) -> io::Result<Vec<u8>> {
        frames::check_length(request)?;
        let permit = self.permits.acquire_because(&WAITING);
        let _permit = permit.map_err(|interrupt| interrupted(interrupt, &WAITING))?;
        let waits = self.idle().pop();
        let mut worker = match waits {
            Some(worker) => worker,
            None => Worker::start(&mut self.command())?,
        };
        // Until the worker has answered, its pipes are in the middle of a message.
        worker.child.set_kill_on_drop(true);
        match worker.exchange(request) {
            Ok(answer) => {
                worker.child.set_kill_on_drop(false);
                self.idle().push(worker);
                Ok(answer)
            }
            Err(error) => Err(worker.explain(error)),
        }
    }

    /// Sends each input to a worker, and returns the answers in the order of the inputs.
    ///
    /// Inputs are taken as workers become free. If a worker is lost, only its own input fails.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber, and propagates a panic of `inputs`.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use fibra::process::{Command, WorkerPool};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// // A program that calls `fibra::process::worker` when its argument is "worker".
    /// let mut command = Command::new(std::env::current_exe()?);
    /// command.arg("worker");
    /// let pool = WorkerPool::new(command, 2)?;
    /// fibra::run(|| {
    ///     for answer in pool.map(["one", "two", "three"]) {
    ///         println!("{} bytes", answer.unwrap().len());
    ///     }
    /// });
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn map<I>(&self, inputs: I) -> Vec<io::Result<Vec<u8>>>
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        // The iterator is user code, which may wait.
        let inputs = sync::Mutex::new(inputs.into_iter().enumerate());
        let answers = sync::Mutex::new(Vec::new());
        scope(|scope| {
            for _ in 0..self.size {
                scope.spawn(|| {
                    loop {
                        let next = inputs.lock().next();
                        let Some((index, input)) = next else { break };
                        let answer = self.call(input.as_ref());
                        answers.lock().push((index, answer));
                    }
                });
            }
        });
        let mut answers = answers.into_inner();
        answers.sort_unstable_by_key(|(index, _)| *index);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Worker>> {
        locked(&self.idle)
    }

    fn command(&self) -> MutexGuard<'_, Command> {
        locked(&self.command)
    }
}

impl fmt::Debug for WorkerPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerPool")
            .field("command", &self.command())
            .field("size", &self.size)
            .field("idle", &self.idle().len())
            .finish()
    }
}

/// The error of a call whose worker ended before it had answered.
///
/// ```
/// # fn call() -> std::io::Result<Vec<u8>> { Ok(Vec::new()) }
/// use fibra::process::WorkerLost;
///
/// if let Err(error) = call()
///     && let Some(lost) = error.get_ref().and_then(|inner| inner.downcast_ref::<WorkerLost>())
/// {
///     println!("{}", lost.status());
/// }
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WorkerLost {
    status: ExitStatus,
}

impl WorkerLost {
    /// Returns the exit status of the worker.
    #[must_use]
    pub fn status(&self) -> ExitStatus {
        self.status
    }
}

impl fmt::Display for WorkerLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the worker process ended before it had answered: {}", self.status)
    }
}

impl std::error::Error for WorkerLost {}

struct Worker {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Whether its greeting was read.
    greeted: bool,
    /// The number of its last request.
    requests_so_far: u64,
}

impl Worker {
    fn start(command: &mut Command) -> io::Result<Worker> {
        let mut child = command.spawn()?;
        let requests = child.stdin.take().expect("the pool asks for it");
        let answers = BufReader::new(child.stdout.take().expect("the pool asks for it"));
        Ok(Worker { child, requests, answers, greeted: false, requests_so_far: 0 })
    }

    #[track_caller]
    fn exchange(&mut self, request: &[u8]) -> io::Result<Vec<u8>> {
        // First this, so that the output that a program prints before it calls `worker` does not
        // fill the pipe while this side only writes.
        if !self.greeted {
            frames::skip_to_greeting(&mut self.answers)?;
            self.greeted = true;
        }
        self.requests_so_far += 1;
        let number = self.requests_so_far;
        frames::send(&self.requests, number, request)?;
        loop {
            match frames::receive(&mut self.answers)? {
                // Any other answer is to an earlier request, which was answered twice.
                Some((to, answer)) if to == number => return Ok(answer),
                Some(_) => {}
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
    }

    /// Returns the error of a failed exchange: if the worker has ended, the one that contains its
    /// status.
    #[track_caller]
    fn explain(mut self, error: io::Error) -> io::Error {
        if !matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof) {
            return error;
        }
        // The worker has closed its pipes: nearly always because it is about to end, and its status
        // shows why.
        let ended = match self.child.wait_timeout(GRACE) {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                self.child.kill().and_then(|()| self.child.wait())
            }
            ended => ended,
        };
        match ended {
            Ok(status) => io::Error::new(io::ErrorKind::BrokenPipe, WorkerLost { status }),
            Err(error) => error,
        }
    }
}
