//! A chat: what one says all others hear. Two fibers a member: one reads, one writes what is
//! queued.
//!
//! The queue of a member is bounded, and who does not read is thrown out: a slow member holds up
//! nobody. Talk to it with `nc` or `telnet`; the first line is the name.
//!
//! ```text
//! $ cargo run --release --example chat_server
//! alice hears: * welcome: 0 others are here
//! bob hears: * welcome: 1 others are here
//! alice hears: * bob has joined
//! carol hears: * welcome: 2 others are here
//! alice hears: * carol has joined
//! bob hears: * carol has joined
//! bob hears: alice: hello, all
//! carol hears: alice: hello, all
//! ...
//! $ cargo run --release --example chat_server 127.0.0.1:6667
//! ```
//!
//! Without an address three members keep to a script, and it ends.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};

use fibra::channel::{Receiver, Sender, bounded};
use fibra::net::{TcpListener, TcpStream};

/// Lines that a member may be behind.
const PATIENCE: usize = 100;

fn main() -> io::Result<()> {
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

/// Serves so many members until they have left.
fn serve(listener: &TcpListener, most: usize) -> io::Result<()> {
    let room = Room::default();
    fibra::scope(|s| {
        for stream in listener.incoming().take(most) {
            let (stream, room) = (stream?, &room);
            s.spawn(move || {
                let _ = room.host(&stream); // It has failed: the others need not know why.
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
        let (queue, queued) = bounded(PATIENCE);
        let others = self.members.borrow().len();
        let _ = queue.try_send(format!("* welcome: {others} others are here")); // There is room.
        self.tell(number, &format!("* {name} has joined"));
        self.members.borrow_mut().insert(number, queue);
        fibra::scope(|s| {
            let writer = s.spawn(|| write(stream, &queued));
            // It ends when the member leaves, or is not in the room any more.
            for line in lines.map_while(Result::ok) {
                self.tell(number, &format!("{name}: {line}"));
            }
            self.members.borrow_mut().remove(&number);
            writer.kill();
        });
        self.tell(number, &format!("* {name} has left"));
        Ok(())
    }

    /// Tells all but the one who says it. Nobody waits for anybody here.
    fn tell(&self, from: u64, line: &str) {
        self.members
            .borrow_mut()
            .retain(|&number, queue| number == from || queue.try_send(line.to_owned()).is_ok());
    }
}

/// Writes what is queued, until the member has been thrown out, and hangs up.
fn write(mut stream: &TcpStream, queued: &Receiver<String>) {
    while let Ok(line) = queued.recv() {
        if writeln!(stream, "{line}").is_err() {
            break;
        }
    }
    let _ = stream.shutdown(std::net::Shutdown::Both);
}

/// A scripted session. Each line is heard by all before the next is said.
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

/// Prints what everybody but `but` hears.
fn listen(present: &mut [(&str, BufReader<TcpStream>)], but: &str) -> io::Result<()> {
    for (name, reader) in present.iter_mut().filter(|(name, _)| *name != but) {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        println!("{name} hears: {}", line.trim_end());
    }
    Ok(())
}
