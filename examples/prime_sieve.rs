//! Primes by a chain of filters that grows as it runs.
//!
//! The first fiber counts: 2, 3, 4, ... A number that arrives at the end of the chain has passed
//! all filters, so it is a prime, and a filter for its multiples is added at the end.
//!
//! ```text
//! 2 3 4 5 6 7 8 9 ...  --> [no 2s] --> 3 5 7 9 11 ...  --> [no 3s] --> 5 7 11 13 ...  --> main
//! ```
//!
//! No code stops the fibers. Each waits to send a number that no one will receive, and is unwound
//! there when `run` ends.
//!
//! ```text
//! $ cargo run --release --example prime_sieve [PRIMES = 1000]
//! 2 3 5 7 11 13 17 19 23 29 ... 7919
//! 1000 primes by a chain of 1001 fibers in 29.5ms
//! ```
//!
//! The time is an example.

mod arguments;

use fibra::channel::Channel;

fn main() {
    let count = arguments::number(1, "PRIMES", 1..=100_000, 1_000);
    fibra::run(|| {
        let start = fibra::now();
        let primes = sieve(count);
        let took = start.elapsed();
        let shown: Vec<_> = primes.iter().take(10).map(u64::to_string).collect();
        print!("{}", shown.join(" "));
        println!(" ... {}", primes[count - 1]);
        let fibers = fibra::stats().fibers - 1; // Not main.
        println!("{count} primes by a chain of {fibers} fibers in {took:.1?}");
    });
}

fn sieve(count: usize) -> Vec<u64> {
    let mut numbers = counting();
    let mut primes = Vec::with_capacity(count);
    while primes.len() < count {
        let prime = numbers.recv().unwrap();
        primes.push(prime);
        numbers = without_multiples(prime, numbers);
    }
    primes
}

/// Returns a channel of 2, 3, 4, ...: a number is made when the one before was received.
fn counting() -> Channel<u64> {
    let output = Channel::new();
    let numbers = output.clone();
    drop(fibra::spawn(move || {
        for number in 2.. {
            output.send(number).unwrap();
        }
    }));
    numbers
}

/// Returns a channel of the numbers from `input` that `prime` does not divide.
fn without_multiples(prime: u64, input: Channel<u64>) -> Channel<u64> {
    let output = Channel::new();
    let rest = output.clone();
    drop(fibra::spawn(move || {
        for number in input.iter().filter(|number| number % prime != 0) {
            output.send(number).unwrap();
        }
    }));
    rest
}
