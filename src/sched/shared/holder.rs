//! The owners that a wait for a lock depends on: the holder of the lock, and the writers ahead of
//! the waiter in the queue.

use crate::sched::shared::owner::Owner;

/// The holder of the lock that a wait is for.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Holder {
    One(Owner),
    Readers(Readers),
}

/// The readers that hold a lock together.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Readers {
    pub(crate) count: u32,
    /// One of them, if known. If there is only one, it usually is known.
    pub(crate) first: Option<Owner>,
    /// Whether all of them belong to the scheduler that asks.
    pub(crate) are_here: bool,
}

impl Holder {
    /// Returns the owner that holds the lock, if there is only one and it is known.
    pub(crate) fn owner(self) -> Option<Owner> {
        match self {
            Holder::One(owner) => Some(owner),
            Holder::Readers(Readers { count: 1, first, .. }) => first,
            Holder::Readers(_) => None,
        }
    }
}

/// The owners that a wait for a lock depends on.
#[derive(Clone, Debug)]
pub(crate) struct Needs {
    pub(crate) holder: Holder,
    /// For a reader of a lock that readers hold: the writers ahead of it in the queue. If all of
    /// them leave the queue, the reader gets the lock, too. Empty for all other waits.
    pub(crate) ahead: Vec<Owner>,
}

impl Needs {
    pub(crate) fn one(owner: Owner) -> Needs {
        Needs { holder: Holder::One(owner), ahead: Vec::new() }
    }
}
