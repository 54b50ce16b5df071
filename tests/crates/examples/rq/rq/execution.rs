//! The execution of one job: two fibers. The function runs in one. The other waits for it and
//! writes down how it ended, so that a panic, a time limit and a kill end only the function.

use std::error::Error as StdError;
use std::rc::Rc;
use std::time::{Duration, Instant};

use fibra::time::timeout;
use serde_json::Value;

use super::job::Call;
use super::link::Error;
use super::scripts::{FAIL, FINISH, GIVE_BACK};
use super::text;
use super::worker::{Report, State};

/// The seconds for which a result is kept if the job does not set them, as in RQ.
const RESULT_TTL: &str = "500";

/// An execution as the script returns it: queue, job, execution, start, data, time limit, and time
/// for which the result is kept.
pub(super) type Taken = (String, String, String, String, Vec<u8>, String, String);

/// A job that runs.
pub(super) struct Running {
    pub(super) queue: String,
    pub(super) id: String,
    pub(super) fiber: fibra::Fiber,
}

impl State {
    /// Starts a job that was taken.
    pub(super) fn start(self: &Rc<State>, taken: Taken) {
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
                let ttl = if ttl.is_empty() { RESULT_TTL } else { ttl };
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
