//! The state of a connection: plain data on one side, records on the other, and their movement.
//!
//! ```text
//!   stream --read--> [Inbound] --process--> connection --copy--> reader's buffer
//!                     16 KiB                    | \
//!   stream <-write-- [Outbound] <--records------+  +--<--encrypt-- writer's data
//!                    64 KiB
//! ```
//!
//! Invariants:
//! - The connection is locked while it computes, and never while the stream is waited for. (The
//!   user's verifiers and resolvers run under its lock and may wait: hence the lock parks fibers.)
//! - A fiber that reads the stream holds `inbound`, one that writes to it `outbound`: one fiber
//!   each, across the wait. They are locked in the order `inbound`, `outbound`, `connection`.
//! - Data that was read from the stream is in `inbound` until the connection has it; records are in
//!   `outbound` until the stream has them. A fiber that is killed while it waits therefore loses
//!   nothing.
//! - Records are fetched only under `outbound`, and a fiber that held it checks again after it has
//!   released it: none is left behind.

use std::io::{self, Read, Write};

use rustls::Connection;

use crate::sched::lowlevel::on_warm_stack;
use crate::sync::{Mutex, MutexGuard};
use crate::tls::records::Records;

/// Number of bytes to read from the stream at a time: about one record.
const READ_SIZE: usize = 16 << 10;

/// Capacity that is kept after a burst.
const KEPT: usize = 16 << 10;

#[derive(Debug)]
pub(super) struct State {
    connection: Mutex<Connection>,
    inbound: Mutex<Inbound>,
    outbound: Mutex<Outbound>,
}

/// Data from the stream that was not processed yet.
#[derive(Debug, Default)]
struct Inbound {
    buffer: Vec<u8>,
    done: usize,
    /// Whether nothing more is read from the stream: it has ended, or its data was not TLS.
    over: bool,
    /// Whether the stream has ended.
    ended: bool,
    /// Whether the other side has announced its end (`close_notify`).
    closed: bool,
    /// Whether the handshake is over, so that only the connection interprets the records.
    is_encrypted: bool,
    records: Records,
}

/// Records for the stream.
#[derive(Debug, Default)]
struct Outbound {
    records: Vec<u8>,
    done: usize,
    /// Whether nothing may be written any more.
    closed: bool,
}

impl State {
    pub(super) fn new(connection: Connection) -> State {
        State {
            connection: Mutex::new(connection),
            inbound: Mutex::default(),
            outbound: Mutex::default(),
        }
    }

    /// Locks the connection, for a query.
    #[track_caller]
    pub(super) fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock()
    }

    #[track_caller]
    pub(super) fn handshake<S: Read + Write>(&self, mut stream: S) -> io::Result<()> {
        loop {
            self.flush(&mut stream)?;
            let mut inbound = self.inbound.lock_unless_killed()?;
            if !self.connection().is_handshaking() {
                inbound.is_encrypted = true;
                return Ok(());
            }
            self.fill(&mut inbound, &mut stream)?;
            let ended = inbound.over && inbound.rest().is_empty() || inbound.closed;
            if ended && self.connection().is_handshaking() {
                let text = "the other side closed the connection during the TLS handshake";
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
            }
        }
    }

    #[track_caller]
    pub(super) fn read<S: Read + Write>(
        &self,
        mut stream: S,
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if let Some(result) = self.read_now(buffer) {
                return result;
            }
            let mut inbound = self.inbound.lock_unless_killed()?;
            // Another reader may have filled it while this one waited for the lock.
            if let Some(result) = self.read_now(buffer) {
                return result;
            }
            self.fill(&mut inbound, &mut stream)?;
            drop(inbound);
            if self.connection().wants_write() {
                match self.flush_if_free(&mut stream) {
                    // The records are kept for the next write. There may be data for the reader.
                    Err(error) if !may_succeed_later(&error) => return Err(error),
                    _ => {}
                }
            }
        }
    }

    /// Reads what is available, if anything is: data, the end, or the error of a missing end.
    #[track_caller]
    fn read_now(&self, buffer: &mut [u8]) -> Option<io::Result<usize>> {
        match self.connection().reader().read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            result => Some(result),
        }
    }

    /// Reads the stream once, if all earlier data is processed, and processes what is there.
    #[track_caller]
    fn fill<S: Read + Write>(&self, inbound: &mut Inbound, stream: &mut S) -> io::Result<()> {
        if inbound.rest().is_empty() && !inbound.over {
            inbound.read(stream)?;
        }
        if inbound.rest().is_empty() && inbound.ended {
            // Passed on each time: the call that has read the end may have been interrupted before
            // this.
            self.connection().read_tls(&mut io::empty())?;
        }
        let processed = inbound.give_to(&mut self.connection());
        processed.inspect_err(|_| {
            // Send the alert with the reason, if the other side still reads.
            let _ = self.flush_if_free(stream);
        })
    }

    /// Encrypts and sends some of `data`, after all data that was accepted before. Accepted data is
    /// sent even if this call is interrupted: by the next one.
    #[track_caller]
    pub(super) fn write(&self, stream: impl Write, data: &[u8]) -> io::Result<usize> {
        self.write_vectored(stream, &[io::IoSlice::new(data)])
    }

    #[track_caller]
    pub(super) fn write_vectored(
        &self,
        mut stream: impl Write,
        data: &[io::IoSlice<'_>],
    ) -> io::Result<usize> {
        let mut outbound = self.outbound.lock_unless_killed()?;
        self.drain(&mut outbound, &mut stream)?;
        if outbound.closed {
            let text = "this side of the TLS stream was shut down";
            return Err(io::Error::new(io::ErrorKind::BrokenPipe, text));
        }
        let accepted = self.connection().writer().write_vectored(data)?;
        let sent = self.drain(&mut outbound, &mut stream);
        drop(outbound);
        match sent.and_then(|()| self.flush_if_free(&mut stream)) {
            // The records are kept, so for the caller the data is written.
            Err(error) if !may_succeed_later(&error) => Err(error),
            _ => Ok(accepted),
        }
    }

    /// Sends all records that wait to be sent.
    #[track_caller]
    pub(super) fn flush(&self, mut stream: impl Write) -> io::Result<()> {
        self.drain(&mut *self.outbound.lock_unless_killed()?, &mut stream)?;
        self.flush_if_free(&mut stream)?;
        stream.flush()
    }

    /// Sends a `close_notify`, after all data that was accepted before.
    #[track_caller]
    pub(super) fn shutdown(&self, mut stream: impl Write) -> io::Result<()> {
        let mut outbound = self.outbound.lock_unless_killed()?;
        if !outbound.closed {
            outbound.closed = true;
            self.connection().send_close_notify();
        }
        self.drain(&mut outbound, &mut stream)?;
        drop(outbound);
        self.flush_if_free(&mut stream)?;
        stream.flush()
    }

    /// Sends all records, unless another fiber is doing so: it sends these, too.
    #[track_caller]
    fn flush_if_free(&self, stream: &mut impl Write) -> io::Result<()> {
        while self.connection().wants_write() {
            let Some(mut outbound) = self.outbound.try_lock() else { return Ok(()) };
            self.drain(&mut outbound, stream)?;
        }
        Ok(())
    }

    #[track_caller]
    fn drain(&self, outbound: &mut Outbound, stream: &mut impl Write) -> io::Result<()> {
        loop {
            outbound.send(stream)?;
            let mut connection = self.connection();
            if !connection.wants_write() {
                return Ok(());
            }
            while connection.wants_write() {
                connection.write_tls(&mut outbound.records)?;
            }
        }
    }
}

impl Inbound {
    fn rest(&self) -> &[u8] {
        &self.buffer[self.done..]
    }

    /// Reads once, which may wait. Called when all earlier data is processed.
    #[track_caller]
    fn read(&mut self, stream: &mut impl Read) -> io::Result<()> {
        self.done = 0;
        self.buffer.clear();
        let mut buffer = vec![0; READ_SIZE];
        let length = loop {
            match stream.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        buffer.truncate(length);
        self.closed |= !self.is_encrypted && self.records.find_close_notify(&buffer);
        self.buffer = buffer;
        self.ended = length == 0;
        self.over = self.ended;
        Ok(())
    }

    /// Passes as much to the connection as it takes: it takes nothing while it has data for the
    /// reader.
    fn give_to(&mut self, connection: &mut Connection) -> io::Result<()> {
        loop {
            // Cryptography needs a large stack, and leaves nothing on it.
            match on_warm_stack(|| connection.process_new_packets()) {
                Ok(state) => self.closed |= state.peer_has_closed(),
                Err(error) => {
                    // The data that follows cannot be decoded. The connection returns the same
                    // error again when it is asked.
                    self.done = self.buffer.len();
                    self.over = true;
                    return Err(io::Error::new(io::ErrorKind::InvalidData, error));
                }
            }
            if self.rest().is_empty() || !connection.wants_read() {
                break;
            }
            self.done += connection.read_tls(&mut &self.buffer[self.done..])?;
        }
        if self.rest().is_empty() {
            (self.buffer, self.done) = (Vec::new(), 0);
        }
        Ok(())
    }
}

impl Outbound {
    /// Sends the stored records, which may wait.
    #[track_caller]
    fn send(&mut self, stream: &mut impl Write) -> io::Result<()> {
        while self.done < self.records.len() {
            match stream.write(&self.records[self.done..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => self.done += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.done = 0;
        self.records.clear();
        self.records.shrink_to(KEPT);
        Ok(())
    }
}

/// Returns whether the stream may succeed at a later attempt.
fn may_succeed_later(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
