//! The messages of the actors.

use fibra::channel::{Receiver, Sender, unbounded};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// The time between two moves of the arena.
pub(crate) const TICK: Duration = Duration::from_millis(100);
pub(crate) const WIDTH: i32 = 40;
pub(crate) const HEIGHT: i32 = 12;

pub(crate) type Place = (i32, i32);
pub(crate) type Heading = (i32, i32);
pub(crate) type World = Sender<Request>;

/// A message from an actor to the arena.
pub(crate) enum Request {
    /// Adds an actor with its kind, place and inbox.
    Join(Kind, Place, Sender<News>),
    /// Sets the direction of an actor.
    Head(Id, Heading),
    /// Removes an actor that was destroyed by another kind.
    Leave(Id, Kind),
    /// Ends the game.
    Stop,
}

/// A message from the arena to an actor.
pub(crate) enum News {
    Welcome(Id),
    /// The arena has moved: the actor's new place, and all that it can see.
    Tick(Place, Rc<View>),
    Hit(Kind),
    Wall,
}

pub(crate) type Id = u32;

/// The arena as actors see it.
#[derive(Default)]
pub(crate) struct View {
    pub(crate) tick: u32,
    pub(crate) bodies: Vec<Body>,
    /// The events since the last tick.
    pub(crate) events: Vec<String>,
}

#[derive(Clone, Copy)]
pub(crate) struct Body {
    pub(crate) id: Id,
    pub(crate) kind: Kind,
    pub(crate) at: Place,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Robot(char),
    Dropper,
    Mine,
    Explosion,
    /// Sees everything, and is not in the arena.
    Spectator,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Robot(letter) => write!(f, "robot {letter}"),
            Kind::Dropper => f.write_str("the mine dropper"),
            Kind::Mine => f.write_str("a mine"),
            Kind::Explosion => f.write_str("an explosion"),
            Kind::Spectator => f.write_str("a spectator"),
        }
    }
}

/// The connection of an actor with the arena.
pub(crate) struct Actor {
    id: Id,
    world: World,
    pub(crate) inbox: Receiver<News>,
}

impl Actor {
    pub(crate) fn join(world: &World, kind: Kind, at: Place) -> Actor {
        let (news, inbox) = unbounded();
        world.send(Request::Join(kind, at, news)).unwrap();
        match inbox.recv() {
            Ok(News::Welcome(id)) => Actor { id, world: world.clone(), inbox },
            _ => unreachable!("the first message is a welcome"),
        }
    }

    pub(crate) fn is(&self, body: &Body) -> bool {
        self.id == body.id
    }

    pub(crate) fn head(&self, heading: Heading) {
        self.world.send(Request::Head(self.id, heading)).unwrap();
    }

    pub(crate) fn leave(self, by: Kind) -> World {
        self.world.send(Request::Leave(self.id, by)).unwrap();
        self.world
    }
}
