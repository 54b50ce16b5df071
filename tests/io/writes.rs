//! Writes of no data, and writes to closed connections.

#![allow(unsafe_code, reason = "sets the action of a signal back to its default")]

use std::io::{ErrorKind, IoSlice, Write};

use fibra::net::{TcpListener, TcpStream, UnixStream};

use crate::support::net::{check_end, fill, kind_of, soon};
use crate::support::{in_child, ms, name_of};

/// Rust programs ignore SIGPIPE by default.
#[test]
fn a_write_to_a_connection_that_is_gone_is_an_error_and_no_signal() {
    let test = name_of!(a_write_to_a_connection_that_is_gone_is_an_error_and_no_signal);
    let child = in_child(test, &[], || {
        // SAFETY: the default action of a signal runs no code.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        let two = [IoSlice::new(b"one"), IoSlice::new(b"two")];
        fibra::run(|| {
            let (mut a, b) = UnixStream::pair().unwrap();
            drop(b);
            assert_eq!(kind_of(a.write(b"!")), ErrorKind::BrokenPipe);
            assert_eq!(kind_of(a.write_vectored(&two)), ErrorKind::BrokenPipe);
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let mut a = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            drop(listener.accept().unwrap());
            // The peer answers the first write with a reset, after a moment.
            let writes = || a.write_vectored(&two).err().map(|error| error.kind());
            let mut kinds = std::iter::repeat_with(writes).inspect(|_| fibra::sleep(ms(1)));
            assert!(soon(|| kinds.any(|kind| kind == Some(ErrorKind::BrokenPipe))));
        });
    });
    check_end(&child);
}

#[test]
fn a_write_of_nothing_does_not_wait_for_room() {
    fibra::run(|| {
        let (mut a, _b) = UnixStream::pair().unwrap();
        fill(&a);
        assert_eq!(soon(|| a.write(&[])).unwrap(), 0);
        assert_eq!(soon(|| a.write_vectored(&[IoSlice::new(&[])])).unwrap(), 0);
        let (_reader, writer) = std::io::pipe().unwrap();
        let mut writer = fibra::io::Waitable::new(writer).unwrap();
        fill(&writer);
        assert_eq!(soon(|| writer.write(&[])).unwrap(), 0);
    });
}

#[test]
fn an_empty_path_is_no_address() {
    fibra::run(|| assert_eq!(kind_of(UnixStream::connect("")), ErrorKind::InvalidInput));
}
