//! What a wait for a lock depends on: who holds the lock, and who stands before the waiter in line.

use crate::sched::shared::owner::Owner;

/// Who holds what a wait is for.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Holder {
    One(Owner),
    Readers(Readers),
}

/// Those that hold a lock together.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Readers {
    pub(crate) count: u32,
    /// One of them, if that is known: of one alone it mostly is.
    pub(crate) first: Option<Owner>,
    /// Whether all of them are of the scheduler that asks.
    pub(crate) are_here: bool,
}

impl Holder {
    /// The one that holds it, if it is one and known.
    pub(crate) fn owner(self) -> Option<Owner> {
        match self {
            Holder::One(owner) => Some(owner),
            Holder::Readers(Readers { count: 1, first, .. }) => first,
            Holder::Readers(_) => None,
        }
    }
}

/// What a wait for a lock depends on.
#[derive(Clone, Debug)]
pub(crate) struct Needs {
    pub(crate) holder: Holder,
    /// Of a reader whom other readers would let in: the writers before it in line. If all of them leave
    /// that, it comes in, too.
    pub(crate) ahead: Vec<Owner>,
}

impl Needs {
    pub(crate) fn one(owner: Owner) -> Needs {
        Needs { holder: Holder::One(owner), ahead: Vec::new() }
    }
}
