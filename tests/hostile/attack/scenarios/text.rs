//! Scenarios in `Debug` of values that the library holds, and in writers that its own `Debug` uses.

use std::fmt::{self, Debug, Write};
use std::rc::Rc;

use fibra::channel::{self, Channel};
use fibra::generator::Generator;
use fibra::pool::{Group, JoinableQueue, Pool, PriorityQueue, Retry};
use fibra::sync::{self, Mutex, OnceCell, ReentrantMutex, RwLock, mpmc};

use super::{Scenario, scenario};
use crate::attack::ledger::Counted;
use crate::attack::stage::{Hostile, Stage, strike};

/// Strikes when it is formatted.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Shows;

impl Debug for Shows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        strike();
        f.write_str("shown")
    }
}

/// Strikes when it is written to.
struct Writes;

impl Write for Writes {
    fn write_str(&mut self, _text: &str) -> fmt::Result {
        strike();
        Ok(())
    }
}

fn write(value: &dyn Debug) -> String {
    let _ = write!(Writes, "{value:?}");
    "written".into()
}

const WRITTEN: &str = "written";

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario("text: a value in a mutex", "true", |stage| {
        let lock = Rc::new(Mutex::new(Shows));
        let again = lock.clone();
        stage.offer(move || drop(again.try_lock()));
        format!("{lock:?}").contains("shown").to_string()
    }),
    scenario("text: a value in a reentrant mutex", "true", |_| {
        format!("{:?}", ReentrantMutex::new(Shows)).contains("shown").to_string()
    }),
    scenario("text: a value in a lock of many readers", "true", |_| {
        format!("{:?}", RwLock::new(Shows)).contains("shown").to_string()
    }),
    scenario("text: a value in a cell", "true", |_| {
        let cell = OnceCell::new();
        let _ = cell.set(Shows);
        format!("{cell:?}").contains("shown").to_string()
    }),
    scenario("text: a task of a queue", "true", |_| {
        let queue = JoinableQueue::new();
        let _ = queue.send(Shows);
        format!("{:?}", queue.recv_task()).contains("shown").to_string()
    }),
    scenario("text: the writer of a dump", WRITTEN, |_| {
        let _ = write!(Writes, "{}", fibra::dump());
        write(&fibra::stats())
    }),
    scenario("text: the writer of a fiber and its handle", WRITTEN, |stage| {
        let fiber = fibra::spawn(|| Counted::new("output"));
        stage.know(fiber.fiber());
        write(&(fiber.fiber(), &fiber))
    }),
    scenario("text: the writer of a channel", WRITTEN, |stage: &Rc<Stage>| {
        let channel = Channel::<Hostile>::new();
        let again = channel.clone();
        stage.offer(move || again.close());
        write(&channel)
    }),
    scenario("text: the writer of the ends of a buffer", WRITTEN, |stage| {
        let ends = channel::bounded::<Counted>(1);
        let again = ends.0.clone();
        stage.offer(move || drop(again.try_send(Counted::new("meddled"))));
        write(&ends)
    }),
    scenario("text: the writer of shared channels", WRITTEN, |stage| {
        let ends = mpmc::bounded::<Counted>(1);
        let again = ends.0.clone();
        stage.offer(move || drop(again.try_send(Counted::new("meddled"))));
        write(&(ends, sync::oneshot::<Counted>()))
    }),
    scenario("text: the writer of locks", WRITTEN, |_| {
        let semaphore = sync::Semaphore::new(1);
        let permit = semaphore.acquire();
        write(&(&permit, &semaphore, sync::Event::new(), sync::Once::new(), sync::WaitGroup::new()))
    }),
    scenario("text: the writer of pools", WRITTEN, |_| {
        let (pool, group) = (Pool::new(1), Group::new());
        group.spawn(|| Counted::new("outcome"));
        write(&(pool.imap(0..3, |n| n), &pool, &group, PriorityQueue::<u32>::new()))
    }),
    scenario("text: the writer of a retry", WRITTEN, |_| write(&Retry::<()>::attempts(2))),
    scenario("text: the writer of a generator", WRITTEN, |_| {
        let mut generator = Generator::new(|y: &fibra::generator::Yielder<u32>, ()| {
            let _counted = Counted::new("in a generator");
            write(y);
            y.yield_(1);
        });
        generator.resume(());
        write(&generator)
    }),
    scenario("text: the writer of tasklets and their channels", WRITTEN, |_| {
        let channel = fibra::stackless::Channel::<Counted>::new();
        let shared = fibra::stackless::SharedChannel::<Counted>::new();
        let me = fibra::stackless::getcurrent();
        write(&(&me, me.remote(), me.downgrade(), channel, shared))
    }),
    #[cfg(feature = "greenlet")]
    scenario("text: the writer of a greenlet", WRITTEN, |_| {
        let locals = fibra::greenlet::locals();
        write(&(fibra::greenlet::main::<u32>(), locals))
    }),
    scenario("text: the writer of futures", WRITTEN, |_| {
        let nap = fibra::future::sleep(std::time::Duration::from_millis(1));
        write(&(nap, fibra::future::spawn(|| 7), fibra::blocking::global()))
    }),
    scenario("text: the writer of a scope", WRITTEN, |_| {
        fibra::scope(|s| {
            let child = s.spawn(|| 7);
            write(&(s, child))
        })
    }),
];
