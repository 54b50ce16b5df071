//! The HTTP client [ureq](https://docs.rs/ureq) on fibers: its agents, over the sockets of this
//! crate.
//!
//! ureq is made for threads: its calls block. With an [`agent()`] of this module they park the
//! fiber instead, so one thread has many requests at the same time. The pool of connections, the
//! redirects, the time limits and everything else remain ureq's own, and programs change one line:
//!
#![cfg_attr(feature = "http", doc = "```")]
#![cfg_attr(not(feature = "http"), doc = "```ignore")]
//! use fibra::http::{Http, hyper::Response};
//! use fibra::server::Server;
//! use ureq::config::Config;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! fibra::run(|| {
//!     let server = Server::bind("127.0.0.1:0")?;
//!     let url = format!("http://{}/", server.listener().local_addr()?);
//!     let _running = server.start(|stream, _| {
//!         Http::new().serve_connection(stream, |_| Response::new("hello".to_string()))
//!     });
//!
//!     let agent = fibra::ureq::agent(Config::default()); // was: `Agent::new_with_config`
//!     let pages = [(); 3].map(|()| {
//!         let (agent, url) = (agent.clone(), url.clone());
//!         fibra::spawn(move || agent.get(&url).call()?.body_mut().read_to_string())
//!     });
//!     for page in pages {
//!         assert_eq!(page.join()??, "hello");
//!     }
//!     Ok(())
//! })
//! # }
//! ```
//!
//! Functions such as `ureq::get` use an agent of their own, which blocks the thread: use those of
//! an agent.
//!
//! # Parts
//!
//! - [`Connector`] makes the connections: TCP, tunnels through proxies, and TLS by
//!   `fibra::tls`. For https URLs it needs the feature `https`, with which it trusts the
//!   certificates of the system, or the feature `tls` and a configuration of rustls. ureq's own
//!   features and settings for TLS are not used. Proxies of the SOCKS kinds are refused.
//! - [`net::Resolver`](crate::net::Resolver) implements ureq's trait for resolvers, so look-ups of
//!   names do not block the thread either.
//! - Each time limit of ureq ends the wait of a fiber like it ends that of a thread. A fiber that
//!   is killed unwinds out of the call, and its connection is closed.
//! - Bodies that ureq reads while it sends them are read by the calling fiber.
//!
//! Agents may be shared by threads, and used on plain threads, too, where calls block.
//!
//! # Versions
//!
//! ureq calls the traits that are implemented here `unversioned`: they may change with each minor
//! version of ureq. So this crate depends on one minor version, `~3.5`, and the program must depend
//! on the same. A later version of this crate may need a later one: see
//! [`stability`](crate::stability#types-of-other-crates).

mod connector;
mod resolver;
mod tcp;
#[cfg(feature = "tls")]
mod tls;

pub use connector::Connector;

use crate::net::Resolver;
use ::ureq::Agent;
use ::ureq::config::Config;

/// Creates an agent that connects by a [`Connector`], and looks up names by the resolver of the
/// system.
///
/// It replaces `Agent::new_with_config`, and with `Config::default()` also `ureq::agent()`. For
/// other parts, use `Agent::with_parts`.
///
/// # Examples
///
/// See the [module](self). With a resolver that has names of its own:
///
/// ```
/// use std::net::Ipv4Addr;
/// use fibra::net::Resolver;
/// use ureq::Agent;
/// use ureq::config::Config;
///
/// let hosts = Resolver::fixed([("shop.test", Ipv4Addr::LOCALHOST.into())]);
/// let agent = Agent::with_parts(Config::default(), fibra::ureq::Connector::new(), hosts);
/// ```
#[must_use]
pub fn agent(config: Config) -> Agent {
    Agent::with_parts(config, Connector::new(), Resolver::system())
}
