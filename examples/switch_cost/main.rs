//! Measures what it costs to switch between tasks, fibers beside futures, in one run.
//!
//! ```text
//! cargo run --release --example switch_cost                  some minutes
//! cargo run --release --example switch_cost -- --quick       half a minute, rough
//! cargo run --release --example switch_cost -- --out FILE    writes the page to FILE
//! ```
//!
//! Prints a table, and writes one HTML page with charts that explains what each bar measures. Close
//! other programs before: the page reports how busy they kept the machine. Go takes part if
//! `benches/peers/switch_cost.sh` has built its program.
//!
//! Reading order: `plan` (the measurements), `workloads` (the work and its answers), `contenders`
//! (one file per library), `measure` (the method), `table`, `page`, `charts` and `curve`
//! (the result).

#[path = "../broken_pipe/mod.rs"]
mod broken_pipe;
mod charts;
mod contenders;
mod curve;
mod machine;
mod measure;
mod page;
mod plan;
mod prose;
mod style;
mod table;
mod workloads;

use machine::{Machine, Work};
use measure::Outcome;
use plan::{Effort, Entry, Group};
use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A group of the plan with what was measured for it.
type Measured = (Group, Vec<Outcome>);

/// A million fibers hold a page each and their page tables.
const MEMORY_FOR_A_MILLION: u64 = 6 << 30;

fn main() -> ExitCode {
    broken_pipe::end_quietly();
    let arguments: Vec<String> = env::args().skip(1).collect();
    let result = match arguments.split_first() {
        Some((first, words)) if first == measure::CHILD => measure::sample_here(words),
        _ => Options::parse(&arguments).and_then(|options| compare(&options)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("switch_cost: {message}");
            ExitCode::FAILURE
        }
    }
}

struct Options {
    effort: Effort,
    page: PathBuf,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self { effort: Effort::Full, page: default_page() };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quick" => options.effort = Effort::Quick,
                "--out" => {
                    options.page = arguments.next().ok_or("--out needs the name of a file")?.into();
                }
                other => {
                    return Err(format!("unknown argument {other}; known: --quick, --out FILE"));
                }
            }
        }
        Ok(options)
    }
}

fn default_page() -> PathBuf {
    let target = Path::new("target");
    let folder = if target.is_dir() { target.to_owned() } else { env::temp_dir() };
    folder.join("switch_cost.html")
}

fn compare(options: &Options) -> Result<(), String> {
    if cfg!(debug_assertions) {
        return Err("a debug build measures the debug build: add --release".to_owned());
    }
    let mut groups = plan::groups(options.effort);
    leave_out_what_does_not_fit(&mut groups);
    let before = Work::so_far();
    let measured = measure_all(groups)?;
    let busy = before.share_of_others();

    println!("\nthe median, as a multiple of fibra's, lowest … highest sample\n");
    for (group, outcomes) in &measured {
        println!("{}", table::render(group, outcomes));
    }
    if let Some(share) = busy.filter(|share| machine::BUSY < *share) {
        let percent = (share * 100.0).round();
        println!("the machine was busy: other programs used {percent}% of its processors\n");
    }
    let page = page::render(&measured, &Machine::here(), busy, options.effort);
    std::fs::write(&options.page, page)
        .map_err(|error| format!("cannot write {}: {error}", options.page.display()))?;
    println!("charts: {}", options.page.display());
    Ok(())
}

/// Measures the groups that share entries together, and each of the others by itself.
fn measure_all(groups: Vec<Group>) -> Result<Vec<Measured>, String> {
    let parts = plan::parts(&groups);
    let mut results: Vec<(Entry, Outcome)> = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        let part: Vec<&Group> = part.iter().map(|&index| &groups[index]).collect();
        let titles: Vec<_> = part.iter().map(|group| group.title.as_str()).collect();
        eprintln!("[{:>2}/{}] {}", number + 1, parts.len(), titles.join("; "));
        let mut entries: Vec<Entry> = Vec::new();
        for entry in part.iter().flat_map(|group| &group.entries) {
            if !entries.iter().any(|other| other.measures_the_same(entry)) {
                entries.push(entry.clone());
            }
        }
        let outcomes = measure::measure(&entries, part[0].repetitions)?;
        for (entry, outcome) in entries.iter().zip(&outcomes) {
            let text = match outcome {
                Outcome::Measured(figures) => table::amount(figures.median, part[0].unit),
                Outcome::Cannot(reason) => reason.clone(),
            };
            eprintln!("        {:<32} {text}", entry.label);
        }
        results.extend(entries.into_iter().zip(outcomes));
    }
    let outcome_of = |entry: &Entry| {
        let result = results.iter().find(|(other, _)| other.measures_the_same(entry));
        result.expect("each entry was measured").1.clone()
    };
    let with_outcomes = |group: Group| {
        let outcomes = group.entries.iter().map(outcome_of).collect();
        (group, outcomes)
    };
    Ok(groups.into_iter().map(with_outcomes).collect())
}

fn leave_out_what_does_not_fit(groups: &mut Vec<Group>) {
    let fits = Machine::available_memory().is_none_or(|bytes| MEMORY_FOR_A_MILLION <= bytes);
    if !fits {
        eprintln!("less than 6 GiB of memory are free: a million tasks are left out");
        groups.retain(|group| group.chart.tasks().is_none_or(|tasks| tasks < 1_000_000));
    }
}
