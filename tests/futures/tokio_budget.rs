//! `fibra::run` inside a task of tokio: the task's budget does not reach what fibers poll.

use std::time::Duration;

/// More operations than a task of tokio has in one poll.
const MANY: u32 = 1000;

fn in_a_task<T>(f: impl FnOnce() -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { f() })
}

#[test]
fn a_channel_of_tokio_works_for_more_operations_than_a_task_has_budget() {
    let sum = in_a_task(|| {
        fibra::run(|| {
            let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
            let fiber = fibra::spawn(move || {
                (0..MANY).for_each(|n| fibra::future::block_on(sender.send(n)).unwrap());
            });
            let sum: u32 = std::iter::from_fn(|| fibra::future::block_on(receiver.recv())).sum();
            fiber.join().unwrap();
            sum
        })
    });
    assert_eq!(sum, MANY * (MANY - 1) / 2);
}

#[test]
fn a_plain_thread_in_a_task_has_no_budget_either() {
    let received = in_a_task(|| {
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        (0..MANY).for_each(|n| sender.send(n).unwrap());
        drop(sender);
        std::iter::from_fn(|| fibra::future::block_on(receiver.recv())).count()
    });
    assert_eq!(received, MANY as usize);
}

#[test]
fn a_future_that_is_not_ready_still_waits_for_its_wake() {
    let order = in_a_task(|| {
        fibra::run(|| {
            let (sender, receiver) = tokio::sync::oneshot::channel();
            let fiber = fibra::spawn(move || fibra::future::block_on(receiver).unwrap());
            fibra::sleep(Duration::from_millis(1));
            assert!(!fiber.is_finished());
            sender.send("woken").unwrap();
            fiber.join().unwrap()
        })
    });
    assert_eq!(order, "woken");
}
