//! The line of one fiber in a dump.

#![forbid(unsafe_code)]

use std::fmt;
use std::panic::Location;
use std::time::Duration;

use crate::fiber::snapshot::{Activity, FiberSnapshot};
use crate::fiber::waits_for::WaitsFor;

/// The most things for which a fiber waits that its line shows.
const LISTED: usize = 3;

/// What the line of a fiber says about its spawn.
#[derive(Copy, Clone)]
pub(crate) enum Origin<'a> {
    /// The place and the parent. A parent of another scheduler is named by the index of that one in
    /// this list.
    Full(&'a [u32]),
    /// The place: the parent is shown otherwise.
    Place,
}

impl fmt::Display for FiberSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, Origin::Full(&[]))
    }
}

impl FiberSnapshot {
    /// Writes its line.
    pub(crate) fn write(&self, f: &mut fmt::Formatter<'_>, origin: Origin<'_>) -> fmt::Result {
        f.write_str(&self.title())?;
        self.write_activity(f)?;
        if self.kill_pending {
            f.write_str(", killed")?;
        }
        if self.parent.is_none() && self.is_main() {
            return Ok(());
        }
        match self.activity {
            // Its spawn place is written already.
            Activity::NotStarted => {}
            Activity::Running | Activity::Runnable if !self.has_waited => {}
            _ if self.location == self.spawned_at => f.write_str(", spawned there")?,
            _ => write!(f, ", spawned at {}", self.spawned_at)?,
        }
        self.write_parent(f, origin)
    }

    /// Writes what the fiber does, and where: " is parked at src/main.rs:3:5 for 2s".
    fn write_activity(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.activity {
            Activity::NotStarted => write!(f, " has not run yet, spawned at {}", self.location),
            Activity::Running => write!(f, " runs, {} at {}", self.past(), self.location),
            Activity::Runnable => write!(f, " can run, {} at {}", self.past(), self.location),
            Activity::Waiting(text) => {
                write!(f, " is {text}")?;
                self.write_targets(f)?;
                write!(f, " at {}", Place(self.location))?;
                if let Some(waiting_for) = self.waiting_for.filter(|&time| is_worth_it(time)) {
                    write!(f, " for {waiting_for:?}")?;
                }
                match self.ends_in.filter(|&time| is_worth_it(time)) {
                    Some(left) => write!(f, ", {:?} left", whole_millis(left)),
                    None => Ok(()),
                }
            }
            Activity::Abandoned => {
                write!(f, " refused to end and was abandoned at {}", self.location)
            }
        }
    }

    /// Writes what the fiber waits for.
    fn write_targets(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(holder) = &self.held_by {
            write!(f, " held by {holder}")?;
        }
        match &self.waits_for[..] {
            [WaitsFor::Channel(place)] => return write!(f, " (made at {place})"),
            [WaitsFor::Fiber { id, name: Some(name) }] => return write!(f, " ('{name}' {id})"),
            [WaitsFor::Fiber { id, name: None }] => return write!(f, " ({id})"),
            _ => {}
        }
        for (i, target) in self.waits_for.iter().take(LISTED).enumerate() {
            write!(f, "{}{target}", if i == 0 { " (" } else { "; " })?;
        }
        match self.waits_for.len() {
            0 => Ok(()),
            n if LISTED < n => write!(f, "; and {} more)", n - LISTED),
            _ => f.write_str(")"),
        }
    }

    /// Writes which fiber has spawned it.
    pub(crate) fn write_parent(
        &self,
        f: &mut fmt::Formatter<'_>,
        origin: Origin<'_>,
    ) -> fmt::Result {
        let Origin::Full(schedulers) = origin else { return Ok(()) };
        let Some(parent) = self.parent else { return f.write_str(" from outside") };
        write!(f, " by {parent}")?;
        if parent.scheduler == self.id.scheduler {
            return Ok(());
        }
        match schedulers.iter().position(|&number| number == parent.scheduler) {
            Some(index) => write!(f, " of scheduler {index}"),
            None => f.write_str(" of another scheduler"),
        }
    }

    /// Returns what its location is, if it does not wait.
    pub(crate) fn past(&self) -> &'static str {
        if self.has_waited { "last waited" } else { "spawned" }
    }

    /// Returns the fiber's name and number: "fiber 'writer' (#3)".
    pub(crate) fn title(&self) -> String {
        match &self.name {
            Some(name) => format!("fiber '{name}' ({})", self.id),
            None => format!("fiber {}", self.id),
        }
    }

    /// Returns whether it is the main fiber of its scheduler.
    fn is_main(&self) -> bool {
        self.id.number() == 1
    }
}

/// A place in a source. That of std is shown without the folder in which std was built. (A wait in
/// generic code of std, such as `BufReader::read_line`, has a place in std, because std does not
/// pass its caller on.)
pub(crate) struct Place(pub(crate) &'static Location<'static>);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.0.file();
        let of_std = ["library/std/src/", "library/core/src/", "library/alloc/src/"];
        let shown = of_std.iter().find_map(|start| file.find(start)).map_or(file, |at| &file[at..]);
        write!(f, "{shown}:{}:{}", self.0.line(), self.0.column())
    }
}

/// Returns whether a time is long enough to be shown.
pub(crate) fn is_worth_it(time: Duration) -> bool {
    Duration::from_millis(1) <= time
}

/// Returns `time` without what is less than a millisecond, which only lengthens a line.
fn whole_millis(time: Duration) -> Duration {
    time - Duration::from_nanos(u64::from(time.subsec_nanos() % 1_000_000))
}
