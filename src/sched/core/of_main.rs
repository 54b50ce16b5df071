//! Values that all fibers of a scheduler share, and that end with its main fiber.

use std::sync::atomic::AtomicU8;

use crate::fiber::locals;
use crate::sched::core::scheduler::current_fiber;

/// Returns a clone of the value that all fibers of the current scheduler share under the address of
/// `id`, and that `make` makes when it is first asked for. It belongs to the main fiber, and is
/// dropped there like a fiber-local: so it ends with `run`.
///
/// Neither `make` nor the clone may run user code or wait.
#[track_caller]
pub(crate) fn shared_by_all<T: Clone + 'static>(
    id: &'static AtomicU8,
    make: impl FnOnce() -> T,
) -> T {
    let current = current_fiber();
    let main = current.sched.main.get().unwrap_or(current.fiber);
    locals::kept_by(main, id, make)
}
