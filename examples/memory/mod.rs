//! What the kernel says this process holds (Linux).

use std::fs;

/// Resident bytes and the page tables that describe them: what a fiber or thread really costs.
pub(crate) fn held() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("Linux shows it here");
    let kilobytes = |field: &str| -> usize {
        let line = status.lines().find(|line| line.starts_with(field));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        number.and_then(|number| number.parse().ok()).expect("a field with a number")
    };
    (kilobytes("VmRSS:") + kilobytes("VmPTE:")) * 1024
}
