//! A comparison of schedulers on one and two threads: a driver program that takes each sample in a
//! process of its own, the contenders in turn, and prints times, spreads and ratios.
//!
//! `benches/README.md` describes the measurements and how they could mislead, `options.rs` the
//! command line.

#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock and starts threads")]

mod contenders;
mod measure;
mod options;
mod report;
mod workloads;

/// The reason why a run ends early: a wrong answer, or a contender that failed.
type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((measure::CHILD, words)) = arguments.split_first().map(|(a, b)| (a.as_str(), b)) {
        return measure::sample_here(words);
    }
    let options = options::parse(&arguments)?;
    for point in workloads::points(options.size) {
        if options.wants(point.name) {
            let rows = measure::measure(&point, &options)?;
            println!("{}", report::table(&point, &rows, &options.threads));
        }
    }
    Ok(())
}
