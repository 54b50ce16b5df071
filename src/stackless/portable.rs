//! Tasklets that have not started, and can be sent to the thread in which they will run.

use std::fmt;

use crate::stackless::Tasklet;
use crate::stackless::bound::tasklet;

/// A tasklet that has not started and belongs to no thread yet.
///
/// It is the part of Stackless' `bind_thread` that is possible for native fibers: a tasklet that
/// has started has a stack, which never leaves its thread. Dropping it drops the function.
///
/// # Examples
///
/// ```
/// use fibra::stackless::{self, PortableTasklet};
///
/// let portable = PortableTasklet::new(|| println!("in {:?}", std::thread::current().id()));
/// let thread = std::thread::spawn(move || {
///     fibra::run(|| {
///         let tasklet = portable.bind_thread();
///         assert!(tasklet.is_paused());
///         tasklet.run().unwrap();
///     });
/// });
/// thread.join().unwrap();
/// ```
#[must_use = "it runs only after `bind_thread`"]
pub struct PortableTasklet {
    function: Box<dyn FnOnce() + Send>,
}

impl PortableTasklet {
    /// Creates a tasklet that will run `f`.
    pub fn new(f: impl FnOnce() + Send + 'static) -> PortableTasklet {
        PortableTasklet { function: Box::new(f) }
    }

    /// Makes this a tasklet of the calling thread. It is paused: [`insert`](Tasklet::insert) or
    /// [`run`](Tasklet::run) starts it.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless::PortableTasklet;
    ///
    /// let portable = PortableTasklet::new(|| println!("made here, run there"));
    /// let thread = std::thread::spawn(|| {
    ///     fibra::run(|| drop(portable.bind_thread().run().unwrap()));
    /// });
    /// thread.join().unwrap();
    /// ```
    #[must_use = "a paused tasklet that is dropped never runs"]
    #[track_caller]
    pub fn bind_thread(self) -> Tasklet {
        let function = self.function;
        tasklet(move |()| function()).bind(())
    }
}

impl fmt::Debug for PortableTasklet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PortableTasklet").finish_non_exhaustive()
    }
}
