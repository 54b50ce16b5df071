//! The conditions and the range of a request, and what they mean for a file: plain data.

use std::time::{Duration, SystemTime};

use hyper::header::{HeaderMap, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, RANGE};
use hyper::{Method, Request};

/// The headers of a request that decide what is sent of a file.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    if_none_match: Option<String>,
    if_modified_since: Option<SystemTime>,
    if_range: Option<String>,
    range: Option<String>,
}

/// The part of a file that is sent.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(super) enum Plan {
    Whole,
    /// Some bytes: the offset of the first, and their number, which is not zero.
    Part(u64, u64),
    NotModified,
    /// The file has no byte of the range.
    Unsatisfiable,
}

/// The properties that distinguish this version of a file from others.
#[derive(Clone, Debug)]
pub(super) struct Version {
    pub(super) length: u64,
    pub(super) modified: SystemTime,
}

impl Version {
    /// Returns the tag of this version: of its length, and the time of its last change.
    pub(super) fn tag(&self) -> String {
        let since = self.modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        format!("\"{:x}-{:x}\"", since.as_nanos(), self.length)
    }

    /// Returns the time of the last change, in whole seconds like the dates of HTTP.
    fn second(&self) -> u64 {
        seconds(self.modified)
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

impl Conditions {
    pub(super) fn of<B>(request: &Request<B>) -> Conditions {
        let headers = request.headers();
        let range = text(headers, &RANGE).filter(|_| request.method() == Method::GET);
        let since = text(headers, &IF_MODIFIED_SINCE);
        Conditions {
            if_none_match: text(headers, &IF_NONE_MATCH),
            if_modified_since: since.and_then(|date| httpdate::parse_http_date(&date).ok()),
            if_range: text(headers, &IF_RANGE),
            range,
        }
    }

    /// Returns what is sent of a file.
    pub(super) fn plan(&self, version: &Version) -> Plan {
        if self.is_known(version) {
            return Plan::NotModified;
        }
        match &self.range {
            Some(range) if self.range_counts(version) => plan_of(range, version.length),
            _ => Plan::Whole,
        }
    }

    /// Returns whether the client has this version already. The tag takes precedence over the date.
    fn is_known(&self, version: &Version) -> bool {
        match (&self.if_none_match, self.if_modified_since) {
            (Some(tags), _) => {
                let tag = version.tag();
                let same = |known: &str| known == "*" || known.trim_start_matches("W/") == tag;
                tags.split(',').map(str::trim).any(same)
            }
            (None, Some(since)) => version.second() <= seconds(since),
            (None, None) => false,
        }
    }

    /// Returns whether the range is one of this version, as far as the client knows.
    fn range_counts(&self, version: &Version) -> bool {
        match &self.if_range {
            None => true,
            Some(tag) if tag.starts_with('"') => *tag == version.tag(),
            Some(date) => {
                let date = httpdate::parse_http_date(date);
                date.is_ok_and(|date| seconds(date) == version.second())
            }
        }
    }
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(|text| text.trim().to_string())
}

/// A range of bytes as a client asks for it.
enum Asked {
    From(u64),
    /// The first and the last byte.
    Between(u64, u64),
    /// This many bytes at the end.
    Last(u64),
}

/// Returns the plan for a `Range`. One that is malformed, of another unit, or of several parts is
/// ignored.
fn plan_of(range: &str, length: u64) -> Plan {
    let (first, count) = match parse(range) {
        None => return Plan::Whole,
        Some(Asked::From(first)) => (first, length.saturating_sub(first)),
        Some(Asked::Between(first, last)) => (first, (last + 1).min(length).saturating_sub(first)),
        Some(Asked::Last(count)) => (length.saturating_sub(count), count.min(length)),
    };
    if count == 0 { Plan::Unsatisfiable } else { Plan::Part(first, count) }
}

fn parse(range: &str) -> Option<Asked> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    match (first.trim(), last.trim()) {
        ("", last) => Some(Asked::Last(number(last)?)),
        (first, "") => Some(Asked::From(number(first)?)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(Asked::Between(first, last))
        }
    }
}

/// Reads digits and nothing else. A number that no file reaches is as good as any other.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX).min(u64::MAX - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_a_part_or_none_or_ignored() {
        for (range, plan) in [
            ("bytes=0-0", Plan::Part(0, 1)),
            ("bytes=2-4", Plan::Part(2, 3)),
            ("bytes=2-", Plan::Part(2, 8)),
            ("bytes=9-", Plan::Part(9, 1)),
            ("bytes=0-99", Plan::Part(0, 10)),
            ("bytes=0-99999999999999999999999", Plan::Part(0, 10)),
            ("bytes=-3", Plan::Part(7, 3)),
            ("bytes=-99", Plan::Part(0, 10)),
            ("bytes= 1 - 2 ", Plan::Part(1, 2)),
            ("bytes=10-", Plan::Unsatisfiable),
            ("bytes=99999999999999999999999-", Plan::Unsatisfiable),
            ("bytes=-0", Plan::Unsatisfiable),
            ("bytes=4-2", Plan::Whole),
            ("bytes=0-1,3-4", Plan::Whole),
            ("bytes=-", Plan::Whole),
            ("bytes=a-2", Plan::Whole),
            ("bytes=1-b", Plan::Whole),
            ("bytes=--1", Plan::Whole),
            ("bytes=+1-2", Plan::Whole),
            ("lines=1-2", Plan::Whole),
            ("bytes", Plan::Whole),
        ] {
            assert_eq!(plan_of(range, 10), plan, "{range}");
        }
        assert_eq!(plan_of("bytes=0-", 0), Plan::Unsatisfiable);
        assert_eq!(plan_of("bytes=-1", 0), Plan::Unsatisfiable);
    }
}
