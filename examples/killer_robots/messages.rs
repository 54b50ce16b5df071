//! What the actors say to each other.

use fibra::channel::{Receiver, Sender, unbounded};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// How often the world moves.
pub(crate) const TICK: Duration = Duration::from_millis(100);
pub(crate) const WIDTH: i32 = 40;
pub(crate) const HEIGHT: i32 = 12;

pub(crate) type Place = (i32, i32);
pub(crate) type Heading = (i32, i32);
pub(crate) type World = Sender<Request>;

/// What an actor asks of the world.
pub(crate) enum Request {
    /// Let me in; this is my inbox.
    Join(Kind, Place, Sender<News>),
    /// I go there from now on.
    Head(Id, Heading),
    /// I am gone, and that was the end of me.
    Leave(Id, Kind),
    /// It is time to stop.
    Stop,
}

/// What the world tells an actor.
pub(crate) enum News {
    Welcome(Id),
    /// The world has moved, and so have you.
    Tick(Place, Rc<View>),
    Hit(Kind),
    Wall,
}

pub(crate) type Id = u32;

/// What there is to see.
#[derive(Default)]
pub(crate) struct View {
    pub(crate) tick: u32,
    pub(crate) bodies: Vec<Body>,
    /// What has happened since the last tick.
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
    /// Sees everything and has no body.
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

/// The part of an actor that speaks with the world.
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
            _ => unreachable!("the world says welcome first"),
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
