//! A hundred thousand fibers form a ring, and a token goes round it.
//!
//! Every fiber knows two channels: one from its left neighbour and one to its right neighbour. The
//! code is the same for ten fibers and for a hundred thousand. The end goes round like the token: a
//! closed channel ends the loop of its receiver, which closes the next channel.
//!
//! ```text
//! $ cargo run --release --example token_ring [FIBERS = 100000] [LAPS = 10]
//! 100000 fibers are in the ring after 293.1ms
//! the token went round 10 times: 1000000 hops, 121 ns each
//! all have ended after 102.7ms
//! ```
//!
//! The times are an example.

mod arguments;
mod broken_pipe;

use fibra::channel::Channel;

fn main() {
    broken_pipe::end_quietly();
    let fibers = arguments::number(1, "FIBERS", 1..=10_000_000, 100_000);
    let laps = arguments::number(2, "LAPS", 1..=1_000_000, 10);
    fibra::run(|| {
        let start = fibra::now();
        let (first, last) = build(fibers);
        fibra::yield_now(); // Each fiber of the ring runs until it waits for the token.
        println!("{fibers} fibers are in the ring after {:.1?}", start.elapsed());

        let start = fibra::now();
        let hops = (0..laps).fold(0, |token, _| {
            first.send(token).unwrap();
            last.recv().unwrap()
        });
        assert_eq!(hops, fibers * laps, "every fiber has added one in each lap");
        let each = start.elapsed().as_nanos() / hops as u128;
        println!("the token went round {laps} times: {hops} hops, {each} ns each");

        let start = fibra::now();
        first.close();
        assert!(last.recv().is_err(), "the end has come round");
        println!("all have ended after {:.1?}", start.elapsed());
    });
}

/// Builds a chain of `fibers` fibers, which pass each token from the first channel to the last.
fn build(fibers: usize) -> (Channel<usize>, Channel<usize>) {
    let first = Channel::new();
    let last = (0..fibers).fold(first.clone(), |left, _| {
        let right = Channel::new();
        let next = right.clone();
        drop(fibra::spawn(move || pass_on(&left, &right)));
        next
    });
    (first, last)
}

fn pass_on(left: &Channel<usize>, right: &Channel<usize>) {
    for token in left.iter() {
        right.send(token + 1).unwrap();
    }
    right.close();
}
