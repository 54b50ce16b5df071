//! System calls per request: the calls that each server made, divided by the requests that it
//! answered.
//!
//! `perf stat` counts them at the kernel's own points of entry, which does not noticeably slow the
//! server. `strace` would stop the server at each call. Then more requests would wait each time
//! that the server polls, and it would poll less often than it does by itself.

#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Failure;
use crate::contenders::{Contender, usable};
use crate::exchange::{Exchange, Load};
use crate::load::{Generator, Next};
use crate::machine::Processors;
use crate::options::Options;
use crate::sample::Point;
use crate::server::Server;

/// Calls that are listed by name, if a server made them; all others are in the sum.
const NAMED: [&str; 20] = [
    "read",
    "readv",
    "recvfrom",
    "recvmsg",
    "write",
    "writev",
    "sendto",
    "sendmsg",
    "poll",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "epoll_ctl",
    "futex",
    "nanosleep",
    "clock_nanosleep",
    "sched_yield",
    "timerfd_settime",
    "getpid",
    "tgkill",
];
const PREFIX: &str = "syscalls:sys_enter_";
const ALL: &str = "raw_syscalls:sys_enter";

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let processors = Processors::choose()?;
    let loads = options.loads.clone().unwrap_or(vec![Load::Echo { size: 64 }]);
    let connections = options.connections.clone().unwrap_or(vec![1, 100, 1000]);
    let length = options.length_or(Duration::from_secs(1));
    for load in loads {
        for connections in connections.iter().copied() {
            let point = Point { load, connections };
            println!("system calls of a request: {load}, {connections} connections");
            for contender in usable(&options.contenders).iter().filter(|c| c.can(point)) {
                let line = count(contender, point, length, processors)
                    .map_err(|error| format!("{}: {error}", contender.name))?;
                println!("  {:<8} {line}", contender.name);
            }
        }
    }
    Ok(())
}

/// Measures one contender and returns the line with its counts.
fn count(
    contender: &Contender,
    point: Point,
    length: Duration,
    processors: Processors,
) -> Result<String, Failure> {
    let server = Server::start(contender, point.load.service(), processors)?;
    let exchange = Exchange::new(point.load, server.address)?;
    let mut generator = Generator::connect(server.address, exchange, point.connections)?;
    let mut perf = Command::new("perf")
        .args(["stat", "--field-separator", ";", "--pid", &server.process().to_string()])
        // perf starts to count on a command on its standard input, which it confirms on its output.
        .args(["--delay", "-1", "--control", "fd:0,1"])
        .args(NAMED.iter().flat_map(|name| ["--event".into(), format!("{PREFIX}{name}")]))
        .args(["--event", ALL])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("perf: {error}"))?;
    let mut control = perf.stdin.take().ok_or("perf without input")?;
    let mut confirmed = BufReader::new(perf.stdout.take().ok_or("perf without output")?);
    control.write_all(b"enable\n")?;
    confirmed.read_line(&mut String::new())?;
    let (mut requests, end) = (0_u64, Instant::now() + length);
    generator.drive_all(|answer| {
        requests += 1;
        if answer.heard < end { Next::Again } else { Next::Rest }
    })?;
    // If it has ended already, its output contains the reason.
    let _ = kill_process(Pid::from_child(&perf), Signal::INT);
    let mut text = String::new();
    perf.stderr.take().ok_or("perf without errors")?.read_to_string(&mut text)?;
    perf.wait()?;
    line(&text, requests).ok_or(format!("perf: {text}").into())
}

/// Returns the relevant counts, the largest first.
fn line(text: &str, requests: u64) -> Option<String> {
    let fields = text.lines().map(|line| line.split(';').collect::<Vec<_>>());
    let mut counts: Vec<(&str, f64)> = fields
        .filter_map(|fields| {
            let count: u64 = fields.first()?.parse().ok()?;
            Some((*fields.get(2)?, count as f64 / requests as f64))
        })
        .collect();
    counts.sort_by(|a, b| b.1.total_cmp(&a.1));
    let (_, sum) = *counts.iter().find(|(event, _)| *event == ALL)?;
    let named = counts.iter().filter(|(_, count)| 0.0005 < *count).filter_map(|(event, count)| {
        let name = event.strip_prefix(PREFIX)?;
        Some(format!("{name} {count:.3}"))
    });
    Some(format!("{sum:>6.3} = {}", named.collect::<Vec<_>>().join(" + ")))
}
