//! Deeds that wait, and go on.

use std::rc::Rc;
use std::time::Duration;

use fibra::channel::{self, Channel};
use fibra::sync::{Event, Mutex};

use super::{Deed, disturbs, quiet, unwinds};
use crate::attack::ledger::Counted;
use crate::attack::stage::Stage;

pub(super) const DEEDS: &[Deed] = &[
    quiet("does nothing", |_| ()),
    quiet("yields", |_| fibra::yield_now()),
    quiet("yields ten times", |_| (0..10).for_each(|_| fibra::yield_now())),
    quiet("parks and is woken", |_| {
        let me = fibra::current();
        drop(fibra::spawn(move || me.unpark()));
        fibra::park();
    }),
    quiet("sleeps", |_| fibra::sleep(Duration::from_millis(1))),
    quiet("sleeps for an hour", |_| fibra::sleep(Duration::from_secs(3600))),
    quiet("parks for a while", |_| fibra::park_timeout(Duration::from_millis(2))),
    quiet("spawns and joins", |_| {
        let value = Counted::new("a child's output");
        drop(fibra::spawn(move || value).join());
    }),
    quiet("spawns what lives on", |_| {
        let value = Counted::new("of one that lives on");
        drop(fibra::spawn(move || {
            fibra::sleep(Duration::from_secs(3600));
            drop(value);
        }));
    }),
    quiet("spawns now", |_| {
        let value = Counted::new("a child's output");
        drop(fibra::spawn_now(move || {
            fibra::yield_now();
            value
        }));
    }),
    quiet("meets at a channel", |_| {
        let channel = Channel::new();
        let sender = channel.clone();
        drop(fibra::spawn(move || sender.send(Counted::new("a message")).is_ok()));
        drop(channel.recv());
    }),
    quiet("waits for what is buffered", |_| {
        let (sender, receiver) = channel::bounded(1);
        drop(fibra::spawn(move || {
            for _ in 0..3 {
                drop(sender.send(Counted::new("a message")));
            }
        }));
        receiver.iter().for_each(drop);
    }),
    quiet("waits for a lock", |_| {
        let lock = Rc::new(Mutex::new(Counted::new("what is locked")));
        let other = lock.clone();
        drop(fibra::spawn_now(move || {
            let _guard = other.lock();
            fibra::yield_now();
        }));
        drop(lock.lock());
    }),
    quiet("waits for an event", |_| {
        let event = Rc::new(Event::new());
        let other = event.clone();
        drop(fibra::spawn(move || other.set()));
        event.wait();
    }),
    quiet("opens a scope", |_| {
        let value = Counted::new("what a scope lends");
        fibra::scope(|s| {
            drop(s.spawn(|| {
                fibra::sleep(Duration::from_millis(1));
                value.clone()
            }));
            drop(s.spawn(|| value.clone()).join());
        });
    }),
    disturbs("drops what is held", |stage: &Rc<Stage>| stage.drop_held()),
    disturbs("meddles", |stage: &Rc<Stage>| stage.meddle()),
    disturbs("kills itself", |_| fibra::current().kill()),
    disturbs("kills itself and yields", |_| {
        fibra::current().kill();
        fibra::yield_now();
    }),
    disturbs("kills all others", |stage: &Rc<Stage>| {
        let me = fibra::current();
        stage.fibers().iter().filter(|&fiber| *fiber != me).for_each(fibra::Fiber::kill);
    }),
    unwinds("panics", |_| panic!("the deed")),
];
