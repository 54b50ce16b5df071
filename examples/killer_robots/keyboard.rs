//! The keyboard: a thread that waits for lines, and an actor that acts on them.

use crate::messages::{Request, World};
use crate::random::Random;
use crate::{actors, anywhere};
use fibra::stackless::tasklet;
use std::io;
use std::sync::mpsc::{self, Receiver};
use std::thread;

/// Waits for the keyboard in a thread: in a fiber that would hold up all the others.
pub(crate) fn watch(world: World, random: Random) {
    let (typed, lines) = mpsc::channel();
    let actor = tasklet(act).setup((world, random, lines));
    let unparker = actor.fiber().expect("it has not ended").unparker();
    let read = move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            if typed.send(line).is_err() {
                return;
            }
            unparker.unpark();
        }
    };
    // Nobody joins it: it may wait for a key for ever, and ends with the program.
    thread::Builder::new().spawn(read).map(drop).expect("a thread for the keyboard");
}

fn act((world, random, lines): (World, Random, Receiver<String>)) {
    let mut letters = ('a'..='z').cycle();
    loop {
        while let Ok(line) = lines.try_recv() {
            if line.trim() == "q" {
                return world.send(Request::Stop).unwrap();
            }
            let letter = letters.next().expect("it goes round");
            let robot = (world.clone(), letter, anywhere(&random), random.fork());
            tasklet(actors::robot).setup(robot);
        }
        fibra::park();
    }
}
