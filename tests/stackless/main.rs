//! The Stackless API: tasklets, channels, `run`, and the rules of Stackless (`RULES.md`).

#[path = "../support/mod.rs"]
mod support;

mod across_threads;
mod callbacks;
mod channel;
mod closing;
mod deadlock;
mod ends;
mod raising;
mod rules;
mod run;
mod running;
mod shared;
mod tasklet;
mod threads;
mod throw;
