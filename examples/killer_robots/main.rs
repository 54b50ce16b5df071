//! Robots hunt each other in an arena, and one drops mines: actors that only exchange messages.
//!
//! An actor is a tasklet with an inbox. It knows only what its messages contain. The arena moves
//! the bodies, and sends each actor what it ran into and what it can see. A robot answers with the
//! direction in which it wants to go. A mine waits to be hit. An explosion is an actor with a short
//! life, and the screen is an actor that only watches. Inboxes are unbounded channels: two actors
//! that send to each other at the same time must not wait for each other.
//!
//! ```text
//! $ cargo run --release --example killer_robots [ROBOTS = 6] [SEED = 1]
//! tick  16: robot D was destroyed by robot B
//! ...
//! tick  58: robot F was destroyed by robot C
//! +----------------------------------------+
//! |                        C               |     A, B, C  robots, a letter each
//! |                                        |     &        drops mines
//! |   o    o                 ***           |     o        a mine
//! |  o o&    o               ***           |     *        an explosion
//! +----------------------------------------+
//! robot C has won
//! ```
//!
//! On a terminal the arena is animated: Enter adds a robot, and q and Enter end the program. If the
//! output goes elsewhere, the clock is virtual, and the program prints the events and the last
//! picture, which are the same each time for a seed.

mod actors;
#[path = "../arguments/mod.rs"]
mod arguments;
#[path = "../broken_pipe/mod.rs"]
mod broken_pipe;
mod keyboard;
mod messages;
#[path = "../random/mod.rs"]
mod random;
mod screen;
mod world;

use fibra::channel::{Channel, unbounded};
use fibra::stackless::tasklet;
use messages::{HEIGHT, Place, WIDTH};
use random::Random;
use std::io::{self, IsTerminal};

fn main() -> io::Result<()> {
    broken_pipe::end_quietly();
    let robots = arguments::number(1, "ROBOTS", 2..=26, 6);
    let seed = arguments::number(2, "SEED", 0..=usize::MAX, 1);
    let animated = io::stdout().is_terminal();
    let runtime = fibra::Runtime::builder();
    let runtime = if animated { runtime } else { runtime.virtual_clock() };
    runtime.build()?.run(|| play(robots, &Random::new(seed as u64), animated));
    Ok(())
}

fn play(robots: usize, random: &Random, animated: bool) {
    let (world, requests) = unbounded();
    let over = Channel::new();
    tasklet(world::run).setup((requests, over.clone()));
    tasklet(screen::run).setup((world.clone(), animated));
    for letter in ('A'..='Z').take(robots) {
        tasklet(actors::robot).setup((world.clone(), letter, anywhere(random), random.fork()));
    }
    tasklet(actors::dropper).setup((world.clone(), anywhere(random), random.fork()));
    if animated {
        tasklet(keyboard::watch).setup((world, random.fork()));
    }
    let (result, view) = over.recv().unwrap();
    if !animated {
        print!("{}", screen::picture(&view));
    }
    println!("{result}");
} // The remaining actors are unwound when `run` ends.

fn anywhere(random: &Random) -> Place {
    (random.within(0..WIDTH as u64) as i32, random.within(0..HEIGHT as u64) as i32)
}
