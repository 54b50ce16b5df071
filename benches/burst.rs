//! Bursts: many tasks that live at the same time, spawned, ended and joined, again and again; time
//! per task, of the first burst and of later ones.
//!
//! The first burst pays for memory that the process has not had before. Later ones show what a
//! runtime keeps, and stand for servers whose load comes in waves. Criterion measures one number at
//! a time, so this is a plain program. Each sample is taken in a process of its own; contenders
//! take turns, and ratios are computed within a round. `benches/README.md` defines the region.
//!
//! ```text
//! cargo bench --bench burst                             1,000, 10,000 and 100,000 tasks, 7 rounds
//! cargo bench --bench burst -- --rounds 15 100000       other rounds, other numbers of tasks
//! ```

#![allow(clippy::disallowed_methods, reason = "measures time by itself")]

use std::env;
use std::process::Command;
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Instant;

use async_executor::LocalExecutor;
use futures_lite::future;

/// The first argument of a process that takes one sample.
const CHILD: &str = "--sample";

/// The most coroutines of may: two mappings each.
const MOST_OF_MAY: u64 = 10_000;

/// A name, and a function that makes bursts of that many tasks and returns the nanoseconds of each.
type Contender = (&'static str, fn(u64, u64) -> Vec<u64>);

/// The second one is the one to which the others are compared.
const CONTENDERS: [Contender; 5] = [
    ("fibra", fibra_bursts),
    ("tokio current_thread", tokio_bursts),
    ("fibra, 1,024 idle", limited_bursts),
    ("async-executor", executor_bursts),
    ("may, one worker", may_bursts),
];
const REFERENCE: usize = 1;

/// Nanoseconds per task: of the first burst, and the median of the later ones.
#[derive(Copy, Clone)]
struct Sample {
    first: f64,
    later: f64,
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [CHILD, contender, tasks] => take_sample(number(contender) as usize, number(tasks)),
        ["--test"] => measure(1, &[1_000]),
        [] => measure(7, &[1_000, 10_000, 100_000]),
        ["--rounds", rounds] => measure(number(rounds), &[1_000, 10_000, 100_000]),
        ["--rounds", rounds, ref sizes @ ..] => measure(number(rounds), &numbers(sizes)),
        ref sizes => measure(7, &numbers(sizes)),
    }
}

fn number(word: &str) -> u64 {
    word.parse().unwrap_or_else(|_| panic!("expected a number, not '{word}'"))
}

fn numbers(words: &[&str]) -> Vec<u64> {
    words.iter().map(|word| number(word)).collect()
}

fn measure(rounds: u64, sizes: &[u64]) {
    for &tasks in sizes {
        let mut taken = vec![Vec::new(); CONTENDERS.len()];
        for round in 0..rounds as usize {
            for turn in 0..CONTENDERS.len() {
                let i = (round + turn) % CONTENDERS.len();
                if CONTENDERS[i].0.starts_with("may") && MOST_OF_MAY < tasks {
                    continue;
                }
                taken[i].push(sample_in_child(i, tasks));
            }
        }
        report(tasks, &taken);
    }
}

fn report(tasks: u64, taken: &[Vec<Sample>]) {
    let rounds = taken[REFERENCE].len();
    println!(
        "\nbursts of {tasks} tasks; ns per task, and that divided by tokio's: \
         median (lowest .. highest) of {rounds} processes"
    );
    for (column, of) in [("first", first as fn(&Sample) -> f64), ("later", later)] {
        for ((name, _), samples) in CONTENDERS.iter().zip(taken) {
            if samples.is_empty() {
                println!("{column:>6}  {name:<21} out of memory maps at the default limit");
                continue;
            }
            let pairs = || samples.iter().zip(&taken[REFERENCE]);
            let [low, cost, high] = spread(samples.iter().map(of).collect());
            let [least, ratio, most] =
                spread(pairs().map(|(sample, tokio)| of(sample) / of(tokio)).collect());
            println!(
                "{column:>6}  {name:<21} {cost:>6.0}   ({low:.0} .. {high:.0})   \
                 {ratio:>5.2}   ({least:.2} .. {most:.2})"
            );
        }
    }
}

fn first(sample: &Sample) -> f64 {
    sample.first
}

fn later(sample: &Sample) -> f64 {
    sample.later
}

/// Returns the lowest, the median and the highest.
fn spread(mut numbers: Vec<f64>) -> [f64; 3] {
    numbers.sort_unstable_by(f64::total_cmp);
    [0, numbers.len() / 2, numbers.len() - 1].map(|i| numbers[i])
}

fn sample_in_child(contender: usize, tasks: u64) -> Sample {
    let this = env::current_exe().expect("this program has a path");
    let mut child = Command::new(this);
    child.args([CHILD, &contender.to_string(), &tasks.to_string()]);
    let output = child.output().expect("this program can be run again");
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let [first, later] = numbers[..] else { panic!("{text}\n{stderr}") };
    assert!(output.status.success(), "{stderr}");
    Sample { first, later }
}

/// Takes one sample and prints it.
fn take_sample(contender: usize, tasks: u64) {
    let bursts = 1 + (400_000 / tasks).clamp(4, 400);
    let costs = CONTENDERS[contender].1(bursts, tasks);
    assert_eq!(costs.len() as u64, bursts);
    let each = |nanos: u64| nanos as f64 / tasks as f64;
    let [_, later, _] = spread(costs[1..].iter().copied().map(each).collect());
    println!("{} {later}", each(costs[0]));
}

/// Asserts that the sum of all tasks' answers is that of the numbers below `tasks`.
fn check(sum: u64, tasks: u64) {
    assert_eq!(sum, tasks * (tasks - 1) / 2);
}

fn fibra_bursts(bursts: u64, tasks: u64) -> Vec<u64> {
    fibra::run(|| fibra_bursts_here(bursts, tasks))
}

/// At most 1,024 unused stacks are kept, so that most stacks of a large burst are cold.
fn limited_bursts(bursts: u64, tasks: u64) -> Vec<u64> {
    let builder = fibra::Runtime::builder().max_idle_stacks(1_024);
    builder.build().expect("a first stack").run(|| fibra_bursts_here(bursts, tasks))
}

fn fibra_bursts_here(bursts: u64, tasks: u64) -> Vec<u64> {
    let burst = |_| {
        let start = Instant::now();
        let spawn = |id| {
            fibra::spawn(move || {
                fibra::yield_now();
                id
            })
        };
        let handles: Vec<_> = (0..tasks).map(spawn).collect();
        check(handles.into_iter().map(|handle| handle.join().expect("no panic")).sum(), tasks);
        start.elapsed().as_nanos() as u64
    };
    (0..bursts).map(burst).collect()
}

/// The `current_thread` runtime without drivers; everything in a spawned task.
fn tokio_bursts(bursts: u64, tasks: u64) -> Vec<u64> {
    let work = async move {
        let mut costs = Vec::new();
        for _ in 0..bursts {
            let start = Instant::now();
            let spawn = |id| {
                tokio::spawn(async move {
                    tokio::task::yield_now().await;
                    id
                })
            };
            let handles: Vec<_> = (0..tasks).map(spawn).collect();
            let mut sum = 0;
            for handle in handles {
                sum += handle.await.expect("no panic");
            }
            check(sum, tasks);
            costs.push(start.elapsed().as_nanos() as u64);
        }
        costs
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async { tokio::spawn(work).await.expect("no panic") })
}

/// A `LocalExecutor`, driven by `tick`.
fn executor_bursts(bursts: u64, tasks: u64) -> Vec<u64> {
    let executor = Rc::new(LocalExecutor::new());
    let spawner = executor.clone();
    let root = executor.spawn(async move {
        let mut costs = Vec::new();
        for _ in 0..bursts {
            let start = Instant::now();
            let spawn = |id| {
                spawner.spawn(async move {
                    future::yield_now().await;
                    id
                })
            };
            let handles: Vec<_> = (0..tasks).map(spawn).collect();
            let mut sum = 0;
            for handle in handles {
                sum += handle.await;
            }
            check(sum, tasks);
            costs.push(start.elapsed().as_nanos() as u64);
        }
        costs
    });
    future::block_on(async {
        while !root.is_finished() {
            executor.tick().await;
        }
        root.await
    })
}

/// One worker, and a pool that can hold every coroutine.
fn may_bursts(bursts: u64, tasks: u64) -> Vec<u64> {
    may::config().set_workers(1).set_pool_capacity(MOST_OF_MAY as usize + 100);
    let (sender, costs) = mpsc::channel();
    may::go!(move || {
        for _ in 0..bursts {
            let start = Instant::now();
            let spawn = |id| {
                may::go!(move || {
                    may::coroutine::yield_now();
                    id
                })
            };
            let handles: Vec<_> = (0..tasks).map(spawn).collect();
            check(handles.into_iter().map(|handle| handle.join().expect("no panic")).sum(), tasks);
            sender.send(start.elapsed().as_nanos() as u64).expect("the other end is alive");
        }
    });
    costs.iter().collect()
}
