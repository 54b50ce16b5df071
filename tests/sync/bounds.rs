//! Tests which types of `fibra::sync` are `Send` and `Sync`: those whose std counterparts are.
//!
//! These are checks of the compiler: the file does not compile if one of them fails.

#![allow(clippy::no_effect_underscore_binding, reason = "naming the function is the check")]

use std::cell::Cell;
use std::rc::Rc;

use fibra::sync::{
    Barrier, BarrierWaitResult, Condvar, Event, LazyLock, Mutex, MutexGuard, Once, OnceCell,
    OneshotReceiver, OneshotSender, Permit, Promise, PromiseError, Promised, ReentrantMutex,
    ReentrantMutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, Semaphore, TimeoutError,
    WaitGroup, Worker, mpmc,
};

struct NoSend;
struct NoSync;

/// Implemented once for every type, and once more for those that are `Send`: for them it is
/// ambiguous which implementation is meant, and that does not compile.
trait NotSend<Why> {
    fn check() {}
}
impl<T: ?Sized> NotSend<()> for T {}
impl<T: ?Sized + Send> NotSend<NoSend> for T {}

trait NotSync<Why> {
    fn check() {}
}
impl<T: ?Sized> NotSync<()> for T {}
impl<T: ?Sized + Sync> NotSync<NoSync> for T {}

macro_rules! not_send { ($($t:ty),+ $(,)?) => { $(<$t as NotSend<_>>::check();)+ }; }
macro_rules! not_sync { ($($t:ty),+ $(,)?) => { $(<$t as NotSync<_>>::check();)+ }; }
macro_rules! send { ($($t:ty),+ $(,)?) => {{ fn is<T: ?Sized + Send>() {} $(is::<$t>();)+ }}; }
macro_rules! sync { ($($t:ty),+ $(,)?) => {{ fn is<T: ?Sized + Sync>() {} $(is::<$t>();)+ }}; }
macro_rules! both { ($($t:ty),+ $(,)?) => {{ send!($($t),+); sync!($($t),+); }}; }
macro_rules! neither { ($($t:ty),+ $(,)?) => {{ not_send!($($t),+); not_sync!($($t),+); }}; }

/// May move to another thread, but may not be shared.
type Moves = Cell<u8>;
/// May neither move nor be shared.
type Stays = Rc<u8>;
/// May be shared, but may not move, such as a guard of std.
type Shared = std::sync::MutexGuard<'static, u8>;

#[test]
fn a_lock_is_as_much_of_both_as_its_data_allows() {
    both!(Mutex<u8>, Mutex<Moves>, RwLock<u8>, ReentrantMutex<u8>, ReentrantMutex<Moves>);
    neither!(Mutex<Stays>, Mutex<Shared>, RwLock<Stays>, RwLock<Shared>);
    neither!(ReentrantMutex<Stays>, ReentrantMutex<Shared>);
    send!(RwLock<Moves>);
    not_sync!(RwLock<Moves>);
    both!(Mutex<[u8]>, RwLock<dyn std::fmt::Debug + Send + Sync>);
}

#[test]
fn guards_stay_on_their_thread_and_lend_what_may_be_shared() {
    not_send!(MutexGuard<'static, u8>, ReentrantMutexGuard<'static, u8>);
    not_send!(RwLockReadGuard<'static, u8>, RwLockWriteGuard<'static, u8>);
    sync!(MutexGuard<'static, u8>, ReentrantMutexGuard<'static, u8>);
    sync!(RwLockReadGuard<'static, u8>, RwLockWriteGuard<'static, u8>);
    neither!(MutexGuard<'static, Moves>, ReentrantMutexGuard<'static, Moves>);
    neither!(RwLockReadGuard<'static, Moves>, RwLockWriteGuard<'static, Moves>);
}

#[test]
fn what_holds_no_data_goes_anywhere() {
    both!(Semaphore, Permit<'static>, Event, Barrier, BarrierWaitResult, Condvar, Once, WaitGroup);
    both!(Worker<'static>, TimeoutError, PromiseError);
}

#[test]
fn what_is_made_once_is_as_stds() {
    both!(OnceCell<u8>, LazyLock<u8>, LazyLock<u8, Box<dyn FnOnce() -> u8 + Send>>);
    send!(OnceCell<Moves>, LazyLock<Moves>);
    not_sync!(OnceCell<Moves>, LazyLock<Moves>, LazyLock<u8, Box<dyn FnOnce() -> u8>>);
    neither!(OnceCell<Stays>, LazyLock<Stays>);
    both!(Promise<u8>, Promised<u8>);
    neither!(Promise<Moves>, Promised<Moves>, Promise<Stays>, Promised<Stays>);
}

#[test]
fn ends_of_channels_go_where_their_values_may() {
    both!(mpmc::Sender<u8>, mpmc::Receiver<u8>, mpmc::Sender<Moves>, mpmc::Receiver<Moves>);
    both!(OneshotSender<Moves>, OneshotReceiver<Moves>);
    neither!(mpmc::Sender<Stays>, mpmc::Receiver<Stays>, mpmc::Receiver<Shared>);
    neither!(OneshotSender<Stays>, OneshotReceiver<Stays>);
}

#[test]
fn all_that_can_be_are_made_in_constants() {
    static MUTEX: Mutex<u8> = Mutex::new(1);
    static LOCK: RwLock<u8> = RwLock::new(1);
    static REENTRANT: ReentrantMutex<u8> = ReentrantMutex::new(1);
    static CELL: OnceCell<u8> = OnceCell::new();
    static LAZY: LazyLock<u8> = LazyLock::new(|| 1);
    static PLAIN: (Semaphore, Event, Barrier, Condvar, Once, WaitGroup) = (
        Semaphore::new(1),
        Event::new(),
        Barrier::new(1),
        Condvar::new(),
        Once::new(),
        WaitGroup::new(),
    );
    let sum = *MUTEX.lock() + *LOCK.read() + *REENTRANT.lock() + *CELL.get_or_init(|| 1) + *LAZY;
    assert_eq!((sum, PLAIN.0.available(), PLAIN.2.wait().is_leader()), (5, 1, true));
}
