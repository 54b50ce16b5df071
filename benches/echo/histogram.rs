//! Times, counted in buckets whose width is one sixty-fourth of the times in them.
//!
//! The first 128 buckets hold one nanosecond each; from then on every power of two is divided into
//! 64 buckets of the same width. A percentile is therefore at most 1.6 % too high.

use std::time::Duration;

/// The number of significant bits of a time.
const BITS: u32 = 6;
const WIDTH: usize = 1 << BITS;

#[derive(Clone)]
pub(crate) struct Histogram {
    /// The number of times in each bucket.
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self { counts: vec![0; bucket(u64::MAX) + 1], total: 0 }
    }

    pub(crate) fn record(&mut self, time: Duration) {
        self.counts[bucket(time.as_nanos() as u64)] += 1;
        self.total += 1;
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Returns a time that `share` of all times do not exceed; `None` if there are no times.
    pub(crate) fn percentile(&self, share: f64) -> Option<Duration> {
        let rank = (self.total as f64 * share).ceil() as u64;
        let mut below = 0;
        let found = self.counts.iter().position(|count| {
            below += count;
            0 < below && rank <= below
        });
        found.map(|bucket| Duration::from_nanos(longest_in(bucket)))
    }
}

fn bucket(nanoseconds: u64) -> usize {
    let shift = nanoseconds.checked_ilog2().unwrap_or(0).saturating_sub(BITS);
    shift as usize * WIDTH + (nanoseconds >> shift) as usize
}

/// Returns the longest time that falls into a bucket: the inverse of [`bucket`].
fn longest_in(bucket: usize) -> u64 {
    let shift = (bucket / WIDTH).saturating_sub(1);
    let first = (bucket - shift * WIDTH) as u64;
    (first << shift) | ((1 << shift) - 1)
}

/// Tests the histogram. A benchmark has no tests of its own, so its smoke run calls this.
pub(crate) fn assert_valid() {
    for shift in 0..63 {
        for time in [1_u64 << shift, (1 << shift) + 1, (2 << shift) - 1] {
            let longest = longest_in(bucket(time));
            assert!(time <= longest && longest - time <= time / WIDTH as u64, "{time}: {longest}");
            assert_eq!(bucket(longest), bucket(time));
            assert_ne!(bucket(longest + 1), bucket(time));
        }
    }
    let mut histogram = Histogram::new();
    assert_eq!(histogram.percentile(0.5), None);
    (1..=50).for_each(|time| histogram.record(Duration::from_nanos(time)));
    assert_eq!(histogram.percentile(0.5), Some(Duration::from_nanos(25)));
    assert_eq!(histogram.percentile(0.99), Some(Duration::from_nanos(50)));
}
