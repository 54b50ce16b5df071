//! Owns a slab: one mapping that holds many slots of one class, carved from its low end.
//!
//! Invariants:
//! - Slots below `carved` are guarded; each is either in `idle` or handed out as exactly one
//!   `Stack`.
//! - Slots from `carved` on have never been touched: they are only addresses.
//! - A slab is unmapped only while all its carved slots are idle, so never under a stack.
#![allow(unsafe_code, reason = "maps, discards and unmaps the memory that stacks lie in")]

use std::io;
use std::num::NonZeroUsize;
use std::ptr;

use super::guard::{GuardRow, Guards};
use super::limits::Refused;
use super::size::SizeClass;
use super::slot::{Shape, Stack, page_size};

/// A function that maps the given number of bytes, readable and writable, zero, and backed only
/// once touched.
pub(super) type Map = fn(usize) -> io::Result<NonZeroUsize>;

/// One mapping of many slots.
#[derive(Debug)]
pub(super) struct Slab {
    /// The lowest address; slot `i` starts `i` strides above it.
    start: NonZeroUsize,
    class: SizeClass,
    /// Number of slots that the mapping has room for.
    slots: u32,
    /// Number of slots, from the low end, that have been guarded and handed out at least once.
    carved: u32,
    /// The carved slots over which no stack exists.
    idle: Vec<u32>,
}

impl Slab {
    /// Maps room for `slots` slots, and leaves at least `headroom` bytes that could be mapped as
    /// well.
    pub(super) fn map(class: SizeClass, slots: u32, headroom: usize, map: Map) -> io::Result<Slab> {
        let bytes = slots as usize * Shape::of(class).stride();
        let start = map(bytes + headroom)?;
        if headroom != 0 {
            // SAFETY: `unmap` requires whole pages of a mapping of this crate that nothing uses.
            // The tail was mapped just above, no address in it has been handed out, and both
            // `bytes` (whole slots) and `headroom` are multiples of the page size.
            unsafe { unmap(start.get() + bytes, headroom) };
        }
        Ok(Slab { start, class, slots, carved: 0, idle: Vec::new() })
    }

    /// Returns the lowest address, by which slabs are sorted.
    pub(super) fn start(&self) -> usize {
        self.start.get()
    }

    /// Returns how many slots the mapping has room for.
    pub(super) fn slots(&self) -> usize {
        self.slots as usize
    }

    /// Returns whether there is a slot that was never handed out.
    pub(super) fn has_room(&self) -> bool {
        self.carved < self.slots
    }

    /// Returns how many carved slots have no stack over them.
    pub(super) fn idle(&self) -> usize {
        self.idle.len()
    }

    /// Returns whether no stack lies in this slab.
    pub(super) fn is_unused(&self) -> bool {
        self.idle.len() == self.carved as usize
    }

    /// Guards up to `most` more slots and appends their stacks to `out`, the lowest last, so that
    /// popping hands them out in the order of their addresses.
    pub(super) fn carve(
        &mut self,
        most: usize,
        guards: Guards,
        out: &mut Vec<Stack>,
    ) -> Result<(), Refused> {
        let count = most.min((self.slots - self.carved) as usize);
        let shape = Shape::of(self.class);
        let row = GuardRow {
            start: self.limit(self.carved).get(),
            len: shape.guard,
            stride: shape.stride(),
            count,
        };
        // SAFETY: the row must lie in a mapping of this crate and contain nothing that is in use.
        // It covers the low ends of slots `carved..carved + count`, which are inside the mapping
        // (`count` is at most the number of slots left) and, by the type's invariant, have never
        // been handed out.
        unsafe { guards.install(&row)? };
        let first = self.carved;
        self.carved += count as u32;
        out.extend((first..self.carved).rev().map(|index| self.stack(index)));
        Ok(())
    }

    /// Appends up to `most` idle stacks to `out`; returns how many.
    pub(super) fn take(&mut self, most: usize, out: &mut Vec<Stack>) -> usize {
        let count = most.min(self.idle.len());
        for _ in 0..count {
            let index = self.idle.pop().expect("count is at most the number of idle slots");
            out.push(self.stack(index));
        }
        count
    }

    /// Takes back a stack of this slab.
    pub(super) fn give(&mut self, stack: Stack) {
        let offset = stack.limit().get() - self.start.get();
        let index = (offset / Shape::of(self.class).stride()) as u32;
        assert!(index < self.carved, "a stack was given to a slab that it does not come from");
        self.idle.push(index);
    }

    /// Unmaps the slab if no stack lies in it and the kernel agrees; returns whether it is
    /// unmapped.
    ///
    /// The kernel may refuse: it merges neighbouring mappings, and unmapping the middle of one
    /// creates one more mapping, the number of which is limited.
    pub(super) fn try_unmap(&mut self) -> bool {
        if !self.is_unused() {
            return false;
        }
        let bytes = self.slots() * Shape::of(self.class).stride();
        // SAFETY: `unmap` requires whole pages of a mapping of this crate that nothing uses. These
        // are the addresses that `map` obtained; every carved slot is idle, so no `Stack` exists
        // over them.
        let gone = unsafe { unmap(self.start.get(), bytes) };
        if gone {
            self.slots = 0;
            self.carved = 0;
            self.idle = Vec::new();
        }
        gone
    }

    fn stack(&self, index: u32) -> Stack {
        Stack::in_slot(self.limit(index), index as usize, self.class)
    }

    fn limit(&self, index: u32) -> NonZeroUsize {
        let offset = index as usize * Shape::of(self.class).stride();
        self.start.checked_add(offset).expect("a slot lies inside of its mapping")
    }
}

/// Gives the pages of idle stacks back to the kernel. The stacks and their guards stay.
///
/// The caller sorts the stacks by address, so that neighbours go in one call, guards included: a
/// call per stack would cost several times as much.
pub(super) fn discard(sorted: &[Stack]) {
    let mut rest = sorted;
    while let Some(first) = rest.first() {
        let stride = Shape::of(first.class()).stride();
        let start = first.limit().get();
        let run = rest.iter().enumerate();
        let run = run.take_while(|(i, stack)| stack.limit().get() == start + i * stride).count();
        // SAFETY: `discard_pages` requires whole pages of this crate whose contents are not needed.
        // They are whole slots, each owned through a `Stack` in `sorted`, and nothing runs on a
        // stack that its owner has given away.
        unsafe { discard_pages(start, run * stride) };
        rest = &rest[run..];
    }
}

/// Maps memory from the kernel; the [`Map`] of every real reserve.
pub(super) fn map_from_kernel(bytes: usize) -> io::Result<NonZeroUsize> {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: an anonymous private mapping at an address of the kernel's choice touches no memory
    // that exists; a null hint, no file and offset zero are what such a mapping requires.
    let start = unsafe { libc::mmap(ptr::null_mut(), bytes, access, MAP_FLAGS, -1, 0) };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    refuse_huge_pages(start, bytes);
    let start = start.expose_provenance();
    NonZeroUsize::new(start).ok_or_else(|| io::Error::other("the kernel mapped the zero page"))
}

/// Asks the system for the size of a page.
pub(super) fn system_page_size() -> usize {
    // SAFETY: `sysconf` has no preconditions.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(page).expect("sysconf(_SC_PAGESIZE) returns a positive number")
}

/// `MAP_NORESERVE`: most of a slab is never touched, so it must not count as promised memory.
#[cfg(target_os = "linux")]
const MAP_FLAGS: i32 = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
#[cfg(target_os = "openbsd")]
const MAP_FLAGS: i32 = libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_STACK;
#[cfg(not(any(target_os = "linux", target_os = "openbsd")))]
const MAP_FLAGS: i32 = libc::MAP_PRIVATE | libc::MAP_ANON;

/// Advises the kernel that a touch of one page must not back 2 MiB. A kernel without huge pages
/// refuses the call, with the same effect.
fn refuse_huge_pages(start: *mut libc::c_void, bytes: usize) {
    #[cfg(target_os = "linux")]
    // SAFETY: the range is a mapping just made; the advice changes none of its contents.
    unsafe {
        libc::madvise(start, bytes, libc::MADV_NOHUGEPAGE);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (start, bytes);
}

/// Drops the whole pages in a range of memory, and keeps the rest of it.
///
/// # Safety
///
/// The caller must own the memory, and its contents must not be needed.
pub(crate) unsafe fn discard_pages_in(start: usize, bytes: usize) {
    let page = page_size();
    let (first, end) = (start.next_multiple_of(page), (start + bytes) / page * page);
    if first < end {
        // SAFETY: these are whole pages, and the caller answers for the rest. That they were mapped
        // by an allocator and not by this crate makes no difference to the kernel, and none to the
        // allocator: the memory stays mapped, and its contents are undefined for it.
        unsafe { discard_pages(first, end - first) };
    }
}

/// Drops the pages of a range, which reads as zero afterwards on Linux.
///
/// # Safety
///
/// The range must be whole pages that the caller owns, and their contents must not be needed.
unsafe fn discard_pages(start: usize, bytes: usize) {
    let advice = if cfg!(target_os = "linux") { libc::MADV_DONTNEED } else { libc::MADV_FREE };
    // SAFETY: the caller answers for owning the range and its contents not being needed. A refusal
    // (locked memory) keeps the pages, which only wastes them.
    unsafe { libc::madvise(ptr::with_exposed_provenance_mut(start), bytes, advice) };
}

/// Unmaps a range; returns whether the kernel did so.
///
/// # Safety
///
/// The range must be whole pages of a mapping that this crate owns, and nothing may use them any
/// more.
unsafe fn unmap(start: usize, bytes: usize) -> bool {
    // SAFETY: the caller answers for the range being this crate's and unused.
    unsafe { libc::munmap(ptr::with_exposed_provenance_mut(start), bytes) == 0 }
}
