//! The contenders: one file per server in Rust, and the peers that `benches/peers/echo.sh` builds.
//!
//! All of them echo in the same way: `TCP_NODELAY`, a buffer of [`BUFFER`] bytes, read the
//! available bytes, write them back. All run on one thread, except `threads`; everything that a
//! server starts stays on its processor.

mod fibra_fibers;
mod may_one_worker;
mod std_threads;
mod tokio_current_thread;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::Failure;
use crate::exchange::{Load, Service};
use crate::sample::Point;

/// The largest number of bytes that a server reads in one call.
pub(crate) const BUFFER: usize = 4096;
pub(crate) const ANY_PORT: &str = "127.0.0.1:0";
/// The contender to which the others are compared.
pub(crate) const LIMIT: &str = "c";
/// The most connections of a contender. Usual limits on descriptors allow twice as many.
const MANY: usize = 10_000;

pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) program: Program,
    pub(crate) most_connections: usize,
    serves_http: bool,
}

pub(crate) enum Program {
    /// This program, which then calls this function. The function returns only if it fails.
    Here { serve: fn(Service) -> io::Result<()> },
    /// A program in the folder of the peers.
    Peer(&'static str),
}

pub(crate) const ALL: &[Contender] = &[
    Contender {
        name: LIMIT,
        program: Program::Peer("echo_epoll"),
        most_connections: MANY,
        serves_http: true,
    },
    Contender {
        name: "fibra",
        program: Program::Here { serve: fibra_fibers::serve },
        most_connections: MANY,
        serves_http: true,
    },
    Contender {
        name: "tokio",
        program: Program::Here { serve: tokio_current_thread::serve },
        most_connections: MANY,
        serves_http: true,
    },
    Contender {
        name: "may",
        program: Program::Here { serve: may_one_worker::serve },
        most_connections: MANY,
        serves_http: false,
    },
    Contender {
        name: "threads",
        program: Program::Here { serve: std_threads::serve },
        most_connections: 1000,
        serves_http: false,
    },
    Contender {
        name: "go",
        program: Program::Peer("echo_go"),
        most_connections: MANY,
        serves_http: true,
    },
    Contender {
        name: "gevent",
        program: Program::Peer("echo_gevent"),
        most_connections: MANY,
        serves_http: true,
    },
];

impl Contender {
    pub(crate) fn can(&self, point: Point) -> bool {
        point.connections <= self.most_connections && (point.load != Load::Http || self.serves_http)
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
    let [name, service] = words else { return Err("--serve <contender> echo|http".into()) };
    let service = match service.as_str() {
        "http" => Service::Http,
        _ => Service::Echo,
    };
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

/// Returns the error of a server without HTTP.
pub(crate) fn no_http() -> io::Error {
    io::ErrorKind::Unsupported.into()
}
