//! Questions over UDP to a server that loses every third datagram: each is asked again until it is
//! answered.
//!
//! UDP promises nothing, so the client numbers its questions and ignores answers to others. `Retry`
//! counts the attempts, and the time limit of a read ends an attempt. The server is a fiber of this
//! program; both use `UdpSocket` as they would use the one of `std`.
//!
//! ```text
//! $ cargo run --release --example udp_retry [QUESTIONS = 10]
//! the squares of 1 to 10: 1 4 9 16 25 36 49 64 81 100
//! no more datagrams were lost than were sent again: true
//! ```
//!
//! The time is real: each lost datagram takes 50 ms.

mod arguments;

use fibra::net::UdpSocket;
use fibra::pool::{Backoff, Retry};
use std::cell::Cell;
use std::error::Error;
use std::io;
use std::rc::Rc;
use std::time::Duration;

/// The counts of the server.
#[derive(Default)]
struct Counts {
    received: Cell<u64>,
    lost: Cell<u64>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let questions = arguments::number(1, "QUESTIONS", 1..=10_000, 10) as u64;
    fibra::run(|| {
        let counts = Rc::new(Counts::default());
        let server = UdpSocket::bind("127.0.0.1:0")?;
        let client = UdpSocket::bind("127.0.0.1:0")?;
        client.connect(server.local_addr()?)?;
        client.set_read_timeout(Some(Duration::from_millis(50)))?;
        let counted = counts.clone();
        fibra::spawn(move || serve(&server, &counted)).detach(); // Ends with the program.

        let mut squares = Vec::new();
        for number in 1..=questions {
            squares.push(ask(&client, number)?.to_string());
        }
        println!("the squares of 1 to {questions}: {}", squares.join(" "));
        let (received, lost) = (counts.received.get(), counts.lost.get());
        let enough = questions + lost <= received;
        println!("no more datagrams were lost than were sent again: {enough}");
        Ok(())
    })
}

fn serve(socket: &UdpSocket, counts: &Counts) -> io::Result<()> {
    let mut question = [0; 8];
    loop {
        let (length, client) = socket.recv_from(&mut question)?;
        counts.received.set(counts.received.get() + 1);
        if counts.received.get().is_multiple_of(3) || length != question.len() {
            counts.lost.set(counts.lost.get() + 1);
            continue;
        }
        let number = u64::from_be_bytes(question);
        let answer = [number.to_be_bytes(), (number * number).to_be_bytes()].concat();
        socket.send_to(&answer, client)?;
    }
}

fn ask(socket: &UdpSocket, number: u64) -> Result<u64, Box<dyn Error>> {
    let answer = Retry::attempts(20)
        .wait(Backoff::fixed(Duration::ZERO))
        .on(|error: &io::Error| error.kind() == io::ErrorKind::TimedOut)
        .run(|_| {
            socket.send(&number.to_be_bytes())?;
            loop {
                let mut answer = [0; 16];
                let length = socket.recv(&mut answer)?;
                let (to, square) = answer.split_at(8);
                if length == 16 && to == number.to_be_bytes() {
                    return Ok(u64::from_be_bytes(square.try_into().expect("8 bytes")));
                } // Otherwise this answers an earlier attempt.
            }
        });
    Ok(answer?)
}
