//! One chunk: memory for many records of one size, which goes back to the allocator as a whole.
//!
//! ```text
//!   a multiple of ALIGN
//!   v
//!  +-------+-------+-------+--------+-------+-------+--- - - -
//!  | Chunk | block | block | free --> free ->  block | not carved: never written to
//!  +-------+-------+-------+--------+-------+-------+--- - - -
//! ```
//!
//! Invariants:
//! - A chunk is smaller than its alignment, so the address of a block gives that of its chunk.
//! - Each carved block is either in use or in the chunk's list of free blocks. Those that a
//!   [`Shelf`](crate::fiber::shelves::Shelf) keeps at hand count as in use.
//! - A free block begins with the address of the next free one of its chunk.
//! - All of it is used by one thread.

#![allow(unsafe_code, reason = "allocates chunks, and links their free blocks")]

use std::alloc::{self, Layout};
use std::cell::Cell;
use std::ptr::{self, NonNull};

use crate::stack;

/// The alignment of chunks: a power of two. It is a multiple of the size of a page where that is up
/// to 16 KiB.
const ALIGN: usize = 32 << 10;

/// The alignment of blocks: that of a cache line.
pub(crate) const LINE: usize = 64;

/// The size of a chunk. An allocator that puts some words of its own between two allocations still
/// finds room for one chunk in each `ALIGN` bytes.
const SIZE: usize = ALIGN - LINE;

/// The number of blocks that are carved at a time.
const CARVED: usize = 16;

/// The part at the start of a chunk that describes it.
#[derive(Debug)]
#[repr(C, align(64))]
struct Chunk {
    /// The first free block.
    free: Cell<*mut u8>,
    /// The size of its blocks, in bytes: a multiple of `LINE`.
    block: usize,
    /// The bytes, from the start of the chunk, that were carved so far.
    carved: Cell<usize>,
    /// The number of blocks in use.
    used: Cell<usize>,
    /// Its neighbours in a [`List`].
    next: Cell<Option<ChunkPtr>>,
    previous: Cell<Option<ChunkPtr>>,
}

const _: () = assert!(size_of::<Chunk>() == LINE);

/// The only pointer to a chunk that its shelf holds, or a copy of it.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) struct ChunkPtr(NonNull<Chunk>);

impl ChunkPtr {
    /// Allocates a chunk for blocks of that many bytes. None of them is carved.
    pub(crate) fn allocate(block: usize) -> ChunkPtr {
        // SAFETY: the size of the layout is not zero.
        let start = unsafe { alloc::alloc(LAYOUT) };
        let Some(chunk) = NonNull::new(start.cast::<Chunk>()) else {
            alloc::handle_alloc_error(LAYOUT)
        };
        let head = Chunk {
            free: Cell::new(ptr::null_mut()),
            block,
            carved: Cell::new(LINE),
            used: Cell::new(0),
            next: Cell::new(None),
            previous: Cell::new(None),
        };
        // SAFETY: the memory was just allocated, is larger than the head, and aligned for it.
        unsafe { chunk.write(head) };
        ChunkPtr(chunk)
    }

    /// Gives the memory back to the allocator. With `discard` its pages go back to the system
    /// first, whatever the allocator keeps.
    ///
    /// # Safety
    ///
    /// No block may be in use, and the chunk must be in no list and not used again.
    pub(crate) unsafe fn free(self, discard: bool) {
        if discard && cfg!(not(miri)) {
            // SAFETY: `discard_pages_in` requires memory that the caller owns, and whose contents
            // are not needed: it is all of the chunk, of which nothing is in use.
            unsafe { stack::discard_pages_in(self.0.addr().get(), SIZE) };
        }
        // SAFETY: `allocate` has allocated it with this layout, and nothing uses it (the caller's
        // promise).
        unsafe { alloc::dealloc(self.0.as_ptr().cast(), LAYOUT) };
    }

    /// Returns the chunk that holds `block`.
    ///
    /// # Safety
    ///
    /// `block` must have been carved from a chunk.
    #[inline(always)]
    pub(crate) unsafe fn of(block: NonNull<u8>) -> ChunkPtr {
        let start = block.as_ptr().map_addr(|address| address & !(ALIGN - 1));
        // SAFETY: the block lies in a chunk (the caller's promise), which starts at a multiple of
        // `ALIGN` and is smaller, so the result points to that start, which is not null.
        ChunkPtr(unsafe { NonNull::new_unchecked(start.cast()) })
    }

    fn head(&self) -> &Chunk {
        // SAFETY: the head was written by `allocate`, and the owner of the pointer does not use it
        // after `free`. All of its fields that change are cells, and no `&mut` to it exists.
        unsafe { self.0.as_ref() }
    }

    /// Returns whether all its blocks are in use.
    pub(crate) fn is_full(self) -> bool {
        self.head().free.get().is_null() && !self.has_uncarved()
    }

    /// Returns whether none of its blocks is in use.
    pub(crate) fn is_unused(self) -> bool {
        self.head().used.get() == 0
    }

    fn has_uncarved(self) -> bool {
        self.head().carved.get() + self.head().block <= SIZE
    }

    /// Takes a block back.
    ///
    /// # Safety
    ///
    /// `block` must be in use, one of this chunk, and not used again.
    pub(crate) unsafe fn give(self, block: NonNull<u8>) {
        let head = self.head();
        // SAFETY: the block is large enough and aligned for an address, and unused from now on (the
        // caller's promise).
        unsafe { link(block, head.free.get()) };
        head.free.set(block.as_ptr());
        head.used.set(head.used.get() - 1);
    }

    /// Forgets which blocks were carved, so that they are handed out in the order of their
    /// addresses again. None may be in use.
    pub(crate) fn reset(self) {
        debug_assert!(self.is_unused());
        self.head().free.set(ptr::null_mut());
        self.head().carved.set(LINE);
    }

    /// Takes up to `most` blocks, as a list. Returns the first of them, and their number; null and
    /// 0 if all are in use.
    pub(crate) fn take(self, most: usize) -> (*mut u8, usize) {
        let head = self.head();
        if head.free.get().is_null() {
            head.free.set(self.carve());
        }
        let first = head.free.get();
        let (mut last, mut rest, mut count) = (None, NonNull::new(first), 0);
        while let Some(block) = rest.filter(|_| count < most) {
            (last, count) = (rest, count + 1);
            // SAFETY: the block is in the list of free ones, so it was linked.
            rest = NonNull::new(unsafe { next(block) });
        }
        let Some(last) = last else { return (ptr::null_mut(), 0) };
        head.free.set(rest.map_or(ptr::null_mut(), NonNull::as_ptr));
        head.used.set(head.used.get() + count);
        // SAFETY: the block was free until now, and is the caller's from now on.
        unsafe { link(last, ptr::null_mut()) };
        (first, count)
    }

    /// Carves a few blocks, and returns them as a list in the order of their addresses.
    fn carve(self) -> *mut u8 {
        let head = self.head();
        let first = head.carved.get();
        let count = ((SIZE - first) / head.block).min(CARVED);
        let start = self.0.as_ptr().cast::<u8>();
        let mut list = ptr::null_mut();
        for i in (0..count).rev() {
            // SAFETY: the block lies within the chunk, because there is room for `count` of them.
            let block = unsafe { NonNull::new_unchecked(start.add(first + i * head.block)) };
            // SAFETY: it is large enough and aligned for an address, and nothing uses it so far.
            unsafe { link(block, list) };
            list = block.as_ptr();
        }
        head.carved.set(first + count * head.block);
        list
    }
}

const LAYOUT: Layout = match Layout::from_size_align(SIZE, ALIGN) {
    Ok(layout) => layout,
    Err(_) => panic!("the alignment is a power of two, and the size is small"),
};

/// Returns the address with which the free `block` begins.
///
/// # Safety
///
/// `block` must be free, and have been linked.
#[inline(always)]
pub(crate) unsafe fn next(block: NonNull<u8>) -> *mut u8 {
    // SAFETY: a free block begins with an address (the caller's promise).
    unsafe { block.cast::<*mut u8>().read() }
}

/// Makes the free `block` begin with the address `next`.
///
/// # Safety
///
/// `block` must be a block of a chunk that nothing uses.
#[inline(always)]
pub(crate) unsafe fn link(block: NonNull<u8>, next: *mut u8) {
    // SAFETY: blocks are aligned to `LINE` and at least as large, and nothing uses this one (the
    // caller's promise).
    unsafe { block.cast::<*mut u8>().write(next) };
}

/// Chunks that are linked to each other. A chunk is in at most one list.
#[derive(Debug)]
pub(crate) struct List(Cell<Option<ChunkPtr>>);

impl List {
    pub(crate) const fn new() -> List {
        List(Cell::new(None))
    }

    pub(crate) fn push(&self, chunk: ChunkPtr) {
        let first = self.0.replace(Some(chunk));
        chunk.head().next.set(first);
        chunk.head().previous.set(None);
        if let Some(first) = first {
            first.head().previous.set(Some(chunk));
        }
    }

    /// Returns the chunk that was pushed last.
    pub(crate) fn first(&self) -> Option<ChunkPtr> {
        self.0.get()
    }

    /// Takes the chunk that was pushed last.
    pub(crate) fn pop(&self) -> Option<ChunkPtr> {
        let first = self.first()?;
        self.remove(first);
        Some(first)
    }

    /// Removes `chunk`, which must be in this list.
    pub(crate) fn remove(&self, chunk: ChunkPtr) {
        let (next, previous) = (chunk.head().next.get(), chunk.head().previous.get());
        match previous {
            Some(previous) => previous.head().next.set(next),
            None => self.0.set(next),
        }
        if let Some(next) = next {
            next.head().previous.set(previous);
        }
    }
}
