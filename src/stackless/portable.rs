//! Tasklets that have not started, on their way to the thread in which they will run.

use std::fmt;

use crate::stackless::Tasklet;
use crate::stackless::bound::tasklet;

/// A tasklet that has not started and belongs to no thread yet (S-196, S-201).
///
/// It is what of Stackless' `bind_thread` can be had for native fibers: one that has started has a
/// stack, which never leaves its thread (S-190, S-197). Dropping it drops the function (S-209).
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
    /// A tasklet that will run `f`.
    pub fn new(f: impl FnOnce() + Send + 'static) -> PortableTasklet {
        PortableTasklet { function: Box::new(f) }
    }

    /// Makes it a tasklet of this thread. It is paused: [`insert`](Tasklet::insert) or
    /// [`run`](Tasklet::run) starts it.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
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
