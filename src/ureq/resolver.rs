//! ureq's trait for resolvers, for that of this crate.

use ::ureq::Error;
use ::ureq::config::Config;
use ::ureq::http::Uri;
use ::ureq::unversioned::resolver::ResolvedSocketAddrs;
use ::ureq::unversioned::transport::NextTimeout;

use crate::net::Resolver;
use crate::ureq::tcp::{Until, to_ureq, within};

/// The greatest number of addresses that a connection is tried with: ureq's array has no more.
const MOST: usize = 16;

impl ::ureq::unversioned::resolver::Resolver for Resolver {
    #[track_caller]
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let host = host_of(uri).ok_or(Error::HostNotFound)?;
        let port =
            uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
        let until = Until::of(timeout)?;
        let found = within(until, || self.lookup_host((host, port)));
        let found = found.map_err(|error| to_ureq(error, until))?;
        let mut addrs = ::ureq::unversioned::resolver::Resolver::empty(self);
        config.ip_family().keep_wanted(found).take(MOST).for_each(|addr| addrs.push(addr));
        if addrs.is_empty() { Err(Error::HostNotFound) } else { Ok(addrs) }
    }
}

/// Returns the host of `uri`, without the brackets of an address.
pub(super) fn host_of(uri: &Uri) -> Option<&str> {
    let host = uri.host()?;
    Some(host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host))
}
