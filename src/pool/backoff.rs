//! The time to wait between two attempts.
//!
//! Invariant: the same settings give the same waits each time, including jitter, unless the caller
//! supplies a function that does not.

use std::fmt;
use std::time::Duration;

/// The waits between attempts of a [`Retry`](crate::pool::Retry).
///
/// # Examples
///
/// ```
/// use fibra::pool::Backoff;
/// use std::time::Duration;
///
/// let ms = Duration::from_millis;
/// let mut wait = Backoff::exponential(ms(100), 2.0, ms(1_000));
/// let waits = [1, 2, 3, 4, 5].map(|failed| wait.after(failed));
/// assert_eq!(waits, [100, 200, 400, 800, 1_000].map(ms));
/// ```
pub struct Backoff<'a> {
    kind: Kind<'a>,
    jitter: Option<SplitMix>,
}

enum Kind<'a> {
    Fixed(Duration),
    Exponential { base: Duration, factor: f64, max: Duration },
    By(Box<dyn FnMut(u32) -> Duration + 'a>),
}

impl<'a> Backoff<'a> {
    /// Creates a backoff without waits: the next attempt is made after all other ready fibers have
    /// run.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::pool::{Backoff, Retry};
    ///
    /// fibra::run(|| {
    ///     let retry = Retry::attempts(3).wait(Backoff::none());
    ///     let outcome = retry.run(|attempt| if attempt < 3 { Err("no") } else { Ok("done") });
    ///     assert_eq!(outcome.unwrap(), "done");
    /// });
    /// ```
    #[must_use]
    pub fn none() -> Backoff<'a> {
        Backoff::fixed(Duration::ZERO)
    }

    /// Creates a backoff that waits the same time after each attempt.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fibra::pool::Backoff;
    ///
    /// let mut backoff = Backoff::fixed(Duration::from_millis(5));
    /// assert_eq!(backoff.after(1), backoff.after(2));
    /// ```
    #[must_use]
    pub fn fixed(wait: Duration) -> Backoff<'a> {
        Backoff { kind: Kind::Fixed(wait), jitter: None }
    }

    /// Creates a backoff that waits `base`, then `factor` times as long each time, up to `max`.
    ///
    /// # Panics
    ///
    /// Panics if `factor` is negative or not finite.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fibra::pool::Backoff;
    ///
    /// let ms = Duration::from_millis;
    /// let mut backoff = Backoff::exponential(ms(10), 2.0, ms(30));
    /// let waits = [1, 2, 3, 4].map(|failed| backoff.after(failed));
    /// assert_eq!(waits, [ms(10), ms(20), ms(30), ms(30)]);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn exponential(base: Duration, factor: f64, max: Duration) -> Backoff<'a> {
        assert!(
            factor.is_finite() && 0.0 <= factor,
            "the factor of an exponential backoff must be finite and not negative, not {factor}"
        );
        Backoff { kind: Kind::Exponential { base, factor, max }, jitter: None }
    }

    /// Creates a backoff that waits as long as `f` returns for the number of failed attempts.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fibra::pool::Backoff;
    ///
    /// let mut backoff = Backoff::by(|failed| Duration::from_secs(failed.into()));
    /// assert_eq!(backoff.after(1), Duration::from_secs(1));
    /// assert_eq!(backoff.after(7), Duration::from_secs(7));
    /// ```
    #[must_use]
    pub fn by(f: impl FnMut(u32) -> Duration + 'a) -> Backoff<'a> {
        Backoff { kind: Kind::By(Box::new(f)), jitter: None }
    }

    /// Takes a random part of each wait, between none and all of it: clients that failed at the
    /// same time do not all return at the same time.
    ///
    /// The same seed gives the same parts. Give each client a different seed. To use another random
    /// number generator, see [`Backoff::by`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fibra::pool::Backoff;
    ///
    /// let mut backoff = Backoff::fixed(Duration::from_secs(4)).jitter(7);
    /// let waits = [1, 2, 3].map(|failed| backoff.after(failed));
    /// assert!(waits.iter().all(|&wait| wait <= Duration::from_secs(4)));
    /// assert_ne!(waits[0], waits[1]);
    /// ```
    #[must_use]
    pub fn jitter(self, seed: u64) -> Backoff<'a> {
        Backoff { jitter: Some(SplitMix(seed)), ..self }
    }

    /// Returns the wait after `failed` attempts, which is at least 1. With jitter or
    /// [`Backoff::by`], the next call may return a different wait.
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

impl From<Duration> for Backoff<'_> {
    fn from(wait: Duration) -> Self {
        Backoff::fixed(wait)
    }
}

impl fmt::Debug for Backoff<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Fixed(wait) => write!(f, "Backoff::fixed({wait:?})"),
            Kind::Exponential { base, factor, max } => {
                write!(f, "Backoff::exponential({base:?}, {factor}, {max:?})")
            }
            Kind::By(_) => f.write_str("Backoff::by(..)"),
        }?;
        self.jitter.as_ref().map_or(Ok(()), |_| f.write_str(".jitter(..)"))
    }
}

/// A small random number generator: a counter whose bits are mixed.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Returns a number from 0 to below 1.
    fn part(&mut self) -> f64 {
        const STEPS: f64 = (1_u64 << 53) as f64;
        (self.next() >> 11) as f64 / STEPS
    }
}
