//! Greenlets by the rules of Python's (`RULES.md`), and cases that the rules leave open.

#![cfg(feature = "greenlet")]

#[path = "../support/mod.rs"]
mod support;

mod attacks;
mod drop;
mod dropping;
mod fibers;
mod genlets;
mod golden;
mod life;
mod listed;
mod parent;
mod random;
mod switch;
mod trace;
mod tracing;
