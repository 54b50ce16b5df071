//! Actions that end fibers, take away the values that they work on, or never continue.

use std::rc::Rc;
use std::time::Duration;

use fibra::channel::Channel;
use fibra::{Fiber, time};

use super::{Action, disturbs};
use crate::attack::ledger::Counted;
use crate::attack::stage::Stage;

fn others(stage: &Stage) -> Vec<Fiber> {
    let me = fibra::current();
    stage.fibers().into_iter().filter(|fiber| *fiber != me).collect()
}

pub(super) const ACTIONS: &[Action] = &[
    disturbs("drops what is held", |stage: &Rc<Stage>| stage.drop_held()),
    disturbs("meddles", |stage: &Rc<Stage>| stage.meddle()),
    disturbs("has another meddle", |stage: &Rc<Stage>| {
        let stage = stage.clone();
        drop(fibra::spawn(move || {
            stage.meddle();
            stage.drop_held();
        }));
        fibra::sleep(Duration::from_millis(1));
    }),
    disturbs("kills itself", |_| fibra::current().kill()),
    disturbs("kills itself and yields", |_| {
        fibra::current().kill_with("it wanted to");
        fibra::yield_now();
    }),
    disturbs("is killed while it waits", |_| {
        let me = fibra::current();
        drop(fibra::spawn(move || me.kill()));
        fibra::sleep(Duration::from_millis(1));
    }),
    disturbs("kills all others", |stage: &Rc<Stage>| others(stage).iter().for_each(Fiber::kill)),
    disturbs("kills all others and waits", |stage: &Rc<Stage>| {
        others(stage).iter().for_each(Fiber::kill);
        fibra::sleep(Duration::from_millis(1));
    }),
    disturbs("kills main", |_| {
        let main = fibra::stackless::getmain().fiber();
        main.iter().for_each(Fiber::kill);
    }),
    disturbs("pauses all others for a while", |stage: &Rc<Stage>| {
        let all = others(stage);
        let paused: Vec<_> = all.into_iter().filter(Fiber::pause).collect();
        drop(fibra::spawn(move || {
            fibra::sleep(Duration::from_millis(1));
            for fiber in paused {
                fiber.resume();
            }
        }));
    }),
    disturbs("wakes all others", |stage: &Rc<Stage>| others(stage).iter().for_each(Fiber::unpark)),
    disturbs("waits for what never comes", |_| drop(Channel::<Counted>::new().recv())),
    disturbs("parks and is never woken", |_| fibra::park()),
    disturbs("waits for what never comes, within a limit", |_| {
        let _ = time::timeout(Duration::from_millis(1), fibra::park);
    }),
    disturbs("waits in a shield that is killed", |_| {
        let me = fibra::current();
        drop(fibra::spawn(move || me.kill()));
        fibra::shield(|| fibra::sleep(Duration::from_millis(1)));
    }),
];
