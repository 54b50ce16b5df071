//! What most fibers do not have, kept out of the header so that the others do not pay for it.

use std::borrow::Cow;
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

/// The rarely needed part of a fiber's record. It holds no user value but the fiber-locals, a bomb,
/// and what its frame and its identity hold, which are dropped on the fiber before it ends. Its hooks hold none.
#[derive(Debug, Default)]
pub(crate) struct Extra {
    pub(crate) name: Option<Arc<str>>,
    pub(crate) locals: Locals,
    /// Whether one of its stacks was given up with frames on it, which may have lent its fiber-locals:
    /// they are kept forever.
    pub(crate) has_lent: bool,
    /// What the fiber's unparkers share, if it ever had any: as long as one of them exists, another
    /// thread may wake it.
    pub(crate) unparkers: Option<Arc<Token>>,
    /// The same of those that may end any wait of the fiber.
    pub(crate) commanders: Option<Arc<Token>>,
    /// Whether its scheduler lists it among those that others may reach.
    pub(crate) reachable: bool,
    /// Where its scheduler lists the wait that it is in, if other threads may complete that.
    pub(crate) outside: Option<Key>,
    /// What its generators and greenlets stand on, if it ever had any.
    pub(crate) frame: Option<Rc<Frame>>,
    /// The youngest of the stacks that it has borrowed for calls.
    pub(crate) borrowed_stack: Option<NonNull<BorrowedStack>>,
    /// Where it has left its own stack for a borrowed one: one look, however many calls there are.
    pub(crate) own_mark: Option<usize>,
    /// Why it was killed, if somebody said so.
    pub(crate) kill_reason: Option<Cow<'static, str>>,
    /// Why the fiber could get no stack of its own.
    pub(crate) no_stack: Option<io::Error>,
    /// What was thrown at the fiber and has not gone off yet.
    pub(crate) pending_throw: Option<Payload>,
    /// What is told of its end.
    pub(crate) hooks: Hooks,
    /// A façade's own record of the fiber.
    pub(crate) identity: Option<Rc<dyn Identity>>,
}
