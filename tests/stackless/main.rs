//! The façade `stackless`, beside the tests that go through the rules of Stackless one by one.

#[path = "../support/mod.rs"]
mod support;

mod callbacks;
mod closing;
mod deadlock;
mod ends;
mod raising;
mod running;
mod threads;
