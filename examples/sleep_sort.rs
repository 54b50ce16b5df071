//! Sleep sort: each number sleeps for as many seconds as its value, and is output when it wakes.
//!
//! On a real clock this is a joke: slow for large numbers and wrong for close ones. Here the clock
//! is virtual: it jumps from one deadline to the next, so the sort takes no time and the order is
//! exact. The timing wheel of the scheduler does the work. It is a radix sort, and a stable one:
//! equal numbers stay in their order.
//!
//! ```text
//! $ cargo run --release --example sleep_sort [NUMBERS...]
//! 1 2 3 3 5 8 13 21 34 55
//! slept for 55s
//! ```

use fibra::channel::unbounded;
use std::io;
use std::time::Duration;

fn main() -> io::Result<()> {
    let numbers = numbers();
    let (sorted, slept) = fibra::Runtime::builder().virtual_clock().build()?.run(|| {
        let start = fibra::now();
        (sleep_sort(numbers), fibra::now() - start)
    });
    let texts: Vec<_> = sorted.iter().map(u64::to_string).collect();
    println!("{}", texts.join(" "));
    println!("slept for {}s", slept.as_secs());
    Ok(())
}

fn sleep_sort(numbers: Vec<u64>) -> Vec<u64> {
    let (sender, receiver) = unbounded();
    for number in numbers {
        let sender = sender.clone();
        fibra::spawn(move || {
            fibra::sleep(Duration::from_secs(number));
            sender.send(number)
        });
    }
    drop(sender);
    receiver.into_iter().collect()
}

fn numbers() -> Vec<u64> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    if given.is_empty() {
        return vec![34, 3, 1, 55, 8, 21, 2, 13, 5, 3];
    }
    let parsed = given.iter().map(|text| text.parse().map_err(|error| format!("{text}: {error}")));
    parsed.collect::<Result<_, _>>().unwrap_or_else(|error| {
        eprintln!("NUMBERS are whole numbers of seconds: {error}");
        fibra::exit(2)
    })
}
