//! A `select!` loop: log lines are collected into batches, and each batch is written when it is
//! full, when its first line is 100 ms old, or when the program shuts down.
//!
//! One fiber waits for three things at a time: the next line, a request to write now, and the age
//! limit of the batch. Each is an arm of one `select!`, and the code beside the arm is ordinary
//! code of the loop: it changes local variables and leaves the loop. With `biased;` the arms are
//! tried from the first to the last, so a flush writes all lines that were sent before it.
//!
//! ```text
//! $ cargo run --release --example batcher
//!    30 ms  3 lines, the batch was full:          line 1, line 2, line 3
//!   150 ms  2 lines, the first was 100 ms old:    line 4, line 5
//!   300 ms  1 lines, a flush was requested:       line 6
//!   410 ms  2 lines, the producer has ended:      line 7, line 8
//! the producer sent 8 lines
//! ```
//!
//! The clock is virtual: the milliseconds take no time, and the run is the same each time.

mod broken_pipe;

use fibra::channel::{Receiver, Sender, unbounded};
use fibra::select;
use fibra::sync::Event;
use std::io;
use std::rc::Rc;
use std::time::Duration;

const FULL: usize = 3;
const MAX_AGE: Duration = Duration::from_millis(100);

fn main() -> io::Result<()> {
    broken_pipe::end_quietly();
    fibra::Runtime::builder().virtual_clock().build()?.run(|| {
        let (sender, lines) = unbounded();
        let flush = Rc::new(Event::new());
        let requests = flush.clone();
        let producer = fibra::spawn(move || produce(&sender, &requests));
        write_batches(&lines, &flush);
        println!("the producer sent {} lines", producer.join().expect("it does not panic"));
    });
    Ok(())
}

/// Sends eight lines at fixed times, and requests one flush. Returns the number of lines.
fn produce(lines: &Sender<String>, flush: &Event) -> usize {
    let pauses = [10, 10, 10, 20, 20, 230, 100, 10];
    for (pause, number) in pauses.into_iter().zip(1..) {
        fibra::sleep(Duration::from_millis(pause));
        lines.send(format!("line {number}")).unwrap();
        if number == 6 {
            flush.set();
        }
    }
    pauses.len()
}

/// Writes batches until the producer has ended.
fn write_batches(lines: &Receiver<String>, flush: &Event) {
    let start = fibra::now();
    let (mut batch, mut oldest) = (Vec::new(), start);
    let write = |batch: &mut Vec<String>, reason: &str| {
        let (at, length) = ((fibra::now() - start).as_millis(), batch.len());
        println!("{at:5} ms  {length} lines, {:28} {}", format!("{reason}:"), batch.join(", "));
        batch.clear();
    };
    loop {
        let limit = if batch.is_empty() { Duration::MAX } else { MAX_AGE };
        let left = limit.saturating_sub(fibra::now() - oldest);
        select! {
            biased;
            line = recv(lines) => {
                let Ok(line) = line else { break write(&mut batch, "the producer has ended") };
                if batch.is_empty() {
                    oldest = fibra::now();
                }
                batch.push(line);
                if batch.len() == FULL {
                    write(&mut batch, "the batch was full");
                }
            }
            wait(flush) => {
                flush.clear();
                write(&mut batch, "a flush was requested");
            }
            after(left) => write(&mut batch, "the first was 100 ms old"),
        }
    }
}
