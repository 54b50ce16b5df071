//! Snapshots of fibers for people: dumps and deadlock reports.
//!
//! All data in this file is a copy. Taking a snapshot runs no user code and changes nothing.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use crate::fiber::brief::Brief;
use crate::fiber::id::FiberId;
#[cfg(feature = "diagnostics")]
use crate::fiber::stack_groups;
#[cfg(feature = "diagnostics")]
use crate::stack_trace::StackTrace;

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
    /// The holder of the lock that the fiber waits for, if it is known: "fiber 'writer' (#3)".
    pub held_by: Option<String>,
    /// The place where the fiber waits or last waited; before its first wait, where it was spawned.
    pub location: &'static Location<'static>,
    /// Whether the fiber has waited so far. A yield is not a wait.
    pub has_waited: bool,
    /// The time for which the fiber has been waiting, by the clock as read in the scheduler's last
    /// turns. `None` if it does not wait.
    pub waiting_for: Option<Duration>,
    /// The number of bytes of its stack that are in use; 0 before its first turn.
    pub stack_used: usize,
    /// The number of bytes that its stack can hold.
    pub stack_size: usize,
    /// The native stack of the fiber, in a dump with stacks
    /// ([`dump_with_stacks`](crate::dump_with_stacks)).
    #[cfg(feature = "diagnostics")]
    pub stack: Option<StackTrace>,
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
                write!(f, " at {}", self.location)?;
                let waiting_for = self.waiting_for.unwrap_or_default();
                if waiting_for < Duration::from_millis(1) {
                    return Ok(());
                }
                write!(f, " for {waiting_for:?}")
            }
            Activity::Abandoned => {
                write!(f, " refused to end and was abandoned at {}", self.location)
            }
        }
    }
}

/// All fibers of a scheduler at one moment, in the order in which they were spawned.
///
/// Its `Display` is one line per fiber, without a line break at the end. In a dump with stacks the
/// fibers are grouped by equal stacks.
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
        self.write_fibers(f)?;
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

impl Dump {
    fn write_fibers(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[cfg(feature = "diagnostics")]
        if stack_groups::are_walked(&self.fibers) {
            return stack_groups::write(f, &self.fibers);
        }
        for (i, fiber) in self.fibers.iter().enumerate() {
            write!(f, "{}  {fiber}", if i == 0 { "" } else { "\n" })?;
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
