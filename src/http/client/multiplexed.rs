//! Connections of HTTP/2, each shared by all requests to its server.
//!
//! Invariants:
//! - A connection is idle if it has no user. A user is a request, until the body of its response
//!   has been read or dropped.
//! - A connection that fails is removed from its server immediately, so that later requests do not
//!   use it.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use hyper::client::conn::http2;

use crate::future::block_on;
use crate::http::client::error::Error;
use crate::http::client::limits::Limits;
use crate::http::client::line::{self, Line};
use crate::http::client::open::refused;
use crate::http::client::pool::{Member, Pool, Server, acquire};
use crate::http::client::request_body::RequestBody;
use crate::http::io::Io;
use crate::http::rt::{FiberExecutor, FiberTimer};
use crate::sched::lowlevel::clock_now;
use crate::sync::Semaphore;

/// The pings with which connections are tested.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pings {
    /// The time without any data after which one is sent; `None` for no pings.
    pub(super) interval: Option<Duration>,
    pub(super) timeout: Duration,
    /// Whether they are sent while there is no request.
    pub(super) while_idle: bool,
}

/// A connection of HTTP/2.
pub(super) struct Multiplexed {
    sender: http2::SendRequest<RequestBody>,
    pub(super) line: Rc<Line>,
    users: Cell<usize>,
}

impl Multiplexed {
    pub(super) fn sender(&self) -> http2::SendRequest<RequestBody> {
        self.sender.clone()
    }

    /// Returns whether new requests must not use it.
    pub(super) fn is_lost(&self) -> bool {
        self.sender.is_closed()
    }

    /// Counts one more user.
    pub(super) fn enter(&self) {
        self.users.set(self.users.get() + 1);
        self.line.idle_since.set(None);
    }

    /// Counts one user less.
    pub(super) fn leave(&self) {
        self.users.set(self.users.get() - 1);
        if self.users.get() == 0 {
            self.line.idle_since.set(Some(clock_now()));
        }
    }
}

/// Starts HTTP/2 on a new stream, and makes it the connection of the server.
#[track_caller]
pub(super) fn open(
    line: Rc<Line>,
    pool: &Rc<Pool>,
    member: &Member,
) -> Result<Rc<Multiplexed>, Error> {
    let mut builder = http2::Builder::new(FiberExecutor);
    let Pings { interval, timeout, while_idle } = pool.settings.pings;
    builder.timer(FiberTimer).keep_alive_interval(interval).keep_alive_while_idle(while_idle);
    builder.keep_alive_timeout(timeout);
    let handshake = builder.handshake(Io::new(line.clone()));
    let (sender, connection) = block_on(handshake).map_err(refused)?;
    let shared = Rc::new(Multiplexed { sender, line: line.clone(), users: Cell::new(0) });
    let replaced = member.server.multiplexed.replace(Some(shared.clone()));
    drop(replaced);
    let server = member.downgrade();
    let at_end = move |ended: Rc<Line>| {
        if let Some(member) = Member::upgrade(&server) {
            remove(&member.server, &ended);
        }
    };
    line::start(line, pool.settings.idle_timeout, connection, at_end);
    Ok(shared)
}

/// Removes the connection that uses `line` from its server, if it is still there.
pub(super) fn remove(server: &Server, line: &Rc<Line>) {
    let mut shared = server.multiplexed.borrow_mut();
    let removed = shared.take_if(|shared| Rc::ptr_eq(&shared.line, line));
    drop(shared);
    drop(removed);
}

/// The knowledge about the protocol of a server, and the right to find out.
pub(super) struct WhichProtocol {
    is_http1: Cell<bool>,
    turn: Semaphore,
}

impl Default for WhichProtocol {
    fn default() -> WhichProtocol {
        WhichProtocol { is_http1: Cell::new(false), turn: Semaphore::new(1) }
    }
}

impl WhichProtocol {
    /// Waits until no other request connects to the server, if it may use HTTP/2.
    #[track_caller]
    pub(super) fn turn(
        server: &Rc<Server>,
        offered: bool,
        limits: &Limits,
    ) -> Result<Option<Turn>, Error> {
        if !offered || server.protocol.is_http1.get() {
            return Ok(None);
        }
        acquire(&server.protocol.turn, limits.of_whole())?;
        Ok(Some(Turn(server.clone())))
    }

    pub(super) fn learn(&self, is_http2: bool) {
        self.is_http1.set(!is_http2);
    }
}

/// The right to connect to a server that may use HTTP/2, given back on drop.
pub(super) struct Turn(Rc<Server>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.protocol.turn.add_permits(1);
    }
}
