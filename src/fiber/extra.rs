//! The fields of a fiber's record that most fibers do not use. They are kept out of the header, so
//! that only the fibers that use them pay for them.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::Arc;

use crate::collections::slot_table::Key;
use crate::fiber::borrowed_stack::BorrowedStack;
use crate::fiber::end_hook::Hooks;
use crate::fiber::frame::Frame;
use crate::fiber::identity::{Identity, Payload};
use crate::fiber::locals::Locals;
use crate::fiber::token::Token;

/// The right to complete a wait, for which partners on several threads compete.
pub(crate) trait Gate: fmt::Debug {
    /// Ends the wait as served. Returns whether it was this call that ended it.
    fn claim(&self) -> bool;
}

/// The rarely needed part of a fiber's record. The only user values in it are the fiber-locals, the
/// pending throw, and those of its frame and its identity. They are dropped on the fiber before it
/// ends. Its hooks hold none.
#[derive(Debug, Default)]
pub(crate) struct Extra {
    pub(crate) name: Option<Arc<str>>,
    pub(crate) locals: Locals,
    /// Whether one of its stacks was abandoned with frames on it, which may have lent its
    /// fiber-locals: they are kept forever.
    pub(crate) has_lent: bool,
    /// The token that the fiber's unparkers share, if it ever had any. As long as one of them
    /// exists, another thread may wake the fiber.
    pub(crate) unparkers: Option<Arc<Token>>,
    /// The token that the handles share with which other threads may end any wait of the fiber.
    pub(crate) commanders: Option<Arc<Token>>,
    /// Whether its scheduler lists it among the fibers that other threads may reach.
    pub(crate) is_listed: bool,
    /// The place in its scheduler's list of the wait that it is in, if other threads may complete
    /// that wait.
    pub(crate) outside: Option<Key>,
    /// What a partner must claim before it serves the fiber, while the fiber waits for the first of
    /// several things and another thread may complete one of them.
    pub(crate) gate: Option<Arc<dyn Gate>>,
    /// The owner of its generators and greenlets, if it ever had any.
    pub(crate) frame: Option<Rc<Frame>>,
    /// The youngest of the stacks that it has borrowed for calls.
    pub(crate) borrowed_stack: Option<NonNull<BorrowedStack>>,
    /// The address at which it has left its own stack for a borrowed one. It is kept here so that
    /// the list of borrowed stacks need not be searched for it.
    pub(crate) own_mark: Option<usize>,
    /// The reason for which it was killed, if one was given.
    pub(crate) kill_reason: Option<Cow<'static, str>>,
    /// The error because of which the fiber could get no stack of its own.
    pub(crate) no_stack: Option<io::Error>,
    /// The payload that was thrown at the fiber and is not raised so far.
    pub(crate) pending_throw: Option<Payload>,
    /// The hooks that are called at its end.
    pub(crate) hooks: Hooks,
    /// A façade's own record of the fiber.
    pub(crate) identity: Option<Rc<dyn Identity>>,
}

impl Extra {
    /// Returns whether others hold a handle to the fiber.
    pub(crate) fn is_reachable(&self) -> bool {
        let mut tokens = self.unparkers.iter().chain(&self.commanders);
        tokens.any(|token| token.is_held())
    }

    /// Returns whether others hold a handle with which they may end any wait of the fiber.
    pub(crate) fn is_commanded(&self) -> bool {
        self.commanders.as_ref().is_some_and(|token| token.is_held())
    }
}
