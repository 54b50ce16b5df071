//! Scenarios in locks and in values that are shared with other threads.

use std::rc::Rc;

use fibra::sync::{
    self, Condvar, LazyLock, Mutex, Once, OnceCell, ReentrantMutex, RwLock, mpmc, promise,
};

use super::{Scenario, scenario, until_ended, unwinding};
use crate::attack::ledger::Counted;
use crate::attack::stage::{Hostile, strike};

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario("sync: what is done under a mutex", "1", |stage| {
        let lock = Rc::new(Mutex::new(0));
        let again = lock.clone();
        stage.offer(move || drop(again.try_lock()));
        let mut guard = lock.lock();
        *guard += 1;
        strike();
        guard.to_string()
    }),
    scenario("sync: the destructor of what a guard replaces", "replaced", |_| {
        let lock = Mutex::new(Some(Hostile::new("locked")));
        *lock.lock() = None;
        "replaced".into()
    }),
    scenario("sync: what is done under a reentrant mutex", "1", |_| {
        let lock = ReentrantMutex::new(1);
        let guard = lock.lock();
        strike();
        (*lock.lock() * *guard).to_string()
    }),
    scenario("sync: what is done under a lock of many readers", "1", |stage| {
        let lock = Rc::new(RwLock::new(1));
        let again = lock.clone();
        stage.offer(move || drop(again.try_write()));
        let guard = lock.read();
        strike();
        guard.to_string()
    }),
    scenario("sync: the predicate of a condition", "true", |stage| {
        let shared = Rc::new((Mutex::new(false), Condvar::new()));
        let other = shared.clone();
        let setter = fibra::spawn(move || {
            *other.0.lock() = true;
            other.1.notify_all();
        });
        stage.know(setter.fiber());
        let ready = |ready: &mut bool| {
            strike();
            !*ready
        };
        shared.1.wait_while(shared.0.lock(), ready).to_string()
    }),
    scenario("sync: the predicate of a condition with a limit", "true", |stage| {
        let shared = Rc::new((Mutex::new(false), Condvar::new()));
        let other = shared.clone();
        stage.offer(move || other.1.notify_all());
        let limit = std::time::Duration::from_millis(1);
        let (guard, result) = shared.1.wait_timeout_while(shared.0.lock(), limit, |ready| {
            strike();
            !*ready
        });
        drop(guard);
        result.timed_out().to_string()
    }),
    scenario("sync: a value that a shared channel gives back", "back", |_| {
        let (sender, receiver) = mpmc::bounded(1);
        drop(receiver);
        drop(sender.send(Hostile::new("given back")));
        "back".into()
    }),
    scenario("sync: what is called once", "true", |stage| {
        let once = Rc::new(Once::new());
        let other = once.clone();
        let second = fibra::spawn(move || other.call_once(|| ()));
        stage.know(second.fiber());
        once.call_once(strike);
        once.is_completed().to_string()
    }),
    scenario("sync: the initialiser of a cell", "7", |stage| {
        let cell = Rc::new(OnceCell::new());
        let other = cell.clone();
        let second = fibra::spawn(move || *other.get_or_init(|| 8));
        stage.know(second.fiber());
        let made = *cell.get_or_init(|| {
            strike();
            7
        });
        made.to_string()
    }),
    scenario("sync: the initialiser of a cell that may fail", "Err(7)", |_| {
        let cell = OnceCell::<()>::new();
        let made = cell.get_or_try_init(|| {
            strike();
            Err(7)
        });
        format!("{made:?}")
    }),
    scenario("sync: the initialiser of a lazy value", "7", |_| {
        let lazy = LazyLock::new(|| {
            strike();
            7
        });
        LazyLock::force(&lazy).to_string()
    }),
    scenario("sync: buffered values when the receiver goes", "gone", |stage| {
        let (sender, receiver) = mpmc::bounded(3);
        drop(sender.try_send(Hostile::new("buffered")));
        drop(sender.try_send(Hostile::new("buffered")));
        let again = sender.clone();
        stage.offer(move || drop(again.try_send(Hostile::new("meddled"))));
        stage.hold(sender);
        drop(receiver);
        "gone".into()
    }),
    scenario("sync: values without bounds when both ends go", "gone", |stage| {
        let (sender, receiver) = mpmc::unbounded();
        drop(sender.send(Hostile::new("unbounded")));
        drop(receiver);
        stage.hold(sender);
        stage.drop_held();
        "gone".into()
    }),
    unwinding(scenario("sync: the value of a sender that is killed", "killed", |stage| {
        let (sender, receiver) = mpmc::bounded(0);
        let waits = fibra::spawn(move || drop(sender.send(Hostile::new("message"))));
        stage.know(waits.fiber());
        let again = receiver.clone();
        stage.offer(move || drop(again.try_recv()));
        fibra::yield_now();
        waits.kill();
        until_ended(waits.fiber());
        stage.hold(receiver);
        "killed".into()
    })),
    scenario("sync: a single value when the receiver goes", "gone", |_| {
        let (sender, receiver) = sync::oneshot();
        drop(sender.send(Hostile::new("single")));
        drop(receiver);
        "gone".into()
    }),
    scenario("sync: the destructor of what was promised", "gone", |stage| {
        let (promise, promised) = promise();
        promise.set(Hostile::new("promised"));
        stage.hold(promised.clone());
        drop(promised);
        stage.drop_held();
        "gone".into()
    }),
    scenario("sync: the destructor of a value in a cell", "gone", |_| {
        let cell = OnceCell::new();
        drop(cell.set(Hostile::new("in a cell")));
        drop(cell.set(Hostile::new("refused")));
        drop(cell);
        "gone".into()
    }),
    scenario("sync: a guard that a destructor drops", "dropped", |stage| {
        struct Keeps<'a>(Option<sync::MutexGuard<'a, Counted>>);
        impl Drop for Keeps<'_> {
            fn drop(&mut self) {
                strike();
                self.0 = None;
            }
        }
        let lock = Rc::new(Mutex::new(Counted::new("locked")));
        let other = lock.clone();
        let waits = fibra::spawn(move || drop(other.lock()));
        stage.know(waits.fiber());
        let keeps = Keeps(Some(lock.lock()));
        fibra::yield_now();
        drop(keeps);
        until_ended(waits.fiber());
        "dropped".into()
    }),
];
