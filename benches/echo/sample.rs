//! One sample: a fresh server, its connections, a time to warm up, a time that is measured.

#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::time::{Duration, Instant};

use crate::Failure;
use crate::contenders::Contender;
use crate::exchange::{Exchange, Load};
use crate::histogram::Histogram;
use crate::load::{Generator, Next};
use crate::machine::{ProcessTime, Processors, own_time};
use crate::server::Server;

/// The load and the number of connections of a sample.
#[derive(Clone, Copy)]
pub(crate) struct Point {
    pub(crate) load: Load,
    pub(crate) connections: usize,
}

pub(crate) struct Sample {
    pub(crate) requests_per_second: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    /// The processor time of the server per request, and the share of it that was spent in the
    /// kernel.
    pub(crate) time: Duration,
    pub(crate) kernel: f64,
    /// The shares of the time in which the processors of both were busy.
    pub(crate) server_busy: f64,
    pub(crate) generator_busy: f64,
}

/// Loads a server for `length`, after a fifth of that time to warm up.
pub(crate) fn take(
    contender: &Contender,
    point: Point,
    length: Duration,
    processors: Processors,
) -> Result<Sample, Failure> {
    let server = Server::start(contender, point.load.service(), processors)?;
    let exchange = Exchange::new(point.load, server.address)?;
    let mut generator = Generator::connect(server.address, exchange, point.connections)?;
    let process = server.process();
    let begin = Instant::now() + length / 5;
    let (mut first, mut last) = (None, None);
    let mut histogram = Histogram::new();
    generator.drive_all(|answer| match &first {
        None if begin <= answer.heard => {
            first = Some((Mark::now(process), answer.heard + length));
            Next::Again
        }
        None => Next::Again,
        Some((_, end)) if answer.heard < *end => {
            histogram.record(answer.time());
            Next::Again
        }
        Some(_) => {
            last.get_or_insert_with(|| Mark::now(process));
            Next::Rest
        }
    })?;
    // The server ends first, so that the generator does not close the connections.
    drop(server);
    drop(generator);
    let ((first, _), last) = first.zip(last).ok_or("a sample that ended before it began")?;
    summary(&histogram, &first?, &last?)
}

/// The readings of the clocks at one end of the measured time.
struct Mark {
    at: Instant,
    server: ProcessTime,
    generator: Duration,
}

impl Mark {
    fn now(process: u32) -> Result<Self, Failure> {
        let server = ProcessTime::of(process)?;
        Ok(Self { server, generator: own_time(), at: Instant::now() })
    }
}

fn summary(histogram: &Histogram, first: &Mark, last: &Mark) -> Result<Sample, Failure> {
    let length = (last.at - first.at).as_secs_f64();
    let requests = histogram.total() as f64;
    let time = last.server.total - first.server.total;
    let user = (last.server.user - first.server.user) as f64;
    let kernel = (last.server.kernel - first.server.kernel) as f64;
    let percentile = |share| histogram.percentile(share).ok_or("a sample without an answer");
    Ok(Sample {
        requests_per_second: requests / length,
        p50: percentile(0.5)?,
        p99: percentile(0.99)?,
        time: time.div_f64(requests),
        kernel: kernel / (user + kernel).max(1.0),
        server_busy: time.as_secs_f64() / length,
        generator_busy: (last.generator - first.generator).as_secs_f64() / length,
    })
}
