//! Owns the sizes that stacks come in.
//!
//! Invariant: a [`SizeClass`] holds an index below [`SizeClass::COUNT`].

/// A size class: a power of two of usable bytes, from 16 KiB to 1 GiB.
///
/// Few sizes make idle stacks interchangeable, and the kernel backs only the pages that are
/// touched, so rounding up costs addresses and no memory.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) struct SizeClass(u8);

/// Binary logarithm of the smallest class.
const SMALLEST: u32 = 14;
/// Binary logarithm of the largest class.
const LARGEST: u32 = 30;

impl SizeClass {
    /// Number of classes.
    pub(crate) const COUNT: usize = (LARGEST - SMALLEST + 1) as usize;

    /// The class of a fiber's stack if no size was asked for. Without optimisation, and with a
    /// sanitizer, frames are several times larger, so the default is larger too.
    pub(crate) const DEFAULT: SizeClass =
        SizeClass::for_bytes(if cfg!(any(debug_assertions, sanitized)) {
            1 << 20
        } else {
            256 << 10
        });

    /// The class of the main fiber's stack if no other size was set: as large as the stack of a
    /// program's main thread usually is.
    pub(crate) const MAIN: SizeClass = SizeClass::for_bytes(8 << 20);

    /// Returns all classes, the smallest first.
    pub(super) const fn all() -> [SizeClass; SizeClass::COUNT] {
        let mut all = [SizeClass(0); SizeClass::COUNT];
        let mut index = 0;
        while index < SizeClass::COUNT {
            all[index] = SizeClass::from_index(index);
            index += 1;
        }
        all
    }

    /// Returns the smallest class that holds `bytes`, or the largest class if none does.
    pub(crate) const fn for_bytes(bytes: usize) -> SizeClass {
        if bytes <= 1 << SMALLEST {
            return SizeClass(0);
        }
        if 1 << LARGEST <= bytes {
            return SizeClass((LARGEST - SMALLEST) as u8);
        }
        SizeClass(((bytes - 1).ilog2() + 1 - SMALLEST) as u8)
    }

    /// Returns the usable bytes of a stack of this class, of which the colour takes less than 2
    /// KiB.
    pub(crate) const fn bytes(self) -> usize {
        1 << (SMALLEST + self.0 as u32)
    }

    /// Returns the index of this class among all classes, below [`SizeClass::COUNT`].
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }

    /// Returns the class with this index; the inverse of [`SizeClass::index`].
    pub(super) const fn from_index(index: usize) -> SizeClass {
        assert!(index < SizeClass::COUNT);
        SizeClass(index as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_rounded_up_and_clamped() {
        let table = [
            (0, 16 << 10),
            (1, 16 << 10),
            (16 << 10, 16 << 10),
            ((16 << 10) + 1, 32 << 10),
            (100_000, 128 << 10),
            (256 << 10, 256 << 10),
            ((1 << 30) - 1, 1 << 30),
            (1 << 30, 1 << 30),
            (usize::MAX, 1 << 30),
        ];
        for (asked, given) in table {
            assert_eq!(SizeClass::for_bytes(asked).bytes(), given, "asked for {asked}");
        }
    }

    #[test]
    fn the_named_classes_have_their_documented_sizes() {
        let large_frames = cfg!(any(debug_assertions, sanitized));
        let default = if large_frames { 1 << 20 } else { 256 << 10 };
        assert_eq!(SizeClass::DEFAULT.bytes(), default);
        assert_eq!(SizeClass::MAIN.bytes(), 8 << 20);
    }

    #[test]
    fn indices_number_the_classes() {
        for index in 0..SizeClass::COUNT {
            let class = SizeClass::from_index(index);
            assert_eq!(class.index(), index);
            assert_eq!(SizeClass::for_bytes(class.bytes()), class);
        }
    }

    proptest! {
        #[test]
        fn a_class_is_the_smallest_that_fits(bytes in 0usize..=1 << 30) {
            let class = SizeClass::for_bytes(bytes);
            prop_assert!(bytes <= class.bytes());
            prop_assert!(class.index() == 0 || class.bytes() / 2 < bytes);
        }
    }
}
