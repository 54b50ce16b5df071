//! The keyboard: an actor that waits for lines, and acts on them.

use crate::messages::{Request, World};
use crate::random::Random;
use crate::{actors, anywhere};
use fibra::stackless::tasklet;

/// Adds a robot for each line, until the line is a `q`. The other actors run while it waits.
pub(crate) fn watch((world, random): (World, Random)) {
    let lines = fibra::io::stdin().lines().map_while(Result::ok);
    for (line, letter) in lines.zip(('a'..='z').cycle()) {
        if line.trim() == "q" {
            return world.send(Request::Stop).unwrap();
        }
        let robot = (world.clone(), letter, anywhere(&random), random.fork());
        tasklet(actors::robot).setup(robot);
    }
}
