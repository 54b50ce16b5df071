//! Jobs in Redis, as RQ 3 keeps them: fibers enqueue jobs for Python and work those of Python.
//!
//! [`Worker`] takes jobs and calls functions of this program. [`Queue`] enqueues jobs and reads
//! their results. Both reach the server through a [`Link`], which reconnects. What must not be torn
//! apart is one script, which the server runs in one step: the files in `scripts/`.
//!
//! The data of jobs is JSON, as `rq worker --serializer json` and `Queue(.., serializer="json")`
//! write and read it.

#![allow(dead_code, unused_imports, reason = "each program uses a part")]

mod execution;
mod job;
mod link;
mod queue;
mod scripts;
mod text;
mod upkeep;
mod worker;

pub use job::{Call, Job};
pub use link::{Error, Link};
pub use queue::{Outcome, Queue};
pub use worker::{Report, Worker};
