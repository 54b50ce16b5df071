//! The reports of hogs on standard error, and how often one is written.
//!
//! Invariant: a process writes up to [`MOST`] reports in a row, and then one per [`INTERVAL`]. The
//! next report has the number of those that were left out.

#![forbid(unsafe_code)]

use std::fmt::Write;
use std::fs;
use std::time::{Duration, Instant};

use crate::fiber::report::say;
use crate::watchdog::advice::advice;
use crate::watchdog::sample::{NoSample, RunningFiber, Sample};
use crate::watchdog::trace::{self, Trace};

/// The number of reports that are written in a row.
const MOST: u32 = 5;

/// The time after which one more report may be written.
const INTERVAL: Duration = Duration::from_secs(12);

/// The number of reports that may be written now.
#[derive(Debug)]
pub(super) struct Allowance {
    used: u32,
    /// The number of holds that were not reported since the last report.
    left_out: u64,
    /// When `used` was last lowered, if it is not 0.
    since: Option<Instant>,
}

impl Allowance {
    pub(super) const fn new() -> Allowance {
        Allowance { used: 0, left_out: 0, since: None }
    }

    /// Takes the right to write one report. Returns the number of holds that were left out before,
    /// or `None` if this one is left out, too.
    pub(super) fn take(&mut self, now: Instant) -> Option<u64> {
        let since = *self.since.get_or_insert(now);
        let passed = now.saturating_duration_since(since).as_secs() / INTERVAL.as_secs();
        if let Ok(passed @ 1..) = u32::try_from(passed) {
            self.used = self.used.saturating_sub(passed);
            self.since = Some(now);
        }
        if self.used == MOST {
            self.left_out += 1;
            return None;
        }
        self.used += 1;
        Some(std::mem::take(&mut self.left_out))
    }

    /// Gives back the right that was taken last, with its number.
    pub(super) fn give_back(&mut self, left_out: u64) {
        self.used = self.used.saturating_sub(1);
        self.left_out += left_out;
    }
}

/// Returns whether a debugger is attached to this process. It stops threads, so that fibers seem to
/// hold them.
pub(super) fn is_debugged() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"));
    tracer.is_some_and(|tracer| tracer.trim() != "0")
}

/// A hold that is reported.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) sample: Result<Sample, NoSample>,
    /// The time for which the fiber has held its scheduler.
    pub(super) held: Duration,
    /// The number of holds that were not reported since the last report.
    pub(super) left_out: u64,
}

impl Report {
    /// Writes it. That may take a second, because the names of functions are looked up.
    pub(super) fn write(&self) {
        let mut text = match &self.sample {
            Ok(sample) => headline(sample.fiber.as_ref(), self.held),
            Err(_) => headline(None, self.held),
        };
        match &self.sample {
            Ok(sample) => match trace::read(sample) {
                Ok(trace) if prints_a_panic(&trace) => return,
                Ok(trace) => write_trace(&trace, &mut text),
                Err(reason) => _ = write!(text, "\n  (no stack: {reason})"),
            },
            Err(NoSample::NoAnswer) => {
                text.push_str("\n  (no stack: the thread does not answer signals)");
            }
            Err(NoSample::Refused(error)) => _ = write!(text, "\n  (no stack: {error})"),
        }
        let left_out = self.left_out;
        if left_out != 0 {
            let plural = if left_out == 1 { "" } else { "s" };
            let _ =
                write!(text, "\n  ({left_out} other hold{plural} not reported before this one)");
        }
        say(format_args!("{text}"));
    }
}

fn headline(fiber: Option<&RunningFiber>, held: Duration) -> String {
    let millis = held.as_millis();
    let title = fiber.map_or_else(|| "a fiber".to_string(), RunningFiber::title);
    let mut text =
        format!("hog: {title} has held its thread for {millis} ms without a wait or a yield");
    if let Some(fiber) = fiber {
        let _ = write!(text, "\n  {}", fiber.place());
    }
    text
}

/// Appends lines with the stack of `sample`, and with what to call in place of a function that
/// blocks. There is no line break at the end.
pub(super) fn describe(sample: &Sample, text: &mut String) {
    match trace::read(sample) {
        Ok(trace) => write_trace(&trace, text),
        Err(reason) => _ = write!(text, "\n  (no stack: {reason})"),
    }
}

fn write_trace(trace: &Trace, text: &mut String) {
    text.push_str("\n  now it runs:");
    for line in trace.lines.lines() {
        let _ = write!(text, "\n    {line}");
    }
    if let Some(advice) = advice(trace.functions.iter().map(String::as_str)) {
        let _ = write!(text, "\n  {advice}");
    }
}

/// Returns whether the thread prints the message of a panic. With a backtrace, that takes a second
/// in a large program, and the fiber can do nothing about it.
fn prints_a_panic(trace: &Trace) -> bool {
    let is_printing = |name: &String| name.starts_with("std::sys::backtrace::_print_fmt");
    trace.functions.iter().any(is_printing)
}

impl RunningFiber {
    /// Returns the fiber's name and number: "fiber 'writer' (#3)".
    pub(crate) fn title(&self) -> String {
        match &self.name {
            Some(name) => format!("fiber '{name}' ({})", self.id),
            None => format!("fiber {}", self.id),
        }
    }

    /// Returns the place where it was before it held its thread: "it last waited at ...".
    pub(crate) fn place(&self) -> String {
        let past = if self.has_waited { "last waited" } else { "was spawned" };
        format!("it {past} at {}", self.location)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::sched::time::clock::{Clock, RealClock};

    #[test]
    fn a_few_reports_are_allowed_and_then_one_per_interval() {
        let start = RealClock.now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut allowance = Allowance::new();
        let taken: Vec<_> = (0..7).map(|_| allowance.take(at(0))).collect();
        assert_eq!(taken, [Some(0), Some(0), Some(0), Some(0), Some(0), None, None]);
        assert_eq!(allowance.take(at(11)), None);
        assert_eq!(allowance.take(at(12)), Some(3));
        assert_eq!(allowance.take(at(12)), None);
        allowance.give_back(2);
        assert_eq!(allowance.take(at(13)), Some(3));
        let later: Vec<_> = (0..6).map(|_| allowance.take(at(5_000)).is_some()).collect();
        assert_eq!(later, [true, true, true, true, true, false]);
    }
}
