//! The memory of this process, as the kernel reports it (Linux).

use std::fs;

/// The bytes that this process holds.
pub(crate) struct Parts {
    /// Resident memory.
    pub(crate) resident: usize,
    /// The page tables that describe it.
    pub(crate) tables: usize,
    /// The addresses that are mapped, touched or not.
    #[allow(dead_code, reason = "for the benchmark of limits")]
    pub(crate) addresses: usize,
}

/// Returns what this process holds.
pub(crate) fn parts() -> Parts {
    let status = fs::read_to_string("/proc/self/status").expect("Linux has this file");
    let bytes = |field: &str| -> usize {
        let line = status.lines().find(|line| line.starts_with(field));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        let kilobytes = number.and_then(|number| number.parse::<usize>().ok());
        kilobytes.expect("a field with a number") * 1024
    };
    Parts { resident: bytes("VmRSS:"), tables: bytes("VmPTE:"), addresses: bytes("VmSize:") }
}

/// Returns the resident bytes and their page tables: the memory that fibers or threads really take.
pub(crate) fn held() -> usize {
    let Parts { resident, tables, .. } = parts();
    resident + tables
}
