//! Resolving what names addresses into the addresses: the calls.

use std::io;
use std::net::SocketAddr;
use std::vec;

use crate::net::addrs::ToSocketAddrs;
use crate::net::addrs::sealed::Meaning;
use crate::net::resolver::Resolver;

/// Looks up the addresses of `host`, with the resolver of the system.
///
/// If no look-up is needed (for an address, as a value or as text), this returns immediately. For a
/// name this is a kill point, and a time limit can end the wait: [`Resolver`] describes what
/// happens to the look-up then. A plain thread blocks.
///
/// # Errors
///
/// Returns an error if the text is not an address, the name is not known, or its servers cannot be
/// reached.
///
/// # Examples
///
/// ```
/// fibra::run(|| -> std::io::Result<()> {
///     for address in fibra::net::lookup_host("localhost:80")? {
///         assert!(address.ip().is_loopback());
///         assert_eq!(address.port(), 80);
///     }
///     Ok(())
/// })?;
/// # std::io::Result::Ok(())
/// ```
#[track_caller]
pub fn lookup_host(host: impl ToSocketAddrs) -> io::Result<LookupHost> {
    resolve(&host)
}

/// Like [`lookup_host`], for calls that take addresses.
#[track_caller]
pub(crate) fn resolve<A: ToSocketAddrs + ?Sized>(address: &A) -> io::Result<LookupHost> {
    resolve_with(Resolver::of_system(), address)
}

#[track_caller]
pub(super) fn resolve_with<A: ToSocketAddrs + ?Sized>(
    resolver: &Resolver,
    address: &A,
) -> io::Result<LookupHost> {
    Ok(LookupHost(match address.meaning()? {
        Meaning::One(addr) => Addrs::One(Some(addr)),
        Meaning::Many(addrs) => Addrs::Many(Vec::from(addrs).into_iter()),
        Meaning::Name(name, port) => Addrs::Many(resolver.ask(name, port)?.into_iter()),
    }))
}

/// The addresses of a host, in the order in which they should be tried; returned by
/// [`lookup_host`].
#[derive(Clone, Debug)]
pub struct LookupHost(Addrs);

#[derive(Clone, Debug)]
enum Addrs {
    One(Option<SocketAddr>),
    Many(vec::IntoIter<SocketAddr>),
}

impl Iterator for LookupHost {
    type Item = SocketAddr;

    fn next(&mut self) -> Option<SocketAddr> {
        match &mut self.0 {
            Addrs::One(addr) => addr.take(),
            Addrs::Many(addrs) => addrs.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let n = match &self.0 {
            Addrs::One(addr) => usize::from(addr.is_some()),
            Addrs::Many(addrs) => addrs.len(),
        };
        (n, Some(n))
    }
}

impl ExactSizeIterator for LookupHost {}
