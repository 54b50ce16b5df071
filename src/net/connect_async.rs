//! Connecting for `async` code.
//!
//! In a fiber, another fiber connects, with all that a blocking call does: look-ups on a thread,
//! and Happy Eyeballs. Elsewhere names are looked up on a thread, and the addresses are tried one
//! after the other.

use std::future::poll_fn;
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use crate::io::Waitable;
use crate::net::addrs::ToSocketAddrs;
use crate::net::addrs::sealed::Meaning;
use crate::net::connect::{begin, finish, first_to_answer, name_the_address};
use crate::net::resolver::Resolver;
use crate::net::tcp_builder::TcpBuilder;
use crate::net::{TcpStream, resolve};
use crate::sched::api::completion::Completion;
use crate::sched::api::spawn::spawn;
use crate::sched::lowlevel::{locked, try_current_fiber};

impl TcpStream {
    /// Returns a future of a connection to `addr`: [`connect`](TcpStream::connect) for `async`
    /// code.
    ///
    /// Polled by a fiber, it does all that `connect` does, in a fiber of its own, which is killed
    /// if the future is dropped. Polled elsewhere, it tries several addresses one after the other.
    ///
    /// # Errors
    ///
    /// The same as for [`connect`](TcpStream::connect).
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::future::block_on;
    /// use fibra::net::{TcpListener, TcpStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// fibra::run(|| {
    ///     let listener = TcpListener::bind("127.0.0.1:0")?;
    ///     let address = listener.local_addr()?;
    ///     let stream = block_on(TcpStream::connect_async(address))?;
    ///     assert_eq!(stream.peer_addr()?, address);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn connect_async<A: ToSocketAddrs>(addr: A) -> io::Result<TcpStream> {
        TcpStream::builder().connect_async(addr).await
    }
}

impl TcpBuilder {
    /// Returns a future of a connection to `addr`: [`connect`](TcpBuilder::connect) for `async`
    /// code. Like [`TcpStream::connect_async`].
    ///
    /// # Errors
    ///
    /// The same as for [`connect`](TcpBuilder::connect).
    pub async fn connect_async<A: ToSocketAddrs>(&self, addr: A) -> io::Result<TcpStream> {
        let target = Target::of(&addr)?;
        let stream = match self.start_in_fiber(target) {
            Ok(fiber) => match poll_fn(|cx| fiber.poll(cx)).await {
                Ok(connected) => connected,
                Err(error) => Err(io::Error::other(error)),
            },
            Err(target) => self.connect_elsewhere(target).await,
        };
        stream.map(TcpStream::from_nonblocking)
    }

    /// Starts a fiber that connects; outside of fibers, returns the target.
    fn start_in_fiber(
        &self,
        target: Target,
    ) -> Result<Completion<io::Result<std::net::TcpStream>>, Target> {
        let Some(current) = try_current_fiber() else { return Err(target) };
        let builder = self.clone();
        let fiber = spawn(move || first_to_answer(&builder, target.resolve()?));
        Ok(Completion::of(current.sched, fiber))
    }

    async fn connect_elsewhere(&self, target: Target) -> io::Result<std::net::TcpStream> {
        let addrs = match target {
            Target::Addrs(addrs) => addrs,
            Target::Name(name, port) => look_up(name, port).await?,
        };
        let none = "no address to connect to";
        let mut result = Err(io::Error::new(io::ErrorKind::InvalidInput, none));
        for addr in addrs {
            result = self.try_one(addr).await.map_err(|error| name_the_address(error, addr));
            if result.is_ok() {
                break;
            }
        }
        result
    }

    async fn try_one(&self, addr: SocketAddr) -> io::Result<std::net::TcpStream> {
        let socket = Waitable::from_nonblocking(self.stream(addr)?);
        let mut begun = false;
        poll_fn(|cx| {
            socket.poll_write_with(cx, |socket| {
                if mem::replace(&mut begun, true) { finish(socket) } else { begin(socket, addr) }
            })
        })
        .await?;
        Ok(socket.into_inner())
    }
}

/// What to connect to.
enum Target {
    Addrs(Vec<SocketAddr>),
    Name(String, u16),
}

impl Target {
    fn of(addr: &impl ToSocketAddrs) -> io::Result<Target> {
        Ok(match addr.meaning()? {
            Meaning::One(addr) => Target::Addrs(vec![addr]),
            Meaning::Many(addrs) => Target::Addrs(addrs.to_vec()),
            Meaning::Name(name, port) => Target::Name(name.to_owned(), port),
        })
    }

    #[track_caller]
    fn resolve(self) -> io::Result<Vec<SocketAddr>> {
        match self {
            Target::Addrs(addrs) => Ok(addrs),
            Target::Name(name, port) => Ok(resolve::resolve(&(name, port))?.collect()),
        }
    }
}

/// Looks up the addresses of `name` on another thread.
async fn look_up(name: String, port: u16) -> io::Result<Vec<SocketAddr>> {
    let answer = Arc::new(Answer::default());
    let sender = Sender(answer.clone());
    Resolver::of_system().ask_for_task(name, move |found| sender.0.set(found))?;
    let mut addrs = poll_fn(|cx| answer.poll(cx)).await?;
    addrs.iter_mut().for_each(|addr| addr.set_port(port));
    Ok(addrs)
}

type Found = io::Result<Vec<SocketAddr>>;

/// The answer of a look-up, for one task.
#[derive(Default)]
struct Answer(Mutex<(Option<Found>, Option<Waker>)>);

impl Answer {
    /// Stores the first answer, and wakes the task.
    fn set(&self, found: Found) {
        let mut state = locked(&self.0);
        let surplus = match state.0 {
            None => state.0.replace(found),
            Some(_) => Some(found),
        };
        let waker = state.1.take();
        drop(state);
        drop(surplus);
        waker.into_iter().for_each(Waker::wake);
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<Found> {
        let waker = cx.waker().clone();
        let mut state = locked(&self.0);
        match state.0.take() {
            Some(found) => Poll::Ready(found),
            None => {
                let replaced = state.1.replace(waker);
                drop(state);
                drop(replaced);
                Poll::Pending
            }
        }
    }
}

/// The right to answer. If it is dropped without an answer, the function of the resolver has
/// panicked.
struct Sender(Arc<Answer>);

impl Drop for Sender {
    fn drop(&mut self) {
        self.0.set(Err(io::Error::other("the resolver's function panicked")));
    }
}
