//! The record of one fiber, and the two types of pointer to it.
//!
//! ```text
//!   one allocation                                one stack, while the fiber is started
//!  +---------------------------+                 +--------------------------+ <- base
//!  | Header                    |   coroutine     | Yielder (parent link)    |
//!  |   coroutine  -------------+---------------->| root frame               |
//!  |   yielder    -------------+---------------->|   the fiber's closure    |
//!  |   state, ticket, reason.. |   sp_mark       |     ...                  |
//!  +---------------------------+---------------->|     park (suspended)     |
//!  | Stage: closure, then      |                 |                          |
//!  |   output, then nothing    |                 |  guard, 17 pages         |
//!  +---------------------------+                 +--------------------------+ <- limit
//! ```
//!
//! Invariants:
//! - A header outlives every [`FiberPtr`] and [`FiberRef`] to it. It is freed when `refs` reaches
//!   zero. The places that keep a bare [`FiberPtr`] (the run ring, a wait list, the current fiber)
//!   rely on the scheduler's own reference, which exists until the fiber has ended.
//! - All fields are touched by the fiber's own OS thread only. Nothing here is atomic.
//! - The record of an abandoned fiber is never freed: the scheduler never drops its reference, so
//!   pointers to the record that are left in lists of other owners stay valid.
//! - The first 64 bytes are what a switch and a wake read, and records are aligned so that these
//!   are one cache line. The order of the fields is deliberate.

#![allow(unsafe_code, reason = "reference counting over a type-erased allocation")]

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::fmt;
use std::mem;
use std::ops::Deref;
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::atomic::{Ordering, compiler_fence};

use crate::collections::slot_table::Key;
use crate::collections::timing_wheel::TimerKey;
use crate::fiber::cancel_scope::CancelScope;
use crate::fiber::chunk::LINE;
use crate::fiber::context::Context;
use crate::fiber::exit::JoinError;
use crate::fiber::extra::Extra;
use crate::fiber::id::{FiberId, Parent};
use crate::fiber::park_token::ParkToken;
use crate::fiber::state::{FirstTurn, Signals, State, WaitReason};
use crate::fiber::wait_list::WaitNode;
use crate::stack::SizeClass;

/// The functions of a fiber that depend on the types of its closure and output.
pub(crate) struct VTable {
    /// Runs the closure and stores its output. Returns the payload if the closure unwinds.
    pub(crate) run: unsafe fn(FiberPtr) -> Result<(), Box<dyn Any + Send>>,
    /// Drops the closure or the output: user code, so only on a fiber.
    pub(crate) clear: unsafe fn(FiberPtr),
    /// Moves the output, if it is there, to the `Option<Outcome<T>>` behind the pointer.
    pub(crate) take: unsafe fn(FiberPtr, *mut ()),
    /// Stores an error as the output, unless the closure or an output is there.
    pub(crate) fail: unsafe fn(FiberPtr, Box<JoinError>),
    /// Frees the memory.
    pub(crate) dealloc: unsafe fn(*mut Header),
}

/// The record of one fiber.
#[repr(C)]
pub(crate) struct Header {
    // -- touched by every switch: one cache line --------------------------------------------
    /// The suspended call stack. Initialised while `state` is neither `New` nor `Finished`.
    pub(crate) context: Context,
    /// The ticket with which the fiber's valid entry in the run ring was queued.
    pub(crate) ticket: Cell<u32>,
    pub(crate) state: Cell<State>,
    /// The flags that the fiber's next wait reads. There are none nearly always.
    pub(crate) signals: Cell<Signals>,
    /// Whether an `unpark` waits for the next `park`, and whether that must list the fiber.
    pub(crate) token: ParkToken,
    /// Whether the fiber was woken as a task since its future was last polled.
    pub(crate) woken: Cell<bool>,
    /// An address near the stack pointer at the last suspend: what to prefetch.
    pub(crate) sp_mark: Cell<usize>,

    // -- written by every park --------------------------------------------------------------
    pub(crate) reason: Cell<&'static WaitReason>,
    /// The place where it waits or last waited; until its first wait, where it was spawned.
    pub(crate) location: Cell<&'static Location<'static>>,
    /// The turn's cached clock at the last park, in milliseconds since the scheduler's start.
    pub(crate) since: Cell<u32>,
    /// The number of its scheduler, the first half of its identity.
    scheduler: u32,

    // -- touched by spawn, join and end -----------------------------------------------------
    pub(crate) vtable: &'static VTable,
    /// Its own number, the second half of its identity.
    number: u64,
    refs: Cell<u32>,
    /// The armed deadline in the timing wheel.
    pub(crate) timer: Cell<TimerKey>,
    /// The place of this fiber in its scheduler's table.
    pub(crate) key: Cell<Key>,
    pub(crate) class: SizeClass,
    /// The number of times that a kill has been raised in this fiber.
    pub(crate) raised: Cell<u16>,
    /// Whether a [`JoinHandle`](crate::JoinHandle) may still take the output.
    pub(crate) has_handle: Cell<bool>,
    /// Whether `Fiber::kill` (or the end of the frame) has asked this fiber to end.
    pub(crate) killed: Cell<bool>,
    /// Whether the exit of a scope, at which the fiber waits, has met a deadlock, or the end of a
    /// time limit in a destructor. It has killed the children then, and can do no more.
    pub(crate) children_killed: Cell<bool>,
    /// Whether it left the thread in an external wait, and is counted among those of its scheduler.
    pub(crate) in_external_wait: Cell<bool>,
    /// What its first turn must do besides running the closure.
    pub(crate) first_turn: Cell<FirstTurn>,
    /// The number of times that it has chosen among several things; it wraps.
    pub(crate) choices: Cell<u32>,
    /// The fiber that waits in `join` for this one.
    pub(crate) joiner: Cell<Option<FiberPtr>>,
    /// The scope whose exit waits until this fiber has ended. Type-erased: `sched/` owns it.
    pub(crate) owner: Cell<*const ()>,
    /// The innermost cancel scope on this fiber's stack.
    pub(crate) cancel_scopes: Cell<*const CancelScope>,
    /// The node with which it is in a wait list. The scheduler takes the node out if the fiber
    /// never runs again.
    pub(crate) waiting: Cell<*const WaitNode>,
    /// The fields that most fibers do not use: a name, fiber-locals, a remote unparker.
    pub(crate) extra: UnsafeCell<Option<Box<Extra>>>,

    // -- written by spawn, read by dumps and reports ----------------------------------------
    /// The place where it was spawned.
    pub(crate) spawned_at: &'static Location<'static>,
    /// The fiber that spawned it.
    pub(crate) parent: Parent,
}

/// A park only writes to the second line, and need not wait for it.
const _: () = assert!(cfg!(sanitized) || mem::offset_of!(Header, reason) <= LINE);

impl Header {
    /// Returns a header with one reference, which belongs to the scheduler.
    #[inline(always)]
    pub(crate) fn new(
        vtable: &'static VTable,
        id: FiberId,
        class: SizeClass,
        (location, parent): (&'static Location<'static>, Parent),
    ) -> Header {
        Header {
            context: Context::empty(),
            ticket: Cell::new(0),
            state: Cell::new(State::New),
            signals: Cell::new(Signals::NONE),
            token: ParkToken::new(),
            woken: Cell::new(false),
            sp_mark: Cell::new(0),
            reason: Cell::new(&WaitReason::NOT_STARTED),
            location: Cell::new(location),
            since: Cell::new(0),
            scheduler: id.scheduler,
            vtable,
            number: id.number,
            refs: Cell::new(1),
            timer: Cell::new(TimerKey::NONE),
            key: Cell::new(Key::from_bits(u64::MAX)),
            class,
            raised: Cell::new(0),
            has_handle: Cell::new(false),
            killed: Cell::new(false),
            children_killed: Cell::new(false),
            in_external_wait: Cell::new(false),
            first_turn: Cell::new(FirstTurn::NONE),
            choices: Cell::new(0),
            joiner: Cell::new(None),
            owner: Cell::new(std::ptr::null()),
            cancel_scopes: Cell::new(std::ptr::null()),
            waiting: Cell::new(std::ptr::null()),
            extra: UnsafeCell::new(None),
            spawned_at: location,
            parent,
        }
    }

    /// The offset of its number, for debuggers.
    pub(crate) const NUMBER: usize = std::mem::offset_of!(Header, number);

    pub(crate) fn id(&self) -> FiberId {
        FiberId { scheduler: self.scheduler, number: self.number }
    }

    /// Returns the fiber that spawned it, if a fiber did.
    pub(crate) fn parent(&self) -> Option<FiberId> {
        self.parent.of(self.scheduler)
    }

    /// Returns it as the parent of a fiber of the same scheduler.
    #[inline(always)]
    pub(crate) fn as_parent(&self) -> Parent {
        Parent::here(self.number)
    }

    /// Returns the number of its scheduler.
    #[inline(always)]
    pub(crate) fn scheduler_id(&self) -> u32 {
        self.scheduler
    }

    /// Runs `f` on the rarely needed part, which is created at the first use. `f` must not run user
    /// code.
    pub(crate) fn with_extra<R>(&self, f: impl FnOnce(&mut Extra) -> R) -> R {
        // SAFETY: the reference is exclusive during the call: only this thread reaches the header,
        // this function, `peek_extra` and `extra_exists` are the only accesses, and `f` calls none
        // of them.
        let extra = unsafe { &mut *self.extra.get() };
        f(extra.get_or_insert_with(|| {
            let new = Box::default();
            // A signal handler that finds the pointer must find the fields: see `peek_name`.
            compiler_fence(Ordering::Release);
            new
        }))
    }

    /// Copies the beginning of the fiber's name to `into`. Returns its length, which is 0 for a
    /// fiber without a name.
    ///
    /// A signal handler may call this on the fiber's own thread, after the fiber has started: the
    /// name is set before that, and does not change.
    pub(crate) fn peek_name(&self, into: &mut [u8]) -> usize {
        let extra = self.extra.get().cast::<*const Extra>();
        // SAFETY: an optional box is a pointer that may be null. It is read whole, even if the
        // handler has interrupted `with_extra`, which writes it once.
        let extra = unsafe { extra.read_volatile() };
        if extra.is_null() {
            return 0;
        }
        // SAFETY: the pointer is that of a live box, whose fields were written before it. Only this
        // field is referred to. Nothing writes it once the fiber has started.
        let Some(name) = (unsafe { &(*extra).name }) else { return 0 };
        let len = name.len().min(into.len());
        into[..len].copy_from_slice(&name.as_bytes()[..len]);
        len
    }

    /// Runs `f` on the rarely needed part if there is one. `f` must not run user code.
    pub(crate) fn peek_extra<R>(&self, f: impl FnOnce(&Extra) -> R) -> Option<R> {
        // SAFETY: like in `with_extra`: no exclusive reference exists, because `with_extra` is not
        // running.
        let extra = unsafe { &*self.extra.get() };
        extra.as_deref().map(f)
    }

    /// Returns whether the rarely needed part was ever created.
    #[inline(always)]
    pub(crate) fn extra_exists(&self) -> bool {
        // SAFETY: like in `peek_extra`.
        unsafe { &*self.extra.get() }.is_some()
    }

    /// Claims the fiber's wait for a partner of its own thread. Returns whether the partner may
    /// serve it: always, unless another thread has ended the wait.
    #[cold]
    pub(crate) fn pass_gate(&self) -> bool {
        if !self.extra_exists() {
            return true;
        }
        let gate = self.with_extra(|extra| extra.gate.take());
        gate.is_none_or(|gate| gate.claim())
    }

    /// Sets the flags `what`, which the fiber reads at its next wait or when it runs again.
    pub(crate) fn signal(&self, what: Signals) {
        self.signals.set(self.signals.get().with(what));
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fiber").field("id", &self.id()).field("state", &self.state.get()).finish()
    }
}

/// A pointer to the header of a fiber that is known to be alive.
///
/// It has the layout of its pointer, and an `Option` of it that of a pointer that may be null:
/// debuggers rely on that.
#[derive(Copy, Clone, Eq, PartialEq)]
#[repr(transparent)]
pub(crate) struct FiberPtr(NonNull<Header>);

impl FiberPtr {
    /// # Safety
    ///
    /// `header` must have been allocated by `task::allocate`, and must not be freed as long as the
    /// result, or a copy of it, is used.
    pub(crate) unsafe fn new(header: NonNull<Header>) -> FiberPtr {
        FiberPtr(header)
    }

    #[inline(always)]
    pub(crate) fn as_ptr(self) -> *mut Header {
        self.0.as_ptr()
    }

    pub(crate) fn as_non_null(self) -> NonNull<Header> {
        self.0
    }

    /// Counts one more reference, and returns it.
    #[inline]
    pub(crate) fn to_ref(self) -> FiberRef {
        let Some(refs) = self.refs.get().checked_add(1) else {
            // Like `Rc`: only a program that forgets handles comes here, and a panic would unwind
            // through places that must not be unwound, such as the exit of a scope.
            std::process::abort()
        };
        self.refs.set(refs);
        FiberRef(self)
    }

    /// Returns the counted reference that this pointer stands for.
    ///
    /// # Safety
    ///
    /// The caller must own one of the counted references, and passes it on with this call.
    pub(crate) unsafe fn into_ref(self) -> FiberRef {
        FiberRef(self)
    }
}

impl Deref for FiberPtr {
    type Target = Header;

    #[inline(always)]
    fn deref(&self) -> &Header {
        // SAFETY: the caller of `FiberPtr::new` has promised that the header is alive, and no code
        // creates a `&mut Header` while it is shared.
        unsafe { self.0.as_ref() }
    }
}

impl fmt::Debug for FiberPtr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// A counted reference to a fiber's record. It keeps the record alive, and not the fiber's stack.
pub(crate) struct FiberRef(FiberPtr);

impl FiberRef {
    #[inline(always)]
    pub(crate) fn ptr(&self) -> FiberPtr {
        self.0
    }

    /// Returns the pointer, and leaves the reference counted. [`FiberPtr::into_ref`] is the
    /// inverse.
    pub(crate) fn into_ptr(self) -> FiberPtr {
        mem::ManuallyDrop::new(self).0
    }
}

impl Deref for FiberRef {
    type Target = Header;

    #[inline(always)]
    fn deref(&self) -> &Header {
        &self.0
    }
}

impl Clone for FiberRef {
    fn clone(&self) -> FiberRef {
        self.0.to_ref()
    }
}

impl Drop for FiberRef {
    #[inline]
    fn drop(&mut self) {
        let left = self.refs.get() - 1;
        self.refs.set(left);
        if left == 0 {
            let dealloc = self.vtable.dealloc;
            // SAFETY: this was the last counted reference, so no pointer to the header is in use.
            // The stage and the fiber-locals are empty by then, so no user code runs: the output
            // was taken, or dropped on a fiber, and a fiber that was abandoned or whose handle was
            // forgotten keeps a reference forever.
            unsafe { dealloc(self.0.as_ptr()) }
        }
    }
}

impl fmt::Debug for FiberRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
