//! The setting of a runtime for fibers that hold their scheduler for too long.

#![forbid(unsafe_code)]

use std::time::Duration;

use crate::runtime::RuntimeBuilder;
use crate::sched::core::scheduler::Scheduler;
use crate::watchdog::Limit;
use crate::watchdog::watch::Watched;

impl RuntimeBuilder {
    /// Sets the time for which a fiber may hold its thread without a wait or a yield: if one holds
    /// it for longer, that is reported on standard error. `Duration::ZERO` is no limit. The default
    /// is 100 ms in a build with debug assertions, and no limit in other builds; the environment
    /// variable `FIBRA_HOG_LIMIT` sets another default, in milliseconds, or `off`.
    ///
    /// While a fiber computes, or calls a function that blocks the thread, no other fiber of the
    /// scheduler runs. The report names the fiber and shows its native stack. If it blocks in a
    /// function of another crate that is known, the report tells what to use instead. Each hold is
    /// reported once, and a process writes five reports in a row, and then one every 12 seconds.
    /// `guide::diagnosis::hog` shows one.
    ///
    /// A thread of the process looks at the schedulers every quarter of the limit, and sleeps while
    /// all of them do. A switch runs the same instructions with and without it. Where a report is
    /// due, the thread of the scheduler gets the signal `SIGURG`, which by default has no effect; a
    /// handler of the program for it still gets the signals of others. System calls are restarted,
    /// except for those that never are, such as `poll`, which fail with
    /// [`Interrupted`](std::io::ErrorKind::Interrupted). Without the feature `diagnostics`, and on
    /// other systems than Linux on x86-64 and AArch64, the report has no stack.
    ///
    /// Closures of [`blocking`](crate::blocking()) run on other threads, and may take any time. A
    /// runtime with a virtual clock is not watched, and while a debugger is attached nothing is
    /// reported.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let runtime = fibra::Runtime::builder().hog_limit(Duration::from_millis(20)).build()?;
    /// runtime.run(|| {
    ///     # #[allow(clippy::disallowed_methods)]
    ///     std::thread::sleep(Duration::from_millis(100)); // meanwhile, on standard error:
    ///     // fibra: hog: fiber 'main' (#1) has held its thread for 20 ms without a wait or ...
    /// });
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias("watchdog", "slow_callback_duration", "blocked"))]
    pub fn hog_limit(mut self, limit: Duration) -> RuntimeBuilder {
        self.hog_limit = Limit::of(limit);
        self
    }
}

/// Lets other threads look at `scheduler`, and the watchdog, if there is a limit.
pub(super) fn watch(limit: Option<Duration>, scheduler: &Scheduler) {
    let _ = scheduler.watch.set(Box::new(Watched::new(limit)));
}
