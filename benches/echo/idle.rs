//! Memory of an idle connection: the growth of a server when many connections wait for their next
//! message.
//!
//! Each connection has been answered once, so that all state needed to serve it exists. The
//! kernel's own part (socket, buffers, its entry in epoll) is not counted for any process, and is
//! the same for all.

#![allow(clippy::disallowed_methods, reason = "a benchmark lets time pass")]

use std::thread;
use std::time::Duration;

use crate::Failure;
use crate::contenders::{Contender, usable};
use crate::exchange::{Exchange, Load};
use crate::load::Generator;
use crate::machine::{Memory, Processors};
use crate::options::Options;
use crate::server::Server;

const CONNECTIONS: usize = 10_000;
const LOAD: Load = Load::Echo { size: 64 };

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let processors = Processors::choose()?;
    let connections = options.connections.as_ref().and_then(|n| n.first().copied());
    let connections = connections.unwrap_or(CONNECTIONS);
    let load = options.loads.as_ref().and_then(|loads| loads.first().copied()).unwrap_or(LOAD);
    println!("memory of an idle connection, bytes; the kernel's part is not counted");
    println!("  {:<8} {:>9} {:>12}  {:>11}", "", "resident", "page tables", "connections");
    for contender in usable(&options.contenders) {
        let connections = connections.min(contender.most_connections);
        let grown = measure(contender, load, connections, processors)
            .map_err(|error| format!("{}: {error}", contender.name))?;
        println!(
            "  {:<8} {:>9} {:>12}  {connections:>11}",
            contender.name,
            grown.resident / connections as u64,
            grown.page_tables / connections as u64,
        );
    }
    Ok(())
}

fn measure(
    contender: &Contender,
    load: Load,
    connections: usize,
    processors: Processors,
) -> Result<Memory, Failure> {
    let server = Server::start(contender, load.service(), processors)?;
    let before = Memory::of(server.process())?;
    let exchange = Exchange::new(load, server.address)?;
    let generator = Generator::connect(server.address, exchange, connections)?;
    // Until all of them wait.
    thread::sleep(Duration::from_millis(300));
    let after = Memory::of(server.process())?;
    drop(server);
    drop(generator);
    Ok(Memory {
        resident: after.resident.saturating_sub(before.resident),
        page_tables: after.page_tables.saturating_sub(before.page_tables),
    })
}
