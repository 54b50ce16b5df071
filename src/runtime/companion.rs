//! The settings of a [`Runtime`](crate::Runtime) whose fibers have a runtime of tokio.

use crate::host::Companion;
use crate::runtime::RuntimeBuilder;

impl RuntimeBuilder {
    /// Gives the fibers a runtime of tokio: for crates whose futures use its sockets and timers, or
    /// spawn tasks.
    ///
    /// Each scheduler has a `current_thread` runtime of its own on its thread. Tasks run there when
    /// no fiber is ready, and between the fibers when some are. They end when the scheduler does.
    /// If this is called inside a runtime of tokio with several threads (under `#[tokio::main]`),
    /// all schedulers use that one instead.
    ///
    /// [`future::block_on`](crate::future::block_on) waits in a fiber for the futures of such
    /// crates; everything else that needs only a runtime, `tokio::spawn` for example, also works.
    /// Tasks are not fibers: a call that waits without `.await` stops the thread inside a task, as
    /// it does in any program that uses tokio. Some things are different in such a runtime: time
    /// limits and sleeps end on the next millisecond, and a deadlock of all fibers is not found,
    /// because a task might end it.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::future::block_on;
    /// use std::time::Duration;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// fibra::Runtime::builder().tokio().build()?.run(|| {
    ///     let fibers = (1..=3).map(|n| {
    ///         fibra::spawn(move || {
    ///             block_on(tokio::time::sleep(Duration::from_millis(n)));
    ///             block_on(async { tokio::spawn(async move { n * n }).await.unwrap() })
    ///         })
    ///     });
    ///     let squares: Vec<u64> =
    ///         fibers.collect::<Vec<_>>().into_iter().map(|fiber| fiber.join().unwrap()).collect();
    ///     assert_eq!(squares, [1, 4, 9]);
    /// });
    /// # Ok(())
    /// # }
    /// ```
    pub fn tokio(mut self) -> RuntimeBuilder {
        self.companion = Companion::Own;
        self
    }

    /// Gives the fibers the runtime of tokio behind `handle`, which must be driven by threads of
    /// its own, like [`tokio`](RuntimeBuilder::tokio).
    ///
    /// Each event that a fiber waits for then crosses from a thread of that runtime to the fiber's
    /// thread.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build()?;
    /// let runtime = fibra::Runtime::builder().tokio_handle(tokio.handle().clone()).build()?;
    /// let answer = runtime.run(|| fibra::future::block_on(tokio::spawn(async { 42 })));
    /// assert_eq!(answer.unwrap(), 42);
    /// # Ok(())
    /// # }
    /// ```
    pub fn tokio_handle(mut self, handle: tokio::runtime::Handle) -> RuntimeBuilder {
        self.companion = Companion::Given(handle);
        self
    }
}
