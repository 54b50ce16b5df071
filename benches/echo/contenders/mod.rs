//! The contenders: one file per server in Rust, and the peers that `benches/peers/echo.sh` builds.
//!
//! All of them echo in the same way: `TCP_NODELAY`, a buffer of [`BUFFER`] bytes, read the
//! available bytes, write them back. All run on one thread, except `threads` and those whose names
//! end in `-2`; everything that a server starts stays on its processors.

mod fibra_fibers;
mod fibra_two_threads;
mod may_one_worker;
mod std_threads;
mod tokio_current_thread;
mod tokio_multi_thread;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::Failure;
use crate::exchange::Service;
use crate::sample::Point;

/// The largest number of bytes that a server reads in one call.
pub(crate) const BUFFER: usize = 4096;
pub(crate) const ANY_PORT: &str = "127.0.0.1:0";
/// The contenders to which the others are compared: with one thread, and with two.
pub(crate) const LIMITS: [&str; 2] = ["c", "tokio-2"];
/// The number of threads of the contenders that have more than one.
const THREADS: usize = 2;
/// The most connections of a contender. Usual limits on descriptors allow twice as many.
const MANY: usize = 10_000;

pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) program: Program,
    /// The number of processors that the server may use.
    pub(crate) threads: usize,
    pub(crate) most_connections: usize,
    serves: &'static [Service],
}

pub(crate) enum Program {
    /// This program, which then calls this function. The function returns only if it fails.
    Here { serve: fn(Service) -> io::Result<()> },
    /// A program in the folder of the peers.
    Peer(&'static str),
}

const ECHO: &[Service] = &[Service::Echo];
const HTTP: &[Service] = &[Service::Echo, Service::Http];
const HTTP2: &[Service] = match cfg!(feature = "http2") {
    true => &[Service::Echo, Service::Http, Service::Http2],
    false => HTTP,
};

pub(crate) const ALL: &[Contender] = &[
    Contender {
        name: LIMITS[0],
        program: Program::Peer("echo_epoll"),
        threads: 1,
        most_connections: MANY,
        serves: HTTP,
    },
    Contender {
        name: "fibra",
        program: Program::Here { serve: fibra_fibers::serve },
        threads: 1,
        most_connections: MANY,
        serves: HTTP2,
    },
    Contender {
        name: "tokio",
        program: Program::Here { serve: tokio_current_thread::serve },
        threads: 1,
        most_connections: MANY,
        serves: HTTP2,
    },
    Contender {
        name: "may",
        program: Program::Here { serve: may_one_worker::serve },
        threads: 1,
        most_connections: MANY,
        serves: ECHO,
    },
    Contender {
        name: "threads",
        program: Program::Here { serve: std_threads::serve },
        threads: 1,
        most_connections: 1000,
        serves: ECHO,
    },
    Contender {
        name: "go",
        program: Program::Peer("echo_go"),
        threads: 1,
        most_connections: MANY,
        serves: HTTP,
    },
    Contender {
        name: "gevent",
        program: Program::Peer("echo_gevent"),
        threads: 1,
        most_connections: MANY,
        serves: HTTP,
    },
    Contender {
        name: "fibra-2",
        program: Program::Here { serve: fibra_two_threads::one_listener },
        threads: THREADS,
        most_connections: MANY,
        serves: HTTP,
    },
    Contender {
        name: "ports-2",
        program: Program::Here { serve: fibra_two_threads::listener_each },
        threads: THREADS,
        most_connections: MANY,
        serves: HTTP,
    },
    Contender {
        name: LIMITS[1],
        program: Program::Here { serve: tokio_multi_thread::serve },
        threads: THREADS,
        most_connections: MANY,
        serves: HTTP,
    },
    Contender {
        name: "may-2",
        program: Program::Here { serve: may_one_worker::serve_on_two },
        threads: THREADS,
        most_connections: MANY,
        serves: ECHO,
    },
    Contender {
        name: "go-2",
        program: Program::Peer("echo_go"),
        threads: THREADS,
        most_connections: MANY,
        serves: HTTP,
    },
];

impl Contender {
    pub(crate) fn can(&self, point: Point) -> bool {
        point.connections <= self.most_connections && self.serves(point.load.service())
    }

    pub(crate) fn serves(&self, service: Service) -> bool {
        self.serves.contains(&service)
    }

    /// Returns the path of a peer, if it has been built.
    pub(crate) fn peer_path(&self) -> Option<PathBuf> {
        match self.program {
            Program::Here { .. } => None,
            Program::Peer(file) => {
                let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("echo-peers").join(file);
                path.exists().then_some(path)
            }
        }
    }
}

/// Returns the contenders that can be started, and reports the others.
pub(crate) fn usable(contenders: &[&'static Contender]) -> Vec<&'static Contender> {
    let (usable, missing): (Vec<_>, Vec<_>) = contenders.iter().copied().partition(|contender| {
        matches!(contender.program, Program::Here { .. }) || contender.peer_path().is_some()
    });
    for contender in missing {
        eprintln!("skipped: {} (benches/peers/echo.sh builds it)", contender.name);
    }
    usable
}

/// Runs a server process: `words` are the contender's name and its service.
pub(crate) fn serve_here(words: &[String]) -> Result<(), Failure> {
    let [name, word] = words else { return Err("--serve <contender> echo|http|http2".into()) };
    let services = [Service::Echo, Service::Http, Service::Http2];
    let service = services.into_iter().find(|service| service.word() == word);
    let service = service.ok_or(format!("{word} is not a service"))?;
    let contender = ALL.iter().find(|contender| contender.name == name);
    match contender.map(|contender| &contender.program) {
        Some(Program::Here { serve }) => Ok(serve(service)?),
        _ => Err(format!("{name} is not a server in this program").into()),
    }
}

/// Notifies the driver that clients can connect.
pub(crate) fn announce(address: SocketAddr) {
    println!("{}", address.port());
}

/// Returns the error of a server without this version of HTTP.
pub(crate) fn no_http() -> io::Error {
    io::ErrorKind::Unsupported.into()
}
