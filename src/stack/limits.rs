//! Owns the error texts for a kernel that refuses memory: which limit was reached, its value, how
//! to raise it.
//!
//! Invariant: reading the limits allocates nothing until the text is made, because an `ENOMEM` may
//! mean that `malloc` cannot grow either.
#![allow(unsafe_code, reason = "reads resource limits")]

use std::fs::File;
use std::io::{self, Read};

/// The request that the kernel refused.
#[derive(Debug)]
pub(super) enum Refused {
    /// To map a slab of one slot of the given number of bytes.
    Map(usize, io::Error),
    /// To guard a slot by `mprotect`.
    Protection(io::Error),
    /// To guard a slot by a marker.
    #[cfg(target_os = "linux")]
    Marker(io::Error),
}

impl Refused {
    /// Returns the error for the caller that asked for a stack.
    pub(super) fn into_error(self) -> io::Error {
        let limits = Limits::read();
        let source = match &self {
            Refused::Map(_, source) | Refused::Protection(source) => source,
            #[cfg(target_os = "linux")]
            Refused::Marker(source) => source,
        };
        io::Error::new(source.kind(), describe(&self, source, &limits))
    }
}

/// The limits of this process; `None` is unlimited or unknown.
#[derive(Debug, Default)]
struct Limits {
    /// `vm.max_map_count`.
    max_mappings: Option<u64>,
    /// Number of mappings that the process has.
    mappings: Option<u64>,
    /// `RLIMIT_AS`.
    address_space: Option<u64>,
    /// `RLIMIT_DATA`.
    data: Option<u64>,
    /// `vm.overcommit_memory`; at 2 the kernel promises at most as much memory as it has.
    overcommit: Option<u64>,
}

impl Limits {
    fn read() -> Limits {
        Limits {
            max_mappings: number_in("/proc/sys/vm/max_map_count"),
            mappings: lines_in("/proc/self/maps"),
            // SAFETY: both calls write one `rlimit` through a live reference.
            address_space: soft_limit(|limit| unsafe { libc::getrlimit(libc::RLIMIT_AS, limit) }),
            // SAFETY: as above.
            data: soft_limit(|limit| unsafe { libc::getrlimit(libc::RLIMIT_DATA, limit) }),
            overcommit: number_in("/proc/sys/vm/overcommit_memory"),
        }
    }

    /// Returns whether so few mappings are left that a slab or a guard may not get one.
    fn mappings_are_used_up(&self) -> bool {
        match (self.mappings, self.max_mappings) {
            (Some(have), Some(may)) => may <= have + 2,
            _ => false,
        }
    }

    /// Returns the limits that can have stopped the mapping of a slab, each with its remedy.
    fn that_stop_a_mapping(&self) -> Vec<String> {
        if self.mappings_are_used_up() {
            return vec![self.mapping_advice()];
        }
        let mut found = Vec::new();
        if let Some(bytes) = self.address_space {
            found.push(format!(
                "RLIMIT_AS allows the process {bytes} bytes of addresses \
                 (raise it with `ulimit -v`, or `ulimit -v unlimited`)"
            ));
        }
        if let Some(bytes) = self.data {
            found.push(format!(
                "RLIMIT_DATA allows the process {bytes} bytes of private memory \
                 (raise it with `ulimit -d`, or `ulimit -d unlimited`)"
            ));
        }
        if self.overcommit == Some(2) {
            found.push(
                "vm.overcommit_memory is 2, which counts every stack at its full size \
                 (set it with `sysctl -w vm.overcommit_memory=0`, or raise vm.overcommit_ratio)"
                    .to_owned(),
            );
        }
        found
    }

    fn mapping_advice(&self) -> String {
        let may = self.max_mappings.map_or("unknown".to_owned(), |may| may.to_string());
        // Four times the default of 65,530 is what databases and games commonly require.
        let enough = self.max_mappings.unwrap_or(0).saturating_mul(4).max(262_144);
        format!(
            "vm.max_map_count allows the process {may} memory mappings \
             (raise it with `sysctl -w vm.max_map_count={enough}`)"
        )
    }
}

fn describe(refused: &Refused, source: &io::Error, limits: &Limits) -> String {
    match refused {
        Refused::Protection(_) => format!(
            "cannot guard another fiber stack ({source}): {}; a guard made by mprotect takes two \
             mappings, one made by Linux 6.13 or later takes none",
            limits.mapping_advice()
        ),
        #[cfg(target_os = "linux")]
        Refused::Marker(_) => format!(
            "cannot guard another fiber stack: the kernel has no memory for its page tables \
             ({source}); run fewer fibers at once, or give the process (its cgroup) more memory"
        ),
        Refused::Map(bytes, _) => {
            let mut causes = limits.that_stop_a_mapping().join("; and ");
            if causes.is_empty() {
                causes = "the address space is used up (use smaller stacks or fewer fibers)".into();
            }
            format!("cannot map another fiber stack of {bytes} bytes ({source}): {causes}")
        }
    }
}

/// Returns the number in a file of `/proc`.
fn number_in(path: &str) -> Option<u64> {
    let mut text = [0; 24];
    let len = File::open(path).ok()?.read(&mut text).ok()?;
    std::str::from_utf8(&text[..len]).ok()?.trim().parse().ok()
}

/// Counts the lines of a file with a small buffer: there may be tens of thousands.
fn lines_in(path: &str) -> Option<u64> {
    let mut file = File::open(path).ok()?;
    let mut chunk = [0; 2048];
    let mut lines = 0;
    loop {
        match file.read(&mut chunk).ok()? {
            0 => return Some(lines),
            len => lines += chunk[..len].iter().filter(|&&byte| byte == b'\n').count() as u64,
        }
    }
}

/// Returns the soft limit that `read` obtains, if there is one.
#[allow(clippy::unnecessary_cast, clippy::cast_sign_loss, reason = "FreeBSD has signed limits")]
fn soft_limit(read: impl FnOnce(&mut libc::rlimit) -> libc::c_int) -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    let known = read(&mut limit) == 0;
    (known && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::guard::Guards;
    use crate::stack::keep::Keep;
    use crate::stack::pool::Pool;
    use crate::stack::size::SizeClass;
    use crate::stack::testing::{mappings, pass_in_child, this_test};

    type Change = fn(&mut Limits);

    fn refusal() -> io::Error {
        io::Error::from_raw_os_error(libc::ENOMEM)
    }

    #[test]
    fn each_limit_is_named_with_its_value_and_its_remedy() {
        let of = |change: Change| {
            let mut limits = Limits { max_mappings: Some(65_530), ..Limits::default() };
            limits.mappings = Some(40);
            change(&mut limits);
            describe(&Refused::Map(331_776, refusal()), &refusal(), &limits)
        };
        let table: [(Change, &[&str]); 5] = [
            (
                |l| l.mappings = Some(65_529),
                &["vm.max_map_count", "65530", "sysctl -w vm.max_map_count=262144"],
            ),
            (|l| l.address_space = Some(1 << 30), &["RLIMIT_AS", "1073741824", "ulimit -v"]),
            (|l| l.data = Some(1 << 29), &["RLIMIT_DATA", "536870912", "ulimit -d"]),
            (
                |l| l.overcommit = Some(2),
                &["vm.overcommit_memory", "sysctl -w vm.overcommit_memory=0"],
            ),
            (|_| (), &["address space is used up", "331776 bytes"]),
        ];
        for (change, words) in table {
            let text = of(change);
            assert!(words.iter().all(|word| text.contains(word)), "{words:?} in: {text}");
        }
    }

    #[test]
    fn a_larger_mapping_limit_is_advised_upwards() {
        let limits = Limits { max_mappings: Some(1_000_000), ..Limits::default() };
        let text = describe(&Refused::Protection(refusal()), &refusal(), &limits);
        assert!(text.contains("allows the process 1000000"), "{text}");
        assert!(text.contains("vm.max_map_count=4000000"), "{text}");
    }

    #[test]
    fn the_kind_of_the_error_is_kept() {
        assert_eq!(Refused::Map(1, refusal()).into_error().kind(), io::ErrorKind::OutOfMemory);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_limits_of_this_process_are_read() {
        // In a child process, because other tests map and unmap stacks between the two counts.
        pass_in_child(this_test!(the_limits_of_this_process_are_read), &[], || {
            let limits = Limits::read();
            assert!(limits.max_mappings.is_some() && limits.overcommit.is_some());
            let have = mappings() as u64;
            assert!(limits.mappings.is_some_and(|read| read.abs_diff(have) < 10), "{limits:?}");
        });
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn too_many_mappings_is_an_error_that_loses_nothing() {
        let test = this_test!(too_many_mappings_is_an_error_that_loses_nothing);
        pass_in_child(test, &[("FIBRA_STACK_GUARDS", "mprotect")], || {
            assert_eq!(Guards::of_this_system(), Guards::Protection);
            let most = number_in("/proc/sys/vm/max_map_count").unwrap();
            let mut pool = Pool::new(Keep::FIXED);
            let mut stacks = Vec::new();
            let error = loop {
                match pool.take(SizeClass::for_bytes(0)) {
                    Ok(stack) => stacks.push(stack),
                    Err(error) => break error,
                }
                assert!((stacks.len() as u64) < most, "no guard took a mapping");
            };
            let text = error.to_string();
            let allows = format!("vm.max_map_count allows the process {most} memory mappings");
            assert!(text.contains(&allows), "{text}");
            assert!(text.contains("sysctl -w vm.max_map_count="), "{text}");
            assert!(most / 2 - 1_000 < stacks.len() as u64, "only {} stacks", stacks.len());
            // The rest of the program still has mappings to live on.
            assert!((mappings() as u64) < most - 100);
            pool.give(stacks.pop().unwrap());
            assert!(pool.take(SizeClass::for_bytes(0)).is_ok());
        });
    }

    #[test]
    #[cfg(target_os = "linux")]
    #[cfg_attr(sanitized, ignore = "the sanitizer has memory and handlers of its own")]
    fn too_few_addresses_is_an_error_that_leaves_some_for_others() {
        let test = this_test!(too_few_addresses_is_an_error_that_leaves_some_for_others);
        pass_in_child(test, &[], || {
            let bytes = 1 << 30;
            let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
            // SAFETY: reads one live `rlimit`; it constrains this child alone.
            assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
            let mut pool = Pool::new(Keep::FIXED);
            let mut stacks = Vec::new();
            let error = loop {
                match pool.take(SizeClass::MAIN) {
                    Ok(stack) => stacks.push(stack),
                    Err(error) => break error,
                }
            };
            let text = error.to_string();
            assert!(text.contains("RLIMIT_AS allows the process 1073741824 bytes"), "{text}");
            assert!(100 < stacks.len(), "only {} stacks", stacks.len());
            assert_eq!(vec![1u8; 8 << 20].len(), 8 << 20);
            pool.give(stacks.pop().unwrap());
            assert!(pool.take(SizeClass::MAIN).is_ok());
        });
    }
}
