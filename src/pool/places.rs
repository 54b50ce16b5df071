//! The places of a pool: who has one, who waits for one, and who has lent his.
//!
//! ```text
//!   enter: a place is free -> taken          members with a place   <= size, always
//!          full            -> the line       members without one:
//!   leave: the first of the line gets the      - has lent it, to the member it waits for
//!          place, else it is free              - stepped out, to wait for what the pool is to do
//!                                              - was spawned into a pool that was killed
//! ```
//!
//! Invariants:
//! - `used` is the number of members with a place, plus the fibers that were given one and have
//!   not spawned their member yet; it is never more than `size`. The line is empty unless all
//!   places are used.
//! - A place is on its way to one owner at any time. It goes from a member that ends to the one that
//!   has lent it, if that one still lives, else to the first of the line.
//! - A member has left when its fiber counts as ended, or was retired: no code of it runs in a place
//!   that another has. This file is plain data, for it is told of an end after the last user code.
//! - A member never waits for its own pool with a place in hand: so a pool cannot deadlock by
//!   itself, however its members use it.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::mem;
use std::rc::Rc;

use crate::collections::slot_table::{Key, SlotTable};
use crate::fiber::exit::JoinError;
use crate::fiber::id::FiberId;
use crate::pool::line::{Line, Told};
use crate::sched::api::handle::{Fiber, tell_of_end};
use crate::sched::core::hooks::EndHook;
use crate::sched::lowlevel::{Here, Interrupt, OnDeadlock, WaitReason};

static IDLE: WaitReason =
    WaitReason::new("waiting for the members of a pool to end", OnDeadlock::Fail);

/// What a pool takes in.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum Taking {
    /// Everything.
    Open,
    /// What its members spawn.
    Closed,
    /// Everything, and kills it.
    Killed,
}

/// How an attempt to enter came out.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum Entry {
    /// The caller has a place, for a member that it is about to spawn.
    Place,
    /// The pool was killed: a member takes no place, and is killed before it runs.
    TooLate,
}

#[derive(Debug)]
pub(crate) struct Places {
    pub(crate) size: usize,
    used: Cell<usize>,
    pub(crate) taking: Cell<Taking>,
    line: Line,
    idle: Line,
    members: RefCell<SlotTable<Member>>,
    keys: RefCell<HashMap<FiberId, Key, BuildHasherDefault<Mix>>>,
}

#[derive(Debug)]
struct Member {
    fiber: OnceCell<Fiber>,
    has_place: Cell<bool>,
    /// Who has lent the place.
    lender: Option<Key>,
}

/// Membership of a fiber that is about to be spawned. Dropped before that, it gives the place back.
#[derive(Debug)]
#[must_use]
pub(crate) struct Seat<'a> {
    places: &'a Rc<Places>,
    key: Key,
}

/// A member that has stepped out, and should come [`back`](Away::back). Dropped by an unwind it
/// leaves the member without a place, to end.
#[derive(Debug)]
#[must_use]
pub(crate) struct Away<'a> {
    places: &'a Places,
    key: Key,
}

impl Places {
    pub(crate) fn new(size: usize) -> Rc<Places> {
        Rc::new(Places {
            size,
            used: Cell::new(0),
            taking: Cell::new(Taking::Open),
            line: Line::new(),
            idle: Line::new(),
            members: RefCell::new(SlotTable::new()),
            keys: RefCell::new(HashMap::default()),
        })
    }

    pub(crate) fn used(&self) -> usize {
        self.used.get()
    }

    /// The key of `fiber` if it is a member.
    pub(crate) fn key_of(&self, fiber: FiberId) -> Option<Key> {
        self.keys.borrow().get(&fiber).copied()
    }

    /// Whether the pool takes what `here` wants to have done.
    pub(crate) fn admits(&self, here: Here) -> bool {
        self.taking.get() != Taking::Closed || self.key_of(here.fiber.id()).is_some()
    }

    /// Takes a place if one is free.
    #[inline]
    pub(crate) fn try_enter(&self) -> Option<Entry> {
        if self.taking.get() == Taking::Killed {
            return Some(Entry::TooLate);
        }
        if self.size <= self.used.get() {
            return None;
        }
        self.used.set(self.used.get() + 1);
        Some(Entry::Place)
    }

    /// Takes a place, waiting for one at the latest `by` a deadline.
    #[inline]
    #[track_caller]
    pub(crate) fn enter(
        &self,
        here: Here,
        by: Option<u64>,
        reason: &'static WaitReason,
    ) -> Result<Entry, Interrupt> {
        if let Some(entry) = self.try_enter() {
            return Ok(entry);
        }
        match self.line.wait(here, by, reason)? {
            Told::Served => Ok(Entry::Place),
            Told::TurnedAway => Ok(Entry::TooLate),
        }
    }

    /// A seat for a new member, which gets the caller's place if that has `entered` with one.
    pub(crate) fn seat(self: &Rc<Places>, entered: Entry) -> Seat<'_> {
        self.seat_on(entered == Entry::Place, None)
    }

    /// A seat for a new member that gets the place of `lender`, which has one.
    pub(crate) fn seat_lent_by(self: &Rc<Places>, lender: Key) -> Seat<'_> {
        let has_place = self.members.borrow().get(lender).is_some_and(|m| m.has_place.take());
        self.seat_on(has_place, Some(lender))
    }

    fn seat_on(self: &Rc<Places>, has_place: bool, lender: Option<Key>) -> Seat<'_> {
        let member = Member { fiber: OnceCell::new(), has_place: Cell::new(has_place), lender };
        let key = self.members.borrow_mut().insert(member);
        Seat { places: self, key }
    }

    /// How many members there are, those without a place included.
    #[cfg(feature = "net")]
    pub(crate) fn members(&self) -> usize {
        self.keys.borrow().len()
    }

    pub(crate) fn has_place(&self, key: Key) -> bool {
        self.members.borrow().get(key).is_some_and(|member| member.has_place.get())
    }

    /// Lets go of the place of the running fiber, if it is a member that has one.
    pub(crate) fn step_out(&self, here: Here) -> Option<Away<'_>> {
        let key = self.key_of(here.fiber.id())?;
        if !self.members.borrow().get(key)?.has_place.take() {
            return None;
        }
        self.release();
        Some(Away { places: self, key })
    }

    /// Takes a place again for the member of `key`, which waits for one if need be.
    #[track_caller]
    pub(crate) fn step_in(
        &self,
        here: Here,
        key: Key,
        reason: &'static WaitReason,
    ) -> Result<(), Interrupt> {
        if self.enter(here, None, reason)? == Entry::TooLate {
            return Ok(());
        }
        match self.members.borrow().get(key) {
            // One that it has lent to may have given it back meanwhile.
            Some(member) if !member.has_place.get() => member.has_place.set(true),
            _ => self.release(),
        }
        Ok(())
    }

    /// Waits until no member has a place and nobody waits for one.
    #[track_caller]
    pub(crate) fn wait_until_idle(&self, here: Here, by: Option<u64>) -> Result<(), Interrupt> {
        while self.used.get() != 0 {
            self.idle.wait(here, by, &IDLE)?;
        }
        Ok(())
    }

    /// From now on only members may spawn.
    pub(crate) fn close(&self) {
        if self.taking.get() == Taking::Open {
            self.taking.set(Taking::Closed);
        }
    }

    /// Kills all members, and whatever will be spawned. Unwinds if the caller is a member.
    pub(crate) fn kill(&self, caller: Option<&Fiber>) {
        self.taking.set(Taking::Killed);
        self.line.turn_all_away();
        let members = self.members.borrow();
        let fibers = members.iter().filter_map(|(_, member)| member.fiber.get().cloned());
        let fibers: Vec<Fiber> = fibers.collect();
        drop(members);
        kill_all(fibers, caller);
    }

    /// A place is free: the first of the line gets it.
    fn release(&self) {
        if self.line.serve() {
            return;
        }
        self.used.set(self.used.get() - 1);
        if self.used.get() == 0 {
            self.idle.turn_all_away();
        }
    }

    fn leave(&self, key: Key) {
        let Some(member) = self.members.borrow_mut().remove(key) else { return };
        if let Some(fiber) = member.fiber.get() {
            self.keys.borrow_mut().remove(&fiber.id());
        }
        if !member.has_place.get() {
            return;
        }
        let members = self.members.borrow();
        let lender = member.lender.and_then(|lender| members.get(lender));
        if lender.is_none_or(|lender| lender.has_place.replace(true)) {
            drop(members);
            self.release();
        }
    }
}

impl EndHook for Places {
    fn ended(&self, key: Key) {
        self.leave(key);
    }
}

impl Seat<'_> {
    /// `fiber`, which was just spawned, is the member of this seat until it ends.
    pub(crate) fn occupy(self, fiber: &Fiber) {
        let Seat { places, key } = self;
        // It borrows, so nothing is leaked.
        mem::forget(self);
        if let Some(member) = places.members.borrow().get(key) {
            let vacant = member.fiber.set(fiber.clone()).is_ok();
            debug_assert!(vacant, "a seat is for one");
            places.keys.borrow_mut().insert(fiber.id(), key);
        }
        tell_of_end(fiber, places.clone(), key);
        // The pool may have been killed while the fiber was spawned: that runs user code.
        if places.taking.get() == Taking::Killed {
            fiber.kill();
        }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.places.leave(self.key);
    }
}

impl Away<'_> {
    #[track_caller]
    pub(crate) fn back(self, here: Here, reason: &'static WaitReason) -> Result<(), Interrupt> {
        self.places.step_in(here, self.key, reason)
    }
}

/// Kills `fibers`, the oldest first, and `caller` last, because that unwinds.
pub(crate) fn kill_all(mut fibers: Vec<Fiber>, caller: Option<&Fiber>) {
    fibers.sort_unstable_by_key(|fiber| (Some(fiber) == caller, fiber.id()));
    fibers.iter().for_each(Fiber::kill);
}

/// What a fallible wait of this layer is cut short with.
pub(crate) fn join_error(interrupt: Interrupt) -> JoinError {
    match interrupt {
        Interrupt::Deadlock(report) => JoinError::Deadlock(report),
        // A wait with a deadline is not asked for its error.
        Interrupt::Killed | Interrupt::TimedOut => JoinError::CallerKilled,
    }
}

/// Hashes the ids of fibers, which are small and differ in their low bits.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(byte.into()));
    }

    fn write_u32(&mut self, n: u32) {
        self.write_u64(n.into());
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = (self.0.rotate_left(5) ^ n).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}
