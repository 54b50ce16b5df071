//! A chat: each line of a member is sent to all others. A member has two fibers: one reads, and one
//! writes what is queued.
//!
//! The queue of a member is bounded, and a member whose queue is full is removed: a slow member
//! holds up no one. Connect with `nc` or `telnet`; the first line is the name.
//!
//! ```text
//! $ cargo run --release --example chat_server
//! alice reads: * welcome: 0 others are here
//! bob reads: * welcome: 1 others are here
//! alice reads: * bob has joined
//! carol reads: * welcome: 2 others are here
//! alice reads: * carol has joined
//! bob reads: * carol has joined
//! bob reads: alice: hello, all
//! carol reads: alice: hello, all
//! ...
//! $ cargo run --release --example chat_server 127.0.0.1:6667
//! ```
//!
//! Without an address, three members follow a script and the program ends.

mod broken_pipe;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};

use fibra::channel::{Receiver, Sender, bounded};
use fibra::net::{TcpListener, TcpStream};

/// The number of lines that may wait for a member.
const QUEUE_LENGTH: usize = 100;

fn main() -> io::Result<()> {
    broken_pipe::end_quietly();
    fibra::run(|| match std::env::args().nth(1) {
        Some(address) => serve(&TcpListener::bind(address)?, usize::MAX),
        None => {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let address = listener.local_addr()?;
            fibra::scope(|s| {
                s.spawn(|| serve(&listener, 3).expect("connections"));
                play(|| TcpStream::connect(address))
            })
        }
    })
}

/// Serves up to `most` members, until they have left.
fn serve(listener: &TcpListener, most: usize) -> io::Result<()> {
    let room = Room::default();
    fibra::scope(|s| {
        for stream in listener.incoming().take(most) {
            let (stream, room) = (stream?, &room);
            s.spawn(move || {
                let _ = room.host(&stream); // The failure of a connection concerns no other.
            });
        }
        Ok(())
    })
}

#[derive(Default)]
struct Room {
    members: RefCell<BTreeMap<u64, Sender<String>>>,
    visitors: Cell<u64>,
}

impl Room {
    fn host(&self, stream: &TcpStream) -> io::Result<()> {
        let mut lines = BufReader::new(stream).lines();
        let Some(name) = lines.next().transpose()? else { return Ok(()) };
        let number = self.visitors.get();
        self.visitors.set(number + 1);
        let (queue, queued) = bounded(QUEUE_LENGTH);
        let others = self.members.borrow().len();
        let _ = queue.try_send(format!("* welcome: {others} others are here")); // There is room.
        self.tell(number, &format!("* {name} has joined"));
        self.members.borrow_mut().insert(number, queue);
        fibra::scope(|s| {
            let writer = s.spawn(|| write(stream, &queued));
            // Ends when the member leaves, or was removed and its connection was shut down.
            for line in lines.map_while(Result::ok) {
                self.tell(number, &format!("{name}: {line}"));
            }
            self.members.borrow_mut().remove(&number);
            writer.kill();
        });
        self.tell(number, &format!("* {name} has left"));
        Ok(())
    }

    /// Queues a line for all members but the one it is from. This never waits.
    fn tell(&self, from: u64, line: &str) {
        self.members
            .borrow_mut()
            .retain(|&number, queue| number == from || queue.try_send(line.to_owned()).is_ok());
    }
}

/// Writes what is queued until the member is removed, and shuts the connection down.
fn write(mut stream: &TcpStream, queued: &Receiver<String>) {
    while let Ok(line) = queued.recv() {
        if writeln!(stream, "{line}").is_err() {
            break;
        }
    }
    let _ = stream.shutdown(std::net::Shutdown::Both);
}

/// Plays a scripted session. All members read a line before the next one is sent.
fn play(connect: impl Fn() -> io::Result<TcpStream>) -> io::Result<()> {
    let mut present: Vec<(&str, BufReader<TcpStream>)> = Vec::new();
    for name in ["alice", "bob", "carol"] {
        let stream = connect()?;
        writeln!(&stream, "{name}")?;
        let mut newcomer = [(name, BufReader::new(stream))];
        listen(&mut newcomer, "")?;
        listen(&mut present, "")?;
        present.extend(newcomer);
    }
    let script =
        [(0, "hello, all"), (1, "hello, alice"), (2, "what is a fiber?"), (0, "you are one")];
    for (who, line) in script {
        let (name, ref reader) = present[who];
        writeln!(reader.get_ref(), "{line}")?;
        listen(&mut present, name)?;
    }
    while let Some((name, stream)) = present.pop() {
        drop(stream);
        listen(&mut present, name)?;
    }
    Ok(())
}

/// Prints the next line of each member but `but`.
fn listen(present: &mut [(&str, BufReader<TcpStream>)], but: &str) -> io::Result<()> {
    for (name, reader) in present.iter_mut().filter(|(name, _)| *name != but) {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        println!("{name} reads: {}", line.trim_end());
    }
    Ok(())
}
