//! Dumps of all schedulers of the process, for a thread that is none of theirs.
//!
//! ```text
//!   asking thread                            run loop of each scheduler
//!   CURRENT = a census, mail to all -------> mail -> puts a dump of its fibers into CURRENT
//!   waits until all have answered <--------- or until the time is over
//!   those that have not: a sample each
//! ```
//!
//! Invariants:
//! - Only its own thread can read the fibers of a scheduler: no other list of them exists. So of a
//!   scheduler that is held only the fiber that holds it is known.
//! - There is one census at a time. An answer that comes too late is dropped.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::collections::locked::locked;
use crate::fiber::snapshot::Dump;
use crate::sched::core::scheduler::Scheduler;
use crate::sched::deadlock::dump;
use crate::sched::shared::mailbox::Mail;
use crate::watchdog::report;
use crate::watchdog::watch;

/// The time within which a scheduler answers unless a fiber holds it.
const PATIENCE: Duration = Duration::from_millis(200);

static CURRENT: Mutex<Option<Arc<Census>>> = Mutex::new(None);

/// The answers to one request.
#[derive(Debug)]
struct Census {
    /// The most fibers of each scheduler that are listed.
    most: usize,
    answers: Mutex<BTreeMap<u32, Dump>>,
    arrived: Condvar,
}

/// Answers the present request, if there is one. Called by the run loop of `sched`.
pub(super) fn answer(sched: &Scheduler) {
    let current = locked(&CURRENT).clone();
    let Some(census) = current else { return };
    sched.refresh_now();
    let dump = dump::of(sched, census.most);
    locked(&census.answers).insert(sched.id, dump);
    census.arrived.notify_all();
}

/// Returns the text of a dump of all schedulers of the process, with up to `most` fibers of each.
/// Takes 200 ms and more if a scheduler does not answer. No fiber may call this.
pub(crate) fn text_of_all(most: usize) -> String {
    static ASKING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = locked(&ASKING);
    let (answers, arrived) = (Mutex::new(BTreeMap::new()), Condvar::new());
    let census = Arc::new(Census { most, answers, arrived });
    *locked(&CURRENT) = Some(census.clone());
    let all = watch::all();
    for (_, mailbox) in &all {
        mailbox.post(Mail::Asked);
    }
    let mut answers = census.wait_for(all.len());
    *locked(&CURRENT) = None;
    let mut text = String::new();
    for (scheduler, _) in &all {
        let _ = match answers.remove(scheduler) {
            Some(dump) => writeln!(text, "scheduler {scheduler}:\n{dump}"),
            None => silent(&mut text, *scheduler),
        };
    }
    if all.is_empty() {
        text.push_str("no scheduler runs\n");
    }
    text.truncate(text.trim_end().len());
    text
}

impl Census {
    fn wait_for(&self, schedulers: usize) -> BTreeMap<u32, Dump> {
        let answers = locked(&self.answers);
        let is_missing = |answers: &mut BTreeMap<u32, Dump>| answers.len() < schedulers;
        let waited = self.arrived.wait_timeout_while(answers, PATIENCE, is_missing);
        let (mut answers, _) = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *answers)
    }
}

/// Writes what is known of a scheduler that has not answered.
fn silent(text: &mut String, scheduler: u32) -> fmt::Result {
    match watch::sample(scheduler) {
        None => writeln!(text, "scheduler {scheduler} has ended"),
        Some(Ok(sample)) => match &sample.fiber {
            None => writeln!(
                text,
                "scheduler {scheduler} did not answer within {PATIENCE:?}: its thread runs no fiber"
            ),
            Some(fiber) => {
                writeln!(text, "scheduler {scheduler} is held by {}:", fiber.title())?;
                write!(text, "  {}", fiber.place())?;
                report::describe(&sample, text);
                writeln!(text, "\n  (only the scheduler can list its other fibers)")
            }
        },
        Some(Err(_)) => writeln!(
            text,
            "scheduler {scheduler} did not answer within {PATIENCE:?}, and its thread answers no signal"
        ),
    }
}
