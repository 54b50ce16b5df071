//! The actors of the arena: each is a function that reads its inbox until its end.

use crate::messages::{Actor, Body, Heading, Kind, News, Place, TICK, World};
use crate::random::Random;
use fibra::stackless::tasklet;

/// Hunts the nearest robot, and staggers for a while after each hit.
pub(crate) fn robot((world, letter, start, random): (World, char, Place, Random)) {
    let me = Actor::join(&world, Kind::Robot(letter), start);
    let (mut at, mut energy, mut staggers) = (start, 16, 0);
    while let Ok(news) = me.inbox.recv() {
        match news {
            News::Tick(place, view) => {
                at = place;
                staggers = u64::saturating_sub(staggers, 1);
                if staggers == 0 {
                    me.head(toward(nearest_robot(&me, at, &view.bodies), at));
                }
            }
            News::Hit(by) => {
                energy -= random.within(0..4) as i32;
                if energy <= 0 {
                    me.leave(by);
                    return explode(world, at);
                }
                staggers = random.within(3..8);
                me.head(any_heading(&random));
            }
            News::Wall => me.head(any_heading(&random)),
            News::Welcome(_) => {}
        }
    }
}

/// Goes from wall to wall, and drops a mine every sixth tick.
pub(crate) fn dropper((world, start, random): (World, Place, Random)) {
    let me = Actor::join(&world, Kind::Dropper, start);
    let mut at = start;
    me.head(any_heading(&random));
    while let Ok(news) = me.inbox.recv() {
        match news {
            News::Tick(place, view) => {
                at = place;
                if view.tick % 6 == 0 {
                    tasklet(mine).setup((world.clone(), at));
                }
            }
            News::Wall => me.head(any_heading(&random)),
            News::Hit(by @ Kind::Explosion) => {
                me.leave(by);
                return explode(world, at);
            }
            News::Hit(_) | News::Welcome(_) => {} // Only explosions destroy it.
        }
    }
}

/// Waits until something touches it, and explodes.
fn mine((world, at): (World, Place)) {
    fibra::sleep(TICK * 3); // The dropper has moved on by then.
    let me = Actor::join(&world, Kind::Mine, at);
    while let Ok(news) = me.inbox.recv() {
        if let News::Hit(by) = news {
            me.leave(by);
            return explode(world, at);
        }
    }
}

fn explode(world: World, at: Place) {
    tasklet(explosion).setup((world, at));
}

/// Exists for three ticks. The arena reports the hits to the bodies around it.
fn explosion((world, at): (World, Place)) {
    let me = Actor::join(&world, Kind::Explosion, at);
    fibra::sleep(TICK * 3);
    me.leave(Kind::Explosion);
}

fn nearest_robot(me: &Actor, at: Place, bodies: &[Body]) -> Option<Place> {
    let others = bodies.iter().filter(|body| !me.is(body));
    let robots = others.filter(|body| matches!(body.kind, Kind::Robot(_)));
    robots.map(|body| body.at).min_by_key(|to| (to.0 - at.0).abs().max((to.1 - at.1).abs()))
}

fn toward(prey: Option<Place>, at: Place) -> Heading {
    prey.map_or((0, 0), |to| ((to.0 - at.0).signum(), (to.1 - at.1).signum()))
}

/// Returns one of the eight directions.
fn any_heading(random: &Random) -> Heading {
    let cell = random.within(0..8) as i32;
    let cell = if cell < 4 { cell } else { cell + 1 }; // Not the one in the middle.
    (cell % 3 - 1, cell / 3 - 1)
}
