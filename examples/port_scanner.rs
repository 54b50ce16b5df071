//! A port scanner: finds the open ports of this machine, with a limit on the number of attempts at
//! a time.
//!
//! Each attempt is a call that waits, with a time limit. `Pool::spawn` waits while the pool is
//! full.
//!
//! ```text
//! $ cargo run --release --example port_scanner [PORTS = 500] [AT_A_TIME = 50]
//! 3 ports were opened for the scan
//! 500 ports scanned, 50 at a time
//! all of the 3 were found open
//! took 21.4ms
//!
//! $ cargo run --release --example port_scanner 1024 100 --list
//! ...
//! open: 22 80 631
//! ```
//!
//! The program opens three ports itself, so that there is something to find.

mod arguments;
mod broken_pipe;

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use fibra::net::{TcpListener, TcpStream};
use fibra::pool::Pool;

fn main() -> io::Result<()> {
    broken_pipe::end_quietly();
    let ports = arguments::number(1, "PORTS", 1..=60_000, 500);
    let at_a_time = arguments::number(2, "AT_A_TIME", 1..=10_000, 50);
    fibra::run(|| {
        let open = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listeners = [open()?, open()?, open()?];
        let mut opened = BTreeSet::new();
        for listener in &listeners {
            opened.insert(listener.local_addr()?.port());
        }
        println!("{} ports were opened for the scan", opened.len());

        let began = fibra::now();
        let open = scan(&targets(&opened, ports), at_a_time);
        let found = if opened.is_subset(&open) { "all" } else { "not all" };
        println!("{ports} ports scanned, {at_a_time} at a time");
        println!("{found} of the {} were found open", opened.len());
        println!("took {:.1?}", fibra::now() - began);
        if std::env::args().any(|argument| argument == "--list") {
            let others: Vec<_> = open.difference(&opened).map(u16::to_string).collect();
            println!("open: {}", others.join(" "));
        }
        Ok(())
    })
}

/// Returns a number of ports: those that are known to be open, and others from 1 on.
fn targets(opened: &BTreeSet<u16>, ports: usize) -> BTreeSet<u16> {
    let others = (1..=u16::MAX).filter(|port| !opened.contains(port));
    opened.iter().copied().chain(others).take(ports).collect()
}

/// Returns those of `ports` that are open.
fn scan(ports: &BTreeSet<u16>, at_a_time: usize) -> BTreeSet<u16> {
    let pool = Pool::with_builder(at_a_time, fibra::Builder::new().name("scanner"));
    let attempt = |port| {
        pool.spawn(move || {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok().then_some(port)
        })
    };
    let attempts: Vec<_> = ports.iter().copied().map(attempt).collect();
    attempts.into_iter().filter_map(|attempt| attempt.join().ok().flatten()).collect()
}
