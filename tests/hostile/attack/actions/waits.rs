//! Actions that wait or spawn, and then continue.

use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use std::{future, pin, thread};

use fibra::channel::{self, Channel};
use fibra::pool::Pool;
use fibra::sync::{self, Condvar, Event, Mutex, RwLock, Semaphore};
use fibra::time;

use super::{Action, disturbs, quiet};
use crate::attack::ledger::Counted;
use crate::attack::stage::OnDrop;

pub(super) const ACTIONS: &[Action] = &[
    quiet("does nothing", |_| ()),
    quiet("yields", |_| fibra::yield_now()),
    quiet("yields ten times", |_| (0..10).for_each(|_| fibra::yield_now())),
    quiet("parks and is woken", |_| {
        let me = fibra::current();
        // The destructor also wakes the fiber when `run` ends before the spawned fiber has run.
        let wakes = OnDrop(move || me.unpark());
        drop(fibra::spawn(move || drop(wakes)));
        fibra::park();
    }),
    // A clock that jumps may reach the limit of a wait before the thread has unparked the fiber.
    disturbs("parks and is woken by a thread", |_| {
        let me = fibra::current().unparker();
        let waker = thread::Builder::new().spawn(move || me.unpark()).unwrap();
        fibra::park();
        waker.join().unwrap();
    }),
    quiet("sleeps", |_| fibra::sleep(Duration::from_millis(1))),
    quiet("sleeps for an hour", |_| fibra::sleep(Duration::from_secs(3600))),
    quiet("parks for a while", |_| fibra::park_timeout(Duration::from_millis(2))),
    quiet("is paused for a while", |_| {
        let me = fibra::current();
        let paused = me.clone();
        let resumes = OnDrop(move || {
            me.resume();
        });
        drop(fibra::spawn(move || {
            paused.pause();
            fibra::sleep(Duration::from_millis(2));
            drop(resumes);
        }));
        fibra::sleep(Duration::from_millis(1));
    }),
    quiet("spawns and joins", |_| {
        let value = Counted::new("a child's output");
        drop(fibra::spawn(move || value).join());
    }),
    quiet("joins for a while, and again", |_| {
        let value = Counted::new("a child's output");
        let mut child = fibra::spawn(move || {
            fibra::sleep(Duration::from_millis(2));
            value
        });
        drop(child.join_timeout(Duration::from_millis(1)));
        drop(child.join_deadline(fibra::now() + Duration::from_millis(5)));
    }),
    quiet("parks until a deadline", |_| {
        fibra::park_deadline(fibra::now() + Duration::from_millis(2));
    }),
    quiet("waits for a pool until a deadline", |_| {
        let pool = Pool::new(1);
        let value = Counted::new("a member's output");
        let member = pool.spawn(move || {
            fibra::sleep(Duration::from_millis(2));
            value
        });
        drop(pool.join_deadline(fibra::now() + Duration::from_millis(1)));
        drop(member);
        drop(pool.join_timeout(Duration::from_millis(5)));
    }),
    quiet("spawns what lives on", |_| {
        let value = Counted::new("of one that lives on");
        drop(fibra::spawn(move || {
            fibra::sleep(Duration::from_secs(3600));
            drop(value);
        }));
    }),
    quiet("spawns many", |_| {
        for _ in 0..40 {
            let value = Counted::new("one of many");
            drop(fibra::spawn(move || value));
        }
    }),
    quiet("spawns now", |_| {
        let value = Counted::new("a child's output");
        drop(fibra::spawn_now(move || {
            fibra::yield_now();
            value
        }));
    }),
    quiet("meets at a channel", |_| {
        let channel = Channel::new();
        let sender = channel.clone();
        drop(fibra::spawn(move || sender.send(Counted::new("a message")).is_ok()));
        drop(channel.recv());
    }),
    quiet("waits for what is buffered", |_| {
        let (sender, receiver) = channel::bounded(1);
        drop(fibra::spawn(move || {
            for _ in 0..3 {
                drop(sender.send(Counted::new("a message")));
            }
        }));
        receiver.iter().for_each(drop);
    }),
    quiet("leaves messages behind", |_| {
        let (sender, receiver) = channel::unbounded();
        let (one, other) = channel::oneshot();
        drop(sender.send(Counted::new("never received")));
        drop(one.send(Counted::new("never received")));
        drop((receiver, other));
    }),
    quiet("waits at a shared channel", |_| {
        let (sender, receiver) = sync::mpmc::bounded(0);
        drop(fibra::spawn(move || drop(sender.send(Counted::new("a message")))));
        drop(receiver.recv());
    }),
    quiet("selects", |_| {
        let (sender, receiver) = channel::oneshot();
        let channel = Channel::<Counted>::new();
        drop(fibra::spawn(move || drop(sender.send(Counted::new("a message")))));
        fibra::select! {
            got = recv(receiver) => drop(got),
            got = recv(channel) => drop(got),
            _ = after(Duration::from_secs(1)) => {}
        }
    }),
    quiet("waits for a lock", |_| {
        let lock = Rc::new(Mutex::new(Counted::new("what is locked")));
        let other = lock.clone();
        drop(fibra::spawn_now(move || {
            let _guard = other.lock();
            fibra::yield_now();
        }));
        drop(lock.lock());
    }),
    quiet("waits for locks of other kinds", |_| {
        let (lock, permits) = (Rc::new(RwLock::new(())), Rc::new(Semaphore::new(1)));
        let (lock2, permits2) = (lock.clone(), permits.clone());
        drop(fibra::spawn_now(move || {
            let _both = (lock2.write(), permits2.acquire());
            fibra::sleep(Duration::from_millis(1));
        }));
        drop((lock.read(), permits.acquire()));
    }),
    quiet("waits for a condition", |_| {
        let shared = Rc::new((Mutex::new(false), Condvar::new()));
        let other = shared.clone();
        let notifies = OnDrop(move || {
            *other.0.lock() = true;
            other.1.notify_all();
        });
        drop(fibra::spawn(move || drop(notifies)));
        drop(shared.1.wait_while(shared.0.lock(), |ready| !*ready));
    }),
    quiet("waits for an event", |_| {
        let event = Rc::new(Event::new());
        let other = event.clone();
        let sets = OnDrop(move || other.set());
        drop(fibra::spawn(move || drop(sets)));
        event.wait();
    }),
    quiet("opens a scope", |_| {
        let value = Counted::new("what a scope lends");
        fibra::scope(|s| {
            drop(s.spawn(|| {
                fibra::sleep(Duration::from_millis(1));
                value.clone()
            }));
            drop(s.spawn(|| value.clone()).join());
        });
    }),
    quiet("opens a nursery and kills it", |_| {
        let value = Counted::new("what a nursery lends");
        fibra::nursery(|n| {
            drop(n.spawn(|| {
                fibra::sleep(Duration::from_secs(60));
                value.clone()
            }));
            fibra::yield_now();
            n.kill();
        });
    }),
    quiet("shields", |_| fibra::shield(fibra::yield_now)),
    quiet("makes clean-up certain", |_| fibra::finally(fibra::yield_now, fibra::yield_now)),
    quiet("sets a limit that is kept", |_| {
        time::timeout(Duration::from_secs(60), fibra::yield_now).unwrap();
    }),
    quiet("waits for a future", |_| {
        let mut polls = 0;
        fibra::future::block_on(future::poll_fn(|context: &mut Context<'_>| {
            polls += 1;
            context.waker().wake_by_ref();
            if polls < 3 { Poll::Pending } else { Poll::Ready(()) }
        }));
    }),
    quiet("drops a future that was polled", |_| {
        let mut nap = pin::pin!(fibra::future::sleep(Duration::from_secs(1)));
        let mut task = fibra::future::spawn(|| Counted::new("a task's output"));
        fibra::future::block_on(future::poll_fn(|context| {
            let _ = nap.as_mut().poll(context);
            let _ = pin::Pin::new(&mut task).poll(context);
            Poll::Ready(())
        }));
    }),
    quiet("maps", |_| {
        let pool = Pool::new(2);
        drop(pool.map(0..4, |_| {
            fibra::yield_now();
            Counted::new("a result")
        }));
    }),
    quiet("has a thread do something", |_| {
        drop(fibra::blocking(|| Counted::new("made by a thread")));
    }),
    quiet("has a thread use what it lends", |_| {
        let value = Counted::new("lent to a thread");
        drop(fibra::blocking::uninterruptible(|| value.clone()));
    }),
    quiet("calls a value on a thread of its own", |_| {
        let owned = fibra::blocking::Owned::new(|| ());
        drop(owned.call(|()| Counted::new("made by a value's thread")));
        owned.close();
    }),
    quiet("looks at everything", |_| {
        let _ = format!("{} {:?}", fibra::dump(), fibra::stats());
    }),
];
