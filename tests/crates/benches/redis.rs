//! The cost of a runtime of tokio beside fibers: 10,000 round trips to Redis by 100 fibers that
//! share a connection, beside 100 tasks of tokio alone in the same run.
//!
//! ```text
//! cargo run --release --manifest-path tests/crates/Cargo.toml --bin redis_cost [ROUNDS = 15]
//! ```
//!
//! A round runs every way once, and each round begins with a different one. The ratio of a way is
//! that to the mean of both runs of tokio in the same round; the ratios of these two runs show how
//! quiet the machine is. The table has the median over all rounds, and the spread without the tenth
//! at either end. `benches/README.md` of the repository defines the measured region.

#![allow(clippy::disallowed_methods, reason = "measures time by itself")]

use std::time::{Duration, Instant};

use fibra::future::block_on;
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use tokio::runtime::Builder;

const TASKS: usize = 100;
/// The round trips of each task.
const EACH: usize = 100;

type Way = fn(&redis::Client) -> Duration;

const WAYS: [(&str, Way); 5] = [
    ("tokio alone, current_thread", tokio_alone),
    ("the same again", tokio_alone),
    ("fibers, .tokio()", companion),
    ("fibers, guest of tokio", guest),
    ("fibers, tokio on another thread", other_thread),
];

fn main() {
    // `cargo test --bins` and `cargo bench` pass options.
    let rounds = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(15);
    let rounds = usize::max(rounds, 1);
    let Some(server) = fibra_crates::redis() else { return };
    let client = redis::Client::open(format!("redis://127.0.0.1:{}/", server.port)).unwrap();
    let mut times = vec![[Duration::ZERO; WAYS.len()]; rounds];
    for (round, times) in times.iter_mut().enumerate() {
        for way in 0..WAYS.len() {
            let way = (way + round) % WAYS.len();
            times[way] = WAYS[way].1(&client);
        }
    }
    println!("{:34}{:>10}{:>8}   spread", "", "ms", "ratio");
    for (way, (name, _)) in WAYS.iter().enumerate() {
        let millis = sorted(times.iter().map(|times| times[way].as_secs_f64() * 1e3));
        let ratios = sorted(times.iter().map(|times| {
            let tokio = (times[0] + times[1]).as_secs_f64() / 2.0;
            times[way].as_secs_f64() / tokio
        }));
        let (low, high) = (ratios[rounds / 10], ratios[rounds - 1 - rounds / 10]);
        let (millis, ratio) = (millis[rounds / 2], ratios[rounds / 2]);
        println!("{name:34}{millis:>10.1}{ratio:>8.2}   {low:.2} to {high:.2}");
    }
}

fn sorted(numbers: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    numbers
}

/// Returns a connection that has set the key of the round trips.
async fn connect(client: &redis::Client) -> MultiplexedConnection {
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    connection.set::<_, _, ()>("key", "value").await.unwrap();
    connection
}

async fn round_trip(connection: &mut MultiplexedConnection) {
    let value: String = connection.get("key").await.unwrap();
    assert_eq!(value, "value");
}

fn tokio_alone(client: &redis::Client) -> Duration {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let connection = connect(client).await;
        let start = Instant::now();
        let task = |mut connection: MultiplexedConnection| async move {
            for _ in 0..EACH {
                round_trip(&mut connection).await;
            }
        };
        let tasks: Vec<_> = (0..TASKS).map(|_| tokio::spawn(task(connection.clone()))).collect();
        for task in tasks {
            task.await.unwrap();
        }
        start.elapsed()
    })
}

/// The same work in fibers.
fn fibers(client: &redis::Client) -> Duration {
    let connection = block_on(connect(client));
    let start = Instant::now();
    let fiber = |mut connection: MultiplexedConnection| {
        fibra::spawn(move || (0..EACH).for_each(|_| block_on(round_trip(&mut connection))))
    };
    let fibers: Vec<_> = (0..TASKS).map(|_| fiber(connection.clone())).collect();
    fibers.into_iter().for_each(|fiber| fiber.join().unwrap());
    start.elapsed()
}

fn companion(client: &redis::Client) -> Duration {
    fibra::Runtime::builder().tokio().build().unwrap().run(|| fibers(client))
}

fn guest(client: &redis::Client) -> Duration {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let client = client.clone();
    fibra::frame(|| runtime.block_on(fibra::guest(move || fibers(&client))).unwrap())
}

fn other_thread(client: &redis::Client) -> Duration {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let handle = runtime.handle().clone();
    fibra::Runtime::builder().tokio_handle(handle).build().unwrap().run(|| fibers(client))
}
