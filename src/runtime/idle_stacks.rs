//! The settings of a [`Runtime`](crate::Runtime) for the unused stacks that its schedulers keep.

use crate::runtime::RuntimeBuilder;

impl RuntimeBuilder {
    /// Sets how many unused stacks each scheduler keeps even if no fiber has needed them for a
    /// while, of the size that [`stack_size`](RuntimeBuilder::stack_size) sets. The default is 64.
    ///
    /// A stack that was used before is warm: a fiber that gets one starts in a fraction of the time
    /// that the pages of a new stack take. Each scheduler keeps as many as its fibers have needed
    /// lately. What they have not needed in half a second is given back to the system by halves,
    /// down to this number. Set a larger one if bursts of fibers come less often, and a smaller one
    /// if memory matters more.
    ///
    /// Stacks are not made in advance: a scheduler keeps those that its fibers have used.
    /// [`trim_stacks`](crate::trim_stacks) gives back these, too.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let runtime = fibra::Runtime::builder().virtual_clock().min_idle_stacks(500).build()?;
    /// runtime.run(|| {
    ///     let burst: Vec<_> = (0..2_000).map(|_| fibra::spawn(fibra::yield_now)).collect();
    ///     burst.into_iter().for_each(|fiber| fiber.join().unwrap());
    ///     assert!(2_000 <= fibra::stats().stacks_idle);
    ///     fibra::sleep(Duration::from_secs(10));
    ///     assert_eq!(fibra::stats().stacks_idle, 500);
    /// });
    /// # Ok(())
    /// # }
    /// ```
    pub fn min_idle_stacks(mut self, n: usize) -> RuntimeBuilder {
        self.keep = self.keep.at_least(n);
        self
    }

    /// Sets how many unused stacks each scheduler keeps at most, of all sizes together. The default
    /// is no limit: as many as its fibers have needed lately.
    ///
    /// At the limit, the half that was unused for longest is given back to the system. This limit
    /// also applies to [`min_idle_stacks`](RuntimeBuilder::min_idle_stacks).
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let runtime = fibra::Runtime::builder().max_idle_stacks(100).build()?;
    /// runtime.run(|| {
    ///     let burst: Vec<_> = (0..2_000).map(|_| fibra::spawn(fibra::yield_now)).collect();
    ///     burst.into_iter().for_each(|fiber| fiber.join().unwrap());
    ///     assert!(fibra::stats().stacks_idle <= 100);
    /// });
    /// # Ok(())
    /// # }
    /// ```
    pub fn max_idle_stacks(mut self, n: usize) -> RuntimeBuilder {
        self.keep = self.keep.at_most(n);
        self
    }

    /// Sets how many bytes the unused stacks have at most that each scheduler keeps, of all sizes
    /// together. The default is no limit for stacks of up to 1 MiB, and 256 MiB for each size above
    /// that.
    ///
    /// Each stack counts with its full size, although only the pages that were touched take memory,
    /// often one of them. So this is a bound on the memory that unused stacks take, however deep
    /// the calls were that fibers made on them.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let builder = fibra::Runtime::builder().stack_size(256 << 10);
    /// let runtime = builder.max_idle_stack_bytes(64 << 20).build()?;
    /// runtime.run(|| {
    ///     let burst: Vec<_> = (0..2_000).map(|_| fibra::spawn(fibra::yield_now)).collect();
    ///     burst.into_iter().for_each(|fiber| fiber.join().unwrap());
    ///     assert!(fibra::stats().stacks_idle <= 256);
    ///     assert!(fibra::stats().stacks_idle_bytes <= 64 << 20);
    /// });
    /// # Ok(())
    /// # }
    /// ```
    pub fn max_idle_stack_bytes(mut self, bytes: usize) -> RuntimeBuilder {
        self.keep = self.keep.bytes(bytes);
        self
    }
}
