//! The contenders: one file per library, and the peer that `benches/peers/all_cores.sh` builds.
//!
//! Rules that keep the comparison fair:
//!
//! - Every contender runs in the fastest configuration that a user could choose, with the given
//!   number of threads. Each file names the choices.
//! - A sample is taken in a process of its own, after a small run in the same runtime.
//! - A run returns an answer that depends on all of its work.

mod fibra_runtime;
mod may_workers;
mod rayon_pool;
mod std_threads;
mod tokio_workers;

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::workloads::Workload;

pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) program: Program,
}

#[derive(Clone, Copy)]
pub(crate) enum Program {
    /// This program, which then does the workload on the given number of threads.
    Here(fn(Workload, usize) -> Result<Sample, Cannot>),
    /// A program in the folder of the peers.
    Peer(&'static str),
}

/// The outcome of one measured run.
pub(crate) struct Sample {
    pub(crate) nanoseconds: u64,
    /// To be compared with [`Workload::answer`].
    pub(crate) answer: u64,
}

/// The reason why a contender does not take part in a workload.
pub(crate) type Cannot = &'static str;

/// For a workload that makes no sense for a contender.
pub(crate) const NOT_APPLICABLE: Cannot = "does not apply";

/// The contender to which the others are compared.
pub(crate) const REFERENCE: &str = "fibra";

pub(crate) const ALL: &[Contender] = &[
    Contender { name: REFERENCE, program: Program::Here(fibra_runtime::run) },
    Contender { name: "fibra grouped", program: Program::Here(fibra_runtime::run_grouped) },
    Contender { name: "fibra par", program: Program::Here(fibra_runtime::run_par) },
    Contender { name: "tokio", program: Program::Here(tokio_workers::run) },
    Contender { name: "rayon", program: Program::Here(rayon_pool::run) },
    Contender { name: "may", program: Program::Here(may_workers::run) },
    Contender { name: "std threads", program: Program::Here(std_threads::run) },
    Contender { name: "crossbeam", program: Program::Here(std_threads::run_crossbeam) },
    Contender { name: "Go", program: Program::Peer("all_cores_go") },
];

/// Returns the path of a peer, if it has been built.
pub(crate) fn peer_path(file: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("all-cores-peers").join(file);
    path.exists().then_some(path)
}

/// Measures `work`.
fn time(work: impl FnOnce() -> u64) -> Sample {
    let start = Instant::now();
    let answer = work();
    Sample { nanoseconds: start.elapsed().as_nanos() as u64, answer }
}
