//! Tests `spawn_future`: a job that awaits a future.

use std::sync::Arc;
use std::thread;

use crate::support::{OnDrop, ms, quiet_panic};
use crate::{Count, on};

#[test]
fn a_future_runs_as_a_job_and_returns_its_output() {
    on(2, |handle| {
        let job = handle.spawn_future(async { 6 * 7 });
        assert_eq!(job.join(), Ok(42));
        let job = handle.spawn_future(async {
            fibra::future::sleep(ms(2)).await;
            futures_lite::future::yield_now().await;
            "slept"
        });
        assert_eq!(fibra::future::block_on(job), Ok("slept"));
    });
}

#[test]
fn futures_that_exchange_messages_wake_each_other_across_threads() {
    on(2, |handle| {
        let (sender, receiver) = async_channel::bounded(1);
        let consumer = handle.spawn_future(async move {
            let mut sum = 0;
            while let Ok(n) = receiver.recv().await {
                sum += n;
            }
            sum
        });
        let producers: Vec<_> = (0..4)
            .map(|_| {
                let sender = sender.clone();
                handle.spawn_future(async move {
                    for n in 0..500_u64 {
                        sender.send(n).await.unwrap();
                    }
                })
            })
            .collect();
        drop(sender);
        producers.into_iter().for_each(|producer| producer.join().unwrap());
        assert_eq!(consumer.join(), Ok(4 * 499 * 500 / 2));
    });
}

#[test]
fn a_panic_of_a_future_crosses() {
    on(2, |handle| {
        let job = handle.spawn_future(async { quiet_panic("out of milk") });
        let error: fibra::JoinError = job.join().unwrap_err();
        assert_eq!(error.to_string(), "the fiber panicked: out of milk");
    });
}

#[test]
fn a_kill_drops_the_future() {
    on(2, |handle| {
        let dropped = Arc::new(Count::default());
        let (drops, started) = (dropped.clone(), Arc::new(Count::default()));
        let starts = started.clone();
        let job = handle.spawn_future(async move {
            let _guard = OnDrop(move || _ = drops.add());
            starts.add();
            std::future::pending::<()>().await;
        });
        while started.get() == 0 {
            fibra::sleep(ms(1));
        }
        job.kill();
        assert!(job.join().unwrap_err().is_killed());
        assert_eq!(dropped.get(), 1);
    });
}

#[test]
fn a_plain_thread_spawns_a_future_and_joins_it() {
    on(2, |handle| {
        let outside = thread::spawn(move || handle.spawn_future(async { 1 }).join());
        assert_eq!(fibra::blocking(move || outside.join().unwrap()), Ok(1));
    });
}
