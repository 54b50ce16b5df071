//! The settings of a client.

use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::{ACCEPT, HeaderValue, USER_AGENT};
#[cfg(feature = "https")]
use rustls::pki_types::CertificateDer;

use crate::http::client::Client;
use crate::http::client::connect::Dial;
use crate::http::client::error::Error;
#[cfg(feature = "http2")]
use crate::http::client::multiplexed::Pings;
use crate::http::client::pool::{Pool, PoolSettings};
use crate::http::client::proxy::{Proxies, Proxy};
use crate::http::client::redirect::RedirectPolicy;
#[cfg(feature = "https")]
use crate::http::client::tls;
#[cfg(feature = "tls")]
use crate::http::client::tls::TlsSettings;
use crate::net::Resolver;

/// A builder of a [`Client`], made by [`Client::builder`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use fibra::http::Client;
///
/// # fn main() -> Result<(), fibra::http::Error> {
/// let client = Client::builder()
///     .timeout(Duration::from_secs(30))
///     .connect_timeout(Duration::from_secs(5))
///     .max_connections_per_host(4)
///     .user_agent("crawler/1.0")
///     .build()?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct ClientBuilder {
    settings: Settings,
    pub(super) pool: PoolSettings,
    resolver: Option<Resolver>,
    /// The proxies that were chosen, in place of those of the environment.
    proxies: Option<Proxies>,
    user_agent: Option<String>,
    #[cfg(feature = "tls")]
    tls: Option<rustls::ClientConfig>,
    /// Certificates that are trusted beside those of the system.
    #[cfg(feature = "https")]
    roots: Vec<CertificateDer<'static>>,
    #[cfg(feature = "http2")]
    pub(super) http2: Http2,
}

/// When HTTP/2 is used.
#[cfg(feature = "http2")]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Http2 {
    Never,
    /// By servers that choose it during the handshake of TLS.
    #[default]
    Offered,
    /// By all servers.
    Always,
}

/// The settings that each request looks at.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) timeout: Option<Duration>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) read_timeout: Option<Duration>,
    pub(super) body_size: Option<u64>,
    #[cfg(feature = "gzip")]
    pub(super) gzip: bool,
    pub(super) redirect: RedirectPolicy,
    pub(super) proxies: Proxies,
    pub(super) default_headers: HeaderMap,
}

impl ClientBuilder {
    pub(super) fn new() -> ClientBuilder {
        let mut default_headers = HeaderMap::new();
        default_headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        let agent = concat!("fibra/", env!("CARGO_PKG_VERSION"));
        default_headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        ClientBuilder {
            settings: Settings {
                timeout: None,
                connect_timeout: None,
                read_timeout: None,
                body_size: None,
                #[cfg(feature = "gzip")]
                gzip: true,
                redirect: RedirectPolicy::default(),
                proxies: Proxies::default(),
                default_headers,
            },
            pool: PoolSettings {
                most_idle: usize::MAX,
                idle_timeout: Some(Duration::from_secs(90)),
                most_connections: None,
                #[cfg(feature = "http2")]
                pings: Pings {
                    interval: None,
                    timeout: Duration::from_secs(20),
                    while_idle: false,
                },
            },
            resolver: None,
            proxies: None,
            user_agent: None,
            #[cfg(feature = "tls")]
            tls: None,
            #[cfg(feature = "https")]
            roots: Vec::new(),
            #[cfg(feature = "http2")]
            http2: Http2::default(),
        }
    }

    /// Sets the time limit of each request, from the call of `send` to the end of the response's
    /// body. There is none by default.
    #[doc(alias = "timeout_global")]
    pub fn timeout(mut self, timeout: Duration) -> ClientBuilder {
        self.settings.timeout = Some(timeout);
        self
    }

    /// Sets the time limit for a new connection: the look-up of the name, TCP, the proxy and TLS.
    /// There is none by default.
    #[doc(alias = "timeout_connect")]
    pub fn connect_timeout(mut self, timeout: Duration) -> ClientBuilder {
        self.settings.connect_timeout = Some(timeout);
        self
    }

    /// Sets for how long a server may be silent: the longest time without any data, while the
    /// client waits for the head of a response or for more of its body. There is none by default.
    #[doc(alias = "timeout_recv_body")]
    pub fn read_timeout(mut self, timeout: Duration) -> ClientBuilder {
        self.settings.read_timeout = Some(timeout);
        self
    }

    /// Limits the size of the body of each response, decoded if it was compressed. To read more is
    /// an error, with [`FileTooLarge`](std::io::ErrorKind::FileTooLarge) as its kind. There is no
    /// limit by default: set one for servers that are not trusted, if bodies are collected in
    /// memory.
    pub fn max_body_size(mut self, bytes: impl Into<Option<u64>>) -> ClientBuilder {
        self.settings.body_size = bytes.into();
        self
    }

    /// Sets whether responses may be compressed with gzip: yes by default, if the feature `gzip` is
    /// enabled.
    ///
    /// The client then asks for it (`accept-encoding: gzip`), and decodes such a body while it is
    /// read. The response loses the headers `content-encoding` and `content-length`, which describe
    /// the compressed body. A request that has its own `accept-encoding` gets the body as the
    /// server sends it; so does a HEAD request, and one for a `range`.
    #[cfg(feature = "gzip")]
    #[cfg_attr(docsrs, doc(cfg(feature = "gzip")))]
    pub fn gzip(mut self, on: bool) -> ClientBuilder {
        self.settings.gzip = on;
        self
    }

    /// Sets whether redirects are followed. By default up to 10 are.
    pub fn redirect(mut self, policy: RedirectPolicy) -> ClientBuilder {
        self.settings.redirect = policy;
        self
    }

    /// Sets the largest number of connections to one host and port, idle ones included. Further
    /// requests wait, and get a connection in the order in which they asked. There is no limit by
    /// default.
    ///
    /// A request uses its connection until its response has been read or dropped. So a fiber that
    /// holds a response, and waits for a further one, may wait forever.
    ///
    /// # Panics
    ///
    /// Panics if the number is zero, or more than a semaphore can have.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::http::Client;
    ///
    /// let polite = Client::builder().max_connections_per_host(2).build()?;
    /// # Ok::<(), fibra::http::Error>(())
    /// ```
    pub fn max_connections_per_host(mut self, most: usize) -> ClientBuilder {
        assert!(most != 0, "no request could ever be sent without a connection");
        let largest = crate::sync::Semaphore::MAX_PERMITS;
        assert!(most <= largest, "more connections than a semaphore has permits");
        self.pool.most_connections = Some(most);
        self
    }

    /// Sets the largest number of idle connections to one host and port that are kept. There is no
    /// limit by default; with zero, each request makes a connection of its own.
    pub fn pool_max_idle_per_host(mut self, most: usize) -> ClientBuilder {
        self.pool.most_idle = most;
        self
    }

    /// Sets for how long connections are kept without being used: 90 seconds by default, `None` for
    /// as long as the server keeps them.
    pub fn pool_idle_timeout(mut self, timeout: impl Into<Option<Duration>>) -> ClientBuilder {
        self.pool.idle_timeout = timeout.into();
        self
    }

    /// Sets headers for all requests, in addition to `accept` and `user-agent`, or in place of
    /// them.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::http::{Client, hyper};
    /// use hyper::header::{ACCEPT_LANGUAGE, HeaderMap, HeaderValue};
    ///
    /// let headers = HeaderMap::from_iter([(ACCEPT_LANGUAGE, HeaderValue::from_static("eo"))]);
    /// let client = Client::builder().default_headers(headers).build()?;
    /// # Ok::<(), fibra::http::Error>(())
    /// ```
    pub fn default_headers(mut self, headers: HeaderMap) -> ClientBuilder {
        headers.keys().for_each(|name| drop(self.settings.default_headers.remove(name)));
        self.settings.default_headers.extend(headers);
        self
    }

    /// Sets the header `user-agent`, which is `fibra/` with its version by default.
    pub fn user_agent(mut self, text: impl Into<String>) -> ClientBuilder {
        self.user_agent = Some(text.into());
        self
    }

    /// Sends all requests through `proxy`, in place of those that the environment names.
    pub fn proxy(mut self, proxy: Proxy) -> ClientBuilder {
        self.proxies = Some(Proxies::all(proxy));
        self
    }

    /// Sends all requests directly, even if the environment names proxies.
    pub fn no_proxy(mut self) -> ClientBuilder {
        self.proxies = Some(Proxies::default());
        self
    }

    /// Looks up names with `resolver`, in place of the resolver of the system.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::net::Ipv4Addr;
    /// use fibra::http::Client;
    /// use fibra::net::Resolver;
    ///
    /// # fn main() -> Result<(), fibra::http::Error> {
    /// let hosts = Resolver::fixed([("shop.test", Ipv4Addr::LOCALHOST.into())]);
    /// let client = Client::builder().resolver(hosts).build()?;
    /// # Ok(()) }
    /// ```
    #[doc(alias("resolve", "dns_resolver"))]
    pub fn resolver(mut self, resolver: Resolver) -> ClientBuilder {
        self.resolver = Some(resolver);
        self
    }

    /// Trusts the servers that `certificate` vouches for, beside those that the system trusts: the
    /// certificate of a company's authority, or that of a server which has signed it itself. If
    /// [`tls_config`](ClientBuilder::tls_config) is used as well, `build` fails.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::error::Error;
    /// use fibra::http::Client;
    /// use fibra::tls::rustls::pki_types::{CertificateDer, pem::PemObject};
    ///
    /// # fn main() -> Result<(), Box<dyn Error>> {
    /// let client = Client::builder()
    ///     .add_root_certificate(CertificateDer::from_pem_file("ca.pem")?)
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "https")]
    #[cfg_attr(docsrs, doc(cfg(feature = "https")))]
    pub fn add_root_certificate(mut self, certificate: CertificateDer<'static>) -> ClientBuilder {
        self.roots.push(certificate);
        self
    }

    /// Uses `config` for TLS, in place of the certificates of the system: for another provider of
    /// cryptography, other roots, or a certificate of the client. Needs the feature `tls`, and not
    /// `https`. The protocols of ALPN are set by the client.
    ///
    /// # Examples
    ///
    /// A client that trusts the certificates in a file, and no others:
    ///
    /// ```no_run
    /// use std::error::Error;
    /// use std::sync::Arc;
    /// use fibra::http::Client;
    /// use fibra::tls::rustls;
    /// use rustls::pki_types::{CertificateDer, pem::PemObject};
    ///
    /// # fn main() -> Result<(), Box<dyn Error>> {
    /// let mut roots = rustls::RootCertStore::empty();
    /// for certificate in CertificateDer::pem_file_iter("ca.pem")? {
    ///     roots.add(certificate?)?;
    /// }
    /// let provider = Arc::new(rustls::crypto::ring::default_provider());
    /// let config = rustls::ClientConfig::builder_with_provider(provider)
    ///     .with_safe_default_protocol_versions()?
    ///     .with_root_certificates(roots)
    ///     .with_no_client_auth();
    /// let client = Client::builder().tls_config(config).build()?;
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    #[doc(alias("danger_accept_invalid_certs", "use_preconfigured_tls"))]
    pub fn tls_config(mut self, config: rustls::ClientConfig) -> ClientBuilder {
        self.tls = Some(config);
        self
    }

    /// Uses HTTP/1 only. Otherwise a server may choose HTTP/2 during the handshake of TLS, if the
    /// feature `http2` is enabled.
    pub fn http1_only(
        #[cfg_attr(not(feature = "http2"), allow(unused_mut))] mut self,
    ) -> ClientBuilder {
        #[cfg(feature = "http2")]
        {
            self.http2 = Http2::Never;
        }
        self
    }

    /// Creates the client.
    ///
    /// # Errors
    ///
    /// Returns an error if the user agent cannot be a header, if a certificate that was added is
    /// not one, or if certificates were added and a configuration of TLS was given.
    pub fn build(self) -> Result<Client, Error> {
        let mut settings = self.settings;
        settings.proxies = self.proxies.unwrap_or_else(Proxies::from_environment);
        if let Some(agent) = self.user_agent {
            settings.default_headers.insert(
                USER_AGENT,
                HeaderValue::try_from(agent).map_err(|error| {
                    Error::builder("the user agent cannot be a header").because(error)
                })?,
            );
        }
        let mut pool = self.pool;
        if pool.idle_timeout.is_some_and(|timeout| timeout.is_zero()) {
            pool.most_idle = 0;
            pool.idle_timeout = None;
        }
        let dial = Dial {
            resolver: self.resolver.unwrap_or_else(Resolver::system),
            #[cfg(feature = "tls")]
            tls: TlsSettings::new(
                #[cfg(feature = "https")]
                tls::with_roots(self.tls, self.roots)?,
                #[cfg(not(feature = "https"))]
                self.tls,
                #[cfg(feature = "http2")]
                (self.http2 != Http2::Never),
                #[cfg(not(feature = "http2"))]
                false,
            ),
            #[cfg(feature = "http2")]
            plain_http2: self.http2 == Http2::Always,
        };
        Ok(Client::of(settings, dial, Pool::new(pool)))
    }
}
