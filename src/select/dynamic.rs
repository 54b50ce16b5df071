//! [`Select`]: a list of operations that is built at run time.

use std::fmt;

use crate::sched::core::choose;
use crate::sched::lowlevel::current_fiber;
use crate::select::Operation;
use crate::select::choice::{Arm, order};

/// A list of any number of operations, of which the first that can be done is done.
///
/// # Examples
///
/// ```
/// use fibra::select::{Select, recv};
///
/// fibra::run(|| {
///     let channels: Vec<_> = (0..20).map(|_| fibra::channel::unbounded::<u32>()).collect();
///     channels[13].0.send(7).unwrap();
///     let mut select = Select::new();
///     for (n, (_, receiver)) in channels.iter().enumerate() {
///         select.add(recv(receiver), move |value| (n, value.unwrap()));
///     }
///     assert_eq!(select.wait(), (13, 7));
/// });
/// ```
pub struct Select<'a, R> {
    arms: Vec<Box<dyn Entry<R> + 'a>>,
    biased: bool,
}

/// An operation, and the function that turns its output into the result.
trait Entry<R> {
    fn arm(&mut self) -> Arm<'_>;

    fn finish(self: Box<Self>) -> R;
}

struct With<O, F> {
    operation: O,
    then: F,
}

impl<O: Operation, R, F: FnOnce(O::Output) -> R> Entry<R> for With<O, F> {
    fn arm(&mut self) -> Arm<'_> {
        self.operation.arm()
    }

    fn finish(self: Box<Self>) -> R {
        (self.then)(self.operation.finish())
    }
}

impl<'a, R> Select<'a, R> {
    /// Creates an empty list that is searched fairly: see [the module](mod@crate::select).
    #[must_use]
    pub fn new() -> Select<'a, R> {
        Select { arms: Vec::new(), biased: false }
    }

    /// Makes each search start with the first operation.
    #[must_use]
    pub fn biased(self) -> Select<'a, R> {
        Select { biased: true, ..self }
    }

    /// Adds an operation. If this operation is done, `then` turns its output into the result.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::channel;
    /// use fibra::select::{self, Select};
    ///
    /// fibra::run(|| {
    ///     let channels: Vec<_> = (0..3).map(|_| channel::unbounded()).collect();
    ///     channels[1].0.send("hello").unwrap();
    ///     let mut first = Select::new();
    ///     for (i, (_, receiver)) in channels.iter().enumerate() {
    ///         first.add(select::recv(receiver), move |value| (i, value.unwrap()));
    ///     }
    ///     assert_eq!(first.wait(), (1, "hello"));
    /// });
    /// ```
    pub fn add<O>(&mut self, operation: O, then: impl FnOnce(O::Output) -> R + 'a)
    where
        O: Operation + 'a,
    {
        self.arms.push(Box::new(With { operation, then }));
    }

    /// Waits until one of the operations can be done, and does it.
    ///
    /// # Panics
    ///
    /// Panics if the list is empty, outside of a fiber, and with a report of all fibers if nothing
    /// can ever run again.
    #[track_caller]
    pub fn wait(mut self) -> R {
        assert!(!self.arms.is_empty(), "a select over nothing would wait forever");
        let order = order(self.biased);
        let at = {
            let arms: Vec<_> = self.arms.iter_mut().map(|arm| arm.arm()).collect();
            let demands = Arm::demands_of(&arms);
            let mut arms: Vec<_> = arms.into_iter().map(Arm::into_inner).collect();
            let current = current_fiber();
            let first = choose::begin(current, arms.len(), order);
            choose::choose(current, &mut arms, demands, first)
        };
        self.arms.swap_remove(at).finish()
    }

    /// Does one of the operations if that needs no wait, and returns `None` otherwise.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::channel;
    /// use fibra::select::{self, Select};
    ///
    /// fibra::run(|| {
    ///     let (sender, receiver) = channel::unbounded();
    ///     let ready = || {
    ///         let mut select = Select::new();
    ///         select.add(select::recv(&receiver), |value| value.unwrap());
    ///         select.try_now()
    ///     };
    ///     assert_eq!(ready(), None);
    ///     sender.send(1).unwrap();
    ///     assert_eq!(ready(), Some(1));
    /// });
    /// ```
    #[track_caller]
    pub fn try_now(mut self) -> Option<R> {
        let order = order(self.biased);
        let at = {
            let arms: Vec<_> = self.arms.iter_mut().map(|arm| arm.arm()).collect();
            let demands = Arm::demands_of(&arms);
            let mut arms: Vec<_> = arms.into_iter().map(Arm::into_inner).collect();
            let current = current_fiber();
            let first = choose::begin(current, arms.len(), order);
            choose::choose_now(current, &mut arms, demands, first)
        };
        at.map(|at| self.arms.swap_remove(at).finish())
    }
}

impl<R> Default for Select<'_, R> {
    fn default() -> Self {
        Select::new()
    }
}

impl<R> fmt::Debug for Select<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Select").field("operations", &self.arms.len()).finish_non_exhaustive()
    }
}
