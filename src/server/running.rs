//! A running server, and its end.
//!
//! Invariants:
//! - The accepting fiber owns the listener, so the listener is closed once that fiber has ended.
//! - Dropping a `Running` kills all fibers of the server.

use std::any::Any;
use std::fmt;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::channel::{OneshotReceiver, RecvError, oneshot};
use crate::fiber::exit::is_unwind;
use crate::pool::Pool;
use crate::sched::api::handle::Fiber;
use crate::sched::api::scope::Scope;
use crate::sched::api::spawn::Builder;
use crate::sched::lowlevel::clock_now;
use crate::server::on_each::OnEach;
use crate::sync::Event;

/// A running server. Dropping it kills the server and its connections, and does not wait for them.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use fibra::server::Server;
///
/// # fn main() -> std::io::Result<()> {
/// fibra::run(|| {
///     let running = Server::bind("127.0.0.1:0")?.start(|_stream, _peer| ());
///     assert_eq!(running.connections(), 0);
///     running.shutdown(Duration::from_secs(1));
///     Ok(())
/// })
/// # }
/// ```
#[must_use = "a server is killed when this is dropped"]
pub struct Running {
    accepting: Option<Accepting>,
    connections: Connections,
    stopping: Stopping,
}

/// The connections of a server.
enum Connections {
    /// The members of a pool. One permit more may be taken, for the next connection.
    Here(Pool),
    OnEach(OnEach),
}

/// The accepting fiber of a server, and the way in which it ended.
pub(super) struct Accepting {
    fiber: Fiber,
    /// Closed without a value if the fiber was killed.
    end: OneshotReceiver<End>,
}

/// The reason why a server has stopped accepting by itself.
pub(super) enum End {
    /// The listener is broken.
    Broken(io::Error),
    /// User code has panicked: the listener, or what is called with its errors.
    Panicked(Box<dyn Any + Send>),
}

impl Accepting {
    /// Starts the accepting fiber. It calls `accept`, which owns the listener.
    pub(super) fn start(accept: impl FnOnce() -> io::Error + 'static) -> Accepting {
        let (run, end) = reporting(accept);
        Accepting { fiber: named().spawn(run).fiber().clone(), end }
    }

    /// Starts the accepting fiber in `scope`.
    pub(super) fn start_in<'scope>(
        scope: &'scope Scope<'scope, '_>,
        accept: impl FnOnce() -> io::Error + 'scope,
    ) -> Accepting {
        let (run, end) = reporting(accept);
        Accepting { fiber: scope.spawn_with(named(), run).fiber().clone(), end }
    }
}

fn named() -> Builder {
    Builder::new().name("server")
}

/// Returns a function that calls `accept`, and what receives the way in which that has ended.
/// `accept`, and with it the listener, is dropped before.
fn reporting(accept: impl FnOnce() -> io::Error) -> (impl FnOnce(), OneshotReceiver<End>) {
    let (sender, end) = oneshot();
    // It fails if the server was shut down or dropped, and does not ask for it.
    (move || drop(sender.send(run_to_its_end(accept))), end)
}

/// Calls `accept`, and returns the way in which it has ended. The unwind of a kill continues.
pub(super) fn run_to_its_end(accept: impl FnOnce() -> io::Error) -> End {
    match panic::catch_unwind(AssertUnwindSafe(accept)) {
        Ok(error) => End::Broken(error),
        Err(payload) if is_unwind(&*payload) => panic::resume_unwind(payload),
        Err(payload) => End::Panicked(payload),
    }
}

/// The result of a shutdown.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use fibra::net::TcpStream;
/// use fibra::server::Server;
///
/// # fn main() -> std::io::Result<()> {
/// fibra::run(|| {
///     let server = Server::bind("127.0.0.1:0")?;
///     let address = server.listener().local_addr()?;
///     let running = server.start(|_stream, _peer| fibra::park()); // never ends by itself
///     let _client = TcpStream::connect(address)?;
///     while running.connections() == 0 {
///         fibra::sleep(Duration::from_millis(1));
///     }
///     assert_eq!(running.shutdown(Duration::from_millis(1)).killed, 1);
///     Ok(())
/// })
/// # }
/// ```
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Drained {
    /// The number of connections that had not ended after the grace period, and were killed.
    pub killed: usize,
}

/// A signal to handlers that their server is being shut down. Clones are handles to the same
/// server, and may be used on other threads.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use fibra::server::Server;
///
/// # fn main() -> std::io::Result<()> {
/// fibra::run(|| {
///     let running = Server::bind("127.0.0.1:0")?.start(|_stream, _peer| ());
///     let stopping = running.stopping();
///     assert!(!stopping.is_stopping());
///     running.shutdown(Duration::from_secs(1));
///     assert!(stopping.is_stopping());
///     Ok(())
/// })
/// # }
/// ```
#[derive(Clone)]
pub struct Stopping(Arc<Event>);

impl Running {
    /// Creates a server whose connections are the members of `pool`.
    pub(super) fn here(accepting: Accepting, pool: Pool, stopping: Stopping) -> Running {
        Running { accepting: Some(accepting), connections: Connections::Here(pool), stopping }
    }

    /// Creates a server on several schedulers.
    pub(super) fn on_each(accepting: Accepting, on: OnEach, stopping: Stopping) -> Running {
        Running { accepting: Some(accepting), connections: Connections::OnEach(on), stopping }
    }

    /// Returns the number of connections that are open now, on all schedulers of the server.
    #[must_use]
    pub fn connections(&self) -> usize {
        match &self.connections {
            Connections::Here(pool) => pool.members(),
            Connections::OnEach(on) => on.connections(),
        }
    }

    /// Returns the handle with which handlers check whether a shutdown has begun.
    #[must_use]
    pub fn stopping(&self) -> Stopping {
        self.stopping.clone()
    }

    /// Waits until the listener fails for good, and then kills the connections.
    ///
    /// # Errors
    ///
    /// Returns the reason why no further connections can be accepted.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber, and if the callback of
    /// [`Server::on_error`](crate::server::Server::on_error) has panicked.
    #[track_caller]
    pub fn wait(self) -> io::Result<()> {
        match self.accepting.as_ref().map(|accepting| accepting.end.receiver().recv()) {
            Some(Ok(End::Broken(error))) => Err(error),
            Some(Ok(End::Panicked(payload))) => panic::resume_unwind(payload),
            Some(Err(RecvError::Closed)) => Err(io::Error::other("the server was killed")),
            Some(Err(other)) => Err(io::Error::other(other)),
            None => Ok(()),
        }
    }

    /// Stops accepting, closes the listener, and waits until all connections have ended. After
    /// `grace`, kills those that are left, and waits for their end. (Under `panic = "abort"`, a
    /// killed handler ends when a call that can return an error does so; if it sleeps or waits for
    /// a lock, that wait is not interrupted.)
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fibra::server::Server;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// fibra::run(|| {
    ///     let running = Server::bind("127.0.0.1:0")?.start(|_stream, _peer| ());
    ///     let end = running.shutdown(Duration::from_secs(5)); // the longest grace
    ///     assert_eq!(end.killed, 0);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn shutdown(mut self, grace: Duration) -> Drained {
        self.stopping.0.set();
        if let Some(accepting) = self.accepting.take() {
            accepting.fiber.kill();
            // The way in which it ended no longer matters.
            drop(accepting.end.recv());
        }
        let deadline = clock_now().checked_add(grace);
        let killed = match &mut self.connections {
            Connections::Here(pool) => drain(pool, deadline),
            Connections::OnEach(on) => on.end_by(deadline),
        };
        Drained { killed }
    }
}

/// Waits until all members of `pool` have ended. At `deadline`, kills those that are left, and
/// waits for their ends. Returns how many it has killed.
pub(super) fn drain(pool: &Pool, deadline: Option<Instant>) -> usize {
    let drained = match deadline {
        Some(deadline) => pool.join_deadline(deadline).is_ok(),
        None => pool.join().is_ok(),
    };
    if drained {
        return 0;
    }
    let killed = pool.members();
    pool.kill();
    // This cannot be a deadlock, because killed fibers unwind.
    let _ = pool.join();
    killed
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stopping.0.set();
        if let Some(accepting) = &self.accepting {
            accepting.fiber.kill();
        }
        match &self.connections {
            Connections::Here(pool) => pool.kill(),
            Connections::OnEach(on) => on.kill(),
        }
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("connections", &self.connections()).finish_non_exhaustive()
    }
}

impl Stopping {
    pub(super) fn new() -> Stopping {
        Stopping(Arc::new(Event::new()))
    }

    /// Returns whether the server has begun to shut down. A handler should then end after its
    /// current request.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.0.is_set()
    }

    /// Waits until the server begins to shut down.
    ///
    /// # Panics
    ///
    /// Panics with a report if nothing can ever run again.
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
