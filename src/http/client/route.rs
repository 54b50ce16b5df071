//! The server that a URL leads to, and how the client gets there.

use std::fmt;
use std::sync::Arc;

use url::{Host, Url};

use crate::http::client::error::Error;
use crate::http::client::proxy::Proxy;

/// The properties that connections share which can carry the same requests.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Key {
    pub(super) tls: bool,
    /// A name, or an address without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// Whether the server is a proxy that takes requests for all plain URLs.
    pub(super) forwards: bool,
}

/// A way to the server of a URL.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) key: Key,
    /// The proxy through which a tunnel leads to the server, or which is the server.
    pub(super) proxy: Option<Arc<Proxy>>,
}

impl Route {
    /// Returns the way to the server of `url`.
    pub(super) fn to(url: &Url, proxy: Option<Arc<Proxy>>) -> Result<Route, Error> {
        let tls = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return Err(Error::builder(other_scheme(url)).at(url)),
        };
        let (host, port) = host_and_port(url)?;
        let key = match &proxy {
            Some(proxy) if !tls => {
                Key { tls, host: proxy.host.clone(), port: proxy.port, forwards: true }
            }
            _ => Key { tls, host, port, forwards: false },
        };
        Ok(Route { key, proxy })
    }
}

/// Returns the error text for a URL of another scheme, or for a host and a port without any.
fn other_scheme(url: &Url) -> String {
    let hint = if url.cannot_be_a_base() { format!(": write http://{url}") } else { String::new() };
    format!("only http and https URLs are supported{hint}")
}

/// Returns the host of `url`, without the brackets of an address, and its port.
pub(super) fn host_and_port(url: &Url) -> Result<(String, u16), Error> {
    let host = match url.host() {
        Some(Host::Domain(name)) => name.to_owned(),
        Some(Host::Ipv4(addr)) => addr.to_string(),
        Some(Host::Ipv6(addr)) => addr.to_string(),
        None => return Err(Error::builder("the URL has no host").at(url)),
    };
    let port = url.port_or_known_default();
    let port = port.ok_or_else(|| Error::builder("the URL has no port").at(url))?;
    Ok((host, port))
}

/// Shows the host and the port as an authority has them, with brackets around an address of IPv6.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Key { host, port, .. } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}
