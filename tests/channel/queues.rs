//! Queues of work: their orders, the order of waiters, how they end, and the wait for all work.

use std::cell::Cell;
use std::cmp::Ordering;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::time::Duration;

use fibra::channel::{
    RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError,
};
use fibra::pool::{DrainError, DrainTimeoutError, JoinableQueue, LifoQueue, PriorityQueue, Ranked};

use crate::support::channel::Census;
use crate::support::{check, log, ms, panic_of, run_virtually};

#[test]
fn the_smallest_comes_first_and_equals_in_the_order_of_their_sends() {
    run_virtually(|| {
        let queue = PriorityQueue::new();
        let jobs = [(2, "a"), (1, "b"), (2, "c"), (0, "d"), (1, "e"), (2, "f")];
        for (rank, name) in jobs {
            queue.send(Ranked::new(rank, name)).unwrap();
        }
        queue.close();
        queue.iter().for_each(|job| log(job.value));
    });
    check("d b e a c f");
}

#[test]
fn sends_that_waited_count_from_when_they_began() {
    run_virtually(|| {
        let queue = PriorityQueue::bounded(1);
        let send = |rank, name| {
            let queue = queue.clone();
            drop(fibra::spawn(move || queue.send(Ranked::new(rank, name)).unwrap()));
        };
        send(5, "first");
        send(5, "second");
        send(1, "urgent");
        fibra::yield_now();
        for _ in 0..3 {
            log(queue.recv().unwrap().value);
            fibra::yield_now();
        }
    });
    check("first second urgent");
}

#[test]
fn a_receiver_gets_what_is_first_when_it_runs() {
    run_virtually(|| {
        let queue = PriorityQueue::new();
        let receivers: Vec<_> = (0..2)
            .map(|_| {
                let queue = queue.clone();
                fibra::spawn(move || queue.recv().unwrap())
            })
            .collect();
        fibra::yield_now();
        [3, 2, 1].into_iter().for_each(|n| queue.send(n).unwrap()); // two are reserved for waiters
        assert_eq!(queue.len(), 3);
        assert_eq!(queue.try_recv().unwrap(), 1, "one is free to take");
        assert_eq!(queue.try_recv(), Err(TryRecvError::Empty));
        let got = receivers.into_iter().map(|receiver| receiver.join().unwrap());
        assert_eq!(got.collect::<Vec<_>>(), [2, 3]);
    });
}

#[test]
fn the_newest_comes_first_or_the_oldest() {
    run_virtually(|| {
        let (newest, oldest) = (LifoQueue::new(), JoinableQueue::new());
        for n in 1..=3 {
            newest.send(n).unwrap();
            oldest.send(n).unwrap();
        }
        newest.close();
        oldest.close();
        assert_eq!(newest.iter().collect::<Vec<_>>(), [3, 2, 1]);
        assert_eq!((&oldest).into_iter().collect::<Vec<_>>(), [1, 2, 3]);
    });
}

#[test]
fn receivers_are_served_first_come_first_served() {
    run_virtually(|| {
        let queue = LifoQueue::new();
        for name in ["a", "b", "c"] {
            let queue = queue.clone();
            fibra::spawn(move || log(format!("{name}{}", queue.recv().unwrap())));
        }
        fibra::yield_now();
        for n in 1..=3 {
            queue.send(n).unwrap();
            fibra::yield_now();
        }
    });
    check("a1 b2 c3");
}

#[test]
fn a_full_queue_holds_senders_back() {
    run_virtually(|| {
        let queue = JoinableQueue::bounded(2);
        let sender = queue.clone();
        fibra::spawn(move || {
            for n in 1..=5 {
                sender.send(n).unwrap();
                log(format!("+{n}"));
            }
            sender.close();
        });
        fibra::yield_now();
        assert_eq!((queue.len(), queue.capacity()), (2, Some(2)));
        let full = queue.try_send(9).unwrap_err();
        assert!(matches!(full, TrySendError::Full(9)));
        let late = queue.send_timeout(9, ms(5)).unwrap_err();
        assert!(matches!(late, SendTimeoutError::Timeout(9)));
        assert!(queue.send_deadline(9, fibra::now() + ms(5)).is_err());
        for n in &queue {
            log(format!("-{n}"));
        }
        assert!(queue.is_empty() && queue.is_closed());
    });
    check("+1 +2 -1 -2 +3 +4 -3 -4 +5 -5");
}

#[test]
fn a_closed_queue_delivers_its_remaining_values_and_refuses_new_ones() {
    run_virtually(|| {
        let queue = JoinableQueue::bounded(1);
        queue.send(1).unwrap();
        let sender = queue.clone();
        let waiting = fibra::spawn(move || sender.send(2).unwrap_err());
        fibra::yield_now();
        queue.close();
        assert!(matches!(waiting.join().unwrap(), SendError::Closed(2)));
        assert!(matches!(queue.send(3), Err(SendError::Closed(3))));
        assert!(matches!(queue.try_send(3), Err(TrySendError::Closed(3))));
        assert!(matches!(queue.send_timeout(3, ms(1)), Err(SendTimeoutError::Closed(3))));
        assert_eq!(queue.recv().unwrap(), 1);
        assert!(matches!(queue.recv(), Err(RecvError::Closed)));
        assert_eq!(queue.try_recv(), Err(TryRecvError::Closed));
        assert_eq!(queue.recv_timeout(ms(1)), Err(RecvTimeoutError::Closed));
    });
}

#[test]
fn a_close_reaches_receivers_that_wait_but_not_what_is_on_its_way() {
    run_virtually(|| {
        let queue = JoinableQueue::bounded(1);
        queue.send(1).unwrap();
        let sender = queue.clone();
        let waits = fibra::spawn(move || sender.send(2).is_ok());
        fibra::yield_now();
        assert_eq!(queue.recv().unwrap(), 1); // the free place is reserved for the sender
        queue.close();
        let receivers = [1, 2].map(|_| {
            let queue = queue.clone();
            fibra::spawn(move || queue.recv().ok())
        });
        assert_eq!(receivers.map(|receiver| receiver.join().unwrap()), [Some(2), None]);
        assert!(waits.join().unwrap());
    });
}

#[test]
fn a_fiber_that_is_killed_while_waiting_leaves_no_trace() {
    run_virtually(|| {
        let census = Census::default();
        let queue = JoinableQueue::bounded(1);
        let receiver = {
            let queue = queue.clone();
            fibra::spawn(move || queue.recv().map(drop))
        };
        fibra::yield_now();
        receiver.kill();
        assert!(receiver.join().unwrap_err().is_killed());
        queue.send(census.value()).unwrap();
        let (sender, value) = (queue.clone(), census.value());
        let sender = fibra::spawn(move || sender.send(value).map_err(drop));
        fibra::yield_now();
        sender.kill();
        assert!(sender.join().unwrap_err().is_killed());
        assert_eq!(census.dropped(), [2]);
        assert_eq!(queue.recv().unwrap().number, 1);
        assert!(queue.is_empty());
        queue.send(census.value()).unwrap();
        drop(queue);
        census.assert_all_dropped_once();
    });
}

#[test]
fn a_receiver_that_is_killed_after_it_was_served_has_its_item() {
    run_virtually(|| {
        let queue = JoinableQueue::new();
        let inner = queue.clone();
        let receiver = fibra::spawn(move || {
            log(inner.recv().unwrap());
            fibra::yield_now();
            unreachable!("killed here");
        });
        fibra::yield_now();
        queue.send("item").unwrap();
        receiver.kill();
        assert!(receiver.join().unwrap_err().is_killed());
    });
    check("item");
}

#[test]
fn waits_that_can_never_end_fail_with_a_report() {
    run_virtually(|| {
        let queue = JoinableQueue::bounded(1);
        let Err(RecvError::Deadlock(report)) = queue.recv() else { unreachable!("it is empty") };
        let report = report.to_string();
        assert!(
            report.contains("is waiting for work in an empty queue at tests/channel/queues.rs"),
            "{report}"
        );
        queue.send(1).unwrap();
        let Err(SendError::Deadlock(2, report)) = queue.send(2) else { unreachable!("it is full") };
        let report = report.to_string();
        assert!(
            report.contains("is waiting for room in a queue of work at tests/channel/queues.rs"),
            "{report}"
        );
        let Err(DrainError::Deadlock(report)) = queue.wait_drained() else {
            unreachable!("no worker exists")
        };
        let report = report.to_string();
        assert!(report.contains("is waiting until the work of a queue is done"), "{report}");
        assert_eq!(queue.recv_timeout(ms(5)), Ok(1));
        assert_eq!(queue.recv_timeout(ms(5)), Err(RecvTimeoutError::Timeout));
        assert_eq!(queue.recv_deadline(fibra::now()), Err(RecvTimeoutError::Timeout));
    });
}

#[test]
fn a_queue_is_drained_when_all_that_was_put_in_is_done() {
    run_virtually(|| {
        let queue = JoinableQueue::new();
        queue.wait_drained().unwrap();
        for worker in ["a", "b"] {
            let queue = queue.clone();
            fibra::spawn(move || {
                while let Ok(time) = queue.recv() {
                    fibra::sleep(ms(time));
                    log(format!("{worker}{time}"));
                    if time == 30 {
                        queue.send(5).unwrap(); // before `task_done` is called
                    }
                    queue.task_done();
                }
            });
        }
        let start = fibra::now();
        [30, 10, 10].into_iter().for_each(|time| queue.send(time).unwrap());
        assert_eq!(queue.wait_drained_timeout(ms(25)), Err(DrainTimeoutError::Timeout));
        assert_eq!(queue.unfinished(), 1);
        queue.wait_drained().unwrap();
        assert_eq!(fibra::now() - start, ms(35));
        assert_eq!(queue.wait_drained_timeout(Duration::ZERO), Ok(()));
        let text = panic_of(|| queue.task_done());
        assert_eq!(text, "`task_done` was called more often than items were sent");
    });
    check("b10 b10 a30 b5");
}

#[test]
fn a_task_is_done_however_its_worker_ends() {
    run_virtually(|| {
        let queue = JoinableQueue::new();
        (0..4).for_each(|n| queue.send(n).unwrap());
        let worker = |f: fn(u32)| {
            let queue = queue.clone();
            fibra::spawn(move || {
                let mut task = queue.recv_task().unwrap();
                *task += 1;
                f(*task);
            })
        };
        let (returns, panics) = (worker(|_| ()), worker(|_| panic::resume_unwind(Box::new(()))));
        let killed = worker(|_| fibra::park());
        fibra::sleep(ms(1));
        assert_eq!(queue.unfinished(), 2);
        killed.kill();
        assert!(returns.join().is_ok() && panics.join().is_err() && killed.join().is_err());
        assert_eq!(queue.unfinished(), 1);
        let task = queue.try_recv_task().unwrap();
        assert_eq!((format!("{task:?}"), task.into_inner()), ("Task(3)".into(), 3));
        assert_eq!(queue.unfinished(), 0);
    });
}

/// An item whose comparison runs a closure.
struct Strange {
    rank: u32,
    compare: Rc<dyn Fn()>,
}

impl Ord for Strange {
    fn cmp(&self, other: &Strange) -> Ordering {
        (self.compare)();
        self.rank.cmp(&other.rank)
    }
}

impl PartialOrd for Strange {
    fn partial_cmp(&self, other: &Strange) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Strange {
    fn eq(&self, other: &Strange) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Strange {}

#[test]
fn a_comparison_that_panics_loses_nothing() {
    run_virtually(|| {
        let (queue, panics) = (PriorityQueue::new(), Rc::new(Cell::new(false)));
        let armed = panics.clone();
        let compare: Rc<dyn Fn()> = Rc::new(move || assert!(!armed.get(), "no comparison"));
        let item = |rank| Strange { rank, compare: compare.clone() };
        [3, 1].into_iter().for_each(|rank| queue.send(item(rank)).unwrap());
        panics.set(true);
        assert_eq!(panic_of(|| queue.send(item(2))), "no comparison");
        panics.set(false);
        assert_eq!((queue.len(), queue.unfinished()), (3, 3));
        queue.close();
        let mut ranks: Vec<_> = queue.iter().map(|item| item.rank).collect();
        ranks.sort_unstable();
        assert_eq!(ranks, [1, 2, 3]);
    });
}

#[test]
fn a_comparison_that_uses_its_own_queue_panics() {
    run_virtually(|| {
        let queue: PriorityQueue<Strange> = PriorityQueue::new();
        let inner = queue.clone();
        let compare: Rc<dyn Fn()> = Rc::new(move || drop(inner.try_recv()));
        queue.send(Strange { rank: 1, compare: compare.clone() }).unwrap();
        let send = || queue.send(Strange { rank: 2, compare: compare.clone() });
        let text = panic_of(AssertUnwindSafe(send));
        assert!(text.starts_with("the queue is used while it compares its items"), "{text}");
        assert_eq!(queue.len(), 2);
    });
}

#[test]
fn a_queue_whose_comparison_waits_refuses_other_calls_with_a_text() {
    run_virtually(|| {
        let queue: PriorityQueue<Strange> = PriorityQueue::new();
        let compare: Rc<dyn Fn()> = Rc::new(fibra::yield_now);
        let item = |rank| Strange { rank, compare: compare.clone() };
        queue.send(item(1)).unwrap();
        let other = queue.clone();
        let late = fibra::spawn(move || panic_of(|| other.try_recv()));
        queue.send(item(2)).unwrap();
        let text = late.join().unwrap();
        assert!(text.starts_with("the queue is used while it compares its items"), "{text}");
        assert_eq!(queue.len(), 2);
    });
}

#[test]
fn a_queue_without_room_is_refused() {
    let text = panic_of(|| PriorityQueue::<u32>::bounded(0));
    assert_eq!(text, "a queue of capacity 0 could never hold an item: make it at least 1");
    assert_eq!(LifoQueue::<u32>::new().capacity(), None);
}
