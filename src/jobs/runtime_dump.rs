//! The types of a dump of all schedulers of a runtime, their text and their JSON.

#![forbid(unsafe_code)]

use std::fmt;
use std::time::Duration;

use crate::fiber::dump_difference::DumpDifference;
use crate::fiber::dump_json::{self, Json};
use crate::fiber::dump_tree::FEW;
use crate::fiber::snapshot::{Dump, FiberSnapshot, Text};
use crate::sched::deadlock::dump::Stats;

/// All schedulers of a runtime, as [`Handle::dump`](crate::Handle::dump) has found them.
///
/// Its `Display` is one paragraph for each scheduler, with one line for each fiber, without a line
/// break at the end.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// fibra::Runtime::builder().threads(2).build()?.run(|| {
///     let dump = fibra::Handle::current().dump();
///     let fibers = dump.schedulers.iter().filter_map(|scheduler| scheduler.fibers.as_ref());
///     assert_eq!(fibers.map(|dump| dump.fibers.len()).sum::<usize>(), 2); // the main fibers
/// });
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct RuntimeDump {
    /// The schedulers, in the order of their indices.
    pub schedulers: Vec<SchedulerDump>,
    /// The number of jobs that have not started, that any scheduler may start, and that were
    /// spawned outside of the runtime's fibers.
    pub queued_jobs: usize,
}

/// One scheduler of a runtime, as [`Handle::dump`](crate::Handle::dump) has found it.
///
/// # Examples
///
/// ```
/// fibra::run(|| {
///     let dump = fibra::Handle::current().dump();
///     assert_eq!(dump.schedulers[0].state, fibra::SchedulerState::Awake);
///     assert_eq!(dump.schedulers[0].fibers.as_ref().unwrap().fibers.len(), 1);
/// });
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SchedulerDump {
    /// The index of the scheduler, as [`Handle::spawn_on`](crate::Handle::spawn_on) takes it.
    pub index: usize,
    /// The state of the scheduler when it was asked.
    pub state: SchedulerState,
    /// The number of jobs that have not started, and that were spawned by its fibers or for this
    /// scheduler.
    pub queued_jobs: usize,
    /// The fibers of the scheduler, if it has answered.
    pub fibers: Option<Dump>,
    /// The counters of the scheduler, like those of [`fibra::stats`](crate::stats()), if it has
    /// answered.
    pub stats: Option<Stats>,
}

/// The state of a scheduler when it was asked for a dump.
///
/// # Examples
///
/// ```
/// use fibra::SchedulerState;
///
/// let handle = fibra::run(fibra::Handle::current);
/// assert_eq!(handle.dump().schedulers[0].state, SchedulerState::Ended);
/// ```
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SchedulerState {
    /// [`Runtime::run`](crate::Runtime::run) has not been called.
    NotStarted,
    /// It ran fibers, or was about to.
    Awake,
    /// Its thread slept, because none of its fibers could run.
    Asleep,
    /// It did not answer within this time: a fiber computes or blocks the thread.
    Busy(Duration),
    /// It has ended.
    Ended,
}

impl RuntimeDump {
    /// Returns the dump as JSON, in one line: an object with the fields `schedulers` and
    /// `queued_jobs`. Each item of `schedulers` has these fields:
    ///
    /// | field | value |
    /// |---|---|
    /// | `index` | the index of the scheduler |
    /// | `state` | `"not started"`, `"awake"`, `"asleep"`, `"busy"` or `"ended"` |
    /// | `busy_us` | if it is busy, the microseconds within which it did not answer; else `null` |
    /// | `queued_jobs` | a number |
    /// | `stats` | `null`, or an object with the fields of [`Stats`](crate::Stats), all of them numbers |
    /// | `fibers` | `null`, or an object as [`Dump::to_json`] returns it |
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let json = fibra::Handle::current().dump().to_json();
    ///     assert!(json.starts_with(r#"{"schedulers":[{"index":0,"state":"awake","#));
    ///     assert!(json.ends_with(r#"}],"queued_jobs":0}"#));
    /// });
    /// ```
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut json = Json::default();
        json.object(|json| {
            json.field("schedulers").array(&self.schedulers, |json, scheduler| {
                json.object(|json| scheduler.write_json(json));
            });
            json.field("queued_jobs").plain(self.queued_jobs);
        });
        json.into_text()
    }

    /// Returns how the fibers of this dump differ from those of `before`, like
    /// [`Dump::difference`]. Schedulers that did not answer count as ones without fibers.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let handle = fibra::Handle::current();
    ///     let before = handle.dump();
    ///     fibra::spawn(fibra::park).detach();
    ///     fibra::yield_now(); // it waits now
    ///     assert_eq!(handle.dump().difference(&before).changes[0].growth(), 1);
    /// });
    /// ```
    #[must_use]
    pub fn difference(&self, before: &RuntimeDump) -> DumpDifference {
        DumpDifference::between(before.fibers(), self.fibers())
    }

    /// Returns the dump without the names of fibers and the addresses of sockets, like
    /// [`Dump::redacted`].
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     fibra::Builder::new().name("Ada Lovelace").spawn(fibra::park).detach();
    ///     let dump = fibra::Handle::current().dump().redacted();
    ///     assert!(!dump.to_string().contains("Ada"));
    /// });
    /// ```
    #[must_use]
    pub fn redacted(mut self) -> RuntimeDump {
        for scheduler in &mut self.schedulers {
            scheduler.fibers = scheduler.fibers.take().map(Dump::redacted);
        }
        self
    }

    fn fibers(&self) -> impl Iterator<Item = &FiberSnapshot> {
        self.schedulers
            .iter()
            .filter_map(|scheduler| scheduler.fibers.as_ref())
            .flat_map(|dump| &dump.fibers)
    }
}

impl SchedulerDump {
    fn write_json(&self, json: &mut Json) {
        let (state, busy) = match self.state {
            SchedulerState::NotStarted => ("not started", None),
            SchedulerState::Awake => ("awake", None),
            SchedulerState::Asleep => ("asleep", None),
            SchedulerState::Busy(limit) => ("busy", Some(limit)),
            SchedulerState::Ended => ("ended", None),
        };
        json.field("index").plain(self.index);
        json.field("state").string(state);
        json.field("busy_us").option(busy, Json::micros);
        json.field("queued_jobs").plain(self.queued_jobs);
        json.field("stats").option(self.stats.as_ref(), |json, stats| {
            json.object(|json| {
                for (name, number) in stats.list() {
                    json.field(name).plain(number);
                }
            });
        });
        json.field("fibers").option(self.fibers.as_ref(), dump_json::dump);
    }
}

impl fmt::Display for RuntimeDump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, FEW)
    }
}

impl RuntimeDump {
    /// Returns its text, with a line for each fiber of schedulers with up to `few` fibers, and a
    /// tree of the fibers of others.
    #[cfg(all(feature = "diagnostics", feature = "net"))]
    pub(crate) fn text(&self, few: usize) -> String {
        WithFew(self, few).to_string()
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, few: usize) -> fmt::Result {
        let numbers: Vec<u32> = self.schedulers.iter().map(SchedulerDump::number).collect();
        for (i, scheduler) in self.schedulers.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { "\n" })?;
            scheduler.write(f, &numbers, few)?;
        }
        if self.queued_jobs != 0 {
            write!(f, "\n{} for any scheduler", Queued(self.queued_jobs))?;
        }
        Ok(())
    }
}

/// The text of a dump: see [`RuntimeDump::text`].
#[cfg(all(feature = "diagnostics", feature = "net"))]
struct WithFew<'a>(&'a RuntimeDump, usize);

#[cfg(all(feature = "diagnostics", feature = "net"))]
impl fmt::Display for WithFew<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(f, self.1)
    }
}

impl fmt::Display for SchedulerDump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, &[], FEW)
    }
}

impl SchedulerDump {
    /// Returns the number of the scheduler within the process; 0 if it is not known.
    fn number(&self) -> u32 {
        let first = self.fibers.as_ref().and_then(|dump| dump.fibers.first());
        first.map_or(0, |fiber| fiber.id.scheduler)
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, schedulers: &[u32], few: usize) -> fmt::Result {
        write!(f, "scheduler {} {}", self.index, self.state)?;
        if self.queued_jobs != 0 {
            write!(f, ", {}", Queued(self.queued_jobs))?;
        }
        match &self.fibers {
            Some(dump) => {
                f.write_str(":\n")?;
                fmt::Display::fmt(&Text { dump, schedulers, few }, f)
            }
            None => Ok(()),
        }
    }
}

impl fmt::Display for SchedulerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SchedulerState::NotStarted => f.write_str("has not started"),
            SchedulerState::Awake => f.write_str("is awake"),
            SchedulerState::Asleep => f.write_str("sleeps"),
            SchedulerState::Busy(limit) => write!(f, "is busy: it did not answer within {limit:?}"),
            SchedulerState::Ended => f.write_str("has ended"),
        }
    }
}

/// A number of jobs that have not started.
struct Queued(usize);

impl fmt::Display for Queued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0 == 1 { "" } else { "s" };
        write!(f, "{} queued job{plural}", self.0)
    }
}
