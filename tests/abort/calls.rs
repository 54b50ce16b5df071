//! A table of blocking calls that two tests go through: where nothing unwinds, each call is killed,
//! and elsewhere each gets a time limit. Rows of the first column are passed to `kill` and may
//! fail, those of the second column are passed to `wait_on`.
//!
//! Programs include this file, and define these two, `debug` and `say` in their root.

#![allow(clippy::too_many_lines, reason = "tables")]
#![allow(clippy::disallowed_methods, reason = "real time, and threads that sleep")]

use std::cell::RefCell;
use std::io::{BufRead, IoSlice, IoSliceMut, Read, Seek, SeekFrom, Write};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fibra::blocking::{Owned, OwnedPool};
use fibra::channel::{self, Channel};
use fibra::fs::{self, File};
use fibra::http::{BodyReader, Connection, Http, body, hyper};
use fibra::io::Waitable;
use fibra::net::{
    self, Resolver, TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream,
};
use fibra::pool::{self, WorkQueue};
use fibra::process::{self, Command};
use fibra::server::Server;
use fibra::signal::{Signal, Signals};
use fibra::stackless::SharedChannel;
use fibra::sync;
use fibra::tls::{TlsAcceptor, TlsConnector, TlsStream};

use super::{HOUR, LATE, MS, debug, kill, say, wait_on};

/// Goes through all tables.
pub(crate) fn all() {
    let tables: [fn(); 10] = [
        channels,
        locks,
        fibers_and_pools,
        sockets,
        descriptors,
        processes,
        http,
        servers,
        tls,
        files,
    ];
    tables.iter().for_each(|table| table());
}

fn later() -> Instant {
    fibra::now() + HOUR
}

fn channels() {
    kill("Channel::recv", || debug(Channel::<()>::new().recv()));
    kill("Channel::recv_timeout", || debug(Channel::<()>::new().recv_timeout(HOUR)));
    kill("Channel::recv_deadline", || debug(Channel::<()>::new().recv_deadline(later())));
    kill("Channel::send", || debug(Channel::new().send(1)));
    kill("Channel::send_timeout", || debug(Channel::new().send_timeout(1, HOUR)));
    kill("Channel::send_deadline", || debug(Channel::new().send_deadline(1, later())));
    let shared = SharedChannel::<u8>::new();
    let other = shared.clone();
    kill("SharedChannel::receive_deadline", move || debug(other.receive_deadline(later())));
    kill("SharedChannel::send_deadline", move || debug(shared.send_deadline(1, later())));
    let (_sender, mut once) = channel::oneshot::<()>();
    kill("OneshotReceiver::recv_deadline", move || debug(once.recv_deadline(later())));
    let (sender, receiver) = channel::bounded(1);
    sender.send(0).unwrap();
    let full = sender.clone();
    kill("bounded send", move || debug(full.send(1)));
    let full = sender.clone();
    kill("bounded send_timeout", move || debug(full.send_timeout(1, HOUR)));
    let full = sender.clone();
    kill("bounded send_deadline", move || debug(full.send_deadline(1, later())));
    receiver.recv().unwrap();
    let receiver = Rc::new(receiver);
    let empty = receiver.clone();
    kill("bounded recv", move || debug(empty.recv()));
    let empty = receiver.clone();
    kill("bounded recv_deadline", move || debug(empty.recv_deadline(later())));
    kill("bounded recv_timeout", move || debug(receiver.recv_timeout(HOUR)));
    drop(sender);
    let mut senders = Vec::new();
    kill("oneshot recv", move || {
        let (sender, receiver) = channel::oneshot::<()>();
        senders.push(sender);
        debug(receiver.recv())
    });
    let channel = Channel::<()>::new();
    kill("timeout around a wait", move || debug(fibra::time::timeout(HOUR, || channel.recv())));
}

fn locks() {
    let mutex = Arc::new(sync::Mutex::new(()));
    let guard = mutex.lock();
    let other = mutex.clone();
    kill("Mutex::lock_timeout", move || debug(other.lock_timeout(HOUR).map(drop)));
    let condvar = Arc::new(sync::Condvar::new());
    let free = sync::Mutex::new(());
    let other = condvar.clone();
    let waits = move || drop(condvar.wait_timeout(free.lock(), HOUR));
    wait_on("Condvar::wait_timeout", waits, || other.notify_all());
    let other = mutex.clone();
    kill("Mutex::lock_deadline", move || debug(other.lock_deadline(later()).map(drop)));
    let other = mutex.clone();
    wait_on("Mutex::lock", move || drop(other.lock()), || drop(guard));
    let lock = Arc::new(sync::RwLock::new(()));
    let guard = lock.write();
    let other = lock.clone();
    kill("RwLock::read_timeout", move || debug(other.read_timeout(HOUR).map(drop)));
    let other = lock.clone();
    kill("RwLock::write_timeout", move || debug(other.write_timeout(HOUR).map(drop)));
    let other = lock.clone();
    wait_on("RwLock::read", move || drop(other.read()), || drop(guard));
    let lock = Arc::new(sync::ReentrantMutex::new(()));
    let guard = lock.lock();
    let other = lock.clone();
    kill("ReentrantMutex::lock_timeout", move || debug(other.lock_timeout(HOUR).map(drop)));
    let other = lock.clone();
    wait_on("ReentrantMutex::lock", move || drop(other.lock()), || drop(guard));
    let semaphore = Arc::new(sync::Semaphore::new(0));
    let other = semaphore.clone();
    kill("Semaphore::acquire_timeout", move || debug(other.acquire_timeout(HOUR).map(drop)));
    let other = semaphore.clone();
    kill("Semaphore::acquire_many_deadline", move || {
        debug(other.acquire_many_deadline(2, later()).map(drop))
    });
    let other = semaphore.clone();
    wait_on("Semaphore::acquire", move || drop(other.acquire()), || semaphore.add_permits(1));
    let event = Arc::new(sync::Event::new());
    let other = event.clone();
    kill("Event::wait_timeout", move || debug(other.wait_timeout(HOUR)));
    let other = event.clone();
    wait_on("Event::wait", move || other.wait(), || event.set());
    kill("Barrier::wait_timeout", || debug(sync::Barrier::new(2).wait_timeout(HOUR).map(drop)));
    let group = Arc::new(sync::WaitGroup::new());
    group.add(1);
    let other = group.clone();
    kill("WaitGroup::wait_timeout", move || debug(other.wait_timeout(HOUR)));
    let other = group.clone();
    wait_on("WaitGroup::wait", move || other.wait(), || group.done());
    let (promise, promised) = sync::promise::<()>();
    let other = promised.clone();
    kill("Promised::wait", move || debug(other.wait()));
    let other = promised.clone();
    kill("Promised::wait_deadline", move || debug(other.wait_deadline(later())));
    kill("Promised::wait_timeout", move || debug(promised.wait_timeout(HOUR)));
    drop(promise);
    let mut senders = Vec::new();
    kill("sync::oneshot recv", move || {
        let (sender, receiver) = sync::oneshot::<()>();
        senders.push(sender);
        debug(receiver.recv())
    });
    let (sender, receiver) = sync::mpmc::bounded::<u8>(1);
    let (empty, mut held) = (receiver.clone(), Some(sender.clone()));
    kill("mpmc recv", move || debug(empty.recv()));
    let empty = receiver.clone();
    kill("mpmc recv_deadline", move || debug(empty.recv_deadline(later())));
    kill("mpmc recv_timeout", move || debug(receiver.recv_timeout(HOUR)));
    sender.send(1).ok();
    held.take();
    let (sender, receiver) = sync::mpmc::bounded::<u8>(1);
    sender.send(1).unwrap();
    let full = sender.clone();
    kill("mpmc send", move || debug(full.send(2)));
    let full = sender.clone();
    kill("mpmc send_deadline", move || debug(full.send_deadline(2, later())));
    kill("mpmc send_timeout", move || debug(sender.send_timeout(2, HOUR)));
    drop(receiver);
}

fn fibers_and_pools() {
    let mut parked = fibra::spawn(fibra::park);
    let fiber = parked.fiber().clone();
    let mut limited = fibra::spawn(fibra::park);
    let other = limited.fiber().clone();
    kill("JoinHandle::join_timeout", move || debug(limited.join_timeout(HOUR)));
    other.unpark();
    let mut limited = fibra::spawn(fibra::park);
    let other = limited.fiber().clone();
    kill("JoinHandle::join_deadline", move || debug(limited.join_deadline(later())));
    other.unpark();
    kill("JoinHandle::wait", move || debug(parked.wait()));
    fiber.unpark();
    let parked = Rc::new(RefCell::new(None));
    let other = parked.clone();
    let parks = move || {
        *other.borrow_mut() = Some(fibra::current());
        fibra::park();
    };
    wait_on("park", parks, || parked.borrow().iter().for_each(fibra::Fiber::unpark));
    let other = parked.clone();
    let parks = move || {
        *other.borrow_mut() = Some(fibra::current());
        fibra::park_deadline(later());
    };
    wait_on("park_deadline", parks, || parked.borrow().iter().for_each(fibra::Fiber::unpark));
    let pool = pool::Pool::new(1);
    let event = Arc::new(sync::Event::new());
    let waits = event.clone();
    drop(pool.spawn(move || waits.wait()));
    let full = pool.clone();
    kill("Pool::spawn_timeout", move || {
        debug(full.spawn_timeout(HOUR, || ()).map(drop).map_err(drop))
    });
    let full = pool.clone();
    kill("Pool::map", move || debug(full.map([1], |n| n)));
    let full = pool.clone();
    kill("Pool::join_timeout", move || debug(full.join_timeout(HOUR)));
    let full = pool.clone();
    kill("Pool::join_deadline", move || debug(full.join_deadline(later())));
    kill("Pool::join", move || debug(pool.join()));
    event.set();
    let group = pool::Group::<()>::new();
    let event = Arc::new(sync::Event::new());
    let waits = event.clone();
    group.spawn(move || waits.wait());
    let other = group.clone();
    kill("Group::join", move || debug(other.join()));
    let other = group.clone();
    kill("Group::join_timeout", move || debug(other.join_timeout(HOUR)));
    let other = group.clone();
    kill("Group::join_deadline", move || debug(other.join_deadline(later())));
    let waits = event.clone();
    kill("try_join_all", move || {
        let waits = waits.clone();
        debug(pool::try_join_all([fibra::spawn(move || waits.wait())]))
    });
    event.set();
    let queue = Rc::new(WorkQueue::<u8, pool::Oldest>::bounded(1));
    let other = queue.clone();
    kill("WorkQueue::recv", move || debug(other.recv()));
    let other = queue.clone();
    kill("WorkQueue::recv_deadline", move || debug(other.recv_deadline(later())));
    queue.send(1).unwrap();
    let other = queue.clone();
    kill("WorkQueue::send", move || debug(other.send(1)));
    let other = queue.clone();
    kill("WorkQueue::send_deadline", move || debug(other.send_deadline(1, later())));
    let other = queue.clone();
    kill("WorkQueue::wait_drained_timeout", move || debug(other.wait_drained_timeout(HOUR)));
    let other = queue.clone();
    kill("WorkQueue::wait_drained_deadline", move || debug(other.wait_drained_deadline(later())));
    kill("WorkQueue::wait_drained", move || debug(queue.wait_drained().map_err(drop)));
    values_on_threads();
    wait_on("sleep", || fibra::sleep(NAP), || ());
    let nap = || std::thread::sleep(NAP);
    wait_on("blocking", move || fibra::blocking(nap), || ());
    wait_on("uninterruptible", move || fibra::blocking::uninterruptible(nap), || ());
    wait_on("JobHandle::join", move || drop(fibra::blocking::global().spawn(nap).join()), || ());
    wait_on("block_on", || fibra::future::block_on(fibra::future::sleep(NAP)), || ());
    wait_on("scope", || fibra::scope(|s| drop(s.spawn(|| fibra::sleep(NAP)))), || ());
    wait_on("select!", || fibra::select! { after(NAP) => () }, || ());
}

/// The duration of a call that ends by itself. It is long enough that a busy machine kills the
/// fiber, or lets its time limit pass, in the middle of the call.
const NAP: Duration = Duration::from_millis(300);

/// A gate at which calls on other threads wait until it is opened.
struct Gate(Arc<AtomicBool>);

impl Gate {
    fn new() -> Gate {
        Gate(Arc::new(AtomicBool::new(false)))
    }

    fn open(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Returns a job that blocks its thread until the gate is opened.
    fn job(&self) -> impl Fn() + Clone + Send + Sync + 'static {
        let open = self.0.clone();
        move || {
            while !open.load(Ordering::SeqCst) {
                std::thread::sleep(MS);
            }
        }
    }

    /// Returns a call of a value that blocks its thread until the gate is opened.
    fn call(&self) -> impl Fn(&mut ()) + Clone + Send + 'static {
        let job = self.job();
        move |()| job()
    }
}

fn values_on_threads() {
    let (gate, owned) = (Gate::new(), Owned::new(|| ()));
    let (other, call) = (owned.clone(), gate.call());
    kill("Owned::call", move || debug(other.call(call.clone())));
    let (other, call) = (owned.clone(), gate.call());
    kill("Owned::call_timeout", move || debug(other.call_timeout(HOUR, call.clone())));
    let (other, call) = (owned.clone(), gate.call());
    kill("Owned::call_deadline", move || debug(other.call_deadline(later(), call.clone())));
    let pool = OwnedPool::new(1, || std::io::Result::Ok(()));
    let (other, call) = (pool.clone(), gate.call());
    kill("OwnedPool::call", move || debug(other.call(call.clone())));
    let (other, call) = (pool.clone(), gate.call());
    kill("OwnedPool::call_timeout", move || debug(other.call_timeout(HOUR, call.clone())));
    let (other, call) = (pool.clone(), gate.call());
    kill("OwnedPool::call_deadline", move || debug(other.call_deadline(later(), call.clone())));
    gate.open();
    let nap = |_: &mut ()| std::thread::sleep(NAP);
    let other = owned.clone();
    let borrows = move || debug(other.call_uninterruptible(nap));
    wait_on("Owned::call_uninterruptible", move || drop(borrows()), || ());
    let borrows = move || debug(pool.call_uninterruptible(nap));
    wait_on("OwnedPool::call_uninterruptible", move || drop(borrows()), || ());
    let other = owned.clone();
    fibra::spawn(move || drop(other.call(nap))).detach();
    wait_on("Owned::close", move || owned.close(), || ());
    let made = || Owned::new(|| std::thread::sleep(NAP));
    wait_on("Owned::new", move || drop(made()), || ());
}

fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

/// Writes until nothing more fits, without fibra's knowledge.
fn fill(stream: &impl AsFd) {
    while rustix::io::write(stream, &[0; 65_536]).is_ok() {
        // The kernel may move some of it on, after a moment.
        while rustix::io::write(stream, &[0; 65_536]).is_ok() {}
        fibra::sleep(5 * MS);
    }
}

/// Creates a listener whose queue is full, so that it takes in no further connection.
fn full_listener() -> (rustix::fd::OwnedFd, SocketAddr, Vec<std::net::TcpStream>) {
    use rustix::net::{AddressFamily, SocketType, bind, connect, getsockname, listen, socket};
    let listener = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&listener, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    listen(&listener, 0).unwrap();
    let address = SocketAddr::try_from(getsockname(&listener).unwrap()).unwrap();
    let mut clients = Vec::new();
    for _ in 0..4 {
        let client = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        rustix::io::ioctl_fionbio(&client, true).unwrap();
        let _ = connect(&client, &address);
        clients.push(client.into());
    }
    fibra::sleep(5 * MS);
    (listener, address, clients)
}

fn sockets() {
    let (a, b) = tcp_pair();
    let c = a.try_clone().unwrap();
    kill("TcpStream::read", move || debug((&c).read(&mut [0])));
    let c = a.try_clone().unwrap();
    kill("TcpStream::read_vectored", move || {
        debug((&c).read_vectored(&mut [IoSliceMut::new(&mut [0])]))
    });
    let c = a.try_clone().unwrap();
    kill("TcpStream::peek", move || debug(c.peek(&mut [0])));
    let c = a.try_clone().unwrap();
    c.set_read_timeout(Some(HOUR)).unwrap();
    kill("TcpStream::read_exact, with a limit", move || debug((&c).read_exact(&mut [0])));
    fill(&a);
    let c = a.try_clone().unwrap();
    kill("TcpStream::write", move || debug((&c).write(b"!")));
    let c = a.try_clone().unwrap();
    kill("TcpStream::write_vectored", move || debug((&c).write_vectored(&[IoSlice::new(b"!")])));
    kill("wait_writable", move || debug(fibra::io::wait_writable(&a)));
    drop(b);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    kill("wait_readable", move || debug(fibra::io::wait_readable_timeout(&socket, HOUR)));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    kill("TcpListener::accept", move || debug(listener.accept().map(drop)));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    kill("Incoming::next", move || debug(listener.incoming().next().map(|next| next.map(drop))));
    kill("Incoming::flatten", || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        debug(listener.incoming().flatten().count())
    });
    let path = std::env::temp_dir().join(format!("fibra-abort-{}", std::process::id()));
    let listener = UnixListener::bind(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    kill("UnixIncoming::flatten", move || debug(listener.incoming().flatten().count()));
    let (_listener, address, _clients) = full_listener();
    kill("TcpStream::connect", move || debug(TcpStream::connect(address).map(drop)));
    kill("TcpStream::connect_timeout", move || {
        debug(TcpStream::connect_timeout(&address, HOUR).map(drop))
    });
    kill("TcpStream::connect, several", move || {
        debug(TcpStream::connect(&[address, address][..]).map(drop))
    });
    let started = Instant::now();
    let limited =
        fibra::time::timeout(5 * MS, || TcpStream::connect(&[address, address][..]).map(drop));
    let right = started.elapsed() < LATE;
    say(format!("connect, several, in time: {} {limited:?}", if right { "ends" } else { "WRONG" }));

    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let other = socket.try_clone().unwrap();
    kill("UdpSocket::recv_from", move || debug(other.recv_from(&mut [0])));
    kill("UdpSocket::peek_from", move || debug(socket.peek_from(&mut [0])));
    let (a, b) = UnixStream::pair().unwrap();
    let c = b.try_clone().unwrap();
    kill("UnixStream::read", move || debug((&c).read(&mut [0])));
    let c = b.try_clone().unwrap();
    kill("UnixStream::recv_fds", move || debug(c.recv_fds(&mut [0], &mut Vec::new())));
    fill(&a);
    kill("UnixStream::write", move || debug((&a).write(b"!")));
    drop(b);
    let path = temp("listener");
    let listener = UnixListener::bind(&path).unwrap();
    kill("UnixListener::accept", move || debug(listener.accept().map(drop)));
    std::fs::remove_file(&path).unwrap();
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let _first = std::os::unix::net::UnixStream::connect(&path).unwrap();
    let other = path.clone();
    kill("UnixStream::connect", move || debug(UnixStream::connect(&other).map(drop)));
    std::fs::remove_file(&path).unwrap();
    let (a, b) = UnixDatagram::pair().unwrap();
    while rustix::io::write(&a, b"!").is_ok() {}
    kill("UnixDatagram::send", move || debug(a.send(b"!")));
    let (c, _d) = UnixDatagram::pair().unwrap();
    kill("UnixDatagram::recv", move || debug(c.recv(&mut [0])));
    drop(b);
    let gate = Gate::new();
    let blocks = gate.job();
    let slow = Resolver::new(move |_| {
        blocks();
        Ok(Vec::new())
    });
    kill("Resolver::lookup_host", move || debug(slow.lookup_host("slow.test:80").map(drop)));
    gate.open();
    kill("net::lookup_host", || {
        debug(
            net::lookup_host("127.0.0.1:80")
                .and_then(|_| fibra::io::wait_readable(&UdpSocket::bind("127.0.0.1:0")?)),
        )
    });
}

fn descriptors() {
    let (reader, _writer) = std::io::pipe().unwrap();
    let reader = Rc::new(Waitable::new(reader).unwrap());
    let other = reader.clone();
    kill("Waitable::read", move || debug((&*other).read(&mut [0])));
    let other = reader.clone();
    kill("Waitable::read_with", move || debug(other.read_with(|mut pipe| pipe.read(&mut [0]))));
    kill("Waitable::wait_readable", move || debug(reader.wait_readable()));
    let (_reader, writer) = std::io::pipe().unwrap();
    let writer = Waitable::new(writer).unwrap();
    fill(&writer);
    kill("Waitable::write", move || debug((&writer).write(b"!")));
    let (input, _writer) = std::io::pipe().unwrap();
    rustix::stdio::dup2_stdin(&input).unwrap();
    kill("Stdin::read_line", || debug(fibra::io::stdin().read_line(&mut String::new())));
    kill("Stdin::read_to_end", || debug(fibra::io::stdin().read_to_end(&mut Vec::new())));
    kill("StdinLock::read_until", || {
        debug(fibra::io::stdin().lock().read_until(b'!', &mut Vec::new()))
    });
    let holder = fibra::spawn(|| fibra::io::stdin().lock().read_line(&mut String::new()).map(drop));
    fibra::yield_now();
    kill("Stdin::read, of another who reads", || debug(fibra::io::stdin().read(&mut [0])));
    holder.kill();
    drop(holder.join());
    let signals = Signals::new(&[Signal::SIGUSR1]).unwrap();
    kill("Signals::recv", move || debug(signals.recv()));
    let signals = Signals::new(&[Signal::SIGUSR1]).unwrap();
    kill("Signals::recv_deadline", move || debug(signals.recv_deadline(later())));
    kill("signal::ctrl_c", || debug(fibra::signal::ctrl_c()));
}

fn temp(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("fibra-abort-{}-{name}", std::process::id()))
}

/// Makes all threads for files wait for a writer, so that every later operation waits in line.
fn files() {
    let fifo = temp("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    let threads = 16.max(4 * std::thread::available_parallelism().unwrap().get());
    let stuck: Vec<_> = (0..threads)
        .map(|_| {
            let fifo = fifo.clone();
            fibra::spawn(move || drop(fs::read(fifo)))
        })
        .collect();
    fibra::sleep(20 * MS);
    let path = temp("file");
    std::fs::write(&path, "text").unwrap();
    let open = || std::fs::File::options().read(true).write(true).open(&path).unwrap();
    let file = Rc::new(File::from_std(open()));
    // A file whose reads need a thread: the kernel does not report what it has of this one.
    let uncached = if cfg!(target_os = "linux") { Path::new("/proc/self/comm") } else { &path };
    let uncached = Rc::new(File::from_std(std::fs::File::open(uncached).unwrap()));
    type Op = (&'static str, fn(&File, &Path) -> String);
    let ops: &[Op] = &[
        ("File::read", |mut file, _| debug(file.read(&mut [0]))),
        ("File::read, again", |mut file, _| debug(file.read(&mut [0]))),
        ("File::read_exact", |mut file, _| debug(file.read_exact(&mut [0]))),
        ("File::read_to_end", |mut file, _| debug(file.read_to_end(&mut Vec::new()))),
        ("File::read_to_string", |mut file, _| debug(file.read_to_string(&mut String::new()))),
        ("File::write", |mut file, _| debug(file.write(b"!"))),
        ("File::seek", |mut file, _| debug(file.seek(SeekFrom::End(0)))),
        ("File::read_at", |file, _| debug(file.read_at(&mut [0], 0))),
        ("File::write_at", |file, _| debug(file.write_at(b"!", 0))),
        ("File::sync_all", |file, _| debug(file.sync_all())),
        ("File::set_len", |file, _| debug(file.set_len(1))),
        ("File::metadata", |file, _| debug(file.metadata().map(drop))),
        ("File::try_clone", |file, _| debug(file.try_clone().map(drop))),
        ("File::lock", |file, _| debug(file.lock())),
        ("File::try_lock", |file, _| debug(file.try_lock())),
        ("File::open", |_, path| debug(File::open(path).map(drop))),
        ("fs::read", |_, path| debug(fs::read(path))),
        ("fs::read_to_string", |_, path| debug(fs::read_to_string(path))),
        ("fs::write", |_, path| debug(fs::write(path, "text"))),
        ("fs::metadata", |_, path| debug(fs::metadata(path).map(drop))),
        ("fs::exists", |_, path| debug(fs::exists(path))),
        ("fs::copy", |_, path| debug(fs::copy(path, path))),
        ("fs::canonicalize", |_, path| debug(fs::canonicalize(path))),
        ("fs::read_dir", |_, path| debug(fs::read_dir(path).map(drop))),
    ];
    for &(name, op) in ops {
        let file = if name.starts_with("File::read") { &uncached } else { &file };
        let (file, path) = (file.clone(), path.clone());
        kill(name, move || op(&file, &path));
    }
    // A thread that opens it for reading later waits for the next writer.
    while stuck.iter().any(|fiber| !fiber.is_finished()) {
        let release = std::fs::File::options().read(true).write(true).open(&fifo).unwrap();
        fibra::sleep(20 * MS);
        drop(release);
        fibra::sleep(MS);
    }
    stuck.into_iter().for_each(|fiber| fiber.join().unwrap());
    // Another handle holds the lock.
    let holder = open();
    holder.lock().unwrap();
    let (one, two) = (Rc::new(File::from_std(open())), open());
    let other = one.clone();
    kill("File::lock, of another", move || debug(other.lock()));
    kill("File::lock, behind one that waits", move || debug(one.lock()));
    holder.unlock().unwrap();
    drop((holder, two));
    std::fs::remove_file(&path).unwrap();
    std::fs::remove_file(&fifo).unwrap();
}

fn sleeper() -> Command {
    let mut command = Command::new("sleep");
    command.arg("1000").kill_on_drop(true);
    command
}

fn processes() {
    kill("Command::status", || debug(sleeper().status()));
    kill("Command::output", || debug(sleeper().output()));
    let mut child = sleeper().spawn().unwrap();
    kill("Child::wait", move || debug(child.wait()));
    let mut child = sleeper().spawn().unwrap();
    kill("Child::wait_timeout", move || debug(child.wait_timeout(HOUR)));
    let mut child = sleeper().spawn().unwrap();
    kill("Child::wait_deadline", move || debug(child.wait_deadline(later())));
    use std::process::Stdio;
    let mut child = sleeper()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    fill(&stdin);
    kill("ChildStdin::write", move || debug(stdin.write(b"!")));
    kill("ChildStdout::read", move || debug(stdout.read(&mut [0])));
    let pool = Rc::new(process::WorkerPool::new(sleeper(), 1).unwrap());
    let other = pool.clone();
    kill("process::WorkerPool::call", move || debug(other.call(b"!")));
    let other = pool.clone();
    let busy = fibra::spawn(move || other.call(b"!").map(drop));
    fibra::sleep(MS);
    let other = pool.clone();
    kill("process::WorkerPool::call, for a place", move || debug(other.call(b"!")));
    kill("process::WorkerPool::map", move || debug(pool.map([b"!"])));
    busy.kill();
    drop(busy.join());
}

/// Creates a connection whose other end is silent.
fn silent() -> (UnixStream, UnixStream) {
    UnixStream::pair().unwrap()
}

fn request() -> hyper::Request<String> {
    hyper::Request::get("/").header("host", "localhost").body(String::new()).unwrap()
}

fn http() {
    let mut others = Vec::new();
    kill("Http::serve_connection", move || {
        let (stream, other) = silent();
        others.push(other);
        debug(Http::new().serve_connection(stream, |_| hyper::Response::new(String::new())))
    });
    let mut others = Vec::new();
    kill("Http::serve_connection, with a handler that waits", move || {
        let (stream, mut other) = silent();
        other.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\nGET").unwrap();
        others.push(other);
        debug(Http::new().serve_connection(stream, |_| {
            let _ = Channel::<()>::new().recv();
            hyper::Response::new(String::new())
        }))
    });
    let mut others = Vec::new();
    kill("Connection::send", move || {
        let (stream, other) = silent();
        others.push(other);
        debug(Connection::new(stream).unwrap().send(request()).map(drop))
    });
    let (a, _b) = silent();
    let mut client = Connection::new(a).unwrap();
    let started = Instant::now();
    let limited = fibra::time::timeout(5 * MS, || client.send(request()).map(drop));
    let right = started.elapsed() < LATE;
    say(format!("Connection::send, in time: {} {limited:?}", if right { "ends" } else { "WRONG" }));
    let (_writer, reads) = body();
    let mut reader = BodyReader::new(reads);
    kill("BodyReader::read", move || debug(reader.read(&mut [0])));
    let (mut writer, _body) = body();
    kill("BodyWriter::write", move || debug(writer.write_all(&[0; 40_000])));
}

fn servers() {
    let mut server = Some(Server::bind("127.0.0.1:0").unwrap());
    kill("Server::serve", move || {
        let server = server.take().unwrap_or_else(|| Server::bind("127.0.0.1:0").unwrap());
        debug(server.serve(|stream, _| drop((&stream).read(&mut [0]))))
    });
    let server = Server::bind("127.0.0.1:0").unwrap().max_connections(1);
    let address = server.listener().local_addr().unwrap();
    let http = Http::new();
    let running = server.start(move |stream, _| {
        http.serve_connection(stream, |_| hyper::Response::new(String::new()))
    });
    let mut client = Connection::new(TcpStream::connect(address).unwrap()).unwrap();
    client.send(request()).unwrap();
    let started = Instant::now();
    let shut = fibra::spawn(move || running.shutdown(5 * MS));
    while !shut.is_finished() && started.elapsed() < LATE {
        fibra::sleep(MS);
    }
    if !shut.is_finished() {
        return say("shutdown with an idle connection: WRONG, it hangs");
    }
    say(format!("shutdown with an idle connection: {:?}", shut.join().unwrap()));
    match std::net::TcpListener::bind(address) {
        Ok(_) => say("its address is free"),
        Err(error) => say(format!("WRONG, its listener is open: {error}")),
    }
}

fn config() -> Arc<rustls::ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let roots = rustls::RootCertStore::empty();
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

#[derive(Debug)]
struct NoCertificate;

impl rustls::server::ResolvesServerCert for NoCertificate {
    fn resolve(
        &self,
        _: rustls::server::ClientHello<'_>,
    ) -> Option<Arc<rustls::sign::CertifiedKey>> {
        None
    }
}

fn tls() {
    let connector = TlsConnector::from(config());
    let mut ends = Vec::new();
    kill("TlsConnector::connect", move || {
        let (a, b) = silent();
        ends.push(b);
        let result: std::io::Result<TlsStream<_>> =
            connector.connect("localhost".try_into().unwrap(), a);
        debug(result.map(drop))
    });
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let acceptor = TlsAcceptor::from(Arc::new(builder.with_cert_resolver(Arc::new(NoCertificate))));
    let mut ends = Vec::new();
    kill("TlsAcceptor::accept", move || {
        let (a, b) = silent();
        ends.push(b);
        debug(acceptor.accept(a).map(drop))
    });
}
