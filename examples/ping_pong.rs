//! Two players and a ball: what it costs to hand a value over and wait for the answer.
//!
//! A function that calls another, which calls the first, runs out of stack. Two fibers play for
//! ever: each has a stack of its own, and the ball is the only thing that moves.
//!
//! ```text
//! $ cargo run --release --example ping_pong [ROUNDS = 1000000]
//! two fibers, a Channel:             1000000 rounds of ping and pong, 33 ns each
//! two fibers, bounded(1):            1000000 rounds of ping and pong, 34 ns each
//! two threads, std's sync_channel:     10000 rounds of ping and pong, 31886 ns each
//! ```
//!
//! The times are an example. A message to a waiting fiber is a switch of stacks; one to a waiting
//! thread is two system calls and a turn of the kernel's scheduler, so threads play a hundredth of
//! the rounds.

#![allow(clippy::disallowed_methods, reason = "compares with threads, by the system's clock")]

mod arguments;

use fibra::channel::{Channel, bounded};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Instant;

fn main() {
    let rounds = arguments::number(1, "ROUNDS", 1..=1_000_000_000, 1_000_000);
    measure("two fibers, a Channel:", rounds, rendezvous);
    measure("two fibers, bounded(1):", rounds, buffered);
    measure("two threads, std's sync_channel:", rounds.div_ceil(100), threads);
}

fn measure(players: &str, rounds: usize, play: fn(usize) -> usize) {
    let start = Instant::now();
    assert_eq!(play(rounds), rounds, "the partner adds one in each round");
    let each = start.elapsed().as_nanos() / rounds as u128;
    println!("{players:32} {rounds:>9} rounds of ping and pong, {each} ns each");
}

/// Nothing is stored: a send to a receiver that waits switches to it at once.
fn rendezvous(rounds: usize) -> usize {
    fibra::run(|| {
        let (ping, pong) = (Channel::new(), Channel::new());
        let (balls, back) = (ping.clone(), pong.clone());
        drop(fibra::spawn(move || balls.iter().for_each(|ball| back.send(ball + 1).unwrap())));
        (0..rounds).fold(0, |ball, _| {
            ping.send(ball).unwrap();
            pong.recv().unwrap()
        })
        // The partner waits for one more ball: it is unwound when `run` ends.
    })
}

/// A place for one ball each way: a send does not switch, the receive after it does.
fn buffered(rounds: usize) -> usize {
    fibra::run(|| {
        let ((ping, balls), (back, pong)) = (bounded(1), bounded(1));
        drop(fibra::spawn(move || balls.iter().for_each(|ball| back.send(ball + 1).unwrap())));
        (0..rounds).fold(0, |ball, _| {
            ping.send(ball).unwrap();
            pong.recv().unwrap()
        })
    })
}

/// The same with threads, which the kernel must wake.
fn threads(rounds: usize) -> usize {
    let ((ping, balls), (back, pong)) = (sync_channel(1), sync_channel(1));
    thread::scope(|s| {
        s.spawn(move || balls.iter().for_each(|ball| back.send(ball + 1).unwrap()));
        let last = (0..rounds).fold(0, |ball, _| {
            ping.send(ball).unwrap();
            pong.recv().unwrap()
        });
        drop(ping); // Nobody unwinds a thread: it must be told that the game is over.
        last
    })
}
