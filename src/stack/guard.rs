//! Owns how guards are made: by markers in the page tables where the kernel has them, else by
//! `mprotect`.
//!
//! Invariant: after a successful `install` every access to the row faults, until it is unmapped.
//! Discarding pages (`MADV_DONTNEED`) keeps either kind of guard.
#![allow(unsafe_code, reason = "changes the protection of memory")]

use std::io;
use std::ptr;
use std::sync::OnceLock;

use super::limits::Refused;
#[cfg(target_os = "linux")]
use super::marker;

/// How guards are made.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(super) enum Guards {
    /// `MADV_GUARD_INSTALL` (Linux 6.13): a marker in the page table, which splits no mapping.
    #[cfg(target_os = "linux")]
    Markers,
    /// `mprotect(PROT_NONE)`: each guard splits the mapping, and a process may have only so many.
    Protection,
}

/// The guards of neighbouring slots: `count` ranges of `len` bytes, one each `stride` bytes.
#[derive(Copy, Clone, Debug)]
pub(super) struct GuardRow {
    pub(super) start: usize,
    pub(super) len: usize,
    pub(super) stride: usize,
    pub(super) count: usize,
}

impl GuardRow {
    /// Where each guard starts.
    pub(super) fn starts(self) -> impl Iterator<Item = usize> {
        (0..self.count).map(move |i| self.start + i * self.stride)
    }
}

impl Guards {
    /// The best that this system has, found out once.
    ///
    /// The environment variable `FIBRA_STACK_GUARDS=mprotect` asks for protection all the same, so
    /// that a program can be tried as it will run on an older kernel.
    pub(super) fn of_this_system() -> Guards {
        static FOUND: OnceLock<Guards> = OnceLock::new();
        *FOUND.get_or_init(Guards::probe)
    }

    /// Makes every access to the row fault.
    ///
    /// When this fails, no guard of the row can be relied on.
    ///
    /// # Safety
    ///
    /// The row lies in a mapping that this crate owns, in whole pages, and nothing in it is in use.
    pub(super) unsafe fn install(self, row: &GuardRow) -> Result<(), Refused> {
        match self {
            #[cfg(target_os = "linux")]
            // SAFETY: that the row is ours and unused is the caller's contract, for both calls.
            Guards::Markers => match unsafe { marker::install(row) } {
                // Locked memory (`mlockall`) takes no markers.
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => unsafe { protect(row) },
                result => result.map_err(Refused::Marker),
            },
            // SAFETY: that the row is ours and unused is the caller's contract.
            Guards::Protection => unsafe { protect(row) },
        }
    }

    fn probe() -> Guards {
        #[cfg(target_os = "linux")]
        if std::env::var_os("FIBRA_STACK_GUARDS").is_none_or(|wish| wish != "mprotect")
            && marker::is_supported()
        {
            return Guards::Markers;
        }
        Guards::Protection
    }
}

/// Takes all access from the guards of a row.
///
/// A refusal means, as a rule, that the process has as many mappings as it may. The whole row is
/// then opened again: that returns up to two mappings a guard, and leaves the rest of the program
/// some for its own needs, `malloc` among them.
///
/// # Safety
///
/// As for [`Guards::install`].
unsafe fn protect(row: &GuardRow) -> Result<(), Refused> {
    for start in row.starts() {
        // SAFETY: `set_access` wants whole pages of ours that nothing uses, as the caller promised.
        if let Err(error) = unsafe { set_access(start, row.len, libc::PROT_NONE) } {
            let bytes = start - row.start;
            // SAFETY: the same pages, and the unused slots between them; they get the access back
            // that the slab was mapped with. A second refusal leaves guards that nobody relies on.
            let _ = unsafe { set_access(row.start, bytes, libc::PROT_READ | libc::PROT_WRITE) };
            return Err(Refused::Protection(error));
        }
    }
    Ok(())
}

/// # Safety
///
/// The range is whole pages of a mapping that this crate owns, and nothing in it is in use.
unsafe fn set_access(start: usize, bytes: usize, access: i32) -> io::Result<()> {
    // SAFETY: that the range is ours and unused is the caller's contract.
    match unsafe { libc::mprotect(ptr::with_exposed_provenance_mut(start), bytes, access) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
