//! What the kernel says this process holds (Linux).

use std::fs;

/// Bytes that this process holds, by what they hold.
pub(crate) struct Parts {
    /// Resident memory.
    pub(crate) resident: usize,
    /// The page tables that describe it.
    pub(crate) tables: usize,
}

/// Resident bytes and the page tables that describe them, apart.
pub(crate) fn parts() -> Parts {
    let status = fs::read_to_string("/proc/self/status").expect("Linux shows it here");
    let bytes = |field: &str| -> usize {
        let line = status.lines().find(|line| line.starts_with(field));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        let kilobytes = number.and_then(|number| number.parse::<usize>().ok());
        kilobytes.expect("a field with a number") * 1024
    };
    Parts { resident: bytes("VmRSS:"), tables: bytes("VmPTE:") }
}

/// Resident bytes and the page tables that describe them: what a fiber or thread really costs.
pub(crate) fn held() -> usize {
    let Parts { resident, tables } = parts();
    resident + tables
}
