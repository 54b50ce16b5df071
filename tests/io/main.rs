//! Sockets, files, names and the standard input: order, limits, faults, and what remains after a
//! kill.

#[path = "../support/mod.rs"]
mod support;

#[cfg(all(feature = "futures-io", feature = "tokio-io", feature = "tls"))]
mod async_traits;
#[cfg(feature = "net")]
mod blocking_handles;
#[cfg(feature = "net")]
mod churn;
#[cfg(feature = "net")]
mod fairness;
#[cfg(feature = "net")]
mod faults;
#[cfg(feature = "net")]
mod forks;
mod fs;
#[cfg(target_os = "linux")]
mod fs_cached;
#[cfg(target_os = "linux")]
mod fs_lock;
#[cfg(feature = "net")]
mod jobs;
#[cfg(feature = "net")]
mod locations;
#[cfg(feature = "net")]
mod long_input;
#[cfg(all(feature = "net", target_os = "linux"))]
mod options;
#[cfg(feature = "net")]
mod polled;
#[cfg(feature = "net")]
mod readiness;
mod resolve;
#[cfg(feature = "net")]
mod selecting;
#[cfg(feature = "net")]
mod server;
#[cfg(feature = "net")]
mod server_on_each;
#[cfg(feature = "net")]
mod stdin;
#[cfg(feature = "net")]
mod tcp;
#[cfg(feature = "net")]
mod threads;
#[cfg(all(feature = "http", feature = "tls"))]
mod time_limits;
#[cfg(feature = "net")]
mod timers;
#[cfg(feature = "net")]
mod udp;
#[cfg(feature = "net")]
mod unix_sockets;
#[cfg(feature = "net")]
mod virtual_clock;
#[cfg(feature = "net")]
mod waitable;
#[cfg(feature = "net")]
mod waits_cut_short;
#[cfg(feature = "net")]
mod wakers;
#[cfg(feature = "net")]
mod writes;
