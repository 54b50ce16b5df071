//! A pipeline of pools: each stage works on several items at a time, and `imap` keeps their order.
//!
//! ```text
//! names --> load, 4 at a time --> shrink, 2 at a time --> store
//! ```
//!
//! `Pool::imap` returns an iterator, and takes one. So the stages are chained like the adaptors of
//! an iterator, but run at the same time: each stage works ahead of the next one by as many items
//! as it has permits, and no further, so a slow stage holds up the ones before it and memory stays
//! small. `imap_unordered` passes on what is finished first. An error is the result of its item.
//!
//! ```text
//! $ cargo run --release --example pipeline [PICTURES = 8]
//! one at a time:     7 pictures in 9600 ms
//! in order:          1 2 4 5 6 7 8, in 4200 ms
//! not stored:        3: the picture is damaged
//! as they finish:    2 4 6 7 8 1 5, in 2800 ms
//! ```
//!
//! The clock is virtual: the milliseconds take no time, and the run is the same each time.

mod arguments;
mod broken_pipe;

use fibra::pool::Pool;
use std::io;
use std::time::{Duration, Instant};

/// A picture, or the reason why there is none.
type Loaded = Result<u64, String>;

fn main() -> io::Result<()> {
    broken_pipe::end_quietly();
    let pictures = arguments::number(1, "PICTURES", 1..=1_000_000, 8) as u64;
    let runtime = || fibra::Runtime::builder().virtual_clock().build();
    runtime()?.run(|| {
        let start = fibra::now();
        let stored = (1..=pictures).map(load).map(shrink).filter(Result::is_ok).count();
        println!("one at a time:     {stored} pictures in {} ms", since(start));
    });
    runtime()?.run(|| {
        let start = fibra::now();
        let (loaders, shrinkers) = (Pool::new(4), Pool::new(2));
        let loaded = loaders.imap(1..=pictures, load).map(|outcome| outcome.expect("no panic"));
        let shrunk = shrinkers.imap(loaded, shrink).map(|outcome| outcome.expect("no panic"));
        let (stored, damaged) = store(shrunk);
        println!("in order:          {stored}, in {} ms", since(start));
        println!("not stored:        {damaged}");
    });
    runtime()?.run(|| {
        let start = fibra::now();
        let (loaders, shrinkers) = (Pool::new(4), Pool::new(2));
        let loaded = loaders.imap_unordered(1..=pictures, load).map(|outcome| outcome.unwrap());
        let shrunk = shrinkers.imap_unordered(loaded, shrink).map(|outcome| outcome.unwrap());
        let (stored, _) = store(shrunk);
        println!("as they finish:    {stored}, in {} ms", since(start));
    });
    Ok(())
}

fn since(start: Instant) -> u128 {
    (fibra::now() - start).as_millis()
}

/// Waits for a disk or a network.
fn load(number: u64) -> Loaded {
    fibra::sleep(Duration::from_millis(if number % 4 == 1 { 1500 } else { 400 }));
    if number == 3 { Err(format!("{number}: the picture is damaged")) } else { Ok(number) }
}

/// Waits for another program, or for a pool of threads.
fn shrink(picture: Loaded) -> Loaded {
    let picture = picture?;
    fibra::sleep(Duration::from_millis(600));
    Ok(picture)
}

/// Returns the numbers that arrived, in their order, and the errors.
fn store(pictures: impl Iterator<Item = Loaded>) -> (String, String) {
    let (mut stored, mut damaged) = (Vec::new(), Vec::new());
    for picture in pictures {
        match picture {
            Ok(number) => stored.push(number.to_string()),
            Err(error) => damaged.push(error),
        }
    }
    (stored.join(" "), damaged.join(", "))
}
