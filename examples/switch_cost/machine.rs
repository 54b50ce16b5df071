//! The machine, the system and the compiler that the numbers belong to, and how busy other programs
//! kept the machine.

use std::env;
use std::fs;
use std::thread;

/// The facts that a number depends on.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) system: String,
    pub(crate) compiler: String,
    pub(crate) command: String,
    /// The data caches of a core, nearest first: level and bytes. Empty where the system does not
    /// tell.
    pub(crate) caches: Vec<(u64, u64)>,
}

impl Machine {
    pub(crate) fn here() -> Self {
        Self {
            processor: processor(),
            cores: thread::available_parallelism().map_or(1, usize::from),
            system: system(),
            compiler: fibra::build_info::RUSTC.to_owned(),
            command: command(),
            caches: caches(),
        }
    }

    /// Returns how much memory a run may use, in bytes, where the system reports it.
    pub(crate) fn available_memory() -> Option<u64> {
        let meminfo = fs::read_to_string("/proc/meminfo").ok()?;
        let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
    }
}

/// The share of the processors' time above which other programs disturb the measurements.
pub(crate) const BUSY: f64 = 0.05;

/// The time that processors have worked, in ticks of the system's clock.
#[derive(Debug)]
pub(crate) struct Work {
    /// The time of all processors, idle or not.
    total: u64,
    /// The part of it in which they worked.
    busy: u64,
    /// The part of that for this process and its children.
    own: u64,
}

impl Work {
    /// Reads the counters. They are zero where the system does not have them.
    pub(crate) fn so_far() -> Self {
        Self::read().unwrap_or(Self { total: 0, busy: 0, own: 0 })
    }

    fn read() -> Option<Self> {
        let stat = fs::read_to_string("/proc/stat").ok()?;
        // user nice system idle iowait irq softirq steal, then what is counted in user already.
        let words = stat.lines().next()?.split_whitespace();
        let times: Vec<u64> = words.skip(1).take(8).filter_map(|word| word.parse().ok()).collect();
        let idle = times.get(3)? + times.get(4)?;
        let total = times.iter().sum();
        let own = fs::read_to_string("/proc/self/stat").ok()?;
        // After the name in brackets: the state, ten more, and utime, stime, cutime, cstime.
        let fields = own.rsplit_once(')')?.1.split_whitespace();
        let own = fields.skip(11).take(4).filter_map(|field| field.parse::<u64>().ok()).sum();
        Some(Self { total, busy: total - idle, own })
    }

    /// Returns the share of the processors' time that other programs have used since `self` was
    /// read.
    pub(crate) fn share_of_others(&self) -> Option<f64> {
        let now = Self::read()?;
        let (total, busy) = (now.total - self.total, now.busy - self.busy);
        let others = busy.saturating_sub(now.own - self.own);
        (0 < total).then(|| others as f64 / total as f64)
    }
}

fn processor() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let value = |key: &str| {
        let line = cpuinfo.lines().find(|line| line.starts_with(key))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let model = value("model name").unwrap_or_else(|| env::consts::ARCH.to_owned());
    match value("cpu MHz").and_then(|mhz| mhz.parse::<f64>().ok()) {
        Some(mhz) => format!("{model}, {:.1} GHz", mhz / 1_000.0),
        None => model,
    }
}

fn caches() -> Vec<(u64, u64)> {
    let cache = |index: usize| {
        let read = |file: &str| {
            fs::read_to_string(format!("/sys/devices/system/cpu/cpu0/cache/index{index}/{file}"))
                .ok()
        };
        let kilobytes: u64 = read("size")?.trim().strip_suffix('K')?.parse().ok()?;
        let holds_data = read("type")?.trim() != "Instruction";
        holds_data.then_some((read("level")?.trim().parse().ok()?, kilobytes * 1024))
    };
    let mut caches: Vec<_> = (0..8).filter_map(cache).collect();
    caches.sort_unstable();
    caches
}

fn system() -> String {
    match fs::read_to_string("/proc/sys/kernel/osrelease") {
        Ok(release) => format!("Linux {}", release.trim()),
        Err(_) => env::consts::OS.to_owned(),
    }
}

/// Returns the command that repeats the measurements.
fn command() -> String {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.is_empty() {
        true => "cargo run --release --example switch_cost".to_owned(),
        false => format!("cargo run --release --example switch_cost -- {}", arguments.join(" ")),
    }
}
