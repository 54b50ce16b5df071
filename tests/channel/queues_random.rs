//! Random users of a queue of work, killed and timed out at any wait: no item is
//! lost or received twice, and the first item of the order is received first.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use fibra::channel::RecvError;
use fibra::pool::{Group, Newest, Oldest, Order, Ranked, Smallest, WorkQueue};
use proptest::prelude::*;

use crate::support::{ms, run_virtually};

#[derive(Clone, Debug)]
enum Op {
    Send(u8),
    TrySend(u8),
    SendTimeout(u8, u64),
    Recv,
    TryRecv,
    RecvTimeout(u64),
    Sleep(u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (0..4_u8).prop_map(Op::Send),
        (0..4_u8).prop_map(Op::TrySend),
        (0..4_u8, 0..5_u64).prop_map(|(rank, time)| Op::SendTimeout(rank, time)),
        Just(Op::Recv),
        Just(Op::TryRecv),
        (0..5_u64).prop_map(Op::RecvTimeout),
        (0..5_u64).prop_map(Op::Sleep),
    ]
}

type Item = Ranked<u8, u64>;

/// The expected contents of the queue: the sort key and the number of each item.
#[derive(Clone)]
struct Model<O: Order<Item>> {
    queue: WorkQueue<Item, O>,
    holds: Rc<RefCell<BTreeSet<(i64, u64)>>>,
    next: Rc<Cell<u64>>,
    key: fn(u8, u64) -> i64,
}

impl<O: Order<Item> + 'static> Model<O> {
    fn item(&self, rank: u8) -> Item {
        self.next.set(self.next.get() + 1);
        Ranked::new(rank, self.next.get())
    }

    /// Records a sent item. No other fiber runs between the send and this call.
    fn was_sent(&self, rank: u8, number: u64) {
        self.holds.borrow_mut().insert(((self.key)(rank, number), number));
        assert!(self.queue.capacity().is_none_or(|most| self.queue.len() <= most));
        assert_eq!(self.queue.len(), self.holds.borrow().len());
    }

    /// Checks a received item. No other fiber runs between the receive and this call.
    fn was_received(&self, item: &Item) {
        let first = self.holds.borrow_mut().pop_first();
        assert_eq!(first.map(|(_, number)| number), Some(item.value));
        self.queue.task_done();
    }

    fn act(&self, op: &Op) {
        match *op {
            Op::Send(rank) | Op::TrySend(rank) | Op::SendTimeout(rank, _) => self.send(op, rank),
            Op::Recv => self.queue.recv().iter().for_each(|item| self.was_received(item)),
            Op::TryRecv => self.queue.try_recv().iter().for_each(|item| self.was_received(item)),
            Op::RecvTimeout(time) => {
                let received = self.queue.recv_timeout(ms(time));
                received.iter().for_each(|item| self.was_received(item));
            }
            Op::Sleep(time) => fibra::sleep(ms(time)),
        }
    }

    fn send(&self, op: &Op, rank: u8) {
        let item = self.item(rank);
        let number = item.value;
        let back = match *op {
            Op::TrySend(_) => self.queue.try_send(item).err().map(|e| e.into_inner()),
            Op::SendTimeout(_, time) => {
                self.queue.send_timeout(item, ms(time)).err().map(|e| e.into_inner())
            }
            _ => self.queue.send(item).err().map(|e| e.into_inner()),
        };
        match back {
            Some(item) => assert_eq!(item.value, number),
            None => self.was_sent(rank, number),
        }
    }
}

fn check<O: Order<Item> + Clone + 'static>(
    queue: WorkQueue<Item, O>,
    key: fn(u8, u64) -> i64,
    users: &[Vec<Op>],
    kills: &[(u64, usize)],
    close: u64,
) {
    run_virtually(|| {
        let model = Model { queue, holds: Rc::default(), next: Rc::default(), key };
        let group = Group::new();
        let fibers: Vec<_> = users
            .iter()
            .map(|ops| {
                let (model, ops) = (model.clone(), ops.clone());
                group.spawn(move || ops.iter().for_each(|op| model.act(op)))
            })
            .collect();
        for &(at, n) in kills {
            let victim = fibers[n % fibers.len()].clone();
            fibra::spawn(move || {
                fibra::sleep(ms(at));
                victim.kill();
            });
        }
        fibra::sleep(ms(close));
        model.queue.close();
        while let Some(outcome) = group.next() {
            assert!(outcome.as_ref().map_or_else(|e| e.is_killed(), |()| true), "{outcome:?}");
        }
        loop {
            match model.queue.recv() {
                Ok(item) => model.was_received(&item),
                Err(error) => break assert!(matches!(error, RecvError::Closed)),
            }
        }
        assert!(model.holds.borrow().is_empty());
        model.queue.wait_drained().unwrap();
    });
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_item_is_lost_and_the_first_comes_first(
        capacity in prop::option::of(1..4_usize),
        users in prop::collection::vec(prop::collection::vec(op(), 0..12), 1..6),
        kills in prop::collection::vec((0..20_u64, 0..6_usize), 0..4),
        close in 0..30_u64,
    ) {
        fn queue<O: Order<Item>>(capacity: Option<usize>) -> WorkQueue<Item, O> {
            capacity.map_or_else(WorkQueue::new, WorkQueue::bounded)
        }
        // Items of equal rank come in the order of their numbers, which is that of their sends.
        let by_rank = |rank: u8, number: u64| i64::from(rank) << 32 | number as i64;
        check(queue::<Smallest>(capacity), by_rank, &users, &kills, close);
        check(queue::<Oldest>(None), |_, number| number as i64, &users, &kills, close);
        check(queue::<Newest>(None), |_, number| -(number as i64), &users, &kills, close);
    }
}
