//! The traits of ureq for connections, lookup of names, reading and writing, on fibers.

use std::io::{self, Read, Write};
use std::time::Duration;

use fibra::net::TcpStream;
use ureq::Timeout;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};

/// Connects with a stream of fibra.
#[derive(Debug)]
pub(crate) struct FiberConnector;

impl Connector for FiberConnector {
    type Out = FiberTransport;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<FiberTransport>, ureq::Error> {
        let stream = TcpStream::connect(&details.addrs[..])?;
        let config = details.config;
        let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
        Ok(Some(FiberTransport { stream, buffers }))
    }
}

/// Looks up names without blocking the thread, as ureq's own resolver would.
#[derive(Debug)]
pub(crate) struct FiberResolver;

impl Resolver for FiberResolver {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().ok_or(ureq::Error::HostNotFound)?;
        let mut addrs = self.empty();
        let found = fibra::net::lookup_host((host, uri.port_u16().unwrap_or(80)))?;
        found.take(16).for_each(|addr| addrs.push(addr));
        Ok(addrs)
    }
}

pub(crate) struct FiberTransport {
    stream: TcpStream,
    buffers: LazyBuffers,
}

impl Transport for FiberTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        let timeout = timeout.for_write();
        self.stream.set_write_timeout(timeout.not_zero().map(|limit| *limit))?;
        let written = self.stream.write_all(&self.buffers.output()[..amount]);
        written.map_err(|error| to_ureq(error, timeout.reason))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let timeout = timeout.for_read();
        self.stream.set_read_timeout(timeout.not_zero().map(|limit| *limit))?;
        let read = self.stream.read(self.buffers.input_append_buf());
        let length = read.map_err(|error| to_ureq(error, timeout.reason))?;
        self.buffers.input_appended(length);
        Ok(0 < length)
    }

    /// Returns whether an idle connection can be used again: not if it has anything to read, or has
    /// ended.
    fn is_open(&mut self) -> bool {
        let limit = Some(Duration::from_nanos(1));
        self.stream.set_read_timeout(limit).is_ok() && self.stream.peek(&mut [0]).is_err()
    }
}

fn to_ureq(error: io::Error, reason: Timeout) -> ureq::Error {
    match error.kind() {
        io::ErrorKind::TimedOut => ureq::Error::Timeout(reason),
        _ => ureq::Error::Io(error),
    }
}

impl std::fmt::Debug for FiberTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.stream.fmt(f)
    }
}
