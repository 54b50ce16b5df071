//! Pinning a thread to one processor.

/// Restores the set of processors of this thread when it is dropped.
#[derive(Debug)]
pub(crate) struct Pinned {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    before: Option<rustix::thread::CpuSet>,
}

/// Pins this thread to one processor: of those on which it may run now, the one with this index,
/// modulo their number. Does nothing on systems that cannot pin, and if the system refuses.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn to(index: usize) -> Pinned {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let Ok(allowed) = sched_getaffinity(None) else { return Pinned { before: None } };
    let all: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|&cpu| allowed.is_set(cpu)).collect();
    let Some(&cpu) = all.get(index % all.len().max(1)) else { return Pinned { before: None } };
    let mut one = CpuSet::new();
    one.set(cpu);
    Pinned { before: sched_setaffinity(None, &one).is_ok().then_some(allowed) }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn to(_index: usize) -> Pinned {
    Pinned {}
}

impl Drop for Pinned {
    fn drop(&mut self) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Some(before) = &self.before {
            let _ = rustix::thread::sched_setaffinity(None, before);
        }
    }
}
