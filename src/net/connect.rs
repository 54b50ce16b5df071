//! Connecting to one address, or to the first of several to answer.
//!
//! ```text
//!   v6 #1 ---- 250 ms ----> no answer yet                     v6 and v4 in turn, in the order in
//!   v4 #1       \___________ connected: it wins; v6 #1 is killed      which they were looked up
//! ```
//!
//! Invariants:
//! - An attempt that is no longer needed is killed and waited for, so its socket is closed.
//! - If waiting for a result fails, the race ends: the caller was killed where nothing can unwind.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt;

use crate::channel::{Channel, RecvError, RecvTimeoutError};
use crate::io::Waitable;
use crate::net::tcp_builder::TcpBuilder;
use crate::reactor::source::{Direction, Wait};
use crate::sched::api::handle::in_fiber;
use crate::sched::api::scope::{ScopedJoinHandle, scope};
use crate::sched::lowlevel::{Interrupt, OnDeadlock, WaitReason, interrupted, is_killed};

static CONNECTING: WaitReason = WaitReason::new("connecting", OnDeadlock::Fail).ended_externally();

/// The delay before the next attempt: RFC 8305's Connection Attempt Delay.
const NEXT_ATTEMPT_AFTER: Duration = Duration::from_millis(250);

/// Connects to one address, with a socket that has the options of `builder`. The stream is
/// non-blocking.
#[track_caller]
pub(super) fn to(
    builder: &TcpBuilder,
    addr: SocketAddr,
    timeout: Option<Duration>,
) -> io::Result<TcpStream> {
    if timeout == Some(Duration::ZERO) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the time limit is zero"));
    }
    let socket = Waitable::from_nonblocking(builder.stream(addr)?);
    let wait = Wait { direction: Direction::Write, timeout, reason: &CONNECTING };
    let mut begun = false;
    let connected = socket.io(
        wait,
        |socket| {
            if std::mem::replace(&mut begun, true) { finish(socket) } else { begin(socket, addr) }
        },
        |()| false,
    );
    connected.map_err(|error| name_the_address(error, addr))?;
    Ok(socket.into_inner())
}

pub(super) fn begin(socket: &TcpStream, addr: SocketAddr) -> io::Result<()> {
    match rustix::net::connect(socket, &addr) {
        // Even if interrupted, the connection attempt continues in the background.
        Err(Errno::INPROGRESS | Errno::INTR) => Err(io::ErrorKind::WouldBlock.into()),
        result => Ok(result?),
    }
}

pub(super) fn finish(socket: &TcpStream) -> io::Result<()> {
    sockopt::socket_error(socket)??;
    match rustix::net::getpeername(socket) {
        Err(Errno::NOTCONN) => Err(io::ErrorKind::WouldBlock.into()),
        result => Ok(result.map(drop)?),
    }
}

/// Adds the address to the text of an error and keeps its kind. The error of a kill stays
/// unchanged.
pub(super) fn name_the_address(error: io::Error, addr: SocketAddr) -> io::Error {
    if is_killed(&error) {
        return error;
    }
    io::Error::new(error.kind(), format!("cannot connect to {addr}: {error}"))
}

/// Connects to the address that answers first.
#[track_caller]
pub(super) fn first_to_answer(
    builder: &TcpBuilder,
    addrs: Vec<SocketAddr>,
) -> io::Result<TcpStream> {
    match addrs[..] {
        [] => Err(io::Error::new(io::ErrorKind::InvalidInput, "no address to connect to")),
        [addr] => to(builder, addr, None),
        _ if in_fiber() => race(builder, in_turn(addrs)),
        _ => sequentially(builder, addrs),
    }
}

fn sequentially(builder: &TcpBuilder, addrs: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut result = Err(io::ErrorKind::InvalidInput.into());
    for addr in addrs {
        result = to(builder, addr, None);
        if result.is_ok() {
            break;
        }
    }
    result
}

/// Orders addresses so that the families alternate, beginning with that of the first, each family
/// in its original order.
fn in_turn(addrs: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let first_is_v4 = addrs.first().is_some_and(SocketAddr::is_ipv4);
    let (first, second): (Vec<_>, Vec<_>) =
        addrs.into_iter().partition(|addr| addr.is_ipv4() == first_is_v4);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut turns = VecDeque::new();
    loop {
        let pair = [first.next(), second.next()];
        if pair == [None, None] {
            return turns;
        }
        turns.extend(pair.into_iter().flatten());
    }
}

#[track_caller]
fn race(builder: &TcpBuilder, mut addrs: VecDeque<SocketAddr>) -> io::Result<TcpStream> {
    let results = Channel::new();
    scope(|attempts| {
        let mut running = KillOnDrop(Vec::new());
        let mut failed = 0;
        loop {
            if let Some(addr) = addrs.pop_front() {
                let results = results.clone();
                // The receiver takes one result and leaves: an attempt that succeeds later drops
                // its stream.
                let attempt = attempts.spawn(move || drop(results.send(to(builder, addr, None))));
                running.0.push(attempt);
            }
            match next_result(&results, addrs.is_empty())? {
                Some(Ok(stream)) => break Ok(stream),
                Some(Err(error)) => {
                    failed += 1;
                    if failed == running.0.len() && addrs.is_empty() {
                        break Err(error);
                    }
                }
                None => {}
            }
        }
    })
}

/// Returns the result of an attempt; `None` if it is time for the next one.
///
/// # Errors
///
/// Returns why no result can be waited for.
#[track_caller]
fn next_result(
    results: &Channel<io::Result<TcpStream>>,
    is_last: bool,
) -> io::Result<Option<io::Result<TcpStream>>> {
    let interrupt = if is_last {
        match results.recv() {
            Ok(result) => return Ok(Some(result)),
            Err(RecvError::Deadlock(report)) => Interrupt::Deadlock(report),
            Err(_) => Interrupt::Killed,
        }
    } else {
        match results.recv_timeout(NEXT_ATTEMPT_AFTER) {
            Ok(result) => return Ok(Some(result)),
            Err(RecvTimeoutError::Timeout) => return Ok(None),
            Err(_) => Interrupt::Killed,
        }
    };
    Err(interrupted(interrupt, &CONNECTING))
}

/// The running attempts. Dropping it kills them: they are useless once another has won, or the
/// caller leaves.
struct KillOnDrop<'scope>(Vec<ScopedJoinHandle<'scope, ()>>);

impl Drop for KillOnDrop<'_> {
    fn drop(&mut self) {
        self.0.iter().for_each(ScopedJoinHandle::kill);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_families_take_turns() {
        let addr = |text: &str| text.parse::<SocketAddr>().unwrap();
        let looked_up =
            ["[::1]:1", "[::1]:2", "[::1]:3", "1.1.1.1:1", "1.1.1.1:2"].map(addr).to_vec();
        let order = ["[::1]:1", "1.1.1.1:1", "[::1]:2", "1.1.1.1:2", "[::1]:3"].map(addr);
        assert_eq!(in_turn(looked_up), order);
        let v4_first = vec![addr("1.1.1.1:1"), addr("1.1.1.1:2"), addr("[::1]:1")];
        assert_eq!(in_turn(v4_first.clone()), [v4_first[0], v4_first[2], v4_first[1]]);
        assert!(in_turn(Vec::new()).is_empty());
    }
}
