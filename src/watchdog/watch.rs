//! The list of schedulers that run fibers, and the thread that looks at those that have a limit.
//!
//! Invariants:
//! - There is a thread if and only if a scheduler has a limit. The one that ends last joins it.
//!   (If no thread can be started, nothing is watched until the next scheduler begins.)
//! - An entry is in the list only while its scheduler exists and its thread lives: the scheduler
//!   takes it out, under the lock, before either ends. So under the lock the counter can be read
//!   and the thread be sent a signal.
//! - The thread waits without a limit only if all schedulers sleep. One that wakes then rings the
//!   bell: see `collections/publish.rs`.
//! - A process that was forked has none of the threads: it begins with an empty list.

#![allow(unsafe_code, reason = "reads the counters of other threads' schedulers")]

use std::cell::Cell;
use std::mem;
use std::process;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::collections::locked::locked;
use crate::collections::publish;
use crate::collections::shared_counter::SharedCounter;
use crate::sched::core::scheduler::Scheduler;
use crate::sched::core::watch::Watch;
use crate::sched::shared::mailbox::Mailbox;
use crate::sched::time::clock::{Clock, RealClock};
use crate::watchdog::census;
use crate::watchdog::hold::Hold;
use crate::watchdog::report::{self, Allowance, Report};
use crate::watchdog::sample::{self, NoSample, Sample, Target};
use crate::watchdog::writer::Writer;

/// The place of one scheduler.
#[derive(Debug)]
pub(crate) struct Watched {
    limit: Option<Duration>,
    asleep: Arc<AtomicBool>,
    /// The key of its entry, once its thread has begun to run fibers.
    key: Cell<Option<u64>>,
}

impl Watched {
    /// Creates the place of a scheduler whose fibers may hold it for `limit`, or for any time.
    pub(crate) fn new(limit: Option<Duration>) -> Watched {
        Watched { limit, asleep: Arc::new(AtomicBool::new(false)), key: Cell::new(None) }
    }
}

impl Watch<Scheduler> for Watched {
    unsafe fn begin(&self, sched: &Scheduler) {
        let mut list = locked(&LIST);
        list.forget_if_forked();
        list.last_key += 1;
        let key = list.last_key;
        list.entries.push(Entry {
            key,
            scheduler: sched.id,
            mailbox: sched.mailbox.clone(),
            limit: self.limit,
            asleep: self.asleep.clone(),
            switches: NonNull::from(&sched.switches),
            thread: Target::this_thread(),
            hold: Hold::default(),
        });
        self.key.set(Some(key));
        if self.limit.is_some() {
            list.start_thread();
            list.ring();
        }
    }

    fn sleeps(&self) {
        self.asleep.store(true, Ordering::Relaxed);
    }

    fn wakes(&self) {
        self.asleep.store(false, Ordering::Relaxed);
        if self.limit.is_none() {
            return;
        }
        publish::fence();
        if DOZES.load(Ordering::Relaxed) {
            locked(&LIST).ring();
        }
    }

    fn answer(&self, sched: &Scheduler) {
        census::answer(sched);
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let Some(key) = self.key.get() else { return };
        let mut list = locked(&LIST);
        list.entries.retain(|entry| entry.key != key);
        if list.has_limits() {
            return;
        }
        let Some(thread) = list.thread.take() else { return };
        list.ring();
        drop(list);
        thread.join();
    }
}

/// Returns the numbers of all schedulers that run fibers, in ascending order, with their mailboxes.
pub(super) fn all() -> Vec<(u32, Arc<Mailbox>)> {
    let list = locked(&LIST);
    let mut all: Vec<_> =
        list.entries.iter().map(|entry| (entry.scheduler, entry.mailbox.clone())).collect();
    drop(list);
    all.sort_by_key(|(scheduler, _)| *scheduler);
    all
}

/// Takes a sample of the thread of a scheduler. Returns `None` if the scheduler has ended.
pub(super) fn sample(scheduler: u32) -> Option<Result<Sample, NoSample>> {
    let list = locked(&LIST);
    // The thread lives as long as the entry is in the list, which is locked.
    let entry = list.entries.iter().find(|entry| entry.scheduler == scheduler)?;
    Some(sample::take(entry.thread))
}

static LIST: Mutex<List> = Mutex::new(List {
    entries: Vec::new(),
    last_key: 0,
    thread: None,
    threads: 0,
    allowance: Allowance::new(),
});
/// Rung for the thread, with the lock of the list.
static BELL: Condvar = Condvar::new();
/// Whether the thread waits without a limit.
static DOZES: AtomicBool = AtomicBool::new(false);

/// The schedulers that are watched.
struct List {
    entries: Vec<Entry>,
    last_key: u64,
    thread: Option<Thread>,
    /// The number of threads that were started. A thread whose number it is not ends.
    threads: u64,
    allowance: Allowance,
}

struct Entry {
    key: u64,
    /// The number of the scheduler.
    scheduler: u32,
    mailbox: Arc<Mailbox>,
    limit: Option<Duration>,
    asleep: Arc<AtomicBool>,
    switches: NonNull<SharedCounter>,
    thread: Target,
    hold: Hold,
}

// SAFETY: the counter is one that any thread may read, and it exists while the entry does.
unsafe impl Send for Entry {}

/// The thread, and the process that has started it.
struct Thread {
    process: u32,
    handle: JoinHandle<()>,
}

impl Thread {
    fn join(self) {
        if self.process == process::id() {
            // An error is a panic, which was printed.
            let _ = self.handle.join();
        } else {
            // The thread is one of the process from which this one was forked.
            mem::forget(self.handle);
        }
    }
}

impl List {
    fn forget_if_forked(&mut self) {
        let is_foreign = |thread: &Thread| thread.process != process::id();
        if self.thread.as_ref().is_some_and(is_foreign) {
            self.thread.take().into_iter().for_each(Thread::join);
            self.entries.clear();
        }
    }

    fn start_thread(&mut self) {
        if self.thread.is_some() {
            return;
        }
        self.threads += 1;
        let number = self.threads;
        let thread = thread::Builder::new().name("fibra-watchdog".into());
        let handle = thread.spawn(move || look_until_over(number));
        self.thread = handle.ok().map(|handle| Thread { process: process::id(), handle });
    }

    /// Wakes the thread, so that it looks at what has changed.
    fn ring(&mut self) {
        DOZES.store(false, Ordering::Relaxed);
        BELL.notify_all();
    }

    /// Looks at all schedulers. Returns the place of one that is held for too long, and for how
    /// long.
    fn look(&mut self, now: Instant) -> Option<(usize, Duration)> {
        let mut found = None;
        for (place, entry) in self.entries.iter_mut().enumerate() {
            if entry.asleep.load(Ordering::Relaxed) {
                entry.hold.sleeps();
                continue;
            }
            // SAFETY: the entry is in the list, so the counter exists.
            let switches = unsafe { entry.switches.as_ref() }.get();
            let look = |limit| entry.hold.look(switches, now, limit);
            let held = entry.limit.and_then(look);
            found = found.or(held.map(|held| (place, held)));
        }
        found
    }

    /// Returns the time until the next look, or `None` if all schedulers sleep.
    fn pause(&self) -> Option<Duration> {
        let awake = self.entries.iter().filter(|entry| !entry.asleep.load(Ordering::Relaxed));
        awake.filter_map(|entry| entry.limit).min().map(|limit| limit / 4)
    }

    fn has_limits(&self) -> bool {
        self.entries.iter().any(|entry| entry.limit.is_some())
    }
}

type Locked = MutexGuard<'static, List>;

/// The whole life of the thread `number`.
fn look_until_over(number: u64) {
    let mut writer = Writer::default();
    look_with(&mut writer, number);
    writer.join();
}

fn look_with(writer: &mut Writer, number: u64) {
    let mut list = locked(&LIST);
    while list.threads == number && list.has_limits() {
        let now = RealClock.now();
        if let Some((place, held)) = list.look(now) {
            list = deal_with(list, writer, place, held, now);
        } else {
            list = pause(list, now);
        }
    }
}

/// Waits for the time of the next look, from `now`.
fn pause(list: Locked, now: Instant) -> Locked {
    let pause = list.pause().or_else(|| {
        DOZES.store(true, Ordering::Relaxed);
        publish::fence();
        let pause = list.pause();
        if pause.is_some() {
            DOZES.store(false, Ordering::Relaxed);
        }
        pause
    });
    let Some(pause) = pause else {
        return BELL.wait(list).unwrap_or_else(PoisonError::into_inner);
    };
    let waited = BELL.wait_timeout(list, pause);
    let (mut list, _) = waited.unwrap_or_else(PoisonError::into_inner);
    let later = RealClock.now();
    // The process was stopped, or the processors are busy with others: then nothing can be said of
    // the fibers either.
    if 2 * pause < later.saturating_duration_since(now) {
        list.entries.iter_mut().for_each(|entry| entry.hold.forgive(later));
    }
    list
}

/// Reports that the scheduler at `place` has been held for the time `held`.
fn deal_with(
    mut list: Locked,
    writer: &mut Writer,
    place: usize,
    held: Duration,
    now: Instant,
) -> Locked {
    if report::is_debugged() {
        list.entries[place].hold.reported();
        return list;
    }
    let Some(left_out) = list.allowance.take(now) else {
        list.entries[place].hold.reported();
        return list;
    };
    let entry = &mut list.entries[place];
    // The thread lives, because the entry is in the list.
    let sample = sample::take(entry.thread);
    // A thread without a fiber is in the run loop, or in code of its host.
    if matches!(&sample, Ok(sample) if sample.fiber.is_none()) {
        entry.hold.forgive(now);
        list.allowance.give_back(left_out);
        return list;
    }
    entry.hold.reported();
    writer.send(Report { sample, held, left_out });
    list
}
