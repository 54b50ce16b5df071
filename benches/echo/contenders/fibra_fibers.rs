//! fibra: a fiber for each connection, with the calls of std.

use std::io::{self, Read, Write};

use fibra::net::{TcpListener, TcpStream};

use super::{ANY_PORT, BUFFER, announce, no_http};
use crate::exchange::Service;

const STACK: usize = 64 * 1024;

pub(crate) fn serve(service: Service) -> io::Result<()> {
    match service {
        Service::Echo => fibra::run(accept),
        Service::Http => Err(no_http()),
    }
}

fn accept() -> io::Result<()> {
    let listener = TcpListener::bind(ANY_PORT)?;
    announce(listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        fibra::Builder::new().stack_size(STACK).spawn(|| echo(stream)).detach();
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
