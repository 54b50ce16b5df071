//! The places at which dumps and reports show waits.

use std::io::{Read, Write};

use fibra::net::{TcpListener, TcpStream, UnixStream};

use crate::support::net::fill;

/// Checks that the dump shows each wait for a socket at a line of this file.
#[track_caller]
fn each_waits_here() {
    fibra::yield_now();
    let dump = fibra::dump().to_string();
    let waiting: Vec<_> = dump
        .lines()
        .filter(|line| line.contains("ing from a") || line.contains("ing to a"))
        .collect();
    assert!(!waiting.is_empty(), "{dump}");
    for line in waiting {
        assert!(line.contains(file!()), "{line}");
    }
}

#[test]
fn a_wait_of_read_exact_and_write_all_is_shown_where_they_were_called() {
    fibra::run(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut a = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (b, _) = listener.accept().unwrap();
        let reads = fibra::spawn(move || a.read_exact(&mut [0; 2]));
        let (mut reader, _writer) = b.into_split();
        let half = fibra::spawn(move || reader.read_exact(&mut [0; 2]));
        let (c, _d) = UnixStream::pair().unwrap();
        fill(&c);
        let writes = fibra::spawn(move || (&c).write_all(b"!"));
        each_waits_here();
        [reads, half, writes].iter().for_each(fibra::JoinHandle::kill);
    });
}
