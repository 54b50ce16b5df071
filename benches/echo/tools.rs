//! The load of programs that others have written: wrk for HTTP/1, and h2load for both versions.
//!
//! The servers, the processors and the order of the samples are those of the other modes. The
//! programs check the status of each answer: a run in which one of them counts another status, an
//! error or a lost connection fails.

#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::process::Command;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::contenders::{Contender, usable};
use crate::exchange::Service;
use crate::machine::{ProcessTime, Processors};
use crate::options::Options;
use crate::report::middle;
use crate::server::Server;

/// The contender to which the others are compared.
const LIMIT: &str = "tokio";

/// One way to load a server.
#[derive(Clone, Copy)]
struct Load {
    tool: Tool,
    connections: usize,
    /// The number of requests in flight on each connection.
    streams: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Tool {
    Wrk,
    H2load,
    H2loadHttp1,
}

const LOADS: [Load; 6] = [
    Load { tool: Tool::Wrk, connections: 100, streams: 1 },
    Load { tool: Tool::H2loadHttp1, connections: 100, streams: 1 },
    Load { tool: Tool::H2load, connections: 1, streams: 1 },
    Load { tool: Tool::H2load, connections: 1, streams: 100 },
    Load { tool: Tool::H2load, connections: 10, streams: 10 },
    Load { tool: Tool::H2load, connections: 100, streams: 10 },
];

struct Sample {
    requests_per_second: f64,
    /// The processor time of the server per request.
    time: f64,
}

struct Row {
    contender: &'static Contender,
    samples: Vec<Sample>,
}

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    if !cfg!(feature = "http2") {
        eprintln!("without HTTP/2: it needs `--features http2`");
    }
    let processors = Processors::choose()?;
    let contenders = usable(&options.contenders);
    let rounds = options.rounds.unwrap_or(3).max(1);
    // wrk counts in whole seconds.
    let seconds = options.length_or(Duration::from_secs(1)).as_secs_f64().ceil() as u64;
    for load in LOADS {
        let serves = |contender: &&&Contender| contender.serves(load.service());
        let able = contenders.iter().filter(serves);
        let mut rows: Vec<Row> =
            able.map(|contender| Row { contender, samples: Vec::new() }).collect();
        for round in 0..rounds {
            for turn in 0..rows.len() {
                let i = (round + turn) % rows.len();
                let row = &mut rows[i];
                let sample = take(row.contender, load, seconds, processors);
                let named = |error| format!("{}: {error}", row.contender.name);
                row.samples.push(sample.map_err(named)?);
            }
        }
        if !rows.is_empty() {
            println!("{}; {rounds} samples of {seconds} s each", load.title());
            println!("{}", table(&rows));
        }
    }
    Ok(())
}

/// Loads a fresh server twice: for a short time to warm up, and for the time that is measured.
fn take(
    contender: &Contender,
    load: Load,
    seconds: u64,
    processors: Processors,
) -> Result<Sample, Failure> {
    let server = Server::start(contender, load.service(), processors)?;
    let url = format!("http://{}/", server.address);
    load.run(&url, 1)?;
    let (before, start) = (ProcessTime::of(server.process())?.total, Instant::now());
    let requests = load.run(&url, seconds)? as f64;
    let time = ProcessTime::of(server.process())?.total - before;
    Ok(Sample {
        requests_per_second: requests / start.elapsed().as_secs_f64(),
        time: time.as_secs_f64() / requests,
    })
}

impl Load {
    fn service(self) -> Service {
        if self.tool == Tool::H2load { Service::Http2 } else { Service::Http }
    }

    fn title(self) -> String {
        let Load { connections, streams, .. } = self;
        match self.tool {
            Tool::Wrk => format!("HTTP/1 by wrk, {connections} connections"),
            Tool::H2loadHttp1 => format!("HTTP/1 by h2load, {connections} connections"),
            Tool::H2load => {
                format!("HTTP/2 by h2load, {connections} connections, {streams} streams on each")
            }
        }
    }

    /// Runs the program, and returns the number of requests that were answered.
    fn run(self, url: &str, seconds: u64) -> Result<u64, Failure> {
        let name = if self.tool == Tool::Wrk { "wrk" } else { "h2load" };
        let (connections, streams) = (self.connections.to_string(), self.streams.to_string());
        let mut command = Command::new(name);
        match self.tool {
            Tool::Wrk => {
                let duration = format!("{seconds}s");
                command.args(["--threads", "1", "--connections", &connections]);
                command.args(["--duration", &duration, url])
            }
            Tool::H2load | Tool::H2loadHttp1 => {
                let version = (self.tool == Tool::H2loadHttp1).then_some("--h1");
                command.args(version).args(["--clients", &connections]);
                command.args(["--max-concurrent-streams", &streams]);
                command.args(["--duration", &seconds.to_string(), url])
            }
        };
        let output = command.output().map_err(|error| format!("{name}: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let answered = match self.tool {
            Tool::Wrk => answered_to_wrk(&text),
            Tool::H2load | Tool::H2loadHttp1 => answered_to_h2load(&text),
        };
        let answered = answered.filter(|number| output.status.success() && *number != 0);
        answered.ok_or_else(|| {
            format!("{name}: {text}{}", String::from_utf8_lossy(&output.stderr)).into()
        })
    }
}

/// Returns the number of requests that wrk has counted, or `None` if it has counted anything else.
fn answered_to_wrk(text: &str) -> Option<u64> {
    if text.contains("Socket errors") || text.contains("Non-2xx") {
        return None;
    }
    // "  123456 requests in 1.00s, 12.34MB read"
    let (number, _) = text.lines().find_map(|line| line.split_once(" requests in "))?;
    number.trim().parse().ok()
}

/// Returns the number of requests that h2load has counted as answered with a status of success, or
/// `None` if any other was not.
fn answered_to_h2load(text: &str) -> Option<u64> {
    // "requests: 9 total, 9 started, 9 done, 9 succeeded, 0 failed, 0 errored, 0 timeout"
    // "status codes: 9 2xx, 0 3xx, 0 4xx, 0 5xx"
    let count = |name: &str, what: &str| -> Option<u64> {
        let counts = text.lines().find_map(|line| line.strip_prefix(name))?;
        let count = counts.split(',').find_map(|count| count.trim().strip_suffix(what))?;
        count.trim().parse().ok()
    };
    let done = count("requests: ", " succeeded")?;
    let is_clean = [" failed", " errored", " timeout"]
        .into_iter()
        .all(|what| count("requests: ", what) == Some(0))
        && [" 3xx", " 4xx", " 5xx"]
            .into_iter()
            .all(|what| count("status codes: ", what) == Some(0));
    is_clean.then_some(done)
}

fn table(rows: &[Row]) -> String {
    let limit = rows.iter().find(|row| row.contender.name == LIMIT);
    let of = limit.map_or(String::new(), |_| format!("of {LIMIT}'s"));
    let mut text = line(["", "requests/s", &of, "server, µs", &of]);
    for row in rows {
        let median = |figure: Figure| middle(row.samples.iter().map(figure).collect());
        let share = |figure| limit.map_or(String::new(), |limit| share(row, limit, figure));
        text += &line([
            row.contender.name,
            &format!("{:.0}", median(|sample| sample.requests_per_second)),
            &share(|sample| sample.requests_per_second),
            &format!("{:.2}", median(|sample| sample.time * 1e6)),
            &share(|sample| sample.time),
        ]);
    }
    text
}

fn line([name, rate, of_rate, time, of_time]: [&str; 5]) -> String {
    format!("  {name:<8}{rate:>12}{of_rate:>22}{time:>12}{of_time:>22}\n")
}

type Figure = fn(&Sample) -> f64;

/// Returns a figure of the row as a multiple of the limit's figure in the same round.
fn share(row: &Row, limit: &Row, figure: Figure) -> String {
    let pairs = row.samples.iter().zip(&limit.samples);
    let shares: Vec<f64> = pairs.map(|(own, limit)| figure(own) / figure(limit)).collect();
    let lowest = shares.iter().copied().fold(f64::MAX, f64::min);
    let highest = shares.iter().copied().fold(0.0, f64::max);
    format!("{:.2} ({lowest:.2} .. {highest:.2})", middle(shares))
}
