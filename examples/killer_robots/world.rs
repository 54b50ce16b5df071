//! The arena: an actor that knows where all bodies are, and sends that to the others.

use crate::messages::{Body, HEIGHT, Heading, Id, Kind, News, Request, TICK, View, WIDTH};
use fibra::channel::{Channel, Receiver, Sender};
use std::mem;
use std::rc::Rc;

/// Serves requests between the ticks, until at most one robot is left. Sends the result and the
/// last view to `over`.
pub(crate) fn run((requests, over): (Receiver<Request>, Channel<(String, Rc<View>)>)) {
    let (mut arena, mut next) = (Arena::default(), fibra::now() + TICK);
    let result = loop {
        match requests.recv_deadline(next) {
            Ok(Request::Stop) => break "that was enough".into(),
            Ok(request) => arena.serve(request),
            Err(_) => {
                next += TICK;
                arena.tick();
                if let Some(result) = arena.result() {
                    break result;
                }
            }
        }
    };
    fibra::yield_now(); // The screen shows the last view first.
    over.send((result, arena.view)).unwrap();
}

#[derive(Default)]
struct Arena {
    members: Vec<Member>,
    joined: Id,
    events: Vec<String>,
    view: Rc<View>,
}

struct Member {
    body: Body,
    heading: Heading,
    inbox: Sender<News>,
}

impl Member {
    fn tell(&self, news: News) {
        let _ = self.inbox.send(news); // Fails if the actor has just ended.
    }
}

impl Arena {
    fn serve(&mut self, request: Request) {
        match request {
            Request::Join(kind, at, inbox) => {
                self.joined += 1;
                let body = Body { id: self.joined, kind, at };
                let member = Member { body, heading: (0, 0), inbox };
                member.tell(News::Welcome(self.joined));
                self.members.push(member);
            }
            Request::Head(id, heading) => {
                if let Some(member) = self.members.iter_mut().find(|member| member.body.id == id) {
                    member.heading = heading;
                }
            }
            Request::Leave(id, by) => {
                if let Some(i) = self.members.iter().position(|member| member.body.id == id) {
                    let Body { kind, .. } = self.members.remove(i).body;
                    if matches!(kind, Kind::Robot(_) | Kind::Dropper) {
                        self.events.push(format!("{kind} was destroyed by {by}"));
                    }
                }
            }
            Request::Stop => {}
        }
    }

    fn tick(&mut self) {
        for Member { body, heading, inbox } in &mut self.members {
            let (x, y) = (body.at.0 + heading.0, body.at.1 + heading.1);
            body.at = (x.clamp(0, WIDTH - 1), y.clamp(0, HEIGHT - 1));
            if body.at != (x, y) {
                let _ = inbox.send(News::Wall);
            }
        }
        for one in &self.members {
            let others = self.members.iter().filter(|other| other.body.id != one.body.id);
            let hits = others.filter(|other| touches(&one.body, &other.body));
            hits.for_each(|other| one.tell(News::Hit(other.body.kind)));
        }
        let bodies = self.members.iter().map(|member| member.body);
        let bodies = bodies.filter(|body| body.kind != Kind::Spectator).collect();
        let (tick, events) = (self.view.tick + 1, mem::take(&mut self.events));
        self.view = Rc::new(View { tick, bodies, events });
        self.members.iter().for_each(|one| one.tell(News::Tick(one.body.at, self.view.clone())));
    }

    /// Returns the result of the game, if it is over.
    fn result(&self) -> Option<String> {
        let kinds = || self.members.iter().map(|member| member.body.kind);
        let mut robots = kinds().filter(|kind| matches!(kind, Kind::Robot(_)));
        match (robots.next(), robots.next(), kinds().any(|kind| kind == Kind::Explosion)) {
            (Some(_), Some(_), _) | (_, _, true) => None,
            (Some(winner), ..) => Some(format!("{winner} has won")),
            (None, ..) => Some("no one has won".into()),
        }
    }
}

/// Returns whether two bodies touch. Explosions reach the cells around them, and so do robots with
/// other robots. All other bodies touch in the same cell only.
fn touches(a: &Body, b: &Body) -> bool {
    let distance = (a.at.0 - b.at.0).abs().max((a.at.1 - b.at.1).abs());
    match (a.kind, b.kind) {
        (Kind::Spectator, _) | (_, Kind::Spectator) => false,
        (Kind::Explosion, _) | (_, Kind::Explosion) => distance <= 1,
        (Kind::Robot(_), Kind::Robot(_)) => distance <= 1,
        _ => distance == 0,
    }
}
