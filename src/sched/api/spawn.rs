//! Making fibers.
//!
//! A spawned fiber is one allocation, and a place at the end of the ring (S-004, S-014). It takes a
//! stack when it first runs.

#![allow(unsafe_code, reason = "type-erases closures and their outputs")]

use std::panic::Location;
use std::sync::Arc;

use crate::fiber::header::FiberRef;
use crate::fiber::locals;
use crate::sched::api::join::JoinHandle;
use crate::sched::core::children::Children;
use crate::sched::core::create::create;
use crate::sched::core::park;
use crate::sched::core::scheduler::{CurrentFiber, current_fiber};
use crate::stack::SizeClass;

/// Starts a fiber that will run `f`. It runs when its turn comes, behind all that can run now.
///
/// `f` needs to be neither `Send` nor small: fibers never leave their thread, and closures of any
/// size work. The fiber takes a stack when it first runs, and gives it back when it ends.
///
/// # Panics
///
/// Panics outside of a fiber.
///
/// # Examples
///
/// ```
/// fibra::run(|| {
///     let sum = fibra::spawn(|| (1..=10).sum::<u32>());
///     assert_eq!(sum.join().unwrap(), 55);
/// });
/// ```
#[inline(always)]
#[track_caller]
#[doc(alias("go", "async", "thread", "Task"))]
pub fn spawn<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + 'static,
    T: 'static,
{
    Builder::new().spawn(f)
}

/// Starts a fiber and runs it at once, until it first waits or ends.
///
/// The caller goes directly behind it (S-038), so it continues before anything else runs. With
/// this a recursion that fans out visits depth first, and needs few stacks at a time.
///
/// # Panics
///
/// Panics outside of a fiber.
///
/// # Examples
///
/// ```
/// fibra::run(|| {
///     let child = fibra::spawn_now(|| 7);
///     assert!(child.is_finished());
///     assert_eq!(child.join().unwrap(), 7);
/// });
/// ```
#[inline(always)]
#[track_caller]
pub fn spawn_now<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + 'static,
    T: 'static,
{
    Builder::new().spawn_now(f)
}

/// Settings for a fiber.
///
/// # Examples
///
/// ```
/// fibra::run(|| {
///     let parser = fibra::Builder::new()
///         .name("parser")
///         .stack_size(1 << 20)
///         .spawn(|| fibra::current().name());
///     assert_eq!(parser.join().unwrap().as_deref(), Some("parser"));
/// });
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until it spawns"]
#[doc(alias = "thread")]
pub struct Builder {
    name: Option<Arc<str>>,
    class: Option<SizeClass>,
}

impl Builder {
    /// The defaults: no name, the scheduler's stack size.
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Names the fiber, for dumps, reports and overflow messages.
    ///
    /// # Panics
    ///
    /// Panics if the name contains a NUL: no terminal or log would show what follows it.
    #[track_caller]
    pub fn name(self, name: impl Into<String>) -> Builder {
        let name: String = name.into();
        assert!(!name.contains('\0'), "a fiber's name must not contain a NUL: {name:?}");
        Builder { name: Some(name.into()), ..self }
    }

    /// Asks for a stack of at least `bytes`.
    ///
    /// Sizes are rounded up to a power of two, and to between 16 KiB and 1 GiB. Only what a fiber
    /// touches takes memory, in pages of 4 KiB, so a size costs nothing but address space. For one deep
    /// call there is [`with_stack_size`](crate::with_stack_size).
    pub fn stack_size(self, bytes: usize) -> Builder {
        Builder { class: Some(SizeClass::for_bytes(bytes)), ..self }
    }

    /// Starts the fiber, as [`spawn`].
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[inline(always)]
    #[track_caller]
    pub fn spawn<F, T>(self, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + 'static,
        T: 'static,
    {
        // SAFETY: neither type borrows anything.
        unsafe { self.queue(None, f) }
    }

    /// Starts the fiber and runs it at once, as [`spawn_now`].
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[inline(always)]
    #[track_caller]
    pub fn spawn_now<F, T>(self, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + 'static,
        T: 'static,
    {
        // SAFETY: neither type borrows anything.
        unsafe { self.run_first(None, f) }
    }

    /// Starts a fiber that belongs to `scope`, if one is given.
    ///
    /// # Safety
    ///
    /// What `F` and `T` borrow must outlive the scope, which must not be left before the fiber has
    /// ended. Without a scope they must borrow nothing.
    #[inline(always)]
    #[track_caller]
    pub(crate) unsafe fn queue<F, T>(self, scope: Option<&Children>, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T,
    {
        let current = current_fiber();
        // SAFETY: the caller promises that the fiber ends before its borrows do.
        let record = unsafe { self.create(current, f, Location::caller()) };
        if let Some(children) = scope {
            children.adopt(record.ptr());
        }
        let fiber = current.sched.admit_and_queue(record);
        // SAFETY: just created with this output type, and this is its handle.
        unsafe { JoinHandle::new(fiber) }
    }

    /// As `queue`, but runs the fiber at once, and the caller directly after it.
    ///
    /// # Safety
    ///
    /// As `queue`.
    #[inline(always)]
    #[track_caller]
    pub(crate) unsafe fn run_first<F, T>(self, scope: Option<&Children>, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T,
    {
        let current = current_fiber();
        // SAFETY: the caller promises that the fiber ends before its borrows do.
        let record = unsafe { self.create(current, f, Location::caller()) };
        if let Some(children) = scope {
            children.adopt(record.ptr());
        }
        let fiber = current.sched.admit(record);
        // SAFETY: just created with this output type, and this is its handle.
        let handle = unsafe { JoinHandle::new(fiber) };
        park::run_first(current, fiber);
        handle
    }

    /// # Safety
    ///
    /// As `task::allocate`.
    #[inline(always)]
    unsafe fn create<F, T>(
        self,
        current: CurrentFiber,
        f: F,
        location: &'static Location<'static>,
    ) -> FiberRef
    where
        F: FnOnce() -> T,
    {
        let class = self.class.unwrap_or(current.sched.default_class);
        // Before there is anything that its user code, a panic or a kill could leave half done.
        let inherited = locals::may_inherit().then(locals::for_child);
        // SAFETY: passed on to the caller.
        let record = unsafe { create(&current.sched, class, f, location) };
        if let Some(inherited) = inherited {
            locals::bequeath(record.ptr(), inherited);
        }
        if let Some(name) = self.name {
            record.with_extra(|extra| extra.name = Some(name));
        }
        record
    }
}
