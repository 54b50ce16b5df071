//! The work that every contender does, and the answer that each must return.
//!
//! A workload is plain data: a kind of work and its amount. It knows the number of operations and
//! the answer of a correct run. So a contender that skips work, loses a message or does not switch
//! fails the run instead of winning it.

use std::fmt;

/// The number of calls above the wait in the deep workloads.
pub(crate) const DEPTH: u64 = 10;

/// The numbers of calls between the wait and the loop of a task in the returning workloads.
pub(crate) const RETURNING_DEPTHS: [u64; 4] = [0, 1, 5, 20];

/// The number of children of each inner node of a skynet tree.
pub(crate) const FAN_OUT: u64 = 10;

/// A kind and an amount of work. `benches/README.md` describes the measured region of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workload {
    /// `tasks` tasks yield to each other, each of them `rounds` times.
    Yield { tasks: u64, rounds: u64 },
    /// The same, suspended [`DEPTH`] calls deep. Futures nest as plain `async fn` calls do.
    YieldDeep { tasks: u64, rounds: u64 },
    /// The same with every `async fn` call boxed, as recursion and `dyn` traits require.
    YieldDeepBoxed { tasks: u64, rounds: u64 },
    /// The same with each wait under `depth` calls, all of which return before the next wait.
    /// Futures box each call, as recursion and `dyn` traits require.
    YieldReturning { tasks: u64, rounds: u64, depth: u64 },
    /// The same for futures, with plain `async fn` calls.
    YieldReturningPlain { tasks: u64, rounds: u64, depth: u64 },
    /// A task is spawned and joined, `tasks` times, one after another.
    SpawnJoin { tasks: u64 },
    /// Two tasks exchange `messages` messages; each waits for the other's answer.
    Rendezvous { messages: u64 },
    /// Half of `tasks` tasks play ping-pong with the other half: `rounds` times all of the first
    /// half send and wait for the answer. All tasks run before the first of them sends again.
    Pairs { tasks: u64, rounds: u64 },
    /// One task sends `messages` messages to another through a queue that holds `capacity`.
    Buffered { messages: u64, capacity: u64 },
    /// A tree of tasks with `leaves` leaves, each child run before its parent continues.
    SkynetDepthFirst { leaves: u64 },
    /// A tree of tasks with `leaves` leaves, each parent spawning all its children first.
    SkynetBreadthFirst { leaves: u64 },
    /// `tasks` tasks are spawned, each of which yields once, so that all live at the same time;
    /// then all are joined. The first time in a process, whose memory is new.
    FirstBurst { tasks: u64 },
    /// The same, `bursts` times in a row. A burst that is not counted comes before.
    LaterBursts { tasks: u64, bursts: u64 },
    /// `tasks` tasks wait, with almost no state of their own. The cost is bytes, not nanoseconds.
    Parked { tasks: u64 },
}

impl Workload {
    /// Returns the number of operations by which the cost is divided: switches, tasks or messages.
    pub(crate) fn operations(self) -> u64 {
        match self {
            Self::Yield { tasks, rounds }
            | Self::YieldDeep { tasks, rounds }
            | Self::YieldDeepBoxed { tasks, rounds }
            | Self::YieldReturning { tasks, rounds, .. }
            | Self::YieldReturningPlain { tasks, rounds, .. }
            // A message there and its answer, for each of the pairs.
            | Self::Pairs { tasks, rounds } => tasks * rounds,
            Self::SpawnJoin { tasks } | Self::Parked { tasks } | Self::FirstBurst { tasks } => {
                tasks
            }
            Self::LaterBursts { tasks, bursts } => tasks * bursts,
            Self::Rendezvous { messages } | Self::Buffered { messages, .. } => messages,
            Self::SkynetDepthFirst { leaves } | Self::SkynetBreadthFirst { leaves } => {
                skynet_tasks(leaves)
            }
        }
    }

    /// Returns the answer of a correct run.
    pub(crate) fn answer(self) -> u64 {
        match self {
            Self::Yield { tasks, rounds } => yield_answer(tasks, rounds),
            Self::YieldDeep { tasks, rounds } | Self::YieldDeepBoxed { tasks, rounds } => {
                yield_answer(tasks, rounds) + tasks * DEPTH
            }
            Self::YieldReturning { tasks, rounds, depth }
            | Self::YieldReturningPlain { tasks, rounds, depth } => {
                yield_answer(tasks, rounds) + tasks * rounds * depth
            }
            Self::SpawnJoin { tasks } | Self::FirstBurst { tasks } => sum_below(tasks),
            Self::LaterBursts { tasks, bursts } => bursts * sum_below(tasks),
            // Each side adds one to the ball of its pair.
            Self::Pairs { tasks, rounds } => tasks * rounds,
            // Each side adds one to the ball.
            Self::Rendezvous { messages } => messages,
            Self::Buffered { messages, .. } => sum_below(messages),
            Self::SkynetDepthFirst { leaves } | Self::SkynetBreadthFirst { leaves } => {
                sum_below(leaves)
            }
            Self::Parked { tasks } => tasks,
        }
    }

    /// Returns a smaller amount of the same work. It is run once before the measured run, so that
    /// the code is paged in, caches of stacks are filled and the processor has left its idle
    /// frequency.
    pub(crate) fn warm_up(self) -> Self {
        let tasks_and_rounds = |tasks: u64| (tasks.min(1_000), (200_000 / tasks.max(1)).max(1));
        match self {
            Self::Yield { tasks, .. } => {
                let (tasks, rounds) = tasks_and_rounds(tasks);
                Self::Yield { tasks, rounds }
            }
            Self::YieldDeep { tasks, .. } => {
                let (tasks, rounds) = tasks_and_rounds(tasks);
                Self::YieldDeep { tasks, rounds }
            }
            Self::YieldDeepBoxed { tasks, .. } => {
                let (tasks, rounds) = tasks_and_rounds(tasks);
                Self::YieldDeepBoxed { tasks, rounds }
            }
            Self::YieldReturning { tasks, depth, .. } => {
                let (tasks, rounds) = tasks_and_rounds(tasks);
                Self::YieldReturning { tasks, rounds, depth }
            }
            Self::YieldReturningPlain { tasks, depth, .. } => {
                let (tasks, rounds) = tasks_and_rounds(tasks);
                Self::YieldReturningPlain { tasks, rounds, depth }
            }
            Self::Pairs { tasks, .. } => {
                let (tasks, rounds) = tasks_and_rounds(tasks);
                Self::Pairs { tasks, rounds }
            }
            Self::SpawnJoin { tasks } => Self::SpawnJoin { tasks: tasks / 10 },
            Self::Rendezvous { messages } => Self::Rendezvous { messages: messages / 20 * 2 },
            Self::Buffered { messages, capacity } => {
                Self::Buffered { messages: messages / 10, capacity }
            }
            Self::SkynetDepthFirst { leaves } => Self::SkynetDepthFirst { leaves: leaves / 10 },
            Self::SkynetBreadthFirst { leaves } => Self::SkynetBreadthFirst { leaves: leaves / 10 },
            // Memory and first bursts are measured in a process that has done nothing else, and
            // later bursts begin with one that is not counted.
            Self::Parked { .. } | Self::FirstBurst { .. } | Self::LaterBursts { .. } => self,
        }
    }

    /// Writes the workload as a word and three numbers, the form in which a child process gets it.
    pub(crate) fn to_words(self) -> [String; 4] {
        let (name, a, b) = match self {
            Self::YieldReturning { tasks, rounds, .. } => ("yield-returning", tasks, rounds),
            Self::YieldReturningPlain { tasks, rounds, .. } => {
                ("yield-returning-plain", tasks, rounds)
            }
            Self::Pairs { tasks, rounds } => ("pairs", tasks, rounds),
            Self::FirstBurst { tasks } => ("first-burst", tasks, 0),
            Self::LaterBursts { tasks, bursts } => ("later-bursts", tasks, bursts),
            Self::Yield { tasks, rounds } => ("yield", tasks, rounds),
            Self::YieldDeep { tasks, rounds } => ("yield-deep", tasks, rounds),
            Self::YieldDeepBoxed { tasks, rounds } => ("yield-deep-boxed", tasks, rounds),
            Self::SpawnJoin { tasks } => ("spawn-join", tasks, 0),
            Self::Rendezvous { messages } => ("rendezvous", messages, 0),
            Self::Buffered { messages, capacity } => ("buffered", messages, capacity),
            Self::SkynetDepthFirst { leaves } => ("skynet-depth-first", leaves, 0),
            Self::SkynetBreadthFirst { leaves } => ("skynet-breadth-first", leaves, 0),
            Self::Parked { tasks } => ("parked", tasks, 0),
        };
        let c = match self {
            Self::YieldReturning { depth, .. } | Self::YieldReturningPlain { depth, .. } => depth,
            _ => 0,
        };
        [name.to_owned(), a.to_string(), b.to_string(), c.to_string()]
    }

    /// Reads what [`Workload::to_words`] wrote.
    pub(crate) fn from_words(words: &[String]) -> Option<Self> {
        let [name, a, b, c] = words else { return None };
        let (a, b, c) = (a.parse().ok()?, b.parse().ok()?, c.parse().ok()?);
        Some(match name.as_str() {
            "yield" => Self::Yield { tasks: a, rounds: b },
            "yield-deep" => Self::YieldDeep { tasks: a, rounds: b },
            "yield-deep-boxed" => Self::YieldDeepBoxed { tasks: a, rounds: b },
            "yield-returning" => Self::YieldReturning { tasks: a, rounds: b, depth: c },
            "yield-returning-plain" => Self::YieldReturningPlain { tasks: a, rounds: b, depth: c },
            "pairs" => Self::Pairs { tasks: a, rounds: b },
            "first-burst" => Self::FirstBurst { tasks: a },
            "later-bursts" => Self::LaterBursts { tasks: a, bursts: b },
            "spawn-join" => Self::SpawnJoin { tasks: a },
            "rendezvous" => Self::Rendezvous { messages: a },
            "buffered" => Self::Buffered { messages: a, capacity: b },
            "skynet-depth-first" => Self::SkynetDepthFirst { leaves: a },
            "skynet-breadth-first" => Self::SkynetBreadthFirst { leaves: a },
            "parked" => Self::Parked { tasks: a },
            _ => return None,
        })
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_words().join(" "))
    }
}

/// Returns the sum over all tasks and rounds of the task's number and the round's.
fn yield_answer(tasks: u64, rounds: u64) -> u64 {
    rounds * sum_below(tasks) + tasks * sum_below(rounds)
}

/// Returns 0 + 1 + … + (n − 1).
fn sum_below(n: u64) -> u64 {
    n * n.saturating_sub(1) / 2
}

/// Returns the number of nodes of a skynet tree, its root included.
fn skynet_tasks(leaves: u64) -> u64 {
    match leaves {
        0 => 0,
        1 => 1,
        _ => leaves + skynet_tasks(leaves / FAN_OUT),
    }
}
