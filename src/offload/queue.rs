//! The tasks that wait for a thread of a pool, and the threads that wait for a task, as plain data.
//!
//! ```text
//!   push:    more tasks than coming threads, and one sleeps? calls the one that slept last
//!   thread:  comes --> takes a task --> runs it --> comes ...
//!               |\__ no task: looks for a moment, then sleeps --> called: comes
//!                \__ no task, after a long sleep: leaves
//! ```
//!
//! A thread that looks counts as coming: what it is about to find wakes no other thread.
//!
//! Invariants:
//! - While a thread sleeps, there are no more tasks than coming threads. A coming thread takes a
//!   task before it sleeps or leaves, if there is one. So no task waits for a thread that is free.
//! - Each sleeper that is taken out of the queue is called by the code that took it out.

use std::collections::VecDeque;

/// The tasks and the sleeping threads of a pool.
#[derive(Debug)]
pub(super) struct Queue<T, S> {
    tasks: VecDeque<T>,
    /// The threads that sleep, the last one at the end.
    sleepers: Vec<S>,
    /// Number of threads that are about to look for a task.
    coming: usize,
}

impl<T, S> Queue<T, S> {
    pub(super) const fn new() -> Queue<T, S> {
        Queue { tasks: VecDeque::new(), sleepers: Vec::new(), coming: 0 }
    }

    /// Returns the number of tasks.
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Appends a task. Returns a thread that the caller must call.
    #[must_use]
    pub(super) fn push(&mut self, task: T) -> Option<S> {
        self.tasks.push_back(task);
        if self.tasks.len() <= self.coming {
            return None;
        }
        self.sleepers.pop().inspect(|_| self.coming += 1)
    }

    /// Declares that a thread is coming, which has been running a task or has just been started.
    pub(super) fn come(&mut self) {
        self.coming += 1;
    }

    /// Takes the first task, for a coming thread, which then comes no more.
    #[must_use]
    pub(super) fn take(&mut self) -> Option<T> {
        let task = self.tasks.pop_front()?;
        self.coming -= 1;
        Some(task)
    }

    /// Makes a coming thread, which has found no task, a sleeper.
    pub(super) fn sleep(&mut self, sleeper: S) {
        self.coming -= 1;
        self.sleepers.push(sleeper);
    }

    /// Makes a sleeper for which `is_it` holds a coming thread again. Returns `false` if it was
    /// called, and is coming already.
    pub(super) fn wake(&mut self, is_it: impl Fn(&S) -> bool) -> bool {
        let found = self.sleepers.iter().position(is_it);
        if let Some(at) = found {
            self.sleepers.remove(at);
            self.coming += 1;
        }
        found.is_some()
    }

    /// Declares that a coming thread, which has found no task, comes no more.
    pub(super) fn leave(&mut self) {
        self.coming -= 1;
    }

    /// Makes all sleepers coming threads. The caller must call them.
    #[must_use]
    pub(super) fn wake_all(&mut self) -> Vec<S> {
        self.coming += self.sleepers.len();
        std::mem::take(&mut self.sleepers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Creates a queue at which these threads sleep.
    fn asleep<const N: usize>(threads: [u32; N]) -> Queue<u32, u32> {
        let mut queue = Queue::new();
        threads.into_iter().for_each(|thread| {
            queue.come();
            assert_eq!(queue.take(), None);
            queue.sleep(thread);
        });
        queue
    }

    #[test]
    fn tasks_are_taken_in_order_and_each_calls_a_thread() {
        let mut queue = asleep([1, 2, 3]);
        let called = [10, 11, 12, 13].map(|task| queue.push(task));
        assert_eq!(called, [Some(3), Some(2), Some(1), None]);
        assert_eq!([queue.take(), queue.take(), queue.take()], [Some(10), Some(11), Some(12)]);
        queue.come();
        assert_eq!((queue.take(), queue.len()), (Some(13), 0));
    }

    #[test]
    fn a_task_that_a_coming_thread_will_take_calls_no_other() {
        let mut queue = asleep([1, 2]);
        queue.come();
        assert_eq!([10, 11].map(|task| queue.push(task)), [None, Some(2)]);
        // The first thread takes both, and the one that was called finds nothing.
        assert_eq!(queue.take(), Some(10));
        queue.come();
        assert_eq!([queue.take(), queue.take()], [Some(11), None]);
        assert_eq!(queue.push(12), None);
        assert_eq!(queue.take(), Some(12));
        assert_eq!(queue.push(13), Some(1));
    }

    #[test]
    fn a_thread_that_wakes_by_itself_comes_unless_it_was_called() {
        let mut queue = asleep([1, 2]);
        assert!(queue.wake(|thread| *thread == 1));
        queue.leave();
        assert_eq!(queue.push(10), Some(2));
        assert!(!queue.wake(|thread| *thread == 2));
        assert_eq!(queue.take(), Some(10));
    }

    #[test]
    fn all_can_be_called_together() {
        let mut queue = asleep([1, 2]);
        assert_eq!(queue.wake_all(), [1, 2]);
        queue.leave();
        queue.leave();
        assert_eq!(queue.push(10), None);
    }
}
