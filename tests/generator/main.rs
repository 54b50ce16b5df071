//! Generators: their frames, values in both directions, and hostile programs that use them.

#[path = "../support/mod.rs"]
mod support;

mod attacks;
mod frames;
mod pep342;
mod process;
mod random;
mod soundness;
mod stacks;
mod unwinding;
