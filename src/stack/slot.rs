//! Owns the shape of a slot (guard, usable pages, colour) and [`Stack`], the right to use one.
//!
//! Invariants:
//! - The stride of every class is an odd number of pages.
//! - A live `Stack` is the only one over its slot, and its guard is in place.

#![allow(unsafe_code, reason = "saves a check on the path of a switch")]

use std::fmt;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::size::SizeClass;

/// Exclusive ownership of one stack: the range `limit..top` of the picture in the parent module.
///
/// Dropping it without giving it back to a pool leaks its memory forever, which is always sound.
///
/// # Implementation notes
///
/// ```text
///   63                                                      6 5          0
///   ┌────────────────────────────────────────────────────────┬────────────┐
///   │ base, a multiple of 64                                 │ class      │
///   └────────────────────────────────────────────────────────┴────────────┘
/// ```
///
/// Everything else follows from these two. One word travels in a register: as a struct of three
/// words a stack went through memory at each move, and a `take` and `give` took 8 ns instead of
/// 1.3.
#[must_use = "a stack that is dropped is leaked; give it back to a pool"]
pub(crate) struct Stack(NonZeroUsize);

/// The alignment of every base. The bits of a [`Stack`] below it hold its class.
const BASE_ALIGN: usize = 64;
/// The smallest page size that exists. Tops are multiples of it, and it is larger than every
/// colour.
const SMALLEST_PAGE: usize = 4096;

impl Stack {
    /// Creates the stack in the slot that starts at `limit` and has number `index` in its slab.
    pub(super) fn in_slot(limit: NonZeroUsize, index: usize, class: SizeClass) -> Stack {
        let base = limit.get() + Shape::of(class).stride() - colour(index);
        debug_assert!(base % BASE_ALIGN == 0);
        Stack(NonZeroUsize::new(base | class.index()).expect("a mapped slot ends above zero"))
    }

    /// Returns the address from which the stack grows downwards: the slot's top minus its colour.
    /// It is aligned to 64 bytes.
    #[inline]
    pub(crate) fn base(&self) -> NonZeroUsize {
        // SAFETY: `in_slot` stored a base, which lies above a guard, so it is not zero.
        unsafe { NonZeroUsize::new_unchecked(self.0.get() & !(BASE_ALIGN - 1)) }
    }

    /// Returns the lowest address of the slot, guard included.
    pub(crate) fn limit(&self) -> NonZeroUsize {
        let top = self.base().get().next_multiple_of(SMALLEST_PAGE);
        NonZeroUsize::new(top - Shape::of(self.class()).stride())
            .expect("the kernel maps nothing at zero")
    }

    /// Returns the addresses where every access faults.
    pub(crate) fn guard(&self) -> Range<usize> {
        let start = self.limit().get();
        start..start + Shape::of(self.class()).guard
    }

    /// Returns the addresses that can be used.
    #[cfg(feature = "diagnostics")]
    pub(crate) fn range(&self) -> Range<usize> {
        self.guard().end..self.base().get()
    }

    /// Returns how many bytes can be used, between the guard and the base.
    #[cfg(test)]
    pub(crate) fn usable(&self) -> usize {
        self.base().get() - self.guard().end
    }

    /// Returns the size class from which this stack was taken and to which it must be given back.
    #[inline]
    pub(crate) fn class(&self) -> SizeClass {
        SizeClass::from_index(self.0.get() % BASE_ALIGN)
    }
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stack({:#x}..{:#x})", self.guard().end, self.base())
    }
}

/// Returns the guard under the stack of `class` whose top page holds `address`. Async-signal-safe.
pub(crate) fn guard_under(address: usize, class: SizeClass) -> Range<usize> {
    let shape = Shape::of(class);
    let limit = address.next_multiple_of(SMALLEST_PAGE) - shape.stride();
    limit..limit + shape.guard
}

/// The parts of a slot of some class, in bytes; all are multiples of the page size.
#[derive(Copy, Clone, Debug)]
pub(super) struct Shape {
    /// Size of the guard, at the low end.
    pub(super) guard: usize,
    /// Size of the usable pages above it.
    pub(super) usable: usize,
}

impl Shape {
    /// Returns the shape of the slots of `class` on this machine.
    pub(super) fn of(class: SizeClass) -> Shape {
        Shape::with_page(class, page_size())
    }

    /// Returns the distance from one slot to the next.
    pub(super) fn stride(self) -> usize {
        self.guard + self.usable
    }

    fn with_page(class: SizeClass, page: usize) -> Shape {
        let pages = class.bytes().div_ceil(page);
        // The number of pages is odd only where a page is as large as the smallest classes.
        let guard_pages = if pages % 2 == 0 { 17 } else { 18 };
        Shape { guard: guard_pages * page, usable: pages * page }
    }
}

/// Returns the size of a page. After the first call it is one relaxed load, and async-signal-safe.
pub(super) fn page_size() -> usize {
    static PAGE: AtomicUsize = AtomicUsize::new(0);
    let known = PAGE.load(Ordering::Relaxed);
    if known != 0 {
        return known;
    }
    let page = super::slab::system_page_size();
    PAGE.store(page, Ordering::Relaxed);
    page
}

/// Returns how far the base of slot number `index` lies below its top: a different cache line of
/// the top page for each of 32 neighbours.
fn colour(index: usize) -> usize {
    index % 32 * 64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_stack_is_a_word() {
        assert_eq!(size_of::<Stack>(), size_of::<usize>());
        assert_eq!(size_of::<Option<Stack>>(), size_of::<usize>());
        const { assert!(SizeClass::COUNT <= BASE_ALIGN) };
    }

    #[test]
    fn the_stride_is_odd_in_pages_for_every_class_and_page_size() {
        for index in 0..SizeClass::COUNT {
            for page in [4 << 10, 16 << 10, 64 << 10] {
                let shape = Shape::with_page(SizeClass::from_index(index), page);
                assert_eq!(shape.stride() % page, 0);
                assert_eq!(shape.stride() / page % 2, 1, "class {index}, page {page}");
                assert!(17 * page <= shape.guard);
                assert!(SizeClass::from_index(index).bytes() <= shape.usable);
            }
        }
    }

    #[test]
    fn neighbours_differ_in_colour_and_stay_in_the_top_page() {
        let colours: HashSet<_> = (0..32).map(colour).collect();
        assert_eq!(colours.len(), 32);
        assert!((0..1000).all(|index| colour(index) < 2048 && colour(index) % 64 == 0));
        assert_eq!(colour(0), colour(32));
    }

    #[test]
    fn a_stack_lies_in_its_slot() {
        let limit = NonZeroUsize::new(1 << 30).unwrap();
        for index in [0, 1, 31, 32, 33] {
            let stack = Stack::in_slot(limit, index, SizeClass::DEFAULT);
            let shape = Shape::of(SizeClass::DEFAULT);
            assert_eq!((stack.limit(), stack.class()), (limit, SizeClass::DEFAULT));
            assert_eq!(stack.guard(), limit.get()..limit.get() + shape.guard);
            assert_eq!(stack.base().get() % 64, 0);
            assert_eq!(stack.usable(), shape.usable - colour(index));
            assert_eq!(stack.base().get(), stack.guard().end + stack.usable());
        }
    }
}
