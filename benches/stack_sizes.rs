//! The cost of the size of a stack: memory of a parked fiber, bursts of spawns, yields among many
//! fibers.
//!
//! Addresses cost nothing, page tables do: a larger stack shares its page tables with fewer others.
//! Criterion measures one number at a time, and does not measure memory, so this is a plain
//! program. Each sample is taken in a process of its own; sizes take turns, so that a change of the
//! machine's speed affects all of them.
//!
//! ```text
//! cargo bench --bench stack_sizes                          100,000 fibers, 256 KiB, 512 KiB, 1 MiB
//! cargo bench --bench stack_sizes -- 1000000 64 256        other numbers of fibers, other sizes
//! ```

#![allow(clippy::disallowed_methods, reason = "measures time by itself")]

#[path = "../examples/memory/mod.rs"]
#[allow(dead_code, reason = "this bench wants the parts of what is held")]
mod memory;

use std::env;
use std::process::Command;
use std::time::Instant;

/// The first argument of a process that takes one sample.
const CHILD: &str = "--sample";
/// The number of samples per size; their median is shown.
const SAMPLES: usize = 9;
const ROUNDS_OF_YIELDS: usize = 10;

/// The measurements, in the order of a sample's numbers.
const COLUMNS: [(&str, &str); 8] = [
    ("record", "bytes of memory of a fiber that has not run yet"),
    ("stack", "bytes of memory that parking adds"),
    ("tables", "bytes of page tables of a parked fiber"),
    ("all", "bytes of the three together"),
    ("first", "ns for a fiber to be spawned and to park, on stacks that were never used"),
    ("end", "ns for a fiber to be woken, to end and to be joined"),
    ("again", "ns for the same as `first` once more, in the same `run`"),
    ("yield", "ns for a yield among all of them"),
];

fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [CHILD, fibers, kib] => sample(number(fibers), number(kib)),
        ["--test"] => measure(1_000, &[256, 1024], 1),
        [] => measure(100_000, &[256, 512, 1024], SAMPLES),
        [fibers, ref sizes @ ..] => {
            let sizes: Vec<usize> = sizes.iter().map(|size| number(size)).collect();
            measure(number(fibers), &sizes, SAMPLES);
        }
    }
}

fn number(word: &str) -> usize {
    word.parse().unwrap_or_else(|_| panic!("expected a number, not '{word}'"))
}

fn measure(fibers: usize, sizes: &[usize], samples: usize) {
    let mut taken: Vec<Vec<Vec<usize>>> = vec![Vec::new(); sizes.len()];
    for _ in 0..samples {
        for (kib, taken) in sizes.iter().zip(&mut taken) {
            taken.push(sample_in_child(fibers, *kib));
        }
    }
    println!("{fibers} fibers; each number: median (lowest .. highest) of {samples} processes");
    for (column, (name, meaning)) in COLUMNS.iter().enumerate() {
        println!("\n{name}: {meaning}");
        for (kib, samples) in sizes.iter().zip(&taken) {
            let mut numbers: Vec<_> = samples.iter().map(|sample| sample[column]).collect();
            numbers.sort_unstable();
            let [low, median, high] = [0, numbers.len() / 2, numbers.len() - 1].map(|i| numbers[i]);
            println!("{kib:>8} KiB {median:>8}   ({low} .. {high})");
        }
    }
}

fn sample_in_child(fibers: usize, kib: usize) -> Vec<usize> {
    let this = env::current_exe().expect("this program has a path");
    let output = Command::new(this)
        .args([CHILD, &fibers.to_string(), &kib.to_string()])
        .output()
        .expect("this program can be run again");
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<_> = text.split_whitespace().map(number).collect();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && numbers.len() == COLUMNS.len(), "{text}\n{stderr}");
    numbers
}

/// Takes one sample and prints its numbers, in the order of [`COLUMNS`].
fn sample(fibers: usize, kib: usize) {
    let runtime = fibra::Runtime::builder().stack_size(kib << 10).build().expect("a first stack");
    let numbers = runtime.run(|| {
        let before = memory::parts();
        let start = Instant::now();
        let mut parked = spawn(fibers);
        let spawning = start.elapsed();
        let unstarted = memory::parts();
        let start = Instant::now();
        fibra::yield_now(); // Now each fiber has run until it parked.
        let first = (spawning + start.elapsed()).as_nanos() as usize;
        let all = memory::parts();
        let record = unstarted.resident - before.resident;
        let stack = all.resident - unstarted.resident;
        let tables = all.tables - before.tables;

        let end = time(|| end_all(parked.drain(..)));
        let again = time(|| {
            parked = spawn(fibers);
            fibra::yield_now();
        });
        end_all(parked.drain(..));
        let yields = time_yields(fibers);
        [record, stack, tables, record + stack + tables, first, end, again, yields]
    });
    let each = numbers.map(|number| (number / fibers).to_string());
    println!("{}", each.join(" "));
}

fn spawn(fibers: usize) -> Vec<fibra::JoinHandle<()>> {
    (0..fibers).map(|_| fibra::spawn(fibra::park)).collect()
}

fn end_all(parked: impl Iterator<Item = fibra::JoinHandle<()>>) {
    let parked: Vec<_> = parked.collect();
    parked.iter().for_each(|handle| handle.fiber().unpark());
    parked.into_iter().for_each(|handle| handle.join().expect("it only parked"));
}

/// The time of all yields, divided by the number of yields per fiber.
fn time_yields(fibers: usize) -> usize {
    let yielders: Vec<_> = (0..fibers)
        .map(|_| fibra::spawn(|| (0..=ROUNDS_OF_YIELDS).for_each(|_| fibra::yield_now())))
        .collect();
    fibra::yield_now(); // Now each fiber has its stack.
    let time = time(|| (0..ROUNDS_OF_YIELDS).for_each(|_| fibra::yield_now()));
    yielders.into_iter().for_each(|handle| handle.join().expect("it only yields"));
    time / ROUNDS_OF_YIELDS
}

fn time(work: impl FnOnce()) -> usize {
    let start = Instant::now();
    work();
    start.elapsed().as_nanos() as usize
}
