//! Snapshots of fibers for people: dumps and deadlock reports.
//!
//! All data in this file is a copy. Taking a snapshot runs no user code and changes nothing.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use crate::fiber::brief::Brief;
use crate::fiber::id::FiberId;
use crate::fiber::waits_for::WaitsFor;

/// The state of one fiber when the snapshot was taken.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct FiberSnapshot {
    /// The identity of the fiber.
    pub id: FiberId,
    /// The name of the fiber, if it has one.
    pub name: Option<Arc<str>>,
    /// The activity of the fiber.
    pub activity: Activity,
    /// Whether the fiber was killed and has not ended so far: it will unwind at its next wait, or
    /// when it leaves its shield.
    pub kill_pending: bool,
    /// The things for which the fiber waits, as far as they are known: several in a `select!`.
    pub waits_for: Vec<WaitsFor>,
    /// The holder of the lock that the fiber waits for, if it is known: "fiber 'writer' (#3)".
    pub held_by: Option<String>,
    /// The place where the fiber waits or last waited; before its first wait, where it was spawned.
    pub location: &'static Location<'static>,
    /// The place where the fiber was spawned.
    pub spawned_at: &'static Location<'static>,
    /// The fiber that spawned it, which may have ended. `None` for a main fiber, and for a job that
    /// was spawned outside of all fibers.
    pub parent: Option<FiberId>,
    /// Whether the fiber has waited so far. A yield is not a wait.
    pub has_waited: bool,
    /// The time for which the fiber has been waiting, by the clock as read in the scheduler's last
    /// turns. `None` if it does not wait.
    pub waiting_for: Option<Duration>,
    /// The time after which its wait ends even if nothing else ends it: the rest of a sleep, or of
    /// the time limit of a call. `None` if there is no such time. (The limits of
    /// [`time::timeout`](crate::time::timeout) are not counted.)
    pub ends_in: Option<Duration>,
    /// The number of bytes of its stack that are in use; 0 before its first turn.
    pub stack_used: usize,
    /// The number of bytes that its stack can hold.
    pub stack_size: usize,
}

/// The activity of a fiber.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Activity {
    /// The fiber was spawned and has not run so far.
    NotStarted,
    /// The fiber runs: it is the caller.
    Running,
    /// The fiber is in the run ring, and will run when its turn comes.
    Runnable,
    /// The fiber waits. The text completes the sentence "it is ...".
    Waiting(&'static str),
    /// The fiber was killed, did not end and never runs again.
    Abandoned,
}

impl FiberSnapshot {
    /// Returns the fiber's name and number: "fiber 'writer' (#3)".
    pub(crate) fn title(&self) -> String {
        match &self.name {
            Some(name) => format!("fiber '{name}' ({})", self.id),
            None => format!("fiber {}", self.id),
        }
    }
}

impl fmt::Display for FiberSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title())?;
        self.write_activity(f)?;
        if self.kill_pending {
            f.write_str(", killed")?;
        }
        self.write_origin(f)
    }
}

impl FiberSnapshot {
    /// Writes what the fiber does, and where: " is parked at src/main.rs:3:5 for 2s".
    fn write_activity(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let past = if self.has_waited { "last waited" } else { "spawned" };
        match self.activity {
            Activity::NotStarted => write!(f, " has not run yet, spawned at {}", self.location),
            Activity::Running => write!(f, " runs, {past} at {}", self.location),
            Activity::Runnable => write!(f, " can run, {past} at {}", self.location),
            Activity::Waiting(text) => {
                write!(f, " is {text}")?;
                if let Some(holder) = &self.held_by {
                    write!(f, " held by {holder}")?;
                }
                for (i, target) in self.waits_for.iter().take(LISTED).enumerate() {
                    write!(f, "{}{target}", if i == 0 { " (" } else { "; " })?;
                }
                match self.waits_for.len() {
                    0 => {}
                    n if LISTED < n => write!(f, "; and {} more)", n - LISTED)?,
                    _ => f.write_str(")")?,
                }
                write!(f, " at {}", self.location)?;
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

    /// Writes where the fiber was spawned and by which one, unless it is a main fiber.
    fn write_origin(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = match self.parent {
            Some(parent) => format!("by {}", Parent { id: parent, child: self.id }),
            None if self.is_main() => return Ok(()),
            None => String::from("from outside"),
        };
        if !self.has_waited && !matches!(self.activity, Activity::Waiting(_)) {
            // Its spawn place is written already.
            write!(f, " {by}")
        } else if self.location == self.spawned_at {
            write!(f, ", spawned there {by}")
        } else {
            write!(f, ", spawned at {} {by}", self.spawned_at)
        }
    }

    /// Returns whether it is the main fiber of its scheduler.
    pub(crate) fn is_main(&self) -> bool {
        self.id.number() == 1
    }
}

/// The most things for which a fiber waits that its line shows.
const LISTED: usize = 3;

/// A fiber, as its child names it.
struct Parent {
    id: FiberId,
    child: FiberId,
}

impl fmt::Display for Parent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id.fmt(f)?;
        if self.id.scheduler == self.child.scheduler {
            Ok(())
        } else {
            f.write_str(" of another scheduler")
        }
    }
}

/// Returns whether a time is long enough to be shown.
fn is_worth_it(time: Duration) -> bool {
    Duration::from_millis(1) <= time
}

/// Returns `time` without what is less than a millisecond, which only lengthens a line.
fn whole_millis(time: Duration) -> Duration {
    time - Duration::from_nanos(u64::from(time.subsec_nanos() % 1_000_000))
}

/// All fibers of a scheduler at one moment, in the order in which they were spawned.
///
/// Its `Display` is one line per fiber, without a line break at the end.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Dump {
    /// The fibers, the oldest first. Long lists are cut: see `left_out`.
    pub fibers: Vec<FiberSnapshot>,
    /// The number of fibers that are not in the list.
    pub left_out: usize,
    /// The number of other schedulers of the runtime, whose fibers
    /// [`Handle::dump`](crate::Handle::dump) shows. It is 0 in reports of deadlocks.
    pub other_schedulers: usize,
}

impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fiber) in self.fibers.iter().enumerate() {
            write!(f, "{}  {fiber}", if i == 0 { "" } else { "\n" })?;
        }
        if self.left_out != 0 {
            write!(f, "\n  and {} more", self.left_out)?;
        }
        match self.other_schedulers {
            0 => {}
            1 => f.write_str("\n  (`Handle::dump` also shows the other scheduler)")?,
            n => write!(f, "\n  (`Handle::dump` also shows the {n} other schedulers)")?,
        }
        Ok(())
    }
}

/// The report of a deadlock: every fiber waits, and no timer, event or other thread can end any of
/// the waits. Or other fibers can still run, but the lock that one waits for is never released.
/// Its `Display` lists what each fiber waits for.
///
/// The wait that completes a deadlock fails with this report: with an error if the call returns a
/// `Result`, and otherwise with a panic of the same text. Its `Debug` is one line without the list,
/// because every `unwrap` prints the errors that hold it.
#[derive(Clone, Eq, PartialEq)]
pub struct Deadlock {
    /// Whether the end of a fiber completed it, and not a wait.
    pub(crate) by_end: bool,
    /// Whether other fibers can still run: those in the circle wait for locks of each other.
    pub(crate) others_live: bool,
    /// The fiber whose wait fails, as "fiber 'x' (#2)".
    pub(crate) victim: String,
    pub(crate) dump: Dump,
    pub(crate) cycle: Vec<String>,
}

impl Deadlock {
    /// Returns the list of all fibers, with what each was waiting for.
    #[must_use]
    pub fn dump(&self) -> &Dump {
        &self.dump
    }

    /// Returns the fibers of which each waits for a lock that the next one holds, and the last for
    /// a lock that the first holds. It is empty if the deadlock has another cause.
    #[must_use]
    pub fn cycle(&self) -> &[String] {
        &self.cycle
    }
}

impl fmt::Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.others_live {
            writeln!(
                f,
                "deadlock: the lock that {} waits for is never released (see \
                 `fibra::guide::pitfalls`); its wait fails:",
                self.victim
            )?;
            return self.rest(f);
        }
        let last = if self.by_end {
            "the last fiber that could run has ended"
        } else {
            "it was the last that could run"
        };
        writeln!(
            f,
            "deadlock: all fibers wait and nothing can wake one (see `fibra::guide::pitfalls`); \
             the wait of {} fails ({last}):",
            self.victim
        )?;
        self.rest(f)
    }
}

impl Deadlock {
    fn rest(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.dump)?;
        let Some(first) = self.cycle.first() else { return Ok(()) };
        write!(f, "\neach waits for a lock that the next one holds: ")?;
        self.cycle.iter().try_for_each(|fiber| write!(f, "{fiber} -> "))?;
        f.write_str(first)
    }
}

impl fmt::Debug for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fibers = self.dump.fibers.len() + self.dump.left_out;
        write!(f, "Deadlock {{ victim: {:?}, fibers: {fibers}, .. }}", Brief(&self.victim))
    }
}

impl std::error::Error for Deadlock {}
