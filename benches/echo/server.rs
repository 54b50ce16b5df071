//! A contender's server: a process of its own, on a processor of its own if it has one thread, gone
//! when this is dropped.

use std::env;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};

use crate::Failure;
use crate::contenders::{Contender, Program};
use crate::exchange::Service;
use crate::machine::{Processors, pin};

/// The first word of the command line of a server that is this program.
pub(crate) const CHILD: &str = "--serve";

pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts the server, and leaves the calling thread pinned to the load generator's processors.
    pub(crate) fn start(
        contender: &Contender,
        service: Service,
        processors: Processors,
    ) -> Result<Self, Failure> {
        let mut command = match &contender.program {
            Program::Here { .. } => {
                let mut command = Command::new(env::current_exe()?);
                command.args([CHILD, contender.name]);
                command
            }
            Program::Peer(_) => Command::new(contender.peer_path().ok_or("not built")?),
        };
        command.arg(service.word()).env("GOMAXPROCS", contender.threads.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        // A process starts on the processor of its parent; pinning the parent afterwards does not
        // move it.
        let both = [processors.server, processors.load];
        let (server, load) =
            if contender.threads == 1 { both.split_at(1) } else { (&both[..], &both[..]) };
        pin(server)?;
        let child = command.spawn();
        pin(load)?;
        // The port is filled in when the server has printed it; from here on the server is ended in
        // any case.
        let mut this = Self { child: child?, address: (Ipv4Addr::LOCALHOST, 0).into() };
        let output = this.child.stdout.take().ok_or("a server without output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let port = line
            .trim()
            .parse()
            .map_err(|_| "the server did not print the port on which it listens")?;
        this.address.set_port(port);
        Ok(this)
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both calls fail only if the server has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
