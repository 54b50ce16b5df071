//! Players in a circle kick a sack to each other: the time and memory of fibers and of threads.
//!
//! This is a classic demo of Stackless Python. Each player waits for the sack and kicks it to
//! another player. Fibers play over `Channel`s, and threads play the same game over std's channels.
//!
//! ```text
//! $ cargo run --release --example hackysack [PLAYERS = 1000] [KICKS = 100000] [random|ring]
//! 1000 fibers: in the circle after 2.7ms, 5214 bytes each,
//!   100000 kicks of 98 ns, gone after 3.4ms
//! 1000 threads: in the circle after 44.9ms, 14606 bytes each,
//!   100000 kicks of 10024 ns, gone after 47.9ms
//! ```
//!
//! The numbers are an example. The bytes are resident memory and page tables, without the kernel's
//! own memory for a thread. Try 100000 players: most systems cannot start that many threads.

#![allow(clippy::disallowed_methods, reason = "compares with threads, by the system's clock")]

mod arguments;
mod broken_pipe;
mod memory;

use fibra::channel::Channel;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::{Duration, Instant};

fn main() {
    broken_pipe::end_quietly();
    let game = Game {
        players: arguments::number(1, "PLAYERS", 2..=10_000_000, 1_000),
        kicks: arguments::number(2, "KICKS", 1..=1_000_000_000, 100_000),
        at_random: std::env::args().nth(3).is_none_or(|style| style != "ring"),
    };
    game.report("fibers", &fibers(game));
    match threads(game) {
        Ok(score) => game.report("threads", &score),
        Err(error) => println!("{} threads cannot be started: {error}", game.players),
    }
}

#[derive(Clone, Copy)]
struct Game {
    players: usize,
    kicks: usize,
    at_random: bool,
}

struct Score {
    gathering: Duration,
    bytes: usize,
    playing: Duration,
    leaving: Duration,
}

fn fibers(game: Game) -> Score {
    let (before, mut mark) = (memory::held(), Instant::now());
    let (gathering, bytes, playing) = fibra::run(|| {
        let sacks: Rc<[Channel<usize>]> = (0..game.players).map(|_| Channel::new()).collect();
        let over = Channel::new();
        for me in 0..game.players {
            let (sacks, over) = (sacks.clone(), over.clone());
            drop(fibra::spawn(move || {
                for kick in sacks[me].iter() {
                    match game.next(me, kick) {
                        Some(partner) => sacks[partner].send(kick + 1).unwrap(),
                        None => over.send(()).unwrap(),
                    }
                }
            }));
        }
        fibra::yield_now(); // Each player runs until it waits for the sack.
        let (gathering, bytes) = (lap(&mut mark), memory::held().saturating_sub(before));
        sacks[0].send(0).unwrap();
        over.recv().unwrap();
        (gathering, bytes, lap(&mut mark))
    }); // All players are unwound here: no message has to end them.
    Score { gathering, bytes, playing, leaving: lap(&mut mark) }
}

fn threads(game: Game) -> io::Result<Score> {
    let (before, mut mark) = (memory::held(), Instant::now());
    let (sacks, waiting): (Vec<_>, Vec<_>) = (0..game.players).map(|_| mpsc::channel()).unzip();
    let (sacks, all_there) = (Arc::new(sacks), Arc::new(Barrier::new(game.players + 1)));
    let (over, end) = mpsc::channel();
    let spawn = |(me, sack): (usize, mpsc::Receiver<usize>)| {
        let (sacks, all_there, over) = (sacks.clone(), all_there.clone(), over.clone());
        thread::Builder::new().spawn(move || {
            all_there.wait();
            for kick in sack.iter().take_while(|&kick| kick != GO_HOME) {
                match game.next(me, kick) {
                    Some(partner) => sacks[partner].send(kick + 1).unwrap(),
                    None => over.send(()).unwrap(),
                }
            }
        })
    };
    let players = waiting.into_iter().enumerate().map(spawn).collect::<io::Result<Vec<_>>>()?;
    all_there.wait();
    let (gathering, bytes) = (lap(&mut mark), memory::held().saturating_sub(before));
    sacks[0].send(0).unwrap();
    end.recv().unwrap();
    let playing = lap(&mut mark);
    sacks.iter().for_each(|sack| sack.send(GO_HOME).unwrap());
    players.into_iter().for_each(|player| player.join().unwrap());
    Ok(Score { gathering, bytes, playing, leaving: lap(&mut mark) })
}

/// The message that ends a thread, which cannot be unwound from outside.
const GO_HOME: usize = usize::MAX;

impl Game {
    /// Returns the player to which `me`, with the sack after `kick` kicks, kicks it; `None` when
    /// the game is over. The numbers look random, and are the same for fibers and threads.
    fn next(self, me: usize, kick: usize) -> Option<usize> {
        let scattered = ((kick as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) as usize;
        let step = if self.at_random { 1 + scattered % (self.players - 1) } else { 1 };
        (kick < self.kicks).then_some((me + step) % self.players)
    }

    fn report(self, kind: &str, score: &Score) {
        let Game { players, kicks, .. } = self;
        let Score { gathering, bytes, playing, leaving } = score;
        let (bytes, kick) = (bytes / players, playing.as_nanos() / kicks as u128);
        println!("{players} {kind}: in the circle after {gathering:.1?}, {bytes} bytes each,");
        println!("  {kicks} kicks of {kick} ns, gone after {leaving:.1?}");
    }
}

/// Returns the time since `mark`, and sets `mark` to now.
fn lap(mark: &mut Instant) -> Duration {
    let now = Instant::now();
    now - std::mem::replace(mark, now)
}
