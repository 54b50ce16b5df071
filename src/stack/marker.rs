//! Owns guard markers: Linux's `MADV_GUARD_INSTALL`, in one call for many guards where the kernel
//! allows it.
//!
//! A marker lives in the page table entry of a page. It splits no mapping, survives
//! `MADV_DONTNEED`, is inherited by `fork`, and makes every access fault with SIGSEGV.
#![allow(unsafe_code, reason = "system calls that the libc crate does not wrap")]

use std::io;
use std::ptr;

use super::guard::GuardRow;
use super::slot::page_size;

/// `MADV_GUARD_INSTALL`, available since Linux 6.13, and missing from some versions of the libc
/// crate.
const GUARD_INSTALL: libc::c_int = 102;

/// `PIDFD_SELF`, available since Linux 6.14: names the calling process where a pidfd is expected.
const THIS_PROCESS: libc::c_int = -10_000;

/// Number of guards marked in one call. Beyond 16 a larger number gains little; the kernel's limit
/// is 1,024.
const BATCH: usize = 128;

/// Puts markers on every guard of a row.
///
/// # Safety
///
/// The row must lie in a mapping that this crate owns, in whole pages, and nothing in it may be in
/// use.
pub(super) unsafe fn install(row: &GuardRow) -> io::Result<()> {
    let mut starts = row.starts();
    loop {
        let mut ranges = [libc::iovec { iov_base: ptr::null_mut(), iov_len: row.len }; BATCH];
        let mut count = 0;
        for (range, start) in ranges.iter_mut().zip(&mut starts) {
            range.iov_base = ptr::with_exposed_provenance_mut(start);
            count += 1;
        }
        if count == 0 {
            return Ok(());
        }
        // SAFETY: the ranges are guards of the row, for which the caller answers.
        unsafe { mark(&ranges[..count])? };
        if count < BATCH {
            return Ok(());
        }
    }
}

/// Returns whether the kernel supports markers, which is tried on a freshly mapped page.
pub(super) fn is_supported() -> bool {
    let Ok(start) = super::slab::map_from_kernel(page_size()) else { return false };
    let page = ptr::with_exposed_provenance_mut(start.get());
    // SAFETY: the page was mapped just above and nothing else refers to it, so it may be marked and
    // unmapped.
    unsafe {
        let known = libc::madvise(page, page_size(), GUARD_INSTALL) == 0;
        libc::munmap(page, page_size());
        known
    }
}

/// Marks every range, in one call where the kernel and the sandbox allow it, otherwise one by one.
///
/// # Safety
///
/// The ranges must be whole pages of mappings that this crate owns, and nothing in them may be in
/// use. This holds for every function below as well.
unsafe fn mark(ranges: &[libc::iovec]) -> io::Result<()> {
    // SAFETY: the caller answers for the ranges, in all three calls.
    unsafe {
        let marked = process_madvise(THIS_PROCESS, ranges).or_else(|| mark_by_pidfd(ranges));
        mark_singly(&ranges[marked.unwrap_or(0)..])
    }
}

/// Marks by a pidfd of this process, for Linux 6.13, which does not know [`THIS_PROCESS`] yet. The
/// descriptor is not kept: after a `fork` it would still name the parent.
///
/// # Safety
///
/// The same as for [`mark`].
unsafe fn mark_by_pidfd(ranges: &[libc::iovec]) -> Option<usize> {
    // SAFETY: `pidfd_open` reads its two integers and returns a new descriptor or -1.
    let pidfd = unsafe { libc::syscall(libc::SYS_pidfd_open, libc::getpid(), 0) };
    let Ok(pidfd @ 0..) = libc::c_int::try_from(pidfd) else { return None };
    // SAFETY: the caller answers for the ranges. The descriptor was opened here, names this
    // process, and is closed once.
    unsafe {
        let marked = process_madvise(pidfd, ranges);
        libc::close(pidfd);
        marked
    }
}

/// Marks the ranges one call each.
///
/// # Safety
///
/// The same as for [`mark`].
unsafe fn mark_singly(ranges: &[libc::iovec]) -> io::Result<()> {
    for range in ranges {
        // SAFETY: the caller answers for the range.
        if unsafe { libc::madvise(range.iov_base, range.iov_len, GUARD_INSTALL) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Marks ranges in one call. Returns how many of them, from the first, were marked; `None` if the
/// call was refused.
///
/// # Safety
///
/// The same as for [`mark`]; and `process` must name this process.
unsafe fn process_madvise(process: libc::c_int, ranges: &[libc::iovec]) -> Option<usize> {
    // SAFETY: the kernel reads `ranges.len()` iovecs from a live slice; the caller answers for the
    // ranges that they name; the last argument, flags, must be zero.
    let bytes = unsafe {
        libc::syscall(
            libc::SYS_process_madvise,
            process,
            ranges.as_ptr(),
            ranges.len(),
            GUARD_INSTALL,
            0,
        )
    };
    // The kernel may stop early and returns the number of bytes marked; all ranges have the same
    // length.
    usize::try_from(bytes).ok().map(|bytes| bytes / ranges[0].iov_len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::slab::map_from_kernel;
    use crate::stack::testing::faults;

    /// Maps ten pages and lets `mark` put markers on the even ones.
    fn assert_marks(mark: unsafe fn(&[libc::iovec]) -> Option<usize>) {
        let page = page_size();
        let start = map_from_kernel(10 * page).unwrap().get();
        let range = |i: usize| libc::iovec {
            iov_base: ptr::with_exposed_provenance_mut(start + 2 * i * page),
            iov_len: page,
        };
        let ranges: Vec<_> = (0..5).map(range).collect();
        // SAFETY: the ranges are pages of a mapping just made.
        assert_eq!(unsafe { mark(&ranges) }, Some(5));
        for i in 0..10 {
            assert_eq!(faults(start + i * page), i % 2 == 0, "page {i}");
        }
    }

    #[test]
    fn each_way_of_marking_marks_all_ranges() {
        if !is_supported() {
            return; // An older kernel has no markers to test.
        }
        assert_marks(|ranges| {
            // SAFETY: `assert_marks` answers for the ranges.
            unsafe { mark(ranges) }.ok().map(|()| ranges.len())
        });
        assert_marks(|ranges| {
            // SAFETY: as above.
            unsafe { mark_singly(ranges) }.ok().map(|()| ranges.len())
        });
        assert_marks(|ranges| {
            // SAFETY: as above; -1 is not a descriptor, so the kernel refuses it.
            assert_eq!(unsafe { process_madvise(-1, ranges) }, None);
            // SAFETY: as above.
            unsafe { mark_by_pidfd(ranges) }
        });
    }

    #[test]
    fn rows_longer_than_a_batch_are_marked_to_the_end() {
        if !is_supported() {
            return;
        }
        let page = page_size();
        let count = 2 * BATCH + 3;
        let start = map_from_kernel(2 * count * page).unwrap().get();
        let row = GuardRow { start, len: page, stride: 2 * page, count };
        // SAFETY: the row lies in a mapping just made.
        unsafe { install(&row) }.unwrap();
        assert!(row.starts().all(|guard| faults(guard) && !faults(guard + page)));
    }
}
