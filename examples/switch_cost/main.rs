//! What does it cost to switch between tasks? Fibers beside futures, in one run.
//!
//! ```text
//! cargo run --release --example switch_cost                  about a minute
//! cargo run --release --example switch_cost -- --quick       about ten seconds, rough
//! cargo run --release --example switch_cost -- --out FILE    where to write the page
//! ```
//!
//! Prints a table and writes one HTML page with charts that explains what each bar measures.
//!
//! Reading order: `plan` (what is measured), `workloads` (the work and its answers), `contenders`
//! (who does it, one file each), `measure` (how), `table`, `page` and `charts` (how it is shown).

mod charts;
mod contenders;
mod machine;
mod measure;
mod page;
mod plan;
mod prose;
mod style;
mod table;
mod workloads;

use machine::Machine;
use measure::Outcome;
use plan::{Chart, Effort, Group};
use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A group of the plan with what was measured for it.
type Measured = (Group, Vec<Outcome>);

/// A million fibers hold a page each and their page tables.
const MEMORY_FOR_A_MILLION: u64 = 6 << 30;

fn main() -> ExitCode {
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
    let measured = measure_all(groups)?;

    println!("\nthe median, as a multiple of fibra's, lowest … highest sample\n");
    for (group, outcomes) in &measured {
        println!("{}", table::render(group, outcomes));
    }
    let page = page::render(&measured, &Machine::here(), options.effort);
    std::fs::write(&options.page, page)
        .map_err(|error| format!("cannot write {}: {error}", options.page.display()))?;
    println!("charts: {}", options.page.display());
    Ok(())
}

fn measure_all(groups: Vec<Group>) -> Result<Vec<Measured>, String> {
    let count = groups.len();
    let mut measured = Vec::with_capacity(count);
    for (number, group) in groups.into_iter().enumerate() {
        eprintln!("[{:>2}/{count}] {}", number + 1, group.title);
        let outcomes = measure::measure(&group)?;
        for (entry, outcome) in group.entries.iter().zip(&outcomes) {
            let text = match outcome {
                Outcome::Measured(figures) => table::amount(figures.median, group.unit),
                Outcome::Cannot(reason) => reason.clone(),
            };
            eprintln!("        {:<32} {text}", entry.label);
        }
        measured.push((group, outcomes));
    }
    Ok(measured)
}

fn leave_out_what_does_not_fit(groups: &mut Vec<Group>) {
    let fits = Machine::available_memory().is_none_or(|bytes| MEMORY_FOR_A_MILLION <= bytes);
    if !fits {
        eprintln!("less than 6 GiB of memory are free: a million tasks are left out");
        groups.retain(|group| group.chart != Chart::Yield { tasks: 1_000_000 });
    }
}
