//! Jobs: where they run, and how they end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use fibra::{Handle, JoinError, Runtime};

use crate::support::rounds;

fn runtime(threads: usize) -> Runtime {
    Runtime::builder().threads(threads).build().unwrap()
}

fn tree(handle: &Handle, depth: u32) -> u64 {
    if depth == 0 {
        return 1;
    }
    let branches: Vec<_> = (0..4)
        .map(|_| {
            let branch = handle.clone();
            handle.spawn(move || tree(&branch, depth - 1))
        })
        .collect();
    branches.into_iter().map(|branch| branch.join().unwrap()).sum()
}

#[test]
fn a_tree_of_jobs_is_summed_on_one_and_on_several_threads() {
    for threads in 1..4 {
        assert_eq!(runtime(threads).run(|| tree(&Handle::current(), 6)), 4096);
    }
}

#[test]
fn a_plain_run_has_a_handle_too() {
    fibra::run(|| assert_eq!(tree(&Handle::current(), 4), 256));
}

#[test]
fn jobs_run_on_every_scheduler() {
    runtime(3).run(|| {
        let ids = Handle::current().on_each(|index| (index, thread::current().id()));
        let mut ids: Vec<_> = ids.into_iter().map(|id| id.join().unwrap()).collect();
        assert_eq!(ids.iter().map(|&(index, _)| index).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(ids[0].1, thread::current().id());
        ids.dedup_by_key(|id| id.1);
        assert_eq!(ids.len(), 3);
    });
}

#[test]
fn jobs_that_were_not_joined_are_killed_at_the_end() {
    let ended = Arc::new(AtomicUsize::new(0));
    struct Ends(Arc<AtomicUsize>);
    impl Drop for Ends {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    runtime(2).run(|| {
        for _ in 0..100 {
            let ends = Ends(ended.clone());
            drop(Handle::current().spawn(move || {
                let _ends = ends;
                fibra::park();
            }));
        }
    });
    assert_eq!(ended.load(Ordering::SeqCst), 100);
}

#[test]
fn a_job_is_joined_by_a_thread() {
    runtime(2).run(|| {
        let job = Handle::current().spawn(|| 5);
        let joined = fibra::blocking(|| job.join());
        assert_eq!(joined, Ok(5));
    });
}

#[test]
fn a_kill_reaches_a_job_on_another_thread() {
    runtime(2).run(|| {
        for _ in 0..100 {
            let job = Handle::current().spawn_on(1, fibra::park);
            job.kill_with("enough");
            assert_eq!(job.join(), Err(JoinError::KilledFor("enough".into())));
        }
    });
}

#[test]
fn a_thousand_runtimes_in_a_row_end() {
    for n in rounds(1_000) {
        let job = runtime(2).run(|| Handle::current().spawn(move || n));
        drop(job);
    }
}

#[test]
fn handles_that_outlive_their_runtime_refuse() {
    let handle = runtime(2).run(Handle::current);
    assert!(handle.try_spawn(|| 1).unwrap_err().is_closed());
    assert_eq!(handle.spawn(|| 1).join(), Err(JoinError::Shutdown));
    assert_eq!(handle.spawn_on(1, || 1).join(), Err(JoinError::Shutdown));
}
