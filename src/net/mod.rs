//! Networking, as [`std::net`] has it; a fiber that waits for the network lets others run meanwhile.

mod addrs;
mod resolve;
mod resolver;

pub use addrs::ToSocketAddrs;
#[allow(unused_imports, reason = "for the sockets")]
pub(crate) use resolve::resolve;
pub use resolve::{LookupHost, lookup_host};
pub use resolver::Resolver;
