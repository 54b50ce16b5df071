//! The cost of a dump with stacks: its time, beside plain captures, and its memory.

use std::backtrace::Backtrace;
use std::cell::Cell;
use std::fs;
use std::hint::black_box;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::support::{in_child, name_of, stderr};

const FIBERS: usize = if cfg!(debug_assertions) { 20_000 } else { 100_000 };

/// The bytes for each fiber that 64 MB for 100,000 of them make.
const MOST_BYTES: usize = 640;

#[inline(never)]
fn captures_then_waits(spent: &Cell<Duration>) {
    let start = Instant::now();
    drop(black_box(Backtrace::force_capture()));
    spent.set(spent.get() + start.elapsed());
    fibra::park();
    black_box(());
}

fn resident() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").expect("this test needs /proc");
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

#[test]
fn a_dump_costs_at_most_twice_as_much_as_plain_captures_and_little_memory() {
    let output = in_child(
        name_of!(a_dump_costs_at_most_twice_as_much_as_plain_captures_and_little_memory),
        &[],
        || {
            fibra::run(|| {
                let spent = Rc::new(Cell::new(Duration::ZERO));
                for _ in 0..FIBERS {
                    let spent = spent.clone();
                    fibra::spawn(move || captures_then_waits(&spent)).detach();
                }
                fibra::yield_now();
                let (before, start) = (resident(), Instant::now());
                let dump = fibra::dump_with_stacks();
                let (took, bytes) = (start.elapsed(), resident().saturating_sub(before));
                assert!(dump.fibers.iter().all(|fiber| fiber.stack.is_some()));
                let ratio = took.as_secs_f64() / spent.get().as_secs_f64();
                eprintln!(
                    "{FIBERS} fibers: {took:?}, {ratio:.2} times as long as captures; {} bytes each",
                    bytes / FIBERS
                );
                // Without optimisation the walk is slower, and the captures of std are not.
                assert!(ratio < if cfg!(debug_assertions) { 8.0 } else { 2.0 }, "{ratio}");
                assert!(bytes <= MOST_BYTES * FIBERS + (4 << 20), "{bytes}");
            });
        },
    );
    let text = stderr(&output);
    assert!(output.status.success(), "{text}");
    println!("{text}");
}
