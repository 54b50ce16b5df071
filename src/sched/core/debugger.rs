//! The table by which a debugger finds the fibers of a process, live or in a core file, without
//! debug information: a list of all schedulers, and the offsets of the fields that the script
//! `examples/gdb/fibers.py` reads.
//!
//! ```text
//!   section fibra_fibers
//!     Table: magic, version, number of facts, first card -+   facts: (name, number), ...
//!                                                         v
//!                                                        Card: next, scheduler, thread ...
//! ```
//!
//! Invariants:
//! - The section holds one table for each version of this crate in the program. A reader looks for
//!   the magic in steps of eight bytes.
//! - The layout of [`Table`], [`Fact`] and [`Card`] changes only with [`VERSION`]. Everything else
//!   that a reader must know is a fact.
//! - A card is never freed, and is used again when its scheduler has ended. It names a scheduler
//!   only while that stays at its address. So a reader may stop the process at any time.
//! - Nothing here is read by the crate itself.

#![allow(unsafe_code, reason = "names the section of a static")]

use std::mem::{offset_of, size_of};
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, Once};

use crate::collections::layout;
use crate::collections::locked::locked;
use crate::collections::slot_table::SlotTable;
use crate::fiber::context::Context;
use crate::fiber::current::ThreadState;
use crate::fiber::extra::Extra;
use crate::fiber::header::{FiberPtr, Header};
use crate::fiber::id::Parent;
use crate::fiber::state::{State, WaitReason};
use crate::stack::{SizeClass, Stack};

/// The version of the layout of the table.
const VERSION: u32 = 1;

/// The root of everything that a debugger reads.
#[repr(C)]
struct Table {
    magic: [u8; 16],
    version: u32,
    facts_count: u32,
    first: AtomicPtr<Card>,
    facts: [Fact; FACTS],
}

/// A number that a debugger needs: an offset, a size, the number of a state.
#[repr(C)]
struct Fact {
    /// The name, with zeros after it.
    name: [u8; 24],
    number: AtomicUsize,
}

/// The entry of one scheduler in the list.
#[repr(C)]
#[derive(Debug)]
struct Card {
    next: AtomicPtr<Card>,
    /// The scheduler; null while the card is free.
    scheduler: AtomicPtr<()>,
    /// The record of its thread.
    thread: AtomicPtr<()>,
    /// The reading of the monotonic clock, in nanoseconds, when the clock of the scheduler was 0;
    /// 0 if its clock is virtual.
    started: AtomicU64,
    /// The kernel's number of the thread, where there is one.
    #[cfg_attr(
        not(any(target_os = "linux", target_os = "android")),
        allow(dead_code, reason = "debuggers read it")
    )]
    thread_number: AtomicU32,
}

/// The offsets of the fields of a scheduler, which knows them itself.
#[derive(Copy, Clone, Debug)]
pub(crate) struct OfScheduler {
    pub(crate) id: usize,
    pub(crate) now_ms: usize,
    pub(crate) switches: usize,
    /// The offset of the `RefCell` with the table of its fibers.
    pub(crate) table: usize,
}

const FACTS: usize = NAMES.len();

/// The names of the facts, in the order of [`facts`].
const NAMES: &[&str] = &[
    "scheduler.id",
    "scheduler.now_ms",
    "scheduler.switches",
    "scheduler.slots",
    "scheduler.slot_count",
    "slot.stride",
    "slot.value",
    "thread.fiber",
    "fiber.number",
    "fiber.state",
    "fiber.reason",
    "fiber.location",
    "fiber.spawned_at",
    "fiber.parent",
    "parent.number_bits",
    "fiber.since",
    "fiber.class",
    "fiber.killed",
    "fiber.extra",
    "fiber.stack_pointer",
    "fiber.stack_top",
    "extra.name",
    "reason.text",
    "str.address",
    "str.length",
    "arc_str.address",
    "arc_str.length",
    "arc_str.text",
    "location.file",
    "location.file_length",
    "location.line",
    "location.column",
    "state.new",
    "state.runnable",
    "state.parked",
    "state.paused",
    "state.finished",
    "state.abandoned",
    "stack.smallest",
];

/// Returns the numbers of the facts. `stack` must be free.
fn facts(stack: &Stack, scheduler: OfScheduler) -> [usize; FACTS] {
    let slots = SlotTable::<FiberPtr>::places();
    let table = scheduler.table.saturating_add(layout::of_ref_cell());
    let context = Context::places(stack).map(|it| it.saturating_add(offset_of!(Header, context)));
    let [address, length] = layout::of_str();
    let arc_str = layout::of_arc_str();
    let location = layout::of_location();
    [
        scheduler.id,
        scheduler.now_ms,
        scheduler.switches,
        slots.slots.saturating_add(table),
        slots.count.saturating_add(table),
        slots.stride,
        slots.value,
        offset_of!(ThreadState, fiber),
        Header::NUMBER,
        offset_of!(Header, state),
        offset_of!(Header, reason),
        offset_of!(Header, location),
        offset_of!(Header, spawned_at),
        offset_of!(Header, parent),
        Parent::BITS_ELSEWHERE,
        offset_of!(Header, since),
        offset_of!(Header, class),
        offset_of!(Header, killed),
        offset_of!(Header, extra),
        context[0],
        context[1],
        offset_of!(Extra, name),
        offset_of!(WaitReason, text),
        address,
        length,
        arc_str[0],
        arc_str[1],
        arc_str[2],
        location[0],
        location[1],
        location[2],
        location[3],
        State::New as usize,
        State::Runnable as usize,
        State::Parked as usize,
        State::Paused as usize,
        State::Finished as usize,
        State::Abandoned as usize,
        SizeClass::for_bytes(0).bytes(),
    ]
}

// SAFETY: the section holds data only, and no code of the process relies on what else is in it.
#[cfg_attr(
    any(target_os = "linux", target_os = "android", target_os = "freebsd"),
    unsafe(link_section = "fibra_fibers")
)]
#[used]
static TABLE: Table = Table {
    magic: *b"fibra\0fibers\0\xf1\xbe\x75",
    version: VERSION,
    facts_count: FACTS as u32,
    first: AtomicPtr::new(ptr::null_mut()),
    facts: unknown_facts(),
};

/// Returns the facts as they are before a scheduler has measured them.
const fn unknown_facts() -> [Fact; FACTS] {
    let mut facts =
        [const { Fact { name: [0; 24], number: AtomicUsize::new(layout::UNKNOWN) } }; FACTS];
    let mut at = 0;
    while at < FACTS {
        let name = NAMES[at].as_bytes();
        let mut letter = 0;
        while letter < name.len() {
            facts[at].name[letter] = name[letter];
            letter += 1;
        }
        at += 1;
    }
    facts
}

static CARDS: Mutex<Vec<&'static Card>> = Mutex::new(Vec::new());

/// The card of one scheduler, which is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Listed(&'static Card);

impl Listed {
    /// Takes a card for a scheduler whose clock starts now. `spare` must be a free stack.
    pub(crate) fn new(spare: &Stack, is_virtual: bool, scheduler: OfScheduler) -> Listed {
        static MEASURED: Once = Once::new();
        MEASURED.call_once(|| {
            for (fact, number) in TABLE.facts.iter().zip(facts(spare, scheduler)) {
                fact.number.store(number, Ordering::Relaxed);
            }
        });
        let card = locked(&CARDS).pop().unwrap_or_else(add_card);
        card.started.store(if is_virtual { 0 } else { monotonic() }, Ordering::Relaxed);
        Listed(card)
    }

    /// Shows the scheduler at `sched` to debuggers, on the thread on which it runs. It must stay
    /// there until [`hide`](Listed::hide) is called, or this is dropped.
    pub(crate) fn show(&self, sched: *const ()) {
        ThreadState::with(|thread| {
            self.0.thread.store((&raw const *thread).cast_mut().cast(), Ordering::Relaxed);
        });
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            let number = rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs();
            self.0.thread_number.store(number, Ordering::Relaxed);
        }
        self.0.scheduler.store(sched.cast_mut(), Ordering::Release);
    }

    /// Hides the scheduler, which runs no more.
    pub(crate) fn hide(&self) {
        self.0.scheduler.store(ptr::null_mut(), Ordering::Release);
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.hide();
        locked(&CARDS).push(self.0);
    }
}

/// Returns a new card, at the head of the list.
fn add_card() -> &'static Card {
    let card = Box::leak(Box::new(Card {
        next: AtomicPtr::new(ptr::null_mut()),
        scheduler: AtomicPtr::new(ptr::null_mut()),
        thread: AtomicPtr::new(ptr::null_mut()),
        started: AtomicU64::new(0),
        thread_number: AtomicU32::new(0),
    }));
    let card_pointer: *mut Card = &raw mut *card;
    let link = |first: *mut Card| {
        card.next.store(first, Ordering::Relaxed);
        Some(card_pointer)
    };
    let _ = TABLE.first.fetch_update(Ordering::Release, Ordering::Relaxed, link);
    card
}

/// Returns the reading of the clock by which a debugger on the same machine can tell for how long a
/// fiber has waited; 0 if there is none.
fn monotonic() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a place for the result.
    if unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) } != 0 {
        return 0;
    }
    let [seconds, nanos] = [now.tv_sec, now.tv_nsec].map(|part| u64::try_from(part).unwrap_or(0));
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

/// A reader relies on these sizes.
const _: () = {
    assert!(size_of::<Fact>() == 24 + size_of::<usize>());
    assert!(size_of::<Option<FiberPtr>>() == size_of::<usize>());
    assert!(offset_of!(Table, first) == 24);
};

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::stack::{Keep, Pool};

    #[test]
    fn every_fact_is_known() {
        let mut pool = Pool::new(Keep::FIXED);
        let stack = pool.take(SizeClass::for_bytes(0)).unwrap();
        let scheduler = OfScheduler { id: 0, now_ms: 0, switches: 0, table: 0 };
        for (number, name) in facts(&stack, scheduler).into_iter().zip(NAMES) {
            assert!(number < 1 << 20, "{name}: {number}");
        }
        pool.give(stack);
    }
}
