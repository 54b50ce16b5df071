//! The keyboard: a thread that waits for lines, and an actor that acts on them.

use crate::messages::{Request, World};
use crate::random::Random;
use crate::{actors, anywhere};
use fibra::stackless::{SharedChannel, tasklet};
use std::io;
use std::thread;

/// Waits for lines in a thread: in a fiber of this one that would hold up all the others.
pub(crate) fn watch(world: World, random: Random) {
    let lines = SharedChannel::new();
    tasklet(act).setup((world, random, lines.clone()));
    let read = move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            if lines.send(line).is_err() {
                return; // Nobody is interested any more.
            }
        }
    };
    // Nobody joins it: it may wait for a key for ever, and ends with the program.
    let keyboard = thread::Builder::new().spawn(|| fibra::run(read));
    keyboard.map(drop).expect("a thread for the keyboard");
}

/// Brings in a robot for each line, until that is a `q`.
fn act((world, random, lines): (World, Random, SharedChannel<String>)) {
    for (line, letter) in lines.iter().zip(('a'..='z').cycle()) {
        if line.trim() == "q" {
            return world.send(Request::Stop).unwrap();
        }
        let robot = (world.clone(), letter, anywhere(&random), random.fork());
        tasklet(actors::robot).setup(robot);
    }
}
