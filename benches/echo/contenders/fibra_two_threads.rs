//! fibra with two schedulers: one listener whose connections are passed to the scheduler with the
//! fewest, or a listener for each scheduler.

use std::io;
use std::net::SocketAddr;

use fibra::Runtime;
use fibra::http::Http;
use fibra::net::{TcpBuilder, TcpListener, TcpStream};
use fibra::server::Server;

use super::fibra_fibers::{STACK, echo, hello};
use super::{ANY_PORT, THREADS, announce, no_http};
use crate::exchange::Service;

/// Serves with one listener.
pub(crate) fn one_listener(service: Service) -> io::Result<()> {
    run(|| {
        let listener = options().bind(ANY_PORT)?;
        announce(listener.local_addr()?);
        let server = Server::new(listener).connection_builder(small());
        match service {
            Service::Echo => server.start_on_each(|stream, _| echo(stream)).wait(),
            Service::Http => server.start_on_each(http()).wait(),
            Service::Http2 => Err(no_http()),
        }
    })
}

/// Serves with a listener for each scheduler (`SO_REUSEPORT`).
pub(crate) fn listener_each(service: Service) -> io::Result<()> {
    run(|| {
        let listeners = options().bind_each(THREADS, ANY_PORT)?;
        announce(listeners[0].local_addr()?);
        let server = Server::new(listeners).connection_builder(small());
        match service {
            Service::Echo => server.start_on_each(|stream, _| echo(stream)).wait(),
            Service::Http => server.start_on_each(http()).wait(),
            Service::Http2 => Err(no_http()),
        }
    })
}

fn run(f: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    Runtime::builder().threads(THREADS).build()?.run(f)
}

/// Connections inherit the option.
fn options() -> TcpBuilder {
    TcpListener::builder().nodelay(true)
}

fn small() -> fibra::Builder {
    fibra::Builder::new().stack_size(STACK)
}

fn http() -> impl Fn(TcpStream, SocketAddr) + Send + Sync + 'static {
    let http = Http::new();
    move |stream, _| drop(http.serve_connection(stream, hello))
}
