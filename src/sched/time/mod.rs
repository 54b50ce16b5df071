//! Clocks, timers, and how a thread sleeps when it has nothing to run. Nothing here knows the
//! scheduler, which owns one of each.
//!
//! | word | meaning |
//! |---|---|
//! | clock | the source of time: the system's, or one that jumps from deadline to deadline |
//! | idle | the way to sleep until a deadline, an event, or a call from another thread |
//! | spin | a short wait for mail before a sleep |
//! | alarm | the target of a timer in the wheel: a wait, a region, or the timer of a future |
//! | region | a part of a fiber's stack with a time limit |
//!
//! Reading order: [`clock`], [`idle`], [`spin`], [`alarm`], [`timers`].
//!
//! It may use no other room of the scheduler.

pub(crate) mod alarm;
pub(crate) mod clock;
pub(crate) mod idle;
pub(crate) mod spin;
pub(crate) mod timers;
