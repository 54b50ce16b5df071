//! Tests loops that never have to wait: an operation that may wait lets timers and other fibers run
//! when it is called over and over, and an operation that never waits keeps the thread.
//!
//! A new operation gets a row in one of the two tables.

use std::cell::{Cell, RefCell};
use std::future::ready;
use std::io::{Read, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

use fibra::channel::{self, Channel};
use fibra::pool::{Group, LifoQueue, Pool};
use fibra::process::Command;
use fibra::signal::{Signal, Signals};
use fibra::sync::{self, mpmc};
use fibra::{fs, future, generator, io, net, stackless, time};

use crate::support::ms;

type Operation = Box<dyn FnMut()>;
type Row = (&'static str, fn() -> Operation);

/// The time that a loop may take on a machine that is busy with other work.
const AT_MOST: Duration = Duration::from_secs(20);

const LONG: Duration = Duration::from_secs(3600);

fn later() -> Instant {
    fibra::now() + LONG
}

/// The progress of a timer and of another fiber beside a loop.
#[derive(Default)]
struct Beside {
    fired: Cell<bool>,
    turns: Cell<u32>,
}

impl Beside {
    fn start() -> Rc<Beside> {
        let beside = Rc::new(Beside::default());
        let (timer, other) = (beside.clone(), beside.clone());
        fibra::spawn(move || {
            fibra::sleep(ms(1));
            timer.fired.set(true);
        })
        .detach();
        fibra::spawn(move || {
            loop {
                fibra::yield_now();
                other.turns.set(other.turns.get() + 1);
            }
        })
        .detach();
        beside
    }

    fn is_enough(&self) -> bool {
        self.fired.get() && 100 <= self.turns.get()
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a limit for the loop that is tested")]
fn an_operation_that_may_wait_starves_no_fiber_in_a_loop() {
    let mut starving = Vec::new();
    for (name, make) in waiting() {
        fibra::run(|| {
            let mut operation = make();
            let (beside, began) = (Beside::start(), Instant::now());
            while !beside.is_enough() && began.elapsed() < AT_MOST {
                for _ in 0..100 {
                    operation();
                }
            }
            if !beside.is_enough() {
                starving.push(name);
            }
        });
    }
    assert!(starving.is_empty(), "these let no other fiber run: {starving:?}");
}

#[test]
fn an_operation_that_never_waits_lets_no_fiber_run_in_a_loop() {
    let mut yielding = Vec::new();
    for (name, make) in never_waiting() {
        fibra::run(|| {
            let mut operation = make();
            fibra::yield_now(); // a full budget
            let beside = Beside::start();
            for _ in 0..1000 {
                operation();
            }
            if beside.turns.get() != 0 {
                yielding.push(name);
            }
        });
    }
    assert!(yielding.is_empty(), "these let others run: {yielding:?}");
}

/// Spawns a fiber that calls `f` over and over.
fn forever(mut f: impl FnMut() + 'static) {
    fibra::spawn(move || {
        loop {
            f();
        }
    })
    .detach();
}

fn waiting() -> Vec<Row> {
    let mut rows = scheduler_rows();
    rows.extend(channel_rows());
    rows.extend(lock_rows());
    rows.extend(sync_rows());
    rows.extend(pool_rows());
    rows.extend(stackless_rows());
    rows.extend(outside_rows());
    rows
}

fn scheduler_rows() -> Vec<Row> {
    vec![
        ("yield_now", || Box::new(fibra::yield_now)),
        ("spawn, join", || Box::new(|| fibra::spawn(|| ()).join().unwrap())),
        ("spawn_now, join", || Box::new(|| fibra::spawn_now(|| ()).join().unwrap())),
        ("spawn_now", || Box::new(|| drop(fibra::spawn_now(|| ())))),
        ("scope", || {
            Box::new(|| {
                fibra::scope(|s| drop(s.spawn_now(|| ())));
            })
        }),
        ("nursery", || {
            Box::new(|| {
                fibra::nursery(|n| drop(n.spawn_now(|| ())));
            })
        }),
        ("park with a token", || {
            Box::new(|| {
                fibra::current().unpark();
                fibra::park();
            })
        }),
        ("park_timeout with a token", || {
            Box::new(|| {
                fibra::current().unpark();
                fibra::park_timeout(LONG);
            })
        }),
        ("park_timeout of nothing", || Box::new(|| fibra::park_timeout(Duration::ZERO))),
        ("park_deadline that has passed", || Box::new(|| fibra::park_deadline(fibra::now()))),
        ("join_timeout of nothing", || {
            let mut parked = fibra::spawn(fibra::park);
            Box::new(move || assert!(parked.join_timeout(Duration::ZERO).is_none()))
        }),
        ("join_deadline that has passed", || {
            let mut parked = fibra::spawn(fibra::park);
            Box::new(move || assert!(parked.join_deadline(fibra::now()).is_none()))
        }),
        ("sleep for nothing", || Box::new(|| fibra::sleep(Duration::ZERO))),
        ("sleep_until a time that is over", || Box::new(|| fibra::sleep_until(fibra::now()))),
        ("timeout of nothing", || {
            Box::new(|| assert!(time::timeout(Duration::ZERO, fibra::park).is_err()))
        }),
        ("interval that is late", || {
            let mut interval = time::interval(Duration::from_nanos(1));
            Box::new(move || assert!(interval.tick() <= later()))
        }),
        ("select!", || {
            let (sender, receiver) = channel::unbounded();
            Box::new(move || {
                sender.send(1).unwrap();
                fibra::select! {
                    value = recv(receiver) => assert_eq!(value.unwrap(), 1),
                    _ = after(LONG) => unreachable!(),
                }
            })
        }),
        ("generator around a yield", || {
            Box::new(|| {
                let mut waits = generator::iter(|y| {
                    fibra::yield_now();
                    y.yield_(1);
                });
                assert_eq!(waits.next(), Some(1));
            })
        }),
    ]
}

fn channel_rows() -> Vec<Row> {
    vec![
        ("Channel::send", || {
            let channel = Channel::new();
            let partner = channel.clone();
            forever(move || partner.recv().unwrap());
            Box::new(move || channel.send(()).unwrap())
        }),
        ("Channel::recv", || {
            let channel = Channel::new();
            let partner = channel.clone();
            forever(move || partner.send(()).unwrap());
            Box::new(move || channel.recv().unwrap())
        }),
        ("Channel::recv of a closed one", || {
            let channel = Channel::<()>::new();
            channel.close();
            Box::new(move || drop(channel.recv().unwrap_err()))
        }),
        ("Channel::send to a closed one", || {
            let channel = Channel::<()>::new();
            channel.close();
            Box::new(move || drop(channel.send(()).unwrap_err()))
        }),
        ("bounded", || {
            let (sender, receiver) = channel::bounded(1);
            Box::new(move || {
                sender.send(()).unwrap();
                receiver.recv().unwrap();
            })
        }),
        ("bounded, with a time limit", || {
            let (sender, receiver) = channel::bounded(1);
            Box::new(move || {
                sender.send_timeout((), LONG).unwrap();
                receiver.recv_timeout(LONG).unwrap();
            })
        }),
        ("unbounded send", || {
            let (sender, receiver) = channel::unbounded();
            Box::new(move || {
                sender.send(()).unwrap();
                let _ = receiver.try_recv();
            })
        }),
        ("unbounded recv", || {
            let (sender, receiver) = channel::unbounded();
            Box::new(move || {
                sender.try_send(()).unwrap();
                receiver.recv().unwrap();
            })
        }),
        ("recv of a closed queue", || {
            let (_, receiver) = channel::unbounded::<()>();
            Box::new(move || drop(receiver.recv().unwrap_err()))
        }),
        ("recv_timeout of nothing", || {
            let (_sender, receiver) = channel::unbounded::<()>();
            Box::new(move || assert!(receiver.recv_timeout(Duration::ZERO).is_err()))
        }),
        ("Channel::send_deadline that has passed", || {
            let channel = Channel::new();
            Box::new(move || assert!(channel.send_deadline(1, fibra::now()).is_err()))
        }),
        ("oneshot recv_deadline that has passed", || {
            let (_sender, mut receiver) = channel::oneshot::<()>();
            Box::new(move || assert!(receiver.recv_deadline(fibra::now()).is_err()))
        }),
        ("oneshot", || {
            Box::new(|| {
                let (sender, receiver) = channel::oneshot();
                sender.send(()).unwrap();
                receiver.recv().unwrap();
            })
        }),
    ]
}

fn lock_rows() -> Vec<Row> {
    vec![
        ("Mutex::lock", || {
            let mutex = sync::Mutex::new(());
            Box::new(move || drop(mutex.lock()))
        }),
        ("Mutex::lock_timeout", || {
            let mutex = sync::Mutex::new(());
            Box::new(move || drop(mutex.lock_timeout(LONG).unwrap()))
        }),
        ("Mutex::lock_deadline", || {
            let (mutex, at) = (sync::Mutex::new(()), later());
            Box::new(move || drop(mutex.lock_deadline(at).unwrap()))
        }),
        ("Mutex::lock_timeout of nothing", || {
            let mutex: &sync::Mutex<()> = Box::leak(Box::default());
            std::mem::forget(mutex.lock());
            Box::new(move || assert!(mutex.lock_timeout(Duration::ZERO).is_err()))
        }),
        ("ReentrantMutex::lock", || {
            let mutex = sync::ReentrantMutex::new(());
            Box::new(move || drop(mutex.lock()))
        }),
        ("ReentrantMutex::lock again", || {
            let mutex: &sync::ReentrantMutex<()> = Box::leak(Box::default());
            std::mem::forget(mutex.lock());
            Box::new(move || drop(mutex.lock()))
        }),
        ("ReentrantMutex::lock_timeout", || {
            let mutex = sync::ReentrantMutex::new(());
            Box::new(move || drop(mutex.lock_timeout(LONG).unwrap()))
        }),
        ("RwLock::read", || {
            let lock = sync::RwLock::new(());
            Box::new(move || drop(lock.read()))
        }),
        ("RwLock::read_timeout", || {
            let lock = sync::RwLock::new(());
            Box::new(move || drop(lock.read_timeout(LONG).unwrap()))
        }),
        ("RwLock::write", || {
            let lock = sync::RwLock::new(());
            Box::new(move || drop(lock.write()))
        }),
        ("RwLock::write_deadline", || {
            let (lock, at) = (sync::RwLock::new(()), later());
            Box::new(move || drop(lock.write_deadline(at).unwrap()))
        }),
        ("Once::call_once", || {
            let once = sync::Once::new();
            Box::new(move || once.call_once(|| ()))
        }),
        ("Once::call_once, each a new one", || Box::new(|| sync::Once::new().call_once(|| ()))),
        ("Once::wait", || {
            let once = sync::Once::new();
            once.call_once(|| ());
            Box::new(move || once.wait())
        }),
        ("OnceCell::get_or_init", || {
            let cell = sync::OnceCell::new();
            Box::new(move || drop(cell.get_or_init(|| 1).to_string()))
        }),
        ("OnceCell::get_or_try_init that fails", || {
            let cell = sync::OnceCell::<u32>::new();
            Box::new(move || assert!(cell.get_or_try_init(|| Err(())).is_err()))
        }),
        ("OnceCell::set", || {
            let cell = sync::OnceCell::new();
            Box::new(move || assert!(cell.set(1).is_ok() || cell.get().is_some()))
        }),
        ("OnceCell::wait", || {
            let cell = sync::OnceCell::from(1);
            Box::new(move || assert_eq!(*cell.wait(), 1))
        }),
    ]
}

fn sync_rows() -> Vec<Row> {
    vec![
        ("Semaphore::acquire", || {
            let semaphore = sync::Semaphore::new(1);
            Box::new(move || drop(semaphore.acquire()))
        }),
        ("Semaphore::acquire_many", || {
            let semaphore = sync::Semaphore::new(2);
            Box::new(move || drop(semaphore.acquire_many(2)))
        }),
        ("Semaphore::acquire_timeout", || {
            let semaphore = sync::Semaphore::new(1);
            Box::new(move || drop(semaphore.acquire_timeout(LONG).unwrap()))
        }),
        ("Semaphore::acquire_many_timeout", || {
            let semaphore = sync::Semaphore::new(1);
            Box::new(move || drop(semaphore.acquire_many_timeout(1, LONG).unwrap()))
        }),
        ("Semaphore::acquire_many_deadline", || {
            let (semaphore, at) = (sync::Semaphore::new(2), later());
            Box::new(move || drop(semaphore.acquire_many_deadline(2, at).unwrap()))
        }),
        ("Semaphore::acquire_deadline", || {
            let (semaphore, at) = (sync::Semaphore::new(1), later());
            Box::new(move || drop(semaphore.acquire_deadline(at).unwrap()))
        }),
        ("Event::wait", || {
            let event = sync::Event::new();
            event.set();
            Box::new(move || event.wait())
        }),
        ("Event::wait_timeout", || {
            let event = sync::Event::new();
            event.set();
            Box::new(move || event.wait_timeout(LONG).unwrap())
        }),
        ("Barrier::wait of one", || {
            let barrier = sync::Barrier::new(1);
            Box::new(move || assert!(barrier.wait().is_leader()))
        }),
        ("Barrier::wait_timeout of one", || {
            let barrier = sync::Barrier::new(1);
            Box::new(move || assert!(barrier.wait_timeout(LONG).unwrap().is_leader()))
        }),
        ("WaitGroup::wait", || {
            let group = sync::WaitGroup::new();
            Box::new(move || group.wait())
        }),
        ("Condvar::wait_while nothing", || {
            let (mutex, condvar) = (sync::Mutex::new(()), sync::Condvar::new());
            Box::new(move || drop(condvar.wait_while(mutex.lock(), |()| false)))
        }),
        ("Condvar::wait_timeout of nothing", || {
            let (mutex, condvar) = (sync::Mutex::new(()), sync::Condvar::new());
            Box::new(move || drop(condvar.wait_timeout(mutex.lock(), Duration::ZERO)))
        }),
        ("promise", || {
            let (promise, promised) = sync::promise();
            promise.set(1);
            Box::new(move || assert_eq!(*promised.wait().unwrap(), 1))
        }),
        ("mpmc", || {
            let (sender, receiver) = mpmc::bounded(1);
            Box::new(move || {
                sender.send(()).unwrap();
                receiver.recv().unwrap();
            })
        }),
        ("mpmc, with a time limit", || {
            let (sender, receiver) = mpmc::unbounded();
            Box::new(move || {
                sender.send_timeout((), LONG).unwrap();
                receiver.recv_timeout(LONG).unwrap();
            })
        }),
        ("mpmc of a closed channel", || {
            let (_, receiver) = mpmc::unbounded::<()>();
            Box::new(move || drop(receiver.recv().unwrap_err()))
        }),
        ("sync::oneshot", || {
            Box::new(|| {
                let (sender, receiver) = sync::oneshot();
                sender.send(()).unwrap();
                receiver.recv().unwrap();
            })
        }),
        ("select! over an event", || {
            let event = sync::Event::new();
            event.set();
            Box::new(move || {
                fibra::select! {
                    () = wait(event) => {}
                    _ = after(LONG) => unreachable!(),
                }
            })
        }),
    ]
}

fn pool_rows() -> Vec<Row> {
    vec![
        ("Pool::spawn", || {
            let pool = Pool::new(1);
            Box::new(move || pool.spawn(|| ()).join().unwrap())
        }),
        ("Pool::reserve", || {
            let pool = Pool::new(1);
            Box::new(move || drop(pool.reserve()))
        }),
        ("Pool::join of an empty pool", || {
            let pool = Pool::new(1);
            Box::new(move || pool.join().unwrap())
        }),
        ("Pool::join_timeout of an empty pool", || {
            let pool = Pool::new(1);
            Box::new(move || pool.join_timeout(LONG).unwrap())
        }),
        ("Pool::join_deadline that has passed", || {
            let pool = Pool::new(1);
            pool.spawn(fibra::park).detach();
            Box::new(move || assert!(pool.join_deadline(fibra::now()).is_err()))
        }),
        ("Pool::apply", || {
            let pool = Pool::new(1);
            Box::new(move || pool.apply(|| ()))
        }),
        ("Pool::map", || {
            let pool = Pool::new(1);
            Box::new(move || drop(pool.map([1], |i| i).unwrap()))
        }),
        ("Pool::map of nothing", || {
            let pool = Pool::new(1);
            Box::new(move || drop(pool.map([0; 0], |i| i).unwrap()))
        }),
        ("Group::next", || {
            let group = Group::new();
            Box::new(move || {
                drop(group.spawn(|| ()));
                assert!(group.next().is_some());
            })
        }),
        ("Group::join of an empty group", || {
            let group = Group::<()>::new();
            Box::new(move || group.join().unwrap())
        }),
        ("Group::join_deadline of an empty group", || {
            let (group, at) = (Group::<()>::new(), later());
            Box::new(move || group.join_deadline(at).unwrap())
        }),
        ("Group::join_timeout of nothing", || {
            let group = Group::new();
            group.spawn(fibra::park);
            Box::new(move || assert!(group.join_timeout(Duration::ZERO).is_err()))
        }),
        ("WorkQueue::wait_drained of an empty queue", || {
            let queue: LifoQueue<()> = LifoQueue::new();
            Box::new(move || queue.wait_drained().unwrap())
        }),
        ("WorkQueue::wait_drained_deadline that has passed", || {
            let queue = LifoQueue::new();
            queue.send(()).unwrap();
            Box::new(move || assert!(queue.wait_drained_deadline(fibra::now()).is_err()))
        }),
        ("WorkQueue::recv_deadline that has passed", || {
            let queue: LifoQueue<()> = LifoQueue::new();
            Box::new(move || assert!(queue.recv_deadline(fibra::now()).is_err()))
        }),
        ("WorkQueue", || {
            let queue: LifoQueue<()> = LifoQueue::new();
            Box::new(move || {
                queue.send(()).unwrap();
                queue.recv().unwrap();
            })
        }),
    ]
}

fn stackless_rows() -> Vec<Row> {
    vec![
        ("stackless::schedule", || Box::new(stackless::schedule)),
        ("SharedChannel::receive_deadline that has passed", || {
            let channel = stackless::SharedChannel::<()>::new();
            Box::new(move || assert!(channel.receive_deadline(fibra::now()).is_err()))
        }),
        ("SharedChannel::send_deadline that has passed", || {
            let channel = stackless::SharedChannel::new();
            Box::new(move || assert!(channel.send_deadline(1, fibra::now()).is_err()))
        }),
        ("stackless::Channel::send", || {
            let channel = stackless::Channel::new();
            let partner = channel.clone();
            forever(move || partner.receive().unwrap());
            Box::new(move || channel.send(()).unwrap())
        }),
        ("stackless::Channel::receive", || {
            let channel = stackless::Channel::new();
            let partner = channel.clone();
            forever(move || partner.send(()).unwrap());
            Box::new(move || channel.receive().unwrap())
        }),
    ]
}

fn outside_rows() -> Vec<Row> {
    vec![
        ("block_on what is ready", || Box::new(|| future::block_on(ready(())))),
        ("block_on a fiber", || Box::new(|| drop(future::block_on(future::spawn(|| ()))))),
        ("block_on a fiber that has ended", || {
            Box::new(|| drop(future::block_on(future::spawn_now(|| ()))))
        }),
        ("fs::File", || {
            let mut file = fs::File::open("/dev/zero").unwrap();
            Box::new(move || assert_eq!(file.read(&mut [0; 8]).unwrap(), 8))
        }),
        ("fs::metadata", || Box::new(|| assert!(fs::metadata("/").unwrap().is_dir()))),
        ("blocking", || Box::new(|| fibra::blocking(|| ()))),
        ("TcpStream", || {
            let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
            let mut near = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (mut far, _) = listener.accept().unwrap();
            Box::new(move || {
                near.write_all(b"x").unwrap();
                far.read_exact(&mut [0]).unwrap();
            })
        }),
        ("UnixDatagram", || {
            let (near, far) = net::UnixDatagram::pair().unwrap();
            Box::new(move || {
                near.send(b"x").unwrap();
                far.recv(&mut [0]).unwrap();
            })
        }),
        ("a stream at its end", || {
            let (mut near, far) = net::UnixStream::pair().unwrap();
            drop(far);
            Box::new(move || assert_eq!(near.read(&mut [0]).unwrap(), 0))
        }),
        ("Signals::recv_deadline that has passed", || {
            let signals = Signals::new(&[Signal::SIGUSR2]).unwrap();
            Box::new(move || assert!(signals.recv_deadline(fibra::now()).is_err()))
        }),
        ("Child::wait_deadline of one that has ended", || {
            let (mut child, at) = (Command::new("true").spawn().unwrap(), later());
            Box::new(move || assert!(child.wait_deadline(at).unwrap().success()))
        }),
        ("Waitable", || {
            let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
            let near = io::Waitable::new(near).unwrap();
            Box::new(move || near.wait_writable().unwrap())
        }),
    ]
}

fn never_waiting() -> Vec<Row> {
    let mut rows = never_waiting_here();
    rows.extend(never_waiting_sync());
    rows
}

fn never_waiting_here() -> Vec<Row> {
    vec![
        ("current", || Box::new(|| drop(fibra::current()))),
        ("now", || Box::new(|| assert!(fibra::now() <= later()))),
        ("checkpoint", || Box::new(fibra::checkpoint)),
        ("shield", || Box::new(|| fibra::shield(|| ()))),
        ("unpark", || Box::new(|| fibra::current().unpark())),
        ("spawn", || Box::new(|| drop(fibra::spawn(|| ())))),
        ("timeout around nothing", || Box::new(|| time::timeout(LONG, || ()).unwrap())),
        ("a generator", || {
            let generator = RefCell::new(generator::iter(|y| {
                loop {
                    y.yield_(1);
                }
            }));
            Box::new(move || assert_eq!(generator.borrow_mut().next(), Some(1)))
        }),
        ("Channel::try_*", || {
            let channel = Channel::new();
            Box::new(move || {
                channel.try_send(()).unwrap_err();
                channel.try_recv().unwrap_err();
                assert_eq!(channel.balance(), 0);
            })
        }),
        ("queues, try_*", || {
            let (sender, receiver) = channel::bounded(1);
            Box::new(move || {
                sender.try_send(()).unwrap();
                sender.try_send(()).unwrap_err();
                assert_eq!(receiver.len(), 1);
                receiver.try_recv().unwrap();
                receiver.try_recv().unwrap_err();
            })
        }),
        ("WorkQueue, try_*", || {
            let queue: LifoQueue<()> = LifoQueue::new();
            Box::new(move || {
                queue.try_send(()).unwrap();
                queue.try_recv().unwrap();
            })
        }),
        ("Pool::available", || {
            let pool = Pool::new(1);
            Box::new(move || assert_eq!(pool.available(), 1))
        }),
        ("dump, stats", || {
            Box::new(|| assert!(fibra::dump().fibers.len() <= fibra::stats().fibers))
        }),
        ("a tasklet's getters", || {
            Box::new(|| {
                let tasklet = stackless::getcurrent();
                assert!(tasklet.is_alive() && tasklet.is_current() && !tasklet.is_blocked());
            })
        }),
    ]
}

fn never_waiting_sync() -> Vec<Row> {
    vec![
        ("Mutex::try_lock", || {
            let mutex = sync::Mutex::new(());
            Box::new(move || {
                let guard = mutex.try_lock().unwrap();
                assert!(mutex.is_locked() && mutex.try_lock().is_none());
                drop(guard);
            })
        }),
        ("ReentrantMutex::try_lock", || {
            let mutex = sync::ReentrantMutex::new(());
            Box::new(move || drop(mutex.try_lock().unwrap()))
        }),
        ("RwLock::try_*", || {
            let lock = sync::RwLock::new(());
            Box::new(move || {
                drop(lock.try_read().unwrap());
                let writer = lock.try_write().unwrap();
                assert!(lock.try_read().is_none());
                drop(writer);
            })
        }),
        ("Semaphore::try_acquire", || {
            let semaphore = sync::Semaphore::new(1);
            Box::new(move || {
                drop(semaphore.try_acquire().unwrap());
                assert_eq!(semaphore.available(), 1);
            })
        }),
        ("Event::set", || {
            let event = sync::Event::new();
            Box::new(move || {
                event.set();
                assert!(event.is_set());
                event.clear();
            })
        }),
        ("Condvar::notify", || {
            let condvar = sync::Condvar::new();
            Box::new(move || {
                condvar.notify_one();
                condvar.notify_all();
            })
        }),
        ("WaitGroup, workers", || {
            let group = sync::WaitGroup::new();
            Box::new(move || {
                drop(group.worker());
                assert_eq!(group.workers(), 0);
            })
        }),
        ("OnceCell::get", || {
            let cell = sync::OnceCell::from(1);
            Box::new(move || assert_eq!(cell.get(), Some(&1)))
        }),
        ("LazyLock that is made", || {
            let lazy = sync::LazyLock::new(|| 1);
            Box::new(move || assert_eq!(*lazy, 1))
        }),
        ("Once::is_completed", || {
            let once = sync::Once::new();
            Box::new(move || assert!(!once.is_completed()))
        }),
        ("Promised::try_get", || {
            let (promise, promised) = sync::promise();
            promise.set(1);
            Box::new(move || assert_eq!(promised.try_get().unwrap(), Some(&1)))
        }),
        ("mpmc, try_*", || {
            let (sender, receiver) = mpmc::bounded(1);
            Box::new(move || {
                sender.try_send(()).unwrap();
                receiver.try_recv().unwrap();
            })
        }),
    ]
}
