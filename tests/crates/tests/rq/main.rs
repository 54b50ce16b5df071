//! RQ's jobs by fibers, `examples/rq`, against a real server and against Python's `rq`: both ways,
//! all ends that a job can have, and faults of workers and of the server.

#![allow(clippy::disallowed_methods, reason = "processes and real time")]

mod both_ways;
mod ends;
mod faults;
#[path = "../../examples/rq/rq/mod.rs"]
mod rq;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use fibra_crates::Server;
use rq::{Link, Outcome, Queue};

/// The time within which everything must happen.
const LIMIT: Duration = Duration::from_secs(60);

fn url(server: &Server) -> String {
    format!("redis://127.0.0.1:{}", server.port)
}

/// Runs `f` in a fiber with the queue `default` of a server.
fn with_queue<T>(server: &Server, f: impl FnOnce(&Queue) -> T) -> T {
    fibra::Runtime::builder().tokio().build().expect("there is memory").run(|| {
        let link = Rc::new(Link::new(&url(server), LIMIT).expect("a URL of Redis"));
        f(&Queue::new(&link, "default"))
    })
}

fn result(queue: &Queue, id: &str) -> Outcome {
    queue.wait(id, LIMIT).expect("a result in time").expect("the server answers")
}

fn failure(queue: &Queue, id: &str) -> String {
    match result(queue, id) {
        Outcome::Failed(text) => text,
        other => panic!("{other:?}"),
    }
}

/// Waits until a job has a status.
fn wait_for_status(queue: &Queue, id: &str, status: &str) {
    let start = Instant::now();
    while queue.status(id).expect("the server answers").as_deref() != Some(status) {
        assert!(start.elapsed() < LIMIT, "{id} is not {status}");
        fibra::sleep(Duration::from_millis(10));
    }
}

/// Asks Redis by the synchronous client.
fn ask<T: redis::FromRedisValue>(server: &Server, words: &[&str]) -> T {
    let client = redis::Client::open(url(server)).expect("a URL of Redis");
    let mut connection = client.get_connection().expect("the server runs");
    redis::cmd(words[0]).arg(&words[1..]).query(&mut connection).expect("an answer")
}

/// A process that is killed when it is dropped.
struct Process(Option<Child>);

impl Process {
    fn start(command: &mut Command) -> Process {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Process(Some(command.spawn().expect("it is built")))
    }

    /// Starts a worker that looks for abandoned jobs after two seconds.
    fn worker(server: &Server, options: &[&str]) -> Process {
        let mut command = Command::new(example("rq_worker"));
        command.args(["--heartbeat", "0.3", "--patience", "30"]).args(options).arg(url(server));
        Process::start(&mut command)
    }

    fn signal(&self, signal: &str) {
        let pid = self.0.as_ref().expect("it runs").id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().expect("it is there").success());
    }

    fn output(mut self) -> Output {
        self.0.take().expect("it runs").wait_with_output().expect("it is a child")
    }

    /// Asks a worker to end, and returns its report.
    fn end(self) -> String {
        self.signal("-INT");
        let output = self.output();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Returns a number of a worker's report.
fn number(report: &str, name: &str) -> u64 {
    let (_, rest) = report.split_once(&format!("{name}: ")).expect(report);
    rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().expect(report)
}

/// Returns the path of a program in `examples/`, which `cargo test` builds.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.ancestors().nth(2).expect("a test stands in target/PROFILE/deps");
    profile.join("examples").join(name)
}

/// Returns the folder of the example, with the programs in Python.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/rq")
}
