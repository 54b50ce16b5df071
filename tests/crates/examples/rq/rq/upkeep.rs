//! What a worker does beside jobs: signs of life, scheduled jobs, jobs of workers that have ended.

use std::time::{Duration, Instant};

use super::execution::Taken;
use super::link::Error;
use super::scripts::{BEAT, RECLAIM, UPKEEP};
use super::text;
use super::worker::State;

/// The time between two looks for scheduled jobs and those of workers that have ended.
const LOOK: Duration = Duration::from_secs(1);

/// Looks after the records until the fiber is killed. A failure ends the worker.
pub(super) fn run(state: &State) {
    let (mut last_beat, mut connections) = (Instant::now(), state.link.connections());
    let mut once = || {
        // After the server was gone, the signs of life of all workers come first.
        let is_new = connections != state.link.connections();
        connections = state.link.connections();
        if !is_new {
            look(state)?;
        }
        if is_new || last_beat.elapsed() >= state.worker.heartbeat {
            last_beat = Instant::now();
            beat(state)?;
        }
        Ok(())
    };
    loop {
        if let Err(error) = once() {
            return state.fail(error);
        }
        fibra::sleep(LOOK.min(state.worker.heartbeat));
    }
}

/// Writes down that the worker and its jobs are alive. Jobs that another worker has found
/// abandoned meanwhile are killed here, since they run there.
pub(super) fn beat(state: &State) -> Result<(), Error> {
    let worker = &state.worker;
    let fields = [
        ("birth", state.birth.clone()),
        ("queues", worker.queues.join(",")),
        ("pid", std::process::id().to_string()),
        ("hostname", hostname()),
        ("ip_address", "unknown".to_owned()),
        ("version", "3.0.0".to_owned()), // of the records
        ("python_version", "none: fibers".to_owned()),
        ("state", if state.running.borrow().is_empty() { "idle" } else { "busy" }.to_owned()),
    ];
    let mut args = vec![worker.name.clone(), worker.lease().to_string()];
    args.push((2 * fields.len()).to_string());
    args.extend(fields.into_iter().flat_map(|(field, value)| [field.to_owned(), value]));
    for (execution, running) in &*state.running.borrow() {
        args.extend([running.queue.clone(), running.id.clone(), execution.clone()]);
    }
    let args: Vec<Vec<u8>> = args.into_iter().map(String::into_bytes).collect();
    let lost: Vec<String> = state.link.script(&BEAT, &worker.queues, &args)?;
    for execution in lost {
        if let Some(running) = state.running.borrow().get(&execution) {
            eprintln!("job {}: another worker has it now", running.id);
            running.fiber.kill();
        }
    }
    Ok(())
}

fn look(state: &State) -> Result<(), Error> {
    let text =
        format!("abandoned: its worker gave no sign of life any more, found at {}", text::now());
    let packed = text::compress(text.as_bytes());
    let args = [text::to_base64(&packed), packed];
    let (_, abandoned): (u64, u64) = state.link.script(&UPKEEP, &state.worker.queues, &args)?;
    if abandoned > 0 {
        eprintln!("{abandoned} jobs of workers that have ended are retried or failed");
    }
    Ok(())
}

/// Puts jobs back that the server has given to this worker in an answer that was lost.
pub(super) fn reclaim(state: &State, new: &[Taken]) -> Result<(), Error> {
    let running = state.running.borrow();
    let known = running.iter().map(|(execution, running)| format!("{}:{execution}", running.id));
    let new = new.iter().map(|taken| format!("{}:{}", taken.1, taken.2));
    let mut args: Vec<Vec<u8>> = vec![state.worker.name.clone().into()];
    args.extend(known.chain(new).map(String::into_bytes));
    drop(running);
    let reclaimed: u64 = state.link.script(&RECLAIM, &state.worker.queues, &args)?;
    if reclaimed > 0 {
        eprintln!("{reclaimed} jobs are in their queues again: their answer was lost");
    }
    Ok(())
}

/// Takes the worker off the lists. Its record stays for a minute, as in RQ.
pub(super) fn leave(state: &State) -> Result<(), Error> {
    let record = format!("rq:worker:{}", state.worker.name);
    for queue in &state.worker.queues {
        let list = format!("rq:workers:{queue}");
        state.link.query::<()>(redis::cmd("SREM").arg(list).arg(&record))?;
    }
    state.link.query::<()>(redis::cmd("SREM").arg("rq:workers").arg(&record))?;
    state.link.query::<()>(redis::cmd("HSET").arg(&record).arg("death").arg(text::now()))?;
    state.link.query::<()>(redis::cmd("EXPIRE").arg(&record).arg(60))
}

fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
    name.map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned())
}
