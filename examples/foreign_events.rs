//! Waits for what other code reports: a thread that unparks a fiber, several threads that end, and
//! a file descriptor.
//!
//! A library for devices, sound or graphics has threads and callbacks of its own. An `Unparker` may
//! be sent to any thread, and wakes one fiber; a `WaitGroup` wakes it when all have ended. A
//! library that has a file descriptor needs no thread: `io::wait_readable` parks the fiber until
//! the descriptor can be read. The other fibers run meanwhile, here a ticker.
//!
//! ```text
//! $ cargo run --release --example foreign_events
//! a callback on another thread reported: 42
//! no second report within 20 ms: true
//! 3 threads have measured, 60 samples in all
//! the descriptor could be read: three bytes
//! the ticker ran meanwhile: true
//! ```

mod broken_pipe;

use fibra::Unparker;
use fibra::sync::WaitGroup;
use std::cell::Cell;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

fn main() -> io::Result<()> {
    broken_pipe::end_quietly();
    fibra::run(|| {
        let ticks = Rc::new(Cell::new(0));
        let counted = ticks.clone();
        let ticker = fibra::spawn(move || {
            loop {
                fibra::sleep(Duration::from_millis(1));
                counted.set(counted.get() + 1);
            }
        });
        a_callback();
        three_threads();
        a_descriptor()?;
        ticker.kill();
        println!("the ticker ran meanwhile: {}", 0 < ticks.get());
        Ok(())
    })
}

fn a_callback() {
    let (sender, reports) = channel();
    let device = Device::open(sender, fibra::current().unparker());
    // A wake may come for another reason, so the loop looks again.
    let report = loop {
        match reports.try_recv() {
            Ok(report) => break report,
            Err(_) => fibra::park(),
        }
    };
    println!("a callback on another thread reported: {report}");
    fibra::park_timeout(Duration::from_millis(20));
    println!("no second report within 20 ms: {}", reports.try_recv().is_err());
    device.close(reports);
}

/// A device whose library calls back on a thread of its own.
struct Device(thread::JoinHandle<()>);

impl Device {
    fn open(sender: Sender<u32>, unparker: Unparker) -> Device {
        let callback = move |report| {
            let _ = sender.send(report);
            unparker.unpark();
        };
        let thread = thread::Builder::new().spawn(move || {
            thread::park_timeout(Duration::from_millis(10)); // The device works.
            callback(42);
        });
        Device(thread.expect("a thread can be started"))
    }

    fn close(self, reports: Receiver<u32>) {
        drop(reports);
        self.0.join().expect("the device does not panic");
    }
}

fn three_threads() {
    static MEASURING: WaitGroup = WaitGroup::new();
    static SAMPLES: AtomicU32 = AtomicU32::new(0);
    for samples in [10, 20, 30] {
        let worker = MEASURING.worker();
        let measure = move || {
            SAMPLES.fetch_add(samples, Ordering::Relaxed);
            drop(worker);
        };
        thread::Builder::new().spawn(measure).expect("a thread can be started");
    }
    MEASURING.wait(); // Parks this fiber only.
    println!("3 threads have measured, {} samples in all", SAMPLES.load(Ordering::Relaxed));
}

fn a_descriptor() -> io::Result<()> {
    // A descriptor of another library: here a socket of std, which blocks.
    let (mut reader, mut writer) = UnixStream::pair()?;
    fibra::spawn(move || {
        fibra::sleep(Duration::from_millis(10));
        writer.write_all(b"three bytes")
    });
    fibra::io::wait_readable(&reader)?; // The read after it does not block.
    let mut bytes = [0; 11];
    reader.read_exact(&mut bytes)?;
    println!("the descriptor could be read: {}", String::from_utf8_lossy(&bytes));
    Ok(())
}
