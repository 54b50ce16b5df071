//! A MUD, a text adventure for many players, over TCP. A fiber per player reads its commands, and
//! the rooms and players are a value that all these fibers share.
//!
//! There is one thread, and a fiber runs until it waits. So a command changes the value without a
//! lock, as long as it does not wait in the middle: texts for other players go into their queues. A
//! second fiber per player writes what is queued. The cat is a fiber as well, and reacts to players
//! that come in.
//!
//! ```text
//! $ cargo run --release --example mud
//! ann> ann
//!     the gate. Exits: north. Here: ann
//!   ...
//! ann> north
//!     bob appears
//!     the yard. Exits: south east. Here: ann the cat
//!   ...
//!
//! $ cargo run --release --example mud 4000      (then: telnet 127.0.0.1 4000)
//! ```

mod broken_pipe;

use fibra::channel::{Receiver, Sender, unbounded};
use fibra::net::TcpStream;
use fibra::server::Server;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::rc::Rc;

/// The names of the rooms, and the exits of each with the number of the room behind it.
const ROOMS: [(&str, &[(&str, usize)]); 3] = [
    ("the gate", &[("north", 1)]),
    ("the yard", &[("south", 0), ("east", 2)]),
    ("the tower", &[("west", 1)]),
];
const ROOM_OF_THE_CAT: usize = 1;

struct World {
    /// The room of each player, and the queue of texts for it.
    players: RefCell<BTreeMap<String, (usize, Sender<String>)>>,
    /// The channel for the names of players that come into the cat's room.
    to_the_cat: Sender<String>,
}

fn main() -> io::Result<()> {
    broken_pipe::end_quietly();
    let port = std::env::args().nth(1).map(|port| port.parse::<u16>().expect("a port"));
    fibra::run(|| {
        let (to_the_cat, visitors) = unbounded();
        let world = Rc::new(World { players: RefCell::default(), to_the_cat });
        let cat = world.clone();
        fibra::spawn(move || {
            visitors.iter().for_each(|name| {
                cat.tell(ROOM_OF_THE_CAT, "", &format!("the cat purrs at {name}"));
            });
        })
        .detach();
        let server = Server::bind(("127.0.0.1", port.unwrap_or(0)))?;
        let address = server.listener().local_addr()?;
        let running = server.start(move |stream, _| world.host(&stream));
        match port {
            Some(_) => running.wait(),
            None => play(|| TcpStream::connect(address)),
        }
    })
}

impl World {
    /// Serves one player: the first line is its name, and the others are commands.
    fn host(&self, stream: &TcpStream) {
        let (queue, queued) = unbounded();
        let _ = queue.send("what is your name?\n> ".into());
        fibra::scope(|s| {
            s.spawn(|| write(stream, &queued));
            let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
            let name = lines.next().unwrap_or_default();
            if name.is_empty() || self.players.borrow().contains_key(&name) {
                let _ = queue.send("this name is taken\n".into());
                return;
            }
            self.players.borrow_mut().insert(name.clone(), (0, queue));
            self.tell(0, &name, &format!("{name} appears"));
            self.answer(&name, &self.describe(0));
            lines.take_while(|line| line != "quit").for_each(|line| self.obey(&name, &line));
            let (room, _) = self.players.borrow_mut().remove(&name).expect("it is there");
            self.tell(room, &name, &format!("{name} vanishes"));
        });
    }

    fn obey(&self, name: &str, line: &str) {
        let here = self.players.borrow()[name].0;
        let exit = ROOMS[here].1.iter().find(|(direction, _)| *direction == line);
        if let Some(&(direction, there)) = exit {
            self.tell(here, name, &format!("{name} goes {direction}"));
            self.tell(there, name, &format!("{name} comes in"));
            self.players.borrow_mut().get_mut(name).expect("it is there").0 = there;
            self.answer(name, &self.describe(there));
            if there == ROOM_OF_THE_CAT {
                let _ = self.to_the_cat.send(name.into());
            }
        } else if let Some(words) = line.strip_prefix("say ") {
            self.tell(here, name, &format!("{name}: {words}"));
            self.answer(name, "said");
        } else if line == "look" {
            self.answer(name, &self.describe(here));
        } else {
            self.answer(name, "commands: look, say WORDS, quit, and the exits of the room");
        }
    }

    fn describe(&self, room: usize) -> String {
        let (title, exits) = ROOMS[room];
        let exits: Vec<_> = exits.iter().map(|(direction, _)| *direction).collect();
        let players = self.players.borrow();
        let here = players.iter().filter(|(_, player)| player.0 == room);
        let names: String = here.map(|(name, _)| format!(" {name}")).collect();
        let cat = if room == ROOM_OF_THE_CAT { " the cat" } else { "" };
        format!("{title}. Exits: {}. Here:{names}{cat}", exits.join(" "))
    }

    /// Queues `text` for the players in `room`, except for the one named `except`.
    fn tell(&self, room: usize, except: &str, text: &str) {
        for (name, (at, queue)) in &*self.players.borrow() {
            if *at == room && name != except {
                let _ = queue.send(format!("{text}\n"));
            }
        }
    }

    /// Answers a command, with a prompt for the next one.
    fn answer(&self, name: &str, text: &str) {
        let _ = self.players.borrow()[name].1.send(format!("{text}\n> "));
    }
}

/// Writes what is queued until the player is gone, and hangs up.
fn write(mut stream: &TcpStream, queued: &Receiver<String>) {
    while queued.recv().is_ok_and(|text| stream.write_all(text.as_bytes()).is_ok()) {}
    let _ = stream.shutdown(std::net::Shutdown::Both);
}

const SESSION: &str = "ann: ann; ann: look; bob: bob; ann: north; bob: dance; bob: north; \
    ann: say hello bob; bob: say a cat!; ann: east; bob: quit; ann: look";

/// Plays a scripted session of two players.
fn play(connect: impl Fn() -> io::Result<TcpStream>) -> io::Result<()> {
    let mut players = BTreeMap::new();
    for line in SESSION.split("; ") {
        let (who, command) = line.split_once(": ").expect("a player and a command");
        if !players.contains_key(who) {
            let mut stream = BufReader::new(connect()?);
            stream.read_until(b'>', &mut Vec::new())?;
            players.insert(who, stream);
        }
        let player = players.get_mut(who).expect("it was inserted");
        writeln!(player.get_mut(), "{command}")?;
        println!("{who}> {command}");
        let mut seen = Vec::new();
        player.read_until(b'>', &mut seen)?;
        for line in String::from_utf8_lossy(&seen).trim_end_matches('>').lines() {
            println!("{}", format!("    {}", line.trim()).trim_end());
        }
    }
    Ok(())
}
