//! The side that enqueues jobs and reads their results.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use fibra::time::Elapsed;
use serde_json::Value;

use super::job::Job;
use super::link::{Error, Link};
use super::scripts::ENQUEUE;
use super::text;

/// The longest pause between two looks for a result.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// A queue of RQ, by its name.
#[derive(Clone, Debug)]
pub struct Queue {
    link: Rc<Link>,
    name: String,
}

/// The last result of a job.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The value that the function returned.
    Returned(Value),
    /// The text of the failure: of Python's workers, a traceback.
    Failed(String),
}

impl Queue {
    /// Names a queue, which need not exist yet.
    pub fn new(link: &Rc<Link>, name: impl Into<String>) -> Queue {
        Queue { link: link.clone(), name: name.into() }
    }

    /// Enqueues a job, and returns its identifier. When this returns, the server has the job.
    pub fn enqueue(&self, job: &Job) -> Result<String, Error> {
        self.send(job, String::new())
    }

    /// Enqueues a job after a delay, in whole seconds. A worker must run then that looks after
    /// scheduled jobs: ours, or `rq worker --with-scheduler`.
    pub fn enqueue_in(&self, delay: Duration, job: &Job) -> Result<String, Error> {
        self.send(job, delay.as_secs_f64().to_string())
    }

    fn send(&self, job: &Job, delay: String) -> Result<String, Error> {
        let (id, fields) = job.fields(&self.name);
        let mut args = vec![self.name.clone().into(), id.clone().into(), delay.into()];
        for (field, value) in fields {
            args.extend([field.into(), value]);
        }
        self.link.script::<u64>(&ENQUEUE, &[], &args)?;
        Ok(id)
    }

    /// Returns the last result of a job, if it has one that is still kept.
    pub fn outcome(&self, id: &str) -> Result<Option<Outcome>, Error> {
        let mut read = redis::cmd("XREVRANGE");
        read.arg(format!("rq:results:{id}")).arg("+").arg("-").arg("COUNT").arg(1);
        let results: Vec<(String, HashMap<String, Vec<u8>>)> = self.link.query(&read)?;
        Ok(results.first().map(|(_, fields)| outcome_of(fields)))
    }

    /// Waits until a job has a result. A failure before a retry is none.
    pub fn wait(&self, id: &str, limit: Duration) -> Result<Result<Outcome, Error>, Elapsed> {
        fibra::time::timeout(limit, || {
            let mut pause = Duration::from_millis(2);
            loop {
                if let Some(outcome) = self.outcome(id).transpose() {
                    return outcome;
                }
                fibra::sleep(pause);
                pause = LONGEST_PAUSE.min(pause * 2);
            }
        })
    }

    /// Returns the status of a job, as RQ names it, if the job is still kept.
    pub fn status(&self, id: &str) -> Result<Option<String>, Error> {
        self.link.query(redis::cmd("HGET").arg(format!("rq:job:{id}")).arg("status"))
    }
}

fn outcome_of(fields: &HashMap<String, Vec<u8>>) -> Outcome {
    let decoded = |name| fields.get(name).and_then(|text| text::from_base64(text));
    if let Some(packed) = decoded("exc_string") {
        let text = text::decompress(&packed).unwrap_or(packed);
        return Outcome::Failed(String::from_utf8_lossy(&text).into_owned());
    }
    let Some(value) = decoded("return_value") else { return Outcome::Returned(Value::Null) };
    match serde_json::from_slice(&value) {
        Ok(value) => Outcome::Returned(value),
        Err(error) => Outcome::Failed(format!("the result is not JSON: {error}")),
    }
}
