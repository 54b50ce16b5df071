//! Tests of the scheduler itself: who runs when, and who is kept from it.

#[path = "../support/mod.rs"]
mod support;

mod forever;
mod limits_in_unwind;
mod loops;
