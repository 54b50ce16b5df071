//! Redirects: when they are followed, and what the next request takes along.
//!
//! | status | method of the next request |
//! |---|---|
//! | 301, 302 | the same, but GET after POST |
//! | 303 | the same after GET and HEAD, otherwise GET |
//! | 307, 308 | the same, with the same body |
//!
//! Invariants:
//! - Credentials do not go to another host, another port or another scheme.
//! - A body is either sent again as a whole, or left out together with the headers about it.

use hyper::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_LOCATION,
    CONTENT_TYPE, COOKIE, HOST, LOCATION, PROXY_AUTHORIZATION, TRANSFER_ENCODING,
};
use hyper::{HeaderMap, Method, StatusCode};
use url::Url;

use crate::http::client::auth;
use crate::http::client::error::{Error, Kind};
use crate::http::client::request::Message;
use crate::http::client::request_body::RequestBody;

/// Whether a [`Client`](crate::http::Client) follows redirects.
///
/// # Examples
///
/// ```
/// use fibra::http::{Client, RedirectPolicy};
///
/// # fn main() -> Result<(), fibra::http::Error> {
/// let client = Client::builder().redirect(RedirectPolicy::none()).build()?;
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RedirectPolicy {
    most: usize,
}

impl RedirectPolicy {
    /// Follows up to `most` redirects of one request. One more is an error.
    #[must_use]
    pub fn limited(most: usize) -> RedirectPolicy {
        RedirectPolicy { most }
    }

    /// Follows no redirects: they are responses like any other.
    #[must_use]
    pub fn none() -> RedirectPolicy {
        RedirectPolicy { most: 0 }
    }

    pub(super) fn is_none(self) -> bool {
        self.most == 0
    }

    /// Checks whether one more redirect may be followed after those in `followed`.
    pub(super) fn check(self, followed: &[Url], to: &Url) -> Result<(), String> {
        if followed.len() <= self.most {
            return Ok(());
        }
        let loops = followed.iter().any(|url| url == to);
        let what = if loops { "and they form a loop" } else { "the next one leads to" };
        let to = if loops { String::new() } else { format!(" {}", shown(to)) };
        Err(format!("more than {} redirects, {what}{to}", self.most))
    }
}

/// Follows up to 10 redirects.
impl Default for RedirectPolicy {
    fn default() -> RedirectPolicy {
        RedirectPolicy::limited(10)
    }
}

/// Returns the URL to which a response redirects, if it does.
pub(super) fn target(
    status: StatusCode,
    headers: &HeaderMap,
    url: &Url,
) -> Result<Option<Url>, Error> {
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = headers.get(LOCATION) else { return Ok(None) };
    let text = String::from_utf8_lossy(location.as_bytes());
    let refuse = |text: String| Error::new(Kind::Redirect(text), Some(url));
    let mut to = url
        .join(&text)
        .map_err(|error| refuse(format!("its location is not a URL: {error}")).because(error))?;
    if !matches!(to.scheme(), "http" | "https") {
        return Err(refuse(format!(
            "it leads to {}, and only http and https URLs are supported",
            shown(&to)
        )));
    }
    if to.fragment().is_none() {
        to.set_fragment(url.fragment());
    }
    Ok(Some(to))
}

/// Makes `message` the request that follows a redirect to `to`. `again` is its body, if that can
/// be sent a second time.
pub(super) fn follow(
    message: &mut Message,
    status: StatusCode,
    mut to: Url,
    again: Option<RequestBody>,
) -> Result<(), Error> {
    let method = match (status.as_u16(), &message.method) {
        (301 | 302, &Method::POST) => Method::GET,
        (303, method) if !matches!(*method, Method::GET | Method::HEAD) => Method::GET,
        (_, method) => method.clone(),
    };
    if method == message.method {
        message.body = again.ok_or_else(|| {
            let text = "the body of the request was read while it was sent, and cannot be sent \
                        again: give it as bytes";
            Error::new(Kind::Redirect(text.into()), Some(&message.url))
        })?;
    } else {
        message.method = method;
        message.body = RequestBody::empty();
        for header in [
            CONTENT_TYPE,
            CONTENT_LENGTH,
            CONTENT_ENCODING,
            CONTENT_LANGUAGE,
            CONTENT_LOCATION,
            TRANSFER_ENCODING,
        ] {
            message.headers.remove(header);
        }
    }
    message.headers.remove(HOST);
    if message.url.origin() != to.origin() {
        for header in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION] {
            message.headers.remove(header);
        }
    }
    if let Some(credentials) = auth::take_credentials(&mut to) {
        message.headers.insert(AUTHORIZATION, credentials);
    }
    message.url = to;
    Ok(())
}

/// Returns the text of a URL without credentials.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    let _ = auth::take_credentials(&mut url);
    url.into()
}
