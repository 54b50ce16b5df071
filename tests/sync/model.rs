//! Random programs of lock, try, time out, release and kill, against a model of a fair lock.
//!
//! Fibers hold and wait; the main fiber decides what happens, a few actions at a time, lets
//! everything settle, and compares the holders and the waiters with the model. So exclusivity,
//! order, lost wakes and leaked permits are all checked together.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use fibra::sync::{
    Mutex, MutexGuard, Permit, ReentrantMutex, ReentrantMutexGuard, RwLock, RwLockReadGuard,
    RwLockWriteGuard, Semaphore,
};
use fibra::{JoinHandle, spawn, yield_now};
use proptest::prelude::*;

use crate::support::run_virtually;

const FIBERS: usize = 5;
const PERMITS: usize = 3;

/// A lock, and the operations that ask for it. `kind` is a number below [`KINDS`].
trait Lock: Default + 'static {
    type Guard: 'static;
    fn lock(&'static self, kind: usize) -> Self::Guard;
    fn try_lock(&'static self, kind: usize) -> Option<Self::Guard>;
    fn lock_timeout(&'static self, kind: usize, timeout: Duration) -> Option<Self::Guard>;
    /// Returns whether a fiber that asks for `kind` may enter beside the fibers that are inside.
    fn may_enter(inside: &[usize], kind: usize) -> bool;
    fn is_free(&self) -> bool;
}

const KINDS: usize = PERMITS;

impl Lock for Mutex<()> {
    type Guard = MutexGuard<'static, ()>;
    fn lock(&'static self, _: usize) -> Self::Guard {
        Mutex::lock(self)
    }
    fn try_lock(&'static self, _: usize) -> Option<Self::Guard> {
        Mutex::try_lock(self)
    }
    fn lock_timeout(&'static self, _: usize, timeout: Duration) -> Option<Self::Guard> {
        Mutex::lock_timeout(self, timeout).ok()
    }
    fn may_enter(inside: &[usize], _: usize) -> bool {
        inside.is_empty()
    }
    fn is_free(&self) -> bool {
        !self.is_locked()
    }
}

impl Lock for ReentrantMutex<()> {
    type Guard = (ReentrantMutexGuard<'static, ()>, ReentrantMutexGuard<'static, ()>);
    fn lock(&'static self, _: usize) -> Self::Guard {
        (ReentrantMutex::lock(self), ReentrantMutex::lock(self))
    }
    fn try_lock(&'static self, _: usize) -> Option<Self::Guard> {
        let first = ReentrantMutex::try_lock(self)?;
        Some((first, ReentrantMutex::try_lock(self).expect("it is the caller's")))
    }
    fn lock_timeout(&'static self, _: usize, timeout: Duration) -> Option<Self::Guard> {
        let first = ReentrantMutex::lock_timeout(self, timeout).ok()?;
        Some((first, ReentrantMutex::lock(self)))
    }
    fn may_enter(inside: &[usize], _: usize) -> bool {
        inside.is_empty()
    }
    fn is_free(&self) -> bool {
        !self.is_locked()
    }
}

#[allow(dead_code, reason = "guards are kept to be dropped")]
enum ReadOrWrite {
    Read(RwLockReadGuard<'static, ()>),
    Write(RwLockWriteGuard<'static, ()>),
}

/// Kind 0 writes, the others read.
impl Lock for RwLock<()> {
    type Guard = ReadOrWrite;
    fn lock(&'static self, kind: usize) -> ReadOrWrite {
        if kind == 0 { ReadOrWrite::Write(self.write()) } else { ReadOrWrite::Read(self.read()) }
    }
    fn try_lock(&'static self, kind: usize) -> Option<ReadOrWrite> {
        match kind {
            0 => self.try_write().map(ReadOrWrite::Write),
            _ => self.try_read().map(ReadOrWrite::Read),
        }
    }
    fn lock_timeout(&'static self, kind: usize, timeout: Duration) -> Option<ReadOrWrite> {
        match kind {
            0 => self.write_timeout(timeout).ok().map(ReadOrWrite::Write),
            _ => self.read_timeout(timeout).ok().map(ReadOrWrite::Read),
        }
    }
    fn may_enter(inside: &[usize], kind: usize) -> bool {
        inside.is_empty() || kind != 0 && inside.iter().all(|&other| other != 0)
    }
    fn is_free(&self) -> bool {
        !self.is_locked()
    }
}

struct Permits(Semaphore);

impl Default for Permits {
    fn default() -> Permits {
        Permits(Semaphore::new(PERMITS))
    }
}

/// Kind k wants k + 1 permits.
impl Lock for Permits {
    type Guard = Permit<'static>;
    fn lock(&'static self, kind: usize) -> Permit<'static> {
        self.0.acquire_many(kind + 1)
    }
    fn try_lock(&'static self, kind: usize) -> Option<Permit<'static>> {
        self.0.try_acquire_many(kind + 1)
    }
    fn lock_timeout(&'static self, kind: usize, timeout: Duration) -> Option<Permit<'static>> {
        self.0.acquire_many_timeout(kind + 1, timeout).ok()
    }
    fn may_enter(inside: &[usize], kind: usize) -> bool {
        inside.iter().map(|kind| kind + 1).sum::<usize>() + kind < PERMITS
    }
    fn is_free(&self) -> bool {
        self.0.available() == PERMITS
    }
}

/// The actions of the main fiber. Fibers are named by their index.
#[derive(Clone, Debug)]
enum Op {
    /// The fiber asks for the lock, if it neither holds it nor waits for it.
    Lock(usize, usize),
    Try(usize, usize),
    /// The last number is the limit in milliseconds.
    LockTimeout(usize, usize, u64),
    Release(usize),
    /// Another fiber takes the place of the killed one.
    Kill(usize),
    Settle,
    Sleep(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let (fiber, kind) = (0..FIBERS, 0..KINDS);
    prop_oneof![
        6 => (fiber.clone(), kind.clone()).prop_map(|(f, k)| Op::Lock(f, k)),
        1 => (fiber.clone(), kind.clone()).prop_map(|(f, k)| Op::Try(f, k)),
        3 => (fiber.clone(), kind, 0..20u64).prop_map(|(f, k, ms)| Op::LockTimeout(f, k, ms)),
        6 => fiber.clone().prop_map(Op::Release),
        2 => fiber.prop_map(Op::Kill),
        3 => Just(Op::Settle),
        1 => (0..10u64).prop_map(Op::Sleep),
    ]
}

#[derive(Copy, Clone, Debug, Eq, PartialEq)]
enum Phase {
    Idle,
    Waits,
    Holds,
}

/// The rules: first come, first served, and a wait that was served is no longer interrupted.
struct Model {
    inside: Vec<(usize, usize)>,
    queue: VecDeque<(usize, usize, Option<Duration>)>,
    /// The fibers that were killed since things last settled.
    killed: Vec<usize>,
    may_enter: fn(&[usize], usize) -> bool,
}

impl Model {
    fn phase(&self, fiber: usize) -> Phase {
        if self.inside.iter().any(|&(f, _)| f == fiber) {
            return Phase::Holds;
        }
        let waits = self.queue.iter().any(|&(f, ..)| f == fiber);
        if waits { Phase::Waits } else { Phase::Idle }
    }

    fn fits(&self, kind: usize) -> bool {
        let inside: Vec<_> = self.inside.iter().map(|&(_, kind)| kind).collect();
        (self.may_enter)(&inside, kind)
    }

    fn lock(&mut self, fiber: usize, kind: usize, until: Option<Duration>) {
        self.queue.push_back((fiber, kind, until));
        self.serve();
    }

    fn try_lock(&mut self, fiber: usize, kind: usize) {
        if self.queue.is_empty() && self.fits(kind) {
            self.inside.push((fiber, kind));
        }
    }

    fn leave(&mut self, fiber: usize) {
        self.inside.retain(|&(f, _)| f != fiber);
        self.queue.retain(|&(f, ..)| f != fiber);
        self.serve();
    }

    fn serve(&mut self) {
        while let Some(&(fiber, kind, _)) = self.queue.front()
            && self.fits(kind)
        {
            self.queue.pop_front();
            self.inside.push((fiber, kind));
        }
    }

    fn settle(&mut self) {
        while let Some(fiber) = self.killed.pop() {
            self.leave(fiber);
        }
    }

    /// Deadlines are met one by one: each is at a different time.
    fn time_passes(&mut self, now: Duration) {
        loop {
            let due = self.queue.iter().filter_map(|&(fiber, _, until)| Some((until?, fiber)));
            match due.min() {
                Some((at, fiber)) if at <= now => self.leave(fiber),
                _ => return,
            }
        }
    }
}

enum Order {
    Lock(usize),
    Try(usize),
    LockTimeout(usize, Duration),
}

/// The real lock, its fibers, and the guards that they hold.
struct Real<L: Lock> {
    lock: &'static L,
    fibers: Vec<(JoinHandle<()>, fibra::channel::Sender<Order>)>,
    guards: Guards<L>,
}

impl<L: Lock> Real<L> {
    fn new() -> Real<L> {
        let idle = (0..FIBERS).map(|_| (Phase::Idle, None)).collect();
        let guards = Rc::new(RefCell::new(idle));
        let lock: &'static L = Box::leak(Box::default());
        let fibers = (0..FIBERS).map(|i| spawn_fiber(lock, &guards, i)).collect();
        Real { lock, fibers, guards }
    }

    fn order(&self, fiber: usize, order: Order) {
        self.fibers[fiber].1.send(order).unwrap();
        // The fibers take their orders one after another, in the order that the model has.
        (0..2).for_each(|_| yield_now());
    }

    fn release(&self, fiber: usize) {
        let guard = std::mem::replace(&mut self.guards.borrow_mut()[fiber], (Phase::Idle, None));
        drop(guard);
    }

    /// Replaces the fiber, and drops its guard, which is in the table and not on its stack.
    fn replace(&mut self, fiber: usize) {
        self.guards.borrow_mut()[fiber] = (Phase::Idle, None);
        self.fibers[fiber] = spawn_fiber(self.lock, &self.guards, fiber);
    }

    fn phases(&self) -> Vec<Phase> {
        self.guards.borrow().iter().map(|(phase, _)| *phase).collect()
    }
}

type Guards<L> = Rc<RefCell<Vec<(Phase, Option<<L as Lock>::Guard>)>>>;

fn spawn_fiber<L: Lock>(
    lock: &'static L,
    guards: &Guards<L>,
    i: usize,
) -> (JoinHandle<()>, fibra::channel::Sender<Order>) {
    let guards = guards.clone();
    let (to, orders) = fibra::channel::unbounded();
    let fiber = spawn(move || {
        while let Ok(order) = orders.recv() {
            guards.borrow_mut()[i] = (Phase::Waits, None);
            let guard = match order {
                Order::Lock(kind) => Some(lock.lock(kind)),
                Order::Try(kind) => lock.try_lock(kind),
                Order::LockTimeout(kind, timeout) => lock.lock_timeout(kind, timeout),
            };
            // A kill that came too late for the wait is raised here, with the guard on the stack.
            fibra::checkpoint();
            let phase = if guard.is_some() { Phase::Holds } else { Phase::Idle };
            guards.borrow_mut()[i] = (phase, guard);
        }
    });
    (fiber, to)
}

fn settle() {
    (0..4 * FIBERS).for_each(|_| yield_now());
}

fn run_against_model<L: Lock>(ops: &[Op]) {
    run_virtually(|| {
        let start = fibra::now();
        let mut real = Real::<L>::new();
        let mut model = Model {
            inside: Vec::new(),
            queue: VecDeque::new(),
            killed: Vec::new(),
            may_enter: L::may_enter,
        };
        settle();
        for (n, op) in ops.iter().enumerate() {
            // Deadlines that differ by microseconds are met one after the other.
            let until = |ms: u64| Duration::from_millis(ms) + Duration::from_micros(n as u64 + 1);
            let is_idle = |model: &Model, fiber| {
                model.phase(fiber) == Phase::Idle && !model.killed.contains(&fiber)
            };
            match *op {
                // Between a kill and its effect, the result depends on which fiber runs first.
                Op::Lock(..) | Op::Try(..) | Op::LockTimeout(..) if !model.killed.is_empty() => {}
                Op::Lock(fiber, kind) if is_idle(&model, fiber) => {
                    real.order(fiber, Order::Lock(kind));
                    model.lock(fiber, kind, None);
                }
                Op::Try(fiber, kind) if is_idle(&model, fiber) => {
                    real.order(fiber, Order::Try(kind));
                    model.try_lock(fiber, kind);
                }
                Op::LockTimeout(fiber, kind, ms) if is_idle(&model, fiber) => {
                    real.order(fiber, Order::LockTimeout(kind, until(ms)));
                    model.lock(fiber, kind, Some(fibra::now() - start + until(ms)));
                }
                // A fiber that was served and has not run since has no guard in the table yet.
                Op::Release(fiber) if real.phases()[fiber] == Phase::Holds => {
                    real.release(fiber);
                    model.leave(fiber);
                }
                Op::Kill(fiber) if !model.killed.contains(&fiber) => {
                    real.fibers[fiber].0.kill();
                    model.killed.push(fiber);
                }
                Op::Settle => check(&mut real, &mut model),
                Op::Sleep(ms) => {
                    check(&mut real, &mut model);
                    fibra::sleep(Duration::from_millis(ms));
                    model.time_passes(fibra::now() - start);
                    check(&mut real, &mut model);
                }
                _ => {}
            }
        }
        check(&mut real, &mut model);
        wind_up(real);
    });
}

/// Lets things settle, and compares.
fn check<L: Lock>(real: &mut Real<L>, model: &mut Model) {
    settle();
    for fiber in model.killed.clone() {
        real.replace(fiber);
    }
    model.settle();
    settle();
    let expected: Vec<_> = (0..FIBERS).map(|fiber| model.phase(fiber)).collect();
    assert_eq!(real.phases(), expected);
}

/// Releases everything in the end: no permit was leaked, and no fiber is left waiting.
fn wind_up<L: Lock>(real: Real<L>) {
    for _ in 0..FIBERS {
        (0..FIBERS).for_each(|fiber| real.release_if_held(fiber));
        settle();
    }
    assert!(real.phases().iter().all(|&phase| phase == Phase::Idle), "{:?}", real.phases());
    assert!(real.lock.is_free());
}

impl<L: Lock> Real<L> {
    fn release_if_held(&self, fiber: usize) {
        if self.phases()[fiber] == Phase::Holds {
            self.release(fiber);
        }
    }
}

macro_rules! against_the_model {
    ($($name:ident: $lock:ty),+ $(,)?) => {
        proptest! {
            #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
            $(
                #[test]
                fn $name(ops in prop::collection::vec(op(), 0..60)) {
                    run_against_model::<$lock>(&ops);
                }
            )+
        }
    };
}

against_the_model! {
    a_mutex_is_a_fair_lock: Mutex<()>,
    a_reentrant_mutex_is_a_fair_lock: ReentrantMutex<()>,
    a_read_write_lock_is_a_fair_lock: RwLock<()>,
    a_semaphore_is_a_fair_lock: Permits,
}
