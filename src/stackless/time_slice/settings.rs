//! The settings of a `run` with a limit.

use std::time::Duration;

use crate::stackless::time_slice::{Limit, Run};

impl Run {
    /// Returns the settings of [`run`](crate::stackless::run()): no limit.
    pub fn new() -> Run {
        Run::default()
    }

    /// Interrupts a tasklet that runs for longer than `timeout`, by the scheduler's clock.
    ///
    /// The time of a tasklet is counted from the first safe point that it comes to. Zero is no
    /// limit.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fibra::stackless::{self, Run};
    ///
    /// fibra::run(|| {
    ///     stackless::spawn(|| loop {
    ///         stackless::tick();
    ///     });
    ///     let runaway = Run::new().timeout(Duration::from_millis(1)).run();
    ///     assert!(runaway.unwrap().is_paused());
    /// });
    /// ```
    pub fn timeout(self, timeout: Duration) -> Run {
        Run { limit: (!timeout.is_zero()).then_some(Limit::Time(timeout)), ..self }
    }

    /// Interrupts a tasklet at the `n`th safe point that it comes to without a switch. Zero is no
    /// limit.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless::{self, Run};
    ///
    /// fibra::run(|| {
    ///     stackless::spawn(|| (0..50).for_each(|_| stackless::tick()));
    ///     let interrupted = Run::new().ticks(10).run().unwrap();
    ///     interrupted.insert().unwrap(); // it may go on
    ///     assert_eq!(Run::new().ticks(1_000).run(), None);
    /// });
    /// ```
    pub fn ticks(self, n: u64) -> Run {
        Run { limit: (n != 0).then_some(Limit::Ticks(n)), ..self }
    }

    /// Sets a soft limit, which does not interrupt: the tasklet runs on to the next point where it
    /// would let others run, and then `run` returns `None`. The tasklet that would have run stays
    /// the first one in the run ring.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless::{self, Run};
    ///
    /// fibra::run(|| {
    ///     let [a, b] = [(); 2].map(|()| {
    ///         stackless::spawn(|| {
    ///             (0..50).for_each(|_| stackless::tick());
    ///             stackless::schedule();
    ///         })
    ///     });
    ///     assert_eq!(Run::new().ticks(10).soft().run(), None); // returned at `schedule`
    ///     assert!(a.is_scheduled() && b.is_scheduled());
    /// });
    /// ```
    pub fn soft(self) -> Run {
        Run { soft: true, ..self }
    }

    /// Counts the limit for the whole call, and not for each tasklet between two switches.
    pub fn total(self) -> Run {
        Run { total: true, ..self }
    }

    /// Waits for timers and other threads, too: `run` returns when nothing can ever run any more,
    /// or nothing without the caller.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fibra::stackless::{self, Run};
    ///
    /// fibra::run(|| {
    ///     let sleeper = stackless::spawn(|| fibra::sleep(Duration::from_millis(50)));
    ///     stackless::run();
    ///     assert!(sleeper.is_alive()); // `run` does not wait for timers
    ///     Run::new().threadblock().run();
    ///     assert!(!sleeper.is_alive());
    /// });
    /// ```
    pub fn threadblock(self) -> Run {
        Run { threadblock: true, ..self }
    }
}
