//! The resources of the machine that the driver uses: two processors, many open files, clocks.
//!
//! The server runs on the first processor that this process may use, the load generator on the
//! second. With only one processor they share it, which is sufficient to see that everything works.
//! A server with two threads shares both processors with the load generator.

#![allow(unsafe_code, reason = "the clock of another process, which no safe crate reads")]

use std::fs;
use std::io;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

use crate::Failure;

/// The numbers of the two processors.
#[derive(Clone, Copy)]
pub(crate) struct Processors {
    pub(crate) server: usize,
    pub(crate) load: usize,
}

impl Processors {
    pub(crate) fn choose() -> Result<Self, Failure> {
        let allowed = sched_getaffinity(None)?;
        let mut numbers = (0..CpuSet::MAX_CPU).filter(|number| allowed.is_set(*number));
        let server = numbers.next().ok_or("no processor may be used")?;
        let load = numbers.next().unwrap_or_else(|| {
            eprintln!("one processor: server and load generator share it");
            server
        });
        Ok(Self { server, load })
    }
}

/// Moves this thread, and everything that it starts from now on, to these processors.
pub(crate) fn pin(processors: &[usize]) -> Result<(), Failure> {
    let mut set = CpuSet::new();
    processors.iter().for_each(|processor| set.set(*processor));
    Ok(sched_setaffinity(None, &set)?)
}

/// Allows as many open files as possible without root. Servers inherit the limit.
pub(crate) fn raise_file_limit() -> Result<(), Failure> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?)
}

/// Returns the processor time of this thread.
pub(crate) fn own_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

/// The processor time of a process and all its threads.
#[derive(Clone, Copy)]
pub(crate) struct ProcessTime {
    pub(crate) total: Duration,
    /// The result of the kernel's sampling: samples in the process's own code (`user`) and in the
    /// kernel.
    pub(crate) user: u64,
    pub(crate) kernel: u64,
}

impl ProcessTime {
    pub(crate) fn of(process: u32) -> Result<Self, Failure> {
        let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
        // The second field is the program's name in parentheses and may hold anything.
        let (_, fields) = text.rsplit_once(')').ok_or("/proc/../stat has changed its form")?;
        let mut times = fields.split_ascii_whitespace().skip(11).map(str::parse);
        let mut next = || times.next().ok_or("/proc/../stat has too few fields");
        Ok(Self { user: next()??, kernel: next()??, total: time_of(process)? })
    }
}

/// Returns the processor time until now in nanoseconds; `/proc` has hundredths of a second.
fn time_of(process: u32) -> Result<Duration, Failure> {
    let mut clock = 0;
    // SAFETY: the call writes to its second argument, which is valid for a clock's number; any
    // number may be passed as the process.
    let error = unsafe { libc::clock_getcpuclockid(process as libc::pid_t, &mut clock) };
    if error != 0 {
        return Err(io::Error::from_raw_os_error(error).into());
    }
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes to its second argument, which is valid for a time; a clock that does
    // not exist any more is an error.
    match unsafe { libc::clock_gettime(clock, &mut time) } {
        0 => Ok(Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)),
        _ => Err(io::Error::last_os_error().into()),
    }
}

/// The memory of a process, in bytes.
#[derive(Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) resident: u64,
    pub(crate) page_tables: u64,
}

impl Memory {
    pub(crate) fn of(process: u32) -> Result<Self, Failure> {
        let text = fs::read_to_string(format!("/proc/{process}/status"))?;
        let bytes = |name: &str| {
            let field = text.lines().find_map(|line| line.strip_prefix(name));
            let number = field.and_then(|field| field.split_ascii_whitespace().next());
            let kilobytes: u64 = number.ok_or(format!("/proc/../status has no {name}"))?.parse()?;
            Ok::<_, Failure>(kilobytes * 1024)
        };
        Ok(Self { resident: bytes("VmRSS:")?, page_tables: bytes("VmPTE:")? })
    }
}
