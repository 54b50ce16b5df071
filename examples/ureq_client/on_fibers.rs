//! What ureq asks of its surroundings: to connect, to look up names, to read and to write.

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

/// Connects by a stream of fibra.
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

/// ureq's own blocks its thread, or starts another for each name that it looks up.
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
        written.map_err(|error| told(error, timeout.reason))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let timeout = timeout.for_read();
        self.stream.set_read_timeout(timeout.not_zero().map(|limit| *limit))?;
        let read = self.stream.read(self.buffers.input_append_buf());
        let length = read.map_err(|error| told(error, timeout.reason))?;
        self.buffers.input_appended(length);
        Ok(0 < length)
    }

    /// A connection that was kept and has something to read, be it the end, is of no use any more.
    fn is_open(&mut self) -> bool {
        let limit = Some(Duration::from_nanos(1));
        self.stream.set_read_timeout(limit).is_ok() && self.stream.peek(&mut [0]).is_err()
    }
}

fn told(error: io::Error, reason: Timeout) -> ureq::Error {
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
