//! The children of a task that were woken: so that a task with many futures polls only those.
//!
//! Invariants:
//! - A child that is woken after its last [`begin_poll`](ChildWaker::begin_poll) is in the list,
//!   and the task was woken for it, or is polled already.
//! - No lock is held while a waker is cloned, called or dropped.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};

use crate::sched::lowlevel::locked;

/// The children that were woken, and the task to wake for them.
#[derive(Debug, Default)]
pub(crate) struct Woken {
    list: Arc<Mutex<List>>,
}

#[derive(Debug, Default)]
struct List {
    woken: Vec<usize>,
    /// The waker of the last poll, until it is called.
    parent: Option<Waker>,
}

/// The waker of one child.
#[derive(Debug)]
pub(crate) struct ChildWaker {
    waker: Waker,
    link: Arc<Link>,
}

#[derive(Debug)]
struct Link {
    index: usize,
    /// Whether it is in the list of those that were woken.
    queued: AtomicBool,
    list: Arc<Mutex<List>>,
}

impl Woken {
    /// Returns a waker for the child with this index, and puts the child into the list: it has not
    /// been polled. The task is not woken.
    pub(crate) fn waker(&self, index: usize) -> ChildWaker {
        let queued = AtomicBool::new(true);
        let link = Arc::new(Link { index, queued, list: self.list.clone() });
        locked(&self.list).woken.push(index);
        ChildWaker { waker: Waker::from(link.clone()), link }
    }

    /// Takes the indices of the children that were woken. `parent` is woken for the next one.
    pub(crate) fn take(&self, parent: &Waker) -> Vec<usize> {
        let parent = parent.clone();
        let (woken, replaced) = {
            let mut list = locked(&self.list);
            (mem::take(&mut list.woken), list.parent.replace(parent))
        };
        drop(replaced);
        woken
    }

    /// Drops the waker of the task.
    pub(crate) fn forget_parent(&self) {
        let parent = locked(&self.list).parent.take();
        drop(parent);
    }
}

impl ChildWaker {
    /// Returns the waker for a poll of the child that begins now. A wake from now on puts the child
    /// into the list again.
    pub(crate) fn begin_poll(&self) -> &Waker {
        self.link.queued.store(false, Ordering::Release);
        &self.waker
    }
}

impl Wake for Link {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.queued.swap(true, Ordering::AcqRel) {
            return;
        }
        let parent = {
            let mut list = locked(&self.list);
            list.woken.push(self.index);
            list.parent.take()
        };
        parent.into_iter().for_each(Waker::wake);
    }
}
