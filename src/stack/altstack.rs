//! Owns a thread's alternate signal stack, on which the handler runs once the fiber's stack is
//! full.
//!
//! Invariant: the memory outlives its registration with the kernel.
#![allow(unsafe_code, reason = "maps memory and registers it with sigaltstack")]

use std::io;
use std::marker::PhantomData;
use std::mem;
use std::ptr;

use super::slot::page_size;

/// The alternate signal stack of the thread that created it. The same thread must drop it.
///
/// A thread that already has one (std installs one in its threads) keeps that.
#[derive(Debug)]
#[must_use = "dropping it removes the signal stack"]
pub(crate) struct AltStack {
    /// The mapped memory, with its guard at the low end; `None` if the thread had a stack already.
    mapping: Option<Mapping>,
    /// Makes the type `!Send`: the stack is registered with one thread.
    _thread: PhantomData<*mut ()>,
}

#[derive(Debug)]
struct Mapping {
    start: *mut libc::c_void,
    bytes: usize,
}

impl AltStack {
    /// Ensures that this thread has an alternate signal stack.
    ///
    /// # Errors
    ///
    /// Returns the error of `sigaltstack`, `mmap` or `mprotect`.
    pub(super) fn for_this_thread() -> io::Result<AltStack> {
        if current()?.ss_flags & libc::SS_DISABLE == 0 {
            return Ok(AltStack { mapping: None, _thread: PhantomData });
        }
        let mapping = Mapping::new(handler_bytes())?;
        register(&mapping.as_signal_stack())?;
        Ok(AltStack { mapping: Some(mapping), _thread: PhantomData })
    }
}

impl Drop for AltStack {
    fn drop(&mut self) {
        let Some(mapping) = self.mapping.take() else { return };
        let ours = mapping.as_signal_stack().ss_sp;
        let disabled =
            libc::stack_t { ss_sp: ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
        // Other code may have registered another stack since; that one stays.
        let freed = match current() {
            Ok(now) if now.ss_sp == ours => register(&disabled).is_ok(),
            Ok(_) => true,
            Err(_) => false,
        };
        if !freed {
            // Still registered, so it must stay mapped.
            mem::forget(mapping);
        }
    }
}

impl Mapping {
    fn new(usable: usize) -> io::Result<Mapping> {
        let bytes = page_size() + usable.next_multiple_of(page_size());
        let start = super::slab::map_from_kernel(bytes)?;
        let start = ptr::with_exposed_provenance_mut(start.get());
        let mapping = Mapping { start, bytes };
        // SAFETY: the lowest page of a mapping just made, in which nothing lives.
        if unsafe { libc::mprotect(start, page_size(), libc::PROT_NONE) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(mapping)
    }

    fn as_signal_stack(&self) -> libc::stack_t {
        libc::stack_t {
            ss_sp: self.start.wrapping_byte_add(page_size()),
            ss_flags: 0,
            ss_size: self.bytes - page_size(),
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this is the whole mapping that `new` made. It is not registered: `AltStack`
        // unregisters it first, and forgets the mapping where it cannot.
        unsafe { libc::munmap(self.start, self.bytes) };
    }
}

/// Returns the size of a handler's stack: what the kernel saves of the registers (more with AVX-512
/// or AMX), and room for handlers.
fn handler_bytes() -> usize {
    #[cfg(target_os = "linux")]
    // SAFETY: `getauxval` has no preconditions; it returns zero for unknown keys.
    let frame = unsafe { libc::getauxval(libc::AT_MINSIGSTKSZ) } as usize;
    #[cfg(not(target_os = "linux"))]
    let frame = libc::MINSIGSTKSZ;
    frame + (16 << 10)
}

fn current() -> io::Result<libc::stack_t> {
    let mut now = libc::stack_t { ss_sp: ptr::null_mut(), ss_flags: 0, ss_size: 0 };
    // SAFETY: a null new stack changes nothing; the current one is written to a live `stack_t`.
    match unsafe { libc::sigaltstack(ptr::null(), &mut now) } {
        0 => Ok(now),
        _ => Err(io::Error::last_os_error()),
    }
}

fn register(stack: &libc::stack_t) -> io::Result<()> {
    // SAFETY: `stack` is read during the call. If it enables a stack, that is a live mapping which
    // its `AltStack` keeps until it has been unregistered.
    match unsafe { libc::sigaltstack(stack, ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::testing::faults;

    /// Runs `body` on a thread whose alternate signal stack, std's, has been taken away.
    fn on_bare_thread(body: impl FnOnce() + Send + 'static) {
        #[allow(clippy::disallowed_methods, reason = "joined below")]
        let thread = std::thread::spawn(|| {
            let none =
                libc::stack_t { ss_sp: ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
            register(&none).unwrap();
            body();
        });
        thread.join().unwrap();
    }

    #[test]
    fn a_bare_thread_gets_a_guarded_stack_and_loses_it_again() {
        on_bare_thread(|| {
            let alt = AltStack::for_this_thread().unwrap();
            let now = current().unwrap();
            assert_eq!(now.ss_flags & libc::SS_DISABLE, 0);
            assert!(16 << 10 <= now.ss_size);
            assert!(faults(now.ss_sp as usize - 1) && !faults(now.ss_sp as usize));
            drop(alt);
            assert_ne!(current().unwrap().ss_flags & libc::SS_DISABLE, 0);
        });
    }

    #[test]
    fn a_thread_that_has_one_keeps_it() {
        on_bare_thread(|| {
            let first = AltStack::for_this_thread().unwrap();
            let before = current().unwrap().ss_sp;
            drop(AltStack::for_this_thread().unwrap());
            assert_eq!(current().unwrap().ss_sp, before);
            assert!(!faults(before as usize));
            drop(first);
        });
    }

    #[test]
    fn one_that_was_registered_later_stays() {
        on_bare_thread(|| {
            let alt = AltStack::for_this_thread().unwrap();
            let later = Mapping::new(handler_bytes()).unwrap();
            register(&later.as_signal_stack()).unwrap();
            drop(alt);
            assert_eq!(current().unwrap().ss_sp, later.as_signal_stack().ss_sp);
            let none =
                libc::stack_t { ss_sp: ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
            register(&none).unwrap();
        });
    }
}
