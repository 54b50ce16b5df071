//! Tests of each type of `fibra::sync`, one file per type.

mod barrier;
mod condvar;
mod event;
mod mpmc;
mod mpmc_select;
mod mutex;
mod once;
mod oneshot;
mod promise;
mod reentrant;
mod rwlock;
mod semaphore;
mod wait_group;
