//! Small jobs from a queue of RQ on two workers: fibers, beside Python's workers in the same run.
//!
//! ```text
//! FIBRA_PYTHON=... cargo run --release --manifest-path tests/crates/Cargo.toml --bin rq_cost \
//!     [JOBS = 10000] [ROUNDS = 3]
//! ```
//!
//! Each job adds two numbers, so the rate is that of the queue. The jobs are enqueued first; then
//! two processes work them, and the time counts from the first job that has ended to the last.
//! `Worker`, which forks for each job, gets a tenth of the jobs. A round runs every way once; the
//! table has the median of the rates.

#![allow(clippy::disallowed_methods, reason = "processes, and measures time by itself")]

#[path = "../examples/rq/rq/mod.rs"]
mod rq;

use std::path::Path;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use rq::{Job, Link, Queue, Worker};
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(10);

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [word, url] = &words[..] {
        if word == "worker" {
            return work(url);
        }
    }
    let mut numbers = words.iter().filter_map(|word| word.parse().ok());
    let (jobs, rounds) = (numbers.next().unwrap_or(10_000), numbers.next().unwrap_or(3));
    let (jobs, rounds) = (usize::max(jobs, 10), usize::max(rounds, 1));
    let python = fibra_crates::python_with("rq");
    let python = python.as_deref();
    let mut rates = [vec![], vec![], vec![]];
    for _ in 0..rounds {
        let Some(rate) = measure(jobs, fibers) else { return };
        rates[0].push(rate);
        if let Some(python) = python {
            let worker = |class: &'static str| move |url: &str| python_worker(python, class, url);
            rates[1].extend(measure(jobs, worker("rq.worker.SimpleWorker")));
            rates[2].extend(measure(jobs / 10, worker("rq.worker.Worker")));
        }
    }
    println!("{:24}{:>12}{:>8}", "two workers", "jobs/s", "ratio");
    let fibers = median(&mut rates[0]).expect("there was a round");
    for (name, rates) in ["fibers", "Python, SimpleWorker", "Python, Worker"].iter().zip(&mut rates)
    {
        if let Some(rate) = median(rates) {
            println!("{name:24}{rate:>12.0}{:>8.2}", rate / fibers);
        }
    }
}

fn median(rates: &mut [f64]) -> Option<f64> {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied()
}

/// Returns the rate, in jobs per second, or `None` if there is no Redis.
fn measure(jobs: usize, worker: impl Fn(&str) -> Command) -> Option<f64> {
    let server = fibra_crates::redis()?;
    let url = format!("redis://127.0.0.1:{}", server.port);
    enqueue(&url, jobs);
    let mut connection = redis::Client::open(&url[..]).unwrap().get_connection().unwrap();
    let mut finished = || -> usize {
        redis::cmd("ZCARD").arg("rq:finished:default").query(&mut connection).unwrap()
    };
    let mut workers = [0; 2].map(|_| {
        let mut command = worker(&url);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    });
    let mut wait_for = |most: usize| loop {
        let ended = finished();
        if ended >= most {
            return (ended, Instant::now());
        }
        assert!(workers.iter_mut().any(|worker| worker.try_wait().unwrap().is_none()), "{ended}");
        thread::sleep(Duration::from_millis(1));
    };
    let ((early, start), (_, end)) = (wait_for(1), wait_for(jobs));
    workers.iter_mut().for_each(|worker| drop(worker.wait()));
    Some((jobs - early) as f64 / (end - start).as_secs_f64())
}

fn enqueue(url: &str, jobs: usize) {
    fibra::Runtime::builder().tokio().build().unwrap().run(|| {
        let link = Rc::new(Link::new(url, PATIENCE).unwrap());
        let queue = &Queue::new(&link, "default");
        fibra::scope(|scope| {
            for fiber in 0..50 {
                scope.spawn(move || {
                    for n in (fiber..jobs).step_by(50) {
                        queue.enqueue(&Job::new("tasks.add").arg(n).arg(1)).unwrap();
                    }
                });
            }
        });
    });
}

fn fibers(url: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["worker", url]);
    command
}

fn work(url: &str) {
    fibra::Runtime::builder().tokio().build().unwrap().run(|| {
        let link = Rc::new(Link::new(url, PATIENCE).unwrap());
        let worker = Worker::new(["default"]).jobs(50).burst(true);
        let add = |call: &rq::Call| Ok(json!(call.number(0, "a")? + call.number(1, "b")?));
        worker.function("tasks.add", add).run(link).unwrap();
    });
}

fn python_worker(python: &Path, class: &str, url: &str) -> Command {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/rq");
    let mut command = Command::new(python);
    command.args(["-c", "from rq.cli import main; main()", "worker", "--burst"]);
    command.args(["--worker-class", class, "--url", url]);
    command.args(["--serializer", "rq.serializers.JSONSerializer"]).arg("--quiet");
    command.current_dir(&folder).env("PYTHONPATH", folder);
    command
}
