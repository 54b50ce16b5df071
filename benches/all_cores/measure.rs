//! Takes the samples: each in a process of its own, the contenders in turn.
//!
//! A round takes one sample of every contender on every number of threads, and each round begins
//! with a different contender. Ratios are computed within a round, so that a disturbance of the
//! machine that lasts longer than a sample affects both sides.

use std::env;
use std::process::Command;

use crate::Failure;
use crate::contenders::{self, Cannot, Contender, Program, Sample};
use crate::options::Options;
use crate::workloads::{Point, Workload};

/// The word that makes this program take one sample and print it.
pub(crate) const CHILD: &str = "--sample";

/// The samples of one contender.
pub(crate) struct Row {
    pub(crate) contender: &'static Contender,
    /// For each number of threads: nanoseconds per operation, one number per round.
    pub(crate) costs: Vec<Vec<f64>>,
    /// The reason why there are no samples.
    pub(crate) cannot: Option<String>,
}

pub(crate) fn measure(point: &Point, options: &Options) -> Result<Vec<Row>, Failure> {
    let columns = options.threads.len();
    let row = |contender: &&'static Contender| Row {
        contender,
        costs: vec![Vec::new(); columns],
        cannot: None,
    };
    let mut rows: Vec<Row> = options.contenders.iter().map(row).collect();
    for round in 0..options.rounds {
        for turn in 0..rows.len() {
            let i = (round + turn) % rows.len();
            let row = &mut rows[i];
            for (column, threads) in options.threads.iter().enumerate() {
                if row.cannot.is_none() {
                    match sample_in_child(row.contender, point, *threads)? {
                        Ok(cost) => row.costs[column].push(cost),
                        // A limit on one number of threads is no limit on the others.
                        Err(_) if column + 1 < columns || 1 < columns && has_any(row) => {}
                        Err(reason) => row.cannot = Some(reason),
                    }
                }
            }
        }
    }
    Ok(rows)
}

fn has_any(row: &Row) -> bool {
    row.costs.iter().any(|costs| !costs.is_empty())
}

/// Takes one sample in this process and prints it; the other end of [`sample_in_child`].
pub(crate) fn sample_here(words: &[String]) -> Result<(), Failure> {
    let unknown = || format!("{CHILD}: a contender, threads and a workload, not {words:?}");
    let [name, threads, workload @ ..] = words else { return Err(unknown().into()) };
    let contender = contenders::ALL.iter().find(|c| c.name == name).ok_or_else(unknown)?;
    let workload = Workload::from_words(workload).ok_or_else(unknown)?;
    let Program::Here(run) = contender.program else { return Err(unknown().into()) };
    match run(workload, threads.parse()?) {
        Ok(Sample { nanoseconds, answer }) => println!("{nanoseconds} {answer}"),
        Err(reason) => println!("cannot: {reason}"),
    }
    Ok(())
}

/// Returns the nanoseconds of one operation, or the reason why the contender cannot do it.
fn sample_in_child(
    contender: &Contender,
    point: &Point,
    threads: usize,
) -> Result<Result<f64, String>, Failure> {
    let failed = |what: String| format!("{}, {}: {what}", contender.name, point.title);
    let mut command = match contender.program {
        Program::Here(_) => {
            let mut command = Command::new(env::current_exe()?);
            command.args([CHILD, contender.name]);
            command
        }
        Program::Peer(file) => match contenders::peer_path(file) {
            Some(path) => Command::new(path),
            None => return Ok(Err("benches/peers/all_cores.sh builds it".into())),
        },
    };
    command.arg(threads.to_string()).args(point.workload.to_words());
    let output = command.output().map_err(|error| failed(error.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(failed(format!("{}\n{stderr}", output.status)).into());
    }
    if let Some(reason) = text.trim().strip_prefix("cannot: ") {
        return Ok(Err(reason.into()));
    }
    let sample = parse(&text).ok_or_else(|| failed(format!("unexpected output {text:?}")))?;
    if sample.answer != point.answer {
        let (got, want) = (sample.answer, point.answer);
        return Err(failed(format!("the answer is {got} and should be {want}")).into());
    }
    Ok(Ok(sample.nanoseconds as f64 / point.workload.operations() as f64))
}

fn parse(text: &str) -> Option<Sample> {
    let (nanoseconds, answer) = text.trim().split_once(' ')?;
    Some(Sample { nanoseconds: nanoseconds.parse().ok()?, answer: answer.parse().ok()? })
}

/// Runs `work` twice in one runtime: a small run that warms it, then the measured one.
pub(crate) fn warm(
    workload: Workload,
    mut work: impl FnMut(Workload) -> Result<Sample, Cannot>,
) -> Result<Sample, Cannot> {
    work(workload.warm_up())?;
    work(workload)
}
