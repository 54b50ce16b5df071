//! HTTP: kills at every switch of a client and of a server, and user code that turns on the
//! library at each point at which that runs it.
//!
//! After each attack the same client, with one connection at most, gets a right answer, and the
//! fibers and the handlers of the attack have ended: no permit, no connection and no fiber leaks,
//! and no connection is used again that carries the rest of an earlier message.

mod callbacks;
mod client;
mod server;

use std::time::Duration;

use fibra::http::Client;

use crate::client_help::{Site, builder};
use crate::support::net::{soon, yield_until};

/// The largest number of switches after which a kill is tried.
const MOST: usize = 400;

/// Returns a client that may have one connection to each host.
fn narrow() -> Client {
    builder().max_connections_per_host(1).build().unwrap()
}

/// Checks that the client has lost nothing, and mixes nothing up.
#[track_caller]
fn check(client: &Client, site: &Site, what: &str) {
    for n in 0..2 {
        let url = site.url(&format!("/echo/{n}"));
        let answer = soon(|| client.post(url).body(format!("{what} {n}")).send()?.text());
        let answer = answer.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(answer, format!("/echo/{n} {what} {n}"));
    }
    // Some requests also use the server by its other name.
    let start = fibra::now();
    loop {
        let state = format!("{client:?}");
        if ["Client { servers: 1, idle: 1 }", "Client { servers: 2, idle: 2 }"].contains(&&*state) {
            return;
        }
        assert!(fibra::now() - start < Duration::from_secs(10), "{what}: {state}");
        fibra::yield_now();
    }
}

/// Waits until no more than `number` fibers exist.
#[track_caller]
fn wait_for_fibers(number: usize) {
    yield_until(|| fibra::stats().fibers <= number);
}

/// Returns the number of fibers that exist.
fn fibers() -> usize {
    fibra::stats().fibers
}

/// Lets other fibers run this often, and has the system asked for events in between.
fn switch(times: usize) {
    for n in 0..times {
        if n % 3 == 2 {
            fibra::sleep(std::time::Duration::from_micros(1));
        } else {
            fibra::yield_now();
        }
    }
}
