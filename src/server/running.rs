//! A server that runs, and its end.
//!
//! Invariants:
//! - The listener is closed when the accepting fiber has ended: it belongs to that.
//! - A `Running` that is dropped leaves no fiber that goes on.

use std::fmt;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use crate::fiber::exit::JoinError;
use crate::pool::Pool;
use crate::sched::api::join::JoinHandle;
use crate::sync::Event;

/// A server that runs. Dropping it kills the server and its connections, and does not wait for them.
#[must_use = "a server is killed when this is dropped"]
pub struct Running {
    accepting: Option<JoinHandle<io::Error>>,
    /// Its members are the connections. One place more may be taken: it is kept for the next.
    pool: Pool,
    stopping: Stopping,
}

/// How a server ended.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Drained {
    /// Connections that had not ended when the grace was over.
    pub killed: usize,
}

/// Tells handlers that their server is being shut down. Clones are handles to the same server.
#[derive(Clone)]
pub struct Stopping(Rc<Event>);

impl Running {
    pub(super) fn new(accepting: JoinHandle<io::Error>, pool: Pool, stopping: Stopping) -> Running {
        Running { accepting: Some(accepting), pool, stopping }
    }

    /// How many connections there are now.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.pool.members()
    }

    /// Whether a shutdown has begun: for handlers.
    #[must_use]
    pub fn stopping(&self) -> Stopping {
        self.stopping.clone()
    }

    /// Waits until the listener is broken; then the connections are killed.
    ///
    /// # Errors
    ///
    /// Why nothing can be accepted any more.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber, and if [`Server::on_error`](crate::server::Server::on_error) has.
    #[track_caller]
    pub fn wait(mut self) -> io::Result<()> {
        if let Some(accepting) = &mut self.accepting {
            // It fails when there is nothing to wait for, which `join` says again.
            let _ = accepting.wait();
        }
        match self.accepting.take().map(JoinHandle::join) {
            Some(Ok(error)) => Err(error),
            Some(Err(JoinError::Panicked(panic))) => panic.resume(),
            Some(Err(other)) => Err(io::Error::other(other.to_string())),
            None => Ok(()),
        }
    }

    /// Stops accepting, closes the listener, and waits until all connections have ended. Those that
    /// are left after `grace` are killed, and waited for. (Under `panic = "abort"` a handler that is killed ends when
    /// a call that returns an error does; one that sleeps or waits for a lock is waited for.)
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn shutdown(mut self, grace: Duration) -> Drained {
        self.stopping.0.set();
        if let Some(accepting) = self.accepting.take() {
            accepting.kill();
            // How it ended does not matter any more.
            drop(accepting.join());
        }
        if self.pool.join_timeout(grace).is_ok() {
            return Drained { killed: 0 };
        }
        let killed = self.connections();
        self.pool.kill();
        // It cannot be a deadlock: the killed unwind.
        let _ = self.pool.join();
        Drained { killed }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stopping.0.set();
        if let Some(accepting) = &self.accepting {
            accepting.kill();
        }
        self.pool.kill();
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("connections", &self.connections()).finish_non_exhaustive()
    }
}

impl Stopping {
    pub(super) fn new() -> Stopping {
        Stopping(Rc::new(Event::new()))
    }

    /// Whether the server has begun to shut down: it is time to end after the present request.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.0.is_set()
    }

    /// Waits until the server begins to shut down.
    #[track_caller]
    pub fn wait(&self) {
        self.0.wait();
    }
}

impl fmt::Debug for Stopping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stopping").field(&self.is_stopping()).finish()
    }
}
