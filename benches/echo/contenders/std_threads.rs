//! One thread of the operating system per connection, with blocking sockets.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use super::{ANY_PORT, BUFFER, announce, no_http};
use crate::exchange::Service;

/// More than the minimum of std; pages that are not touched cost nothing.
const STACK: usize = 64 * 1024;

pub(crate) fn serve(service: Service) -> io::Result<()> {
    if service != Service::Echo {
        return Err(no_http());
    }
    let listener = TcpListener::bind(ANY_PORT)?;
    announce(listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        thread::Builder::new().stack_size(STACK).spawn(|| echo(stream))?;
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
