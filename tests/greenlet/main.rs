//! The façade `greenlet`, beside the tests that go through its rules one by one.

#![cfg(feature = "greenlet")]

#[path = "../greenlet_support/mod.rs"]
mod greenlet_support;
#[path = "../support/mod.rs"]
mod support;

mod dropping;
mod parent;
mod tracing;
