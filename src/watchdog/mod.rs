//! The thread that finds fibers which hold their scheduler for too long: hogs.
//!
//! ```text
//!   scheduler                      watchdog, one thread per process      standard error
//!   counts switches (it did   <--- looks every limit / 4: is the count
//!     before, too)                   unchanged since `limit`?
//!   sleeps, wakes -------------->  looks at no thread that sleeps, and
//!                                    sleeps while all of them do
//!   handler: copies registers <--- a signal to the thread
//!     and stack, returns ------->  walks the copy, names functions ----> report
//! ```
//!
//! - [`watch`]: the list of schedulers that are watched, and the thread.
//! - `hold`: how long a scheduler has made no switch, as plain data.
//! - [`sample`]: the signal, and all code that runs in its handler.
//! - `walk`: the frames of a sample, found with the unwind tables of the process.
//! - `trace`: the frames with their names.
//! - [`census`]: the fibers of all schedulers, for a thread that is none of theirs.
//! - `writer`: the thread that writes reports.
//! - `report`: the text, and how often one is written. `advice`: what to call instead.
//!
//! Invariants:
//! - A hold is reported once, and a process writes few reports per minute.
//! - The thread ends, and is joined, when the last scheduler that is watched has ended.
//! - A scheduler on a virtual clock is not watched, and a process with a debugger gets no reports.

mod advice;
pub(crate) mod census;
mod hold;
mod report;
pub(crate) mod sample;
mod settings;
pub(crate) mod trace;
#[cfg(all(
    feature = "diagnostics",
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod walk;
pub(crate) mod watch;
mod writer;

pub(crate) use settings::Limit;
