//! [`Http`]: the settings of connections, with their defaults and the reasons for these.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
#[cfg(feature = "http2")]
use hyper::server::conn::http2;

use crate::http::rt::FiberTimer;
use crate::http::server::graceful::Graceful;
#[cfg(feature = "http2")]
use crate::http::server::streams::StreamExecutor;

/// Settings for the connections of an HTTP server, and the calls that serve one.
///
/// With the feature `http2`, a connection may use HTTP/1 or HTTP/2: over TLS as agreed by ALPN
/// ([`alpn_protocols`](Http::alpn_protocols)), and otherwise by its first bytes. Handlers and
/// settings are the same for both.
///
/// # Limits
///
/// Each limit has a default that suits servers on the internet. A limit that is set to `None` is
/// off.
///
/// | setting | default | what happens at the limit |
/// |---|---|---|
/// | [`max_head_size`](Http::max_head_size) | 16 KiB | status 431 |
/// | [`max_headers`](Http::max_headers) | 100 | status 431 |
/// | [`max_body_size`](Http::max_body_size) | 2 MiB | status 413, or an error of the handler's read |
/// | `max_streams` | 100 | the client waits (HTTP/2) |
/// | [`head_timeout`](Http::head_timeout) | 30 s | status 408 if a part of a head has come, and the connection is closed |
/// | [`body_timeout`](Http::body_timeout) | 60 s | an error of the handler's read |
/// | [`send_timeout`](Http::send_timeout) | 60 s | the connection is closed |
/// | [`idle_timeout`](Http::idle_timeout) | 75 s | the connection is closed, in an orderly way |
/// | [`request_timeout`](Http::request_timeout) | none | status 503, or the response is broken off |
///
/// The number of connections is limited by
/// [`Server::max_connections`](crate::server::Server::max_connections), and the time of a TLS
/// handshake, which precedes all of these, by `TlsAcceptor::handshake_timeout` (30 s).
///
/// A client whose machine or network has gone without a word looks like one that waits. These
/// limits end its connection, except while a handler works and sends nothing: for that, HTTP/2 has
/// `http2_keep_alive_interval`.
///
/// # Clients that stop sending
///
/// A client may shut down its side of a connection and still read. That looks like the first half
/// of a close. By default the server takes it for one and kills the handler, because it should not
/// work for clients that have gone: see [`half_close`](Http::half_close).
///
/// # Examples
///
/// ```
/// use fibra::http::{BodyReader, Http, hyper};
/// use fibra::net::TcpStream;
/// use fibra::server::Server;
/// use hyper::{Request, Response};
/// use std::io::{Read, Write};
///
/// fn handler(request: Request<BodyReader>) -> Response<String> {
///     fibra::sleep(std::time::Duration::from_millis(1)); // the others go on
///     Response::new(format!("you asked for {}", request.uri()))
/// }
///
/// fibra::run(|| -> std::io::Result<()> {
///     let server = Server::bind("127.0.0.1:0")?;
///     let address = server.listener().local_addr()?;
///     let http = Http::new().max_body_size(64 << 10);
///     let _running = server.start(move |stream, _| http.serve_connection(stream, handler));
///
///     let mut client = TcpStream::connect(address)?;
///     client.write_all(b"GET /this HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")?;
///     let answer = std::io::read_to_string(client)?;
///     assert!(answer.ends_with("you asked for /this"));
///     Ok(())
/// })
/// # .unwrap();
/// ```
///
/// A clone is a counted reference to the same settings, until one of them is changed: it fits into
/// the closure of each connection.
#[derive(Clone)]
pub struct Http(pub(super) Arc<Settings>);

/// The settings themselves.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) http1: http1::Builder,
    #[cfg(feature = "http2")]
    pub(super) http2: Vec<ChangeHttp2>,
    pub(super) versions: Versions,
    pub(super) limits: Limits,
    pub(super) graceful: Graceful,
}

/// A change to the settings of hyper for HTTP/2. It is made for each connection.
#[cfg(feature = "http2")]
pub(super) type ChangeHttp2 = Arc<dyn Fn(&mut http2::Builder<StreamExecutor>) + Send + Sync>;

/// The versions of HTTP that a connection may use.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(super) enum Versions {
    Http1,
    #[cfg(feature = "http2")]
    Http2,
    #[cfg(feature = "http2")]
    Both,
}

/// The limits that this crate enforces itself.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    pub(super) head_size: usize,
    pub(super) headers: usize,
    pub(super) body_size: Option<u64>,
    #[cfg_attr(not(feature = "http2"), allow(dead_code, reason = "of HTTP/2"))]
    pub(super) streams: u32,
    pub(super) head: Option<Duration>,
    pub(super) body: Option<Duration>,
    pub(super) send: Option<Duration>,
    pub(super) idle: Option<Duration>,
    pub(super) request: Option<Duration>,
}

/// The smallest buffer in which hyper collects a head, and reads a body.
const BUFFER: usize = 64 << 10;

impl Http {
    /// Creates the default settings.
    #[must_use]
    pub fn new() -> Http {
        let mut http1 = http1::Builder::new();
        // `head_timeout` is enforced here, without a timer for each request.
        http1.timer(FiberTimer).header_read_timeout(None).max_buf_size(BUFFER);
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        Http(Arc::new(Settings {
            http1,
            #[cfg(feature = "http2")]
            http2: Vec::new(),
            #[cfg(feature = "http2")]
            versions: Versions::Both,
            #[cfg(not(feature = "http2"))]
            versions: Versions::Http1,
            limits: Limits {
                head_size: 16 << 10,
                headers: 100,
                body_size: Some(2 << 20),
                streams: 100,
                head: seconds(30),
                body: seconds(60),
                send: seconds(60),
                idle: seconds(75),
                request: None,
            },
            graceful: Graceful::default(),
        }))
    }

    /// Serves HTTP/1 only, also if the client would like HTTP/2.
    #[must_use]
    pub fn http1_only(self) -> Http {
        self.change(|settings| settings.versions = Versions::Http1)
    }

    /// Returns the protocols for `alpn_protocols` of a `rustls::ServerConfig`, the preferred one
    /// first.
    ///
    /// # Examples
    ///
    /// ```
    /// let http = fibra::http::Http::new().http1_only();
    /// assert_eq!(http.alpn_protocols(), [b"http/1.1"]);
    /// ```
    #[must_use]
    pub fn alpn_protocols(&self) -> Vec<Vec<u8>> {
        let names: &[&[u8]] = match self.0.versions {
            Versions::Http1 => &[b"http/1.1"],
            #[cfg(feature = "http2")]
            Versions::Http2 => &[b"h2"],
            #[cfg(feature = "http2")]
            Versions::Both => &[b"h2", b"http/1.1"],
        };
        names.iter().map(|name| name.to_vec()).collect()
    }

    /// Limits the size of a request's head: its first line and its headers.
    ///
    /// The default of 16 KiB holds the largest cookies and tokens that browsers and proxies send
    /// (4 to 8 KiB each), and is also that of node and of hyper's HTTP/2.
    #[must_use]
    pub fn max_head_size(self, bytes: usize) -> Http {
        self.change(|settings| {
            settings.http1.max_buf_size(bytes.max(BUFFER));
            settings.limits.head_size = bytes;
        })
    }

    /// Limits the number of headers of a request. Each takes memory beside its text, and time.
    ///
    /// The default is 100, as in Apache and hyper.
    #[must_use]
    pub fn max_headers(self, number: usize) -> Http {
        self.change(|settings| {
            if number != 100 {
                settings.http1.max_headers(number);
            }
            settings.limits.headers = number;
        })
    }

    /// Limits the size of a request's body.
    ///
    /// A request that announces a larger one is answered with status 413, and its handler is not
    /// called. If the size is not announced, a read of the handler fails with
    /// [`FileTooLarge`](std::io::ErrorKind::FileTooLarge):
    /// [`status_of`](crate::http::status_of) has the right status for that error, too.
    ///
    /// The default of 2 MiB is that of axum: a handler that collects the body in memory is safe by
    /// default. A handler that writes it to a file sets a larger limit. For services (see
    /// [`serve_service`](Http::serve_service)), which take hyper's bodies, only the announced size
    /// is checked, unless they use [`limit_body`](Http::limit_body). Frameworks may have a limit of
    /// their own, as axum does.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::http::Http;
    ///
    /// let for_uploads = Http::new().max_body_size(5 << 30);
    /// let without_a_limit = Http::new().max_body_size(None);
    /// ```
    #[must_use]
    #[doc(alias = "DefaultBodyLimit")]
    pub fn max_body_size(self, bytes: impl Into<Option<u64>>) -> Http {
        self.change(|settings| settings.limits.body_size = bytes.into())
    }

    /// Limits the time for the head of a request, from its first byte; for the first request, from
    /// the start of the connection. Slow heads are a cheap attack (slowloris).
    ///
    /// A client of HTTP/1 that has sent a part of a head gets status 408. One that has sent nothing
    /// gets no response: browsers connect in advance, and would take it for that of their next
    /// request.
    ///
    /// The default is 30 seconds: a head is small, and a client that is slower has lost packets.
    #[must_use]
    #[doc(alias = "header_read_timeout")]
    pub fn head_timeout(self, time: impl Into<Option<Duration>>) -> Http {
        self.change(|settings| settings.limits.head = time.into())
    }

    /// Limits the time that a handler waits for the next bytes of a body. Its read fails with
    /// [`TimedOut`](std::io::ErrorKind::TimedOut) then. It does not limit the time of a whole body.
    ///
    /// The default is 60 seconds, as in nginx. For services, see [`limit_body`](Http::limit_body).
    #[must_use]
    pub fn body_timeout(self, time: impl Into<Option<Duration>>) -> Http {
        self.change(|settings| settings.limits.body = time.into())
    }

    /// Limits the time in which the client takes nothing of what is sent to it. Meanwhile the
    /// writer of a response waits.
    ///
    /// The default is 60 seconds, as in nginx.
    #[must_use]
    pub fn send_timeout(self, time: impl Into<Option<Duration>>) -> Http {
        self.change(|settings| settings.limits.send = time.into())
    }

    /// Limits the time for which a connection stays open between two requests.
    ///
    /// The default is 75 seconds. It should be longer than that of the clients, which are often
    /// proxies with 60 seconds: if a server closes first, it may cross with the next request.
    #[must_use]
    pub fn idle_timeout(self, time: impl Into<Option<Duration>>) -> Http {
        self.change(|settings| settings.limits.idle = time.into())
    }

    /// Limits the time of a whole request, from the end of its head to the end of its response.
    ///
    /// If there is no response by then, its handler is killed, and the response has status 503. A
    /// response that is being sent is broken off. There is no limit by default: downloads and
    /// streams of events may last for hours.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let http = fibra::http::Http::new().request_timeout(Duration::from_secs(30));
    /// ```
    #[must_use]
    #[doc(alias = "TimeoutLayer")]
    pub fn request_timeout(self, time: impl Into<Option<Duration>>) -> Http {
        self.change(|settings| settings.limits.request = time.into())
    }

    /// Serves clients of HTTP/1 that have shut down their side of the connection after a request.
    ///
    /// It is off by default: a handler is killed when its client closes. With it on, the server
    /// notices only when it sends that a client has gone. Turn it on for clients such as `nc -N`.
    #[must_use]
    pub fn half_close(self, on: bool) -> Http {
        self.change(|settings| {
            settings.http1.half_close(on);
        })
    }

    /// Changes hyper's settings for HTTP/1.
    ///
    /// # Examples
    ///
    /// ```
    /// let http = fibra::http::Http::new().with_http1(|http1| {
    ///     http1.keep_alive(false).title_case_headers(true);
    /// });
    /// ```
    #[must_use]
    pub fn with_http1(self, change: impl FnOnce(&mut http1::Builder)) -> Http {
        self.change(|settings| change(&mut settings.http1))
    }

    /// Returns a handle that asks all connections of these settings, and of their clones, to end.
    ///
    /// # Examples
    ///
    /// See [`Graceful`].
    #[must_use]
    pub fn graceful(&self) -> Graceful {
        self.0.graceful.clone()
    }

    pub(super) fn change(mut self, change: impl FnOnce(&mut Settings)) -> Http {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

impl Default for Http {
    fn default() -> Http {
        Http::new()
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http")
            .field("versions", &self.0.versions)
            .field("limits", &self.0.limits)
            .field("graceful", &self.0.graceful)
            .finish_non_exhaustive()
    }
}
