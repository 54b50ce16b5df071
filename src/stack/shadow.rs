//! Owns the check for CET shadow stacks, with which stacks cannot be switched.
#![allow(unsafe_code, reason = "a system call that the libc crate does not wrap")]

use std::io;

/// Returns an error if this thread runs with a shadow stack.
///
/// The CPU then keeps a second copy of all return addresses. The context switch does not maintain
/// it, so the first return on another stack would fault; an error before that explains the cause.
pub(crate) fn refuse_shadow_stack() -> io::Result<()> {
    decide(status())
}

/// `ARCH_SHSTK_SHSTK`: this thread has a shadow stack.
const SHADOW_STACK: u64 = 1 << 0;

/// Decides by the features in force; `None` where the kernel does not support shadow stacks.
fn decide(features: Option<u64>) -> io::Result<()> {
    match features {
        Some(features) if features & SHADOW_STACK != 0 => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "this thread runs with a CET shadow stack, under which switching to the stack of a \
             fiber faults; start the program without shadow stacks, for example with \
             `GLIBC_TUNABLES=glibc.cpu.hwcaps=-SHSTK` in its environment",
        )),
        _ => Ok(()),
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn status() -> Option<u64> {
    /// `ARCH_SHSTK_STATUS`, since Linux 6.6.
    const STATUS: libc::c_int = 0x5005;
    let mut features: u64 = 0;
    // SAFETY: with this code the kernel writes one `u64` through its second argument, which is a
    // live and exclusive reference; older kernels refuse the code and write nothing.
    let result = unsafe { libc::syscall(libc::SYS_arch_prctl, STATUS, &raw mut features) };
    (result == 0).then_some(features)
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn status() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shadow_stack_is_refused_with_the_way_out() {
        let error = decide(Some(SHADOW_STACK | 1 << 1)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
        let text = error.to_string();
        assert!(text.contains("shadow stack"), "{text}");
        assert!(text.contains("GLIBC_TUNABLES=glibc.cpu.hwcaps=-SHSTK"), "{text}");
    }

    #[test]
    fn no_shadow_stack_is_fine() {
        assert!(decide(Some(0)).is_ok());
        // Writing to shadow stacks is allowed, but none is in force.
        assert!(decide(Some(1 << 1)).is_ok());
        assert!(decide(None).is_ok());
    }

    #[test]
    fn this_thread_gets_the_answer_that_its_status_asks_for() {
        assert_eq!(refuse_shadow_stack().is_ok(), decide(status()).is_ok());
    }
}
