//! The items of a queue, the fibers that wait for it, and the promises made to them.
//!
//! ```text
//!   senders wait (full) --> [ shelf, up to `capacity` ] --> receivers wait (empty)
//!        |  promised a place                                    |  promised an item
//!        +-- puts its item when it runs                         +-- takes the first when it runs
//! ```
//!
//! Invariants:
//! - A fiber that was served does what it was promised to do when it runs, whatever happens: its
//!   wait has completed. So promises are always kept, and no other fiber gets what is promised.
//! - Receivers wait only while every item is promised, senders only while every place is. So a
//!   receiver gets the first item of the moment at which it runs, not of that at which it was
//!   woken.
//! - While an item is put or taken, which may call the user's `Ord`, the shelf is moved out of the
//!   queue: code that uses the queue meanwhile panics. The shelf is moved back even by an unwind.

use std::cell::Cell;

use crate::pool::line::Line;
use crate::pool::queue::order::Order;

pub(crate) struct Core<T, O: Order<T>> {
    pub(crate) capacity: usize,
    shelf: Cell<Option<O::Shelf>>,
    /// The number of items on the shelf.
    len: Cell<usize>,
    promised_items: Cell<usize>,
    promised_places: Cell<usize>,
    next_ticket: Cell<u64>,
    closed: Cell<bool>,
    /// The number of items that were put and not marked as done.
    pub(crate) unfinished: Cell<usize>,
    pub(crate) senders: Line,
    pub(crate) receivers: Line,
    pub(crate) drained: Line,
}

impl<T, O: Order<T>> Core<T, O> {
    pub(crate) fn new(capacity: usize) -> Core<T, O> {
        Core {
            capacity,
            shelf: Cell::new(Some(O::Shelf::default())),
            len: Cell::new(0),
            promised_items: Cell::new(0),
            promised_places: Cell::new(0),
            next_ticket: Cell::new(0),
            closed: Cell::new(false),
            unfinished: Cell::new(0),
            senders: Line::new(),
            receivers: Line::new(),
            drained: Line::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len.get()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// Returns whether no item will ever come out again.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.closed.get() && self.len.get() == 0 && self.promised_places.get() == 0
    }

    pub(crate) fn has_place(&self) -> bool {
        self.len.get() + self.promised_places.get() < self.capacity
    }

    pub(crate) fn has_item(&self) -> bool {
        self.promised_items.get() < self.len.get()
    }

    /// Returns a number that grows with each send that begins.
    pub(crate) fn ticket(&self) -> u64 {
        self.next_ticket.replace(self.next_ticket.get() + 1)
    }

    /// Puts an item. The caller has checked that there is a place.
    #[track_caller]
    pub(crate) fn put(&self, item: T, ticket: u64) {
        self.with_shelf(|shelf| {
            self.unfinished.set(self.unfinished.get() + 1);
            O::put(shelf, item, ticket);
        });
    }

    /// Like `put`, for a sender that was served.
    #[track_caller]
    pub(crate) fn put_promised(&self, item: T, ticket: u64) {
        self.promised_places.set(self.promised_places.get() - 1);
        self.put(item, ticket);
    }

    /// Takes the first item. The caller has checked that there is one.
    #[track_caller]
    pub(crate) fn take(&self) -> Option<T> {
        self.with_shelf(O::take)
    }

    /// Like `take`, for a receiver that was served.
    #[track_caller]
    pub(crate) fn take_promised(&self) -> Option<T> {
        self.promised_items.set(self.promised_items.get() - 1);
        self.take()
    }

    /// Refuses sends from now on.
    pub(crate) fn close(&self) {
        self.closed.set(true);
        self.senders.release_all();
        self.serve();
    }

    #[track_caller]
    fn with_shelf<R>(&self, f: impl FnOnce(&mut O::Shelf) -> R) -> R {
        let shelf = self.shelf.take();
        let Some(shelf) = shelf else {
            panic!(
                "the queue is used while it compares its items: their `Ord` must neither use the \
                 queue nor wait"
            )
        };
        let mut out = Out { core: self, shelf };
        f(&mut out.shelf)
    }

    /// Promises items and places to the fibers that wait for them.
    fn serve(&self) {
        while self.has_item() && self.receivers.serve() {
            self.promised_items.set(self.promised_items.get() + 1);
        }
        while self.has_place() && !self.closed.get() && self.senders.serve() {
            self.promised_places.set(self.promised_places.get() + 1);
        }
        if self.closed.get() && !self.has_item() && self.promised_places.get() == 0 {
            self.receivers.release_all();
        }
    }
}

/// The shelf while it is moved out. It is moved back when this is dropped.
struct Out<'a, T, O: Order<T>> {
    core: &'a Core<T, O>,
    shelf: O::Shelf,
}

impl<T, O: Order<T>> Drop for Out<'_, T, O> {
    fn drop(&mut self) {
        let shelf = std::mem::take(&mut self.shelf);
        self.core.len.set(O::len(&shelf));
        self.core.shelf.set(Some(shelf));
        self.core.serve();
    }
}
