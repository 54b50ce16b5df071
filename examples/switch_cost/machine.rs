//! Names the machine, the system and the compiler that the numbers belong to.

use std::env;
use std::fs;
use std::thread;

/// Facts without which a number means nothing.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) system: String,
    pub(crate) compiler: String,
    pub(crate) command: String,
}

impl Machine {
    pub(crate) fn here() -> Self {
        Self {
            processor: processor(),
            cores: thread::available_parallelism().map_or(1, usize::from),
            system: system(),
            compiler: fibra::build_info::RUSTC.to_owned(),
            command: command(),
        }
    }

    /// How much memory a run may use, in bytes, where the system says so.
    pub(crate) fn available_memory() -> Option<u64> {
        let meminfo = fs::read_to_string("/proc/meminfo").ok()?;
        let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
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

fn system() -> String {
    match fs::read_to_string("/proc/sys/kernel/osrelease") {
        Ok(release) => format!("Linux {}", release.trim()),
        Err(_) => env::consts::OS.to_owned(),
    }
}

/// The command that makes the same measurements again.
fn command() -> String {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.is_empty() {
        true => "cargo run --release --example switch_cost".to_owned(),
        false => format!("cargo run --release --example switch_cost -- {}", arguments.join(" ")),
    }
}
