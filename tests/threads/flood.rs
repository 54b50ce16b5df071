//! Two threads call one entry point of a scheduler nonstop: fibers run on, and memory is bounded.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use fibra::stackless::{self, SharedChannel, Tasklet};

use crate::support::{DONE_LINE, go, in_child, ms, stderr};

/// The least duration of a flood, and the time after which it ends although fibers starve. On a
/// busy machine, the thread of the fibers may have few turns in the first time.
const FLOOD: Duration = ms(600);
const AT_MOST: Duration = ms(10_000);

/// Returns the size of the anonymous memory of this process.
fn anonymous_memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10
}

/// Calls `door` from two threads for a while, and meanwhile counts the turns of the calling fiber.
fn flood(door: impl Fn() + Send + Sync + 'static) {
    let (door, stop) = (Arc::new(door), Arc::new(AtomicBool::new(false)));
    let calls = Arc::new(AtomicUsize::new(0));
    let before = anonymous_memory();
    let threads = [(); 2].map(|()| {
        let (door, stop, calls) = (door.clone(), stop.clone(), calls.clone());
        let end = Instant::now() + AT_MOST;
        thread::spawn(move || {
            while Instant::now() < end && !stop.load(Ordering::Relaxed) {
                (0..100).for_each(|_| door());
                calls.fetch_add(100, Ordering::Relaxed);
            }
        })
    });
    let start = Instant::now();
    let mut turns = 0;
    while start.elapsed() < FLOOD || turns < 8 && start.elapsed() < AT_MOST {
        fibra::sleep(ms(1));
        turns += 1;
    }
    stop.store(true, Ordering::Relaxed);
    let grown = anonymous_memory().saturating_sub(before);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let calls = calls.load(Ordering::Relaxed);
    assert!(1_000 < calls, "only {calls} calls");
    assert!(8 <= turns, "{turns} turns beside {calls} calls");
    assert!(grown < 24 << 20, "{} KiB more after {calls} calls", grown >> 10);
}

/// Runs `body` in a process of its own, whose memory no other test changes.
fn alone(test: &str, body: impl FnOnce()) {
    let output = in_child(&format!("flood::{test}"), &[], || fibra::run(body));
    assert!(output.status.success() && stderr(&output).ends_with(DONE_LINE), "{}", stderr(&output));
}

#[test]
fn unparks() {
    alone("unparks", || {
        let parked = fibra::spawn(|| {
            loop {
                fibra::park();
            }
        });
        let unparker = parked.fiber().unparker();
        flood(move || unparker.unpark());
    });
}

#[test]
fn unparks_of_a_fiber_that_has_ended() {
    alone("unparks_of_a_fiber_that_has_ended", || {
        let ended = fibra::spawn(|| fibra::current().unparker());
        let unparker = ended.join().unwrap();
        flood(move || unparker.unpark());
    });
}

#[test]
fn dropped_clones_of_unparkers() {
    alone("dropped_clones_of_unparkers", || {
        let unparker = fibra::current().unparker();
        flood(move || drop(unparker.clone()));
    });
}

#[test]
fn wakes_of_a_task() {
    alone("wakes_of_a_task", || {
        let waker = Arc::new(Mutex::new(None));
        let place = waker.clone();
        go(move || {
            fibra::future::block_on(poll_fn(|cx| {
                *place.lock().unwrap() = Some(cx.waker().clone());
                Poll::<()>::Pending
            }));
        });
        fibra::yield_now();
        let waker = waker.lock().unwrap().clone().unwrap();
        flood(move || waker.wake_by_ref());
    });
}

/// Allows a stubborn tasklet to end, also when an assertion fails.
struct Release(Arc<AtomicBool>);

impl Drop for Release {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Spawns a tasklet that survives every throw, until the other value is dropped.
fn stubborn() -> (Tasklet, Release) {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let tasklet = stackless::spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            let _ = catch_unwind(AssertUnwindSafe(stackless::schedule));
        }
    });
    fibra::yield_now();
    (tasklet, Release(stop))
}

/// Sends orders to a tasklet from two threads.
fn flood_of_orders(each: impl Fn(&stackless::RemoteTasklet, usize) + Send + Sync + 'static) {
    let (tasklet, release) = stubborn();
    let (remote, count) = (tasklet.remote(), AtomicUsize::new(0));
    flood(move || each(&remote, count.fetch_add(1, Ordering::Relaxed)));
    drop(release);
    // Orders that are still in transit may take it out of the ring once more.
    while tasklet.is_alive() {
        let _ = tasklet.insert();
        fibra::yield_now();
    }
}

#[test]
fn orders_to_a_tasklet() {
    alone("orders_to_a_tasklet", || {
        flood_of_orders(|remote, count| {
            match count % 3 {
                0 => remote.insert(),
                1 => remote.remove(),
                _ => remote.run(),
            }
            .unwrap();
        });
    });
}

#[test]
fn kills_of_a_tasklet() {
    alone("kills_of_a_tasklet", || flood_of_orders(|remote, _| remote.kill().unwrap()));
}

#[test]
fn payloads_thrown_at_a_tasklet_between_other_orders() {
    alone("payloads_thrown_at_a_tasklet_between_other_orders", || {
        flood_of_orders(|remote, count| match count % 5 {
            0 => remote.insert().unwrap(),
            1 => remote.remove().unwrap(),
            _ => drop(remote.throw([0_u64; 32])),
        });
    });
}

#[test]
fn payloads_thrown_at_a_tasklet_that_has_ended() {
    alone("payloads_thrown_at_a_tasklet_that_has_ended", || {
        let tasklet = stackless::spawn(|| ());
        let remote = tasklet.remote();
        fibra::yield_now();
        flood(move || drop(remote.throw([0_u64; 32])));
    });
}

#[test]
fn values_for_a_shared_channel() {
    alone("values_for_a_shared_channel", || {
        let channel = SharedChannel::new();
        let to = channel.clone();
        go(move || while channel.receive().is_ok() {});
        flood(move || drop(to.try_send(1)));
    });
}

#[test]
fn values_for_a_choice_among_channels_of_threads() {
    alone("values_for_a_choice_among_channels_of_threads", || {
        let (sender, receiver) = fibra::sync::mpmc::bounded(1);
        go(move || {
            loop {
                fibra::select! {
                    value = recv(receiver) => drop(value),
                    after(ms(1000)) => {}
                }
            }
        });
        flood(move || drop(sender.try_send(1)));
    });
}

#[test]
#[cfg(feature = "net")]
fn signals() {
    use fibra::signal::{Signal, Signals};
    use rustix::process::{getpid, kill_process};

    alone("signals", || {
        let signals = Signals::new(&[Signal::SIGUSR1]).unwrap();
        go(move || {
            loop {
                signals.recv().unwrap();
            }
        });
        flood(|| kill_process(getpid(), rustix::process::Signal::USR1).unwrap());
    });
}
