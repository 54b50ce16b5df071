//! The client for URLs beside reqwest: 10,000 requests by 100 fibers, beside the same requests by
//! 100 tasks of tokio in the same run.
//!
//! ```text
//! cargo run --release --manifest-path tests/crates/Cargo.toml --bin http_client_cost \
//!     [ROUNDS = 15 [BYTES OF A BODY = 13]]
//! ```
//!
//! The server is another process, of hyper on tokio, on a processor of its own. A round runs every
//! way once, and each round begins with a different one. The ratios of a way are those to the mean
//! of both runs of reqwest in the same round. The table has the median over all rounds, and the
//! spread without the tenth at either end. `benches/README.md` of the repository defines the
//! measured region.

#![allow(clippy::disallowed_methods, reason = "measures time by itself")]

use std::convert::Infallible;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tokio::runtime::Builder;

/// The number of fibers or tasks, each of which has a connection.
const CLIENTS: usize = 100;
/// The requests of each.
const EACH: usize = 100;
/// The first word of the command line of the server.
const SERVE: &str = "serve";

/// Makes all requests to `url`, each answered with `length` bytes.
type Way = fn(url: &str, length: usize) -> Cost;

const WAYS: [(&str, Way); 3] = [
    ("reqwest, current_thread", by_reqwest),
    ("the same again", by_reqwest),
    ("fibra::http::Client", by_fibra),
];

/// The time of all requests, by the wall clock and by that of the processor.
#[derive(Copy, Clone, Default)]
struct Cost {
    wall: Duration,
    processor: Duration,
}

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == SERVE) {
        return serve();
    }
    // `cargo test --bins` and `cargo bench` pass options.
    let mut numbers = words.iter().filter_map(|word| word.parse().ok());
    let (rounds, length) = (numbers.next().unwrap_or(15).max(1), numbers.next().unwrap_or(13));
    let server = Server::start();
    let url = format!("http://127.0.0.1:{}/{length}", server.port);
    let mut costs = vec![[Cost::default(); WAYS.len()]; rounds];
    for (round, costs) in costs.iter_mut().enumerate() {
        for way in 0..WAYS.len() {
            let way = (way + round) % WAYS.len();
            costs[way] = WAYS[way].1(&url, length);
        }
    }
    let requests = (CLIENTS * EACH) as f64;
    println!("{:26}{:>12}{:>22}{:>8}{:>22}", "", "requests/s", "of reqwest", "µs", "of reqwest");
    for (way, (name, _)) in WAYS.iter().enumerate() {
        let rate = |cost: Cost| requests / cost.wall.as_secs_f64();
        let micros = |cost: Cost| cost.processor.as_secs_f64() * 1e6 / requests;
        let (rate, of_rate) = summary(&costs, way, rate);
        let (micros, of_micros) = summary(&costs, way, micros);
        println!("{name:26}{rate:>12.0}{of_rate:>22}{micros:>8.2}{of_micros:>22}");
    }
}

/// Returns the median of a figure of a way, and that of its ratios to reqwest, with their spread.
fn summary(
    costs: &[[Cost; WAYS.len()]],
    way: usize,
    figure: impl Fn(Cost) -> f64,
) -> (f64, String) {
    let middle = costs.len() / 2;
    let figures = sorted(costs.iter().map(|costs| figure(costs[way])));
    let ratios = sorted(costs.iter().map(|costs| {
        let reqwest = (figure(costs[0]) + figure(costs[1])) / 2.0;
        figure(costs[way]) / reqwest
    }));
    let (low, high) = (ratios[costs.len() / 10], ratios[costs.len() - 1 - costs.len() / 10]);
    (figures[middle], format!("{:.2} ({low:.2} to {high:.2})", ratios[middle]))
}

fn sorted(numbers: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    numbers
}

/// The readings of the clocks at the begin of the measured region.
struct Start {
    wall: Instant,
    processor: Duration,
}

impl Start {
    fn now() -> Start {
        Start { wall: Instant::now(), processor: processor_time() }
    }

    fn cost(&self) -> Cost {
        Cost { wall: self.wall.elapsed(), processor: processor_time() - self.processor }
    }
}

/// Returns the time for which all threads of this process have run.
fn processor_time() -> Duration {
    let threads = fs::read_dir("/proc/self/task").unwrap();
    let nanos = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        text.split_ascii_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

fn by_reqwest(url: &str, length: usize) -> Cost {
    async fn get(client: &reqwest::Client, url: &str, length: usize) {
        let response = client.get(url).send().await.unwrap();
        assert_eq!(response.status(), 200);
        check(&response.bytes().await.unwrap(), length);
    }
    /// Makes `each` requests in every task.
    async fn all(client: &reqwest::Client, url: &str, length: usize, each: usize) {
        let task = |(client, url): (reqwest::Client, String)| async move {
            for _ in 0..each {
                get(&client, &url, length).await;
            }
        };
        let tasks = (0..CLIENTS).map(|_| tokio::spawn(task((client.clone(), url.to_owned()))));
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
    }
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        all(&client, url, length, 1).await;
        let start = Start::now();
        all(&client, url, length, EACH).await;
        start.cost()
    })
}

fn by_fibra(url: &str, length: usize) -> Cost {
    fn get(client: &fibra::http::Client, url: &str, length: usize) {
        let response = client.get(url).send().unwrap();
        assert_eq!(response.status(), 200);
        check(&response.bytes().unwrap(), length);
    }
    /// Makes `each` requests in every fiber.
    fn all(client: &fibra::http::Client, url: &str, length: usize, each: usize) {
        let fiber = |(client, url): (fibra::http::Client, String)| {
            fibra::spawn(move || (0..each).for_each(|_| get(&client, &url, length)))
        };
        let fibers = (0..CLIENTS).map(|_| fiber((client.clone(), url.to_owned())));
        fibers.collect::<Vec<_>>().into_iter().for_each(|fiber| fiber.join().unwrap());
    }
    fibra::run(|| {
        let client = fibra::http::Client::builder().no_proxy().build().unwrap();
        all(&client, url, length, 1);
        let start = Start::now();
        all(&client, url, length, EACH);
        start.cost()
    })
}

fn check(body: &[u8], length: usize) {
    assert_eq!(body.len(), length);
    assert!(body.iter().all(|byte| *byte == b'x'));
}

/// The server process, on a processor of its own if there are two. Dropping it ends it.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    /// Starts the server, and moves this thread to the other processor.
    fn start() -> Server {
        let allowed = sched_getaffinity(None).unwrap();
        let numbers: Vec<_> =
            (0..CpuSet::MAX_CPU).filter(|number| allowed.is_set(*number)).collect();
        // A process starts on the processor of its parent.
        pin(numbers[0]);
        let mut command = Command::new(env::current_exe().unwrap());
        let mut process = command.arg(SERVE).stdout(Stdio::piped()).spawn().unwrap();
        pin(*numbers.last().unwrap());
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Server { process, port: line.trim().parse().unwrap() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both calls fail only if the server has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn pin(processor: usize) {
    let mut set = CpuSet::new();
    set.set(processor);
    sched_setaffinity(None, &set).unwrap();
}

/// Runs the server, which prints its port, until it is killed.
fn serve() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        println!("{}", listener.local_addr().unwrap().port());
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let connection =
                http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
            tokio::spawn(connection);
        }
    });
}

/// Answers with as many bytes as the path names.
async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let length = request.uri().path()[1..].parse().unwrap_or(0);
    Ok(Response::new(Full::new(Bytes::from(vec![b'x'; length]))))
}
