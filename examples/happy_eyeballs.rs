//! Happy Eyeballs (RFC 8305): connects to the first address that answers, without waiting long for
//! one that does not.
//!
//! The addresses of a host are tried in turn, IPv6 and IPv4 alternately. An attempt has 250 ms
//! before the next one starts beside it; if it fails sooner, the next one starts immediately. The
//! first connection wins, and the other attempts are killed, which closes their sockets. In
//! callbacks this takes a state machine. Here an attempt is a fiber, and the rule is a loop.
//!
//! ```text
//! $ cargo run --release --example happy_eyeballs
//! all is well:              [2001:db8::1]:443 after 30 ms, 1 attempts
//! IPv6 is a black hole:     192.0.2.1:443 after 290 ms, 2 attempts
//! the first refuses:        192.0.2.1:443 after 60 ms, 2 attempts
//! the first is slow:        [2001:db8::1]:443 after 280 ms, 2 attempts
//! all refuse:               connection refused after 60 ms, 3 attempts
//!
//! $ cargo run --release --example happy_eyeballs example.org:80
//! example.org:80:           93.184.215.14:80 after 104 ms, 1 attempts
//! ```
//!
//! Without an argument the network is simulated and the clock virtual, so the run is the same each
//! time.

mod broken_pipe;

use fibra::net::TcpStream;
use fibra::pool::Group;
use fibra::time::timeout;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

const HEAD_START: Duration = Duration::from_millis(250);

fn main() -> io::Result<()> {
    broken_pipe::end_quietly();
    if let Some(host) = std::env::args().nth(1) {
        return fibra::run(|| {
            let addresses = alternate(fibra::net::lookup_host(&*host)?);
            tell(&host, &addresses, |address| TcpStream::connect(address).map(drop));
            Ok(())
        });
    }
    let addresses = ["192.0.2.1:443", "[2001:db8::1]:443", "[2001:db8::2]:443"];
    let addresses = alternate(addresses.iter().map(|text| text.parse().expect("an address")));
    let situations: [(&str, [u64; 3]); 5] = [
        ("all is well", [30, 40, 50]),
        ("IPv6 is a black hole", [NEVER, 40, NEVER]),
        ("the first refuses", [20 + REFUSED, 40, 50]),
        ("the first is slow", [280, 400, 50]),
        ("all refuse", [20 + REFUSED, 20 + REFUSED, 20 + REFUSED]),
    ];
    for (situation, delays) in situations {
        let servers: Vec<_> = addresses.iter().copied().zip(delays).collect();
        fibra::Runtime::builder().virtual_clock().build()?.run(|| {
            tell(situation, &addresses, move |address| {
                let server = servers.iter().find(|(server, _)| *server == address);
                simulate(server.map_or(NEVER, |server| server.1))
            });
        });
    }
    Ok(())
}

const NEVER: u64 = 1_000_000;
const REFUSED: u64 = 10_000_000;

/// A connection that is there, or refused, after some milliseconds.
fn simulate(delay: u64) -> io::Result<()> {
    fibra::sleep(Duration::from_millis(delay % REFUSED));
    if delay < REFUSED { Ok(()) } else { Err(io::ErrorKind::ConnectionRefused.into()) }
}

fn tell(
    title: &str,
    addresses: &[SocketAddr],
    connect: impl Fn(SocketAddr) -> io::Result<()> + Clone + 'static,
) {
    let start = fibra::now();
    let (outcome, attempts) = first_connection(addresses, connect);
    let outcome = outcome.map_or_else(|error| error.to_string(), |address| address.to_string());
    let milliseconds = (fibra::now() - start).as_millis();
    println!("{:25} {outcome} after {milliseconds} ms, {attempts} attempts", format!("{title}:"));
}

/// Returns the address that was connected to first, and the number of attempts.
fn first_connection(
    addresses: &[SocketAddr],
    connect: impl Fn(SocketAddr) -> io::Result<()> + Clone + 'static,
) -> (io::Result<SocketAddr>, usize) {
    let attempts = Group::new();
    let mut failure = io::Error::from(io::ErrorKind::NotFound);
    let mut left = addresses.iter().copied();
    let mut count = 0;
    loop {
        let next = left.next();
        if let Some(address) = next {
            let connect = connect.clone();
            attempts.spawn(move || connect(address).map(|()| address));
            count += 1;
        } else if attempts.is_empty() {
            return (Err(failure), count);
        }
        let limit = if left.len() == 0 { Duration::MAX } else { HEAD_START };
        // An elapsed time limit is no failure: the attempt goes on beside the next one.
        match timeout(limit, || attempts.next()) {
            Ok(Some(Ok(Ok(address)))) => {
                attempts.kill_all();
                return (Ok(address), count);
            }
            Ok(Some(Ok(Err(error)))) => failure = error,
            Ok(Some(Err(error))) => failure = io::Error::other(error),
            Ok(None) | Err(_) => {}
        }
    }
}

/// IPv6 and IPv4 in turn, IPv6 first.
fn alternate(addresses: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let (mut six, mut four): (Vec<_>, Vec<_>) = addresses.partition(SocketAddr::is_ipv6);
    let mut mixed = Vec::new();
    while !six.is_empty() || !four.is_empty() {
        mixed.extend((!six.is_empty()).then(|| six.remove(0)));
        mixed.extend((!four.is_empty()).then(|| four.remove(0)));
    }
    mixed
}
