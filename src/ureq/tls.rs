//! TLS over a transport of ureq: a connection, or a tunnel through a proxy.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Mutex;

use ::ureq::Error;
use ::ureq::unversioned::transport::time::{Duration, Instant};
use ::ureq::unversioned::transport::{
    Buffers, ConnectionDetails, LazyBuffers, NextTimeout, Transport, TransportAdapter,
};

use crate::sched::lowlevel::locked;
use crate::tls::{TlsConnector, TlsStream};
use crate::ureq::resolver::host_of;

/// A connection of TLS.
pub(super) struct Tls {
    stream: TlsStream<Inner>,
    buffers: LazyBuffers,
}

/// The transport below. The lock is never contended: ureq calls a transport through an exclusive
/// reference.
struct Inner(Mutex<TransportAdapter>);

impl Read for &Inner {
    #[track_caller]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        locked(&self.0).read(buffer)
    }
}

impl Write for &Inner {
    #[track_caller]
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        locked(&self.0).write(data)
    }

    #[track_caller]
    fn flush(&mut self) -> io::Result<()> {
        locked(&self.0).flush()
    }
}

impl Tls {
    /// Performs the handshake with the server that `details` names.
    #[track_caller]
    pub(super) fn connect(
        connector: &TlsConnector,
        details: &ConnectionDetails<'_>,
        transport: Box<dyn Transport>,
    ) -> Result<Tls, Error> {
        let host = host_of(details.uri).ok_or(Error::HostNotFound)?.to_owned();
        let name = host.try_into();
        let name =
            name.map_err(|_| Error::Tls("a certificate cannot have the name of the host"))?;
        let mut adapter = TransportAdapter::new(transport, details.current_time.clone());
        adapter.set_timeout(what_is_left(details));
        let stream = connector.connect(name, Inner(Mutex::new(adapter)))?;
        let config = details.config;
        let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
        Ok(Tls { stream, buffers })
    }

    fn set_timeout(&mut self, timeout: NextTimeout) {
        locked(&self.stream.get_ref().0).set_timeout(timeout);
    }
}

/// Returns the time limit for the rest of the attempt to connect.
fn what_is_left(details: &ConnectionDetails<'_>) -> NextTimeout {
    let mut timeout = details.timeout;
    let now = (details.current_time)();
    if let (Duration::Exact(limit), Instant::Exact(start), Instant::Exact(now)) =
        (timeout.after, details.now, now)
    {
        timeout.after = limit.saturating_sub(now.saturating_duration_since(start)).into();
    }
    timeout
}

impl Transport for Tls {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    #[track_caller]
    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.set_timeout(timeout);
        Ok((&self.stream).write_all(&self.buffers.output()[..amount])?)
    }

    #[track_caller]
    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.set_timeout(timeout);
        let length = (&self.stream).read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(length);
        Ok(length != 0)
    }

    fn is_open(&mut self) -> bool {
        locked(&self.stream.get_ref().0).get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}
