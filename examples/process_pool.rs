//! Worker processes count primes. One of them is killed, and another one counts its range again.
//!
//! The workers are this program, started with an argument. A fiber that computes keeps its thread
//! busy. Processes use other cores, and the crash of one does not affect the others.
//!
//! ```text
//! $ cargo run --release --example process_pool [WORKERS = 2] [LIMIT = 200_000]
//! range 3: the worker process ended before it had answered: signal: 9 (SIGKILL); repeated
//! 17984 primes below 200000, counted in 8 ranges by 2 processes
//! ```

mod arguments;

use std::io;
use std::ops::Range;

use fibra::process::{Command, WorkerPool, worker};
use fibra::signal::Signal;

const RANGES: usize = 8;

fn main() -> io::Result<()> {
    if std::env::args().nth(1).as_deref() == Some("worker") {
        return worker(answer);
    }
    let workers = arguments::number(1, "WORKERS", 1..=64, 2);
    let limit = arguments::number(2, "LIMIT", 100..=100_000_000, 200_000);
    fibra::run(|| {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("worker");
        let pool = WorkerPool::new(command, workers)?;
        let ranges: Vec<_> =
            (0..RANGES).map(|i| i * limit / RANGES..(i + 1) * limit / RANGES).collect();
        let requests = ranges.iter().enumerate().map(|(i, range)| request(range, i == 3));
        let mut total = 0;
        for (i, count) in pool.map(requests).into_iter().enumerate() {
            let count = count.or_else(|error| {
                println!("range {i}: {error}; repeated");
                pool.call(&request(&ranges[i], false))
            });
            total += number(&count?);
        }
        println!("{total} primes below {limit}, counted in {RANGES} ranges by {workers} processes");
        Ok(())
    })
}

/// Makes the bytes of a request, in any format: here text. (With serde: `serde_json::to_vec`, and
/// `from_slice` on the other side.)
fn request(range: &Range<usize>, and_die: bool) -> Vec<u8> {
    format!("{} {} {}", range.start, range.end, u8::from(and_die)).into_bytes()
}

fn number(answer: &[u8]) -> usize {
    String::from_utf8_lossy(answer).parse().expect("a worker answers with a number")
}

/// Answers a request, in a worker.
fn answer(request: Vec<u8>) -> Vec<u8> {
    let request = String::from_utf8(request).expect("requests are text");
    let numbers: Vec<usize> = request.split(' ').map(|n| n.parse().expect("a number")).collect();
    let [start, end, and_die] = numbers[..] else { panic!("not a request: {request}") };
    if and_die == 1 {
        kill_this_process();
    }
    let count = (start.max(2)..end).filter(|&n| is_prime(n)).count();
    count.to_string().into_bytes()
}

fn is_prime(n: usize) -> bool {
    (2..).take_while(|d| d * d <= n).all(|d| n % d != 0)
}

/// Kills this process, as the kernel does when memory is short.
fn kill_this_process() -> ! {
    let (me, kill) = (std::process::id().to_string(), Signal::SIGKILL.as_raw());
    let _ = std::process::Command::new("kill").args([format!("-{kill}"), me]).status();
    loop {
        std::thread::park();
    }
}
