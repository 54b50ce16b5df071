//! A forked child that shares the kernel's state of its parent's poller.

#![allow(unsafe_code, reason = "forks")]

use std::io::{Read, Write};

use fibra::net::UnixStream;

use crate::support::net::{check_end, soon};
use crate::support::{in_child, ms, name_of};

#[test]
fn a_forked_child_that_ends_a_stream_takes_no_events_from_its_parent() {
    let test = name_of!(a_forked_child_that_ends_a_stream_takes_no_events_from_its_parent);
    let child = in_child(test, &[], || {
        fibra::run(|| {
            let (mut a, mut b) = UnixStream::pair().unwrap();
            // One wait registers the stream with the poller.
            fibra::time::timeout(ms(1), || a.read(&mut [0])).unwrap_err();
            // SAFETY: the child only drops a stream, and ends without clean-up.
            match unsafe { libc::fork() } {
                0 => {
                    drop(a);
                    // SAFETY: the call ends the process.
                    unsafe { libc::_exit(0) };
                }
                // SAFETY: a null pointer requests no status.
                pid => unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) },
            };
            let reads = fibra::spawn(move || a.read(&mut [0]));
            fibra::yield_now();
            b.write_all(b"!").unwrap();
            assert_eq!(soon(|| reads.join()).unwrap().unwrap(), 1);
        });
    });
    check_end(&child);
}
