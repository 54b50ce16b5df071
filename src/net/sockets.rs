//! Descriptors that block nobody and that no other program inherits, where systems differ in how these
//! are made.
//!
//! Apple's have no flags for it: there a descriptor is changed when it is open. (A program that
//! another thread starts in between inherits it. It is the same with std.)
//!
//! Invariants:
//! - A write to a connection that is gone is an error, and no signal.
//! - What moves data of a connection does not block, also if another handle has made the socket blocking.

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

/// For who receives descriptors, and hands them to [`do_not_pass_on`] then.
#[cfg(not(target_vendor = "apple"))]
pub(super) const RECV_FDS: RecvFlags = RecvFlags::CMSG_CLOEXEC.union(RecvFlags::DONTWAIT);
#[cfg(target_vendor = "apple")]
pub(super) const RECV_FDS: RecvFlags = RecvFlags::DONTWAIT;

/// A socket for a connection.
pub(super) fn stream(family: AddressFamily) -> io::Result<OwnedFd> {
    let socket = socket_with(family, SocketType::STREAM, FLAGS, None)?;
    make_up_for_flags(&socket)?;
    Ok(socket)
}

/// A connection to `listener`, which does not block.
pub(super) fn accept(listener: impl AsFd) -> io::Result<(OwnedFd, Option<SocketAddrAny>)> {
    let (socket, addr) = acceptfrom_with(listener, FLAGS)?;
    make_up_for_flags(&socket)?;
    Ok((socket, addr))
}

#[cfg(not(target_vendor = "apple"))]
fn make_up_for_flags(_: &OwnedFd) -> io::Result<()> {
    Ok(())
}

#[cfg(target_vendor = "apple")]
fn make_up_for_flags(socket: &OwnedFd) -> io::Result<()> {
    rustix::io::fcntl_setfd(socket, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(socket, true)?;
    send_flags(socket);
    Ok(())
}

/// The flags with which one sends.
#[cfg(not(target_vendor = "apple"))]
pub(super) fn send_flags(_: impl AsFd) -> SendFlags {
    SendFlags::NOSIGNAL.union(SendFlags::DONTWAIT)
}

/// The flags with which one sends. Of the signal, that is a property of the socket here.
#[cfg(target_vendor = "apple")]
pub(super) fn send_flags(socket: impl AsFd) -> SendFlags {
    // It fails if the other side is gone. Rust programs ignore the signal, unless they say otherwise.
    let _ = rustix::net::sockopt::set_socket_nosigpipe(socket, true);
    SendFlags::DONTWAIT
}

/// Receives from a connection.
pub(super) fn recv(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(rustix::net::recv(socket, buffer, RecvFlags::DONTWAIT)?.0)
}

/// As [`recv`], and the next call receives the same.
pub(super) fn peek(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(rustix::net::recv(socket, buffer, RecvFlags::DONTWAIT.union(RecvFlags::PEEK))?.0)
}

/// As [`recv`], into several buffers.
pub(super) fn recv_vectored(
    socket: impl AsFd,
    buffers: &mut [IoSliceMut<'_>],
) -> io::Result<usize> {
    let most = buffers.len().min(MOST_SLICES);
    let mut control = RecvAncillaryBuffer::default();
    Ok(recvmsg(socket, &mut buffers[..most], &mut control, RecvFlags::DONTWAIT)?.bytes)
}

/// Sends `data`, or a part of it, on a connection.
pub(super) fn send(socket: impl AsFd, data: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(&socket, data, send_flags(&socket))?)
}

/// Sends what the buffers hold, or a part of it, on a connection.
pub(super) fn send_vectored(socket: impl AsFd, data: &[IoSlice<'_>]) -> io::Result<usize> {
    // The kernel refuses more.
    let data = &data[..data.len().min(MOST_SLICES)];
    Ok(sendmsg(&socket, data, &mut SendAncillaryBuffer::default(), send_flags(&socket))?)
}

/// `UIO_MAXIOV`, which is `IOV_MAX` as well.
const MOST_SLICES: usize = 1024;

/// The address of the Unix domain socket at `path`.
pub(super) fn address_of_path(path: &Path) -> io::Result<SocketAddrUnix> {
    if path.as_os_str().is_empty() {
        // As an address it would be the abstract one with an empty name.
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path of a socket is empty"));
    }
    Ok(SocketAddrUnix::new(path)?)
}

/// Sees to it that other programs do not get what was received with [`RECV_FDS`].
#[cfg(not(target_vendor = "apple"))]
pub(super) fn do_not_pass_on(_: &[OwnedFd]) {}

/// Sees to it that other programs do not get what was received with [`RECV_FDS`].
#[cfg(target_vendor = "apple")]
pub(super) fn do_not_pass_on(received: &[OwnedFd]) {
    for fd in received {
        // It does not fail for what is open.
        let _ = rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::CLOEXEC);
    }
}
