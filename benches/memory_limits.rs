//! The memory of parked fibers: what one costs, how many fit under a limit of addresses, and how
//! memory comes back after a burst.
//!
//! ```text
//! cargo bench --bench memory_limits                   everything; half a minute
//! cargo bench --bench memory_limits -- costs          `addresses` or `burst` for the others
//! ```
//!
//! A plain program for Linux. Each row is taken in a process of its own. The kernel's setting of
//! overcommit is reported and not changed.
//! `benches/README.md` describes the rows.

#![allow(clippy::disallowed_methods, reason = "measures a real burst by the real clock")]

#[path = "../examples/memory/mod.rs"]
#[allow(dead_code, reason = "this bench wants the parts of what is held")]
mod memory;

use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// The first argument of a process that measures a row.
const CHILD: &str = "--row";
/// The fibers that are spawned between two looks at what is held.
const BATCH: usize = 500;
/// The most fibers of a row that is about limits.
const MOST: usize = 400_000;
const MIB: usize = 1 << 20;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [CHILD, "cost", fibers, kib] => cost(number(fibers), number(kib)),
        [CHILD, "fill", kib] => fill(number(kib)),
        [CHILD, "burst", fibers] => burst(number(fibers)),
        ["--test"] => costs(1_000),
        [] => {
            costs(100_000);
            addresses();
            bursts();
        }
        ["costs"] => costs(100_000),
        ["addresses"] => addresses(),
        ["burst"] => bursts(),
        _ => panic!("expected costs, addresses or burst, not {words:?}"),
    }
}

fn number(word: &str) -> usize {
    word.parse().unwrap_or_else(|_| panic!("expected a number, not '{word}'"))
}

/// Prints the bytes of a parked fiber, for some sizes of stacks.
fn costs(fibers: usize) {
    println!("a parked fiber, bytes; {fibers} of them, each in one call");
    println!("{:>10} {:>10} {:>12} {:>12}", "stack", "resident", "page tables", "addresses");
    for kib in [16, 64, 256, 1024] {
        let row = child(&["cost", &fibers.to_string(), &kib.to_string()]);
        print!("{:>6} KiB {}", kib, row.output);
    }
}

fn cost(fibers: usize, kib: usize) {
    with_stacks(kib, || {
        // What the first fiber needs is not a cost of each.
        let _first = park_some(1);
        let before = memory::parts();
        let _parked = park_some(fibers);
        let after = memory::parts();
        let each = |after: usize, before: usize| (after - before) / fibers;
        println!(
            "{:>10} {:>12} {:>12}",
            each(after.resident, before.resident),
            each(after.tables, before.tables),
            each(after.addresses, before.addresses),
        );
    });
}

/// Prints how many fibers fit under limits of addresses (`ulimit -v`).
fn addresses() {
    let setting = fs::read_to_string("/proc/sys/vm/overcommit_memory").unwrap_or_default();
    println!("\nfibers under a limit of addresses; vm.overcommit_memory is {}", setting.trim());
    println!("{:>10} {:>12} {:>12} {:>12}", "limit", "of 16 KiB", "of 64 KiB", "of 256 KiB");
    let mut last = String::new();
    for limit in [1 << 10, 4 << 10, 16 << 10] {
        print!("{limit:>6} MiB");
        for kib in [16, 64, 256] {
            let row = limited(limit, &["fill", &kib.to_string()]);
            print!(" {:>12}", row.fibers());
            last = row.reason().to_owned();
        }
        println!();
    }
    println!("the last one ended with: {last}");
}

/// Parks more and more fibers, and prints their number after each batch.
fn fill(kib: usize) {
    with_stacks(kib, || {
        let mut parked = Vec::new();
        while parked.len() < MOST {
            let batch = park_some(BATCH);
            if let Some(failed) = batch.iter().position(fibra::JoinHandle::is_finished) {
                let error = batch.into_iter().nth(failed).map(fibra::JoinHandle::join);
                println!("\n{}", error.expect("it is one of them").unwrap_err());
                io::stdout().flush().expect("the parent reads it");
                // The others hold what their end would need.
                std::process::exit(0);
            }
            parked.extend(batch);
            println!("{}", parked.len());
            io::stdout().flush().expect("the parent reads it");
        }
        std::process::exit(0);
    });
}

/// Prints what a process holds during a burst and after it.
fn bursts() {
    println!("\n100,000 fibers that live at the same time, and end; above what was held before");
    print!("{}", child(&["burst", "100000"]).output);
}

fn burst(fibers: usize) {
    with_stacks(256, || {
        let start = memory::held();
        let held = || memory::held().saturating_sub(start) / MIB;
        let report = |when: &str| {
            println!(
                "{when:>22} {:>5} MiB {:>7} unused stacks",
                held(),
                fibra::stats().stacks_idle
            );
        };
        let run = || {
            let burst = park_some(fibers);
            report("all live");
            burst.iter().for_each(|handle| handle.fiber().unpark());
            burst.into_iter().for_each(|handle| handle.join().expect("it only parked"));
            report("all have ended");
        };
        run();
        for second in 1..=10 {
            fibra::sleep(Duration::from_secs(1));
            report(&format!("{second} s later"));
        }
        run();
        fibra::trim_stacks();
        report("after trim_stacks");
    });
}

fn with_stacks(kib: usize, f: impl FnOnce()) {
    fibra::Runtime::builder().stack_size(kib << 10).build().expect("a first stack").run(f);
}

/// Spawns fibers that park, and lets each of them run until it has parked.
fn park_some(fibers: usize) -> Vec<fibra::JoinHandle<()>> {
    let handles: Vec<_> = (0..fibers).map(|_| fibra::spawn(fibra::park)).collect();
    fibra::yield_now();
    handles
}

/// What a process that measures a row has printed, and how it ended.
struct Row {
    output: String,
    end: String,
}

impl Row {
    /// The last number.
    fn fibers(&self) -> &str {
        let is_number = |line: &&str| line.parse::<usize>().is_ok();
        self.output.lines().rfind(is_number).unwrap_or("0")
    }

    /// The line that tells why there are no more fibers, or how the process ended.
    fn reason(&self) -> &str {
        let is_text = |line: &&str| line.parse::<usize>().is_err() && !line.is_empty();
        self.output.lines().find(is_text).unwrap_or(&self.end)
    }
}

fn child(words: &[&str]) -> Row {
    let row = run(Command::new(this()).arg(CHILD).args(words));
    assert!(!row.output.is_empty(), "{words:?}: {}", row.end);
    row
}

fn limited(mib: usize, words: &[&str]) -> Row {
    let script = format!("ulimit -v {}; exec \"$@\"", mib << 10);
    run(Command::new("sh").args(["-c", &script, "sh"]).arg(this()).arg(CHILD).args(words))
}

fn this() -> PathBuf {
    env::current_exe().expect("this program has a path")
}

fn run(command: &mut Command) -> Row {
    let output = command.output().expect("this program can be run again");
    let stderr = String::from_utf8_lossy(&output.stderr);
    let last = stderr.lines().rfind(|line| !line.is_empty()).unwrap_or_default();
    Row {
        output: String::from_utf8_lossy(&output.stdout).into_owned(),
        end: format!("{}; {last}", output.status).trim_end_matches("; ").to_owned(),
    }
}
