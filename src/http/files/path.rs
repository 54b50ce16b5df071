//! The path of a request as names of directories and a file.
//!
//! Invariant: no name is empty, `.` or `..`, or contains a `/` or a zero.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;

/// The names of the directories on the way to a file, and its own.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Names {
    pub(super) names: Vec<OsString>,
    /// Whether the last one is that of an index, which the path does not contain.
    pub(super) is_index: bool,
}

impl Names {
    /// Decodes `path`. Returns `None` if it can name no file that is served. A path that ends with
    /// `/` is that of the index in a directory.
    pub(super) fn of(path: &str, index: Option<&str>, hidden: bool) -> Option<Names> {
        let path = path.strip_prefix('/')?;
        let is_index = path.is_empty() || path.ends_with('/');
        let mut names = Vec::new();
        if !path.is_empty() {
            for part in path.strip_suffix('/').unwrap_or(path).split('/') {
                names.push(name_of(part, hidden)?);
            }
        }
        if is_index {
            names.push(index?.into());
        }
        Some(Names { names, is_index })
    }

    /// Returns the name of the file.
    pub(super) fn last(&self) -> &OsStr {
        self.names.last().map_or(OsStr::new(""), |name| name)
    }
}

fn name_of(part: &str, hidden: bool) -> Option<OsString> {
    let name = decode(part)?;
    let is_name = !matches!(&name[..], b"" | b"." | b"..") && !name.contains(&b'/');
    let is_served = is_name && !name.contains(&0) && (hidden || name[0] != b'.');
    is_served.then(|| OsString::from_vec(name))
}

/// Decodes `%41` and the like. Returns `None` if that is malformed.
fn decode(part: &str) -> Option<Vec<u8>> {
    let mut bytes = part.bytes();
    let mut decoded = Vec::with_capacity(part.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            byte => byte,
        });
    }
    Some(decoded)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(path: &str) -> Option<String> {
        let names = Names::of(path, Some("I"), false)?.names;
        let names: Vec<_> = names.iter().map(|name| name.to_string_lossy()).collect();
        Some(names.join("|"))
    }

    #[test]
    fn a_path_is_decoded_name_by_name() {
        assert_eq!(names("/a/b%20c/d.txt").unwrap(), "a|b c|d.txt");
        assert_eq!(names("/").unwrap(), "I");
        assert_eq!(names("/a/").unwrap(), "a|I");
        assert_eq!(names("/a%2ab...").unwrap(), "a*b...");
    }

    #[test]
    fn a_path_that_leads_elsewhere_names_no_file() {
        for path in [
            "",
            "a",
            "//",
            "//a",
            "/a//b",
            "/..",
            "/../a",
            "/a/../b",
            "/a/..",
            "/./a",
            "/.",
            "/%2e%2e/a",
            "/%2E./a",
            "/a%2fb",
            "/a%2Fb",
            "/..%2fa",
            "/a%00",
            "/%",
            "/%4",
            "/%4x",
            "/%+1",
            "/.git/config",
            "/%2egit",
            "*",
            "http://x/a",
        ] {
            assert_eq!(names(path), None, "{path}");
        }
        assert!(Names::of("/a/", None, false).is_none());
        assert!(Names::of("/.well-known", None, true).is_some());
    }
}
