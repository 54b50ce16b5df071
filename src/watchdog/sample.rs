//! Samples of threads: what a thread does at one moment, taken by a signal handler on that thread.
//! All code that runs in the handler is in this file.
//!
//! ```text
//!   any thread, one at a time                     the thread that is sampled
//!   FREE -> ASKED, with the thread
//!   pthread_kill -------------------------------> handler: ASKED -> TAKING
//!   waits                                           copies into the one static record
//!   TAKEN -> FREE, after the record was copied <--- TAKING -> TAKEN
//! ```
//!
//! The signal is `SIGURG`. By default it is ignored, so one that comes too late, or that another
//! program sends, does no harm; debuggers pass it on without stopping. A handler that was installed
//! before gets each signal that is not an answer to a request.
//!
//! Invariants of the handler, which interrupts any code at any instruction:
//! - It allocates nothing, takes no lock, does not panic, and keeps `errno`. Besides memory that
//!   the fiber of its own thread does not change while it runs, it reads the stack by a system
//!   call, which fails where a load would be a fault.
//! - It needs less than a kilobyte of stack beside the registers that the kernel saves. It runs on
//!   the thread's signal stack: std and [`install`](crate::stack::install) give one to each thread
//!   that runs fibers, which has room for several kilobytes beside the registers.
//! - It writes the record only between `TAKING` and `TAKEN`. All other code reads it only after
//!   `TAKEN`, under the lock of those that ask.

#![allow(unsafe_code, reason = "installs and runs a signal handler")]

use std::cell::UnsafeCell;
use std::io;
use std::mem;
use std::panic::Location;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use crate::collections::locked::locked;
use crate::fiber::current;
use crate::fiber::id::FiberId;
use crate::fiber::state::WaitReason;
use crate::sched::time::clock::{Clock, RealClock};

/// The signal that makes a thread take a sample.
const SIGNAL: libc::c_int = libc::SIGURG;

/// The longest part of a stack that is copied.
const MOST_STACK: usize = 64 << 10;

/// The longest name that is shown whole.
const MOST_NAME: usize = 64;

/// The time within which a thread answers, unless it blocks the signal or gets no processor.
const PATIENCE: Duration = Duration::from_secs(1);

/// A thread that can be sampled: one that is alive.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Target(libc::pthread_t);

// SAFETY: the number, or pointer, is only passed to functions of the C library that any thread may
// call.
unsafe impl Send for Target {}

impl Target {
    /// Returns the current thread.
    pub(crate) fn this_thread() -> Target {
        // SAFETY: it has no obligation.
        Target(unsafe { libc::pthread_self() })
    }

    #[allow(clippy::unnecessary_cast, reason = "on other systems it is a pointer")]
    fn number(self) -> u64 {
        self.0 as u64
    }
}

/// The activity of a thread at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// The fiber that ran, if one did.
    pub(crate) fiber: Option<RunningFiber>,
    /// Its registers, where this crate can read them.
    pub(crate) registers: Option<Registers>,
    /// The stack, from the stack pointer upwards.
    pub(crate) stack: Vec<u8>,
}

impl Sample {
    /// Returns whether the stack was longer than what is copied.
    pub(crate) fn is_cut(&self) -> bool {
        self.stack.len() == MOST_STACK
    }
}

/// The fiber that ran on a thread, as far as a handler can tell.
#[derive(Clone, Debug)]
pub(crate) struct RunningFiber {
    pub(crate) id: FiberId,
    /// Its name, which may be cut.
    pub(crate) name: Option<String>,
    /// The place where it last waited; until its first wait, where it was spawned.
    pub(crate) location: &'static Location<'static>,
    pub(crate) has_waited: bool,
}

/// The registers from which the frames of a stack can be found.
#[derive(Copy, Clone, Debug, Default)]
pub(crate) struct Registers {
    pub(crate) pc: u64,
    pub(crate) sp: u64,
    /// The frame pointer.
    pub(crate) fp: u64,
    /// The link register, where there is one.
    #[cfg_attr(not(target_arch = "aarch64"), allow(dead_code, reason = "x86 has none"))]
    pub(crate) lr: u64,
}

/// The reason why there is no sample of a thread.
#[derive(Debug)]
pub(crate) enum NoSample {
    /// The handler cannot be installed, or the signal not be sent.
    Refused(io::Error),
    /// The thread has not answered in time.
    NoAnswer,
}

/// Takes a sample of `target`, which must be alive during the call and be another thread.
///
/// # Errors
///
/// Returns the reason if there is no sample.
pub(crate) fn take(target: Target) -> Result<Sample, NoSample> {
    static ASKING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = locked(&ASKING);
    install().map_err(NoSample::Refused)?;
    if STATE.load(Ordering::Acquire) != FREE {
        // A thread that was asked earlier has stopped in the handler: the record is its own.
        return Err(NoSample::NoAnswer);
    }
    ASKED_THREAD.store(target.number(), Ordering::Relaxed);
    STATE.store(ASKED, Ordering::Release);
    // SAFETY: the caller keeps the thread alive.
    let error = unsafe { libc::pthread_kill(target.0, SIGNAL) };
    if error != 0 {
        STATE.store(FREE, Ordering::Relaxed);
        return Err(NoSample::Refused(io::Error::from_raw_os_error(error)));
    }
    wait_for_answer(RealClock.now() + PATIENCE)?;
    // SAFETY: the state is `TAKEN`, so no handler writes the record, and this thread holds the lock
    // of those that read it.
    let sample = unsafe { &*RECORD.0.get() }.to_sample();
    STATE.store(FREE, Ordering::Release);
    Ok(sample)
}

#[allow(clippy::disallowed_methods, reason = "on a thread that runs no fibers")]
fn wait_for_answer(until: Instant) -> Result<(), NoSample> {
    while STATE.load(Ordering::Acquire) != TAKEN {
        if until <= RealClock.now() {
            let withdrawn =
                STATE.compare_exchange(ASKED, FREE, Ordering::Relaxed, Ordering::Relaxed);
            // If a handler writes the record now, it stays its own until that has ended.
            if withdrawn.is_ok() || STATE.load(Ordering::Acquire) != TAKEN {
                return Err(NoSample::NoAnswer);
            }
        }
        std::thread::sleep(Duration::from_micros(50));
    }
    Ok(())
}

const FREE: u32 = 0;
const ASKED: u32 = 1;
const TAKING: u32 = 2;
const TAKEN: u32 = 3;

static STATE: AtomicU32 = AtomicU32::new(FREE);
/// The thread whose handler may take the sample.
static ASKED_THREAD: AtomicU64 = AtomicU64::new(0);
static RECORD: Record = Record(UnsafeCell::new(Taken::EMPTY));

/// The memory into which handlers write.
struct Record(UnsafeCell<Taken>);

// SAFETY: `STATE` gives the record to one thread at a time, as the top of this file draws.
unsafe impl Sync for Record {}

/// A sample as a handler leaves it.
struct Taken {
    has_fiber: bool,
    id: FiberId,
    name: [u8; MOST_NAME],
    name_len: usize,
    location: Option<&'static Location<'static>>,
    has_waited: bool,
    registers: Option<Registers>,
    stack: [u8; MOST_STACK],
    stack_len: usize,
}

impl Taken {
    const EMPTY: Taken = Taken {
        has_fiber: false,
        id: FiberId { scheduler: 0, number: 0 },
        name: [0; MOST_NAME],
        name_len: 0,
        location: None,
        has_waited: false,
        registers: None,
        stack: [0; MOST_STACK],
        stack_len: 0,
    };

    fn to_sample(&self) -> Sample {
        let name = &self.name[..self.name_len];
        let name = (!name.is_empty()).then(|| String::from_utf8_lossy(name).into_owned());
        let (id, has_waited) = (self.id, self.has_waited);
        let location = self.location.filter(|_| self.has_fiber);
        let fiber = location.map(|location| RunningFiber { id, name, location, has_waited });
        let stack = self.stack[..self.stack_len].to_vec();
        Sample { fiber, registers: self.registers, stack }
    }

    /// Reads the current fiber. Runs in the handler.
    fn note_fiber(&mut self) {
        let fiber = current::fiber();
        self.has_fiber = fiber.is_some();
        let Some(fiber) = fiber else { return };
        self.id = fiber.id();
        // The thread may have been interrupted while it writes one of these. Each is one word, so
        // it is read whole: the old value, or the new one.
        // SAFETY: the pointers are to fields of the record of the current fiber, which is alive.
        let (location, reason) = unsafe {
            (fiber.location.as_ptr().read_volatile(), fiber.reason.as_ptr().read_volatile())
        };
        self.location = Some(location);
        self.has_waited = reason.text != WaitReason::NOT_STARTED.text;
        self.name_len = fiber.peek_name(&mut self.name);
    }
}

/// The handler that was installed before.
static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();

/// Installs the handler, the first time. It stays until the process ends. The caller holds the lock
/// of those that ask.
fn install() -> io::Result<()> {
    static INSTALLED: AtomicBool = AtomicBool::new(false);
    if INSTALLED.load(Ordering::Relaxed) {
        return Ok(());
    }
    // SAFETY: `sigaction` is a C struct of integers, for which zeroes are valid.
    let (mut before, mut ours): (libc::sigaction, libc::sigaction) = unsafe { mem::zeroed() };
    // SAFETY: a null new action changes nothing; the current one is written to a live struct.
    if unsafe { libc::sigaction(SIGNAL, ptr::null(), &mut before) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // Set before the handler can run, so that it always finds it.
    BEFORE.get_or_init(|| before);
    ours.sa_sigaction = on_signal as *const () as usize;
    ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
    // SAFETY: the set is a local's. All signals are blocked because signal stacks are small:
    // handlers must not nest there.
    unsafe { libc::sigfillset(&raw mut ours.sa_mask) };
    // SAFETY: `ours` is a complete `sigaction` whose handler has the signature that `SA_SIGINFO`
    // requires and is async-signal-safe; the old one is not requested.
    if unsafe { libc::sigaction(SIGNAL, &ours, ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    INSTALLED.store(true, Ordering::Relaxed);
    Ok(())
}

/// The signal handler.
extern "C" fn on_signal(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    let is_asked = STATE.load(Ordering::Acquire) == ASKED
        && ASKED_THREAD.load(Ordering::Relaxed) == Target::this_thread().number();
    let is_ours = is_asked
        && STATE.compare_exchange(ASKED, TAKING, Ordering::Acquire, Ordering::Relaxed).is_ok();
    if !is_ours {
        return pass_on(signal, info, context);
    }
    // SAFETY: `TAKING` gives the record to this thread, and nothing else refers to it.
    let taken = unsafe { &mut *RECORD.0.get() };
    taken.note_fiber();
    machine::note_stack(taken, context);
    STATE.store(TAKEN, Ordering::Release);
}

/// Calls the handler that was installed before, if there is one.
fn pass_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let Some(before) = BEFORE.get() else { return };
    match before.sa_sigaction {
        // By default the signal is ignored.
        libc::SIG_IGN | libc::SIG_DFL => {}
        handler if before.sa_flags & libc::SA_SIGINFO != 0 => {
            // SAFETY: `SA_SIGINFO` means that the handler has this signature; it gets the arguments
            // that the kernel made for it.
            let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
                unsafe { mem::transmute(handler) };
            handler(signal, info, context);
        }
        handler => {
            // SAFETY: without `SA_SIGINFO` a handler that is neither default nor ignore has this
            // signature.
            let handler: extern "C" fn(libc::c_int) = unsafe { mem::transmute(handler) };
            handler(signal);
        }
    }
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod machine {
    //! Registers and stack, where this crate can read them.

    use super::{Registers, Taken};

    /// Copies the registers of the code that was interrupted, and its stack. Runs in the handler.
    pub(super) fn note_stack(taken: &mut Taken, context: *mut libc::c_void) {
        // SAFETY: it returns the address of this thread's `errno`.
        let errno = unsafe { libc::__errno_location() };
        // SAFETY: the address is valid for as long as the thread lives.
        let before = unsafe { *errno };
        // SAFETY: the kernel calls a `SA_SIGINFO` handler with a valid context of this type.
        let registers = registers(unsafe { &*context.cast::<libc::ucontext_t>() });
        taken.registers = Some(registers);
        taken.stack_len = copy(registers.sp, &mut taken.stack);
        // SAFETY: as above.
        unsafe { *errno = before };
    }

    /// Copies memory from the address `from` upwards. Returns how much of it could be read.
    ///
    /// The end of the stack need not be known: the file reads the memory of the process as far as
    /// memory is mapped and accessible. Each call is a system call, and is async-signal-safe.
    fn copy(from: u64, to: &mut [u8]) -> usize {
        let path = c"/proc/self/mem";
        let Ok(offset) = libc::off64_t::try_from(from) else { return 0 };
        // SAFETY: the path ends with a zero.
        let file = unsafe { libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
        if file < 0 {
            return 0;
        }
        // SAFETY: it writes up to that length to `to`, and `file` was just opened.
        let copied = unsafe { libc::pread64(file, to.as_mut_ptr().cast(), to.len(), offset) };
        // SAFETY: nothing else knows the descriptor.
        unsafe { libc::close(file) };
        usize::try_from(copied).unwrap_or(0)
    }

    #[cfg(target_arch = "x86_64")]
    #[allow(clippy::cast_sign_loss, reason = "registers are bits")]
    fn registers(context: &libc::ucontext_t) -> Registers {
        let at = |register: libc::c_int| context.uc_mcontext.gregs[register as usize] as u64;
        Registers { pc: at(libc::REG_RIP), sp: at(libc::REG_RSP), fp: at(libc::REG_RBP), lr: 0 }
    }

    #[cfg(target_arch = "aarch64")]
    fn registers(context: &libc::ucontext_t) -> Registers {
        let machine = &context.uc_mcontext;
        Registers { pc: machine.pc, sp: machine.sp, fp: machine.regs[29], lr: machine.regs[30] }
    }
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod machine {
    //! No registers and no stack: the layout of the context is not known here.

    use super::Taken;

    pub(super) fn note_stack(taken: &mut Taken, _: *mut libc::c_void) {
        taken.registers = None;
        taken.stack_len = 0;
    }
}
