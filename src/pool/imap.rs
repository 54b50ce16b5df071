//! `imap` and `imap_unordered`: a stream of results that are computed ahead of its reader.
//!
//! ```text
//!   source --> [ feeder ] --> members, each with a permit --> ended, unread --> next()
//!              waits for room                                                     |
//!                 ^---------------- one result was read --------------------------+
//! ```
//!
//! Invariants:
//! - The number of items that were pulled and whose results were not read never exceeds the size of
//!   the pool: `in_flight` counts them, and the feeder waits for room before it pulls.
//! - The source lives on the feeder, which is a separate fiber: the source may wait, and its panic
//!   is the last result.
//! - Dropping the iterator kills the feeder and the members in flight, including a member that is
//!   being spawned at that moment.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::iter::FusedIterator;
use std::rc::Rc;

use crate::collections::slot_table::Key;
use crate::fiber::exit::JoinError;
use crate::pool::bounded::{PERMIT_OR_ERROR, Pool};
use crate::pool::completions::{Completions, Handles};
use crate::pool::line::Line;
use crate::pool::permits::{Acquired, Permits, join_error, kill_all};
use crate::sched::api::handle;
use crate::sched::api::handle::tell_of_end;
use crate::sched::api::join::JoinHandle;
use crate::sched::core::hooks::EndHook;
use crate::sched::lowlevel::{OnDeadlock, WaitReason, current_fiber, spend};

static ROOM: WaitReason =
    WaitReason::new("waiting until results of a pool are read", OnDeadlock::Fail);
static RESULT: WaitReason = WaitReason::new("waiting for a result of a pool", OnDeadlock::Fail);

impl Pool {
    /// Calls `f` with each item, each call in a member of its own, and returns an iterator over the
    /// results in the order of the items.
    ///
    /// The work begins immediately and runs ahead of the reader by up to as many items as the pool
    /// has permits, counting both the calls that run and the results that were not read. A separate
    /// fiber pulls the source, which may wait.
    ///
    /// If a call fails, its error is the result of its item, and the other calls go on. A panic of
    /// the source or a deadlock is the last result. Dropping the iterator kills the calls that
    /// still run.
    ///
    /// # Panics
    ///
    /// Panics if the pool was closed, and outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let pool = fibra::pool::Pool::new(4);
    ///     let mut squares = pool.imap(1.., |n: u32| n * n);
    ///     assert_eq!(squares.next().unwrap().unwrap(), 1);
    ///     assert_eq!(squares.next().unwrap().unwrap(), 4);
    /// });
    /// ```
    #[track_caller]
    pub fn imap<I, F, U>(&self, items: I, f: F) -> Imap<U>
    where
        I: IntoIterator,
        I::IntoIter: 'static,
        I::Item: 'static,
        F: Fn(I::Item) -> U + 'static,
        U: 'static,
    {
        Imap { stream: self.stream(items, f), ended: VecDeque::new(), next: 0 }
    }

    /// Maps like [`imap`](Pool::imap), but in the order in which the calls end.
    ///
    /// # Panics
    ///
    /// Panics like [`imap`](Pool::imap).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # fibra::Runtime::builder().virtual_clock().build()?.run(|| {
    /// let pool = fibra::pool::Pool::new(3);
    /// let naps = pool.imap_unordered([30, 10, 20], |ms| {
    ///     fibra::sleep(Duration::from_millis(ms));
    ///     ms
    /// });
    /// assert_eq!(naps.map(Result::unwrap).collect::<Vec<_>>(), [10, 20, 30]);
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn imap_unordered<I, F, U>(&self, items: I, f: F) -> ImapUnordered<U>
    where
        I: IntoIterator,
        I::IntoIter: 'static,
        I::Item: 'static,
        F: Fn(I::Item) -> U + 'static,
        U: 'static,
    {
        ImapUnordered { stream: self.stream(items, f) }
    }

    #[track_caller]
    fn stream<I, F, U>(&self, items: I, f: F) -> Stream<U>
    where
        I: IntoIterator,
        I::IntoIter: 'static,
        I::Item: 'static,
        F: Fn(I::Item) -> U + 'static,
        U: 'static,
    {
        self.refuse_closed(current_fiber());
        let source = items.into_iter();
        let flow = Rc::new(Flow {
            completions: Completions::new(),
            handles: Handles::new(),
            in_flight: Cell::new(0),
            room: Line::new(),
            killed: Cell::new(false),
        });
        let feed = Feed { pool: self.clone(), source, f: Rc::new(f), flow: flow.clone() };
        let feeder = self.builder.clone().spawn(move || feed.run());
        let fed = Rc::new(Fed { completions: flow.completions.clone(), over: Cell::new(false) });
        tell_of_end(feeder.fiber(), fed.clone(), Key::from_bits(0));
        Stream { flow, fed, permits: self.permits.clone(), feeder: Some(feeder) }
    }
}

/// An iterator over the results of [`Pool::imap`], in the order of the items.
///
/// # Examples
///
/// ```
/// use fibra::pool::Pool;
///
/// fibra::run(|| {
///     let squares = Pool::new(2).imap(1..=3, |n| n * n);
///     assert_eq!(squares.map(Result::unwrap).collect::<Vec<_>>(), [1, 4, 9]);
/// });
/// ```
pub struct Imap<U> {
    stream: Stream<U>,
    /// The calls that have ended, starting with the next one to be read.
    ended: VecDeque<Option<JoinHandle<U>>>,
    /// The index of the next item to be read.
    next: usize,
}

/// An iterator over the results of [`Pool::imap_unordered`], in the order in which the calls end.
///
/// # Examples
///
/// ```
/// use fibra::pool::Pool;
///
/// fibra::run(|| {
///     let squares = Pool::new(2).imap_unordered(1..=3, |n| n * n);
///     assert_eq!(squares.map(Result::unwrap).sum::<u32>(), 14);
/// });
/// ```
pub struct ImapUnordered<U> {
    stream: Stream<U>,
}

/// The state that the feeder, the members and the reader share.
struct Flow<U> {
    completions: Rc<Completions>,
    handles: Handles<(usize, JoinHandle<U>)>,
    in_flight: Cell<usize>,
    /// The queue in which the feeder waits.
    room: Line,
    /// Whether the members in flight were killed, and each new member is killed as well.
    killed: Cell<bool>,
}

/// The end of the feeder, and with it the end of the source.
#[derive(Debug)]
struct Fed {
    completions: Rc<Completions>,
    over: Cell<bool>,
}

/// The reader's side.
struct Stream<U> {
    flow: Rc<Flow<U>>,
    fed: Rc<Fed>,
    permits: Rc<Permits>,
    /// The feeder, until the stream is over.
    feeder: Option<JoinHandle<Result<(), JoinError>>>,
}

/// The feeder's side.
struct Feed<I, F, U> {
    pool: Pool,
    source: I,
    f: Rc<F>,
    flow: Rc<Flow<U>>,
}

impl<I, F, U> Feed<I, F, U>
where
    I: Iterator,
    I::Item: 'static,
    F: Fn(I::Item) -> U + 'static,
    U: 'static,
{
    fn run(mut self) -> Result<(), JoinError> {
        let current = current_fiber();
        let in_flight = &self.flow.in_flight;
        for index in 0.. {
            while self.pool.size() <= in_flight.get() {
                self.flow.room.wait(current, None, &ROOM).map_err(join_error)?;
            }
            let Some(item) = self.source.next() else { break };
            in_flight.set(in_flight.get() + 1);
            spend(current);
            match self.pool.permits.acquire(current, None, &PERMIT_OR_ERROR).map_err(join_error)? {
                Acquired::Permit => self.start(index, item),
                Acquired::Killed => return Err(JoinError::Killed),
            }
        }
        Ok(())
    }

    fn start(&self, index: usize, item: I::Item) {
        let Feed { pool, f, flow, .. } = self;
        let (f, reservation, registration) =
            (f.clone(), pool.permits.reserve(Acquired::Permit), flow.completions.register());
        let handle = pool.builder.clone().spawn(move || f(item));
        let (key, fiber) = (registration.key(), handle.fiber().clone());
        flow.handles.put(key, (index, handle));
        registration.watch(&fiber);
        reservation.assign(&fiber);
        // The reader may have gone while the fiber was spawned, because that runs user code.
        if flow.killed.get() {
            fiber.kill();
        }
    }
}

impl EndHook for Fed {
    fn ended(&self, _feeder: Key) {
        self.over.set(true);
        self.completions.release_all();
    }
}

impl<U> Stream<U> {
    /// Waits for the next call to end. Returns its item's index and its handle, or `None` at the
    /// end.
    #[track_caller]
    fn next_ended(&mut self) -> Result<Option<(usize, JoinHandle<U>)>, JoinError> {
        let (current, Flow { completions, handles, .. }) = (current_fiber(), &*self.flow);
        loop {
            if let Some(ended) = completions.take_ended().and_then(|key| handles.take(key)) {
                return Ok(Some(ended));
            }
            if self.fed.over.get() && completions.is_over() {
                return Ok(None);
            }
            let released = self.permits.release_current(current);
            let waited = completions.wait_for_change(current, &RESULT);
            let reacquired =
                released.map_or(Ok(()), |released| released.reacquire(current, &PERMIT_OR_ERROR));
            waited.and(reacquired).map_err(join_error)?;
        }
    }

    /// Returns the result of `handle`, whose fiber has ended.
    #[track_caller]
    fn deliver(&mut self, handle: JoinHandle<U>) -> Result<U, JoinError> {
        self.flow.in_flight.set(self.flow.in_flight.get() - 1);
        self.flow.room.serve();
        handle.join()
    }

    /// Ends the stream after all results were returned. Returns the error of the feeder, if it
    /// failed.
    #[track_caller]
    fn finish<T>(&mut self) -> Option<Result<T, JoinError>> {
        let ended = self.feeder.take()?.join();
        ended.and_then(|fed| fed).err().map(Err)
    }

    /// Ends the stream with `error`, which is not the result of an item.
    fn fail<T>(&mut self, error: JoinError) -> Option<Result<T, JoinError>> {
        self.kill();
        self.feeder = None;
        Some(Err(error))
    }

    fn is_over(&self) -> bool {
        self.feeder.is_none()
    }

    fn kill(&self) {
        self.flow.killed.set(true);
        let mut fibers = self.flow.handles.each(|_, (_, handle)| handle.fiber().clone());
        fibers.extend(self.feeder.iter().map(|feeder| feeder.fiber().clone()));
        kill_all(fibers, handle::in_fiber().then(handle::current).as_ref());
    }
}

impl<U> Drop for Stream<U> {
    fn drop(&mut self) {
        self.kill();
    }
}

impl<U> Iterator for Imap<U> {
    type Item = Result<U, JoinError>;

    #[track_caller]
    fn next(&mut self) -> Option<Result<U, JoinError>> {
        if self.stream.is_over() {
            return None;
        }
        while !matches!(self.ended.front(), Some(Some(_))) {
            match self.stream.next_ended() {
                Ok(Some((index, handle))) => self.keep(index - self.next, handle),
                Ok(None) => return self.stream.finish(),
                Err(error) => return self.stream.fail(error),
            }
        }
        let handle = self.ended.pop_front().flatten()?;
        self.next += 1;
        Some(self.stream.deliver(handle))
    }
}

impl<U> Imap<U> {
    fn keep(&mut self, at: usize, handle: JoinHandle<U>) {
        if self.ended.len() <= at {
            self.ended.resize_with(at + 1, || None);
        }
        self.ended[at] = Some(handle);
    }
}

impl<U> Iterator for ImapUnordered<U> {
    type Item = Result<U, JoinError>;

    #[track_caller]
    fn next(&mut self) -> Option<Result<U, JoinError>> {
        if self.stream.is_over() {
            return None;
        }
        match self.stream.next_ended() {
            Ok(Some((_, handle))) => Some(self.stream.deliver(handle)),
            Ok(None) => self.stream.finish(),
            Err(error) => self.stream.fail(error),
        }
    }
}

impl<U> FusedIterator for Imap<U> {}
impl<U> FusedIterator for ImapUnordered<U> {}

impl<U> fmt::Debug for Stream<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let over = self.is_over();
        write!(f, "{} in flight", self.flow.in_flight.get())?;
        if over { f.write_str(", over") } else { Ok(()) }
    }
}

impl<U> fmt::Debug for Imap<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Imap").field(&self.stream).finish()
    }
}

impl<U> fmt::Debug for ImapUnordered<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ImapUnordered").field(&self.stream).finish()
    }
}
