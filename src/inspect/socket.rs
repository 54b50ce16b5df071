//! The Unix socket itself: how it is bound so that only its owner can connect, and how it is
//! removed.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::net::{AddressFamily, SocketType, bind as bind_socket, listen};

use crate::net::sockets;

/// The number of connections that the kernel keeps until they are accepted.
const BACKLOG: i32 = 16;

/// A socket in the file system. It is removed when this is dropped, unless another program has
/// replaced it meanwhile.
#[derive(Debug)]
pub(super) struct Bound {
    path: PathBuf,
    /// The file, as its device and its number there.
    file: (u64, u64),
}

/// Binds a socket at `path` to which only the user of this process can connect. Replaces a socket
/// to which nothing listens any more.
pub(super) fn bind(path: &Path) -> io::Result<(OwnedFd, Bound)> {
    let about = |error: io::Error| {
        let text = format!("the socket for `inspect` at {}: {error}", path.display());
        io::Error::new(error.kind(), text)
    };
    let address = sockets::address_of_path(path).map_err(about)?;
    let socket = sockets::socket(AddressFamily::UNIX, SocketType::STREAM)?;
    if let Err(error) = bind_socket(&socket, &address) {
        if error != rustix::io::Errno::ADDRINUSE || !is_stale(path) {
            return Err(about(error.into()));
        }
        fs::remove_file(path).map_err(about)?;
        bind_socket(&socket, &address).map_err(|error| about(error.into()))?;
    }
    let metadata = fs::symlink_metadata(path).map_err(about)?;
    let bound = Bound { path: path.to_owned(), file: (metadata.dev(), metadata.ino()) };
    // Before `listen`: until then, the kernel refuses every connection.
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(about)?;
    listen(&socket, BACKLOG)?;
    Ok((socket, bound))
}

/// Returns whether there is a socket at `path` that refuses connections, because the process that
/// has bound it is gone.
fn is_stale(path: &Path) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    let refuses = || {
        let connected = UnixStream::connect(path);
        connected.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    };
    is_socket && refuses()
}

/// Returns whether the other end of `connection` belongs to the user of this process, or to root.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn is_owners(connection: &OwnedFd) -> bool {
    let peer = rustix::net::sockopt::socket_peercred(connection);
    peer.is_ok_and(|peer| peer.uid.is_root() || peer.uid == rustix::process::geteuid())
}

/// Returns whether the other end of `connection` may see the fibers. On these systems the mode of
/// the file decides that.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn is_owners(_: &OwnedFd) -> bool {
    true
}

impl Drop for Bound {
    fn drop(&mut self) {
        let file = fs::symlink_metadata(&self.path);
        if file.is_ok_and(|file| (file.dev(), file.ino()) == self.file) {
            // If that fails, the next runtime finds a socket that refuses connections.
            let _ = fs::remove_file(&self.path);
        }
    }
}
