//! The public calls: starting fibers, handles to them, waiting for their end, scopes, shields, and
//! the call of `run` in which all fibers live. The types here are generic over closures and
//! outputs; below this room a fiber is a type-erased header.
//!
//! | word | meaning |
//! |---|---|
//! | handle | a counted reference to a fiber's header |
//! | join | to wait for a fiber's end and take its output |
//! | scope | a call that returns after all the fibers that were spawned in it have ended |
//! | shield | a call during which a kill is not raised |
//!
//! Reading order: [`spawn`], [`join`], [`handle`], [`run`], [`scope`], [`scoped_join`],
//! [`shield`].
//!
//! It may use `time`, `shared`, `core`, `futures`, `threads`, `hosted` and `turn`.

pub(crate) mod completion;
pub(crate) mod handle;
pub(crate) mod join;
pub(crate) mod run;
pub(crate) mod scope;
pub(crate) mod scoped_join;
pub(crate) mod shield;
pub(crate) mod spawn;
pub(crate) mod trim_stacks;
#[cfg(feature = "tokio")]
pub(crate) mod visit;
pub(crate) mod with_stack;
