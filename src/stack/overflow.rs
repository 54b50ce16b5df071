//! Owns the reporting of stack overflows: the handler for SIGSEGV and SIGBUS.
//!
//! Invariants of the handler, which interrupts any code at any instruction:
//! - It allocates nothing, takes no lock and calls only async-signal-safe functions.
//! - It reports only faults that `describe` claims; all others are passed on to the previous
//!   handler.
#![allow(unsafe_code, reason = "installs and runs a signal handler")]

use std::io;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, OnceLock};

use super::altstack::AltStack;
use super::report::Report;
use crate::collections::locked::locked;

/// A function that describes the fiber whose guard holds the address `fault`, if that is the guard
/// of the stack that this thread runs on. It is called in a signal handler, so it must be
/// async-signal-safe.
pub(crate) type Describe = fn(fault: usize) -> Option<Overflow>;

/// A fiber that has overflowed its stack.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Overflow {
    /// The fiber's name: `name_len` bytes of UTF-8 that live until the process ends; unused if
    /// `name_len` is zero.
    pub(crate) name: *const u8,
    /// The length of the name; zero for a fiber without a name.
    pub(crate) name_len: usize,
    /// The fiber's number.
    pub(crate) id: u64,
    /// The usable size of its stack, in bytes.
    pub(crate) size: usize,
    /// Whether the stack was that of a generator or greenlet which runs in this fiber, or outside
    /// of fibers if `id` is 0.
    pub(crate) nested: bool,
}

/// Enables the report of overflows, on every thread that holds an [`AltStack`].
///
/// The first call installs the handler, which stays until the process ends. Each call replaces the
/// `describe` function.
///
/// # Errors
///
/// Returns the error of `sigaction` or of [`AltStack`]'s calls.
pub(crate) fn install(describe: Describe) -> io::Result<AltStack> {
    let alt_stack = AltStack::for_this_thread()?;
    DESCRIBE.store(describe as *mut (), Ordering::Release);
    static INSTALLED: Mutex<bool> = Mutex::new(false);
    let mut installed = locked(&INSTALLED);
    if !*installed {
        hook(libc::SIGSEGV, &BEFORE_SEGV)?;
        hook(libc::SIGBUS, &BEFORE_BUS)?;
        *installed = true;
    }
    Ok(alt_stack)
}

/// The current `Describe` function.
static DESCRIBE: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());
/// The handlers that were installed before this one. They are set once, before this one can run,
/// and then only read, which is an atomic load.
static BEFORE_SEGV: OnceLock<libc::sigaction> = OnceLock::new();
static BEFORE_BUS: OnceLock<libc::sigaction> = OnceLock::new();

fn hook(signal: libc::c_int, before: &OnceLock<libc::sigaction>) -> io::Result<()> {
    let earlier = action_for(signal)?;
    let earlier = before.get_or_init(|| earlier);
    let mut ours = *earlier;
    ours.sa_sigaction = on_fault as *const () as usize;
    // The earlier handler's mask and `SA_NODEFER` stay: it may rely on them, and leave by a jump.
    ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | (earlier.sa_flags & libc::SA_NODEFER);
    // SAFETY: `ours` is a complete `sigaction` whose handler has the signature that `SA_SIGINFO`
    // requires and is async-signal-safe; the old one is not requested.
    check(unsafe { libc::sigaction(signal, &ours, ptr::null_mut()) })
}

fn action_for(signal: libc::c_int) -> io::Result<libc::sigaction> {
    // SAFETY: `sigaction` is a C struct of integers, for which zeroes are valid.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: a null new action changes nothing; the current one is written to a live struct.
    check(unsafe { libc::sigaction(signal, ptr::null(), &mut action) })?;
    Ok(action)
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The signal handler.
extern "C" fn on_fault(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: the kernel calls a `SA_SIGINFO` handler with a valid `info`. `si_addr` is a field of
    // the variant for faults, which a positive code indicates.
    let fault = unsafe { (0 < (*info).si_code).then(|| (*info).si_addr() as usize) };
    if let Some(overflow) = fault.and_then(describe) {
        report_and_abort(&overflow);
    }
    let before = if signal == libc::SIGBUS { &BEFORE_BUS } else { &BEFORE_SEGV };
    let Some(before) = before.get() else { return };
    pass_on(before, signal, info, context, fault.is_some());
}

fn describe(fault: usize) -> Option<Overflow> {
    let describe = DESCRIBE.load(Ordering::Acquire);
    if describe.is_null() {
        return None;
    }
    // SAFETY: only `install` stores here, and it stores a `Describe`.
    let describe: Describe = unsafe { mem::transmute(describe) };
    describe(fault)
}

/// Does what would have happened without this handler.
fn pass_on(
    before: &libc::sigaction,
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
    is_fault: bool,
) {
    match before.sa_sigaction {
        // A fault cannot be ignored; a signal that was sent can.
        libc::SIG_IGN if !is_fault => {}
        libc::SIG_DFL | libc::SIG_IGN => fall_to_default(signal, is_fault),
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

/// Restores the default action, which kills the process. A fault repeats when the handler returns;
/// a signal that was sent has to be sent again, and arrives when the handler returns.
fn fall_to_default(signal: libc::c_int, is_fault: bool) {
    // SAFETY: zeroes are a valid `sigaction` with the default action and an empty mask. `sigaction`
    // and `raise` are async-signal-safe.
    unsafe {
        let mut default: libc::sigaction = mem::zeroed();
        default.sa_sigaction = libc::SIG_DFL;
        libc::sigaction(signal, &default, ptr::null_mut());
        if !is_fault {
            libc::raise(signal);
        }
    }
}

fn report_and_abort(overflow: &Overflow) -> ! {
    // SAFETY: `describe` promises `name_len` readable bytes at `name`, until the process ends.
    let report = unsafe { Report::of(overflow) };
    // SAFETY: the bytes are those of a live array, of that length; `write` and `abort` are
    // async-signal-safe. One call keeps the lines of two threads apart.
    unsafe {
        libc::write(libc::STDERR_FILENO, report.text().as_ptr().cast(), report.text().len());
        libc::abort()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::pool::Pool;
    use crate::stack::report::tests::HELP;
    use crate::stack::size::SizeClass;
    use crate::stack::testing::{in_child, stderr, this_test};
    use std::os::unix::process::ExitStatusExt;
    use std::sync::atomic::AtomicUsize;

    /// The guard that `describe_guard` claims.
    static GUARD: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];

    fn describe_guard(fault: usize) -> Option<Overflow> {
        let [start, end] = [0, 1].map(|i| GUARD[i].load(Ordering::Relaxed));
        let (name, name_len) = (b"parser".as_ptr(), 6);
        let size = 256 << 10;
        (start..end).contains(&fault).then_some(Overflow {
            name,
            name_len,
            id: 12,
            size,
            nested: false,
        })
    }

    fn claim_nothing(_: usize) -> Option<Overflow> {
        None
    }

    /// Writes to an address where nothing is mapped.
    fn fault_at(address: usize) {
        // SAFETY: this ends the child, or enters a handler that does; nothing is written.
        unsafe { ptr::with_exposed_provenance_mut::<u8>(address).write_volatile(1) };
    }

    fn set_action(signal: libc::c_int, handler: usize, flags: libc::c_int) {
        // SAFETY: zeroes are a valid `sigaction`; the handlers below have the signature of `flags`.
        unsafe {
            let mut action: libc::sigaction = mem::zeroed();
            action.sa_sigaction = handler;
            action.sa_flags = flags;
            assert_eq!(libc::sigaction(signal, &action, ptr::null_mut()), 0);
        }
    }

    extern "C" fn plain_handler(signal: libc::c_int) {
        // SAFETY: `_exit` has no preconditions.
        unsafe { libc::_exit(100 + signal) }
    }

    extern "C" fn info_handler(
        signal: libc::c_int,
        info: *mut libc::siginfo_t,
        context: *mut libc::c_void,
    ) {
        // SAFETY: the kernel's `info` of a fault has an address; `_exit` has no preconditions.
        unsafe {
            let seen = (*info).si_addr() as usize == 4096 && !context.is_null();
            libc::_exit(if seen { 50 + signal } else { 1 })
        }
    }

    #[test]
    #[cfg_attr(sanitized, ignore = "the sanitizer has memory and handlers of its own")]
    fn a_touch_of_a_claimed_guard_is_reported_and_aborts() {
        for guards in ["", "mprotect"] {
            let test = this_test!(a_touch_of_a_claimed_guard_is_reported_and_aborts);
            let output = in_child(test, &[("FIBRA_STACK_GUARDS", guards)], || {
                let stack = Pool::new(crate::stack::Keep::FIXED).take(SizeClass::DEFAULT).unwrap();
                GUARD[0].store(stack.guard().start, Ordering::Relaxed);
                GUARD[1].store(stack.guard().end, Ordering::Relaxed);
                let _alt = install(describe_guard).unwrap();
                fault_at(stack.guard().end - 1);
            });
            assert_eq!(output.status.signal(), Some(libc::SIGABRT));
            let report =
                format!("fiber 'parser' (#12) has overflowed its stack of 256 KiB\n{HELP}");
            assert!(stderr(&output).ends_with(&report), "{}", stderr(&output));
        }
    }

    #[test]
    fn an_unclaimed_fault_goes_to_the_handler_before() {
        let test = this_test!(an_unclaimed_fault_goes_to_the_handler_before);
        let table: [(&str, usize, libc::c_int, i32); 2] = [
            ("plain", plain_handler as *const () as usize, 0, 100 + libc::SIGSEGV),
            ("info", info_handler as *const () as usize, libc::SA_SIGINFO, 50 + libc::SIGSEGV),
        ];
        for (name, handler, flags, code) in table {
            // The child runs this loop, too: it must stop at the row for which it was started.
            if std::env::var("FIBRA_TEST_HANDLER").is_ok_and(|wish| wish != name) {
                continue;
            }
            let output = in_child(test, &[("FIBRA_TEST_HANDLER", name)], || {
                set_action(libc::SIGSEGV, handler, flags);
                let _alt = install(claim_nothing).unwrap();
                fault_at(4096);
            });
            assert_eq!(output.status.code(), Some(code), "{name}: {}", stderr(&output));
        }
    }

    #[test]
    fn a_fault_without_a_handler_before_kills_as_ever() {
        let test = this_test!(a_fault_without_a_handler_before_kills_as_ever);
        for (name, action) in [("default", libc::SIG_DFL), ("ignore", libc::SIG_IGN)] {
            if std::env::var("FIBRA_TEST_HANDLER").is_ok_and(|wish| wish != name) {
                continue;
            }
            let output = in_child(test, &[("FIBRA_TEST_HANDLER", name)], || {
                set_action(libc::SIGSEGV, action, 0);
                let _alt = install(claim_nothing).unwrap();
                fault_at(4096);
            });
            assert_eq!(output.status.signal(), Some(libc::SIGSEGV), "{name}");
        }
    }

    #[test]
    fn a_signal_that_was_sent_kills_or_is_ignored_as_before() {
        let test = this_test!(a_signal_that_was_sent_kills_or_is_ignored_as_before);
        let table =
            [("default", libc::SIG_DFL, Some(libc::SIGBUS)), ("ignore", libc::SIG_IGN, None)];
        for (name, action, death) in table {
            if std::env::var("FIBRA_TEST_HANDLER").is_ok_and(|wish| wish != name) {
                continue;
            }
            let output = in_child(test, &[("FIBRA_TEST_HANDLER", name)], || {
                set_action(libc::SIGBUS, action, 0);
                // It would claim every fault, but this signal is not a fault.
                let claim_all = |_| {
                    Some(Overflow { name: ptr::null(), name_len: 0, id: 1, size: 1, nested: false })
                };
                let _alt = install(claim_all).unwrap();
                // SAFETY: `raise` has no preconditions.
                unsafe { libc::raise(libc::SIGBUS) };
            });
            assert_eq!(output.status.signal(), death, "{name}: {}", stderr(&output));
        }
    }

    #[test]
    #[cfg_attr(sanitized, ignore = "the sanitizer has memory and handlers of its own")]
    fn std_still_reports_an_overflow_of_a_thread() {
        let test = this_test!(std_still_reports_an_overflow_of_a_thread);
        let output = in_child(test, &[], || {
            let recurse = || {
                let _alt = install(claim_nothing).unwrap();
                std::hint::black_box(endless());
            };
            let thread = std::thread::Builder::new().name("deep".into()).spawn(recurse);
            let _ = thread.unwrap().join();
        });
        assert_eq!(output.status.signal(), Some(libc::SIGABRT));
        assert!(stderr(&output).contains("thread 'deep'"), "{}", stderr(&output));
    }

    #[expect(unconditional_recursion, reason = "it is there to overflow")]
    fn endless() -> u64 {
        std::hint::black_box(endless()) + 1
    }
}
