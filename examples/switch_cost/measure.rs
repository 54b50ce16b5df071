//! Takes the measurements: each sample in a process of its own, contenders in turn.
//!
//! - A fresh process per sample: the allocator, warm stacks or helper threads of one contender
//!   cannot affect the numbers of another, and each repetition has another random memory layout.
//! - In turn: repetition 1 of every contender, then repetition 2, and so on. A disturbance of the
//!   machine then affects all contenders, not only the one that is running.
//! - The median is reported, with the lowest and the highest sample beside it.

use crate::contenders::{self, Cannot, Contender, Sample};
use crate::plan::Entry;
use crate::workloads::Workload;
use std::env;
use std::process::Command;

/// The word that makes this program take one sample and print it.
pub(crate) const CHILD: &str = "--sample";

/// The result of measuring an [`Entry`].
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    Measured(Figures),
    /// The contender cannot do this, for the given reason.
    Cannot(String),
}

/// Nanoseconds or bytes for one operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    pub(crate) lowest: f64,
    pub(crate) median: f64,
    pub(crate) highest: f64,
}

impl Outcome {
    pub(crate) fn median(&self) -> Option<f64> {
        match self {
            Self::Measured(figures) => Some(figures.median),
            Self::Cannot(_) => None,
        }
    }
}

/// Measures all entries, `repetitions` times in turn.
///
/// # Errors
///
/// Returns a text if a sample could not be taken or its answer was wrong.
pub(crate) fn measure(entries: &[Entry], repetitions: usize) -> Result<Vec<Outcome>, String> {
    let mut samples: Vec<Result<Vec<f64>, String>> =
        entries.iter().map(|_| Ok(Vec::new())).collect();
    for _ in 0..repetitions {
        for (entry, so_far) in entries.iter().zip(&mut samples) {
            let Ok(costs) = so_far else { continue };
            match sample_in_child(entry)? {
                Ok(cost) => costs.push(cost),
                Err(reason) => *so_far = Err(reason),
            }
        }
    }
    Ok(samples.into_iter().map(outcome).collect())
}

/// Takes one sample in this process and prints it; the other end of [`sample_in_child`].
///
/// # Errors
///
/// Returns a text if `words` name no contender or no workload.
pub(crate) fn sample_here(words: &[String]) -> Result<(), String> {
    let unknown = || format!("{CHILD} takes a contender and a workload, not {words:?}");
    let (name, workload) = words.split_first().ok_or_else(unknown)?;
    let contender = contenders::named(name).ok_or_else(unknown)?;
    let workload = Workload::from_words(workload).ok_or_else(unknown)?;
    match warm_sample(contender, workload) {
        Ok(Sample { cost, answer }) => println!("{cost} {answer}"),
        Err(reason) => println!("cannot: {reason}"),
    }
    Ok(())
}

fn warm_sample(contender: &Contender, workload: Workload) -> Result<Sample, Cannot> {
    if workload.warm_up() != workload {
        (contender.run)(workload.warm_up())?;
    }
    (contender.run)(workload)
}

/// Returns the cost of one operation, or the reason why the contender cannot do it.
fn sample_in_child(entry: &Entry) -> Result<Result<f64, String>, String> {
    let (name, workload) = (entry.contender.name, entry.workload);
    let failed = |what: String| format!("{name}, {workload}: {what}");

    let program = env::current_exe().map_err(|error| failed(error.to_string()))?;
    let output = Command::new(program)
        .args([CHILD, name])
        .args(workload.to_words())
        .output()
        .map_err(|error| failed(format!("cannot start a process for the sample: {error}")))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let last_words = String::from_utf8_lossy(&output.stderr);
        return Err(failed(format!("{}\n{last_words}", output.status)));
    }
    if let Some(reason) = text.trim().strip_prefix("cannot: ") {
        return Ok(Err(reason.to_owned()));
    }
    let sample = parse(&text).ok_or_else(|| failed(format!("unexpected output {text:?}")))?;
    if sample.answer != workload.answer() {
        let (got, want) = (sample.answer, workload.answer());
        return Err(failed(format!("the answer is {got} and should be {want}")));
    }
    Ok(Ok(sample.cost as f64 / workload.operations() as f64))
}

fn parse(text: &str) -> Option<Sample> {
    let (cost, answer) = text.trim().split_once(' ')?;
    Some(Sample { cost: cost.parse().ok()?, answer: answer.parse().ok()? })
}

fn outcome(costs: Result<Vec<f64>, String>) -> Outcome {
    let mut costs = match costs {
        Ok(costs) => costs,
        Err(reason) => return Outcome::Cannot(reason),
    };
    costs.sort_by(f64::total_cmp);
    let (lowest, highest) = (costs[0], costs[costs.len() - 1]);
    Outcome::Measured(Figures { lowest, median: costs[costs.len() / 2], highest })
}
