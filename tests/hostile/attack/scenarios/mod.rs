//! The scenarios: small programs that bring user code to a point.

mod callbacks;
mod channel;
mod ends;
mod fiber;
mod generator;
#[cfg(feature = "greenlet")]
mod greenlet;
mod jobs;
mod library;
mod locals;
mod par;
mod pool;
mod queues;
mod scope;
mod stackless;
mod sync;
mod tasks;
mod text;

use std::rc::Rc;
use std::time::Duration;

use super::stage::Stage;

/// A program that brings user code to a point.
pub(crate) struct Scenario {
    pub(crate) point: &'static str,
    /// The text that `play` returns if the action is a quiet one.
    pub(crate) makes: &'static str,
    pub(crate) play: Play,
    /// Whether the scenario cannot be played where panics abort.
    pub(crate) unwinds: bool,
}

pub(crate) enum Play {
    /// Runs on the main fiber, with other fibers around it.
    Inside(fn(&Rc<Stage>) -> String),
    /// Runs on the thread.
    Whole(fn(&Rc<Stage>) -> String),
}

const fn scenario(
    point: &'static str,
    makes: &'static str,
    play: fn(&Rc<Stage>) -> String,
) -> Scenario {
    Scenario { point, makes, play: Play::Inside(play), unwinds: false }
}

const fn whole(
    point: &'static str,
    makes: &'static str,
    play: fn(&Rc<Stage>) -> String,
) -> Scenario {
    Scenario { point, makes, play: Play::Whole(play), unwinds: false }
}

const fn unwinding(scenario: Scenario) -> Scenario {
    Scenario { unwinds: true, ..scenario }
}

/// All scenarios.
pub(crate) fn all() -> impl Iterator<Item = &'static Scenario> {
    #[cfg(not(feature = "greenlet"))]
    let greenlets: &[Scenario] = &[];
    #[cfg(feature = "greenlet")]
    let greenlets = greenlet::SCENARIOS;
    let plain = [
        fiber::SCENARIOS,
        scope::SCENARIOS,
        locals::SCENARIOS,
        ends::SCENARIOS,
        channel::SCENARIOS,
        sync::SCENARIOS,
    ];
    let above = [
        pool::SCENARIOS,
        queues::SCENARIOS,
        tasks::SCENARIOS,
        jobs::SCENARIOS,
        par::SCENARIOS,
        generator::SCENARIOS,
        greenlets,
        stackless::SCENARIOS,
        callbacks::SCENARIOS,
    ];
    let both = plain.into_iter().chain(above);
    both.chain([library::SCENARIOS, text::SCENARIOS]).flatten()
}

/// Strikes, if wanted. Called in the panic hook of the process.
pub(crate) fn in_panic_hook() {
    ends::in_panic_hook();
}

/// Returns the outcome of a join as text.
fn joined<T>(outcome: &Result<T, fibra::JoinError>) -> String {
    match outcome {
        Ok(_) => "joined".into(),
        Err(error) => error.to_string(),
    }
}

/// Waits until `fiber` has ended, but only for a limited number of rounds.
fn until_ended(fiber: &fibra::Fiber) {
    fibra::yield_now();
    for round in 0..40 {
        if fiber.is_finished() {
            return;
        }
        fibra::sleep(Duration::from_millis(1 << round.min(25)));
        if 25 < round {
            // The fiber may wait for another thread.
            fibra::blocking(|| std::thread::park_timeout(Duration::from_millis(2)));
        }
    }
}
