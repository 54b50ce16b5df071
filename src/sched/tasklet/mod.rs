//! Operations that exist mainly for Stackless: changing the order of the run ring, waiting until no
//! other fiber can run, throwing at a fiber, and discarding one that has not started. The states
//! themselves (a paused fiber, a pending throw) belong to `core`, because every wait checks them.
//!
//! | word | meaning |
//! |---|---|
//! | rotate | to make a fiber the first of the ring without changing the cyclic order |
//! | watcher | a fiber that waits until no other fiber can run |
//! | throw | to give a fiber a payload with which it unwinds when it runs again |
//!
//! Reading order: [`rotate`], [`watchers`], [`throw`], [`unstarted`].
//!
//! It may use `core`.

pub(crate) mod rotate;
pub(crate) mod throw;
pub(crate) mod unstarted;
pub(crate) mod watchers;
