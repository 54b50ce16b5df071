//! Waiting until a descriptor is ready, as a future and as an operation of `select!`.
//!
//! Invariant: an operation that is dropped, whether it was done or not, leaves no waker at the
//! descriptor: it is the future.

use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::reactor::poll::FutureId;
use crate::reactor::source::{Direction, Source};
use crate::sched::lowlevel::{
    Arm as LowArm, CurrentFiber, Demands, Done, current_fiber, own_waker,
};
use crate::select::{Arm, Chooser, Operation, sealed};

/// A future that is ready when an operation on a descriptor would not block, returned by
/// [`Waitable::readable`](crate::io::Waitable::readable),
/// [`Waitable::writable`](crate::io::Waitable::writable) and the methods of these names of every
/// socket.
///
/// It moves no data, so dropping it loses none: it can be one of several futures of which the first
/// one wins. Any number of them may wait for the same descriptor, each with a waker of its own.
/// Another reader may be faster after it is ready: the operation itself then waits.
///
/// It is also an [operation](mod@crate::select) that can be waited for together with others:
/// `readable(stream)` in a [`select!`](crate::select!) is `op(stream.readable())`.
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
/// use std::time::Duration;
/// use futures_lite::FutureExt;
/// use fibra::future::{block_on, sleep};
/// use fibra::net::UnixStream;
///
/// # fn main() -> std::io::Result<()> {
/// fibra::run(|| {
///     let (a, mut b) = UnixStream::pair()?;
///     fibra::spawn(move || b.write_all(b"!"));
///     let timer = async {
///         sleep(Duration::from_secs(10)).await;
///         Err(std::io::ErrorKind::TimedOut.into())
///     };
///     block_on(a.readable().or(timer))?;
///     let mut byte = [0];
///     (&a).read_exact(&mut byte)?;
///     assert_eq!(&byte, b"!");
///     Ok(())
/// })
/// # }
/// ```
///
/// A fiber that serves a connection and a channel:
///
/// ```
/// use std::io::{BufRead, BufReader, Read, Write};
/// use fibra::net::UnixStream;
///
/// # fn main() -> std::io::Result<()> {
/// fibra::run(|| {
///     let (mut stream, client) = UnixStream::pair()?;
///     let (news, queue) = fibra::channel::unbounded();
///     let server = fibra::spawn(move || -> std::io::Result<&str> {
///         loop {
///             fibra::select! {
///                 ready = readable(stream) => {
///                     ready?;
///                     if stream.read(&mut [0; 100])? == 0 {
///                         return Ok("the client has left");
///                     }
///                 }
///                 item = recv(queue) => writeln!(stream, "{}", item.unwrap())?,
///             }
///         }
///     });
///     news.send("fibers are cheap").unwrap();
///     let mut line = String::new();
///     BufReader::new(&client).read_line(&mut line)?;
///     assert_eq!(line, "fibers are cheap\n");
///     drop(client);
///     assert_eq!(server.join().unwrap()?, "the client has left");
///     Ok(())
/// })
/// # }
/// ```
#[must_use = "futures do nothing unless they are polled"]
pub struct Readiness<'a> {
    source: &'a Source,
    fd: BorrowedFd<'a>,
    direction: Direction,
    id: FutureId,
    /// Whether a waker of this future may be stored.
    waits: bool,
    /// The output, if it is an operation that is done.
    output: Option<io::Result<()>>,
}

impl<'a> Readiness<'a> {
    pub(super) fn new(source: &'a Source, fd: BorrowedFd<'a>, direction: Direction) -> Self {
        Readiness { source, fd, direction, id: FutureId::new(), waits: false, output: None }
    }
}

impl Future for Readiness<'_> {
    type Output = io::Result<()>;

    /// Returns `Ready` if an operation would not block, or an error if the descriptor cannot be
    /// polled.
    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.waits = true;
        self.source.poll_ready(cx, self.fd, self.direction, self.id)
    }
}

impl sealed::Sealed for Readiness<'_> {}

/// The operation is done when the future is ready. It waits behind all fibers that wait for the
/// descriptor.
impl Operation for Readiness<'_> {
    type Output = io::Result<()>;

    #[inline(always)]
    fn is_polled(&self) -> bool {
        true
    }

    fn try_now(&mut self, _: Chooser) -> Option<io::Result<()>> {
        unreachable!("it is polled")
    }

    fn arm(&mut self) -> Arm<'_> {
        Arm::new(self)
    }

    fn finish(mut self) -> io::Result<()> {
        self.output.take().expect("the descriptor was ready")
    }
}

impl LowArm for Readiness<'_> {
    fn attempt(&mut self, current: CurrentFiber) -> bool {
        if self.output.is_none() {
            let waker = own_waker(current);
            match Pin::new(&mut *self).poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(output) => self.output = Some(output),
                Poll::Pending => {}
            }
        }
        self.output.is_some()
    }

    fn demands(&self) -> Demands {
        Demands::POLLED
    }

    fn done(&self) -> Option<Done> {
        current_fiber().fiber.woken.get().then_some(Done::Changed)
    }
}

impl Drop for Readiness<'_> {
    fn drop(&mut self) {
        if self.waits {
            self.source.forget_future(self.fd, self.direction, self.id);
        }
    }
}

impl fmt::Debug for Readiness<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readiness")
            .field("fd", &self.fd.as_raw_fd())
            .field("direction", &self.direction)
            .finish_non_exhaustive()
    }
}
