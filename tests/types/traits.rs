//! Tests which public types may be sent to and shared with other threads, moved when pinned, and
//! observed after a panic: for each type without parameters, and for each parameter of the others.
//!
//! The letters are: S `Send`, Y `Sync`, P `Unpin`, U `UnwindSafe`, R `RefUnwindSafe`.

use std::cell::Cell;
use std::fmt::Write;
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;

use crate::public::public_types;

/// The traits that a type implements, of those that are tested.
#[derive(Copy, Clone)]
pub(crate) struct Traits {
    send: bool,
    sync: bool,
    unpin: bool,
    unwind_safe: bool,
    ref_unwind_safe: bool,
    pub(crate) error: bool,
    pub(crate) debug: bool,
    clone: bool,
    equal: bool,
    into_io: bool,
}

/// Reads the traits of `T`: an inherent constant, which exists if `T` has the trait, hides the
/// constant of a trait that all types have.
struct Probe<T: ?Sized>(PhantomData<T>);

macro_rules! probes {
    ($($constant:ident of $fallback:ident: $bound:path),+ $(,)?) => {$(
        #[allow(dead_code, reason = "there may be no type without the trait")]
        trait $fallback {
            const $constant: bool = false;
        }
        impl<T: ?Sized> $fallback for Probe<T> {}
        #[allow(dead_code, reason = "read for those types only that have the trait")]
        impl<T: ?Sized + $bound> Probe<T> {
            const $constant: bool = true;
        }
    )+};
}

probes! {
    SEND of NotSend: Send,
    SYNC of NotSync: Sync,
    UNPIN of NotUnpin: Unpin,
    UNWIND_SAFE of NotUnwindSafe: UnwindSafe,
    REF_UNWIND_SAFE of NotRefUnwindSafe: RefUnwindSafe,
    ERROR of NotError: std::error::Error,
    DEBUG of NotDebug: std::fmt::Debug,
    CLONE of NotClone: Clone,
    EQUAL of NotEqual: PartialEq,
    INTO_IO of NotIntoIo: Into<std::io::Error>,
}

macro_rules! traits_of {
    ($t:ty) => {
        Traits {
            send: Probe::<$t>::SEND,
            sync: Probe::<$t>::SYNC,
            unpin: Probe::<$t>::UNPIN,
            unwind_safe: Probe::<$t>::UNWIND_SAFE,
            ref_unwind_safe: Probe::<$t>::REF_UNWIND_SAFE,
            error: Probe::<$t>::ERROR,
            debug: Probe::<$t>::DEBUG,
            clone: Probe::<$t>::CLONE,
            equal: Probe::<$t>::EQUAL,
            into_io: Probe::<$t>::INTO_IO,
        }
    };
}

impl Traits {
    /// Returns C for `Clone`, = for `PartialEq`, I for conversion to an `io::Error`.
    pub(crate) fn error_letters(self) -> String {
        let all = [(self.clone, 'C'), (self.equal, '='), (self.into_io, 'I')];
        all.map(|(has, letter)| if has { letter } else { '-' }).iter().collect()
    }

    pub(crate) fn is_shared(self) -> bool {
        self.send && self.sync
    }

    fn letters(self) -> String {
        let all = [
            (self.send, 'S'),
            (self.sync, 'Y'),
            (self.unpin, 'P'),
            (self.unwind_safe, 'U'),
            (self.ref_unwind_safe, 'R'),
        ];
        all.map(|(has, letter)| if has { letter } else { '-' }).iter().collect()
    }
}

/// One type, or one parameter of a type with fixed types in place of the others.
pub(crate) struct Row {
    pub(crate) path: &'static str,
    parameter: &'static str,
    /// The traits of the type itself, or with `u8`, `Cell<u8>` and `Rc<u8>` for the parameter.
    pub(crate) traits: Vec<Traits>,
}

/// `path` for a type with lifetimes only, `path<T>` for a type whose `T` varies. Where bounds or
/// other parameters prevent that: `path<T> as Type<..>`.
macro_rules! rows {
    ($($first:ident $(:: $segment:ident)* $(<$parameter:ident>)? $(as $t:ty)?;)+) => {
        vec![$(rows!(@row [$first $(:: $segment)*] $([$parameter])? $(as $t)?)),+]
    };
    (@row [$($path:tt)+]) => {
        Row {
            path: path_of(stringify!($($path)+)),
            parameter: "",
            traits: vec![traits_of!(fibra::$($path)+)],
        }
    };
    (@row [$($path:tt)+] as $t:ty) => {
        Row {
            path: path_of(stringify!($($path)+)),
            parameter: "",
            traits: vec![traits_of!($t)],
        }
    };
    (@row [$($path:tt)+] [$parameter:ident]) => {
        rows!(@row [$($path)+] [$parameter] as fibra::$($path)+<$parameter>)
    };
    (@row [$($path:tt)+] [$parameter:ident] as $t:ty) => {{
        type Of<$parameter> = $t;
        Row {
            path: path_of(stringify!($($path)+)),
            parameter: stringify!($parameter),
            traits: vec![traits_of!(Of<u8>), traits_of!(Of<Cell<u8>>), traits_of!(Of<Rc<u8>>)],
        }
    }};
}

/// Removes spaces: `stringify` may put spaces around colons.
fn path_of(path: &'static str) -> &'static str {
    if path.contains(' ') { path.replace(' ', "").leak() } else { path }
}

/// Parameters that stand for one of a few types of this crate.
const MARKERS: &[(&str, &str)] = &[
    ("generator::Generator", "B"),
    ("pool::IntoItems", "O"),
    ("pool::Items", "O"),
    ("pool::Task", "O"),
    ("pool::WorkQueue", "O"),
];

/// A body that carries a `T`.
struct Carries<T>(PhantomData<T>);

impl<T> fibra::http::hyper::body::Body for Carries<T> {
    type Data = std::collections::VecDeque<u8>;
    type Error = std::io::Error;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<fibra::http::hyper::body::Frame<Self::Data>, Self::Error>>>
    {
        std::task::Poll::Ready(None)
    }
}

/// A type with a descriptor that carries a `T`.
#[derive(Debug)]
struct Descriptor<T>(PhantomData<T>);

impl<T> std::os::fd::AsFd for Descriptor<T> {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        unreachable!("it is never made")
    }
}

/// Returns the rows of all public types.
pub(crate) fn rows() -> Vec<Row> {
    rows! {
        Activity;
        Builder;
        Deadlock;
        Descriptor;
        Dump;
        DumpChange;
        DumpDifference;
        Fiber;
        FiberId;
        FiberLocal<T>;
        FiberSnapshot;
        Guest<T>;
        Handle;
        JoinError;
        JoinHandle<T>;
        Killed;
        Panic;
        RemoteHandle<T>;
        Runtime;
        RuntimeBuilder;
        RuntimeDump;
        SchedulerDump;
        SchedulerState;
        Scope as fibra::Scope<'static, 'static>;
        ScopedJoinHandle<T> as fibra::ScopedJoinHandle<'static, T>;
        Spawned;
        StackFrame;
        StackTrace;
        Stats;
        TrySpawnError<F>;
        Unparker;
        WaitsFor;
        blocking::GlobalPoolError;
        blocking::JobFuture<T>;
        blocking::JobHandle<T>;
        blocking::Owned<T>;
        blocking::OwnedBuilder<T>;
        blocking::OwnedError;
        blocking::OwnedPool<T>;
        blocking::OwnedPoolBuilder<T>;
        blocking::OwnedPoolStats;
        blocking::Stats;
        blocking::ThreadPool;
        blocking::ThreadPoolBuilder;
        channel::Channel<T>;
        channel::IntoIter<T>;
        channel::IntoValues<T>;
        channel::Iter<T> as fibra::channel::Iter<'static, T>;
        channel::OneshotReceiver<T>;
        channel::OneshotSender<T>;
        channel::Preference;
        channel::Receiver<T>;
        channel::RecvError;
        channel::RecvTimeoutError;
        channel::SendError<T>;
        channel::SendTimeoutError<T>;
        channel::Sender<T>;
        channel::TryRecvError;
        channel::TrySendError<T>;
        channel::Values<T> as fibra::channel::Values<'static, T>;
        fs::DirEntry;
        fs::File;
        fs::OpenOptions;
        fs::ReadDir;
        fs::TryLockError;
        future::FiberFuture<T>;
        future::Iter<S> as fibra::future::Iter<fibra::sync::mpmc::RecvStream<S>>;
        future::JoinAll<F> as fibra::future::JoinAll<std::future::Ready<F>>;
        future::JoinFuture<T>;
        future::MaybeDone<F> as fibra::future::MaybeDone<std::future::Ready<F>>;
        future::Race<F> as fibra::future::Race<std::future::Ready<F>>;
        future::ScopedJoinFuture<T> as fibra::future::ScopedJoinFuture<'static, T>;
        future::Sleep;
        generator::Borrowed as fibra::generator::Borrowed<'static>;
        generator::CloseError<Y>;
        generator::Generator<Y> as fibra::generator::Generator<Y, u8, u8>;
        generator::Generator<R> as fibra::generator::Generator<u8, R, u8>;
        generator::Generator<T> as fibra::generator::Generator<u8, u8, T>;
        generator::GeneratorBuilder;
        generator::GeneratorExit;
        generator::GeneratorState<Y> as fibra::generator::GeneratorState<Y, u8>;
        generator::GeneratorState<T> as fibra::generator::GeneratorState<u8, T>;
        generator::Owned;
        generator::ResumeError<R>;
        generator::Scope as fibra::generator::Scope<'static, 'static>;
        generator::Yielder<Y> as fibra::generator::Yielder<Y, u8>;
        generator::Yielder<R> as fibra::generator::Yielder<u8, R>;
        greenlet::Elsewhere;
        greenlet::Event;
        greenlet::Families;
        greenlet::Greenlet<V>;
        greenlet::GreenletBuilder;
        greenlet::GreenletExit;
        greenlet::GreenletId;
        greenlet::GreenletLocals;
        greenlet::LocalsError;
        greenlet::ParentError;
        greenlet::RunError;
        greenlet::SwitchError<T>;
        http::BodyReader<B> as fibra::http::BodyReader<Carries<B>>;
        http::BodyWriter;
        http::Client;
        http::ClientBuilder;
        http::Connection<B>;
        http::Error;
        http::FiberExecutor;
        http::FiberTimer;
        http::FileBody;
        http::Files;
        http::Graceful;
        http::Http;
        http::Io<S>;
        http::LimitedBody;
        http::Proxy;
        http::RedirectPolicy;
        http::RequestBody;
        http::RequestBuilder;
        http::Response;
        http::ResponseBody;
        http::StreamBody;
        http::StreamExecutor;
        http::Upgrade;
        http::Upgraded;
        io::Readiness as fibra::io::Readiness<'static>;
        io::Stdin;
        io::StdinLock as fibra::io::StdinLock<'static>;
        io::Waitable<T> as fibra::io::Waitable<Descriptor<T>>;
        net::Incoming as fibra::net::Incoming<'static>;
        net::Keepalive;
        net::LookupHost;
        net::ReadHalf<S>;
        net::Resolver;
        net::ReuniteError<S>;
        net::TcpBuilder;
        net::TcpListener;
        net::TcpStream;
        net::UdpBuilder;
        net::UdpSocket;
        net::UnixDatagram;
        net::UnixIncoming as fibra::net::UnixIncoming<'static>;
        net::UnixListener;
        net::UnixStream;
        net::WriteHalf<S>;
        par::Imap<I> as fibra::par::Imap<I, u8, u8>;
        par::Imap<U> as fibra::par::Imap<u8, U, u8>;
        par::Imap<F> as fibra::par::Imap<u8, u8, F>;
        par::Scope as fibra::par::Scope<'static, 'static>;
        par::ScopedHandle<T> as fibra::par::ScopedHandle<'static, T>;
        pool::AsCompleted<T>;
        pool::DrainError;
        pool::DrainTimeoutError;
        pool::Group<T>;
        pool::Imap<U>;
        pool::ImapUnordered<U>;
        pool::IntoItems<T> as fibra::pool::IntoItems<T, fibra::pool::Oldest>;
        pool::Items<T> as fibra::pool::Items<'static, T, fibra::pool::Oldest>;
        pool::JoinTimeoutError;
        pool::Newest;
        pool::Oldest;
        pool::Outcomes<T> as fibra::pool::Outcomes<'static, T>;
        pool::Permit as fibra::pool::Permit<'static>;
        pool::Pool;
        pool::Ranked<K> as fibra::pool::Ranked<K, u8>;
        pool::Ranked<T> as fibra::pool::Ranked<u8, T>;
        pool::Retry<E> as fibra::pool::Retry<'static, E>;
        pool::RetryError<E>;
        pool::Smallest;
        pool::SpawnTimeoutError<F>;
        pool::Stopped;
        pool::Task<T> as fibra::pool::Task<T, fibra::pool::Oldest>;
        pool::TrySpawnError<F>;
        pool::Backoff as fibra::pool::Backoff<'static>;
        pool::WorkQueue<T> as fibra::pool::WorkQueue<T, fibra::pool::Oldest>;
        process::Child;
        process::ChildStderr;
        process::ChildStdin;
        process::ChildStdout;
        process::Command;
        process::WorkerLost;
        process::WorkerPool;
        select::FutureOp<F> as fibra::select::FutureOp<std::future::Ready<F>>;
        select::JoinOp<T> as fibra::select::JoinOp<'static, T>;
        select::RemoteJoinOp<T> as fibra::select::RemoteJoinOp<'static, T>;
        select::RecvOp<T> as fibra::select::RecvOp<'static, T>;
        select::Select<R> as fibra::select::Select<'static, R>;
        select::SendOp<T> as fibra::select::SendOp<'static, T>;
        select::TimerOp;
        select::WaitOp as fibra::select::WaitOp<'static>;
        server::Drained;
        server::Running;
        server::Server<L>;
        server::Stopping;
        signal::IntoIter;
        signal::Iter as fibra::signal::Iter<'static>;
        signal::OnSignal;
        signal::Signal;
        signal::Signals;
        stackless::AtomicGuard;
        stackless::BlockTrapGuard;
        stackless::Bound<A>;
        stackless::Channel<T>;
        stackless::ChannelError;
        stackless::ChannelEvent as fibra::stackless::ChannelEvent<'static>;
        stackless::ChannelId;
        stackless::ChannelIter<T> as fibra::stackless::ChannelIter<'static, T>;
        stackless::IntoChannelIter<T>;
        stackless::IntoSharedIter<T>;
        stackless::PortableTasklet;
        stackless::RemoteTasklet;
        stackless::Run;
        stackless::SendError<T>;
        stackless::SharedChannel<T>;
        stackless::SharedIter<T> as fibra::stackless::SharedIter<'static, T>;
        stackless::SwitchTrapGuard;
        stackless::Tasklet;
        stackless::TaskletError;
        stackless::TaskletExit;
        stackless::ThreadInfo;
        stackless::WeakTasklet;
        sync::Barrier;
        sync::BarrierWaitResult;
        sync::Condvar;
        sync::Event;
        sync::LazyLock<T> as fibra::sync::LazyLock<T, u8>;
        sync::LazyLock<F> as fibra::sync::LazyLock<u8, F>;
        sync::Mutex<T>;
        sync::MutexGuard<T> as fibra::sync::MutexGuard<'static, T>;
        sync::Once;
        sync::OnceCell<T>;
        sync::OneshotReceiver<T>;
        sync::OneshotSender<T>;
        sync::Permit as fibra::sync::Permit<'static>;
        sync::Promise<T>;
        sync::PromiseError;
        sync::Promised<T>;
        sync::ReentrantMutex<T>;
        sync::ReentrantMutexGuard<T> as fibra::sync::ReentrantMutexGuard<'static, T>;
        sync::RwLock<T>;
        sync::RwLockReadGuard<T> as fibra::sync::RwLockReadGuard<'static, T>;
        sync::RwLockWriteGuard<T> as fibra::sync::RwLockWriteGuard<'static, T>;
        sync::Semaphore;
        sync::TimeoutError;
        sync::WaitGroup;
        sync::WaitTimeoutResult;
        sync::Worker as fibra::sync::Worker<'static>;
        sync::futures::AcquireFuture as fibra::sync::futures::AcquireFuture<'static>;
        sync::futures::BarrierFuture as fibra::sync::futures::BarrierFuture<'static>;
        sync::futures::ConditionFuture<T> as
            fibra::sync::futures::ConditionFuture<'static, 'static, T>;
        sync::futures::EventFuture as fibra::sync::futures::EventFuture<'static>;
        sync::futures::LockFuture<T> as fibra::sync::futures::LockFuture<'static, T>;
        sync::futures::OneshotFuture<T>;
        sync::futures::PromisedFuture<T> as fibra::sync::futures::PromisedFuture<'static, T>;
        sync::futures::ReadFuture<T> as fibra::sync::futures::ReadFuture<'static, T>;
        sync::futures::RecvFuture<T> as fibra::sync::futures::RecvFuture<'static, T>;
        sync::futures::SendFuture<T> as fibra::sync::futures::SendFuture<'static, T>;
        sync::futures::TaskGuard<G> as
            fibra::sync::futures::TaskGuard<fibra::sync::MutexGuard<'static, G>>;
        sync::futures::WaitGroupFuture as fibra::sync::futures::WaitGroupFuture<'static>;
        sync::futures::WriteFuture<T> as fibra::sync::futures::WriteFuture<'static, T>;
        sync::mpmc::IntoValues<T>;
        sync::mpmc::Receiver<T>;
        sync::mpmc::RecvStream<T>;
        sync::mpmc::SendSink<T>;
        sync::mpmc::Sender<T>;
        sync::mpmc::Values<T> as fibra::sync::mpmc::Values<'static, T>;
        time::Elapsed;
        time::Interval;
        time::MissedTick;
        tls::TlsAcceptor;
        tls::TlsConnector;
        tls::TlsStream<S>;
        ureq::Connector;
    }
}

/// Returns one line per row: the letters of the type, or with `u8`, `Cell`, `Rc` for the parameter.
fn table(rows: &[Row]) -> String {
    let mut table = String::new();
    for row in rows {
        let name = match row.parameter {
            "" => row.path.to_string(),
            parameter => format!("{} {parameter}", row.path),
        };
        let letters: Vec<_> = row.traits.iter().map(|traits| traits.letters()).collect();
        writeln!(table, "{name:<34} {}", letters.join(" ")).unwrap();
    }
    table
}

#[test]
fn every_public_type_has_its_row() {
    let rows = rows();
    let missing: Vec<_> = public_types()
        .into_iter()
        .flat_map(|public| {
            let types = public.parameters.into_iter().filter(|name| !name.starts_with('\''));
            let parameters: Vec<_> = types.collect();
            let parameters = if parameters.is_empty() { vec![String::new()] } else { parameters };
            parameters.into_iter().map(move |parameter| (public.path.clone(), parameter))
        })
        .filter(|(path, parameter)| {
            let is_there = |row: &Row| row.path == path && row.parameter == parameter;
            let is_marker = MARKERS.contains(&(path.as_str(), parameter.as_str()));
            !is_marker && !rows.iter().any(is_there)
        })
        .collect();
    assert!(missing.is_empty(), "no row for {missing:#?}");
}

#[test]
fn types_have_the_traits_that_they_should() {
    crate::assert_table(&table(&rows()), include_str!("traits.txt"));
}

#[test]
fn every_public_type_can_be_shown() {
    let rows = rows();
    let mute = rows.iter().filter(|row| !row.traits[0].debug).map(|row| row.path);
    assert_eq!(mute.collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn the_probe_shows_which_traits_a_type_has() {
    let letters = |traits: Traits| traits.letters();
    assert_eq!(letters(traits_of!(u8)), "SYPUR");
    assert_eq!(letters(traits_of!(Cell<u8>)), "S-PU-");
    assert_eq!(letters(traits_of!(Rc<u8>)), "--PUR");
    assert_eq!(letters(traits_of!(&mut u8)), "SYP-R");
    assert_eq!(letters(traits_of!(std::marker::PhantomPinned)), "SY-UR");
    assert_eq!(letters(traits_of!(std::sync::MutexGuard<'static, u8>)), "-YPUR");
}
