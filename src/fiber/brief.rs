//! The short forms of errors: texts of any length on one line, like `Debug` shows them in each
//! `unwrap`, and the comparison of errors that hold an `io::Error`.

use std::fmt::{self, Write};
use std::io;

/// A text in the form of `Debug`: quoted, escaped, and cut after [`MOST`] characters.
pub(crate) struct Brief<'a>(pub(crate) &'a str);

/// The longest text. Two of them and the names around fit on a line of 200 characters.
const MOST: usize = 70;

impl fmt::Debug for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        let mut written = 0;
        for c in self.0.chars() {
            let escaped = c.escape_debug();
            written += escaped.len();
            if MOST < written {
                return f.write_str("\"..");
            }
            // A quotation mark of the other kind needs no escape.
            if c == '\'' { f.write_char(c)? } else { write!(f, "{escaped}")? }
        }
        f.write_char('"')
    }
}

/// Returns whether two errors of the operating system mean the same. `io::Error` itself has no
/// comparison.
pub(crate) fn same_io_error(one: &io::Error, other: &io::Error) -> bool {
    one.kind() == other.kind() && one.raw_os_error() == other.raw_os_error()
}

#[test]
fn long_texts_are_cut_and_lines_are_escaped() {
    let shown = |text: &str| format!("{:?}", Brief(text));
    assert_eq!(shown("it's a \"b\"\n"), r#""it's a \"b\"\n""#);
    assert_eq!(shown(&"x".repeat(MOST)), format!("\"{}\"", "x".repeat(MOST)));
    assert_eq!(shown(&"x".repeat(MOST + 1)), format!("\"{}\"..", "x".repeat(MOST)));
    assert!(shown(&"\u{1}".repeat(500)).len() < MOST + 10);
}
