//! Support for the attacks on generators: child processes with limits on time and memory.

#![allow(clippy::disallowed_methods, reason = "children are spawned, and exit")]

use std::mem;
use std::process::{Command, Output};
use std::time::Duration;

use fibra::generator::{self, Yielder};

use crate::support::{DONE_LINE, output_in_time, stderr, this_program};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Runs `test` again in a process of its own, which calls `f`. The limit on processor time ends a
/// process that spins, the limit on address space a process that takes memory without end.
pub(crate) fn in_child(test: &str, limits: &str, f: impl FnOnce()) -> Output {
    const CHILD: &str = "FIBRA_ATTACK_CHILD";
    if std::env::var(CHILD).is_ok_and(|wanted| wanted == test) {
        f();
        eprint!("{DONE_LINE}");
        std::process::exit(0);
    }
    let script = format!("ulimit -c 0; ulimit -t 20; {limits} exec \"$0\" \"$@\"");
    let program = this_program();
    let mut child = Command::new("sh");
    child.args(["-c", &script]);
    child.arg(program.get_program()).args(program.get_args());
    child.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    child.env(CHILD, test).env_remove("RUST_BACKTRACE").env("FIBRA_HOG_LIMIT", "off");
    output_in_time(&mut child)
}

/// Checks that the child's body has ended. Returns the text that it wrote before that.
#[track_caller]
pub(crate) fn check_done(output: &Output) -> String {
    let text = stderr(output);
    assert!(output.status.success(), "{}: {text}", output.status);
    text.strip_suffix(DONE_LINE).unwrap_or_else(|| panic!("its body has not ended: {text}")).into()
}

/// Makes a generator and forgets its handle.
pub(crate) fn forget_after_first<Y: 'static, T: 'static>(
    f: impl FnOnce(&Yielder<Y>) -> T + 'static,
) {
    let mut forgotten = generator::iter(f);
    drop(forgotten.next());
    mem::forget(forgotten);
}
