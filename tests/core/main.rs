//! Fibers and their scheduler: how they run, how they take turns, and how they end.

#[path = "../support/mod.rs"]
mod support;

mod dump_running;
mod forever;
mod given_up_stacks;
mod handles_at_the_end;
mod last_user_code;
mod leaving_the_process;
mod limits_in_unwind;
mod loops;
mod select_fairness;
mod stack_sizes;
mod time_limited_forms;
