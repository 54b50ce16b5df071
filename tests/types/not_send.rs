//! Tests which handles may leave their thread: only an `Unparker` and a fiber-local's key.
//!
//! These are checks of the compiler: the file does not compile if one of them fails.

#![allow(clippy::no_effect_underscore_binding, reason = "naming the function is the check")]

use fibra::channel::{Channel, OneshotReceiver, OneshotSender, Receiver, Sender};
use fibra::stackless;

/// Implemented once for every type, and once more for those that are `Send` or `Sync`: for them it
/// is ambiguous which implementation is meant, and that does not compile.
trait AmbiguousIf<Why> {
    fn is_neither() {}
}

struct Send_;
struct Sync_;

impl<T: ?Sized> AmbiguousIf<()> for T {}
impl<T: ?Sized + Send> AmbiguousIf<Send_> for T {}
impl<T: ?Sized + Sync> AmbiguousIf<Sync_> for T {}

macro_rules! neither_send_nor_sync {
    ($($t:ty),+ $(,)?) => {
        $(<$t as AmbiguousIf<_>>::is_neither();)+
    };
}

#[test]
fn what_belongs_to_one_scheduler_is_neither_send_nor_sync() {
    neither_send_nor_sync!(
        fibra::Fiber,
        fibra::JoinHandle<u32>,
        fibra::Scope<'static, 'static>,
        fibra::ScopedJoinHandle<'static, u32>,
        fibra::Runtime,
        Channel<u32>,
        Sender<u32>,
        Receiver<u32>,
        OneshotSender<u32>,
        OneshotReceiver<u32>,
        stackless::Tasklet,
        stackless::WeakTasklet,
        stackless::Bound<u32>,
        stackless::Channel<u32>,
        stackless::ThreadInfo,
        stackless::AtomicGuard,
        stackless::BlockTrapGuard,
        stackless::SwitchTrapGuard,
    );
}

#[test]
fn what_other_threads_may_have_is_send_and_sync() {
    fn is_both<T: Send + Sync>() {}
    is_both::<fibra::Unparker>();
    is_both::<fibra::FiberId>();
    is_both::<fibra::FiberLocal<std::rc::Rc<u32>>>();
    is_both::<fibra::Dump>();
    is_both::<fibra::Deadlock>();
    is_both::<fibra::Stats>();
    is_both::<fibra::Killed>();
    is_both::<stackless::RemoteTasklet>();
    is_both::<stackless::SharedChannel<u32>>();
    is_both::<stackless::TaskletExit>();
    is_both::<stackless::Run>();
}
