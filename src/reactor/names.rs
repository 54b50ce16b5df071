//! Describes the descriptors for which fibers wait, for dumps: their numbers and addresses.

#![allow(unsafe_code, reason = "asks the kernel about descriptors by their numbers")]

use std::os::fd::{BorrowedFd, RawFd};

use rustix::net::{SocketAddrAny, getpeername, getsockname};

use crate::reactor::registration::Registration;
use crate::sched::lowlevel::Descriptor;

/// Describes the descriptor `fd` of `registration`, for which fibers wait.
pub(super) fn describe(fd: RawFd, registration: &Registration) -> Descriptor {
    debug_assert!(registration.has_fibers());
    // SAFETY: a fiber waits in the registration, in a call that borrows the descriptor: it is open,
    // and stays so until that fiber runs. This thread runs no other fiber before the end of this
    // function. (An abandoned fiber has left the lists.)
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    let peer = getpeername(fd).ok().flatten();
    let local = getsockname(fd).ok();
    Descriptor {
        number: std::os::fd::AsRawFd::as_raw_fd(&fd),
        peer: peer.and_then(|address| text_of(&address)),
        local: local.and_then(|address| text_of(&address)),
    }
}

/// Returns the text of an address, unless it has none.
fn text_of(address: &SocketAddrAny) -> Option<String> {
    if let Ok(address) = std::net::SocketAddr::try_from(address.clone()) {
        return Some(address.to_string());
    }
    let path = rustix::net::SocketAddrUnix::try_from(address.clone()).ok()?;
    Some(path.path()?.to_string_lossy().into_owned())
}
