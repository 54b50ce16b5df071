//! Dumps with the native stacks of the fibers.

use crate::fiber::snapshot::Dump;
use crate::fiber::walk::Walker;
use crate::sched::core::scheduler::{Scheduler, current_fiber};
use crate::sched::deadlock::dump;

/// Returns a snapshot of every fiber of this thread's scheduler like [`dump`](crate::dump()), with
/// the native stack of each fiber that has one.
///
/// The `Display` of the result groups fibers with equal stacks. It shows up to five fibers per
/// group, and of each stack the frames of the program; `{:#}` shows all fibers and all frames. For
/// all schedulers of a runtime, see
/// [`Handle::dump_with_stacks`](crate::Handle::dump_with_stacks).
///
/// The fibers are not disturbed: each goes on waiting, in the same order and with the same time
/// limits. No code of theirs runs. A walk takes a few microseconds per fiber, and names are looked
/// up only when the dump is printed, once for each group. A fiber has no stack before its first
/// turn, and none is shown of an abandoned fiber, or of one that has less than 3 KiB of its stack
/// left.
///
/// # Panics
///
/// Panics outside of a fiber.
///
/// # Examples
///
/// ```
/// fn wait_for_work() {
///     fibra::park();
/// }
///
/// fibra::run(|| {
///     for _ in 0..3 {
///         fibra::spawn(wait_for_work);
///     }
///     fibra::yield_now();
///     let dump = fibra::dump_with_stacks();
///     println!("{dump}");
///     // 3 fibers with this stack:
///     //   fiber #2 is parked at src/main.rs:2:5
///     //   ...
///     //     service::wait_for_work at src/main.rs:2
///     # assert_eq!(dump.fibers[1].stack, dump.fibers[2].stack);
///     # assert!(dump.to_string().contains("3 fibers with this stack:"));
///     # assert!(dump.to_string().contains("::wait_for_work"));
/// });
/// ```
#[must_use]
#[track_caller]
pub fn dump_with_stacks() -> Dump {
    let sched = current_fiber().sched;
    let mut dump = dump::dump();
    add(&sched, &mut dump);
    dump
}

/// Adds the stacks of the fibers of `sched`, the scheduler of this thread, to a dump of them.
pub(crate) fn add(sched: &Scheduler, dump: &mut Dump) {
    let Some(walker) = Walker::new() else { return };
    // Both lists are in the order in which the fibers were spawned.
    let fibers = sched.fibers_where(|_| true);
    let mut fibers = fibers.iter();
    for snapshot in &mut dump.fibers {
        let fiber = fibers.find(|fiber| fiber.id() == snapshot.id);
        snapshot.stack = fiber.and_then(|fiber| walker.walk(fiber.ptr()));
    }
}
