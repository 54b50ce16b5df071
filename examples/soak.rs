//! A soak test: connections come and go for some seconds, some are killed or reach a time limit at
//! random, and at the end no descriptor, fiber or timer may be left.
//!
//! ```text
//! $ cargo run --release --example soak [SECONDS = 2]
//! 16150 connections of 200 at most at a time in 2.0 s
//! 8479 were answered, 1495 timed out, 3915 ended early, 2261 were killed
//! left over: 0 descriptors, 0 fibers, 0 timers
//! ```
//!
//! If something is left over, the status is 1. Descriptors are counted in /proc.

mod arguments;
mod random;

use std::cell::Cell;
use std::fs;
use std::io::{self, Read, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

use fibra::JoinHandle;
use fibra::net::{UnixListener, UnixStream};
use fibra::pool::Pool;
use random::Random;

const AT_A_TIME: usize = 200;

fn main() -> io::Result<()> {
    let seconds = arguments::number(1, "SECONDS", 1..=1_000_000, 2) as u64;
    let path = std::env::temp_dir().join(format!("fibra-soak-{}.socket", std::process::id()));
    let clean = fibra::run(|| {
        let listener = UnixListener::bind(&path)?;
        warm_up()?;
        let (descriptors, fibers) = (open_descriptors(), fibra::stats().fibers);
        let began = fibra::now();
        let server = fibra::spawn(move || serve(&listener));
        let talks = Rc::new(Talks::default());
        run_clients(began + Duration::from_secs(seconds), &path, &talks);
        let took = (fibra::now() - began).as_secs_f64();
        server.kill();
        drop(server.join());
        while fibra::stats().fibers != fibers {
            fibra::yield_now(); // The fibers that echo read the ends of their streams.
        }
        println!("{} connections of {AT_A_TIME} at most at a time in {took:.1} s", talks.all.get());
        let killed = talks.all.get() - talks.answered.get() - talks.late.get() - talks.early.get();
        println!(
            "{} were answered, {} timed out, {} ended early, {killed} were killed",
            talks.answered.get(),
            talks.late.get(),
            talks.early.get()
        );
        // The listener was dropped.
        let left = (open_descriptors() + 1).saturating_sub(descriptors);
        let timers = fibra::stats().timers;
        println!("left over: {left} descriptors, 0 fibers, {timers} timers");
        io::Result::Ok(left == 0 && timers == 0)
    });
    fs::remove_file(&path)?;
    if !clean? {
        fibra::exit(1);
    }
    Ok(())
}

#[derive(Default)]
struct Talks {
    all: Cell<u64>,
    answered: Cell<u64>,
    late: Cell<u64>,
    early: Cell<u64>,
}

/// Opens the descriptors that a scheduler keeps for its whole life.
fn warm_up() -> io::Result<()> {
    let (a, _b) = UnixStream::pair()?;
    drop(fibra::time::timeout(Duration::from_millis(1), || (&a).read(&mut [0])));
    Ok(())
}

fn open_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

fn serve(listener: &UnixListener) {
    for stream in listener.incoming() {
        let Ok(stream) = stream else {
            // No descriptor is left: an immediate retry would fail, too.
            fibra::sleep(Duration::from_millis(10));
            continue;
        };
        drop(fibra::spawn(move || io::copy(&mut &stream, &mut &stream)));
    }
}

fn run_clients(until: Instant, path: &std::path::Path, talks: &Rc<Talks>) {
    let pool = Pool::new(AT_A_TIME);
    let dice = Random::new(1);
    let mut running: Vec<JoinHandle<()>> = Vec::new();
    while fibra::now() < until {
        let (own, counted, path) = (dice.fork(), talks.clone(), path.to_owned());
        talks.all.set(talks.all.get() + 1);
        running.push(pool.spawn(move || talk(&path, &own, &counted)));
        if dice.within(0..4) == 0 {
            running[dice.within(0..running.len() as u64) as usize].kill();
        }
        if running.len() == 2 * AT_A_TIME {
            running.retain(|fiber| !fiber.is_finished());
        }
    }
    pool.join().expect("each fiber has a time limit");
}

fn talk(path: &std::path::Path, dice: &Random, talks: &Talks) {
    let patience = Duration::from_micros(dice.within(100..200_000));
    let ends_early = dice.within(0..4) == 0;
    let outcome = fibra::time::timeout(patience, || {
        let stream = UnixStream::connect(path)?;
        for round in 0..dice.within(1..10) {
            let question = [round as u8; 500];
            (&stream).write_all(&question)?;
            if ends_early {
                return Ok(false);
            }
            let mut answer = [0; 500];
            (&stream).read_exact(&mut answer)?;
            assert_eq!(answer, question, "the answer is to this question");
        }
        io::Result::Ok(true)
    });
    let count = match outcome {
        Ok(Ok(true)) => &talks.answered,
        Ok(Ok(false) | Err(_)) => &talks.early,
        Err(_) => &talks.late,
    };
    count.set(count.get() + 1);
}
