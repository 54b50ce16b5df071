//! The pool of connections: per server, those that are idle, and the right to use one.
//!
//! Invariants:
//! - A request holds one permit of its server while it uses a connection of HTTP/1. A connection is
//!   made only with a permit, and if none is idle. So there are never more connections, idle ones
//!   included, than permits, and requests get them in the order in which they asked.
//! - Requests share the connection of HTTP/2, and need no permit for it. Until a server is known
//!   not to use HTTP/2, one request at a time connects to it.
//! - An idle connection has carried the last response to its end.
//! - No connection is dropped while a list of the pool is borrowed.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::{Rc, Weak};
use std::time::Duration;

use crate::http::client::connect::Dial;
use crate::http::client::error::{Error, Kind};
use crate::http::client::lease::{Lease, Link};
use crate::http::client::limits::{Limits, Until};
use crate::http::client::line::Line;
#[cfg(feature = "http2")]
use crate::http::client::multiplexed::{Multiplexed, Pings, WhichProtocol};
use crate::http::client::open::{Wire, open};
use crate::http::client::route::{Key, Route};
use crate::sched::lowlevel::{OnDeadlock, WaitReason, clock_now, interrupted};
use crate::sync::{Semaphore, TimeoutError};

static WAITING: WaitReason =
    WaitReason::new("waiting for a connection of an http client", OnDeadlock::Fail)
        .ended_by_outsiders();

/// The limits of a pool.
#[derive(Clone, Copy, Debug)]
pub(super) struct PoolSettings {
    pub(super) most_idle: usize,
    /// `None` if connections may be idle forever.
    pub(super) idle_timeout: Option<Duration>,
    pub(super) most_connections: Option<usize>,
    #[cfg(feature = "http2")]
    pub(super) pings: Pings,
}

/// The connections of a client.
pub(super) struct Pool {
    pub(super) settings: PoolSettings,
    servers: RefCell<HashMap<Key, Rc<Server>>>,
}

/// The connections to one server.
pub(super) struct Server {
    permits: Option<Semaphore>,
    /// The one that was used last is at the end.
    idle: RefCell<VecDeque<Wire>>,
    #[cfg(feature = "http2")]
    pub(super) multiplexed: RefCell<Option<Rc<Multiplexed>>>,
    #[cfg(feature = "http2")]
    pub(super) protocol: WhichProtocol,
}

impl Pool {
    pub(super) fn new(settings: PoolSettings) -> Rc<Pool> {
        Rc::new(Pool { settings, servers: RefCell::default() })
    }

    /// Waits for a connection of HTTP/1, or for the one of HTTP/2, to the server of `route`. If
    /// `fresh`, a connection that was idle does not count.
    #[track_caller]
    pub(super) fn lease(
        self: &Rc<Pool>,
        dial: &Dial,
        route: &Route,
        limits: &Limits,
        fresh: bool,
    ) -> Result<Lease, Error> {
        let member = Member::of(self, &route.key);
        #[cfg(feature = "http2")]
        if let Some(shared) = member.server.multiplexed() {
            return Ok(Lease::new(Link::Shared(shared), true, None, member));
        }
        let permit = Permit::of(&member.server, limits.of_whole())?;
        if let Some(wire) = member.server.take_idle().filter(|_| !fresh) {
            return Ok(Lease::new(Link::Own(wire), true, permit, member));
        }
        #[cfg(feature = "http2")]
        let _turn = WhichProtocol::turn(&member.server, dial.offers_http2(&route.key), limits)?;
        #[cfg(feature = "http2")]
        if let Some(shared) = member.server.multiplexed() {
            return Ok(Lease::new(Link::Shared(shared), true, None, member));
        }
        let connected = dial.connect(route, limits)?;
        let link = open(connected, self, &member)?;
        let permit = permit.filter(|_| matches!(link, Link::Own(_)));
        Ok(Lease::new(link, false, permit, member))
    }

    /// Removes a server without connections and without requests.
    fn forget_if_unused(&self, key: &Key, server: &Rc<Server>) {
        // The table and the caller hold one reference each.
        let is_unused = Rc::strong_count(server) == 2 && server.has_no_connection();
        let removed = is_unused.then(|| self.servers.borrow_mut().remove(key));
        drop(removed);
    }

    /// Returns the numbers of servers and of idle connections.
    pub(super) fn count(&self) -> (usize, usize) {
        let servers = self.servers.borrow();
        (servers.len(), servers.values().map(|server| server.idle.borrow().len()).sum())
    }
}

impl Server {
    fn new(settings: &PoolSettings) -> Server {
        Server {
            permits: settings.most_connections.map(Semaphore::new),
            idle: RefCell::default(),
            #[cfg(feature = "http2")]
            multiplexed: RefCell::default(),
            #[cfg(feature = "http2")]
            protocol: WhichProtocol::default(),
        }
    }

    /// Takes the idle connection that was used last, if it is still good.
    fn take_idle(&self) -> Option<Wire> {
        loop {
            let wire = self.idle.borrow_mut().pop_back()?;
            wire.line.idle_since.set(None);
            if !wire.is_lost() {
                return Some(wire);
            }
        }
    }

    /// Keeps a connection for later requests. Returns one that is too much.
    pub(super) fn keep(&self, wire: Wire, most: usize) -> Option<Wire> {
        if most == 0 {
            return Some(wire);
        }
        wire.line.idle_since.set(Some(clock_now()));
        let mut idle = self.idle.borrow_mut();
        let oldest = if idle.len() < most { None } else { idle.pop_front() };
        idle.push_back(wire);
        oldest
    }

    /// Removes the connection that uses `line`, which has ended.
    pub(super) fn remove(&self, line: &Rc<Line>) {
        let removed = {
            let mut idle = self.idle.borrow_mut();
            let at = idle.iter().position(|wire| Rc::ptr_eq(&wire.line, line));
            at.and_then(|at| idle.remove(at))
        };
        drop(removed);
    }

    /// Returns the connection of HTTP/2, if there is one.
    #[cfg(feature = "http2")]
    fn multiplexed(&self) -> Option<Rc<Multiplexed>> {
        let shared = self.multiplexed.borrow();
        shared.as_ref().filter(|shared| !shared.is_lost()).cloned()
    }

    fn has_no_connection(&self) -> bool {
        #[cfg(feature = "http2")]
        if self.multiplexed.borrow().is_some() {
            return false;
        }
        self.idle.borrow().is_empty()
    }
}

/// A use of a server's connections, by a request or by the fiber of a connection.
pub(super) struct Member {
    pool: Weak<Pool>,
    key: Key,
    pub(super) server: Rc<Server>,
}

impl Member {
    fn of(pool: &Rc<Pool>, key: &Key) -> Member {
        let mut servers = pool.servers.borrow_mut();
        let server = match servers.get(key) {
            Some(server) => server.clone(),
            None => {
                let server = Rc::new(Server::new(&pool.settings));
                servers.insert(key.clone(), server.clone());
                server
            }
        };
        Member { pool: Rc::downgrade(pool), key: key.clone(), server }
    }

    /// Returns a reference that does not keep the server in the table.
    pub(super) fn downgrade(&self) -> (Weak<Pool>, Key, Weak<Server>) {
        (self.pool.clone(), self.key.clone(), Rc::downgrade(&self.server))
    }

    /// Returns a use again, if the pool and the server still exist.
    pub(super) fn upgrade((pool, key, server): &(Weak<Pool>, Key, Weak<Server>)) -> Option<Member> {
        let server = server.upgrade()?;
        Some(Member { pool: pool.clone(), key: key.clone(), server })
    }

    /// Returns how many idle connections the server may have.
    pub(super) fn most_idle(&self) -> usize {
        self.pool.upgrade().map_or(0, |pool| pool.settings.most_idle)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.upgrade() {
            pool.forget_if_unused(&self.key, &self.server);
        }
    }
}

/// The right to use a connection of HTTP/1, given back on drop.
pub(super) struct Permit(Rc<Server>);

impl Permit {
    /// Waits for a permit; `None` if the server has no limit.
    #[track_caller]
    fn of(server: &Rc<Server>, until: Until) -> Result<Option<Permit>, Error> {
        let Some(permits) = &server.permits else { return Ok(None) };
        acquire(permits, until)?;
        Ok(Some(Permit(server.clone())))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(permits) = &self.0.permits {
            permits.add_permits(1);
        }
    }
}

/// Takes a permit of `permits`, which the caller gives back by `add_permits`.
#[track_caller]
pub(super) fn acquire(permits: &Semaphore, until: Until) -> Result<(), Error> {
    match until {
        None => match permits.acquire_because(&WAITING) {
            Ok(permit) => permit.forget(),
            Err(interrupt) => return Err(lost(interrupted(interrupt, &WAITING))),
        },
        Some((at, limit)) => match permits.acquire_deadline(at) {
            Ok(permit) => permit.forget(),
            Err(TimeoutError::Timeout) => return Err(Error::new(Kind::Timeout(limit), None)),
            Err(other) => return Err(lost(other)),
        },
    }
    Ok(())
}

fn lost(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(Kind::Unsent, None).because(error)
}
