//! A fiber that blocks its thread, and the report that names it: the section "A fiber holds its
//! thread" of the guide's page about diagnosis shows the output.
//!
//! ```text
//! $ cargo run --release --example find_a_hog
//! fibra: hog: fiber 'sensor' (#2) has held its thread for 100 ms without a wait or a yield
//! ...
//! both have ended
//! ```

use std::io;
use std::time::{Duration, Instant};

/// Waits for an answer with a call that blocks the whole thread, and not only the fiber.
#[allow(clippy::disallowed_methods, reason = "the fault that this program shows")]
fn poll_the_sensor() {
    std::thread::sleep(Duration::from_millis(400));
}

/// Sums up the digits of many numbers, and lets no other fiber run meanwhile.
#[allow(clippy::disallowed_methods, reason = "measures time by itself")]
fn sum_up_digits() -> u64 {
    let start = Instant::now();
    let mut sum = 0;
    while start.elapsed() < Duration::from_millis(400) {
        sum += (1..1_000_u64).map(|n| n % 10 + n / 10 % 10 + n / 100).sum::<u64>();
    }
    sum
}

fn main() -> io::Result<()> {
    // In a build with debug assertions the limit is 100 ms unless one is set.
    let builder = fibra::Runtime::builder().hog_limit(Duration::from_millis(100));
    builder.build()?.run(|| {
        let sensor = fibra::Builder::new().name("sensor").spawn(poll_the_sensor);
        let digits = fibra::Builder::new().name("digits").spawn(sum_up_digits);
        // This one only waits, and is not reported.
        fibra::sleep(Duration::from_millis(300));
        sensor.join().unwrap();
        assert_ne!(digits.join().unwrap(), 0);
    });
    println!("both have ended");
    Ok(())
}
