//! Tells of a fiber's end those that are not its joiner.
//!
//! Invariants:
//! - Hooks are told when the fiber counts as ended: no user code of it runs after that, and none runs
//!   in here. What a hook has to do that is user code it leaves to a fiber of its own.
//! - A fiber without hooks costs nothing: they live in its `Extra`.

use std::mem;
use std::rc::Rc;

use crate::collections::slot_table::Key;
pub(crate) use crate::fiber::end_hook::EndHook;
use crate::fiber::end_hook::Hook;
use crate::fiber::header::Header;
use crate::fiber::state::State;

/// Tells `to` of the end of `fiber`, with `key`: at once if it has ended already.
pub(crate) fn tell_of_end(fiber: &Header, to: Rc<dyn EndHook>, key: Key) {
    if matches!(fiber.state.get(), State::Finished | State::Retired) {
        return to.ended(key);
    }
    fiber.with_extra(|extra| extra.hooks.push(Hook { to, key }));
}

/// `fiber` has ended, or was retired: tells those that have asked for it.
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
