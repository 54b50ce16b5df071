//! The workloads, their sizes, and the answers by which every run is checked.

use std::hint::black_box;
use std::time::Instant;

/// The children of a node of the tree.
pub(crate) const FAN_OUT: u64 = 10;

/// What a contender does once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workload {
    /// A task per node of a tree; leaves return their number, nodes the sum of their children.
    Skynet { leaves: u64 },
    /// [`compute`] for each of the items, and the sum of the results.
    Map { items: u64, steps: u64 },
    /// A plain thread spawns jobs, each of which counts itself, and waits for the last.
    FromOutside { jobs: u64 },
    /// Pairs of tasks, each of which passes a ball to and fro. The two tasks of a pair are on
    /// different threads, if the contender lets its user choose.
    PingPong { pairs: u64, messages: u64 },
    /// Like [`Workload::PingPong`] with one pair, each thread bound to a processor.
    Pinned { messages: u64 },
    /// A task spawns jobs, a hundred at a time, and joins them.
    FanIn { jobs: u64 },
}

/// The number of jobs that [`Workload::FanIn`] has in flight.
pub(crate) const FAN: u64 = 100;

/// A workload with its name, its title and its answer.
pub(crate) struct Point {
    pub(crate) name: &'static str,
    pub(crate) title: String,
    pub(crate) workload: Workload,
    pub(crate) answer: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    Full,
    Quick,
    Test,
}

impl Size {
    fn of(self, full: u64, quick: u64, test: u64) -> u64 {
        match self {
            Size::Full => full,
            Size::Quick => quick,
            Size::Test => test,
        }
    }
}

pub(crate) fn points(size: Size) -> Vec<Point> {
    let per_second = steps_per_second();
    let steps = |microseconds: f64| ((per_second * microseconds / 1e6) as u64).max(1);
    let mut points = vec![
        point(
            "skynet",
            "skynet: a tree of tasks, ns per task",
            Workload::Skynet { leaves: size.of(1_000_000, 100_000, 1_000) },
        ),
        point(
            "map-16us",
            "map over items of 16 µs, ns per item",
            Workload::Map { items: size.of(20_000, 5_000, 50), steps: steps(16.0) },
        ),
        point(
            "map-1.6us",
            "map over items of 1.6 µs, ns per item",
            Workload::Map { items: size.of(200_000, 50_000, 500), steps: steps(1.6) },
        ),
        point(
            "outside",
            "jobs that a plain thread spawns, ns per job",
            Workload::FromOutside { jobs: size.of(500_000, 100_000, 1_000) },
        ),
        point(
            "pinned",
            "one pair, each thread bound to a processor, ns per message",
            Workload::Pinned { messages: size.of(200_000, 50_000, 200) },
        ),
    ];
    points.extend([1, 10, 100, 1_000].map(|pairs| {
        let messages = (size.of(400_000, 100_000, 2_000) / pairs).max(2) / 2 * 2;
        let mut point = point(
            "pairs",
            "pairs that pass a ball to and fro, ns per message",
            Workload::PingPong { pairs, messages },
        );
        point.title = format!("{}: {pairs}", point.title);
        point
    }));
    points.push(point(
        "fan-in",
        "jobs whose results a task joins, a hundred at a time, ns per job",
        Workload::FanIn { jobs: size.of(1_000_000, 100_000, 1_000) },
    ));
    points
}

fn point(name: &'static str, title: &str, workload: Workload) -> Point {
    Point { name, title: title.into(), workload, answer: workload.answer() }
}

impl Workload {
    /// Returns the number of operations by which the time is divided.
    pub(crate) fn operations(self) -> u64 {
        match self {
            Workload::Skynet { leaves } => {
                std::iter::successors(Some(leaves), |n| Some(n / FAN_OUT))
                    .take_while(|n| 0 < *n)
                    .sum()
            }
            Workload::Map { items, .. } => items,
            Workload::FromOutside { jobs } | Workload::FanIn { jobs } => jobs,
            Workload::PingPong { pairs, messages } => pairs * messages,
            Workload::Pinned { messages } => messages,
        }
    }

    /// Returns what every contender must answer.
    pub(crate) fn answer(self) -> u64 {
        match self {
            Workload::Skynet { leaves: n }
            | Workload::FromOutside { jobs: n }
            | Workload::FanIn { jobs: n } => n * (n - 1) / 2,
            Workload::Map { items, steps } => {
                (0..items).fold(0, |sum: u64, item| sum.wrapping_add(compute(item, steps)))
            }
            Workload::PingPong { pairs, messages } => pairs * messages,
            Workload::Pinned { messages } => messages,
        }
    }

    /// Returns a small run, which warms the stacks, the caches and the threads of a contender.
    pub(crate) fn warm_up(self) -> Workload {
        match self {
            Workload::Skynet { leaves } => Workload::Skynet { leaves: leaves.min(1_000) },
            Workload::Map { items, steps } => Workload::Map { items: items.min(200), steps },
            Workload::FromOutside { jobs } => Workload::FromOutside { jobs: jobs.min(1_000) },
            Workload::PingPong { pairs, messages } => {
                Workload::PingPong { pairs, messages: messages.min(20) }
            }
            Workload::Pinned { messages } => Workload::Pinned { messages: messages.min(200) },
            Workload::FanIn { jobs } => Workload::FanIn { jobs: jobs.min(1_000) },
        }
    }

    /// Returns the words by which a process of its own is asked for the workload.
    pub(crate) fn to_words(self) -> Vec<String> {
        let (name, first, second) = match self {
            Workload::Skynet { leaves } => ("skynet", leaves, 0),
            Workload::Map { items, steps } => ("map", items, steps),
            Workload::FromOutside { jobs } => ("outside", jobs, 0),
            Workload::PingPong { pairs, messages } => ("pairs", pairs, messages),
            Workload::Pinned { messages } => ("pinned", messages, 0),
            Workload::FanIn { jobs } => ("fan-in", jobs, 0),
        };
        vec![name.into(), first.to_string(), second.to_string()]
    }

    pub(crate) fn from_words(words: &[String]) -> Option<Workload> {
        let [name, first, second] = words else { return None };
        let (first, second) = (first.parse().ok()?, second.parse().ok()?);
        match name.as_str() {
            "skynet" => Some(Workload::Skynet { leaves: first }),
            "map" => Some(Workload::Map { items: first, steps: second }),
            "outside" => Some(Workload::FromOutside { jobs: first }),
            "pairs" => Some(Workload::PingPong { pairs: first, messages: second }),
            "pinned" => Some(Workload::Pinned { messages: first }),
            "fan-in" => Some(Workload::FanIn { jobs: first }),
            _ => None,
        }
    }
}

/// The work of an item: a chain of `steps` multiplications, which no compiler can shorten. The
/// peer in Go has the same.
#[inline(never)]
pub(crate) fn compute(item: u64, steps: u64) -> u64 {
    let mut x = item;
    for _ in 0..steps {
        x = (x ^ (x >> 29)).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(item);
    }
    x
}

/// Measures [`compute`] on this machine: the fastest of several runs.
fn steps_per_second() -> f64 {
    const STEPS: u64 = 2_000_000;
    let time = |seed| {
        let start = Instant::now();
        black_box(compute(black_box(seed), STEPS));
        start.elapsed()
    };
    let fastest = (0..8).map(time).min().expect("eight runs");
    STEPS as f64 / fastest.as_secs_f64()
}
