//! The places of the schedulers of the process: numbers of 16 bits, with which wakers and tickets
//! find a mailbox.
//!
//! ```text
//!   chunk 0: 64 places   chunk 1: 128   chunk 2: 256   ...   allocated when first taken
//!
//!   place = [ marks: the tasks whose wake is in the mail ]  [ lock: the mailbox ]
//!   wake:     mark --> was it marked? -- yes --> done, without a lock
//!                              \__ no --> lock --> post
//! ```
//!
//! Invariants:
//! - A place has one scheduler at a time. It is used again after that one has left it, so a waker
//!   of an earlier scheduler may find the mailbox of a later one. (The number of a scheduler is
//!   never used again, but has too many bits for a waker.) An [`Address`] has the number, too, and
//!   finds only the mailbox of its own scheduler.
//! - A place never moves, and finding one takes no lock. The lock of a place is taken only by its
//!   users. Those that post do not exclude each other.
//! - A task that is marked has a wake in the mail of the scheduler at that place, or the thread
//!   that has marked it is about to post one. A scheduler that takes the place removes the marks
//!   under the lock, alone: what was marked before may have been posted to another scheduler, or to
//!   none; what is marked after that is posted to this one, because posting takes the lock, too.
//! - There are at most twice as many places as the most schedulers that existed at the same time.

#![forbid(unsafe_code)]

use std::sync::{Arc, Mutex, OnceLock, RwLock};

use crate::collections::locked::{locked, reading, writing};
use crate::collections::marks::{Mark, Marks};
use crate::collections::slot_table::Key;
use crate::sched::shared::mailbox::{Mail, Mailbox, TaskId};

/// The number of places in the first chunk. A power of two.
const FIRST: usize = 64;
/// The number of chunks, enough for all numbers of 16 bits.
const CHUNKS: usize = 11;

/// One place. Threads that post to different schedulers must not write to the same cache line, of
/// which some processors fetch two together.
#[derive(Debug)]
#[repr(align(128))]
struct Place {
    tasks: Marks,
    tenant: RwLock<Option<Tenant>>,
}

/// The scheduler that has a place.
#[derive(Debug)]
struct Tenant {
    scheduler: u32,
    mailbox: Arc<Mailbox>,
}

static PLACES: [OnceLock<Box<[Place]>>; CHUNKS] = [const { OnceLock::new() }; CHUNKS];
static FREE: Mutex<Free> = Mutex::new(Free::new());

/// The places without a scheduler.
#[derive(Debug)]
struct Free {
    /// Places that schedulers have left.
    left: Vec<u16>,
    /// The first place that was never taken, if there is one.
    next: Option<u16>,
}

impl Free {
    const fn new() -> Free {
        Free { left: Vec::new(), next: Some(0) }
    }

    fn take(&mut self) -> Option<u16> {
        self.left.pop().or_else(|| {
            let taken = self.next?;
            self.next = taken.checked_add(1);
            Some(taken)
        })
    }
}

/// Takes a place for the scheduler with that number and this mailbox. Returns `None` if all places
/// are taken.
pub(crate) fn take(scheduler: u32, mailbox: &Arc<Mailbox>) -> Option<u16> {
    let taken = locked(&FREE).take()?;
    let (chunk, at) = locate(taken);
    let places = PLACES[chunk].get_or_init(|| (0..FIRST << chunk).map(|_| Place::new()).collect());
    places[at].settle(Tenant { scheduler, mailbox: mailbox.clone() });
    Some(taken)
}

/// Gives back a place that was taken.
pub(crate) fn leave(place: u16) {
    let tenant = of(place).and_then(|place| writing(&place.tenant).take());
    locked(&FREE).left.push(place);
    // This may be the last reference, and both locks are released.
    drop(tenant);
}

/// Posts a wake of `task` to the scheduler that has that place, if one has, unless its inbox
/// already holds one.
pub(crate) fn wake_task(place: u16, task: TaskId) {
    if let Some(place) = of(place) {
        place.wake_task(task);
    }
}

/// Removes the mark of the task with that index, whose wake is delivered, and returns it. For the
/// scheduler that has the place.
pub(crate) fn take_mark(place: u16, index: u32) -> Option<Mark> {
    of(place)?.tasks.take(index)
}

impl Place {
    fn new() -> Place {
        Place { tasks: Marks::new(), tenant: RwLock::new(None) }
    }

    /// Gives the place to a scheduler.
    fn settle(&self, new: Tenant) {
        let mut tenant = writing(&self.tenant);
        self.tasks.clear();
        *tenant = Some(new);
    }

    fn wake_task(&self, task: TaskId) {
        if !self.tasks.mark(task.index, task.generation) {
            return;
        }
        let tenant = reading(&self.tenant);
        let Some(Tenant { mailbox, .. }) = &*tenant else { return };
        if mailbox.post_without_wake(Mail::WakeTask(task.index)) {
            let mailbox = mailbox.clone();
            // Waking a thread takes long.
            drop(tenant);
            mailbox.wake();
        }
    }
}

/// The way to a scheduler, as the tickets of its fibers keep it.
///
/// It counts no reference to the mailbox: that would cost each wait two atomic operations, and only
/// other threads use it.
#[derive(Debug)]
pub(crate) struct Address {
    /// The number of the scheduler.
    pub(crate) scheduler: u32,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Place(u16),
    /// All places were taken.
    Mailbox(Arc<Mailbox>),
}

impl Address {
    /// Returns the address of the scheduler with that number, which has `place`, if it has one.
    #[inline]
    pub(crate) fn of(scheduler: u32, place: Option<u16>, mailbox: &Arc<Mailbox>) -> Address {
        let way = place.map_or_else(|| Way::Mailbox(mailbox.clone()), Way::Place);
        Address { scheduler, way }
    }

    /// Posts a wake of the fiber of `key`, which is lost if `run` is over.
    pub(crate) fn wake(&self, key: Key) {
        self.post(|mailbox| mailbox.inbox.push(Mail::Wake(key)));
    }

    /// Wakes the scheduler for one turn, if it sleeps.
    pub(crate) fn nudge(&self) {
        self.post(|mailbox| mailbox.inbox.claim_wake());
    }

    /// Calls `f` with the mailbox, if the scheduler still has it. If `f` returns `true`, wakes the
    /// scheduler afterwards: that takes long, and happens without a lock.
    fn post(&self, f: impl FnOnce(&Mailbox) -> bool) {
        let asleep = match self.way {
            Way::Mailbox(ref mailbox) => f(mailbox).then(|| mailbox.clone()),
            Way::Place(place) => of(place).and_then(|place| {
                let tenant = reading(&place.tenant);
                let mine = tenant.as_ref().filter(|tenant| tenant.scheduler == self.scheduler)?;
                f(&mine.mailbox).then(|| mine.mailbox.clone())
            }),
        };
        if let Some(mailbox) = asleep {
            mailbox.wake();
        }
    }
}

fn of(place: u16) -> Option<&'static Place> {
    let (chunk, at) = locate(place);
    PLACES[chunk].get().map(|places| &places[at])
}

/// Returns the chunk of a place, and its index in that chunk.
fn locate(place: u16) -> (usize, usize) {
    let shifted = usize::from(place) + FIRST;
    let chunk = (shifted.ilog2() - FIRST.ilog2()) as usize;
    (chunk, shifted - (FIRST << chunk))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sched::time::idle::Wake;

    #[derive(Debug)]
    struct NoOne;

    impl Wake for NoOne {
        fn wake(&self) {}
    }

    #[test]
    fn an_address_reaches_its_own_scheduler_and_no_later_one_at_the_same_place() {
        let mailbox = Arc::new(Mailbox::new(Arc::new(NoOne)));
        let place = take(u32::MAX, &mailbox);
        let [own, earlier] = [u32::MAX, u32::MAX - 1].map(|id| Address::of(id, place, &mailbox));
        earlier.wake(Key::from_bits(1));
        assert!(mailbox.inbox.is_empty());
        own.wake(Key::from_bits(2));
        assert!(matches!(mailbox.inbox.pop(), Some(Mail::Wake(key)) if key.to_bits() == 2));
        place.into_iter().for_each(leave);
        own.wake(Key::from_bits(3));
        assert!(mailbox.inbox.is_empty());
        Address::of(u32::MAX, None, &mailbox).wake(Key::from_bits(4));
        assert_eq!(mailbox.inbox.len(), 1, "there was no place for it");
    }

    #[test]
    fn places_of_neighbours_are_neighbours() {
        assert_eq!([0, 63, 64, 191, 192].map(locate), [(0, 0), (0, 63), (1, 0), (1, 127), (2, 0)]);
        assert_eq!(locate(u16::MAX), (CHUNKS - 1, 63));
    }

    #[test]
    fn a_place_that_was_left_is_taken_again_before_a_new_one() {
        let mut free = Free::new();
        assert_eq!((free.take(), free.take()), (Some(0), Some(1)));
        free.left.push(0);
        assert_eq!((free.take(), free.take()), (Some(0), Some(2)));
    }

    #[test]
    fn there_are_as_many_places_as_numbers_of_16_bits() {
        let mut free = Free::new();
        let taken = std::iter::from_fn(|| free.take()).count();
        assert_eq!((taken, free.take()), (1 << 16, None));
    }
}
