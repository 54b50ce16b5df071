//! Tests fibers and their scheduler: how fibers are spawned, run, wait, fail, are killed and end.

#[path = "../support/mod.rs"]
mod support;

mod abandoned_stacks;
mod deadlock;
mod deterministic;
mod dump_running;
mod dump_stats;
mod end_of_run;
mod exit;
mod finally_shield;
mod forever;
mod handles;
mod handles_at_the_end;
mod idle_stacks;
mod kill;
mod kill_reason;
mod last_user_code;
mod leaving_the_process;
mod limits_in_unwind;
mod locals;
mod locals_inherited;
#[cfg(feature = "net")]
mod loops;
mod misuse;
mod model;
mod nursery;
mod order;
mod panic;
mod park;
mod pause;
mod report_locations;
mod scope;
mod select_fairness;
mod spawn_join;
mod spawn_now;
mod stack_sizes;
mod stacks_given_back;
#[cfg(feature = "net")]
mod time_limited_forms;
mod unwinding_waits;
mod yield_now;
