//! Support for the tests of sockets: connected pairs, a bound on waits, counting descriptors.
//!
//! Invariant: no function here waits for time to pass, except to fail.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fibra::net::{TcpListener, TcpStream};

/// Creates a connection: the side that connected, and the side that was accepted.
#[track_caller]
pub(crate) fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = fibra::spawn(move || TcpStream::connect(address).unwrap());
    let (server, _) = listener.accept().unwrap();
    (client.join().unwrap(), server)
}

/// Returns the result of `f`. It takes a moment; if something hangs, the test fails instead.
#[track_caller]
pub(crate) fn soon<T>(f: impl FnOnce() -> T) -> T {
    fibra::time::timeout(Duration::from_secs(20), f).expect("it hangs")
}

/// Lets other fibers run, and polls for events, until `done` returns true.
#[track_caller]
pub(crate) fn yield_until(done: impl Fn() -> bool) {
    soon(|| {
        while !done() {
            fibra::yield_now();
        }
    });
}

/// Returns the number of descriptors that this process has open.
pub(crate) fn open_fds() -> usize {
    // One of them is used to read the folder.
    std::fs::read_dir("/proc/self/fd").unwrap().count() - 1
}

/// Writes until nothing more fits, without fibra's knowledge.
pub(crate) fn fill(socket: &(impl AsFd + AsRawFd)) {
    let data = [0; 65_536];
    loop {
        match rustix::io::write(socket, &data) {
            Ok(_) => {}
            Err(rustix::io::Errno::AGAIN) => return,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Returns the kind of the error in `result`.
#[track_caller]
pub(crate) fn kind_of<T>(result: io::Result<T>) -> io::ErrorKind {
    match result {
        Ok(_) => panic!("it did not fail"),
        Err(error) => error.kind(),
    }
}

/// An address without a listener, for as long as this value exists: its port is taken.
pub(crate) struct RefusingAddress {
    pub(crate) address: SocketAddr,
    _bound: OwnedFd,
}

impl RefusingAddress {
    pub(crate) fn new() -> RefusingAddress {
        use rustix::net::{self, AddressFamily, SocketFlags, SocketType};
        let flags = SocketFlags::CLOEXEC;
        let bound = net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap();
        net::bind(&bound, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = SocketAddr::try_from(net::getsockname(&bound).unwrap()).unwrap();
        RefusingAddress { address, _bound: bound }
    }
}

/// A path for a socket that does not exist yet. It is removed when this is dropped.
pub(crate) struct SocketPath(pub(crate) PathBuf);

impl SocketPath {
    pub(crate) fn new() -> SocketPath {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("fibra-{}-{number}.socket", std::process::id());
        SocketPath(std::env::temp_dir().join(name))
    }
}

impl Drop for SocketPath {
    fn drop(&mut self) {
        // The file may not exist.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Runs `f` with a path for a socket that does not exist yet.
pub(crate) fn with_path<T>(f: impl FnOnce(&Path) -> T) -> T {
    f(&SocketPath::new().0)
}

/// Checks that the body of a child has run to its end.
#[track_caller]
pub(crate) fn check_end(output: &std::process::Output) {
    let said = crate::support::stderr(output);
    assert!(output.status.success() && said.ends_with(crate::support::DONE_LINE), "{said}");
}
