//! A sleep that is made of channels: a manager, a heap of times, and a channel for each sleeper.
//!
//! This is a classic of the Stackless examples. A fiber that wants to sleep sends the manager the
//! time at which to wake it and a channel, and receives on that channel. The manager keeps the
//! times in a heap. It waits for the next request, but not longer than until the first time in the
//! heap, and sends to the sleepers that are due.
//!
//! `fibra::sleep` is the same idea inside the scheduler, which is the manager. A wheel of lists
//! takes the place of the heap, so that the cost of a sleeper does not depend on their number.
//!
//! ```text
//! $ cargo run --release --example sleeping_manager
//!       the manager       fibra::sleep
//!   1s  cat               cat
//!   2s  cat               cat
//!   3s  dog, cat          dog, cat
//!   5s  owl               owl
//!   6s  dog               dog
//!   9s  dog               dog
//!  10s  owl               owl
//!       40 switches       12 switches
//! ```
//!
//! The clock is virtual: the run takes no time, and is the same each time.

mod broken_pipe;

use fibra::channel::{Channel, RecvTimeoutError};
use fibra::stackless;
use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::io;
use std::time::{Duration, Instant};

fn main() -> io::Result<()> {
    broken_pipe::end_quietly();
    let runtime = || fibra::Runtime::builder().virtual_clock().build();
    let (managed, switches) = runtime()?.run(|| {
        let manager = Manager::new();
        nap(|time| manager.sleep(time))
    });
    let (built_in, fewer) = runtime()?.run(|| nap(fibra::sleep));
    println!("      the manager       fibra::sleep");
    for ((seconds, woken), same) in managed.iter().zip(built_in.values()) {
        println!("{seconds:3}s  {:16}  {}", woken.join(", "), same.join(", "));
    }
    println!("      {switches} switches       {fewer} switches");
    Ok(())
}

/// Lets three fibers sleep a few times. Returns the names that woke in each second, and the number
/// of switches.
fn nap(sleep: impl Fn(Duration)) -> (BTreeMap<u64, Vec<&'static str>>, u64) {
    let (start, switches) = (fibra::now(), fibra::stats().switches);
    let woken = RefCell::new(BTreeMap::<_, Vec<_>>::new());
    fibra::scope(|s| {
        for (name, seconds, times) in [("dog", 3, 3), ("cat", 1, 3), ("owl", 5, 2)] {
            let (sleep, woken) = (&sleep, &woken);
            s.spawn(move || {
                for _ in 0..times {
                    sleep(Duration::from_secs(seconds));
                    let second = (fibra::now() - start).as_secs();
                    woken.borrow_mut().entry(second).or_default().push(name);
                }
            });
        }
    });
    (woken.into_inner(), fibra::stats().switches - switches)
}

/// The time at which to wake a sleeper, and the channel on which it waits.
type Request = (Instant, Channel<()>);

struct Manager {
    requests: Channel<Request>,
}

impl Manager {
    fn new() -> Manager {
        let requests = Channel::new();
        stackless::tasklet(manage).setup(requests.clone());
        Manager { requests }
    }

    fn sleep(&self, time: Duration) {
        let bell = Channel::new();
        self.requests.send((fibra::now() + time, bell.clone())).unwrap();
        bell.recv().unwrap();
    }
}

/// Serves requests. Sleepers with the same time wake in the order of their requests.
fn manage(requests: Channel<Request>) {
    let (mut times, mut bells) = (BinaryHeap::new(), HashMap::new());
    for number in 0_u64.. {
        let request = loop {
            let Some(&Reverse((next, sleeper))) = times.peek() else { break requests.recv() };
            match requests.recv_deadline(next) {
                Err(RecvTimeoutError::Timeout) => {
                    times.pop();
                    let bell: Channel<()> = bells.remove(&sleeper).expect("each time has a bell");
                    bell.send(()).unwrap();
                }
                Ok(request) => break Ok(request),
                Err(error) => panic!("{error}"),
            }
        };
        let (time, bell) = request.expect("no one closes the channel");
        times.push(Reverse((time, number)));
        bells.insert(number, bell);
    }
}
