//! System calls on sockets: descriptors that are non-blocking and that no other program inherits,
//! where systems differ in how they are made.
//!
//! Apple's systems have no flags for this: there a descriptor is changed after it was opened. (A
//! program that another thread starts in between inherits it. The same is true of std.)
//!
//! Invariants:
//! - A write to a closed connection is an error, and raises no signal.
//! - Calls that move data of a connection do not block, even if another handle has made the socket
//!   blocking.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvFlags, SendAncillaryBuffer, SendFlags, SocketAddrAny,
    SocketAddrUnix, SocketFlags, SocketType, acceptfrom_with, recvmsg, sendmsg, socket_with,
};

#[cfg(not(target_vendor = "apple"))]
const FLAGS: SocketFlags = SocketFlags::NONBLOCK.union(SocketFlags::CLOEXEC);
#[cfg(target_vendor = "apple")]
const FLAGS: SocketFlags = SocketFlags::empty();

/// The flags for receiving descriptors, which are then passed to [`do_not_pass_on`].
#[cfg(not(target_vendor = "apple"))]
pub(super) const RECV_FDS: RecvFlags = RecvFlags::CMSG_CLOEXEC.union(RecvFlags::DONTWAIT);
#[cfg(target_vendor = "apple")]
pub(super) const RECV_FDS: RecvFlags = RecvFlags::DONTWAIT;

/// Creates a non-blocking socket.
pub(crate) fn socket(family: AddressFamily, kind: SocketType) -> io::Result<OwnedFd> {
    let socket = socket_with(family, kind, FLAGS, None)?;
    set_flags(&socket)?;
    Ok(socket)
}

/// Accepts a connection to `listener`, as a non-blocking socket.
pub(crate) fn accept(listener: impl AsFd) -> io::Result<(OwnedFd, Option<SocketAddrAny>)> {
    let (socket, addr) = acceptfrom_with(listener, FLAGS)?;
    set_flags(&socket)?;
    Ok((socket, addr))
}

#[cfg(not(target_vendor = "apple"))]
fn set_flags(_: &OwnedFd) -> io::Result<()> {
    Ok(())
}

#[cfg(target_vendor = "apple")]
fn set_flags(socket: &OwnedFd) -> io::Result<()> {
    rustix::io::fcntl_setfd(socket, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(socket, true)?;
    send_flags(socket);
    Ok(())
}

/// Returns the flags for sending.
#[cfg(not(target_vendor = "apple"))]
pub(super) fn send_flags(_: impl AsFd) -> SendFlags {
    SendFlags::NOSIGNAL.union(SendFlags::DONTWAIT)
}

/// Returns the flags for sending. On these systems suppressing the signal is a property of the
/// socket.
#[cfg(target_vendor = "apple")]
pub(super) fn send_flags(socket: impl AsFd) -> SendFlags {
    // It fails if the other side is gone. Rust programs ignore the signal, unless they change that.
    let _ = rustix::net::sockopt::set_socket_nosigpipe(socket, true);
    SendFlags::DONTWAIT
}

/// Receives from a connection.
pub(crate) fn recv(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(rustix::net::recv(socket, buffer, RecvFlags::DONTWAIT)?.0)
}

/// Like [`recv`], but leaves the data for the next call.
pub(super) fn peek(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(rustix::net::recv(socket, buffer, RecvFlags::DONTWAIT.union(RecvFlags::PEEK))?.0)
}

/// Like [`recv`], into several buffers.
pub(super) fn recv_vectored(
    socket: impl AsFd,
    buffers: &mut [IoSliceMut<'_>],
) -> io::Result<usize> {
    let most = buffers.len().min(MOST_SLICES);
    let mut control = RecvAncillaryBuffer::default();
    Ok(recvmsg(socket, &mut buffers[..most], &mut control, RecvFlags::DONTWAIT)?.bytes)
}

/// Sends `data`, or a part of it, on a connection; returns how many bytes.
pub(crate) fn send(socket: impl AsFd, data: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(&socket, data, send_flags(&socket))?)
}

/// Sends the contents of the buffers, or a part of it, on a connection; returns how many bytes.
pub(super) fn send_vectored(socket: impl AsFd, data: &[IoSlice<'_>]) -> io::Result<usize> {
    // The kernel refuses more.
    let data = &data[..data.len().min(MOST_SLICES)];
    Ok(sendmsg(&socket, data, &mut SendAncillaryBuffer::default(), send_flags(&socket))?)
}

/// The largest number of buffers per call: `UIO_MAXIOV`, which equals `IOV_MAX`.
const MOST_SLICES: usize = 1024;

/// Returns the address of the Unix domain socket at `path`.
pub(crate) fn address_of_path(path: &Path) -> io::Result<SocketAddrUnix> {
    if path.as_os_str().is_empty() {
        // As an address, an empty path would be the abstract address with an empty name.
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path of a socket is empty"));
    }
    Ok(SocketAddrUnix::new(path)?)
}

/// Makes the descriptors that were received with [`RECV_FDS`] close on exec, so that other programs
/// do not inherit them. The flag has done so already.
#[cfg(not(target_vendor = "apple"))]
pub(super) fn do_not_pass_on(_: &[OwnedFd]) {}

/// Makes the descriptors that were received with [`RECV_FDS`] close on exec, so that other programs
/// do not inherit them.
#[cfg(target_vendor = "apple")]
pub(super) fn do_not_pass_on(received: &[OwnedFd]) {
    for fd in received {
        // This does not fail for an open descriptor.
        let _ = rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::CLOEXEC);
    }
}
