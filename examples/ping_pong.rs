//! Two players and a ball: the cost of sending a value and waiting for the answer.
//!
//! Two functions that call each other run out of stack. Two fibers can play forever: each has a
//! stack of its own, and only the ball moves.
//!
//! ```text
//! $ cargo run --release --example ping_pong [ROUNDS = 1000000]
//! two fibers, a Channel:             1000000 rounds of ping and pong, 33 ns each
//! two fibers, bounded(1):            1000000 rounds of ping and pong, 34 ns each
//! two threads, std's sync_channel:     10000 rounds of ping and pong, 31886 ns each
//! ```
//!
//! The times are an example. A message to a waiting fiber is a switch of stacks. A message to a
//! waiting thread takes two system calls and the kernel's scheduler, so threads play a hundredth of
//! the rounds.

#![allow(clippy::disallowed_methods, reason = "compares with threads, by the system's clock")]

mod arguments;
mod broken_pipe;

use fibra::channel::{Channel, bounded};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Instant;

fn main() {
    broken_pipe::end_quietly();
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

/// Nothing is stored: a send to a waiting receiver switches to it immediately.
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

/// Each queue has room for one ball: a send does not switch, the receive after it does.
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
        drop(ping); // A thread cannot be unwound from outside: the closed channel ends it.
        last
    })
}
