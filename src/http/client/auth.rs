//! The header of the basic authentication scheme.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hyper::header::HeaderValue;
use url::Url;

/// Returns the header of a user and a password, which no `Debug` output shows.
pub(super) fn basic(user: &[u8], password: &[u8]) -> HeaderValue {
    let credentials = [user, b":", password].concat();
    let text = format!("Basic {}", BASE64_STANDARD.encode(credentials));
    let mut header = HeaderValue::from_str(&text)
        .unwrap_or_else(|_| unreachable!("base64 consists of visible characters"));
    header.set_sensitive(true);
    header
}

/// Removes the user name and the password from `url`, and returns the header for them.
pub(super) fn take_credentials(url: &mut Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let user = decoded(url.username());
    let password = decoded(url.password().unwrap_or_default());
    // A URL that has credentials can lose them.
    let _ = (url.set_username(""), url.set_password(None));
    Some(basic(&user, &password))
}

/// Decodes the percent signs of a part of a URL.
fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|digits| first == b'%' && digits.is_ascii());
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let digits = digits.filter(|digits| digits.chars().all(|c| c.is_ascii_hexdigit()));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    bytes
}
