//! One choice of `select!`: which operation is tried first, which comes next, and the wait.
//!
//! Operations that are not polled are tried in the code of the caller, where their types are known,
//! and nothing is prepared for a wait before all of them have failed.
//!
//! Invariant: if an operation is polled, none is tried here. A poll may run user code, and what
//! that requires of a choice is in [`choose`](mod@choose).

use crate::sched::core::choose::{self, Demands, Order};
use crate::sched::lowlevel::{Arm as LowArm, CurrentFiber, current_fiber};

/// A choice among `N` operations that has begun.
#[doc(hidden)]
#[allow(missing_debug_implementations, reason = "cannot be named by users")]
pub struct Choice<const N: usize> {
    current: CurrentFiber,
    first: usize,
}

/// A borrowed operation whose type is erased.
#[doc(hidden)]
#[allow(missing_debug_implementations, reason = "cannot be named by users")]
pub struct Arm<'a> {
    inner: &'a mut dyn LowArm,
    demands: Demands,
}

/// The fiber that tries an operation.
#[doc(hidden)]
#[derive(Copy, Clone)]
#[allow(missing_debug_implementations, reason = "cannot be named by users")]
pub struct Chooser(pub(crate) CurrentFiber);

/// Begins a choice among `N` operations.
#[doc(hidden)]
#[inline(always)]
#[track_caller]
pub fn begin<const N: usize>(biased: bool) -> Choice<N> {
    let current = current_fiber();
    Choice { current, first: choose::begin(current, N, order(biased)) }
}

impl<const N: usize> Choice<N> {
    #[inline(always)]
    pub fn chooser(&self) -> Chooser {
        Chooser(self.current)
    }

    /// Returns the index of the operation that is tried first.
    #[inline(always)]
    pub fn first(&self) -> usize {
        self.first
    }

    /// Returns the index of the operation that is tried after the one at `at`; `None` if that was
    /// the last one.
    #[inline(always)]
    pub fn after(&self, at: usize) -> Option<usize> {
        let next = if at + 1 == N { 0 } else { at + 1 };
        (next != self.first).then_some(next)
    }

    /// Waits until one of the operations is done, and returns its index. `tried` is whether each of
    /// them was just tried.
    #[inline(always)]
    #[track_caller]
    pub fn wait(self, arms: [Arm<'_>; N], tried: bool) -> usize {
        let demands = Arm::demands_of(&arms);
        let mut arms = arms.map(Arm::into_inner);
        if tried {
            choose::choose_by_waiting(self.current, &mut arms, demands, self.first)
        } else {
            choose::choose(self.current, &mut arms, demands, self.first)
        }
    }

    /// Tries the operations without a wait, and returns the index of the one that was done.
    #[inline(always)]
    pub fn now(self, arms: [Arm<'_>; N]) -> Option<usize> {
        let demands = Arm::demands_of(&arms);
        let mut arms = arms.map(Arm::into_inner);
        choose::choose_now(self.current, &mut arms, demands, self.first)
    }
}

pub(super) fn order(biased: bool) -> Order {
    if biased { Order::Given } else { Order::Fair }
}

impl<'a> Arm<'a> {
    /// Erases the type of `arm`. What it demands is asked here, where the compiler knows the type.
    #[inline(always)]
    pub(crate) fn new<A: LowArm>(arm: &'a mut A) -> Arm<'a> {
        Arm { demands: arm.demands(), inner: arm }
    }

    /// Returns what `arms` demand together.
    #[inline(always)]
    pub(super) fn demands_of(arms: &[Arm<'_>]) -> Demands {
        arms.iter().fold(Demands::NOTHING, |all, arm| all.and(arm.demands))
    }

    #[inline(always)]
    pub(super) fn into_inner(self) -> &'a mut dyn LowArm {
        self.inner
    }
}
