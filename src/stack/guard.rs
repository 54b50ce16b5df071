//! Owns how guards are made: by markers in the page tables where the kernel has them, otherwise by
//! `mprotect`.
//!
//! Invariant: after a successful `install` every access to the row faults until the row is
//! unmapped. Discarding pages (`MADV_DONTNEED`) keeps either kind of guard.
#![allow(unsafe_code, reason = "changes the protection of memory")]

use std::io;
use std::ptr;
use std::sync::OnceLock;

use super::limits::Refused;
#[cfg(target_os = "linux")]
use super::marker;
use super::slab;
use super::slot::{Shape, Stack};

/// A way of making guards.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(super) enum Guards {
    /// `MADV_GUARD_INSTALL` (Linux 6.13): a marker in the page table, which splits no mapping.
    #[cfg(target_os = "linux")]
    Markers,
    /// `mprotect(PROT_NONE)`: each guard splits the mapping, and the number of mappings per process
    /// is limited.
    Protection,
}

/// The guards of neighbouring slots: `count` ranges of `len` bytes, one every `stride` bytes.
#[derive(Copy, Clone, Debug)]
pub(super) struct GuardRow {
    pub(super) start: usize,
    pub(super) len: usize,
    pub(super) stride: usize,
    pub(super) count: usize,
}

impl GuardRow {
    /// Returns the start of each guard.
    pub(super) fn starts(self) -> impl Iterator<Item = usize> {
        (0..self.count).map(move |i| self.start + i * self.stride)
    }
}

impl Guards {
    /// Returns the best way that this system has, determined once.
    ///
    /// The environment variable `FIBRA_STACK_GUARDS=mprotect` selects protection even so, so that a
    /// program can be tested the way it will run on an older kernel.
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
    /// The row must lie in a mapping that this crate owns, in whole pages, and nothing in it may be
    /// in use.
    pub(super) unsafe fn install(self, row: &GuardRow) -> Result<(), Refused> {
        match self {
            #[cfg(target_os = "linux")]
            // SAFETY: the caller answers for the row being this crate's and unused.
            Guards::Markers => match unsafe { marker::install(row) } {
                Ok(()) => Ok(()),
                // Locked memory (`mlockall`) accepts no markers.
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                    // SAFETY: as above; markers that were made before the refusal do no harm.
                    unsafe { protect(row) }
                }
                Err(error) => Err(Refused::Marker(error)),
            },
            // SAFETY: the caller answers for the row being this crate's and unused.
            Guards::Protection => unsafe { protect(row) },
        }
    }

    /// Opens a stack that was closed, and guards it again. If this fails, the stack must not be
    /// used.
    pub(super) fn open(self, stack: &Stack) -> Result<(), Refused> {
        let stride = Shape::of(stack.class()).stride();
        let (start, len) = (stack.limit().get(), stack.guard().len());
        // SAFETY: the slot is whole pages of a slab of this crate, and nothing runs on a stack that
        // was given back, as every closed one was.
        unsafe {
            set_access(start, stride, libc::PROT_READ | libc::PROT_WRITE)
                .map_err(Refused::Protection)?;
            self.install(&GuardRow { start, len, stride, count: 1 })
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

/// Removes the pages and all access from a stack that nothing runs on: from the guard up to the
/// top, so that neighbours that are closed form one mapping.
///
/// A refusal by the kernel leaves the stack open, which only hides mistakes.
pub(super) fn close(stack: &Stack) {
    slab::discard(std::slice::from_ref(stack));
    // SAFETY: the slot is whole pages of a slab of this crate, and nothing runs on a stack that its
    // owner has given back.
    let _ = unsafe {
        set_access(stack.limit().get(), Shape::of(stack.class()).stride(), libc::PROT_NONE)
    };
}

/// Removes all access from the guards of a row.
///
/// A refusal usually means that the process has reached its limit of mappings. The whole row is
/// then opened again: that returns up to two mappings per guard, and leaves the rest of the program
/// some for its own needs, `malloc` among them.
///
/// # Safety
///
/// The same as for [`Guards::install`].
unsafe fn protect(row: &GuardRow) -> Result<(), Refused> {
    for start in row.starts() {
        // SAFETY: `set_access` requires whole pages of this crate that nothing uses, as the caller
        // promised.
        if let Err(error) = unsafe { set_access(start, row.len, libc::PROT_NONE) } {
            let bytes = start - row.start;
            // SAFETY: the same pages, and the unused slots between them; they get back the access
            // that the slab was mapped with. A second refusal leaves guards that nothing relies on.
            let _ = unsafe { set_access(row.start, bytes, libc::PROT_READ | libc::PROT_WRITE) };
            return Err(Refused::Protection(error));
        }
    }
    Ok(())
}

/// Sets the protection of a range.
///
/// # Safety
///
/// The range must be whole pages of a mapping that this crate owns, and nothing in it may be in
/// use.
unsafe fn set_access(start: usize, bytes: usize, access: i32) -> io::Result<()> {
    // SAFETY: the caller answers for the range being this crate's and unused.
    match unsafe { libc::mprotect(ptr::with_exposed_provenance_mut(start), bytes, access) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::size::SizeClass;
    use crate::stack::slab::{self, Slab};
    use crate::stack::slot::page_size;
    use crate::stack::testing::{
        every_kind_of_guards, faults, look, pass_in_child, this_test, touch,
    };

    #[test]
    fn every_page_of_a_guard_faults_and_no_usable_page_does() {
        for guards in every_kind_of_guards() {
            let mut slab = Slab::map(SizeClass::DEFAULT, 300, 0, slab::map_from_kernel).unwrap();
            let mut stacks = Vec::new();
            slab.carve(300, guards(), &mut stacks).unwrap();
            assert_eq!(stacks.len(), 300);
            for stack in &stacks {
                let guard = stack.guard();
                assert!(17 * page_size() <= guard.len());
                assert!(guard.clone().step_by(page_size()).all(faults), "{:?}", guards());
                assert!(faults(guard.end - 1));
                assert!(!faults(guard.end) && !faults(stack.base().get() - 1));
            }
        }
    }

    #[test]
    fn guards_survive_a_discard_and_contents_do_not() {
        for guards in every_kind_of_guards() {
            let mut slab = Slab::map(SizeClass::DEFAULT, 8, 0, slab::map_from_kernel).unwrap();
            let mut stacks = Vec::new();
            slab.carve(8, guards(), &mut stacks).unwrap();
            stacks.iter().for_each(|stack| touch(stack.base().get(), 7));
            stacks.sort_unstable_by_key(|stack| stack.limit());
            let kept = stacks.remove(3);
            slab::discard(&stacks);
            for stack in &stacks {
                assert!(stack.guard().step_by(page_size()).all(faults), "{:?}", guards());
                if cfg!(target_os = "linux") {
                    assert_eq!(look(stack.base().get()), 0);
                }
            }
            assert_eq!(look(kept.base().get()), 7);
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn locked_memory_is_guarded_all_the_same() {
        pass_in_child(this_test!(locked_memory_is_guarded_all_the_same), &[], || {
            // SAFETY: it changes how this child's memory is backed, and nothing else.
            if unsafe { libc::mlockall(libc::MCL_FUTURE | libc::MCL_ONFAULT) } != 0 {
                return; // Not permitted here, so there is nothing to test.
            }
            let stack = crate::stack::Pool::new(crate::stack::Keep::FIXED)
                .take(SizeClass::DEFAULT)
                .unwrap();
            assert!(stack.guard().step_by(page_size()).all(faults));
            touch(stack.base().get(), 1);
        });
    }

    #[test]
    fn the_environment_can_ask_for_protection() {
        let test = this_test!(the_environment_can_ask_for_protection);
        pass_in_child(test, &[("FIBRA_STACK_GUARDS", "mprotect")], || {
            assert_eq!(Guards::of_this_system(), Guards::Protection);
        });
    }

    #[test]
    fn a_protection_that_is_refused_opens_its_row_again() {
        // In a child, because another thread might map something into the gap.
        pass_in_child(this_test!(a_protection_that_is_refused_opens_its_row_again), &[], || {
            let page = page_size();
            let start = slab::map_from_kernel(4 * page).unwrap().get();
            // SAFETY: the uppermost page of a mapping just made.
            unsafe { libc::munmap(ptr::with_exposed_provenance_mut(start + 3 * page), page) };
            let row = GuardRow { start, len: page, stride: 3 * page, count: 2 };
            // SAFETY: nothing lives in the row, whose second guard is the gap.
            let refused = unsafe { Guards::Protection.install(&row) };
            assert!(matches!(refused, Err(Refused::Protection(_))));
            assert!(!faults(start));
        });
    }
}
