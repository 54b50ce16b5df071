//! Scenarios in retries and work queues.

use std::cmp::Ordering;
use std::time::Duration;

use fibra::pool::{Backoff, JoinableQueue, LifoQueue, PriorityQueue, Retry};

use super::{Scenario, scenario};
use crate::attack::ledger::Counted;
use crate::attack::stage::{Hostile, strike};

/// Strikes when it is compared.
#[derive(Debug)]
struct Compares(u32, #[allow(dead_code, reason = "counts")] Counted);

impl Ord for Compares {
    fn cmp(&self, other: &Compares) -> Ordering {
        strike();
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Compares {
    fn partial_cmp(&self, other: &Compares) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Compares {
    fn eq(&self, other: &Compares) -> bool {
        self.0 == other.0
    }
}

impl Eq for Compares {}

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario("retry: an attempt", "Ok(2)", |_| {
        let outcome = Retry::<()>::attempts(3).run(|attempt| {
            strike();
            if attempt == 2 { Ok(attempt) } else { Err(()) }
        });
        format!("{outcome:?}")
    }),
    scenario("retry: whether to try again", "Ok(2)", |_| {
        let judge = |&(): &()| {
            strike();
            true
        };
        let attempt = |attempt| if attempt == 2 { Ok(attempt) } else { Err(()) };
        format!("{:?}", Retry::attempts(3).on(judge).run(attempt))
    }),
    scenario("retry: before a sleep", "Ok(2)", |_| {
        let scenario = |_, &(): &(), _| strike();
        let attempt = |attempt| if attempt == 2 { Ok(attempt) } else { Err(()) };
        format!("{:?}", Retry::attempts(3).before_sleep(scenario).run(attempt))
    }),
    scenario("retry: how long to wait", "Ok(2)", |_| {
        let wait = Backoff::by(|_| {
            strike();
            Duration::from_millis(1)
        });
        let attempt = |attempt| if attempt == 2 { Ok(attempt) } else { Err(()) };
        format!("{:?}", Retry::<()>::attempts(3).wait(wait).run(attempt))
    }),
    scenario("retry: the destructor of an error", "true", |_| {
        let outcome = Retry::attempts(3).run(|_| Err::<(), _>(Hostile::new("error")));
        outcome.is_err().to_string()
    }),
    scenario("work queue: a comparison when an item is sent", "3", |stage| {
        let queue = PriorityQueue::new();
        let again = queue.clone();
        stage.offer(move || {
            let _ = again.try_recv().map(|item: Compares| drop(item));
        });
        for n in [3, 1, 2] {
            drop(queue.send(Compares(n, Counted::new("item"))));
        }
        queue.len().to_string()
    }),
    scenario("work queue: a comparison when an item is received", "1", |stage| {
        let queue = PriorityQueue::bounded(4);
        for n in [3, 1, 2] {
            drop(queue.send(Compares(n, Counted::new("item"))));
        }
        let again = queue.clone();
        stage.offer(move || drop(again.try_send(Compares(0, Counted::new("item")))));
        queue.recv().map_or(0, |item| item.0).to_string()
    }),
    scenario("work queue: the destructor of items that are never taken", "left", |stage| {
        let queue = JoinableQueue::new();
        drop(queue.send(Hostile::new("item")));
        drop(queue.send(Hostile::new("item")));
        stage.hold(queue);
        stage.drop_held();
        "left".into()
    }),
    scenario("work queue: the destructor of an item that is refused", "refused", |_| {
        let queue = LifoQueue::bounded(1);
        drop(queue.try_send(Hostile::new("item")));
        drop(queue.try_send(Hostile::new("item")));
        queue.close();
        drop(queue.send(Hostile::new("item")));
        "refused".into()
    }),
    scenario("work queue: the destructor of a task", "0", |stage| {
        let queue = JoinableQueue::new();
        drop(queue.send(Hostile::new("item")));
        let again = queue.clone();
        stage.offer(move || again.close());
        drop(queue.recv_task());
        queue.unfinished().to_string()
    }),
];
