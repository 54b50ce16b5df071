//! TCP streams and listeners on fibers.

#![cfg(feature = "net")]

use std::io::{self, Read, Write};

use fibra::net::{TcpListener, TcpStream};

/// A connection: the side that connected, and the side that was accepted.
fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = fibra::spawn(move || TcpStream::connect(address).unwrap());
    let (server, _) = listener.accept().unwrap();
    (client.join().unwrap(), server)
}

#[test]
fn a_thousand_round_trips_on_one_thread() {
    fibra::run(|| {
        let (mut client, server) = pair();
        let echo = fibra::spawn(move || io::copy(&mut &server, &mut &server).unwrap());
        let mut answer = [0; 5];
        for round in 0..1000 {
            let question = format!("{round:05}");
            client.write_all(question.as_bytes()).unwrap();
            client.read_exact(&mut answer).unwrap();
            assert_eq!(answer, question.as_bytes());
        }
        drop(client);
        assert_eq!(echo.join().unwrap(), 5000);
    });
}

#[test]
fn what_does_not_fit_waits_until_the_other_side_reads() {
    fibra::run(|| {
        let (client, mut server) = pair();
        let data: Vec<u8> = (0..20_000_000u32).map(|i| (i % 251) as u8).collect();
        let expected = data.clone();
        let writes = fibra::spawn(move || (&client).write_all(&data));
        let mut got = Vec::new();
        server.read_to_end(&mut got).unwrap();
        assert!(got == expected);
        writes.join().unwrap().unwrap();
    });
}
