//! The socket through which other programs see the fibers of a runtime while it runs.
//!
//! ```text
//!   build           binds the socket; starts the thread -----> thread: waits for clients
//!                                                                a line from one: asks all
//!   schedulers <------------------ request, mail ----------------- schedulers, up to PATIENCE
//!                 dump ------------------------------------------> text to the client
//!   end of the runtime: stops the thread, joins it, removes the socket
//! ```
//!
//! Reading order: [`socket`], [`server`], [`client`], [`command`].
//!
//! Invariants:
//! - The thread never waits for a client, and for schedulers no longer than
//!   [`PATIENCE`](command::PATIENCE) per answer.
//! - The number of clients, the length of a line and the time without progress of a client are
//!   bounded.
//! - The socket is removed only by the runtime that has bound it.

#![forbid(unsafe_code)]

mod client;
mod command;
mod server;
mod socket;

use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crate::inspect::server::Server;
use crate::inspect::socket::Bound;
use crate::jobs::shared::Shared;

/// The socket of one runtime, and the thread that answers there. Both end when this is dropped.
#[derive(Debug)]
pub(crate) struct Inspector {
    /// The thread ends when this end is closed.
    stop: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
    _bound: Bound,
}

impl Inspector {
    /// Opens the socket at `path`, and starts the thread that answers for the runtime of `shared`.
    ///
    /// # Errors
    ///
    /// Returns an error if the socket cannot be bound, and if the thread cannot be started.
    pub(crate) fn start(path: &Path, shared: Arc<Shared>) -> io::Result<Inspector> {
        let (listener, bound) = socket::bind(path)?;
        let (stop, stopped) = UnixStream::pair()?;
        let server = Server::new(listener, stopped, shared);
        let builder = thread::Builder::new().name("fibra-inspect".into());
        let thread = builder.spawn(move || server.run())?;
        Ok(Inspector { stop: Some(stop), thread: Some(thread), _bound: bound })
    }
}

impl Drop for Inspector {
    fn drop(&mut self) {
        drop(self.stop.take());
        // A panic of the thread was printed.
        self.thread.take().into_iter().for_each(|thread| _ = thread.join());
    }
}
