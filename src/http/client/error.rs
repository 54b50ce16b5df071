//! The error of the client: what happened, to which URL, and what to do.
//!
//! Invariant: the URL in it has no user name and no password.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use hyper::StatusCode;
use url::Url;

use crate::fiber::brief::Brief;

type Source = Box<dyn StdError + Send + Sync>;

/// The error of a request of a [`Client`](crate::http::Client).
///
/// Its text names the URL, without credentials, and the cause. The `is_` methods tell the kinds of
/// errors apart; each error is of exactly one kind.
///
/// # Examples
///
/// ```
/// use fibra::http::Client;
///
/// fibra::run(|| {
///     let error = Client::new().get("ftp://host.test/").send().unwrap_err();
///     assert!(error.is_builder());
///     assert_eq!(
///         error.to_string(),
///         "cannot build the request to ftp://host.test/: only http and https URLs are supported",
///     );
/// });
/// ```
pub struct Error {
    inner: Box<Inner>,
}

struct Inner {
    kind: Kind,
    url: Option<Url>,
    source: Option<Source>,
}

/// The kinds of errors, with what their texts need.
#[derive(Debug)]
pub(super) enum Kind {
    Builder(String),
    Connect,
    Timeout(TimeLimit),
    Redirect(String),
    Status(StatusCode),
    /// The connection broke before the response, and the server may have processed the request.
    Request,
    /// The connection broke before any part of the request was sent.
    Unsent,
    Body,
    TooLarge,
    #[cfg_attr(
        not(any(feature = "json", feature = "gzip")),
        allow(dead_code, reason = "no decoder")
    )]
    Decode(&'static str),
}

/// The time limit that has passed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum TimeLimit {
    Whole,
    Connect,
    Read,
}

impl TimeLimit {
    pub(super) fn is_read(self) -> bool {
        self == TimeLimit::Read
    }
}

impl Error {
    pub(super) fn new(kind: Kind, url: Option<&Url>) -> Error {
        Error { inner: Box::new(Inner { kind, url: url.map(without_credentials), source: None }) }
    }

    pub(super) fn builder(text: impl Into<String>) -> Error {
        Error::new(Kind::Builder(text.into()), None)
    }

    #[must_use]
    pub(super) fn because(mut self, source: impl Into<Source>) -> Error {
        self.inner.source = Some(source.into());
        self
    }

    /// Adds the URL, if it has none.
    #[must_use]
    pub(super) fn at(mut self, url: &Url) -> Error {
        self.inner.url.get_or_insert_with(|| without_credentials(url));
        self
    }

    /// Returns the URL of the failed request, without user name and password: the last one, if
    /// redirects were followed.
    #[must_use]
    pub fn url(&self) -> Option<&Url> {
        self.inner.url.as_ref()
    }

    /// Removes the URL, for texts that must not contain it.
    #[must_use]
    pub fn without_url(mut self) -> Error {
        self.inner.url = None;
        self
    }

    /// Returns the status of the response, if the error is [one of a status](Error::is_status).
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match self.inner.kind {
            Kind::Status(status) => Some(status),
            _ => None,
        }
    }

    /// Returns whether the request could not be built: the URL, a header or the body is not valid.
    #[must_use]
    pub fn is_builder(&self) -> bool {
        matches!(self.inner.kind, Kind::Builder(_))
    }

    /// Returns whether there was no connection: the name is not known, nothing listens there, or
    /// the server could not prove its name. The last attempt has sent nothing. (An attempt before
    /// it may have sent the request on a connection that the server had closed; only requests that
    /// may be sent twice are then sent again.)
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::http::Client;
    ///
    /// fibra::run(|| -> std::io::Result<()> {
    ///     let closed = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    ///     let error = Client::new().get(format!("http://{closed}/")).send().unwrap_err();
    ///     assert!(error.is_connect());
    ///     Ok(())
    /// })?;
    /// # std::io::Result::Ok(())
    /// ```
    #[must_use]
    pub fn is_connect(&self) -> bool {
        matches!(self.inner.kind, Kind::Connect)
    }

    /// Returns whether a time limit of the client or of the request has passed.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self.inner.kind, Kind::Timeout(_))
    }

    /// Returns whether a redirect could not be followed.
    #[must_use]
    pub fn is_redirect(&self) -> bool {
        matches!(self.inner.kind, Kind::Redirect(_))
    }

    /// Returns whether this is the error of
    /// [`error_for_status`](crate::http::Response::error_for_status).
    #[must_use]
    pub fn is_status(&self) -> bool {
        matches!(self.inner.kind, Kind::Status(_))
    }

    /// Returns whether the connection broke after the request was sent, or in the middle of that,
    /// and before the head of a response arrived; or that head is not HTTP.
    #[must_use]
    pub fn is_request(&self) -> bool {
        matches!(self.inner.kind, Kind::Request | Kind::Unsent)
    }

    /// Returns whether the body of the response broke off, or is larger than
    /// [`max_body_size`](crate::http::ClientBuilder::max_body_size).
    #[must_use]
    pub fn is_body(&self) -> bool {
        matches!(self.inner.kind, Kind::Body | Kind::TooLarge)
    }

    /// Returns whether the body of the response is not what it was decoded as: JSON, or gzip.
    #[must_use]
    pub fn is_decode(&self) -> bool {
        matches!(self.inner.kind, Kind::Decode(_))
    }

    /// Returns whether the same request may succeed if it is sent again a little later: there was
    /// no connection (but not because of a certificate), it broke, a time limit has passed, or the
    /// status is 408, 425, 429, 502, 503 or 504.
    ///
    /// The server may have processed the request nevertheless, unless there was [no
    /// connection](Error::is_connect). So repeat only requests that may be done twice, such as GET.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use fibra::http::{Client, Error};
    /// use fibra::pool::Retry;
    ///
    /// # fibra::run(|| -> Result<(), Box<dyn std::error::Error>> {
    /// let client = Client::new();
    /// let fetch = || client.get("http://localhost:8080/").send()?.error_for_status()?.text();
    /// let retry = Retry::attempts(3).wait(Duration::from_millis(200)).on(Error::is_transient);
    /// let page = retry.run(|_attempt| fetch())?;
    /// # Ok(()) });
    /// ```
    #[must_use]
    #[doc(alias("retry", "is_temporary"))]
    pub fn is_transient(&self) -> bool {
        match &self.inner.kind {
            // This is the kind of errors of TLS.
            Kind::Connect => io_kind(self) != Some(io::ErrorKind::InvalidData),
            Kind::Status(status) => {
                matches!(status.as_u16(), 408 | 425 | 429 | 502 | 503 | 504)
            }
            Kind::Timeout(_) | Kind::Request | Kind::Unsent | Kind::Body => true,
            _ => false,
        }
    }

    /// Returns whether the server was silent for too long.
    pub(super) fn is_silence(&self) -> bool {
        matches!(self.inner.kind, Kind::Timeout(TimeLimit::Read))
    }

    fn cause(&self) -> String {
        let Some(source) = &self.inner.source else { return "no cause is known".into() };
        let mut text = source.to_string();
        let mut next = source.source();
        while let Some(error) = next {
            let more = error.to_string();
            // Some errors repeat their source in their own text.
            if !text.contains(&more) {
                text = format!("{text}: {more}");
            }
            next = error.source();
        }
        text
    }
}

fn without_credentials(url: &Url) -> Url {
    let mut url = url.clone();
    // These fail for URLs that cannot have credentials.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.inner.url.as_ref().map_or("an unknown URL", |url| url.as_str());
        match &self.inner.kind {
            Kind::Builder(text) => {
                f.write_str("cannot build the request")?;
                if self.inner.url.is_some() {
                    write!(f, " to {url}")?;
                }
                write!(f, ": {text}")
            }
            Kind::Connect => {
                write!(f, "cannot connect for {url}: {}{}", self.cause(), hint(self))
            }
            Kind::Timeout(TimeLimit::Whole) => write!(
                f,
                "the request to {url} was not complete within its time limit: raise `timeout`"
            ),
            Kind::Timeout(TimeLimit::Connect) => {
                write!(f, "no connection for {url} within its time limit: raise `connect_timeout`")
            }
            Kind::Timeout(TimeLimit::Read) => {
                write!(f, "the server of {url} sent nothing for longer than `read_timeout` allows")
            }
            Kind::Redirect(text) => write!(f, "cannot follow the redirect of {url}: {text}"),
            Kind::Status(status) => write!(f, "the server of {url} responded with {status}"),
            Kind::Request => write!(
                f,
                "the request to {url} got no response, and the server may have processed it: {}",
                self.cause()
            ),
            Kind::Unsent => {
                write!(f, "the request to {url} could not be sent: {}", self.cause())
            }
            Kind::Body => {
                write!(f, "the body of the response of {url} broke off: {}", self.cause())
            }
            Kind::TooLarge => {
                write!(f, "the body of the response of {url} is larger than `max_body_size` allows")
            }
            Kind::Decode(what) => {
                write!(f, "the body of the response of {url} is not {what}: {}", self.cause())
            }
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, url, source } = &*self.inner;
        let mut debug = f.debug_struct("Error");
        let reason = match kind {
            Kind::Builder(text) => {
                debug.field("kind", &format_args!("Builder"));
                Some(text)
            }
            Kind::Redirect(text) => {
                debug.field("kind", &format_args!("Redirect"));
                Some(text)
            }
            kind => {
                debug.field("kind", kind);
                None
            }
        };
        // The reason contains the source, if there is one.
        if let Some(reason) = reason {
            debug.field("reason", &Brief(reason));
        }
        if let Some(url) = url {
            debug.field("url", &Brief(url.as_str()));
        }
        if reason.is_none() && source.is_some() {
            debug.field("source", &Brief(&self.cause()));
        }
        debug.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner.source.as_deref().map(|source| source as _)
    }
}

/// Converts to an error that contains this one. Its kind is `TimedOut` for time limits, and
/// otherwise that of the cause.
impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        let kind = match error.inner.kind {
            Kind::Timeout(_) => io::ErrorKind::TimedOut,
            Kind::Builder(_) => io::ErrorKind::InvalidInput,
            Kind::Decode(_) => io::ErrorKind::InvalidData,
            Kind::TooLarge => io::ErrorKind::FileTooLarge,
            _ => io_kind(&error).unwrap_or(io::ErrorKind::Other),
        };
        io::Error::new(kind, error)
    }
}

/// Returns what to do about a certificate that is not trusted.
#[cfg_attr(not(feature = "tls"), allow(unused_variables, reason = "there are no certificates"))]
fn hint(error: &Error) -> &'static str {
    #[cfg(feature = "tls")]
    {
        use rustls::CertificateError::UnknownIssuer;

        let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
        let cause = cause.and_then(|cause| cause.get_ref()?.downcast_ref());
        if matches!(cause, Some(rustls::Error::InvalidCertificate(UnknownIssuer))) {
            return ": to trust its issuer, use `ClientBuilder::tls_config`";
        }
    }
    ""
}

/// Returns the kind of the first `io::Error` among the causes.
fn io_kind(error: &Error) -> Option<io::ErrorKind> {
    let mut next = error.source();
    while let Some(cause) = next {
        if let Some(cause) = cause.downcast_ref::<io::Error>() {
            return Some(cause.kind());
        }
        next = cause.source();
    }
    None
}

impl From<hyper::http::Error> for Error {
    fn from(error: hyper::http::Error) -> Error {
        Error::builder(error.to_string()).because(error)
    }
}
