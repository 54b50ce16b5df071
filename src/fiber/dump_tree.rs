//! The text of a dump with many fibers: a tree by parents, with one line for siblings that are
//! alike.
//!
//! ```text
//!   fiber 'main' (#1) is waiting for the fibers of its scope to end at src/main.rs:8:5
//!     fiber #2 is accepting a TCP connection at src/main.rs:9:30, spawned at src/main.rs:9:9
//!       20000 fibers (#3 to #20002) are receiving on a channel at src/main.rs:22:9, ...
//! ```
//!
//! Invariants:
//! - Each fiber is in one line, or is counted in the last one. The text has a bounded number of
//!   lines.
//! - Nothing here is recursive: fibers may be spawned in a chain of any length.

#![forbid(unsafe_code)]

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::panic::Location;

use crate::fiber::id::FiberId;
use crate::fiber::snapshot::{Activity, FiberSnapshot};
use crate::fiber::snapshot_text::{Origin, Place, is_worth_it};
use crate::fiber::waits_for::WaitsFor;

/// The number of fibers up to which a dump has one line for each, in the order of their spawns.
pub(crate) const FEW: usize = 20;

/// The most lines of a tree, and of the list of the largest groups after that.
const MOST_LINES: usize = 100;
const MOST_LARGEST: usize = 10;

/// The depth from which lines are not indented further.
const DEEPEST: usize = 12;

/// The fibers of one scheduler, written as a tree.
pub(crate) struct Tree<'a> {
    pub(crate) fibers: &'a [FiberSnapshot],
    /// The numbers of the schedulers of the runtime, in the order of their indices, if known.
    pub(crate) schedulers: &'a [u32],
}

/// Siblings that are alike, and what is alike in them.
struct Group<'a> {
    depth: usize,
    members: Vec<&'a FiberSnapshot>,
}

/// What fibers have in common that share a line. Names, peers and times may differ.
#[derive(Eq, Hash, PartialEq)]
struct Kind<'a> {
    spawned_at: &'static Location<'static>,
    location: &'static Location<'static>,
    activity: Activity,
    has_waited: bool,
    kill_pending: bool,
    held_by: Option<&'a str>,
    channel: Option<&'static Location<'static>>,
    has_parent: bool,
}

impl fmt::Display for Tree<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let children = self.children();
        let listed: HashSet<FiberId> = self.fibers.iter().map(|fiber| fiber.id).collect();
        let is_root =
            |fiber: &&FiberSnapshot| fiber.parent.is_none_or(|parent| !listed.contains(&parent));
        let mut waiting = grouped(self.fibers.iter().filter(is_root), 0);
        let (mut lines, mut rest) = (0, Vec::new());
        while let Some(group) = waiting.pop() {
            let below = group.members.iter().filter_map(|fiber| children.get(&fiber.id)).flatten();
            waiting.extend(grouped(below.copied(), group.depth + 1));
            if lines == MOST_LINES {
                rest.push(group);
                continue;
            }
            if lines != 0 {
                f.write_str("\n")?;
            }
            lines += 1;
            write!(f, "  {:1$}", "", 2 * group.depth.min(DEEPEST))?;
            group.write(f, self.schedulers)?;
        }
        self.write_rest(f, rest)
    }
}

impl<'a> Tree<'a> {
    /// Returns the fibers by their parents.
    fn children(&self) -> HashMap<FiberId, Vec<&'a FiberSnapshot>> {
        let mut children: HashMap<FiberId, Vec<&FiberSnapshot>> = HashMap::new();
        for fiber in self.fibers {
            if let Some(parent) = fiber.parent {
                children.entry(parent).or_default().push(fiber);
            }
        }
        children
    }

    /// Writes how many fibers have no line, and the largest groups of them.
    fn write_rest(&self, f: &mut fmt::Formatter<'_>, mut rest: Vec<Group<'_>>) -> fmt::Result {
        if rest.is_empty() {
            return Ok(());
        }
        let count: usize = rest.iter().map(|group| group.members.len()).sum();
        rest.sort_by_key(|group| std::cmp::Reverse(group.members.len()));
        let largest = rest.iter().take_while(|group| 1 < group.members.len()).take(MOST_LARGEST);
        let more = if largest.clone().next().is_some() { ", most of them:" } else { "" };
        write!(f, "\n  and {count} more{more}")?;
        for group in largest {
            f.write_str("\n    ")?;
            group.write(f, self.schedulers)?;
        }
        Ok(())
    }
}

/// Groups fibers that are alike, in the reverse order of the oldest fiber of each group.
fn grouped<'a>(fibers: impl Iterator<Item = &'a FiberSnapshot>, depth: usize) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut places: HashMap<Kind<'_>, usize> = HashMap::new();
    for fiber in fibers {
        match places.entry(Kind::of(fiber)) {
            Entry::Occupied(at) => groups[*at.get()].members.push(fiber),
            Entry::Vacant(at) => {
                at.insert(groups.len());
                groups.push(Group { depth, members: vec![fiber] });
            }
        }
    }
    groups.reverse();
    groups
}

impl<'a> Kind<'a> {
    fn of(fiber: &'a FiberSnapshot) -> Kind<'a> {
        let channel = match fiber.waits_for.first() {
            Some(WaitsFor::Channel(place)) => Some(*place),
            _ => None,
        };
        Kind {
            spawned_at: fiber.spawned_at,
            location: fiber.location,
            activity: fiber.activity,
            has_waited: fiber.has_waited,
            kill_pending: fiber.kill_pending,
            held_by: fiber.held_by.as_deref(),
            channel,
            has_parent: fiber.parent.is_some(),
        }
    }
}

impl Group<'_> {
    /// Writes its line.
    fn write(&self, f: &mut fmt::Formatter<'_>, schedulers: &[u32]) -> fmt::Result {
        let first = self.members[0];
        let is_root = self.depth == 0;
        let origin = if is_root { Origin::Full(schedulers) } else { Origin::Place };
        let [.., last] = self.members[..] else { return Ok(()) };
        if self.members.len() == 1 {
            return first.write(f, origin);
        }
        write!(f, "{} fibers ({} to {})", self.members.len(), Short(first), Short(last))?;
        match first.activity {
            Activity::NotStarted => write!(f, " have not run yet")?,
            Activity::Running => write!(f, " run, {} at {}", first.past(), first.location)?,
            Activity::Runnable => write!(f, " can run, {} at {}", first.past(), first.location)?,
            Activity::Waiting(text) => {
                write!(f, " are {text}")?;
                if let Some(holder) = &first.held_by {
                    write!(f, " held by {holder}")?;
                }
                if let Some(WaitsFor::Channel(place)) = first.waits_for.first() {
                    write!(f, " (made at {place})")?;
                }
                write!(f, " at {}", Place(first.location))?;
                let longest = self.members.iter().filter_map(|fiber| fiber.waiting_for).max();
                if let Some(longest) = longest.filter(|&time| is_worth_it(time)) {
                    write!(f, ", the longest for {longest:?}")?;
                }
            }
            Activity::Abandoned => {
                write!(f, " refused to end and were abandoned at {}", first.location)?;
            }
        }
        if first.kill_pending {
            f.write_str(", killed")?;
        }
        let is_ready = matches!(first.activity, Activity::Running | Activity::Runnable);
        if first.has_waited || !is_ready {
            write!(f, ", spawned at {}", first.spawned_at)?;
        }
        let parents: HashSet<_> = self.members.iter().map(|fiber| fiber.parent).collect();
        match parents.len() {
            1 => first.write_parent(f, origin),
            n if is_root => write!(f, " by {n} fibers"),
            _ => Ok(()),
        }
    }
}

/// The most characters of a name in a range.
const LONGEST_NAME: usize = 40;

/// A fiber, as one end of a range: "'writer' (#3)".
struct Short<'a>(&'a FiberSnapshot);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.name {
            Some(name) if LONGEST_NAME < name.chars().count() => {
                let start: String = name.chars().take(LONGEST_NAME).collect();
                write!(f, "'{start}'.. {}", self.0.id)
            }
            Some(name) => write!(f, "'{name}' {}", self.0.id),
            None => self.0.id.fmt(f),
        }
    }
}
