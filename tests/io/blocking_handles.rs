//! A stream whose other handle was made blocking.

use std::io::{Read, Write};

use fibra::net::{TcpListener, TcpStream, UnixStream};
use fibra::spawn;

use crate::support::net::{fill, soon};

#[test]
fn a_stream_waits_without_its_thread_also_if_another_handle_has_made_it_blocking() {
    fibra::run(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut a = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut b, _) = listener.accept().unwrap();
        let std = a.try_clone().unwrap().into_std().unwrap();
        // If this blocked, the other fiber would never write.
        let reads = spawn(move || {
            let mut byte = [0];
            a.read_exact(&mut byte).map(|()| byte)
        });
        fibra::yield_now();
        b.write_all(b"!").unwrap();
        assert_eq!(soon(|| reads.join()).unwrap().unwrap(), *b"!");
        drop(std);

        let (mut a, mut b) = UnixStream::pair().unwrap();
        fill(&a);
        let std = a.try_clone().unwrap().into_std().unwrap();
        let writes = spawn(move || a.write_all(b"!"));
        fibra::yield_now();
        drop(std);
        let reads = spawn(move || b.read_to_end(&mut Vec::new()));
        soon(|| writes.join()).unwrap().unwrap();
        assert!(soon(|| reads.join()).unwrap().unwrap() > 1);
    });
}
