//! A game loop: 1,000 actors act 60 times a second, and what is left of each frame is used for work
//! that can wait.
//!
//! Each actor is a fiber with an inbox. Its code is a loop over messages, and its state is local
//! variables. A frame has three parts:
//!
//! 1. The loop sends `Tick` to all actors and yields: each actor runs until it waits again. Actors
//!    send messages to each other; those arrive in the next frame.
//! 2. Until the budget of the frame is used up, the loop generates the map, slice by slice.
//! 3. The loop waits for the next tick of an `Interval`. With `MissedTick::Skip` a late frame does
//!    not make the following ones late.
//!
//! ```text
//! $ cargo run --release --example game_loop [ACTORS = 1000] [FRAMES = 120]
//! 1000 actors, 120 frames at 60 per second: 2.0s
//! the actors took 137.3µs per frame, 208.9µs in the slowest one, of 16.7ms
//! the map is complete: 400 slices
//! 120000 moves, 6064 hits, the strongest has 55 points
//! ```
//!
//! The times are an example; the result of the game is the same each time.

mod arguments;
mod broken_pipe;

use fibra::channel::{Receiver, Sender, unbounded};
use fibra::time::{MissedTick, interval};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

const PERIOD: Duration = Duration::from_nanos(1_000_000_000 / 60);
/// The part of a frame in which work may be begun.
const BUDGET: Duration = Duration::from_millis(12);
const SLICES: u32 = 400;

enum Message {
    Tick,
    Hit(u32),
    Stop,
}

#[derive(Default)]
struct Game {
    moves: Cell<usize>,
    hits: Cell<usize>,
    inboxes: Vec<Sender<Message>>,
}

impl Game {
    fn tell_all(&self, message: fn() -> Message) {
        self.inboxes.iter().for_each(|inbox| inbox.send(message()).unwrap());
    }
}

fn main() {
    broken_pipe::end_quietly();
    let actors = arguments::number(1, "ACTORS", 2..=100_000, 1_000);
    let frames = arguments::number(2, "FRAMES", 1..=1_000_000, 120) as u32;
    fibra::run(|| {
        let (inboxes, outlets): (Vec<_>, Vec<_>) = (0..actors).map(|_| unbounded()).unzip();
        let game = Rc::new(Game { inboxes, ..Game::default() });
        let actors: Vec<_> = outlets
            .into_iter()
            .enumerate()
            .map(|(number, inbox)| {
                let game = game.clone();
                fibra::spawn(move || act(number, &inbox, &game))
            })
            .collect();
        play(&game, frames);
        game.tell_all(|| Message::Stop);
        let points = actors.into_iter().map(|actor| actor.join().expect("no actor panics"));
        let strongest = points.max().unwrap_or(0);
        let (moves, hits) = (game.moves.get(), game.hits.get());
        println!("{moves} moves, {hits} hits, the strongest has {strongest} points");
    });
}

fn play(game: &Game, frames: u32) {
    let (start, mut slices) = (fibra::now(), 0);
    let (mut total, mut slowest) = (Duration::ZERO, Duration::ZERO);
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick(MissedTick::Skip);
    for _ in 0..frames {
        ticks.tick();
        let frame = fibra::now();
        game.tell_all(|| Message::Tick);
        fibra::yield_now(); // Each actor runs until its inbox is empty.
        let took = fibra::now() - frame;
        (total, slowest) = (total + took, slowest.max(took));
        while slices < SLICES && fibra::now() < frame + BUDGET {
            generate_map();
            slices += 1;
        }
    }
    ticks.tick();
    let (actors, took) = (game.inboxes.len(), fibra::now() - start);
    println!("{actors} actors, {frames} frames at 60 per second: {took:.1?}");
    let each = total / frames;
    print!("the actors took {each:.1?} per frame, {slowest:.1?} in the slowest one, ");
    println!("of {PERIOD:.1?}");
    (slices..SLICES).for_each(|_| generate_map());
    println!("the map is complete: {SLICES} slices");
}

/// An actor: moves at each tick, and hits another one each twentieth time. Returns its points.
fn act(number: usize, inbox: &Receiver<Message>, game: &Game) -> u32 {
    let (mut position, mut points) = (number, 0);
    for message in inbox {
        match message {
            Message::Tick => {
                game.moves.set(game.moves.get() + 1);
                position = (position * 31 + 7) % 1_009;
                if position.is_multiple_of(20) {
                    let other = &game.inboxes[(number + position) % game.inboxes.len()];
                    other.send(Message::Hit(position as u32 % 7)).unwrap();
                }
            }
            Message::Hit(strength) => {
                game.hits.set(game.hits.get() + 1);
                points += strength;
            }
            Message::Stop => break,
        }
    }
    points
}

/// A slice of work that takes about 0.05 ms.
fn generate_map() {
    std::hint::black_box((0..20_000_u64).fold(1, |map: u64, cell| map.wrapping_mul(31) ^ cell));
}
