//! The contenders: one file each, the same function names in all of them.
//!
//! Rules that keep the comparison fair:
//!
//! - Every contender runs on one thread, in the fastest configuration that a user could choose.
//!   Each file names the choices that there were and how they were made.
//! - Tasks are spawned, and have run up to their first wait, before the clock starts.
//! - A run returns an answer that depends on all of its work. The caller compares it with
//!   [`Workload::answer`]; a wrong answer is a failed run, not a fast one.
//! - No result is hidden from the optimiser and none is thrown away: code that can be inlined in a
//!   user's program is inlined here.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the bans keep the library's layers apart; a benchmark reads the clock, starts threads \
              and switches by hand"
)]

mod async_executor;
mod fibra_fibers;
mod go_program;
mod hand_future;
mod may_one_worker;
mod nested;
mod raw_corosensei;
mod returning;
mod std_threads;
mod stopwatch;
mod tokio_current_thread;

use crate::workloads::Workload;
use std::io;

/// The kind of a contender's tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// fibra itself.
    Fibra,
    /// A stackless state machine, polled.
    Future,
    /// A stack of its own, without fibra: the bare switch, another library, a thread.
    OtherStack,
}

/// A library, or a loop written by hand, that can do workloads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Does the workload once, or returns in a few words why this contender cannot.
    pub(crate) run: fn(Workload) -> Result<Sample, Cannot>,
}

impl Contender {
    /// The CSS class that gives a bar or line its colour.
    pub(crate) fn class(&self) -> &'static str {
        match self.kind {
            Kind::Fibra => "fibra",
            Kind::Future if self.name == ASYNC_EXECUTOR.name => "second",
            Kind::Future => "future",
            Kind::OtherStack if self.name == GO.name => "third",
            Kind::OtherStack => "other",
        }
    }
}

/// The outcome of one measured run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    /// The cost of the measured region: nanoseconds, or bytes for [`Workload::Parked`].
    pub(crate) cost: u64,
    /// To be compared with [`Workload::answer`].
    pub(crate) answer: u64,
}

/// Why a contender does not take part in a workload.
pub(crate) type Cannot = &'static str;

/// For a workload that makes no sense for a contender.
const NOT_APPLICABLE: Cannot = "does not apply";

pub(crate) const FIBRA: Contender =
    Contender { name: "fibra", kind: Kind::Fibra, run: fibra_fibers::run };
pub(crate) const TOKIO: Contender =
    Contender { name: "tokio current_thread", kind: Kind::Future, run: tokio_current_thread::run };
pub(crate) const ASYNC_EXECUTOR: Contender =
    Contender { name: "async-executor", kind: Kind::Future, run: async_executor::run };
pub(crate) const HAND_FUTURE: Contender =
    Contender { name: "hand-polled future", kind: Kind::Future, run: hand_future::run };
pub(crate) const RAW_COROSENSEI: Contender =
    Contender { name: "raw corosensei", kind: Kind::OtherStack, run: raw_corosensei::run };
pub(crate) const MAY: Contender =
    Contender { name: "may, one worker", kind: Kind::OtherStack, run: may_one_worker::run };
pub(crate) const STD_THREADS: Contender =
    Contender { name: "std::thread", kind: Kind::OtherStack, run: std_threads::run };

/// Go, which takes part if its program has been built.
pub(crate) const GO: Contender =
    Contender { name: "Go", kind: Kind::OtherStack, run: go_program::run };

/// Returns Go if its program has been built.
pub(crate) fn go() -> Option<Contender> {
    go_program::is_built().then_some(GO)
}

/// Returns the contender with this name.
pub(crate) fn named(name: &str) -> Option<&'static Contender> {
    ALL.iter().chain([&GO]).find(|contender| contender.name == name)
}

/// Every contender of this program, in the order in which tables show them.
pub(crate) const ALL: &[Contender] =
    &[FIBRA, TOKIO, ASYNC_EXECUTOR, HAND_FUTURE, RAW_COROSENSEI, MAY, STD_THREADS];

/// Memory that this process really holds, page tables included, in bytes.
///
/// # Errors
///
/// Reads `/proc/self`, which only Linux has.
pub(crate) fn resident_bytes() -> io::Result<u64> {
    // Counted page by page. `VmRSS` of the other file lags behind by up to some hundred kilobytes.
    let pages = field(&std::fs::read_to_string("/proc/self/smaps_rollup")?, "Rss:");
    let tables = field(&std::fs::read_to_string("/proc/self/status")?, "VmPTE:");
    Ok((pages + tables) * 1024)
}

/// Returns the kilobytes in the line of `text` that begins with `name`.
fn field(text: &str, name: &str) -> u64 {
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    value.and_then(|value| value.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0)
}

/// Returns the memory that was taken since `before` was read, as a sample.
fn memory_sample(before: io::Result<u64>, answer: u64) -> Result<Sample, Cannot> {
    match (before, resident_bytes()) {
        (Ok(before), Ok(after)) => Ok(Sample { cost: after.saturating_sub(before), answer }),
        _ => Err("memory is read from /proc/self/status, which this system does not have"),
    }
}
