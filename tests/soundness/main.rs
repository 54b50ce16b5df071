//! Hostile programs in safe code, and the limits of stacks: whatever a program does, it fails with
//! a text or works, and nothing that is gone is touched.

#[path = "../support/mod.rs"]
mod support;

mod big_values;
#[cfg(target_os = "linux")]
mod mapping_limit;
mod process;
mod programs;
#[cfg(unix)]
mod stack_overflow;
mod with_stack_attacks;
mod with_stack_size;
