//! How long to wait between two attempts.
//!
//! Invariant: the same settings give the same waits each time, jitter included, unless the caller
//! brings a function that does not.

use std::fmt;
use std::time::Duration;

/// The waits between attempts of a [`Retry`](crate::pool::Retry).
///
/// # Examples
///
/// ```
/// use fibra::pool::Wait;
/// use std::time::Duration;
///
/// let ms = Duration::from_millis;
/// let mut wait = Wait::exponential(ms(100), 2.0, ms(1_000));
/// assert_eq!([1, 2, 3, 4, 5].map(|failed| wait.after(failed)), [100, 200, 400, 800, 1_000].map(ms));
/// ```
pub struct Wait<'a> {
    kind: Kind<'a>,
    jitter: Option<SplitMix>,
}

enum Kind<'a> {
    Fixed(Duration),
    Exponential { base: Duration, factor: f64, max: Duration },
    By(Box<dyn FnMut(u32) -> Duration + 'a>),
}

impl<'a> Wait<'a> {
    /// No wait: the next attempt is made when all other fibers that can run have run.
    #[must_use]
    pub fn none() -> Wait<'a> {
        Wait::fixed(Duration::ZERO)
    }

    /// The same wait each time.
    #[must_use]
    pub fn fixed(wait: Duration) -> Wait<'a> {
        Wait { kind: Kind::Fixed(wait), jitter: None }
    }

    /// `base`, then `factor` times as long each time, and never longer than `max`.
    ///
    /// # Panics
    ///
    /// Panics unless `factor` is a number of at least 0.
    #[must_use]
    #[track_caller]
    pub fn exponential(base: Duration, factor: f64, max: Duration) -> Wait<'a> {
        assert!(
            factor.is_finite() && 0.0 <= factor,
            "the factor of an exponential wait is a number of at least 0, not {factor}"
        );
        Wait { kind: Kind::Exponential { base, factor, max }, jitter: None }
    }

    /// Whatever `f` says; it is given the number of attempts that have failed.
    #[must_use]
    pub fn by(f: impl FnMut(u32) -> Duration + 'a) -> Wait<'a> {
        Wait { kind: Kind::By(Box::new(f)), jitter: None }
    }

    /// Takes a random part of each wait, anything from nothing to all of it: clients that failed
    /// together do not come back together.
    ///
    /// The same seed gives the same parts. Give each client another one. With a generator of
    /// random numbers of one's own, use [`Wait::by`].
    #[must_use]
    pub fn jitter(self, seed: u64) -> Wait<'a> {
        Wait { jitter: Some(SplitMix(seed)), ..self }
    }

    /// The wait after so many failed attempts, of which there is at least one. Jitter and `by` may
    /// say something else the next time.
    pub fn after(&mut self, failed: u32) -> Duration {
        let wait = match &mut self.kind {
            Kind::Fixed(wait) => *wait,
            Kind::Exponential { base, factor, max } => {
                let growth = factor.powf(f64::from(failed.max(1) - 1));
                let wait = Duration::try_from_secs_f64(base.as_secs_f64() * growth);
                wait.unwrap_or(*max).min(*max)
            }
            Kind::By(f) => f(failed),
        };
        match &mut self.jitter {
            Some(random) => wait.mul_f64(random.part()),
            None => wait,
        }
    }
}

impl From<Duration> for Wait<'_> {
    fn from(wait: Duration) -> Self {
        Wait::fixed(wait)
    }
}

impl fmt::Debug for Wait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Fixed(wait) => write!(f, "Wait::fixed({wait:?})"),
            Kind::Exponential { base, factor, max } => {
                write!(f, "Wait::exponential({base:?}, {factor}, {max:?})")
            }
            Kind::By(_) => f.write_str("Wait::by(..)"),
        }?;
        self.jitter.as_ref().map_or(Ok(()), |_| f.write_str(".jitter(..)"))
    }
}

/// A small generator of random numbers: a counter whose bits are mixed.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from 0 to below 1.
    fn part(&mut self) -> f64 {
        const STEPS: f64 = (1_u64 << 53) as f64;
        (self.next() >> 11) as f64 / STEPS
    }
}
