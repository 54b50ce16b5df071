//! The guide: pages to read from the first program to a server, and pages for users of
//! other libraries. (This module contains documentation only.)
//!
//! | page | for |
//! |---|---|
//! | [`first_five_minutes`] | a program that spawns, joins, sends and receives |
//! | [`channels_and_order`] | the order in which fibers run, and the choice of a channel |
//! | [`time_and_cancellation`] | sleeping, time limits, kills, clean-up |
//! | [`many_cores`] | programs on several threads: what runs where, what is deterministic |
#![cfg_attr(feature = "net", doc = "| [`sockets_and_servers`] | clients, servers, several cores |")]
#![cfg_attr(
    feature = "http-client",
    doc = "| [`http`] | HTTP clients and servers: limits, TLS, errors and retries |"
)]
#![cfg_attr(
    feature = "net",
    doc = "| [`beside_async`] | futures in fibers, and streams with the traits of tokio and futures |"
)]
//! | [`blocking_databases`] | rusqlite, diesel, postgres, redis: connections with threads of their own |
#![cfg_attr(
    feature = "net",
    doc = "| [`which_crate`] | tokio's crates, databases, channels: what each needs in a fiber |"
)]
#![cfg_attr(
    feature = "http-client",
    doc = "| [`jobs_over_redis`] | jobs that outlive the process, with Python's RQ: guarantees, idempotence |"
)]
//! | [`stack_sizes_and_memory`] | how large a stack should be, what an overflow looks like, what a fiber costs |
//! | [`diagnosis`] | why a program leaks, hangs or fails, from its own output |
//! | [`pitfalls`] | what goes wrong on the first day, with the texts that are printed |
//! | [`diagnosis`] | why a program leaks, hangs or fails, from its own output |
//! | [`environment`] | environment variables, features, build settings |
//!
//! For users of other libraries, each with a table of names and a program in both languages:
#![cfg_attr(
    feature = "net",
    doc = "[asyncio](coming_from_asyncio), [tokio](coming_from_tokio), [Go](coming_from_go),"
)]
#![cfg_attr(feature = "net", doc = "[gevent](crate::coming_from_gevent),")]
#![cfg_attr(feature = "http-client", doc = "[reqwest, ureq, hyper and axum](http_compared),")]
//! [Go, tokio, may and rayon on many cores](many_cores_compared),
//! [Stackless Python](crate::stackless::coming_from_stackless)
#![cfg_attr(feature = "greenlet", doc = "and [greenlet](crate::greenlet::coming_from_greenlet).")]
//!
//! The design of the library, and the argument for its soundness: [`architecture`], [`safety`]. The
//! changes of each version: [`changelog`].

#[cfg(feature = "net")]
pub mod beside_async;
pub mod blocking_databases;
pub mod channels_and_order;
#[cfg(feature = "net")]
pub mod coming_from_asyncio;
#[cfg(feature = "net")]
pub mod coming_from_go;
#[cfg(feature = "net")]
pub mod coming_from_tokio;
pub mod diagnosis;
pub mod environment;
pub mod first_five_minutes;
#[cfg(feature = "http-client")]
pub mod http;
#[cfg(feature = "http-client")]
pub mod http_compared;
#[cfg(feature = "http-client")]
pub mod jobs_over_redis;
pub mod many_cores;
pub mod many_cores_compared;
pub mod pitfalls;
#[cfg(feature = "net")]
pub mod sockets_and_servers;
pub mod stack_sizes_and_memory;
pub mod time_and_cancellation;
#[cfg(feature = "net")]
pub mod which_crate;

// The links of these files lead to other files of the repository. The definitions before each text
// make the same links lead to pages here: the first definition of a link is the one that counts.
#[doc = "[SAFETY.md]: crate::guide::safety\n"]
#[doc = include_str!("../../ARCHITECTURE.md")]
pub mod architecture {}

#[doc = "[ARCHITECTURE.md]: crate::guide::architecture\n"]
#[doc = include_str!("../../SAFETY.md")]
pub mod safety {}

#[doc = "[Unreleased]: crate::guide::changelog\n"]
#[doc = include_str!("../../CHANGELOG.md")]
pub mod changelog {}
