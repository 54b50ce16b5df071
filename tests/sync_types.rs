//! Tests what each type of `fibra::sync` does, one file a type.

mod support;
mod sync_support;

#[path = "sync_types/barrier.rs"]
mod barrier;
#[path = "sync_types/condvar.rs"]
mod condvar;
#[path = "sync_types/event.rs"]
mod event;
#[path = "sync_types/mpmc.rs"]
mod mpmc;
#[path = "sync_types/mutex.rs"]
mod mutex;
#[path = "sync_types/once.rs"]
mod once;
#[path = "sync_types/oneshot.rs"]
mod oneshot;
#[path = "sync_types/promise.rs"]
mod promise;
#[path = "sync_types/reentrant.rs"]
mod reentrant;
#[path = "sync_types/rwlock.rs"]
mod rwlock;
#[path = "sync_types/semaphore.rs"]
mod semaphore;
#[path = "sync_types/wait_group.rs"]
mod wait_group;
