//! Types that name socket addresses: the addresses themselves, or a name and a port.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use sealed::{Meaning, Means};

/// A type that names one or more socket addresses: the counterpart of [`std::net::ToSocketAddrs`],
/// for the same types.
///
/// | type | meaning |
/// |---|---|
/// | [`SocketAddr`], [`SocketAddrV4`], [`SocketAddrV6`], `&[SocketAddr]` | itself |
/// | `(IpAddr, u16)`, `(Ipv4Addr, u16)`, `(Ipv6Addr, u16)` | an address and a port |
/// | `(&str, u16)`, `(String, u16)` | an address or a name, and a port |
/// | `str`, `String` | `"127.0.0.1:80"`, `"[::1]:80"`, `"localhost:80"` |
///
/// Only names have to be looked up: see [`lookup_host`](crate::net::lookup_host). Nothing else
/// waits. The trait is sealed: it cannot be implemented for other types.
///
/// # Examples
///
/// ```
/// use fibra::net::{ToSocketAddrs, lookup_host};
///
/// fn first(address: impl ToSocketAddrs) -> std::io::Result<std::net::SocketAddr> {
///     lookup_host(address)?.next().ok_or_else(|| std::io::ErrorKind::NotFound.into())
/// }
/// assert_eq!(first("127.0.0.1:80")?, first((std::net::Ipv4Addr::LOCALHOST, 80))?);
/// # std::io::Result::Ok(())
/// ```
pub trait ToSocketAddrs: Means {}

pub(super) mod sealed {
    use super::{SocketAddr, io};

    /// The meaning of a value that names addresses.
    #[derive(Debug)]
    pub enum Meaning<'a> {
        One(SocketAddr),
        Many(&'a [SocketAddr]),
        Name(&'a str, u16),
    }

    pub trait Means {
        fn meaning(&self) -> io::Result<Meaning<'_>>;
    }
}

macro_rules! one {
    ($($T:ty),+ $(,)?) => {$(
        impl ToSocketAddrs for $T {}
        impl Means for $T {
            fn meaning(&self) -> io::Result<Meaning<'_>> {
                Ok(Meaning::One(SocketAddr::from(*self)))
            }
        }
    )+};
}

one!(SocketAddr, SocketAddrV4, SocketAddrV6, (IpAddr, u16), (Ipv4Addr, u16), (Ipv6Addr, u16),);

impl ToSocketAddrs for [SocketAddr] {}
impl Means for [SocketAddr] {
    fn meaning(&self) -> io::Result<Meaning<'_>> {
        Ok(Meaning::Many(self))
    }
}

impl ToSocketAddrs for (&str, u16) {}
impl Means for (&str, u16) {
    fn meaning(&self) -> io::Result<Meaning<'_>> {
        Ok(host_and_port(self.0, self.1))
    }
}

impl ToSocketAddrs for (String, u16) {}
impl Means for (String, u16) {
    fn meaning(&self) -> io::Result<Meaning<'_>> {
        Ok(host_and_port(&self.0, self.1))
    }
}

impl ToSocketAddrs for str {}
impl Means for str {
    fn meaning(&self) -> io::Result<Meaning<'_>> {
        if let Ok(addr) = self.parse() {
            return Ok(Meaning::One(addr));
        }
        let (host, port) = self
            .rsplit_once(':')
            .ok_or_else(|| invalid("the address has no port: expected `host:port`"))?;
        let port = port.parse().map_err(|_| {
            invalid("the text after the last ':' of the address is not a port number")
        })?;
        Ok(host_and_port(host, port))
    }
}

impl ToSocketAddrs for String {}
impl Means for String {
    fn meaning(&self) -> io::Result<Meaning<'_>> {
        self.as_str().meaning()
    }
}

impl<T: ToSocketAddrs + ?Sized> ToSocketAddrs for &T {}
impl<T: Means + ?Sized> Means for &T {
    fn meaning(&self) -> io::Result<Meaning<'_>> {
        (**self).meaning()
    }
}

fn host_and_port(host: &str, port: u16) -> Meaning<'_> {
    match host.parse::<IpAddr>() {
        Ok(ip) => Meaning::One(SocketAddr::new(ip, port)),
        Err(_) => Meaning::Name(host, port),
    }
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(address: impl ToSocketAddrs) -> String {
        match address.meaning() {
            Ok(meaning) => format!("{meaning:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn only_names_are_names() {
        let ip = Ipv4Addr::LOCALHOST;
        let one = "One(127.0.0.1:80)";
        assert_eq!(meaning("127.0.0.1:80"), one);
        assert_eq!(meaning(("127.0.0.1", 80)), one);
        assert_eq!(meaning((String::from("127.0.0.1"), 80)), one);
        assert_eq!(meaning((ip, 80)), one);
        let pair = &(IpAddr::from(ip), 80);
        assert_eq!(meaning(pair), one);
        assert_eq!(meaning("[::1]:80"), "One([::1]:80)");
        assert_eq!(meaning(("::1", 80)), "One([::1]:80)");
        assert_eq!(meaning(&[SocketAddr::from((ip, 80))][..]), "Many([127.0.0.1:80])");
        assert_eq!(meaning("localhost:80"), r#"Name("localhost", 80)"#);
        assert_eq!(meaning(String::from("localhost:80")), r#"Name("localhost", 80)"#);
        assert_eq!(meaning(("127.1", 80)), r#"Name("127.1", 80)"#);
        assert_eq!(meaning("localhost"), "no port after a ':'");
        assert_eq!(meaning("localhost:http"), "what stands after the ':' is no port");
        assert_eq!(meaning("localhost:65536"), "what stands after the ':' is no port");
    }
}
