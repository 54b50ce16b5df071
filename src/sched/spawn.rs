//! Making fibers.
//!
//! A spawned fiber is one allocation, and a place at the end of the ring (S-004, S-014). It takes a
//! stack when it first runs.

#![allow(unsafe_code, reason = "type-erases closures and their outputs")]

use std::mem;
use std::panic::Location;

use crate::fiber::header::{FiberPtr, FiberRef};
use crate::fiber::task;
use crate::sched::children::Children;
use crate::sched::join::JoinHandle;
use crate::sched::park;
use crate::sched::scheduler::{Here, Scheduler, here};
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
#[inline]
#[track_caller]
pub fn spawn<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + 'static,
    T: 'static,
{
    let here = here();
    let class = here.sched.default_class;
    // SAFETY: neither type borrows anything.
    let record = unsafe { create(&here.sched, class, f, Location::caller()) };
    let fiber = here.sched.admit_and_queue(record);
    // SAFETY: just created with this output type, and this is its handle.
    unsafe { JoinHandle::new(fiber) }
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
    let here = here();
    let class = here.sched.default_class;
    // SAFETY: neither type borrows anything.
    let record = unsafe { create(&here.sched, class, f, Location::caller()) };
    let fiber = here.sched.admit(record);
    // SAFETY: just created with this output type, and this is its handle.
    let handle = unsafe { JoinHandle::new(fiber) };
    park::run_first(here, fiber);
    handle
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
pub struct Builder {
    name: Option<String>,
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
        let name = name.into();
        assert!(!name.contains('\0'), "a fiber's name must not contain a NUL: {name:?}");
        Builder { name: Some(name), ..self }
    }

    /// Asks for a stack of at least `bytes`.
    ///
    /// Sizes are rounded up to a power of two, and to between 16 KiB and 1 GiB. Only what a fiber
    /// touches takes memory, in pages of 4 KiB, so a size costs nothing but address space.
    pub fn stack_size(self, bytes: usize) -> Builder {
        Builder { class: Some(SizeClass::for_bytes(bytes)), ..self }
    }

    /// Starts the fiber, as [`spawn`].
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn spawn<F, T>(self, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + 'static,
        T: 'static,
    {
        let here = here();
        // SAFETY: neither type borrows anything.
        let record = unsafe { self.create(here, f, Location::caller()) };
        let fiber = here.sched.admit_and_queue(record);
        // SAFETY: just created with this output type, and this is its handle.
        unsafe { JoinHandle::new(fiber) }
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
        let here = here();
        // SAFETY: neither type borrows anything.
        let record = unsafe { self.create(here, f, Location::caller()) };
        let fiber = here.sched.admit(record);
        // SAFETY: just created with this output type, and this is its handle.
        let handle = unsafe { JoinHandle::new(fiber) };
        park::run_first(here, fiber);
        handle
    }

    /// Starts a fiber that belongs to `children`.
    ///
    /// # Safety
    ///
    /// What `F` and `T` borrow must outlive the scope behind `children`, which must not be left
    /// before the fiber has ended.
    #[track_caller]
    pub(crate) unsafe fn spawn_in<F, T>(self, children: &Children, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T,
    {
        let here = here();
        // SAFETY: the caller promises that the fiber ends before its borrows do.
        let record = unsafe { self.create(here, f, Location::caller()) };
        children.adopt(record.ptr());
        let fiber = here.sched.admit_and_queue(record);
        // SAFETY: just created with this output type, and this is its handle.
        unsafe { JoinHandle::new(fiber) }
    }

    /// As `spawn_in`, but runs the fiber at once.
    ///
    /// # Safety
    ///
    /// As `spawn_in`.
    #[inline(always)]
    #[track_caller]
    pub(crate) unsafe fn spawn_now_in<F, T>(self, children: &Children, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T,
    {
        let here = here();
        // SAFETY: the caller promises that the fiber ends before its borrows do.
        let record = unsafe { self.create(here, f, Location::caller()) };
        children.adopt(record.ptr());
        let fiber = here.sched.admit(record);
        // SAFETY: just created with this output type, and this is its handle.
        let handle = unsafe { JoinHandle::new(fiber) };
        park::run_first(here, fiber);
        handle
    }

    /// # Safety
    ///
    /// As `task::allocate`.
    pub(crate) unsafe fn create<F, T>(
        self,
        here: Here,
        f: F,
        location: &'static Location<'static>,
    ) -> FiberRef
    where
        F: FnOnce() -> T,
    {
        let class = self.class.unwrap_or(here.sched.default_class);
        // SAFETY: passed on to the caller.
        let record = unsafe { create(&here.sched, class, f, location) };
        if let Some(name) = self.name {
            record.with_extra(|extra| extra.name = Some(name.into()));
        }
        record
    }
}

/// Allocates a fiber of `sched`. It is neither admitted nor queued.
///
/// # Safety
///
/// As `task::allocate`.
#[inline]
pub(crate) unsafe fn create<F, T>(
    sched: &Scheduler,
    class: SizeClass,
    f: F,
    location: &'static Location<'static>,
) -> FiberRef
where
    F: FnOnce() -> T,
{
    let class = task::class_for::<F, T>(class);
    let id = sched.next_id();
    if const { mem::size_of::<F>() <= task::LARGE_VALUE } {
        // SAFETY: passed on to the caller.
        return unsafe { task::allocate(f, id, class, location) };
    }
    // A large closure has a box of its own, to be dropped in it: the fiber may have to do that on
    // the spare stack, where there is no room to move it.
    let f = Box::new(f);
    // SAFETY: passed on to the caller.
    unsafe { task::allocate(move || (*f)(), id, class, location) }
}

impl Scheduler {
    #[inline(always)]
    pub(crate) fn admit_and_queue(&self, record: FiberRef) -> FiberPtr {
        let fiber = self.admit(record);
        self.ring(|ring| ring.push_back(fiber, fiber.ticket.get()));
        fiber
    }
}
