//! Proxies: which one a request takes, from the settings of the client or from the environment.
//!
//! Invariants:
//! - The upper-case variable `HTTP_PROXY` counts only outside of CGI, where a client of the server
//!   sets it with a header.
//! - A proxy that the environment names and that is not usable fails the requests that it is for:
//!   none of them goes another way.

use std::env;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use hyper::header::HeaderValue;
use url::{Host, Url};

use crate::http::client::auth;
use crate::http::client::error::Error;
use crate::http::client::into_url::IntoUrl;
use crate::http::client::route::host_and_port;

/// A proxy for requests of a [`Client`](crate::http::Client).
///
/// Requests for plain URLs are sent to the proxy; for `https` URLs the proxy makes a tunnel. The
/// proxy itself is reached without TLS.
///
/// # Examples
///
/// ```
/// use fibra::http::{Client, Proxy};
///
/// # fn main() -> Result<(), fibra::http::Error> {
/// let proxy = Proxy::new("http://user:secret@proxy.test:3128")?;
/// let client = Client::builder().proxy(proxy).build()?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Proxy {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) authorization: Option<HeaderValue>,
}

impl Proxy {
    /// Creates a proxy from its URL, which may contain a user name and a password.
    ///
    /// # Errors
    ///
    /// Returns an error if the text is not a URL whose scheme is `http`: proxies that are reached
    /// by TLS or SOCKS are not supported.
    pub fn new(url: impl IntoUrl) -> Result<Proxy, Error> {
        let mut url = url.into_url()?;
        if url.scheme() != "http" {
            let text = "proxies are reached by http:// only, and not by TLS or SOCKS";
            return Err(Error::builder(text).at(&url));
        }
        let authorization = auth::take_credentials(&mut url);
        let (host, port) = host_and_port(&url)?;
        Ok(Proxy { host, port, authorization })
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("host", &self.host).field("port", &self.port).finish()
    }
}

/// The proxies of a client.
#[derive(Clone, Debug, Default)]
pub(super) struct Proxies {
    http: Option<Chosen>,
    https: Option<Chosen>,
    exceptions: Vec<Exception>,
    /// Whether this machine is reached directly.
    except_loopback: bool,
}

/// A proxy, or the reason why the variable that names it is not usable.
type Chosen = Result<Arc<Proxy>, Arc<str>>;

impl Proxies {
    pub(super) fn all(proxy: Proxy) -> Proxies {
        let proxy = Some(Ok(Arc::new(proxy)));
        Proxies { http: proxy.clone(), https: proxy, ..Proxies::default() }
    }

    /// Reads the proxies of the environment.
    pub(super) fn from_environment() -> Proxies {
        let read = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        Proxies::from_variables(&read)
    }

    fn from_variables(read: &dyn Fn(&str) -> Option<String>) -> Proxies {
        let either = |name: &str| read(&name.to_lowercase()).or_else(|| read(name));
        let in_cgi = read("REQUEST_METHOD").is_some();
        let http = if in_cgi { read("http_proxy") } else { either("HTTP_PROXY") };
        let all = either("ALL_PROXY");
        let proxy = |name: &str, value: Option<String>| {
            let value = value.or_else(|| all.clone())?;
            // As other clients accept it: the scheme may be missing.
            let value = if value.contains("://") { value } else { format!("http://{value}") };
            Some(Proxy::new(value).map(Arc::new).map_err(|error| {
                format!("the variable {name} (or ALL_PROXY) is not usable: {error}").into()
            }))
        };
        let exceptions = either("NO_PROXY").unwrap_or_default();
        Proxies {
            http: proxy("HTTP_PROXY", http),
            https: proxy("HTTPS_PROXY", either("HTTPS_PROXY")),
            exceptions: exceptions.split(',').filter_map(Exception::parse).collect(),
            except_loopback: true,
        }
    }

    /// Returns the proxy for `url`.
    ///
    /// # Errors
    ///
    /// Returns an error if the environment names one that is not usable.
    pub(super) fn of(&self, url: &Url) -> Result<Option<Arc<Proxy>>, Error> {
        let proxy = if url.scheme() == "https" { &self.https } else { &self.http };
        let Some(proxy) = proxy else { return Ok(None) };
        let excepted = self.except_loopback && is_loopback(url)
            || self.exceptions.iter().any(|exception| exception.covers(url));
        match proxy {
            _ if excepted => Ok(None),
            Ok(proxy) => Ok(Some(proxy.clone())),
            Err(reason) => Err(Error::builder(&**reason).at(url)),
        }
    }
}

/// Returns a name without the dot at its end, which only marks it as complete.
fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => without_dot(name) == "localhost",
        Some(Host::Ipv4(addr)) => addr.is_loopback(),
        Some(Host::Ipv6(addr)) => addr.is_loopback(),
        None => false,
    }
}

/// Hosts that are reached without a proxy.
#[derive(Clone, Debug)]
enum Exception {
    All,
    /// A domain and all of its subdomains.
    Domain(String, Option<u16>),
    /// Addresses whose first bits are those of this one.
    Net(IpAddr, u8),
}

impl Exception {
    fn parse(text: &str) -> Option<Exception> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        if text == "*" {
            return Some(Exception::All);
        }
        let (addr, bits) = text.split_once('/').unwrap_or((text, ""));
        if let Ok(addr) = addr.trim_matches(['[', ']']).parse::<IpAddr>() {
            let most = if addr.is_ipv4() { 32 } else { 128 };
            return Some(Exception::Net(addr, bits.parse().unwrap_or(most).min(most)));
        }
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) => (name, port.parse().ok()),
            None => (text, None),
        };
        let name = without_dot(name.trim_start_matches('*').trim_start_matches('.'));
        Some(Exception::Domain(name.to_lowercase(), port))
    }

    fn covers(&self, url: &Url) -> bool {
        match (self, url.host()) {
            (Exception::All, _) => true,
            (Exception::Domain(domain, port), Some(Host::Domain(name))) => {
                let inside = without_dot(name).strip_suffix(domain.as_str());
                inside.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
                    && port.is_none_or(|port| url.port_or_known_default() == Some(port))
            }
            (Exception::Net(net, bits), Some(Host::Ipv4(addr))) => covers(*net, addr.into(), *bits),
            (Exception::Net(net, bits), Some(Host::Ipv6(addr))) => covers(*net, addr.into(), *bits),
            _ => false,
        }
    }
}

/// Returns whether the first `bits` bits of two addresses of the same kind are equal.
fn covers(net: IpAddr, addr: IpAddr, bits: u8) -> bool {
    let differs = match (net, addr) {
        (IpAddr::V4(net), IpAddr::V4(addr)) => {
            u128::from(net.to_bits() ^ addr.to_bits()) << (128 - 32)
        }
        (IpAddr::V6(net), IpAddr::V6(addr)) => net.to_bits() ^ addr.to_bits(),
        _ => return false,
    };
    u32::from(bits) <= differs.leading_zeros()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the host of the proxy for `url`, with these variables.
    fn host(variables: &[(&str, &str)], url: &str) -> Option<String> {
        let read = |name: &str| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_string())
        };
        let proxy = Proxies::from_variables(&read).of(&Url::parse(url).unwrap()).unwrap();
        proxy.map(|proxy| format!("{}:{}", proxy.host, proxy.port))
    }

    #[test]
    fn each_scheme_has_its_variable() {
        let variables =
            [("HTTP_PROXY", "http://a"), ("https_proxy", "b:8080"), ("HTTPS_PROXY", "c")];
        assert_eq!(host(&variables, "http://x/").unwrap(), "a:80");
        assert_eq!(host(&variables, "https://x/").unwrap(), "b:8080");
        let all = [("ALL_PROXY", "http://a:1"), ("https_proxy", "b:2")];
        assert_eq!(host(&all, "http://x/").unwrap(), "a:1");
        assert_eq!(host(&all, "https://x/").unwrap(), "b:2");
        assert_eq!(host(&[], "http://x/"), None);
    }

    #[test]
    fn a_client_of_a_cgi_program_cannot_choose_its_proxy() {
        let cgi = [("REQUEST_METHOD", "GET"), ("HTTP_PROXY", "http://evil")];
        assert_eq!(host(&cgi, "http://x/"), None);
        let lower = [("REQUEST_METHOD", "GET"), ("http_proxy", "http://good")];
        assert_eq!(host(&lower, "http://x/").unwrap(), "good:80");
    }

    #[test]
    fn exceptions_are_hosts_domains_and_networks() {
        let table = [
            ("a.test", "http://a.test/", true),
            ("a.test", "http://b.a.test/", true),
            (".a.test", "http://a.test/", true),
            ("*.a.test", "http://b.a.test/", true),
            ("a.test", "http://ba.test/", false),
            ("A.TEST", "http://a.test/", true),
            ("a.test.", "http://a.test/", true),
            ("a.test", "http://b.a.test./", true),
            ("a.test", "http://ba.test./", false),
            ("", "http://localhost./", true),
            ("a.test:80", "http://a.test/", true),
            ("a.test:81", "http://a.test/", false),
            ("x, a.test ,y", "http://a.test/", true),
            ("*", "http://a.test/", true),
            ("", "http://a.test/", false),
            ("10.1.2.3", "http://10.1.2.3/", true),
            ("10.1.2.3", "http://10.1.2.4/", false),
            ("10.0.0.0/8", "http://10.1.2.3/", true),
            ("10.0.0.0/8", "http://11.1.2.3/", false),
            ("0.0.0.0/0", "http://11.1.2.3/", true),
            ("::2", "http://[::2]/", true),
            ("[::2]", "http://[::2]/", true),
            ("", "http://localhost:8080/", true),
            ("", "http://127.0.0.1/", true),
            ("", "http://[::1]/", true),
            ("fd00::/8", "http://[fd12::1]/", true),
            ("fd00::/8", "http://[fe80::1]/", false),
        ];
        for (exceptions, url, excepted) in table {
            let variables = [("http_proxy", "http://p"), ("no_proxy", exceptions)];
            assert_eq!(host(&variables, url).is_none(), excepted, "{exceptions} {url}");
        }
    }

    #[test]
    fn a_variable_that_is_not_usable_is_named() {
        let read = |name: &str| (name == "http_proxy").then(|| "socks5://a:b@c".to_string());
        let proxies = Proxies::from_variables(&read);
        let error = proxies.of(&Url::parse("http://x/").unwrap()).unwrap_err().to_string();
        assert!(error.contains("HTTP_PROXY") && !error.contains("a:b"), "{error}");
        assert!(proxies.of(&Url::parse("https://x/").unwrap()).unwrap().is_none());
    }
}
