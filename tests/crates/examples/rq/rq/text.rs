//! The texts that RQ keeps in Redis: times, compressed data, results, identifiers.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

/// The most bytes that the data of a job may have when it is unpacked.
const LONGEST: u64 = 64 << 20;

/// Returns the time, in UTC, like `2026-01-31T09:30:00.000000Z`.
pub fn now() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, seconds) = (now.as_secs() / 86_400, now.as_secs() % 86_400);
    let (year, month, day) = date(days as i64);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let micros = now.subsec_micros();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// Returns the date that many days after 1970-01-01. Years begin in March here, so that the day
/// that some years lack is their last one.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468; // since 0000-03-01
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097)); // 400 years
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153; // since March
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next, month, day)
}

/// Returns an identifier of 32 hexadecimal digits that is not used yet.
///
/// The seeds of `RandomState` come from the system, once per thread.
pub fn unique() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let place = (std::process::id(), number, SystemTime::now());
    let random = RandomState::new();
    format!("{:016x}{:016x}", random.hash_one(place), random.hash_one((place, "second half")))
}

pub fn compress(text: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).expect("a vector can be written");
    encoder.finish().expect("a vector can be written")
}

/// Unpacks what [`compress`] returned. Like RQ, it returns data that is not packed as it is.
pub fn decompress(data: &[u8]) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    match ZlibDecoder::new(data).take(LONGEST + 1).read_to_end(&mut text) {
        Ok(_) if text.len() as u64 > LONGEST => {
            Err(io::Error::other(format!("it is longer than {LONGEST} bytes")))
        }
        Ok(_) => Ok(text),
        Err(_) => Ok(data.to_vec()),
    }
}

pub fn to_base64(data: &[u8]) -> Vec<u8> {
    STANDARD.encode(data).into_bytes()
}

pub fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}
