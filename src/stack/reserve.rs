//! Owns the process-wide reserve: every slab, and the stacks in them that no pool holds.
//!
//! Invariants:
//! - The slabs of a shelf are sorted by address, and all of them have the shelf's class.
//! - A stack in the reserve is cold: its pages were given back before it came here, or never
//!   touched.
//! - A refusal by the kernel loses nothing: slots that were carved before stay usable.

use std::io;
use std::sync::Mutex;

use super::guard::Guards;
use super::limits::Refused;
use super::quarantine::{MOST_CLOSED, Quarantine};
use super::size::SizeClass;
use super::slab::{self, Map, Slab};
use super::slot::{Shape, Stack, page_size};

/// The reserve that pools use.
pub(super) static RESERVE: Mutex<Reserve> =
    Mutex::new(Reserve::new(slab::map_from_kernel, Guards::of_this_system, MOST_QUARANTINED));

/// Number of stacks that stay closed for a while after their use: none, except where a sanitizer
/// can detect accesses to them.
const MOST_QUARANTINED: usize = if cfg!(sanitized) { MOST_CLOSED } else { 0 };

/// The most bytes of addresses in one slab, 32 GiB: a million stacks of 256 KiB then take fewer
/// than 30 mappings, and 128 TiB of addresses leave room for four thousand such slabs.
const LARGEST_SLAB: usize = 1 << if usize::BITS == 64 { 35 } else { 26 };
/// The most slots in one slab, so that small stacks too have several slabs that can be unmapped one
/// by one.
const MOST_SLOTS: usize = 1 << 16;
/// The size of the first slab of a class: 32 MiB of addresses, at most 64 slots. Each later one
/// doubles the total.
const FIRST_SLAB: usize = 32 << 20;

/// Bytes of idle addresses that are kept for each class before unused slabs are unmapped. An idle
/// stack costs the page tables of its slot, 1/512 of it: here 16 MiB, plus those of slabs that a
/// stack in use keeps.
const IDLE_BYTES: usize = 1 << if usize::BITS == 64 { 33 } else { 25 };

/// Bytes that are left for the rest of the program when addresses run out.
const HEADROOM: usize = 16 << 20;

/// Every slab of the process, shelved by class.
#[derive(Debug)]
pub(super) struct Reserve {
    shelves: [Shelf; SizeClass::COUNT],
    map: Map,
    guards: fn() -> Guards,
    quarantine: Quarantine,
}

impl Reserve {
    /// Creates an empty reserve over a mapper and a kind of guards, with a quarantine of up to
    /// `most_quarantined` stacks; tests pass their own.
    pub(super) const fn new(map: Map, guards: fn() -> Guards, most_quarantined: usize) -> Reserve {
        let shelves = [const { Shelf::new() }; SizeClass::COUNT];
        Reserve { shelves, map, guards, quarantine: Quarantine::new(most_quarantined) }
    }

    /// Appends at least one and at most `most` stacks of `class` to `out`: idle ones if there are
    /// any, otherwise new ones.
    pub(super) fn take(
        &mut self,
        class: SizeClass,
        most: usize,
        out: &mut Vec<Stack>,
    ) -> io::Result<()> {
        if self.shelves[class.index()].take(most, out) {
            return Ok(());
        }
        self.carve(class, most, out).or_else(|refused| {
            let closed = self.quarantine.release(class, (self.guards)());
            out.push(closed.ok_or_else(|| refused.into_error())?);
            Ok(())
        })
    }

    /// Takes back stacks of one class, whose pages were discarded; then unmaps unused slabs if more
    /// than enough stacks are idle.
    pub(super) fn give(&mut self, class: SizeClass, stacks: impl Iterator<Item = Stack>) {
        let shelf = &mut self.shelves[class.index()];
        for stack in stacks {
            shelf.give(stack);
        }
        shelf.unmap_unused(IDLE_BYTES / Shape::of(class).stride());
    }

    /// Unmaps every slab in which no stack is in use or held by a pool.
    pub(super) fn unmap_unused(&mut self) {
        self.shelves.iter_mut().for_each(|shelf| shelf.unmap_unused(0));
    }

    /// Closes a stack, and appends those to `out` that were closed long enough.
    pub(super) fn quarantine(&mut self, stack: Stack, out: &mut Vec<Stack>) {
        self.quarantine.exchange(stack, (self.guards)(), out);
    }

    /// Returns the bytes of addresses that all slabs take.
    pub(super) fn mapped_bytes(&self) -> usize {
        let shelves = self.shelves.iter().enumerate();
        shelves.map(|(i, shelf)| shelf.slots * Shape::of(SizeClass::from_index(i)).stride()).sum()
    }

    /// Returns how many stacks are in the reserve, of all classes.
    pub(super) fn idle(&self) -> usize {
        self.shelves.iter().map(|shelf| shelf.idle).sum()
    }

    fn carve(
        &mut self,
        class: SizeClass,
        most: usize,
        out: &mut Vec<Stack>,
    ) -> Result<(), Refused> {
        let guards = (self.guards)();
        if let Some(slab) = self.shelves[class.index()].with_room() {
            return slab.carve(most, guards, out);
        }
        let mut slab = self.map_slab(class)?;
        let carved = slab.carve(most, guards, out);
        self.shelves[class.index()].insert(slab);
        carved
    }

    /// Maps the next slab of a class: as large as all before it together, or as much of that as the
    /// kernel grants.
    fn map_slab(&mut self, class: SizeClass) -> Result<Slab, Refused> {
        let mut slots = self.shelves[class.index()].next_slab(class);
        if let Ok(slab) = Slab::map(class, slots, 0, self.map) {
            return Ok(slab);
        }
        self.unmap_unused();
        let headroom = HEADROOM.next_multiple_of(page_size());
        loop {
            match Slab::map(class, slots, headroom, self.map) {
                Ok(slab) => return Ok(slab),
                Err(error) if slots == 1 => {
                    return Err(Refused::Map(Shape::of(class).stride(), error));
                }
                Err(_) => slots /= 2,
            }
        }
    }
}

/// The slabs of one class.
#[derive(Debug)]
struct Shelf {
    slabs: Vec<Slab>,
    /// Number of slots that all slabs have room for.
    slots: usize,
    /// Number of idle slots in all slabs.
    idle: usize,
}

impl Shelf {
    const fn new() -> Shelf {
        Shelf { slabs: Vec::new(), slots: 0, idle: 0 }
    }

    /// Appends up to `most` idle stacks to `out`; returns whether there were any.
    ///
    /// The kernel maps downwards, so the slabs at high addresses are the older and smaller ones.
    /// Using those first lets the large ones become idle as a whole.
    fn take(&mut self, most: usize, out: &mut Vec<Stack>) -> bool {
        let mut taken = 0;
        for slab in self.slabs.iter_mut().rev() {
            if taken == most || taken == self.idle {
                break;
            }
            taken += slab.take(most - taken, out);
        }
        self.idle -= taken;
        taken != 0
    }

    fn give(&mut self, stack: Stack) {
        let after = self.slabs.partition_point(|slab| slab.start() <= stack.limit().get());
        self.slabs[after - 1].give(stack);
        self.idle += 1;
    }

    fn with_room(&mut self) -> Option<&mut Slab> {
        self.slabs.iter_mut().find(|slab| slab.has_room())
    }

    fn insert(&mut self, slab: Slab) {
        let at = self.slabs.partition_point(|other| other.start() < slab.start());
        self.slots += slab.slots();
        self.slabs.insert(at, slab);
    }

    /// Returns how many slots the next slab gets.
    fn next_slab(&self, class: SizeClass) -> u32 {
        let stride = Shape::of(class).stride();
        let first = (FIRST_SLAB / stride).clamp(1, 64);
        let most = (LARGEST_SLAB / stride).clamp(1, MOST_SLOTS);
        self.slots.clamp(first, most) as u32
    }

    /// Unmaps unused slabs as long as at least `keep` idle stacks remain.
    fn unmap_unused(&mut self, keep: usize) {
        if self.idle <= keep && keep != 0 {
            return;
        }
        let (idle, slots) = (&mut self.idle, &mut self.slots);
        self.slabs.retain_mut(|slab| {
            let (its_idle, its_slots) = (slab.idle(), slab.slots());
            let gone = keep <= *idle - its_idle && slab.try_unmap();
            if gone {
                *idle -= its_idle;
                *slots -= its_slots;
            }
            !gone
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::testing::{every_kind_of_guards, reserve};
    use std::cell::Cell;
    use std::num::NonZeroUsize;

    thread_local! {
        /// Number of bytes that `stingy` can still map.
        static LEFT: Cell<usize> = const { Cell::new(0) };
    }

    /// A mapper that runs out of addresses. Unmapping returns nothing to it.
    fn stingy(bytes: usize) -> io::Result<NonZeroUsize> {
        if LEFT.get() < bytes {
            return Err(io::Error::from_raw_os_error(libc::ENOMEM));
        }
        LEFT.set(LEFT.get() - bytes);
        slab::map_from_kernel(bytes)
    }

    fn stride(class: SizeClass) -> usize {
        Shape::of(class).stride()
    }

    #[test]
    fn slabs_double_until_a_million_stacks_take_few_mappings() {
        for bytes in [64 << 10, 256 << 10] {
            let class = SizeClass::for_bytes(bytes);
            let mut shelf = Shelf::new();
            let mut slabs = 0;
            while shelf.slots < 1_000_000 {
                let next = shelf.next_slab(class) as usize;
                assert!(next <= MOST_SLOTS && next * stride(class) <= LARGEST_SLAB);
                shelf.slots += next;
                slabs += 1;
            }
            assert!(slabs <= 30, "{slabs} slabs for a million stacks of {bytes} bytes");
        }
    }

    #[test]
    fn the_largest_class_starts_with_one_slot() {
        assert_eq!(Shelf::new().next_slab(SizeClass::for_bytes(1 << 30)), 1);
    }

    #[test]
    #[cfg_attr(sanitized, ignore = "the sanitizer has memory and handlers of its own")]
    fn a_refused_slab_is_tried_smaller_before_the_error() {
        let class = SizeClass::for_bytes(256 << 10);
        LEFT.set(HEADROOM + 5 * stride(class));
        let reserve = reserve(stingy, Guards::of_this_system);
        let mut reserve = reserve.lock().unwrap();
        let mut stacks = Vec::new();
        reserve.take(class, 64, &mut stacks).unwrap();
        assert_eq!(stacks.len(), 4);
        let error = reserve.take(class, 64, &mut stacks).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::OutOfMemory);
        assert!(error.to_string().contains("cannot map another fiber stack"), "{error}");
        // What was given back can be taken again.
        reserve.give(class, stacks.drain(..2));
        reserve.take(class, 64, &mut stacks).unwrap();
        assert_eq!((stacks.len(), reserve.idle()), (4, 0));
        stacks.into_iter().for_each(|stack| reserve.give(class, std::iter::once(stack)));
        assert_eq!(reserve.idle(), 4);
    }

    #[test]
    fn unused_slabs_are_unmapped_beyond_the_limit_and_used_ones_are_not() {
        for guards in every_kind_of_guards() {
            let class = SizeClass::for_bytes(1 << 30);
            let keep = IDLE_BYTES / stride(class);
            let reserve = reserve(slab::map_from_kernel, guards);
            let mut reserve = reserve.lock().unwrap();
            let mut stacks = Vec::new();
            while stacks.len() < 4 * keep {
                reserve.take(class, 1, &mut stacks).unwrap();
            }
            let all = reserve.mapped_bytes();
            let used = stacks.pop().unwrap();
            reserve.give(class, stacks.into_iter());
            assert!(reserve.mapped_bytes() < all);
            assert!(keep <= reserve.idle() && reserve.idle() < 4 * keep - 1, "{}", reserve.idle());
            crate::stack::testing::touch(used.base().get(), 9);
            assert_eq!(crate::stack::testing::look(used.base().get()), 9);
            reserve.give(class, std::iter::once(used));
        }
    }

    #[test]
    fn addresses_that_idle_in_one_class_are_there_for_another() {
        let class = SizeClass::for_bytes(64 << 10);
        LEFT.set(HEADROOM + 64 * stride(class));
        let reserve = reserve(stingy, Guards::of_this_system);
        let mut reserve = reserve.lock().unwrap();
        let mut stacks = Vec::new();
        reserve.take(class, 64, &mut stacks).unwrap();
        reserve.give(class, stacks.drain(..));
        assert_ne!(reserve.mapped_bytes(), 0);
        // The next class does not fit, so idle slabs are unmapped before the second try.
        reserve.take(SizeClass::MAIN, 1, &mut stacks).unwrap_err();
        assert_eq!(reserve.mapped_bytes(), 0);
    }

    #[test]
    fn the_bytes_mapped_are_counted_by_class() {
        let reserve = reserve(slab::map_from_kernel, Guards::of_this_system);
        let mut reserve = reserve.lock().unwrap();
        let mut stacks = Vec::new();
        reserve.take(SizeClass::DEFAULT, 1, &mut stacks).unwrap();
        let one_slab = Shelf::new().next_slab(SizeClass::DEFAULT) as usize;
        assert_eq!(reserve.mapped_bytes(), one_slab * stride(SizeClass::DEFAULT));
        assert!(page_size() <= reserve.mapped_bytes());
        reserve.give(SizeClass::DEFAULT, stacks.into_iter());
    }
}
