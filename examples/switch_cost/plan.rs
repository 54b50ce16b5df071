//! The plan of the measurements: groups of bars that stand side by side, and the work of each bar.
//!
//! Sizes are chosen so that most samples take 50 to 500 ms and the whole run a few minutes. The
//! quick run has smaller sizes and fewer repetitions, and leaves out the largest numbers of tasks.
//!
//! The same work of the same contender may be part of several groups, so that a quantity has one
//! value on the whole page. It is then measured once, in turn with the entries of all these groups:
//! see [`parts`].

use crate::contenders::{self, Contender};
use crate::workloads::{RETURNING_DEPTHS, Workload};

/// The time that the run may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Half a minute: rough figures.
    Quick,
    /// Some minutes.
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
    /// One point of a curve.
    Point {
        curve: Curve,
        /// The number of tasks, or of calls.
        at: u64,
    },
    Depth,
    SpawnJoin,
    Rendezvous,
    Buffered,
    Memory,
}

/// A quantity that is drawn as a curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Curve {
    /// A yield, over the number of tasks.
    Yield,
    /// A yield, over the number of calls between the wait and the loop of the task.
    Returning,
    /// A task of a burst, over the number of tasks that live at the same time.
    Burst,
    /// A message of a ping-pong, over the number of tasks that play.
    Message,
    /// The memory of a waiting task, over their number.
    Parked,
}

impl Chart {
    /// The yields of `tasks` tasks.
    pub(crate) fn yields(tasks: u64) -> Self {
        Self::Point { curve: Curve::Yield, at: tasks }
    }

    /// Returns the number of tasks of a group that depends on it.
    pub(crate) fn tasks(self) -> Option<u64> {
        match self {
            Self::Point { curve: Curve::Returning, .. } => None,
            Self::Point { at, .. } => Some(at),
            _ => None,
        }
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
    groups.push(plan.depth());
    groups.extend(RETURNING_DEPTHS.map(|depth| plan.returning(depth)));
    groups.push(plan.spawn_join());
    groups.extend([1, 100, 1_000, 10_000, 100_000, 1_000_000].map(|tasks| plan.burst(tasks)));
    groups.push(plan.rendezvous());
    groups.extend([2, 100, 1_000, 10_000, 100_000, 1_000_000].map(|tasks| plan.messages(tasks)));
    groups.extend([plan.buffered(), plan.memory()]);
    groups.extend([100, 1_000, 10_000, 100_000, 1_000_000].map(|tasks| plan.parked(tasks)));
    let most = |chart: Chart| match (effort, chart) {
        (Effort::Full, _) => 1_000_000,
        (Effort::Quick, Chart::Point { curve: Curve::Yield, .. }) => 100_000,
        (Effort::Quick, _) => 10_000,
    };
    groups.retain(|group| group.chart.tasks().is_none_or(|tasks| tasks <= most(group.chart)));
    groups
}

/// Divides the groups into parts, by their indices: two groups that share an entry are in the same
/// part, and the entries of a part are measured in turn.
pub(crate) fn parts(groups: &[Group]) -> Vec<Vec<usize>> {
    let share = |a: &Group, b: &Group| {
        a.entries.iter().any(|entry| b.entries.iter().any(|other| entry.measures_the_same(other)))
    };
    let mut parts: Vec<Vec<usize>> = Vec::new();
    for (index, group) in groups.iter().enumerate() {
        let (with, without): (Vec<_>, Vec<_>) = parts
            .into_iter()
            .partition(|part: &Vec<usize>| part.iter().any(|&other| share(group, &groups[other])));
        parts = without;
        parts.push(with.into_iter().flatten().chain([index]).collect());
    }
    parts.sort();
    parts
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
        self.point(Curve::Yield, tasks, title, all_contenders(workload))
    }

    fn returning(&self, depth: u64) -> Group {
        let (tasks, rounds) = (100, self.scaled(1_000_000) / 100);
        let flat = Workload::Yield { tasks, rounds };
        let (deep, plain) = match depth {
            // The same work as that of the curve over the number of tasks, measured once.
            0 => (flat, flat),
            _ => (
                Workload::YieldReturning { tasks, rounds, depth },
                Workload::YieldReturningPlain { tasks, rounds, depth },
            ),
        };
        let raw = Workload::Yield { tasks, rounds: self.scaled(5_000_000) / 100 };
        let raw = if depth == 0 { raw } else { deep };
        let mut entries = vec![
            entry("fibra", contenders::FIBRA, deep),
            entry("raw corosensei", contenders::RAW_COROSENSEI, raw),
            entry("tokio, boxed", contenders::TOKIO, deep),
            entry("tokio, plain", contenders::TOKIO, plain),
            entry("async-executor, boxed", contenders::ASYNC_EXECUTOR, deep),
            entry("async-executor, plain", contenders::ASYNC_EXECUTOR, plain),
            entry("may", contenders::MAY, deep),
        ];
        entries.extend(contenders::go().map(|go| entry("Go", go, deep)));
        let title = match depth {
            0 => "yield of 100 tasks in their own loops".to_owned(),
            1 => "yield of 100 tasks under 1 call that returns".to_owned(),
            _ => format!("yield of 100 tasks under {depth} calls that return"),
        };
        self.group(Chart::Point { curve: Curve::Returning, at: depth }, title, entries)
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

    fn burst(&self, tasks: u64) -> Group {
        let bursts = (self.scaled(200_000) / tasks).max(2);
        let mut entries = all_contenders(Workload::LaterBursts { tasks, bursts });
        if 1_000 <= tasks {
            let first = Workload::FirstBurst { tasks };
            entries.insert(1, entry("fibra, first burst", contenders::FIBRA, first));
            entries.insert(3, entry("tokio, first burst", contenders::TOKIO, first));
        }
        let title = match tasks {
            1 => "a burst of 1 task".to_owned(),
            _ => format!("one task of a burst of {}", grouped(tasks)),
        };
        self.point(Curve::Burst, tasks, title, entries)
    }

    fn messages(&self, tasks: u64) -> Group {
        let rounds = (self.scaled(1_000_000) / tasks).max(5);
        let workload = match tasks {
            2 => self.ping_pong(),
            _ => Workload::Pairs { tasks, rounds },
        };
        let title = format!("one message among {} tasks in pairs", grouped(tasks));
        self.point(Curve::Message, tasks, title, all_contenders(workload))
    }

    fn parked(&self, tasks: u64) -> Group {
        let title = format!("memory of each of {} waiting tasks", grouped(tasks));
        let mut entries = all_contenders(Workload::Parked { tasks });
        // may maps its pool of stacks at its first use, however many of them are used.
        entries.retain(|entry| entry.contender.name != contenders::MAY.name);
        let group = self.point(Curve::Parked, tasks, title, entries);
        Group { unit: Unit::Bytes, repetitions: group.repetitions.min(3), ..group }
    }

    fn ping_pong(&self) -> Workload {
        Workload::Rendezvous { messages: self.scaled(500_000) }
    }

    fn rendezvous(&self) -> Group {
        let threads = Workload::Rendezvous { messages: self.scaled(20_000) };
        let mut entries = all_contenders(self.ping_pong());
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
        let tasks = if self.effort == Effort::Full { 100_000 } else { 10_000 };
        let mut entries = all_contenders(Workload::Parked { tasks });
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

    fn point(&self, curve: Curve, at: u64, title: String, entries: Vec<Entry>) -> Group {
        let mut group = self.group(Chart::Point { curve, at }, title, entries);
        if 100_000 <= at {
            group.repetitions = group.repetitions.min(3);
        }
        group
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
    let mut entries = vec![
        entry("fibra", contenders::FIBRA, workload),
        entry("tokio", contenders::TOKIO, workload),
        entry("async-executor", contenders::ASYNC_EXECUTOR, workload),
        entry("may", contenders::MAY, workload),
    ];
    entries.extend(contenders::go().map(|go| entry("Go", go, workload)));
    entries
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
