//! The loop of the thread that answers clients: it sleeps until one of them has sent something, can
//! take more, or is due.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::inspect::client::Client;
use crate::inspect::socket;
use crate::jobs::shared::Shared;
use crate::net::sockets;
use crate::sched::time::clock::{Clock, RealClock};

/// The largest number of clients.
const MOST_CLIENTS: usize = 16;

/// The pause after a failure of `poll` or `accept`, for example for lack of descriptors.
const PAUSE: Duration = Duration::from_millis(200);

/// The thread's own state.
pub(super) struct Server {
    listener: OwnedFd,
    stopped: UnixStream,
    shared: Arc<Shared>,
    clients: Vec<Client>,
}

impl Server {
    pub(super) fn new(listener: OwnedFd, stopped: UnixStream, shared: Arc<Shared>) -> Server {
        Server { listener, stopped, shared, clients: Vec::new() }
    }

    /// Answers clients until the other end of `stopped` is closed.
    pub(super) fn run(mut self) {
        loop {
            let now = RealClock.now();
            let due = self.clients.iter().map(Client::due).min();
            let ready = self.wait(due.map(|due| due.saturating_duration_since(now)));
            let Ready { stopped, connections, clients } = ready;
            if stopped {
                return;
            }
            let now = RealClock.now();
            for (client, is_ready) in self.clients.iter_mut().zip(clients) {
                client.step(is_ready, now, &self.shared);
            }
            self.clients.retain(Client::is_open);
            if connections && self.accept(now).is_err() {
                self.pause();
            }
        }
    }

    /// Sleeps until something is ready, or for `limit`.
    fn wait(&self, limit: Option<Duration>) -> Ready {
        let mut fds = vec![
            PollFd::new(&self.stopped, PollFlags::IN),
            PollFd::new(&self.listener, PollFlags::IN),
        ];
        fds.extend(
            self.clients
                .iter()
                .map(|client| PollFd::from_borrowed_fd(client.as_fd(), client.interest())),
        );
        // A duration that is too long for the kernel is no limit.
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        let is_ready = |fd: &PollFd<'_>| !fd.revents().is_empty();
        match poll(&mut fds, limit.as_ref()) {
            Ok(_) => Ready {
                stopped: is_ready(&fds[0]),
                connections: is_ready(&fds[1]),
                clients: fds[2..].iter().map(is_ready).collect(),
            },
            Err(error) => {
                if error != rustix::io::Errno::INTR {
                    self.pause();
                }
                let clients = vec![false; self.clients.len()];
                Ready { stopped: false, connections: false, clients }
            }
        }
    }

    /// Sleeps for [`PAUSE`], or until the end of the runtime.
    fn pause(&self) {
        let mut fds = [PollFd::new(&self.stopped, PollFlags::IN)];
        let limit = Timespec::try_from(PAUSE).ok();
        let _ = poll(&mut fds, limit.as_ref());
    }

    /// Accepts one connection. Its client waits for commands, unless there are too many.
    fn accept(&mut self, now: Instant) -> io::Result<()> {
        let connection = match sockets::accept(&self.listener) {
            Ok((connection, _)) => connection,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        if !socket::is_owners(&connection) {
            return Ok(());
        }
        if self.clients.len() < MOST_CLIENTS {
            self.clients.push(Client::new(connection, now));
        } else {
            // The buffer of a new connection has room for this.
            let text = format!("too many clients: {MOST_CLIENTS} are connected\n\n");
            let _ = sockets::send(&connection, text.as_bytes());
        }
        Ok(())
    }
}

/// The result of a wait.
struct Ready {
    stopped: bool,
    connections: bool,
    /// Whether each client is ready, in their order.
    clients: Vec<bool>,
}
