//! Owns the text of an overflow report.
//!
//! Invariant: the text is made without allocation and without `fmt`, because a signal handler
//! writes it.
#![allow(unsafe_code, reason = "reads a name by pointer and length")]

use std::slice;

use super::overflow::Overflow;

/// A text in a fixed buffer; what does not fit is cut off. The buffer is small because the
/// alternate signal stack may be small.
pub(super) struct Report {
    bytes: [u8; 512],
    len: usize,
}

const NESTED_SIZE: &[u8] = b"the `stack_size` of its builder";
const FIBER_SIZE: &[u8] = b"`fibra::Builder::new().stack_size(bytes)`";
const MAIN_SIZE: &[u8] = b"`fibra::Runtime::builder().main_stack_size(bytes)`";

/// The number of every main fiber.
const MAIN: u64 = 1;

/// The longest name that is shown whole. Longer ones are cut so that the advice always fits.
const LONGEST_NAME: usize = 128;

impl Report {
    /// Creates the report of an overflow.
    ///
    /// # Safety
    ///
    /// `name_len` bytes must be readable at `name`, unless `name_len` is zero.
    pub(super) unsafe fn of(overflow: &Overflow) -> Report {
        let mut report = Report::new();
        let name = match overflow.name_len {
            0 => &[],
            // SAFETY: the caller answers for the name being readable, and nothing writes to a name
            // while its fiber overflows.
            len => unsafe { slice::from_raw_parts(overflow.name, len) },
        };
        report.fill(name, overflow);
        report
    }

    /// Returns the text to write.
    pub(super) fn text(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn new() -> Report {
        Report { bytes: [0; 512], len: 0 }
    }

    fn fill(&mut self, name: &[u8], overflow: &Overflow) {
        if overflow.nested {
            self.push(b"a generator or greenlet ");
        }
        if overflow.nested && overflow.id == 0 {
            self.push(b"outside of fibers");
        } else {
            self.push(if overflow.nested { &b"of fiber "[..] } else { b"fiber " });
            self.push_fiber(name, overflow);
        }
        self.push(b" has overflowed its stack of ");
        self.push_size(overflow.size);
        self.push(b"\nhelp: give it more with ");
        self.push(match overflow {
            Overflow { nested: true, .. } => NESTED_SIZE,
            Overflow { id: MAIN, .. } => MAIN_SIZE,
            _ => FIBER_SIZE,
        });
        self.push(b", or recurse less\nfatal runtime error: stack overflow, aborting\n");
    }

    fn push_fiber(&mut self, name: &[u8], overflow: &Overflow) {
        if name.is_empty() {
            self.push(b"#");
            self.push_number(overflow.id);
        } else {
            self.push(b"'");
            self.push(cut(name, LONGEST_NAME));
            self.push(b"' (#");
            self.push_number(overflow.id);
            self.push(b")");
        }
    }

    fn push(&mut self, text: &[u8]) {
        for &byte in text {
            let Some(place) = self.bytes.get_mut(self.len) else { return };
            *place = byte;
            self.len += 1;
        }
    }

    fn push_number(&mut self, mut number: u64) {
        let mut digits = [0; 20];
        let mut first = digits.len();
        loop {
            first -= 1;
            digits[first] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.push(&digits[first..]);
    }

    /// Appends a size in the largest unit that leaves no remainder.
    fn push_size(&mut self, bytes: usize) {
        let bytes = bytes as u64;
        let units: [(u64, &[u8]); 3] = [(1 << 30, b" GiB"), (1 << 20, b" MiB"), (1 << 10, b" KiB")];
        let fits = units.iter().find(|(unit, _)| bytes != 0 && bytes % *unit == 0);
        let &(unit, name) = fits.unwrap_or(&(1, b" bytes"));
        self.push_number(bytes / unit);
        self.push(name);
    }
}

/// Returns at most `most` bytes of a text, cut before a character and not within it.
fn cut(text: &[u8], most: usize) -> &[u8] {
    if text.len() <= most {
        return text;
    }
    let mut end = most;
    while 0 < end && text[end] & 0b1100_0000 == 0b1000_0000 {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The end of every report.
    pub(in crate::stack) const HELP: &str = "help: give it more with `fibra::Builder::new().stack_size(bytes)`, or recurse less\n\
                        fatal runtime error: stack overflow, aborting\n";

    fn report(name: &str, id: u64, size: usize) -> String {
        let (name, name_len) = (name.as_ptr(), name.len());
        // SAFETY: the name is a live string of that length.
        let report = unsafe { Report::of(&Overflow { name, name_len, id, size, nested: false }) };
        String::from_utf8(report.text().to_vec()).unwrap()
    }

    #[test]
    fn the_report_names_the_fiber_and_its_stack() {
        let table = [
            ("parser", 12, 256 << 10, "fiber 'parser' (#12) has overflowed its stack of 256 KiB\n"),
            ("", 0, 8 << 20, "fiber #0 has overflowed its stack of 8 MiB\n"),
            (
                "x",
                u64::MAX,
                1 << 30,
                "fiber 'x' (#18446744073709551615) has overflowed its stack of 1 GiB\n",
            ),
            ("x", 2, 1000, "fiber 'x' (#2) has overflowed its stack of 1000 bytes\n"),
        ];
        for (name, id, size, first_line) in table {
            assert_eq!(report(name, id, size), format!("{first_line}{HELP}"));
        }
    }

    #[test]
    fn the_advice_for_main_is_another_one() {
        let first_line = "fiber 'main' (#1) has overflowed its stack of 8 MiB\n";
        let help = HELP.replace("Builder::new().stack_size", "Runtime::builder().main_stack_size");
        assert_eq!(report("main", 1, 8 << 20), format!("{first_line}{help}"));
    }

    #[test]
    fn a_long_name_is_cut_at_a_character_and_the_advice_still_fits() {
        let text = report(&"ü".repeat(500), u64::MAX, usize::MAX);
        assert!(text.starts_with(&format!("fiber '{}' (#", "ü".repeat(LONGEST_NAME / 2))));
        assert!(text.ends_with(HELP), "{text}");
        let text = report(&format!("a{}", "ü".repeat(500)), 1, 1);
        assert!(text.starts_with(&format!("fiber 'a{}' (#", "ü".repeat(LONGEST_NAME / 2 - 1))));
    }

    #[test]
    fn what_does_not_fit_is_cut() {
        let mut report = Report::new();
        report.push(&[b'x'; 600]);
        assert_eq!(report.text().len(), 512);
    }
}
