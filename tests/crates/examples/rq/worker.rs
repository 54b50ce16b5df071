//! A worker for RQ's queues, with the functions of `tasks.py` in Rust. See `README.md`.
//!
//! ```text
//! rq_worker [--jobs N] [--burst] [--heartbeat SECONDS] [--grace SECONDS] [--patience SECONDS]
//!           [URL [QUEUE ...]]
//! ```

mod rq;

use std::error::Error;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use fibra::http::Client;
use rq::{Call, Link, Worker};
use serde_json::{Value, json};

fn main() -> ExitCode {
    match work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rq_worker: {error}");
            ExitCode::FAILURE
        }
    }
}

fn work() -> Result<(), Box<dyn Error>> {
    let (mut jobs, mut burst, mut patience) = (20, false, 60.0);
    let (mut heartbeat, mut grace, mut names) = (15.0, 10.0, Vec::new());
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || {
            let value = words.next().and_then(|value| value.parse::<f64>().ok());
            value.ok_or_else(|| format!("{word} needs a number"))
        };
        match &word[..] {
            "--jobs" => jobs = number()? as usize,
            "--heartbeat" => heartbeat = number()?,
            "--grace" => grace = number()?,
            "--patience" => patience = number()?,
            "--burst" => burst = true,
            _ if word.starts_with('-') => return Err(format!("unknown option {word}").into()),
            _ => names.push(word),
        }
    }
    let mut names = names.into_iter();
    let url = names.next().unwrap_or_else(|| "redis://127.0.0.1:6379".to_owned());
    let mut queues: Vec<String> = names.collect();
    if queues.is_empty() {
        queues.push("default".to_owned());
    }
    let worker = with_tasks(Worker::new(queues))
        .jobs(jobs)
        .burst(burst)
        .heartbeat(Duration::try_from_secs_f64(heartbeat)?)
        .grace(Duration::try_from_secs_f64(grace)?);
    let patience = Duration::try_from_secs_f64(patience)?;
    let report = fibra::Runtime::builder()
        .tokio()
        .build()?
        .run(|| worker.run(Rc::new(Link::new(&url, patience)?)))?;
    println!("{report:?}");
    Ok(())
}

fn with_tasks(worker: Worker) -> Worker {
    let client = Client::new();
    worker
        .function("tasks.count_words_at_url", move |call| count_words_at_url(&client, call))
        .function("tasks.add", |call| Ok(json!(call.number(0, "a")? + call.number(1, "b")?)))
        .function("tasks.fail", |call| Err(call.text(0, "reason")?.into()))
        .function("tasks.panic", |call| panic!("{}", call.text(0, "reason").unwrap_or("?")))
        .function("tasks.sleep", |call| {
            fibra::sleep(Duration::try_from_secs_f64(call.number(0, "seconds")?)?);
            Ok(json!("slept"))
        })
}

/// The job of RQ's documentation.
fn count_words_at_url(client: &Client, call: &Call) -> Result<Value, Box<dyn Error>> {
    let response = client.get(call.text(0, "url")?).send()?.error_for_status()?;
    Ok(json!(response.text()?.split_whitespace().count()))
}
