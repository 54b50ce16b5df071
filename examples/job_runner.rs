//! A job runner: jobs of different weight share a limit, report their progress, and can be
//! cancelled.
//!
//! Each job is a fiber. A `Semaphore` holds the megabytes that all jobs together may use: a job
//! waits until there is room for it. Progress goes through a channel to one fiber that prints it.
//! The name of the job is a fiber-local, declared with `static inherit`: the fibers that a job
//! spawns have it too, so no function has to pass it on. A job with a time limit is a call of
//! `time::timeout`, and to cancel a job is `kill_with`.
//!
//! ```text
//! $ cargo run --release --example job_runner
//!    0s  import    [          ]
//!    0s  report    [          ]
//!    3s  import    [######    ]
//!   ...
//!    9s  export    was killed: no one needs it any more
//!   ...
//! import: done; report: time limit; backup: done; export: killed
//! ```
//!
//! The clock is virtual: the seconds take no time, and the run is the same each time.

mod broken_pipe;

use fibra::JoinError;
use fibra::channel::{Sender, unbounded};
use fibra::pool::join_all;
use fibra::sync::Semaphore;
use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

fibra::local! {
    static inherit JOB: Cell<&'static str> = Cell::new("main");
}

struct Job {
    name: &'static str,
    megabytes: usize,
    steps: u32,
}

const JOBS: [Job; 4] = [
    Job { name: "import", megabytes: 60, steps: 5 },
    Job { name: "report", megabytes: 40, steps: 30 },
    Job { name: "backup", megabytes: 80, steps: 4 },
    Job { name: "export", megabytes: 20, steps: 9 },
];

/// A message of a job to the fiber that prints.
enum Progress {
    Done(u32, u32),
    Ended(String),
}

type Reports = Sender<(&'static str, Progress)>;

fn main() -> io::Result<()> {
    broken_pipe::end_quietly();
    fibra::Runtime::builder().virtual_clock().build()?.run(|| {
        let (reports, progress) = unbounded();
        let memory = Rc::new(Semaphore::new(100));
        let jobs = JOBS.map(|job| {
            let (reports, memory) = (reports.clone(), memory.clone());
            fibra::Builder::new().name(job.name).spawn(move || run(&job, &memory, &reports))
        });
        let export = jobs[3].fiber().clone();
        fibra::spawn(move || {
            fibra::sleep(Duration::from_secs(9));
            export.kill_with("no one needs it any more");
        });
        drop(reports); // The loop ends when the last job has ended.

        let start = fibra::now();
        for (job, progress) in progress {
            let seconds = (fibra::now() - start).as_secs();
            match progress {
                Progress::Done(done, of) => {
                    let bar = "#".repeat((10 * done / of) as usize);
                    println!("{seconds:4}s  {job:9} [{bar:10}]");
                }
                Progress::Ended(how) => println!("{seconds:4}s  {job:9} {how}"),
            }
        }
        let outcomes = JOBS.iter().zip(join_all(jobs));
        let ends: Vec<_> =
            outcomes.map(|(job, outcome)| format!("{}: {}", job.name, describe(outcome))).collect();
        println!("{}", ends.join("; "));
    });
    Ok(())
}

fn describe(outcome: Result<bool, JoinError>) -> &'static str {
    match outcome {
        Ok(true) => "done",
        Ok(false) => "time limit",
        Err(error) if error.is_killed() => "killed",
        Err(_) => "failed",
    }
}

/// Returns whether the job was done within its time limit.
fn run(job: &Job, memory: &Semaphore, reports: &Reports) -> bool {
    JOB.with(|name| name.set(job.name));
    let in_time = Cell::new(false);
    fibra::finally(
        || {
            let _room = memory.acquire_many(job.megabytes); // Given back however the job ends.
            let limit = Duration::from_secs(10);
            in_time.set(fibra::time::timeout(limit, || work(job.steps, reports)).is_ok());
        },
        || {
            let reason = fibra::current().kill_reason();
            report(
                reports,
                Progress::Ended(match reason {
                    Some(reason) => format!("was killed: {reason}"),
                    None if in_time.get() => "is done".into(),
                    None => "has taken too long".into(),
                }),
            );
        },
    );
    in_time.get()
}

/// Runs the steps, each in a fiber of its own. The scope ends a step when its job ends early.
fn work(steps: u32, reports: &Reports) {
    report(reports, Progress::Done(0, steps));
    for step in 1..=steps {
        fibra::scope(|s| {
            s.spawn(|| {
                fibra::sleep(Duration::from_secs(1));
                if step % 3 == 0 || step == steps {
                    report(reports, Progress::Done(step, steps));
                }
            });
        });
    }
}

fn report(reports: &Reports, progress: Progress) {
    let _ = reports.send((JOB.with(Cell::get), progress));
}
