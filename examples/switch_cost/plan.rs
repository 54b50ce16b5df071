//! The plan of the measurements: groups of bars that stand side by side, and the work of each bar.
//!
//! Sizes are chosen so that a sample takes about 50 to 500 ms and the whole run about a minute. The
//! quick run has smaller sizes and fewer repetitions, and leaves out a million tasks.
//!
//! The same work of the same contender may be part of several groups. It is then measured once, in
//! turn with the entries of all these groups: see [`Chart::is_measured_with_others`].

use crate::contenders::{self, Contender};
use crate::workloads::Workload;

/// The time that the run may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// About ten seconds: rough figures.
    Quick,
    /// About a minute.
    Full,
}

/// The unit of a group's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Nanoseconds,
    Bytes,
}

/// The chart that a group is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chart {
    /// Switches without a scheduler beside fibra's.
    Floor,
    /// One point of the curve over the number of tasks.
    Yield {
        tasks: u64,
    },
    Depth,
    SpawnJoin,
    Rendezvous,
    Buffered,
    Memory,
}

impl Chart {
    /// Returns whether another chart has some of the same bars. All such charts are measured
    /// together, so that a quantity has one value on the whole page.
    pub(crate) fn is_measured_with_others(self) -> bool {
        matches!(self, Self::Floor | Self::Yield { tasks: 100 } | Self::Depth)
    }
}

/// Measurements that are taken in turn and compared with each other.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) chart: Chart,
    pub(crate) title: String,
    pub(crate) unit: Unit,
    pub(crate) repetitions: usize,
    pub(crate) entries: Vec<Entry>,
}

/// One bar.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) label: String,
    pub(crate) contender: Contender,
    pub(crate) workload: Workload,
}

impl Entry {
    /// Returns whether both are the same work of the same contender.
    pub(crate) fn measures_the_same(&self, other: &Entry) -> bool {
        self.contender.name == other.contender.name && self.workload == other.workload
    }
}

/// Returns all groups, in the order in which they are shown.
pub(crate) fn groups(effort: Effort) -> Vec<Group> {
    let plan = Plan { effort };
    let mut groups = vec![plan.floor()];
    let crowds = [1, 100, 1_000, 10_000, 30_000, 100_000, 1_000_000];
    groups.extend(crowds.map(|tasks| plan.yields(tasks)));
    groups.extend([
        plan.depth(),
        plan.spawn_join(),
        plan.rendezvous(),
        plan.buffered(),
        plan.memory(),
    ]);
    groups
        .retain(|group| effort == Effort::Full || group.chart != Chart::Yield { tasks: 1_000_000 });
    groups
}

struct Plan {
    effort: Effort,
}

impl Plan {
    fn floor(&self) -> Group {
        let (tasks, rounds) = (1, self.scaled(5_000_000));
        let (one, deep) =
            (Workload::Yield { tasks, rounds }, Workload::YieldDeep { tasks, rounds });
        let deep_boxed = Workload::YieldDeepBoxed { tasks, rounds };
        let hundred = Workload::Yield { tasks: 100, rounds: self.scaled(1_000_000) / 100 };
        let crowd = Workload::Yield { tasks: 100, rounds: rounds / 100 };
        self.group(
            Chart::Floor,
            "the floor: one switch there and back, without a scheduler".to_owned(),
            vec![
                entry("raw corosensei, 1 coroutine", contenders::RAW_COROSENSEI, one),
                entry("raw corosensei, 100 coroutines", contenders::RAW_COROSENSEI, crowd),
                entry("future polled by hand, 1 deep", contenders::HAND_FUTURE, one),
                entry("future polled by hand, 10 deep", contenders::HAND_FUTURE, deep),
                entry("… with 10 boxed calls", contenders::HAND_FUTURE, deep_boxed),
                entry("fibra, 100 fibers, scheduled", contenders::FIBRA, hundred),
            ],
        )
    }

    fn yields(&self, tasks: u64) -> Group {
        // At least five rounds, so that the first one is a small part.
        let rounds = (self.scaled(1_000_000) / tasks).max(5);
        let workload = Workload::Yield { tasks, rounds };
        let title = match tasks {
            1 => "yield, 1 task".to_owned(),
            _ => format!("yield, {} tasks", grouped(tasks)),
        };
        let mut group = self.group(Chart::Yield { tasks }, title, all_contenders(workload));
        if 100_000 <= tasks {
            group.repetitions = group.repetitions.min(3);
        }
        group
    }

    fn depth(&self) -> Group {
        let (tasks, rounds) = (100, self.scaled(1_000_000) / 100);
        let flat = Workload::Yield { tasks, rounds };
        let deep = Workload::YieldDeep { tasks, rounds };
        let boxed = Workload::YieldDeepBoxed { tasks, rounds };
        self.group(
            Chart::Depth,
            "yield of 100 tasks, suspended 10 calls deep".to_owned(),
            vec![
                entry("fibra, not nested", contenders::FIBRA, flat),
                entry("fibra, 10 calls deep", contenders::FIBRA, deep),
                entry("tokio, not nested", contenders::TOKIO, flat),
                entry("tokio, 10 deep", contenders::TOKIO, deep),
                entry("tokio, 10 deep, boxed", contenders::TOKIO, boxed),
                entry("async-executor, not nested", contenders::ASYNC_EXECUTOR, flat),
                entry("async-executor, 10 deep", contenders::ASYNC_EXECUTOR, deep),
                entry("async-executor, 10 deep, boxed", contenders::ASYNC_EXECUTOR, boxed),
                entry("may, not nested", contenders::MAY, flat),
                entry("may, 10 calls deep", contenders::MAY, deep),
            ],
        )
    }

    fn spawn_join(&self) -> Group {
        let workload = Workload::SpawnJoin { tasks: self.scaled(200_000) };
        let threads = Workload::SpawnJoin { tasks: self.scaled(5_000) };
        let mut entries = all_contenders(workload);
        entries.push(entry("thread", contenders::STD_THREADS, threads));
        self.group(Chart::SpawnJoin, "spawn and join one task".to_owned(), entries)
    }

    fn rendezvous(&self) -> Group {
        let workload = Workload::Rendezvous { messages: self.scaled(500_000) };
        let threads = Workload::Rendezvous { messages: self.scaled(20_000) };
        let mut entries = all_contenders(workload);
        entries.push(entry("thread", contenders::STD_THREADS, threads));
        self.group(Chart::Rendezvous, "one message of a ping-pong".to_owned(), entries)
    }

    fn buffered(&self) -> Group {
        let workload = Workload::Buffered { messages: self.scaled(2_000_000), capacity: 128 };
        let mut entries = all_contenders(workload);
        entries.push(entry("thread", contenders::STD_THREADS, workload));
        let title = "one message through a queue of 128".to_owned();
        self.group(Chart::Buffered, title, entries)
    }

    fn memory(&self) -> Group {
        let mut entries = all_contenders(Workload::Parked { tasks: self.scaled(100_000) });
        for entry in &mut entries {
            if entry.contender.name == contenders::MAY.name {
                entry.workload = Workload::Parked { tasks: 10_000 };
            }
        }
        let threads = Workload::Parked { tasks: 1_000 };
        entries.push(entry("thread", contenders::STD_THREADS, threads));
        let title = "memory of one waiting task".to_owned();
        let group = self.group(Chart::Memory, title, entries);
        Group { unit: Unit::Bytes, repetitions: group.repetitions.min(3), ..group }
    }

    fn group(&self, chart: Chart, title: String, entries: Vec<Entry>) -> Group {
        let repetitions = match self.effort {
            Effort::Quick => 3,
            Effort::Full => 7,
        };
        Group { chart, title, unit: Unit::Nanoseconds, repetitions, entries }
    }

    fn scaled(&self, work: u64) -> u64 {
        match self.effort {
            Effort::Quick => work / 5,
            Effort::Full => work,
        }
    }
}

/// Returns an entry for each contender that has a scheduler and one thread.
fn all_contenders(workload: Workload) -> Vec<Entry> {
    vec![
        entry("fibra", contenders::FIBRA, workload),
        entry("tokio", contenders::TOKIO, workload),
        entry("async-executor", contenders::ASYNC_EXECUTOR, workload),
        entry("may", contenders::MAY, workload),
    ]
}

fn entry(label: &str, contender: Contender, workload: Workload) -> Entry {
    Entry { label: label.to_owned(), contender, workload }
}

/// Writes a number with separated thousands: `1,000,000`.
pub(crate) fn grouped(n: u64) -> String {
    match n {
        0..1_000 => n.to_string(),
        _ => format!("{},{:03}", grouped(n / 1_000), n % 1_000),
    }
}
