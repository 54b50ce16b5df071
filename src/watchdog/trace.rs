//! The stack of a sample as a trace with names.

#![forbid(unsafe_code)]

use crate::watchdog::sample::Sample;

#[cfg(all(
    feature = "diagnostics",
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
pub(crate) use with_names::read;

#[cfg(not(all(
    feature = "diagnostics",
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
pub(crate) use without_names::read;

/// The stack of a sample, as text.
#[derive(Debug)]
pub(crate) struct Trace {
    /// One line per frame, the innermost first.
    pub(crate) lines: String,
    /// The names of the functions, the innermost first, as far as they are known.
    pub(crate) functions: Vec<String>,
}

#[cfg(all(
    feature = "diagnostics",
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod with_names {
    use super::{Sample, Trace};
    use crate::stack_trace::StackTrace;
    use crate::watchdog::walk;

    /// Returns the trace of `sample`.
    ///
    /// # Errors
    ///
    /// Returns the reason if there is none.
    pub(crate) fn read(sample: &Sample) -> Result<Trace, &'static str> {
        let addresses = walk::addresses(sample)?;
        let trace = without_root(StackTrace::from_addresses(addresses));
        let functions = trace.frames().iter().filter_map(|frame| frame.function.clone());
        Ok(Trace { lines: trace.to_string(), functions: functions.collect() })
    }

    /// Cuts off the code with which a coroutine begins, and what follows. Its unwind table leads to
    /// the stack below, which was not copied.
    fn without_root(trace: StackTrace) -> StackTrace {
        let is_root = |name: &str| name == "stack_init_trampoline";
        let root = trace.frames().iter().find(|it| it.function.as_deref().is_some_and(is_root));
        let Some(root) = root.map(|frame| frame.address) else { return trace };
        let inner = trace.addresses().iter().take_while(|address| **address != root);
        StackTrace::from_addresses(inner.copied().collect())
    }
}

#[cfg(not(all(
    feature = "diagnostics",
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
mod without_names {
    use super::{Sample, Trace};

    /// Returns the reason why there is no trace.
    pub(crate) fn read(_: &Sample) -> Result<Trace, &'static str> {
        Err(if cfg!(feature = "diagnostics") {
            "stacks of running fibers can be read on Linux, on x86-64 and AArch64"
        } else {
            "it needs the feature `diagnostics` of fibra"
        })
    }
}
