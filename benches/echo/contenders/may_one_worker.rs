//! may with one worker thread, or two, which handle sockets as well.

use std::io::{self, Read, Write};

use may::net::{TcpListener, TcpStream};

use super::{ANY_PORT, BUFFER, THREADS, announce, no_http};
use crate::exchange::Service;

/// Serves on one thread.
pub(crate) fn serve(service: Service) -> io::Result<()> {
    serve_with(1, service)
}

/// Serves on two threads.
pub(crate) fn serve_on_two(service: Service) -> io::Result<()> {
    serve_with(THREADS, service)
}

fn serve_with(workers: usize, service: Service) -> io::Result<()> {
    if service != Service::Echo {
        return Err(no_http());
    }
    // The driver pins the process: may would count processors from the machine's first.
    may::config().set_workers(workers).set_worker_pin(false);
    let acceptor = may::go!(accept);
    acceptor.join().map_err(|_| io::Error::other("the accepting coroutine panicked"))?
}

fn accept() -> io::Result<()> {
    let listener = TcpListener::bind(ANY_PORT)?;
    announce(listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        may::go!(move || echo(stream));
    }
}

fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; BUFFER];
    loop {
        let n = stream.read(&mut buffer)?;
        if n == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..n])?;
    }
}
