//! Hostile programs in safe code, and the limits of stacks: whatever a program does, it works or
//! fails with a message, and nothing that is freed or dropped is touched.

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
