//! Adding end hooks to fibers, and calling them.
//!
//! The joiner and the scope of a fiber also learn of its end. They have their own fields in the
//! header, because a plain spawn and join must not pay for hooks.
//!
//! Invariants:
//! - Hooks are called when the fiber counts as ended: none of its user code runs after that, and
//!   hooks run no user code. A hook that needs user code leaves that to a fiber.
//! - Hooks are called before the joiner is made ready, in the order in which they were added.
//! - A fiber without hooks pays nothing: they are kept in its `Extra`.

use std::mem;
use std::rc::Rc;

use crate::collections::slot_table::Key;
pub(crate) use crate::fiber::end_hook::EndHook;
use crate::fiber::end_hook::Hook;
use crate::fiber::header::Header;
use crate::fiber::state::State;

/// Calls `to` with `key` at the end of `fiber`, or immediately if it has ended already.
pub(crate) fn tell_of_end(fiber: &Header, to: Rc<dyn EndHook>, key: Key) {
    if matches!(fiber.state.get(), State::Finished | State::Abandoned) {
        return to.ended(key);
    }
    fiber.with_extra(|extra| extra.hooks.push(Hook { to, key }));
}

/// Calls the hooks of `fiber`, which has ended or was abandoned.
#[inline(always)]
pub(crate) fn tell(fiber: &Header) {
    if fiber.extra_exists() {
        tell_all(fiber);
    }
}

#[inline(never)]
fn tell_all(fiber: &Header) {
    if fiber.peek_extra(|extra| extra.hooks.is_empty()) == Some(false) {
        let hooks = fiber.with_extra(|extra| mem::take(&mut extra.hooks));
        hooks.into_iter().for_each(|hook| hook.to.ended(hook.key));
    }
}
