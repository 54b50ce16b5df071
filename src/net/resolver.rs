//! Resolvers, which find the addresses of names, and the look-ups in progress.
//!
//! ```text
//!   fibers that ask for "a"  --\                        __ thread of the pool for names: ask("a")
//!   fibers that ask for "a"  ---> [ "a": look-up ] ----/     answer, for all of them
//! ```
//!
//! Invariants:
//! - A name has at most one look-up in progress. It is in the table from its first request until it
//!   is answered, or abandoned because no fiber waits for it when its turn comes; both happen under
//!   the lock of the table, and so does joining it.
//! - A look-up does not depend on any particular fiber that waits for it: each of them may leave.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::error::Error;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use crate::net::addrs::ToSocketAddrs;
use crate::net::resolve::{LookupHost, resolve_with};
use crate::offload;
use crate::sched::lowlevel::{
    Interrupt, Limit, OnDeadlock, WaitReason, interrupted, locked, try_current_fiber,
};
use crate::sync::{Promise, PromiseError, Promised, promise};

/// The wait reason of a fiber while a thread looks up a name for it.
static LOOKING_UP: WaitReason =
    WaitReason::new("looking up a name", OnDeadlock::Fail).ended_externally();

/// A resolver of names: the one of the system, a function, or a table.
///
/// Look-ups run on threads that the process keeps for them, so that neither a name whose servers do
/// not answer nor a full pool for [`blocking`](fn@crate::blocking) keeps other names from being
/// looked up. A request for a name that is being looked up gets the same answer; answers are not
/// cached beyond that.
///
/// A fiber that is killed, or whose time limit passes, leaves immediately. The look-up continues
/// for others that wait for it; if it has not begun, and no fiber waits for it any more, it is
/// abandoned. On plain threads the function is called directly.
///
/// Clones share their look-ups.
///
/// # Examples
///
/// ```
/// use std::net::Ipv4Addr;
/// use fibra::net::Resolver;
///
/// let hosts = Resolver::fixed([("db.test", Ipv4Addr::new(10, 0, 0, 5).into())]);
/// fibra::run(|| -> std::io::Result<()> {
///     let mut addresses = hosts.lookup_host("db.test:5432")?;
///     assert_eq!(addresses.next(), Some(([10, 0, 0, 5], 5432).into()));
///     assert!(hosts.lookup_host("elsewhere.test:80").is_err());
///     Ok(())
/// })?;
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone)]
pub struct Resolver {
    inner: Arc<Inner>,
}

struct Inner {
    source: Source,
    lookups: Mutex<HashMap<String, Lookup>>,
}

/// The source of the answers. The ports in them are meaningless.
enum Source {
    /// A function that may block.
    Function(Box<Ask>),
    Table(HashMap<String, Vec<SocketAddr>>),
}

type Ask = dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// A look-up in progress.
struct Lookup {
    answer: Promised<Answer>,
    /// Number of fibers that wait for it.
    waiting: usize,
}

type Answer = Result<Vec<SocketAddr>, Arc<io::Error>>;

impl Resolver {
    /// Creates a resolver that calls `f`, on a thread on which that may block.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io;
    /// use std::net::Ipv4Addr;
    /// use fibra::net::Resolver;
    ///
    /// // All names that end in ".localhost" are this machine.
    /// let resolver = Resolver::new(|name| match name.strip_suffix(".localhost") {
    ///     Some(_) => Ok(vec![Ipv4Addr::LOCALHOST.into()]),
    ///     None => Err(io::Error::new(io::ErrorKind::NotFound, "no such host")),
    /// });
    /// fibra::run(|| {
    ///     let found = resolver.lookup_host(("wiki.localhost", 80)).unwrap();
    ///     assert_eq!(found.len(), 1);
    /// });
    /// ```
    #[must_use]
    pub fn new<F>(f: F) -> Resolver
    where
        F: Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static,
    {
        Resolver::asking(move |name| {
            let addrs = f(name)?.into_iter();
            Ok(addrs.map(|ip| SocketAddr::new(ip, 0)).collect())
        })
    }

    /// Returns the resolver of the system (`getaddrinfo`), which uses the sources that the machine
    /// is configured to use: a hosts file, domain name servers or others.
    #[must_use]
    pub fn system() -> Resolver {
        Resolver::of_system().clone()
    }

    /// Creates a resolver that knows the names in `table` and no others; a name may appear there
    /// several times. It needs no thread and never waits, so that tests are deterministic.
    #[must_use]
    pub fn fixed<S: Into<String>>(table: impl IntoIterator<Item = (S, IpAddr)>) -> Resolver {
        let mut hosts: HashMap<String, Vec<SocketAddr>> = HashMap::new();
        for (name, ip) in table {
            hosts.entry(name.into()).or_default().push(SocketAddr::new(ip, 0));
        }
        Resolver::of(Source::Table(hosts))
    }

    /// Looks up the addresses of `host`, like [`lookup_host`](crate::net::lookup_host).
    ///
    /// # Errors
    ///
    /// Returns an error if the text is not an address, and the errors of the resolver.
    #[track_caller]
    pub fn lookup_host(&self, host: impl ToSocketAddrs) -> io::Result<LookupHost> {
        resolve_with(self, &host)
    }

    pub(super) fn of_system() -> &'static Resolver {
        static SYSTEM: OnceLock<Resolver> = OnceLock::new();
        SYSTEM.get_or_init(|| {
            Resolver::asking(|name| match std::net::ToSocketAddrs::to_socket_addrs(&(name, 0)) {
                Ok(addrs) => Ok(addrs.collect()),
                Err(error) => {
                    let text = format!("cannot look up {name}: {error}");
                    Err(io::Error::new(error.kind(), text))
                }
            })
        })
    }

    fn asking<F>(ask: F) -> Resolver
    where
        F: Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    {
        Resolver::of(Source::Function(Box::new(ask)))
    }

    fn of(source: Source) -> Resolver {
        Resolver { inner: Arc::new(Inner { source, lookups: Mutex::new(HashMap::new()) }) }
    }

    /// Waits for the addresses of `name`.
    #[track_caller]
    pub(super) fn ask(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let may_block = matches!(self.inner.source, Source::Function(_));
        let waits = may_block && try_current_fiber().is_some();
        let mut addrs = if waits { self.wait_for(name)? } else { self.inner.source.ask(name)? };
        addrs.iter_mut().for_each(|addr| addr.set_port(port));
        Ok(addrs)
    }

    /// Looks up `name` for a future that no fiber polls: on a thread of the pool. `done` gets the
    /// answer there; if the function panics, it is dropped.
    pub(super) fn ask_for_task(
        &self,
        name: String,
        done: impl FnOnce(io::Result<Vec<SocketAddr>>) + Send + 'static,
    ) -> io::Result<()> {
        let inner = self.inner.clone();
        offload::names().try_spawn(move || done(inner.source.ask(&name)))?.detach();
        Ok(())
    }

    #[track_caller]
    fn wait_for(&self, name: &str) -> io::Result<Vec<SocketAddr>> {
        let answer = self.join(name)?;
        let _waiting = Waiting { inner: &self.inner, name, answer: &answer };
        match answer.wait_because(Limit::None, &LOOKING_UP) {
            Ok(Ok(addrs)) => Ok(addrs.clone()),
            Ok(Err(error)) => Err(io::Error::new(error.kind(), LookupError(error.clone()))),
            Err(PromiseError::Broken) => Err(io::Error::other("the resolver's function panicked")),
            Err(PromiseError::Killed) => Err(interrupted(Interrupt::Killed, &LOOKING_UP)),
            Err(other) => Err(io::Error::other(other)),
        }
    }

    /// Joins the fibers that wait for `name`; the first of them starts the look-up.
    fn join(&self, name: &str) -> io::Result<Promised<Answer>> {
        let mut lookups = self.inner.lookups();
        match lookups.entry(name.to_owned()) {
            Entry::Occupied(mut lookup) => {
                lookup.get_mut().waiting += 1;
                Ok(lookup.get().answer.clone())
            }
            Entry::Vacant(place) => {
                let (promise, answer) = promise();
                let (inner, name) = (self.inner.clone(), name.to_owned());
                offload::names().try_spawn(move || inner.look_up(&name, promise))?.detach();
                place.insert(Lookup { answer: answer.clone(), waiting: 1 });
                Ok(answer)
            }
        }
    }
}

impl Source {
    fn ask(&self, name: &str) -> io::Result<Vec<SocketAddr>> {
        match self {
            Source::Function(ask) => ask(name),
            Source::Table(hosts) => hosts.get(name).cloned().ok_or_else(|| {
                io::Error::new(io::ErrorKind::NotFound, format!("{name} is not in the table"))
            }),
        }
    }
}

impl Inner {
    fn lookups(&self) -> MutexGuard<'_, HashMap<String, Lookup>> {
        locked(&self.lookups)
    }

    /// Looks the name up, on a thread of the pool, and answers all fibers that wait by then. A
    /// panic of the function breaks the promise.
    fn look_up(&self, name: &str, promise: Promise<Answer>) {
        let mut lookups = self.lookups();
        if lookups.get(name).is_none_or(|lookup| lookup.waiting == 0) {
            lookups.remove(name);
            return;
        }
        drop(lookups);
        let answer = panic::catch_unwind(AssertUnwindSafe(|| self.source.ask(name)));
        self.lookups().remove(name);
        match answer {
            Ok(answer) => promise.set(answer.map_err(Arc::new)),
            Err(payload) => panic::resume_unwind(payload),
        }
    }
}

/// The registration of one fiber that waits for the look-up of a name.
struct Waiting<'a> {
    inner: &'a Inner,
    name: &'a str,
    answer: &'a Promised<Answer>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.answer.is_over() {
            return;
        }
        let mut lookups = self.inner.lookups();
        // The table has this look-up; or it was answered just now, and the table may have another
        // one of the same name.
        if let Some(lookup) =
            lookups.get_mut(self.name).filter(|lookup| lookup.answer.is(self.answer))
        {
            lookup.waiting -= 1;
        }
    }
}

/// The error of a look-up, shared by all fibers that waited for it.
#[derive(Clone, Debug)]
struct LookupError(Arc<io::Error>);

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for LookupError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lookups = self.inner.lookups().len();
        f.debug_struct("Resolver").field("lookups", &lookups).finish_non_exhaustive()
    }
}
