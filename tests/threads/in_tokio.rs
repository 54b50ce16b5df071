//! `fibra::run` inside a task of tokio, whose budget nothing refills while it runs.

use fibra::future::block_on;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{spawn_blocking, unconstrained};

use crate::support::{DONE_LINE, in_child, name_of, stderr};

/// More operations than a task of tokio may do in one poll.
const MANY: u32 = 1_000;

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// Runs fibers that exchange values by a channel of tokio, one operation per poll.
fn exchange(wrap: bool) -> u32 {
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    let fiber = fibra::spawn(move || {
        for i in 0..MANY {
            let send = sender.send(i);
            if wrap { block_on(unconstrained(send)) } else { block_on(send) }.unwrap();
        }
    });
    let mut count = 0;
    let mut receive =
        || if wrap { block_on(unconstrained(receiver.recv())) } else { block_on(receiver.recv()) };
    while receive().is_some() {
        count += 1;
    }
    fiber.join().unwrap();
    count
}

#[test]
fn on_a_thread_for_blocking_work_there_is_no_budget() {
    let runtime = runtime();
    let run = || fibra::run(|| exchange(false));
    let count = runtime.block_on(async { spawn_blocking(run).await.unwrap() });
    assert_eq!(count, MANY);
}

#[test]
fn futures_without_constraint_need_none() {
    let count = runtime().block_on(async { fibra::run(|| exchange(true)) });
    assert_eq!(count, MANY);
    let count = runtime().block_on(unconstrained(async { fibra::run(|| exchange(false)) }));
    assert_eq!(count, MANY);
}

// With the feature `tokio` there is no budget that could be exhausted: see `tests/futures`.
#[cfg(not(feature = "tokio"))]
#[test]
fn a_future_whose_budget_is_used_up_is_reported_and_not_waited_for_in_silence() {
    let test = name_of!(a_future_whose_budget_is_used_up_is_reported_and_not_waited_for_in_silence);
    let output = in_child(test, &[], || {
        runtime().block_on(async {
            fibra::run(|| {
                let exchange = fibra::spawn(|| exchange(false));
                let limit = std::time::Duration::from_secs(8);
                assert!(fibra::time::timeout(limit, || exchange.join()).is_err());
            });
        });
    });
    let stderr = stderr(&output);
    assert!(output.status.success() && stderr.ends_with(DONE_LINE), "{stderr}");
    assert_eq!(stderr.matches("enable the feature `tokio`").count(), 1, "{stderr}");
}

#[test]
fn a_future_that_yields_while_it_computes_is_not_reported() {
    let test = name_of!(a_future_that_yields_while_it_computes_is_not_reported);
    let output = in_child(test, &[], || {
        fibra::run(|| {
            block_on(async {
                for _ in 0..100_000 {
                    futures_lite::future::yield_now().await;
                }
            });
        });
    });
    assert!(stderr(&output).ends_with(DONE_LINE));
    assert!(!stderr(&output).contains("tokio"), "{}", stderr(&output));
}
