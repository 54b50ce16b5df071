//! Owns the report of a stack overflow: the handler for SIGSEGV and SIGBUS, and its text.
//!
//! Invariants of the handler, which interrupts any code at any instruction:
//! - It allocates nothing, takes no lock and calls only async-signal-safe functions.
//! - It speaks only of faults that `describe` claims; all others go to the handler before it.
#![allow(unsafe_code, reason = "installs and runs a signal handler")]

use std::io;
use std::mem;
use std::ptr;
use std::slice;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::altstack::AltStack;

/// Says whose guard the address `fault` lies in, if it is the guard of the stack that this thread
/// runs on. It is called in a signal handler, so it must be async-signal-safe.
pub(crate) type Describe = fn(fault: usize) -> Option<Overflow>;

/// A fiber that has overflowed its stack.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Overflow {
    /// Its name, `name_len` bytes of UTF-8 that live until the process ends; unused if that is zero.
    pub(crate) name: *const u8,
    /// The length of the name; zero for a fiber without one.
    pub(crate) name_len: usize,
    /// Its number.
    pub(crate) id: u64,
    /// The usable size of its stack, in bytes.
    pub(crate) size: usize,
}

/// Sees to it that overflows are reported, on every thread that holds an [`AltStack`].
///
/// The handler is installed by the first call and stays until the process ends. The `describe` of
/// the latest call is the one in force.
///
/// # Errors
///
/// What `sigaction` or [`AltStack`]'s calls reported.
pub(crate) fn install(describe: Describe) -> io::Result<AltStack> {
    let alt_stack = AltStack::for_this_thread()?;
    DESCRIBE.store(describe as *mut (), Ordering::Release);
    static INSTALLED: Mutex<bool> = Mutex::new(false);
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    if !*installed {
        hook(libc::SIGSEGV, &BEFORE_SEGV)?;
        hook(libc::SIGBUS, &BEFORE_BUS)?;
        *installed = true;
    }
    Ok(alt_stack)
}

/// The `Describe` in force.
static DESCRIBE: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());
/// The handlers that stood before ours. They are set once, before ours can run, and then only read,
/// which is an atomic load.
static BEFORE_SEGV: OnceLock<libc::sigaction> = OnceLock::new();
static BEFORE_BUS: OnceLock<libc::sigaction> = OnceLock::new();

fn hook(signal: libc::c_int, before: &OnceLock<libc::sigaction>) -> io::Result<()> {
    let earlier = action_for(signal)?;
    let earlier = before.get_or_init(|| earlier);
    let mut ours = *earlier;
    ours.sa_sigaction = on_fault as *const () as usize;
    // The earlier handler's mask and `SA_NODEFER` stay: it may rely on them, and leave by a jump.
    ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | (earlier.sa_flags & libc::SA_NODEFER);
    // SAFETY: `ours` is a whole `sigaction` whose handler has the signature that `SA_SIGINFO` wants
    // and is async-signal-safe; the old one is not asked for.
    check(unsafe { libc::sigaction(signal, &ours, ptr::null_mut()) })
}

fn action_for(signal: libc::c_int) -> io::Result<libc::sigaction> {
    // SAFETY: `sigaction` is a C struct of integers, for which zeroes are valid.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: a null new action changes nothing; the present one is written to a live struct.
    check(unsafe { libc::sigaction(signal, ptr::null(), &mut action) })?;
    Ok(action)
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The handler.
extern "C" fn on_fault(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: the kernel calls a `SA_SIGINFO` handler with a valid `info`. `si_addr` is a field of
    // the faults' variant, which a positive code announces.
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
    // SAFETY: only `install` stores here, and what it stores is a `Describe`.
    let describe: Describe = unsafe { mem::transmute(describe) };
    describe(fault)
}

/// Does what would have happened without our handler.
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
            // SAFETY: `SA_SIGINFO` says that the handler has this signature; it gets the arguments
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

/// Restores the default action, which kills. A fault repeats when the handler returns; a signal that
/// was sent has to be sent again, and arrives when the handler returns.
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
    let mut report = Report::new();
    report.fill(overflow);
    // SAFETY: the bytes are a live array's, of that length; `write` and `abort` are
    // async-signal-safe. One call keeps the lines of two threads apart.
    unsafe {
        libc::write(libc::STDERR_FILENO, report.text().as_ptr().cast(), report.text().len());
        libc::abort()
    }
}

/// A text in a fixed buffer; what does not fit is cut. The alternate signal stack may be small, so
/// the buffer is, too.
struct Report {
    bytes: [u8; 512],
    len: usize,
}

/// Longer names are cut so that the advice always fits.
const LONGEST_NAME: usize = 128;

impl Report {
    fn new() -> Report {
        Report { bytes: [0; 512], len: 0 }
    }

    fn text(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn fill(&mut self, overflow: &Overflow) {
        self.push(b"fiber ");
        if overflow.name_len != 0 {
            // SAFETY: whoever described the overflow promises so many bytes at `name`.
            let name = unsafe { slice::from_raw_parts(overflow.name, overflow.name_len) };
            self.push(b"'");
            self.push(cut(name, LONGEST_NAME));
            self.push(b"' (#");
            self.push_number(overflow.id);
            self.push(b")");
        } else {
            self.push(b"#");
            self.push_number(overflow.id);
        }
        self.push(b" has overflowed its stack of ");
        self.push_size(overflow.size);
        self.push(b"\nhelp: give it more with `fibra::Builder::new().stack_size(bytes)`, ");
        self.push(b"or recurse less\nfatal runtime error: stack overflow, aborting\n");
    }

    fn push(&mut self, text: &[u8]) {
        for &byte in text {
            let Some(place) = self.bytes.get_mut(self.len) else { return };
            *place = byte;
            self.len += 1;
        }
    }

    fn push_number(&mut self, mut number: u64) {
        let mut digits = [0; 20];
        let mut first = digits.len();
        loop {
            first -= 1;
            digits[first] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.push(&digits[first..]);
    }

    /// A size in the largest unit that leaves no remainder.
    fn push_size(&mut self, bytes: usize) {
        let bytes = bytes as u64;
        let units: [(u64, &[u8]); 3] = [(1 << 30, b" GiB"), (1 << 20, b" MiB"), (1 << 10, b" KiB")];
        let fits = units.iter().find(|(unit, _)| bytes != 0 && bytes % unit == 0);
        let &(unit, name) = fits.unwrap_or(&(1, b" bytes"));
        self.push_number(bytes / unit);
        self.push(name);
    }
}

/// At most `most` bytes of a text, cut before a character and not within it.
fn cut(text: &[u8], most: usize) -> &[u8] {
    if text.len() <= most {
        return text;
    }
    let mut end = most;
    while 0 < end && text[end] & 0b1100_0000 == 0b1000_0000 {
        end -= 1;
    }
    &text[..end]
}
