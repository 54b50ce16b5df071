//! New connections: the look-up of names, TCP, the tunnel through a proxy, and TLS.

use std::io;
use std::net::SocketAddr;

use crate::http::client::error::{Error, Kind};
use crate::http::client::limits::Limits;
use crate::http::client::line::Stream;
use crate::http::client::proxy::Proxy;
use crate::http::client::route::{Key, Route};
#[cfg(feature = "tls")]
use crate::http::client::tls::TlsSettings;
use crate::http::client::tunnel;
use crate::net::{Resolver, TcpStream};
use crate::sched::lowlevel::clock_now;
use crate::time::deadline;

/// The settings with which a client makes connections.
pub(super) struct Dial {
    pub(super) resolver: Resolver,
    #[cfg(feature = "tls")]
    pub(super) tls: TlsSettings,
    /// Whether servers without TLS are known to use HTTP/2.
    #[cfg(feature = "http2")]
    pub(super) plain_http2: bool,
}

/// A stream to a server, ready for requests.
pub(super) struct Connected {
    pub(super) stream: Box<dyn Stream>,
    pub(super) peer: Option<SocketAddr>,
    #[cfg(feature = "http2")]
    pub(super) http2: bool,
}

impl Dial {
    /// Connects to the server of `route`, within the limits.
    #[track_caller]
    pub(super) fn connect(&self, route: &Route, limits: &Limits) -> Result<Connected, Error> {
        let Some((at, limit)) = limits.of_connect() else { return self.dial(route) };
        let passed = || Error::new(Kind::Timeout(limit), None);
        match deadline(at, || self.dial(route)) {
            Ok(Ok(connected)) => Ok(connected),
            // Where nothing can unwind, the waits inside have failed.
            Ok(Err(error)) => Err(if clock_now() < at { error } else { passed() }),
            Err(_) => Err(passed()),
        }
    }

    /// Returns whether a new connection may turn out to be one of HTTP/2.
    #[cfg(feature = "http2")]
    pub(super) fn offers_http2(&self, key: &Key) -> bool {
        #[cfg(feature = "tls")]
        if key.tls {
            return self.tls.offers_http2();
        }
        self.plain_http2 && !key.forwards
    }

    #[track_caller]
    fn dial(&self, route: &Route) -> Result<Connected, Error> {
        let Key { tls, ref host, port, .. } = route.key;
        #[cfg(not(feature = "tls"))]
        if tls {
            return Err(Error::builder("https needs the feature `https` of fibra"));
        }
        let tunnel = route.proxy.as_deref().filter(|_| tls);
        let stream = match tunnel {
            Some(proxy) => self.tunnel(proxy, &route.key).map_err(failed)?,
            None => self.tcp(host, port).map_err(failed)?,
        };
        let peer = stream.peer_addr().ok();
        #[cfg(feature = "tls")]
        if tls {
            let stream = self.tls.connect(host, stream)?;
            #[cfg(feature = "http2")]
            let http2 = stream.alpn_protocol().as_deref() == Some(b"h2");
            return Ok(Connected {
                stream: Box::new(stream),
                peer,
                #[cfg(feature = "http2")]
                http2,
            });
        }
        Ok(Connected {
            stream: Box::new(stream),
            peer,
            #[cfg(feature = "http2")]
            http2: self.offers_http2(&route.key),
        })
    }

    #[track_caller]
    fn tcp(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let addrs: Vec<_> = self.resolver.lookup_host((host, port))?.collect();
        TcpStream::builder().nodelay(true).connect(&addrs[..])
    }

    #[track_caller]
    fn tunnel(&self, proxy: &Proxy, key: &Key) -> io::Result<TcpStream> {
        let stream = self.tcp(&proxy.host, proxy.port)?;
        tunnel::open(&stream, proxy, key)?;
        Ok(stream)
    }
}

pub(super) fn failed(error: io::Error) -> Error {
    Error::new(Kind::Connect, None).because(error)
}
