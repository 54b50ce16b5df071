//! Each wait for another scheduler, with each of its ends: the other side completes it, a fiber of
//! either scheduler kills it, its time is over, or the runtime ends.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use fibra::sync::{Barrier, Condvar, Event, Mutex, OnceCell, ReentrantMutex, RwLock, Semaphore};
use fibra::sync::{Once, WaitGroup, mpmc, oneshot, promise};
use fibra::{Fiber, Handle, RemoteHandle, par, select};

use crate::support::{OnDrop, ms};
use crate::{Count, LATE, on, sleep_until as until};

/// What the two sides of a wait tell each other. They look every millisecond: the waits that are
/// tested are no part of this.
#[derive(Default)]
struct Signals {
    ready: AtomicBool,
    waiting: Count,
    go: AtomicBool,
}

impl Signals {
    fn get_ready(&self) {
        self.ready.store(true, Ordering::SeqCst);
    }

    fn until_go(&self) {
        until(|| self.go.load(Ordering::SeqCst));
    }
}

/// The side that waits; it may be called again after a wait that was interrupted.
type Waiter = Arc<dyn Fn(&Arc<Signals>) + Send + Sync>;
/// The side on the other scheduler: gets ready, and completes the wait when it is told to.
type Partner = Box<dyn FnOnce(&Signals) + Send>;

struct Wait {
    name: &'static str,
    make: fn() -> (Waiter, Partner),
}

fn sides(
    waiter: impl Fn(&Arc<Signals>) + Send + Sync + 'static,
    partner: impl FnOnce(&Signals) + Send + 'static,
) -> (Waiter, Partner) {
    (Arc::new(waiter), Box::new(partner))
}

/// Returns the sides of a wait for a job that the waiter has spawned.
fn for_a_job(waiter: impl Fn(&Arc<Signals>) + Send + Sync + 'static) -> (Waiter, Partner) {
    sides(waiter, Signals::get_ready)
}

fn elsewhere() -> usize {
    1 - Handle::current().index().unwrap()
}

fn job(signals: &Arc<Signals>) -> RemoteHandle<u32> {
    let signals = signals.clone();
    Handle::current().spawn_on(elsewhere(), move || {
        signals.until_go();
        7
    })
}

const WAITS: &[Wait] = &[
    Wait {
        name: "RemoteHandle::join",
        make: || for_a_job(|signals| assert_eq!(job(signals).join(), Ok(7))),
    },
    Wait {
        name: "a job as a future",
        make: || for_a_job(|signals| assert_eq!(fibra::future::block_on(job(signals)), Ok(7))),
    },
    Wait {
        name: "a job in select!",
        make: || {
            for_a_job(|signals| {
                let mut job = job(signals);
                select! {
                    outcome = join(&mut job) => assert_eq!(outcome, Ok(7)),
                }
            })
        },
    },
    Wait {
        name: "par::scope",
        make: || {
            for_a_job(|signals| {
                par::scope(|s| drop(s.spawn_on(elsewhere(), || signals.until_go())));
            })
        },
    },
    Wait {
        name: "ScopedHandle::join",
        make: || {
            for_a_job(|signals| {
                par::scope(|s| s.spawn_on(elsewhere(), || signals.until_go()).join().unwrap());
            })
        },
    },
    Wait {
        name: "par::join",
        make: || for_a_job(|signals| _ = par::join(|| (), || signals.until_go())),
    },
    Wait {
        name: "par::map",
        make: || for_a_job(|signals| drop(par::map(&[1, 2], |_| signals.until_go()))),
    },
    Wait {
        name: "par::imap",
        make: || {
            for_a_job(|signals| {
                let signals = signals.clone();
                assert_eq!(par::imap(0..3, move |_| signals.until_go()).count(), 3);
            })
        },
    },
    Wait { name: "mpmc::Receiver::recv, without a buffer", make: || receives(mpmc::bounded(0)) },
    Wait { name: "mpmc::Receiver::recv", make: || receives(mpmc::bounded(8)) },
    Wait { name: "mpmc::Receiver::recv, without bounds", make: || receives(mpmc::unbounded()) },
    Wait {
        name: "mpmc::Receiver in select!",
        make: || {
            let (sender, receiver) = mpmc::bounded(0);
            sides(
                move |_| {
                    select! {
                        value = recv(receiver) => assert_eq!(value, Ok(7)),
                    }
                },
                move |signals| {
                    signals.get_ready();
                    signals.until_go();
                    sender.send(7).unwrap();
                },
            )
        },
    },
    Wait { name: "mpmc::Sender::send, without a buffer", make: || sends(mpmc::bounded(0), 0) },
    Wait { name: "mpmc::Sender::send, one place", make: || sends(mpmc::bounded(1), 1) },
    Wait { name: "mpmc::Sender::send", make: || sends(mpmc::bounded(8), 8) },
    Wait {
        name: "Mutex",
        make: || {
            let lock = Arc::new(Mutex::new(0));
            let held = lock.clone();
            sides(
                move |_| *lock.lock() += 1,
                move |signals| {
                    let _guard = held.lock();
                    signals.get_ready();
                    signals.until_go();
                },
            )
        },
    },
    Wait {
        name: "ReentrantMutex",
        make: || {
            let lock = Arc::new(ReentrantMutex::new(0));
            let held = lock.clone();
            sides(
                move |_| drop(lock.lock()),
                move |signals| {
                    let _guard = held.lock();
                    signals.get_ready();
                    signals.until_go();
                },
            )
        },
    },
    Wait {
        name: "RwLock::read",
        make: || {
            let lock = Arc::new(RwLock::new(0));
            let held = lock.clone();
            sides(
                move |_| drop(lock.read()),
                move |signals| {
                    let _guard = held.write();
                    signals.get_ready();
                    signals.until_go();
                },
            )
        },
    },
    Wait {
        name: "RwLock::write",
        make: || {
            let lock = Arc::new(RwLock::new(0));
            let held = lock.clone();
            sides(
                move |_| *lock.write() += 1,
                move |signals| {
                    let _guard = held.read();
                    signals.get_ready();
                    signals.until_go();
                },
            )
        },
    },
    Wait {
        name: "Semaphore",
        make: || {
            let semaphore = Arc::new(Semaphore::new(1));
            let held = semaphore.clone();
            sides(
                move |_| drop(semaphore.acquire()),
                move |signals| {
                    let _permit = held.acquire();
                    signals.get_ready();
                    signals.until_go();
                },
            )
        },
    },
    Wait {
        name: "Condvar",
        make: || {
            let pair = Arc::new((Mutex::new(false), Condvar::new()));
            let notifies = pair.clone();
            sides(
                move |_| drop(pair.1.wait_while(pair.0.lock(), |done| !*done)),
                move |signals| {
                    signals.get_ready();
                    signals.until_go();
                    *notifies.0.lock() = true;
                    notifies.1.notify_one();
                },
            )
        },
    },
    Wait {
        name: "Event",
        make: || {
            let event = Arc::new(Event::new());
            let sets = event.clone();
            sides(
                move |_| event.wait(),
                move |signals| {
                    signals.get_ready();
                    signals.until_go();
                    sets.set();
                },
            )
        },
    },
    Wait {
        name: "Barrier",
        make: || {
            let barrier = Arc::new(Barrier::new(2));
            let other = barrier.clone();
            sides(
                move |_| _ = barrier.wait(),
                move |signals| {
                    signals.get_ready();
                    signals.until_go();
                    other.wait();
                },
            )
        },
    },
    Wait {
        name: "WaitGroup",
        make: || {
            let group = Arc::new(WaitGroup::new());
            let works = group.clone();
            sides(
                move |_| group.wait(),
                move |signals| {
                    let _worker = works.worker();
                    signals.get_ready();
                    signals.until_go();
                },
            )
        },
    },
    Wait {
        name: "Promised",
        make: || {
            let (promise, promised) = promise();
            sides(
                move |_| assert_eq!(promised.wait(), Ok(&7)),
                move |signals| {
                    signals.get_ready();
                    signals.until_go();
                    promise.set(7);
                },
            )
        },
    },
    Wait {
        name: "OneshotReceiver",
        make: || {
            let (sender, receiver) = oneshot();
            let receiver = Mutex::new(Some(receiver));
            sides(
                move |signals| {
                    // An interrupted wait takes the receiver with it.
                    match receiver.lock().take() {
                        Some(receiver) => assert_eq!(receiver.recv(), Ok(7)),
                        None => signals.until_go(),
                    }
                },
                move |signals| {
                    signals.get_ready();
                    signals.until_go();
                    let _ = sender.send(7);
                },
            )
        },
    },
    Wait {
        name: "OnceCell::get_or_init",
        make: || {
            let cell = Arc::new(OnceCell::new());
            let other = cell.clone();
            sides(
                move |_| _ = cell.get_or_init(|| 8),
                move |signals| {
                    other.get_or_init(|| {
                        signals.get_ready();
                        signals.until_go();
                        7
                    });
                },
            )
        },
    },
    Wait {
        name: "Once",
        make: || {
            let once = Arc::new(Once::new());
            let other = once.clone();
            sides(
                move |_| once.call_once(|| ()),
                move |signals| {
                    other.call_once(|| {
                        signals.get_ready();
                        signals.until_go();
                    });
                },
            )
        },
    },
];

fn receives((sender, receiver): (mpmc::Sender<u32>, mpmc::Receiver<u32>)) -> (Waiter, Partner) {
    sides(
        move |_| assert_eq!(receiver.recv(), Ok(7)),
        move |signals| {
            signals.get_ready();
            signals.until_go();
            sender.send(7).unwrap();
        },
    )
}

/// Returns the sides of a send at a channel with `stored` values, which is full then.
fn sends(
    (sender, receiver): (mpmc::Sender<u32>, mpmc::Receiver<u32>),
    stored: u32,
) -> (Waiter, Partner) {
    (0..stored).for_each(|_| sender.try_send(0).unwrap());
    sides(
        move |_| sender.send(7).unwrap(),
        move |signals| {
            signals.get_ready();
            signals.until_go();
            (0..stored).for_each(|_| assert_eq!(receiver.recv(), Ok(0)));
            assert_eq!(receiver.recv(), Ok(7));
        },
    )
}

/// The end of a wait.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
enum End {
    Completed,
    KilledHere,
    KilledFromElsewhere,
    TimedOut,
    RuntimeEnds,
}

const ENDS: [End; 5] =
    [End::Completed, End::KilledHere, End::KilledFromElsewhere, End::TimedOut, End::RuntimeEnds];

thread_local! {
    /// The fiber that waits on this scheduler.
    static WAITER: RefCell<Option<Fiber>> = const { RefCell::new(None) };
}

const RETURNED: u8 = 1;
const OUT_OF_TIME: u8 = 2;
const UNWOUND: u8 = 4;

/// Runs the waiter once, and notes in `how` how its wait has ended.
fn wait_once(waiter: &Waiter, signals: &Arc<Signals>, limited: bool, how: &Arc<AtomicU8>) {
    WAITER.replace(Some(fibra::current()));
    let unwound = OnDrop(|| how.store(UNWOUND, Ordering::SeqCst));
    signals.waiting.add();
    if limited {
        let ended = fibra::time::timeout(ms(3), || waiter(signals));
        how.store(if ended.is_ok() { RETURNED } else { OUT_OF_TIME }, Ordering::SeqCst);
    } else {
        waiter(signals);
        how.store(RETURNED, Ordering::SeqCst);
    }
    std::mem::forget(unwound);
}

/// Lets the first waiter end by `end`. If it was interrupted, another one waits then.
fn play(wait: &Wait, end: End, home: usize) {
    let name = format!("{}: {end:?}, on the scheduler {home}", wait.name);
    let how = Arc::new(AtomicU8::new(0));
    on(2, |handle| {
        let (waiter, partner) = (wait.make)();
        let signals = Arc::new(Signals::default());
        let of_partner = signals.clone();
        let partner = handle.spawn_on(1 - home, move || partner(&of_partner));
        until(|| signals.ready.load(Ordering::SeqCst));
        let spawn = |limited| {
            let (waiter, signals, how) = (waiter.clone(), signals.clone(), how.clone());
            handle.spawn_on(home, move || wait_once(&waiter, &signals, limited, &how))
        };
        let first = spawn(end == End::TimedOut);
        until(|| signals.waiting.get() == 1);
        fibra::sleep(ms(1));
        match end {
            End::RuntimeEnds => return,
            End::Completed => signals.go.store(true, Ordering::SeqCst),
            End::TimedOut => {}
            End::KilledHere => {
                let kill = || WAITER.take().iter().for_each(Fiber::kill);
                handle.spawn_on(home, kill).join().unwrap();
            }
            End::KilledFromElsewhere => first.kill(),
        }
        let mut first = first;
        let ended = first.join_timeout(LATE).unwrap_or_else(|| panic!("{name}: it hangs"));
        let killed = matches!(end, End::KilledHere | End::KilledFromElsewhere);
        assert_eq!(ended.is_err_and(|error| error.is_killed()), killed, "{name}");
        let expected = match end {
            End::Completed => RETURNED,
            End::TimedOut => OUT_OF_TIME,
            _ => UNWOUND,
        };
        assert_eq!(how.load(Ordering::SeqCst), expected, "{name}");
        if end != End::Completed {
            let second = spawn(false);
            until(|| signals.waiting.get() == 2);
            fibra::sleep(ms(1));
            signals.go.store(true, Ordering::SeqCst);
            let mut second = second;
            let ended = second.join_timeout(LATE);
            assert_eq!(ended, Some(Ok(())), "{name}: the second wait");
        }
        let mut partner = partner;
        assert_eq!(partner.join_timeout(LATE), Some(Ok(())), "{name}: the partner");
    });
    // A lock may come free first, when the runtime kills its holder.
    assert_ne!(how.load(Ordering::SeqCst), 0, "{name}: it was not unwound");
}

#[test]
fn each_wait_for_another_scheduler_ends_in_each_way() {
    std::thread::scope(|s| {
        for home in 0..2 {
            s.spawn(move || {
                for wait in WAITS {
                    ENDS.iter().for_each(|&end| play(wait, end, home));
                }
            });
        }
    });
}
