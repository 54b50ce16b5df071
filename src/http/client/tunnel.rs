//! Tunnels through a proxy: the method CONNECT.

use std::io::{self, Read, Write};

use crate::http::client::proxy::Proxy;
use crate::http::client::route::Key;
use crate::net::TcpStream;

/// The longest head of a proxy's response.
const LONGEST: usize = 16 << 10;

/// Asks the proxy at the other end of `stream` for a tunnel to `target`.
#[track_caller]
pub(super) fn open(stream: &TcpStream, proxy: &Proxy, target: &Key) -> io::Result<()> {
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n").into_bytes();
    if let Some(authorization) = &proxy.authorization {
        request.extend_from_slice(b"proxy-authorization: ");
        request.extend_from_slice(authorization.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    (&mut &*stream).write_all(&request)?;
    let head = read_head(stream)?;
    let status = head.split(' ').nth(1).filter(|_| head.starts_with("HTTP/1."));
    match status {
        Some(status) if status.len() == 3 && status.starts_with('2') => Ok(()),
        Some("407") => {
            Err(refused("the proxy requires a user name and a password: give them in its URL"))
        }
        _ => {
            let line: String = head.chars().take_while(|c| !c.is_control()).take(70).collect();
            Err(refused(&format!("the proxy refused a tunnel to {target}: {line}")))
        }
    }
}

fn refused(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionRefused, text)
}

/// Reads the head of a response, and not a byte more: what follows belongs to the tunnel.
#[track_caller]
fn read_head(mut stream: &TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut peeked = [0; 512];
        let length = stream.peek(&mut peeked)?;
        if length == 0 || LONGEST < head.len() {
            return Err(refused("the proxy did not answer the request for a tunnel with HTTP"));
        }
        // Up to the end of a line, after which the head may end.
        let end = peeked[..length].iter().position(|&byte| byte == b'\n');
        let length = end.map_or(length, |end| end + 1);
        stream.read_exact(&mut peeked[..length])?;
        head.extend_from_slice(&peeked[..length]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}
