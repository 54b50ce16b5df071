//! The load generator: one thread, epoll, and on each connection one request at a time.
//!
//! A connection sends its next request as soon as it has received the whole answer to the previous
//! one (a closed loop). The time of an answer starts before the request is written, and ends when
//! the answer has been read and checked. One reading of the clock ends it and starts the next one.
//! Sockets are registered edge-triggered and read once per event, into a buffer that is longer than
//! any answer. So a request costs one `send`, one `recv` and its share of an `epoll_wait`, the same
//! as in the fastest server.

#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;

use crate::Failure;
use crate::exchange::Exchange;

/// The time without an answer on any connection after which a server counts as stuck.
const PATIENCE: Timespec = Timespec { tv_sec: 20, tv_nsec: 0 };
const EVENTS: usize = 1024;
/// The number of connections that are opened together: fewer than any server's backlog.
const CROWD: usize = 64;

pub(crate) struct Generator {
    queue: OwnedFd,
    connections: Vec<Connection>,
    exchange: Exchange,
    events: Vec<epoll::Event>,
    input: Box<[u8]>,
}

struct Connection {
    stream: TcpStream,
    /// The time at which the request in flight was sent.
    sent: Instant,
    /// The number of that request.
    number: u64,
    /// The number of bytes of its answer that have been received.
    heard: usize,
}

/// A request that was answered.
#[derive(Clone, Copy)]
pub(crate) struct Answer {
    pub(crate) sent: Instant,
    pub(crate) heard: Instant,
}

impl Answer {
    pub(crate) fn time(self) -> Duration {
        self.heard - self.sent
    }
}

/// The action of a connection after an answer.
pub(crate) enum Next {
    Again,
    Rest,
}

impl Generator {
    /// Opens the given number of connections; each has received one answer when this returns.
    pub(crate) fn connect(
        address: SocketAddr,
        exchange: Exchange,
        connections: usize,
    ) -> Result<Self, Failure> {
        let mut this = Self {
            queue: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            connections: Vec::with_capacity(connections),
            input: vec![0; exchange.answer_length() + 1].into(),
            exchange,
            events: Vec::with_capacity(EVENTS),
        };
        while this.connections.len() < connections {
            let old = this.connections.len();
            let new = connections.min(old + CROWD);
            (old..new).try_for_each(|_| this.open(address))?;
            this.drive(old..new, |_| Next::Rest)?;
        }
        Ok(this)
    }

    /// Sends a request on each of these connections, and the next ones as long as `answered`
    /// returns [`Next::Again`]. When this returns, every request has been answered.
    pub(crate) fn drive(
        &mut self,
        which: Range<usize>,
        mut answered: impl FnMut(Answer) -> Next,
    ) -> Result<(), Failure> {
        let mut under_way = which.len();
        for connection in which {
            self.send(connection, Instant::now())?;
        }
        while 0 < under_way {
            self.wait()?;
            for i in 0..self.events.len() {
                let connection = self.events[i].data.u64() as usize;
                if !self.hear(connection)? {
                    continue;
                }
                let heard = Instant::now();
                match answered(Answer { sent: self.connections[connection].sent, heard }) {
                    Next::Again => self.send(connection, heard)?,
                    Next::Rest => under_way -= 1,
                }
            }
        }
        Ok(())
    }

    /// Calls [`drive`](Self::drive) with all connections.
    pub(crate) fn drive_all(
        &mut self,
        answered: impl FnMut(Answer) -> Next,
    ) -> Result<(), Failure> {
        self.drive(0..self.connections.len(), answered)
    }

    fn open(&mut self, address: SocketAddr) -> Result<(), Failure> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let number = epoll::EventData::new_u64(self.connections.len() as u64);
        epoll::add(&self.queue, &stream, number, epoll::EventFlags::IN | epoll::EventFlags::ET)?;
        self.connections.push(Connection { stream, sent: Instant::now(), number: 0, heard: 0 });
        Ok(())
    }

    /// Sends a request. It fits into an empty socket, so a partial write is an error.
    fn send(&mut self, index: usize, now: Instant) -> Result<(), Failure> {
        let connection = &mut self.connections[index];
        connection.sent = now;
        connection.number += 1;
        connection.heard = 0;
        let request = self.exchange.request(index, connection.number);
        match connection.stream.write(request)? {
            n if n == request.len() => Ok(()),
            n => Err(format!("{n} bytes of {} fitted into a socket", request.len()).into()),
        }
    }

    /// Waits until `events` has at least one event.
    fn wait(&mut self) -> Result<(), Failure> {
        loop {
            self.events.clear();
            match epoll::wait(&self.queue, spare_capacity(&mut self.events), Some(&PATIENCE)) {
                Ok(0) => return Err(format!("no answer within {} s", PATIENCE.tv_sec).into()),
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Reads the available bytes. Returns whether they complete the answer.
    fn hear(&mut self, index: usize) -> Result<bool, Failure> {
        let connection = &mut self.connections[index];
        let read = match connection.stream.read(&mut self.input) {
            Ok(0) => return Err("the server has closed a connection".into()),
            Ok(n) => &self.input[..n],
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        if !self.exchange.is_right(index, connection.number, connection.heard, read) {
            let number = connection.number;
            return Err(format!("connection {index}: a wrong answer to request {number}").into());
        }
        connection.heard += read.len();
        Ok(connection.heard == self.exchange.answer_length())
    }
}
