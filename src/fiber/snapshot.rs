//! Snapshots of fibers for people: dumps and deadlock reports.
//!
//! All data in this file is a copy. Taking a snapshot runs no user code and changes nothing.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use crate::fiber::brief::Brief;
use crate::fiber::dump_tree::{FEW, Tree};
use crate::fiber::id::FiberId;
use crate::fiber::snapshot_text::Origin;
#[cfg(feature = "diagnostics")]
use crate::fiber::stack_groups;
use crate::fiber::waits_for::WaitsFor;
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
    /// The native stack of the fiber, in a dump with stacks
    /// ([`dump_with_stacks`](crate::dump_with_stacks)).
    #[cfg(feature = "diagnostics")]
    pub stack: Option<StackTrace>,
}

/// The activity of a fiber.
#[derive(Copy, Clone, Debug, Eq, Hash, PartialEq)]
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

/// All fibers of a scheduler at one moment, in the order in which they were spawned.
///
/// Its `Display` is one line per fiber, without a line break at the end. If there are more than 20
/// fibers it is a [tree](Dump::tree): each fiber is indented below the one that spawned it,
/// siblings that were spawned at the same place and wait at the same place share a line, and the
/// number of lines is bounded.
/// In a dump with stacks, the fibers are grouped by equal stacks instead.
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

impl Dump {
    /// Returns the dump as a tree, however few fibers there are.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     for _ in 0..10 {
    ///         fibra::spawn(fibra::park);
    ///     }
    ///     fibra::yield_now(); // they wait now
    ///     let text = fibra::dump().tree().to_string();
    ///     assert_eq!(text.lines().count(), 2);
    ///     assert!(text.contains("\n    10 fibers (#2 to #11) are parked at "), "{text}");
    /// });
    /// ```
    #[must_use]
    pub fn tree(&self) -> impl fmt::Display + '_ {
        Text { dump: self, schedulers: &[], few: 0 }
    }
}

impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Text { dump: self, schedulers: &[], few: FEW }.fmt(f)
    }
}

/// The text of a dump.
pub(crate) struct Text<'a> {
    pub(crate) dump: &'a Dump,
    /// The numbers of the schedulers of the runtime, in the order of their indices, if known.
    pub(crate) schedulers: &'a [u32],
    /// The number of fibers up to which each has a line, in the order of their spawns.
    pub(crate) few: usize,
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_fibers(f)?;
        let dump = self.dump;
        if dump.left_out != 0 {
            write!(f, "\n  and {} more", dump.left_out)?;
        }
        match dump.other_schedulers {
            0 => Ok(()),
            1 => f.write_str("\n  (`Handle::dump` also shows the other scheduler)"),
            n => write!(f, "\n  (`Handle::dump` also shows the {n} other schedulers)"),
        }
    }
}

impl Text<'_> {
    fn write_fibers(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Text { dump, schedulers, few } = *self;
        #[cfg(feature = "diagnostics")]
        if few != 0 && stack_groups::are_walked(&dump.fibers) {
            return stack_groups::write(f, &dump.fibers);
        }
        if few < dump.fibers.len() {
            return fmt::Display::fmt(&Tree { fibers: &dump.fibers, schedulers }, f);
        }
        for (i, fiber) in dump.fibers.iter().enumerate() {
            f.write_str(if i == 0 { "  " } else { "\n  " })?;
            fiber.write(f, Origin::Full(schedulers))?;
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
