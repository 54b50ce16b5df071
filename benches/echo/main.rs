//! A comparison of socket servers: a driver program that starts each contender's server in a
//! process of its own, loads it, and prints the measurements.
//!
//! `benches/README.md` describes the measurements and how they could mislead, `options.rs` the
//! command line.

#[cfg(target_os = "linux")]
mod contenders;
#[cfg(target_os = "linux")]
mod exchange;
#[cfg(target_os = "linux")]
mod histogram;
#[cfg(target_os = "linux")]
mod idle;
#[cfg(target_os = "linux")]
mod load;
#[cfg(target_os = "linux")]
mod machine;
#[cfg(target_os = "linux")]
mod matrix;
#[cfg(target_os = "linux")]
mod options;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod sample;
#[cfg(target_os = "linux")]
mod server;
#[cfg(target_os = "linux")]
mod smoke;
#[cfg(target_os = "linux")]
mod syscalls;
#[cfg(target_os = "linux")]
mod tools;

#[cfg(target_os = "linux")]
fn main() -> Result<(), Failure> {
    use options::Mode;

    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((server::CHILD, words)) = arguments.split_first().map(|(a, b)| (a.as_str(), b)) {
        return contenders::serve_here(words);
    }
    let options = options::parse(&arguments)?;
    machine::raise_file_limit()?;
    match options.mode {
        Mode::Smoke => smoke::run(&options),
        Mode::Matrix => matrix::run(&options),
        Mode::Idle => idle::run(&options),
        Mode::SystemCalls => syscalls::run(&options),
        Mode::Tools => tools::run(&options),
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("echo: its load generator and its limit are built on Linux's epoll");
}

/// The reason why a run ends early: a wrong answer, or a machine that lacks something.
#[cfg(target_os = "linux")]
type Failure = Box<dyn std::error::Error>;
