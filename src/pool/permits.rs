//! The permits of a pool: which members hold one, and which fibers wait for one.
//!
//! ```text
//!   acquire: a permit is free -> taken        members with a permit   <= size, always
//!            none is free     -> the line     members without one:
//!   leave:   the first of the line gets the     - have lent it to the member that they wait for
//!            permit, else it is free            - have released it while they wait for results
//!                                               - were spawned into a pool that was killed
//! ```
//!
//! Invariants:
//! - `used` is the number of members with a permit, plus the fibers that were given one and have
//!   not spawned their member yet. It never exceeds `size`. The line is empty unless all permits
//!   are used.
//! - A permit has one next owner at any time. When a member ends, its permit goes to the member
//!   that lent it, if that is still alive, else to the first of the line.
//! - A member has left when its fiber counts as ended, or was abandoned: none of its code runs
//!   under a permit that another member holds. This file is plain data, because its hook runs after
//!   the last user code of a fiber.
//! - A member never holds a permit while it waits for its own pool. So a pool cannot deadlock by
//!   itself, however its members use it.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::mem;
use std::rc::Rc;

use crate::collections::slot_table::{Key, SlotTable};
use crate::fiber::exit::JoinError;
use crate::fiber::id::FiberId;
use crate::pool::line::Line;
use crate::sched::api::handle::{Fiber, tell_of_end};
use crate::sched::core::hooks::EndHook;
use crate::sched::lowlevel::{CurrentFiber, Interrupt, OnDeadlock, WaitReason};

static IDLE: WaitReason =
    WaitReason::new("waiting for the members of a pool to end", OnDeadlock::Fail);

/// Which spawns a pool accepts.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum Taking {
    /// All spawns.
    Open,
    /// Spawns by its members.
    Closed,
    /// All spawns, and each new member is killed.
    Killed,
}

/// The outcome of an attempt to acquire a permit.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum Acquired {
    /// The caller has a permit, for a member that it is about to spawn.
    Permit,
    /// The pool was killed: the member gets no permit, and is killed before it runs.
    Killed,
}

/// The permits and the members of a pool.
#[derive(Debug)]
pub(crate) struct Permits {
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
    has_permit: Cell<bool>,
    /// The member that has lent the permit.
    lender: Option<Key>,
}

/// The membership of a fiber that is about to be spawned. Dropping it before that releases the
/// permit.
#[derive(Debug)]
#[must_use]
pub(crate) struct Reservation<'a> {
    permits: &'a Rc<Permits>,
    key: Key,
}

/// A member that has released its permit and takes one again by [`reacquire`](Released::reacquire).
/// If this is dropped by an unwind instead, the member ends without a permit.
#[derive(Debug)]
#[must_use]
pub(crate) struct Released<'a> {
    permits: &'a Permits,
    key: Key,
}

impl Permits {
    pub(crate) fn new(size: usize) -> Rc<Permits> {
        Rc::new(Permits {
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

    /// Returns the key of `fiber` if it is a member.
    pub(crate) fn key_of(&self, fiber: FiberId) -> Option<Key> {
        self.keys.borrow().get(&fiber).copied()
    }

    /// Returns whether the pool accepts what the current fiber spawns.
    pub(crate) fn admits(&self, current: CurrentFiber) -> bool {
        self.taking.get() != Taking::Closed || self.key_of(current.fiber.id()).is_some()
    }

    /// Takes a permit if one is free.
    #[inline]
    pub(crate) fn try_acquire(&self) -> Option<Acquired> {
        if self.taking.get() == Taking::Killed {
            return Some(Acquired::Killed);
        }
        if self.size <= self.used.get() {
            return None;
        }
        self.used.set(self.used.get() + 1);
        Some(Acquired::Permit)
    }

    /// Waits for a permit and takes it; with a deadline, waits no longer than until `by`.
    #[inline]
    #[track_caller]
    pub(crate) fn acquire(
        &self,
        current: CurrentFiber,
        by: Option<u64>,
        reason: &'static WaitReason,
    ) -> Result<Acquired, Interrupt> {
        if let Some(acquired) = self.try_acquire() {
            return Ok(acquired);
        }
        let served = self.line.wait(current, by, reason)?;
        Ok(if served { Acquired::Permit } else { Acquired::Killed })
    }

    /// Adds a member that is about to be spawned, with the permit that was `acquired`, if any.
    pub(crate) fn reserve(self: &Rc<Permits>, acquired: Acquired) -> Reservation<'_> {
        self.add_member(acquired == Acquired::Permit, None)
    }

    /// Adds a member that is about to be spawned, with the permit of `lender`.
    pub(crate) fn reserve_lent_by(self: &Rc<Permits>, lender: Key) -> Reservation<'_> {
        let has_permit = self.members.borrow().get(lender).is_some_and(|m| m.has_permit.take());
        self.add_member(has_permit, Some(lender))
    }

    fn add_member(self: &Rc<Permits>, has_permit: bool, lender: Option<Key>) -> Reservation<'_> {
        let member = Member { fiber: OnceCell::new(), has_permit: Cell::new(has_permit), lender };
        let key = self.members.borrow_mut().insert(member);
        Reservation { permits: self, key }
    }

    /// Returns the number of members, including those without a permit.
    #[cfg(feature = "net")]
    pub(crate) fn members(&self) -> usize {
        self.keys.borrow().len()
    }

    pub(crate) fn has_permit(&self, key: Key) -> bool {
        self.members.borrow().get(key).is_some_and(|member| member.has_permit.get())
    }

    /// Releases the permit of the current fiber, if it is a member that has one.
    pub(crate) fn release_current(&self, current: CurrentFiber) -> Option<Released<'_>> {
        let key = self.key_of(current.fiber.id())?;
        if !self.members.borrow().get(key)?.has_permit.take() {
            return None;
        }
        self.release();
        Some(Released { permits: self, key })
    }

    /// Takes a permit again for the member of `key`, and waits for one if necessary.
    #[track_caller]
    pub(crate) fn reacquire(
        &self,
        current: CurrentFiber,
        key: Key,
        reason: &'static WaitReason,
    ) -> Result<(), Interrupt> {
        if self.acquire(current, None, reason)? == Acquired::Killed {
            return Ok(());
        }
        match self.members.borrow().get(key) {
            // A member to which it lent its permit may have returned that meanwhile.
            Some(member) if !member.has_permit.get() => member.has_permit.set(true),
            _ => self.release(),
        }
        Ok(())
    }

    /// Waits until no member runs, with or without a permit, and no fiber waits for one.
    #[track_caller]
    pub(crate) fn wait_until_idle(
        &self,
        current: CurrentFiber,
        by: Option<u64>,
    ) -> Result<(), Interrupt> {
        while !self.is_idle() {
            self.idle.wait(current, by, &IDLE)?;
        }
        Ok(())
    }

    fn is_idle(&self) -> bool {
        self.used.get() == 0 && self.keys.borrow().is_empty()
    }

    fn release_if_idle(&self) {
        if self.is_idle() {
            self.idle.release_all();
        }
    }

    /// Accepts only what members spawn from now on.
    pub(crate) fn close(&self) {
        if self.taking.get() == Taking::Open {
            self.taking.set(Taking::Closed);
        }
    }

    /// Kills all members, and all that are spawned later. Unwinds if the caller is a member.
    pub(crate) fn kill(&self, caller: Option<&Fiber>) {
        self.taking.set(Taking::Killed);
        self.line.release_all();
        let members = self.members.borrow();
        let fibers = members.iter().filter_map(|(_, member)| member.fiber.get().cloned());
        let fibers: Vec<Fiber> = fibers.collect();
        drop(members);
        kill_all(fibers, caller);
    }

    /// Passes a free permit to the first of the line, if there is one.
    fn release(&self) {
        if self.line.serve() {
            return;
        }
        self.used.set(self.used.get() - 1);
        self.release_if_idle();
    }

    fn leave(&self, key: Key) {
        let Some(member) = self.members.borrow_mut().remove(key) else { return };
        if let Some(fiber) = member.fiber.get() {
            self.keys.borrow_mut().remove(&fiber.id());
        }
        if !member.has_permit.get() {
            return self.release_if_idle();
        }
        let members = self.members.borrow();
        let lender = member.lender.and_then(|lender| members.get(lender));
        if lender.is_none_or(|lender| lender.has_permit.replace(true)) {
            drop(members);
            self.release();
        }
    }
}

impl EndHook for Permits {
    fn ended(&self, key: Key) {
        self.leave(key);
    }
}

impl Reservation<'_> {
    /// Makes `fiber`, which was just spawned, the member of this reservation until it ends.
    pub(crate) fn assign(self, fiber: &Fiber) {
        let Reservation { permits, key } = self;
        // The guard only borrows, so forgetting it leaks nothing.
        mem::forget(self);
        if let Some(member) = permits.members.borrow().get(key) {
            let vacant = member.fiber.set(fiber.clone()).is_ok();
            debug_assert!(vacant, "a reservation is for one fiber");
            permits.keys.borrow_mut().insert(fiber.id(), key);
        }
        tell_of_end(fiber, permits.clone(), key);
        // The pool may have been killed while the fiber was spawned, because that runs user code.
        if permits.taking.get() == Taking::Killed {
            fiber.kill();
        }
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.permits.leave(self.key);
    }
}

impl Released<'_> {
    #[track_caller]
    pub(crate) fn reacquire(
        self,
        current: CurrentFiber,
        reason: &'static WaitReason,
    ) -> Result<(), Interrupt> {
        self.permits.reacquire(current, self.key, reason)
    }
}

/// Kills `fibers`, the oldest first, and `caller` last, because killing the caller unwinds.
pub(crate) fn kill_all(mut fibers: Vec<Fiber>, caller: Option<&Fiber>) {
    fibers.sort_unstable_by_key(|fiber| (Some(fiber) == caller, fiber.id()));
    fibers.iter().for_each(Fiber::kill);
}

/// Returns the error of a fallible wait that `interrupt` has ended.
pub(crate) fn join_error(interrupt: Interrupt) -> JoinError {
    match interrupt {
        Interrupt::Deadlock(report) => JoinError::Deadlock(report),
        // The callers of waits with a deadline do not ask for this error.
        Interrupt::Killed | Interrupt::TimedOut => JoinError::CallerKilled,
    }
}

/// A hasher for the ids of fibers, which are small and differ in their low bits.
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
