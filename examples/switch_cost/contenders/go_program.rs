//! Go, on one thread (`GOMAXPROCS=1`): a program of its own, which `benches/peers/switch_cost.sh`
//! builds where a Go is installed.
//!
//! The program times itself, so its start is not measured. It warms itself up: the small run that
//! precedes a sample is another process here, and does not.

use super::{Cannot, Sample};
use crate::workloads::Workload;
use std::env;
use std::path::PathBuf;
use std::process::Command;

/// Returns whether the program has been built.
pub(crate) fn is_built() -> bool {
    program().is_some_and(|program| program.exists())
}

pub(crate) fn run(workload: Workload) -> Result<Sample, Cannot> {
    let program = program().filter(|program| program.exists());
    let program = program.ok_or("benches/peers/switch_cost.sh builds it")?;
    let output = Command::new(program)
        .args(workload.to_words())
        .output()
        .map_err(|_| "the program in Go cannot be started")?;
    assert!(output.status.success(), "Go: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    match text.split_whitespace().map(str::parse).collect::<Result<Vec<u64>, _>>().as_deref() {
        Ok(&[cost, answer]) => Ok(Sample { cost, answer }),
        _ => Err(super::NOT_APPLICABLE),
    }
}

/// Returns the path of the program: `tmp/switch-cost-peers/switch_cost_go` in the target folder,
/// two folders above that of this program.
fn program() -> Option<PathBuf> {
    let this = env::current_exe().ok()?;
    let target = this.ancestors().nth(3)?;
    Some(target.join("tmp/switch-cost-peers/switch_cost_go"))
}
