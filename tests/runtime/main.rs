//! Runtimes of several schedulers: jobs, handles, and work in parallel.

#[path = "../support/mod.rs"]
mod support;

mod jobs;
