//! Measures where types keep their parts, for types whose layout neither the language nor their
//! crate fixes: strings, vectors, locations.
//!
//! Only debuggers need this: they read the memory of a process from outside. Each function looks at
//! a sample whose parts it knows, and returns the offset of the only word that equals the part. It
//! returns [`UNKNOWN`] if there is no such word, or more than one.

#![allow(unsafe_code, reason = "reads samples as words")]

use std::cell::RefCell;
use std::mem::{MaybeUninit, size_of};
use std::panic::Location;
use std::ptr;
use std::sync::Arc;

/// The offset of a part that was not found.
pub(crate) const UNKNOWN: usize = usize::MAX;

/// The largest sample, in words.
const MOST: usize = 8;

/// The words of a value.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Words([usize; MOST], usize);

impl Words {
    /// Reads the words of `value`.
    ///
    /// # Safety
    ///
    /// `value` must be initialised, without padding.
    pub(crate) unsafe fn of<T>(value: &MaybeUninit<T>) -> Words {
        let count = size_of::<T>() / size_of::<usize>();
        let mut words = [0; MOST];
        if MOST < count {
            return Words(words, 0);
        }
        // SAFETY: `value` has that many words, which are initialised (the caller's promise). They
        // are copied as bytes, so that their alignment does not matter.
        unsafe {
            ptr::copy_nonoverlapping(
                value.as_ptr().cast::<u8>(),
                words.as_mut_ptr().cast::<u8>(),
                count * size_of::<usize>(),
            );
        }
        Words(words, count)
    }

    /// Returns the offset of the only word that equals `part`.
    pub(crate) fn offset_of(&self, part: usize) -> usize {
        self.only(|at| self.0[at] == part)
    }

    /// Returns the offset of the only word that differs from that of `other`.
    pub(crate) fn offset_of_change(&self, other: &Words) -> usize {
        self.only(|at| self.0[at] != other.0[at])
    }

    fn only(&self, is_it: impl Fn(usize) -> bool) -> usize {
        let mut found = (0..self.1).filter(|&at| is_it(at));
        match (found.next(), found.next()) {
            (Some(at), None) => at * size_of::<usize>(),
            _ => UNKNOWN,
        }
    }
}

/// Returns the offsets of the address and the length of a `&str`.
pub(crate) fn of_str() -> [usize; 2] {
    let sample = "sample";
    // SAFETY: a reference to a string is its address and its length.
    let words = unsafe { Words::of(&MaybeUninit::new(sample)) };
    [words.offset_of(sample.as_ptr().addr()), words.offset_of(sample.len())]
}

/// Returns the offsets of the address and the length of an `Arc<str>`, and the distance from that
/// address to the text.
pub(crate) fn of_arc_str() -> [usize; 3] {
    let sample: Arc<str> = Arc::from("sample");
    let text = sample.as_ptr().addr();
    // SAFETY: an `Arc` is one pointer, here with a length. The copy is not dropped.
    let words = unsafe { Words::of(&MaybeUninit::new(ptr::read(&raw const sample))) };
    let length = words.offset_of(sample.len());
    // The other word is the address of the counters, which stand close to the text.
    let is_near = |at: usize| words.0[at] <= text && text - words.0[at] <= 64;
    let address = words.only(is_near);
    if address == UNKNOWN || length == UNKNOWN || words.1 != 2 {
        return [UNKNOWN; 3];
    }
    [address, length, text - words.0[address / size_of::<usize>()]]
}

/// Returns the offset of the value in a `RefCell`.
pub(crate) fn of_ref_cell() -> usize {
    let sample = RefCell::new(0u64);
    sample.as_ptr().addr() - (&raw const sample).addr()
}

/// Returns the offsets of the address and the length of the elements of a `Vec<T>`. `item` makes
/// elements for a sample.
pub(crate) fn of_vec<T>(item: impl Fn() -> T) -> [usize; 2] {
    let mut sample: Vec<T> = Vec::with_capacity(16);
    sample.extend((0..3).map(|_| item()));
    // SAFETY: a vector is an address and two numbers, without padding. The copy is not dropped.
    let words = unsafe { Words::of(&MaybeUninit::new(ptr::read(&raw const sample))) };
    [words.offset_of(sample.as_ptr().addr()), words.offset_of(sample.len())]
}

/// Returns the offsets of the parts of a `Location`: the address and the length of the file's name,
/// the line and the column. The length may count a zero at the end.
pub(crate) fn of_location() -> [usize; 4] {
    const UNFOUND: [usize; 4] = [UNKNOWN; 4];
    let samples = [Location::caller(), here(), here()];
    // Two words for the name, and two halves for the line and the column.
    let is_plain = size_of::<Location>() == 2 * size_of::<usize>() + 2 * size_of::<u32>();
    if !is_plain {
        return UNFOUND;
    }
    let of_one = |location: &'static Location<'static>| {
        let [line, column] = [location.line(), location.column()];
        // SAFETY: by its size, the type has no room for padding beside its four parts.
        let words = unsafe { Words::of(&MaybeUninit::new(*location)) };
        // SAFETY: as above; the halves of its words.
        let halves = unsafe { Halves::of(location) };
        let name = words.offset_of(location.file().as_ptr().addr());
        let length = match words.offset_of(location.file().len()) {
            UNKNOWN => words.offset_of(location.file().len() + 1),
            length => length,
        };
        [name, length, halves.offset_of(line), halves.offset_of(column)]
    };
    let [first, second, third] = samples.map(of_one);
    // Samples of which one is ambiguous are decided by another.
    let decided = |part: usize| {
        let found = [first, second, third].map(|sample| sample[part]);
        let mut known = found.into_iter().filter(|&offset| offset != UNKNOWN);
        let offset = known.next().unwrap_or(UNKNOWN);
        if known.all(|other| other == offset) { offset } else { UNKNOWN }
    };
    [decided(0), decided(1), decided(2), decided(3)]
}

#[track_caller]
fn here() -> &'static Location<'static> {
    Location::caller()
}

/// The words of a value, in halves of 32 bits.
struct Halves([u32; 2 * MOST], usize);

impl Halves {
    /// # Safety
    ///
    /// `value` must have no padding.
    unsafe fn of<T>(value: &T) -> Halves {
        let count = size_of::<T>() / size_of::<u32>();
        let mut halves = [0; 2 * MOST];
        if 2 * MOST < count {
            return Halves(halves, 0);
        }
        // SAFETY: `value` has that many halves, which are initialised (the caller's promise).
        unsafe {
            ptr::copy_nonoverlapping(
                (&raw const *value).cast::<u8>(),
                halves.as_mut_ptr().cast::<u8>(),
                count * size_of::<u32>(),
            );
        }
        Halves(halves, count)
    }

    fn offset_of(&self, part: u32) -> usize {
        let mut found = (0..self.1).filter(|&at| self.0[at] == part);
        match (found.next(), found.next()) {
            (Some(at), None) => at * size_of::<u32>(),
            _ => UNKNOWN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_found_once() {
        assert_ne!(of_str()[0], of_str()[1]);
        assert!(!of_str().contains(&UNKNOWN));
        assert!(!of_vec(|| 7u32).contains(&UNKNOWN));
        assert!(!of_arc_str().contains(&UNKNOWN), "{:?}", of_arc_str());
        assert!(!of_location().contains(&UNKNOWN), "{:?}", of_location());
    }

    #[test]
    fn a_part_that_is_there_twice_is_not_found() {
        // SAFETY: an array of words.
        let words = unsafe { Words::of(&MaybeUninit::new([7usize, 7, 8])) };
        assert_eq!(words.offset_of(7), UNKNOWN);
        assert_eq!(words.offset_of(9), UNKNOWN);
        assert_eq!(words.offset_of(8), 2 * size_of::<usize>());
    }
}
