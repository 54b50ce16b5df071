//! The code that runs in signal handlers. All of it is in this file.
//!
//! ```text
//!   handler (one for the process, of `signal-hook-registry`)
//!     +-- the handler that was installed before
//!     +-- guard, one per signal, never removed: if there is no subscriber, the default action
//!     +-- one action per subscription
//! ```
//!
//! Invariants:
//! - An action takes no lock, allocates nothing, frees nothing and does not panic: a handler may
//!   run between any two instructions, even in an allocator.
//! - The handler runs on the thread's signal stack. On a fiber's, which may have only 16 KiB, there
//!   may not be room for the processor's registers.

#![allow(unsafe_code, reason = "registers and emulates the actions of signals")]

use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use signal_hook_registry::{FORBIDDEN, SigId};

use crate::collections::locked::locked;
use crate::sched::shared::kill_request::KillRequest;
use crate::signal::attendant::{Program, Quits};
use crate::signal::bell::Bell;
use crate::signal::number::Signal;

/// The action of a subscriber in the handler.
#[derive(Debug)]
pub(crate) enum Action {
    /// Notes the signal for a receiver.
    Note(Arc<Bell>),
    /// Ends the main fiber the first time, and the process the second.
    EndMain(Arc<Presses>),
    /// Asks for a dump of all fibers the first time, and ends the process the second.
    Quit(Arc<Quits>),
}

/// Counts how often a program was asked to end.
#[derive(Debug)]
pub(crate) struct Presses {
    count: AtomicUsize,
    request: Arc<KillRequest>,
    program: Arc<Program>,
    /// The exit status of the process the second time.
    status: i32,
}

impl Presses {
    pub(crate) fn new(request: Arc<KillRequest>, program: Arc<Program>, status: i32) -> Presses {
        Presses { count: AtomicUsize::new(0), request, program, status }
    }

    pub(crate) fn any(&self) -> bool {
        self.count.load(Ordering::SeqCst) != 0
    }

    fn press(&self) {
        if self.count.fetch_add(1, Ordering::SeqCst) == 0 {
            self.request.ask();
            return self.program.is_asked();
        }
        // SAFETY: it is async-signal-safe, and has no other obligation.
        unsafe { libc::_exit(self.status) }
    }
}

impl Action {
    fn act(&self, signal: Signal) {
        match self {
            Action::Note(bell) => bell.note(signal),
            Action::EndMain(presses) => presses.press(),
            Action::Quit(quits) => {
                if !quits.quit() {
                    default_action(signal);
                }
            }
        }
    }
}

/// A registration that runs its action for each signal, until it is dropped.
#[derive(Debug)]
pub(crate) struct Subscription {
    signal: Signal,
    id: SigId,
}

/// Number of subscriptions of each signal, including those that are held forever.
static SUBSCRIBED: [AtomicUsize; 64] = [const { AtomicUsize::new(0) }; 64];

/// Runs `action` for each `signal` from now on.
pub(crate) fn subscribe(signal: Signal, action: Action) -> io::Result<Subscription> {
    guard(signal)?;
    // SAFETY: the action is async-signal-safe: all actions are, by the invariants of this file.
    let id =
        unsafe { signal_hook_registry::register(signal.as_raw(), move || action.act(signal)) }?;
    SUBSCRIBED[signal.index()].fetch_add(1, Ordering::SeqCst);
    Ok(Subscription { signal, id })
}

impl Drop for Subscription {
    fn drop(&mut self) {
        SUBSCRIBED[self.signal.index()].fetch_sub(1, Ordering::SeqCst);
        // This waits for handlers that are running, so the action is freed outside of them.
        signal_hook_registry::unregister(self.id);
    }
}

/// Disables the default action of `signal`, from now on and forever.
pub(super) fn hold(signal: Signal) -> io::Result<()> {
    static HELD: AtomicU64 = AtomicU64::new(0);
    guard(signal)?;
    if HELD.fetch_or(signal.bit(), Ordering::SeqCst) & signal.bit() == 0 {
        SUBSCRIBED[signal.index()].fetch_add(1, Ordering::SeqCst);
    }
    Ok(())
}

/// Installs the handler that performs the default action while there is no subscriber.
fn guard(signal: Signal) -> io::Result<()> {
    static GUARDED: Mutex<u64> = Mutex::new(0);
    if FORBIDDEN.contains(&signal.as_raw()) {
        let text = format!("{signal} cannot be received");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let mut guarded = locked(&GUARDED);
    if *guarded & signal.bit() != 0 {
        return Ok(());
    }
    let was_default = disposition(signal)?.sa_sigaction == libc::SIG_DFL;
    let act = move || {
        if was_default && SUBSCRIBED[signal.index()].load(Ordering::SeqCst) == 0 {
            default_action(signal);
        }
    };
    // SAFETY: the action reads an atomic and calls `default_action`, which is async-signal-safe, as
    // its comment states.
    unsafe { signal_hook_registry::register(signal.as_raw(), act) }?;
    use_signal_stack(signal)?;
    *guarded |= signal.bit();
    Ok(())
}

/// Returns whether `signal` is ignored, as a shell arranges for programs that it starts in the
/// background.
pub(crate) fn is_ignored(signal: Signal) -> bool {
    disposition(signal).is_ok_and(|now| now.sa_sigaction == libc::SIG_IGN)
}

fn disposition(signal: Signal) -> io::Result<libc::sigaction> {
    let mut now = MaybeUninit::zeroed();
    // SAFETY: without a new action it only writes the current one to `now`, which has room for it.
    if unsafe { libc::sigaction(signal.as_raw(), ptr::null(), now.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: written by the call, which has succeeded; zeroes would be valid, too.
    Ok(unsafe { now.assume_init() })
}

/// Makes the installed handler run on the signal stack, where the thread has one: by default the
/// handler of `signal-hook-registry` would run on the stack of the fiber that it interrupts.
fn use_signal_stack(signal: Signal) -> io::Result<()> {
    let mut action = disposition(signal)?;
    action.sa_flags |= libc::SA_ONSTACK;
    // SAFETY: the set is a local's. All signals are masked because signal stacks are small:
    // handlers must not nest there.
    unsafe { libc::sigfillset(&raw mut action.sa_mask) };
    // SAFETY: the action is the one that is installed, except for a flag and a mask that require
    // nothing of it.
    if unsafe { libc::sigaction(signal.as_raw(), &raw const action, ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

const IGNORED_BY_DEFAULT: &[i32] = &[libc::SIGCHLD, libc::SIGCONT, libc::SIGURG, libc::SIGWINCH];
const STOP_BY_DEFAULT: &[i32] = &[libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];

/// Does what the kernel would have done. Runs in a handler: everything that it calls is
/// async-signal-safe.
fn default_action(signal: Signal) {
    let number = signal.as_raw();
    if IGNORED_BY_DEFAULT.contains(&number) {
        return;
    }
    if STOP_BY_DEFAULT.contains(&number) {
        // SAFETY: it has no obligation.
        unsafe { libc::raise(libc::SIGSTOP) };
        return;
    }
    let (mut default, mut ours) = (MaybeUninit::<libc::sigaction>::zeroed(), MaybeUninit::zeroed());
    let mut this = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: all pointers are to locals with room for what is written. A zeroed action is the
    // default one (`SIG_DFL` is zero, the mask empty, no flags), and `this` is initialised by the
    // first call.
    unsafe {
        libc::sigemptyset(this.as_mut_ptr());
        libc::sigaddset(this.as_mut_ptr(), number);
        libc::sigemptyset(&raw mut (*default.as_mut_ptr()).sa_mask);
        libc::sigaction(number, default.as_ptr(), ours.as_mut_ptr());
        libc::raise(number);
        // The handler blocks its own signal: the raised one is delivered here.
        libc::pthread_sigmask(libc::SIG_UNBLOCK, this.as_ptr(), ptr::null_mut());
        // Process 1 of a container is not ended by default. It continues, with the former state.
        libc::pthread_sigmask(libc::SIG_BLOCK, this.as_ptr(), ptr::null_mut());
        libc::sigaction(number, ours.as_ptr(), ptr::null_mut());
    }
}
