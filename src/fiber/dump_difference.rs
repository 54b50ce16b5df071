//! The difference of two dumps: which kinds of fibers there are more of, or fewer.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::fmt;
use std::panic::Location;

use crate::fiber::snapshot::{Activity, FiberSnapshot};

/// The most changes that the text lists.
const MOST_LISTED: usize = 20;

/// What has changed between two dumps: see [`Dump::difference`](crate::Dump::difference).
///
/// Its `Display` has one line for each change, without a line break at the end.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct DumpDifference {
    /// The changes, that of the greatest growth first. Kinds of fibers whose number has not changed
    /// are not listed.
    pub changes: Vec<DumpChange>,
}

/// The number of fibers of one kind, before and after: those that were spawned at one place, and
/// that wait at one place, or are ready.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct DumpChange {
    /// The place where they were spawned.
    pub spawned_at: &'static Location<'static>,
    /// The activity of these fibers.
    pub activity: Activity,
    /// The place where they wait; where they were spawned, if they are ready.
    pub location: &'static Location<'static>,
    /// Their number in the first dump.
    pub before: usize,
    /// Their number in the second dump.
    pub after: usize,
}

type Kind = (&'static Location<'static>, Activity, &'static Location<'static>);

impl DumpDifference {
    /// Returns the difference between the fibers `before` and `after`.
    pub(crate) fn between<'a>(
        before: impl Iterator<Item = &'a FiberSnapshot>,
        after: impl Iterator<Item = &'a FiberSnapshot>,
    ) -> DumpDifference {
        let mut counts: HashMap<Kind, (usize, usize)> = HashMap::new();
        before.for_each(|fiber| counts.entry(kind(fiber)).or_default().0 += 1);
        after.for_each(|fiber| counts.entry(kind(fiber)).or_default().1 += 1);
        let changed = counts.into_iter().filter(|(_, (before, after))| before != after);
        let mut changes: Vec<_> = changed
            .map(|((spawned_at, activity, location), (before, after))| DumpChange {
                spawned_at,
                activity,
                location,
                before,
                after,
            })
            .collect();
        changes.sort_by_key(|change| (-change.growth(), change.spawned_at, change.location));
        DumpDifference { changes }
    }
}

fn kind(fiber: &FiberSnapshot) -> Kind {
    match fiber.activity {
        // One kind, wherever they last waited: which of them runs, or is about to, is chance.
        Activity::Running | Activity::Runnable => {
            (fiber.spawned_at, Activity::Runnable, fiber.spawned_at)
        }
        activity => (fiber.spawned_at, activity, fiber.location),
    }
}

impl DumpChange {
    /// Returns how many more there are in the second dump; less than 0 if there are fewer.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let before = fibra::dump();
    ///     (0..3).for_each(|_| fibra::spawn(fibra::park).detach());
    ///     fibra::yield_now(); // they wait now
    ///     let difference = fibra::dump().difference(&before);
    ///     assert_eq!(difference.changes[0].growth(), 3);
    /// });
    /// ```
    #[must_use]
    pub fn growth(&self) -> isize {
        self.after as isize - self.before as isize
    }
}

impl fmt::Display for DumpDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.changes.is_empty() {
            return f.write_str("no change");
        }
        for (i, change) in self.changes.iter().take(MOST_LISTED).enumerate() {
            write!(f, "{}{change}", if i == 0 { "" } else { "\n" })?;
        }
        match self.changes.len().saturating_sub(MOST_LISTED) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

impl fmt::Display for DumpChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DumpChange { before, after, location, .. } = self;
        write!(f, "{:+} ({before} before, {after} after): ", self.growth())?;
        match self.activity {
            Activity::NotStarted => f.write_str("have not run yet")?,
            Activity::Running | Activity::Runnable => f.write_str("can run")?,
            Activity::Waiting(text) => write!(f, "{text} at {location}")?,
            Activity::Abandoned => write!(f, "abandoned at {location}")?,
        }
        write!(f, ", spawned at {}", self.spawned_at)
    }
}
