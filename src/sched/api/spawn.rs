//! Spawning fibers.
//!
//! A spawned fiber is one allocation, and an entry at the end of the run ring. It takes a stack
//! when it first runs.

#![allow(unsafe_code, reason = "type-erases closures and their outputs")]

use std::panic::Location;
use std::sync::Arc;

use crate::fiber::header::FiberRef;
use crate::fiber::id::{FiberId, Parent};
use crate::fiber::locals::{self, Locals};
use crate::fiber::task;
use crate::sched::api::join::JoinHandle;
use crate::sched::core::carry;
use crate::sched::core::children::Children;
use crate::sched::core::create::create;
use crate::sched::core::park;
use crate::sched::core::scheduler::{CurrentFiber, Scheduler, current_fiber};
use crate::sched::core::work::{self, Borrows};
use crate::stack::SizeClass;

/// Starts a fiber that will run `f`. It runs in its turn, after all fibers that are ready now.
///
/// `f` needs to be neither `Send` nor small: fibers never leave their thread, and closures of any
/// size work. The fiber takes a stack when it first runs, and returns it when it ends.
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

/// Starts a fiber and runs it immediately, until it first waits or ends.
///
/// The caller is put directly behind it in the run ring, so it continues before any other fiber.
/// A recursion that spawns its branches with this function visits them depth first, and needs few
/// stacks at a time.
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

/// The origin of a job, for the fiber that runs it.
#[derive(Debug)]
pub(crate) struct JobOrigin {
    pub(crate) borrows: Borrows,
    /// The place where the job was spawned.
    pub(crate) at: &'static Location<'static>,
    /// The fiber that spawned it; `None` if that was done outside of all fibers.
    pub(crate) parent: Option<FiberId>,
    /// The number of bytes that it moves on its stack.
    pub(crate) moved: usize,
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
    /// Creates a builder with the defaults: no name, and the scheduler's stack size.
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Returns whether nothing was set.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.name.is_none() && self.class.is_none()
    }

    /// Names the fiber, for dumps, reports and overflow messages.
    ///
    /// # Panics
    ///
    /// Panics if the name contains a NUL, after which terminals and logs would show nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let fiber = fibra::Builder::new().name("writer").spawn(|| fibra::current().name());
    ///     assert_eq!(fiber.join().unwrap().as_deref(), Some("writer"));
    /// });
    /// ```
    #[track_caller]
    pub fn name(self, name: impl Into<String>) -> Builder {
        let name: String = name.into();
        assert!(!name.contains('\0'), "a fiber's name must not contain a NUL: {name:?}");
        Builder { name: Some(name.into()), ..self }
    }

    /// Sets the least size of the fiber's stack, in bytes.
    ///
    /// Sizes are rounded up to a power of two, and to between 16 KiB and 1 GiB. Only the part of a
    /// stack that a fiber touches takes memory, in pages of 4 KiB, so a larger size costs only
    /// address space. For a single deep call there is
    /// [`with_stack_size`](crate::with_stack_size).
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let small = fibra::Builder::new().stack_size(16 << 10).spawn(fibra::park);
    ///     fibra::yield_now();
    ///     assert_eq!(fibra::dump().fibers[1].stack_size, 16 << 10);
    ///     small.kill();
    /// });
    /// ```
    pub fn stack_size(self, bytes: usize) -> Builder {
        Builder { class: Some(SizeClass::for_bytes(bytes)), ..self }
    }

    /// Starts the fiber, like [`spawn`].
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let fiber = fibra::Builder::new().name("adder").spawn(|| 1 + 1);
    ///     assert_eq!(fiber.join(), Ok(2));
    /// });
    /// ```
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

    /// Starts the fiber and runs it immediately, like [`spawn_now`].
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

    /// Creates a fiber of `sched` that will run a job when it is put into the ring. May be called
    /// in the run loop.
    pub(crate) fn create_for_job<F>(
        self,
        sched: &Scheduler,
        JobOrigin { borrows, at, parent, moved }: JobOrigin,
        inherited: Locals,
        f: F,
    ) -> JoinHandle<()>
    where
        F: FnOnce() + 'static,
    {
        let class = task::class_for_moves(self.class.unwrap_or(sched.default_class), moved);
        // SAFETY: neither the closure nor its output, which is `()`, borrows.
        let record = unsafe { create(sched, class, f, (at, Parent::new(parent, sched.id))) };
        work::mark(record.ptr(), borrows);
        locals::bequeath(record.ptr(), inherited);
        if let Some(name) = self.name {
            record.with_extra(|extra| extra.name = Some(name));
        }
        let fiber = sched.admit(record);
        // SAFETY: the fiber was just created with this output type, and this is its only handle.
        unsafe { JoinHandle::new(fiber) }
    }

    /// Starts a fiber that belongs to `scope`, if one is given.
    ///
    /// # Safety
    ///
    /// Everything that `F` and `T` borrow must outlive the scope, and the scope must not be left
    /// before the fiber has ended. Without a scope, they must borrow nothing.
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
        // SAFETY: the fiber was just created with this output type, and this is its only handle.
        unsafe { JoinHandle::new(fiber) }
    }

    /// Like `queue`, but runs the fiber immediately, and the caller directly after it.
    ///
    /// # Safety
    ///
    /// The same as for `queue`.
    #[inline(always)]
    #[track_caller]
    pub(crate) unsafe fn run_first<F, T>(self, scope: Option<&Children>, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T,
    {
        let current = current_fiber();
        carry::refuse_at_door(current, "to run another fiber");
        // SAFETY: the caller promises that the fiber ends before its borrows do.
        let record = unsafe { self.create(current, f, Location::caller()) };
        if let Some(children) = scope {
            children.adopt(record.ptr());
        }
        let fiber = current.sched.admit(record);
        // SAFETY: the fiber was just created with this output type, and this is its only handle.
        let handle = unsafe { JoinHandle::new(fiber) };
        park::run_first(current, fiber);
        handle
    }

    /// Creates the fiber, with the fiber-locals that it inherits and the settings of the builder.
    ///
    /// # Safety
    ///
    /// The same as for `task::allocate`.
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
        // Runs user code, which may panic or be killed. So it comes before the fiber exists, which
        // an unwind would leave half created.
        let inherited = locals::may_inherit().then(locals::for_child);
        let origin = (location, current.fiber.as_parent());
        // SAFETY: `create` has the same contract as this function, which the caller upholds.
        let record = unsafe { create(&current.sched, class, f, origin) };
        if let Some(inherited) = inherited {
            locals::bequeath(record.ptr(), inherited);
        }
        if let Some(name) = self.name {
            record.with_extra(|extra| extra.name = Some(name));
        }
        record
    }
}
