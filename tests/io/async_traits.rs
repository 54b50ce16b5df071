//! The traits of futures-io and tokio on every stream, in fibers and outside of them.

#![allow(clippy::disallowed_methods, reason = "plain threads, with executors of other crates")]

use std::future::poll_fn;
use std::io::{self, IoSlice, Read, Write};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use fibra::future::block_on;
use fibra::io::Waitable;
use fibra::net::UnixStream;
use fibra::process::{Command, Stdio};
use std::os::unix::net::UnixStream as UnixSocket;

use crate::support::net::{fill, kind_of, pair, soon};
use crate::support::tls::tls_pair;

/// Returns a mebibyte in which every shift shows.
fn data() -> Vec<u8> {
    (0..1u32 << 20).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// What both crates can do, by the traits of futures-io.
mod by_futures {
    use futures_lite::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy};

    pub(crate) async fn write(mut to: impl AsyncWrite + Unpin) {
        to.write_all(&super::data()).await.unwrap();
        to.close().await.unwrap();
    }

    pub(crate) async fn read(mut from: impl AsyncRead + Unpin) -> Vec<u8> {
        let mut got = Vec::new();
        from.read_to_end(&mut got).await.unwrap();
        got
    }

    pub(crate) async fn echo(from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
        copy(from, &mut to).await.unwrap();
        to.close().await.unwrap();
    }
}

/// The same, by the traits of tokio.
mod by_tokio {
    use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy};

    pub(crate) async fn write(mut to: impl AsyncWrite + Unpin) {
        to.write_all(&super::data()).await.unwrap();
        to.shutdown().await.unwrap();
    }

    pub(crate) async fn read(mut from: impl AsyncRead + Unpin) -> Vec<u8> {
        let mut got = Vec::new();
        from.read_to_end(&mut got).await.unwrap();
        got
    }

    pub(crate) async fn echo(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
        copy(&mut from, &mut to).await.unwrap();
        to.shutdown().await.unwrap();
    }
}

fn unix_pair() -> (UnixStream, UnixStream) {
    UnixStream::pair().unwrap()
}

fn foreign_pair() -> (Waitable<std::net::TcpStream>, Waitable<std::net::TcpStream>) {
    let (a, b) = pair();
    let wrap = |stream: fibra::net::TcpStream| Waitable::new(stream.into_std().unwrap()).unwrap();
    (wrap(a), wrap(b))
}

/// For each stream and crate: a task writes a mebibyte while another one reads the echo of it; in
/// fibers, and on the threads of tokio.
macro_rules! echoes {
    ($($by:ident { $($name:ident $pair:expr;)* })*) => {$($(
        #[test]
        fn $name() {
            fibra::run(|| soon(|| {
                let (a, b) = $pair;
                let (a, b) = (Rc::new(a), Rc::new(b));
                let writes = a.clone();
                let other = fibra::spawn(move || block_on($by::echo(&*b, &*b)));
                let writer = fibra::spawn(move || block_on($by::write(&*writes)));
                assert!(block_on($by::read(&*a)) == data());
                writer.join().unwrap();
                other.join().unwrap();
            }));

            let (a, b) = fibra::run(|| $pair);
            let (a, b) = (Arc::new(a), Arc::new(b));
            let writes = a.clone();
            let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build();
            threads.unwrap().block_on(async move {
                let other = tokio::spawn(async move { $by::echo(&*b, &*b).await });
                let writer = tokio::spawn(async move { $by::write(&*writes).await });
                assert!($by::read(&*a).await == data());
                writer.await.unwrap();
                other.await.unwrap();
            });
        }
    )*)*};
}

echoes! {
    by_futures {
        tcp_by_the_traits_of_futures pair();
        unix_by_the_traits_of_futures unix_pair();
        a_descriptor_by_the_traits_of_futures socket_pair();
        tls_by_the_traits_of_futures tls_pair();
    }
    by_tokio {
        tcp_by_the_traits_of_tokio pair();
        unix_by_the_traits_of_tokio unix_pair();
        a_descriptor_by_the_traits_of_tokio socket_pair();
        tls_by_the_traits_of_tokio tls_pair();
    }
}

/// Sockets of std, whose end `Waitable` does not know how to signal: dropping the last one does.
fn socket_pair() -> (Ends, Ends) {
    let (a, b) = foreign_pair();
    (Ends(a), Ends(b))
}

/// A foreign socket that signals the end of the stream.
struct Ends(Waitable<std::net::TcpStream>);

macro_rules! ends {
    ($AsyncRead:path, $AsyncWrite:path, $buffer:ty, $read:ty, $close:ident) => {
        impl $AsyncRead for &Ends {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffer: $buffer,
            ) -> Poll<io::Result<$read>> {
                <_ as $AsyncRead>::poll_read(pin!(&self.0), cx, buffer)
            }
        }

        impl $AsyncWrite for &Ends {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                data: &[u8],
            ) -> Poll<io::Result<usize>> {
                <_ as $AsyncWrite>::poll_write(pin!(&self.0), cx, data)
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                <_ as $AsyncWrite>::poll_flush(pin!(&self.0), cx)
            }

            fn $close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                assert!(<_ as $AsyncWrite>::$close(pin!(&self.0), cx).is_ready());
                Poll::Ready(self.0.get_ref().shutdown(std::net::Shutdown::Write))
            }
        }
    };
}

ends!(futures_lite::AsyncRead, futures_lite::AsyncWrite, &mut [u8], usize, poll_close);
ends!(tokio::io::AsyncRead, tokio::io::AsyncWrite, &mut tokio::io::ReadBuf<'_>, (), poll_shutdown);

#[test]
fn the_halves_of_a_stream_have_the_traits_of_both_crates() {
    fibra::run(|| {
        soon(|| {
            let ((a, b), (c, d)) = (pair(), tls_pair());
            let (a, c) = (a.into_split(), c.into_split());
            let echoes = [
                fibra::spawn(move || block_on(by_tokio::echo(&b, &b))),
                fibra::spawn(move || block_on(by_futures::echo(&d, &d))),
            ];
            let writers = [
                fibra::spawn(move || block_on(by_futures::write(a.1))),
                fibra::spawn(move || block_on(by_tokio::write(c.1))),
            ];
            assert!(block_on(by_futures::read(a.0)) == data());
            assert!(block_on(by_tokio::read(c.0)) == data());
            echoes.into_iter().chain(writers).for_each(|fiber| fiber.join().unwrap());
        });
    });
}

#[test]
fn the_pipes_of_a_child_have_the_traits_of_both_crates() {
    let cat = || {
        let mut cat = Command::new("cat");
        cat.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    fibra::run(|| {
        soon(|| {
            let (mut one, mut other) = (cat(), cat());
            let (stdin, stdout) = (one.stdin.take().unwrap(), one.stdout.take().unwrap());
            let writer = fibra::spawn(move || block_on(by_futures::write(stdin)));
            assert!(block_on(by_futures::read(stdout)) == data());
            writer.join().unwrap();
            assert!(block_on(by_tokio::read(one.stderr.take().unwrap())).is_empty());

            let (stdin, stdout) = (other.stdin.take().unwrap(), other.stdout.take().unwrap());
            let writer = fibra::spawn(move || block_on(by_tokio::write(stdin)));
            assert!(block_on(by_tokio::read(&stdout)) == data());
            writer.join().unwrap();
            one.wait().unwrap();
            other.wait().unwrap();
        });
    });
}

#[test]
fn a_descriptor_of_one_direction_has_the_traits_of_that_direction() {
    fibra::run(|| {
        soon(|| {
            for by_tokio in [true, false] {
                let (reader, writer) = io::pipe().unwrap();
                let reader = Waitable::new(reader).unwrap();
                let writer = Waitable::new(writer).unwrap();
                let writer = fibra::spawn(move || match by_tokio {
                    true => block_on(by_tokio::write(writer)),
                    false => block_on(by_futures::write(writer)),
                });
                let got = match by_tokio {
                    true => block_on(by_tokio::read(reader)),
                    false => block_on(by_futures::read(reader)),
                };
                assert!(got == data());
                writer.join().unwrap();
            }
        });
    });
}

#[test]
fn a_plain_thread_waits_for_a_stream_that_a_fiber_writes() {
    let (a, b) = unix_pair();
    let reader = std::thread::spawn(move || futures_lite::future::block_on(by_futures::read(a)));
    fibra::run(|| block_on(by_futures::write(&b)));
    drop(b);
    assert!(reader.join().unwrap() == data());
}

#[test]
fn data_is_copied_in_both_directions_in_one_task() {
    fibra::run(|| {
        soon(|| {
            let ((a, mut b), (mut c, d)) = (pair(), unix_pair());
            let relay = fibra::spawn(move || {
                block_on(async { tokio::io::copy_bidirectional(&mut b, &mut c).await.unwrap() })
            });
            let (a, d) = (Rc::new(a), Rc::new(d));
            let (a2, d2) = (a.clone(), d.clone());
            let writers = [
                fibra::spawn(move || block_on(by_futures::write(&*a2))),
                fibra::spawn(move || block_on(by_tokio::write(&*d2))),
            ];
            let reader = fibra::spawn(move || block_on(by_tokio::read(&*d)));
            assert!(block_on(by_futures::read(&*a)) == data());
            assert!(reader.join().unwrap() == data());
            writers.into_iter().for_each(|fiber| fiber.join().unwrap());
            assert_eq!(relay.join().unwrap(), (1 << 20, 1 << 20));
        });
    });
}

#[test]
fn the_buffered_reader_of_each_crate_reads_lines() {
    use futures_lite::{AsyncBufReadExt, StreamExt};

    fibra::run(|| {
        let (a, mut b) = pair();
        b.write_all(b"one\ntwo\n").unwrap();
        b.shutdown(std::net::Shutdown::Write).unwrap();
        let mut lines = futures_lite::io::BufReader::new(&a).lines();
        let first = block_on(lines.next()).unwrap().unwrap();
        assert_eq!(first, "one");
        assert_eq!(block_on(lines.next()).unwrap().unwrap(), "two");
        (&a).write_all(b"three\n").unwrap();
        let line = block_on(async {
            let mut line = String::new();
            let mut reader = tokio::io::BufReader::new(&b);
            tokio::io::AsyncBufReadExt::read_line(&mut reader, &mut line).await.unwrap();
            line
        });
        assert_eq!(line, "three\n");
    });
}

#[test]
fn several_buffers_are_written_at_once() {
    fibra::run(|| {
        let (a, mut b) = pair();
        let slices = [IoSlice::new(b"one"), IoSlice::new(b""), IoSlice::new(b"two")];
        assert!(tokio::io::AsyncWrite::is_write_vectored(&a));
        let mut writes = &a;
        let mut write = |by_tokio: bool| {
            block_on(poll_fn(|cx| match by_tokio {
                true => {
                    tokio::io::AsyncWrite::poll_write_vectored(Pin::new(&mut writes), cx, &slices)
                }
                false => futures_lite::AsyncWrite::poll_write_vectored(
                    Pin::new(&mut writes),
                    cx,
                    &slices,
                ),
            }))
        };
        assert_eq!((write(true).unwrap(), write(false).unwrap()), (6, 6));
        let mut got = [0; 12];
        b.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"onetwoonetwo");
    });
}

#[test]
fn closing_signals_the_end_and_leaves_the_other_direction_open() {
    fibra::run(|| {
        let ((tcp, tcp2), (tls, tls2)) = (pair(), tls_pair());
        block_on(async {
            futures_lite::AsyncWriteExt::close(&mut &tcp).await.unwrap();
            tokio::io::AsyncWriteExt::shutdown(&mut &tls).await.unwrap();
        });
        assert_eq!((&tcp2).read(&mut [0]).unwrap(), 0);
        assert_eq!((&tls2).read(&mut [0]).unwrap(), 0);
        (&tcp2).write_all(b"!").unwrap();
        (&tls2).write_all(b"!").unwrap();
        let mut byte = [0];
        (&tcp).read_exact(&mut byte).unwrap();
        (&tls).read_exact(&mut byte).unwrap();
        let more = block_on(tokio::io::AsyncWriteExt::write_all(&mut &tcp, b"more"));
        assert_eq!(kind_of(more), io::ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_read_that_is_dropped_loses_no_data() {
    use futures_lite::{AsyncReadExt, FutureExt};

    let read = |stream: &fibra::net::TcpStream| {
        let stream = stream.try_clone().unwrap();
        async move {
            let mut buffer = [0; 8];
            let length = AsyncReadExt::read(&mut &stream, &mut buffer).await.unwrap();
            buffer[..length].to_vec()
        }
    };
    fibra::run(|| {
        let (a, mut b) = pair();
        let mut polled = Box::pin(read(&a));
        block_on(poll_fn(|cx| {
            assert!(polled.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        }));
        b.write_all(b"kept").unwrap();
        drop(polled);
        assert_eq!(block_on(read(&a)), b"kept");

        let nothing = async { Vec::new() };
        assert!(block_on(read(&a).or(nothing)).is_empty());
        b.write_all(b"also").unwrap();
        assert_eq!(block_on(read(&a)), b"also");
    });
}

/// A waker that counts its calls.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Count {
    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Polls a read and a write, each with a new waker after an old one. Returns the counts of the old
/// reader, the reader, the old writer and the writer after both directions have become ready.
fn wakers_that_are_called(pause: impl Fn()) -> [usize; 4] {
    use futures_lite::{AsyncRead, AsyncWrite};

    let (a, b) = unix_pair();
    fill(&a);
    let counts: [Arc<Count>; 4] = std::array::from_fn(|_| Arc::default());
    for (nth, count) in counts.iter().enumerate() {
        let waker = Waker::from(count.clone());
        let cx = &mut Context::from_waker(&waker);
        let is_pending = if nth < 2 {
            Pin::new(&mut &a).poll_read(cx, &mut [0]).is_pending()
        } else {
            Pin::new(&mut &a).poll_write(cx, &[0]).is_pending()
        };
        assert!(is_pending);
    }
    rustix::io::write(&b, b"!").unwrap();
    let mut drained = vec![0; 1 << 20];
    let mut waited = 0;
    while counts[1].get() == 0 || counts[3].get() == 0 {
        let _ = rustix::net::recv(&b, &mut drained[..], rustix::net::RecvFlags::DONTWAIT);
        pause();
        waited += 1;
        assert!(waited < 5000, "{:?}", counts.map(|count| count.get()));
    }
    counts.map(|count| count.get())
}

#[test]
fn the_last_waker_of_each_direction_is_called() {
    let one_each = [0, 1, 0, 1];
    assert_eq!(
        fibra::run(|| wakers_that_are_called(|| fibra::sleep(crate::support::ms(1)))),
        one_each
    );
    assert_eq!(wakers_that_are_called(|| std::thread::sleep(crate::support::ms(1))), one_each);
}

#[test]
fn a_stream_that_is_dropped_wakes_the_tasks_outside_of_fibers() {
    use futures_lite::AsyncRead;

    let (a, _b) = unix_pair();
    let count = Arc::new(Count::default());
    let waker = Waker::from(count.clone());
    assert!(Pin::new(&mut &a).poll_read(&mut Context::from_waker(&waker), &mut [0]).is_pending());
    drop(a);
    assert_eq!(count.get(), 1);
    assert_eq!(Arc::strong_count(&count), 2);
}

#[test]
fn a_fiber_that_is_killed_in_the_middle_loses_nothing_that_arrives_later() {
    fibra::run(|| {
        soon(|| {
            let (a, mut b) = tls_pair();
            let a = Rc::new(a);
            let reads = a.clone();
            let killed = fibra::spawn(move || block_on(by_tokio::read(&*reads)));
            fibra::testing::wait_all_blocked();
            killed.kill();
            assert!(killed.join().unwrap_err().is_killed());
            b.write_all(b"later").unwrap();
            let mut got = [0; 5];
            block_on(tokio::io::AsyncReadExt::read_exact(&mut &*a, &mut got)).unwrap();
            assert_eq!(&got, b"later");
        });
    });
}

#[test]
fn two_handles_of_one_socket_wait_outside_of_fibers() {
    let (a, mut b) = UnixSocket::pair().unwrap();
    a.set_nonblocking(true).unwrap();
    let (one, other) = (Waitable::new(&a).unwrap(), Waitable::new(&a).unwrap());
    std::thread::scope(|threads| {
        let byte = |stream: &Waitable<&UnixSocket>| {
            let mut byte = [0];
            let read = |cx: &mut Context<'_>| {
                stream.poll_read_with(cx, |socket| {
                    let mut socket: &UnixSocket = socket;
                    socket.read(&mut byte)
                })
            };
            assert_eq!(futures_lite::future::block_on(poll_fn(read)).unwrap(), 1);
            byte[0]
        };
        let readers = [&one, &other].map(|stream| threads.spawn(move || byte(stream)));
        std::thread::sleep(crate::support::ms(20));
        b.write_all(&[3, 4]).unwrap();
        let got = readers.map(|reader| reader.join().unwrap());
        assert_eq!(got[0] + got[1], 7);
    });
}

#[test]
fn a_tls_reader_that_sends_an_alert_does_not_take_the_place_of_the_writer() {
    use futures_lite::{AsyncRead, AsyncWrite};

    let pause = || std::thread::sleep(crate::support::ms(1));
    let (a, b) = fibra::run(tls_pair);
    let (writer, reader) = (Arc::new(Count::default()), Arc::new(Count::default()));
    let (writes, reads) = (Waker::from(writer.clone()), Waker::from(reader.clone()));
    let write = || {
        let cx = &mut Context::from_waker(&writes);
        Pin::new(&mut &a).poll_write(cx, &[7; 10_000]).map(Result::unwrap)
    };
    let mut woken = usize::MAX;
    // The buffers of the kernel may grow once they are full.
    while woken != writer.get() {
        woken = writer.get();
        while write().is_ready() {}
        std::thread::sleep(crate::support::ms(50));
        fill(a.get_ref());
    }

    let mut forged = vec![23, 3, 3, 0, 40];
    forged.extend([0; 40]);
    b.get_ref().write_all(&forged).unwrap();
    let read = || {
        let cx = &mut Context::from_waker(&reads);
        Pin::new(&mut &a).poll_read(cx, &mut [0])
    };
    let failed = loop {
        match read() {
            Poll::Ready(read) => break kind_of(read),
            Poll::Pending => pause(),
        }
    };
    assert_eq!(failed, io::ErrorKind::InvalidData);

    // The task that writes does what an executor would let it do.
    if woken != writer.get() {
        assert!(write().is_pending());
        woken = writer.get();
    }
    let received = &mut vec![0; 1 << 20];
    for _ in 0..1000 {
        if writer.get() != woken {
            return;
        }
        let flags = rustix::net::RecvFlags::DONTWAIT;
        let _ = rustix::net::recv(b.get_ref(), &mut received[..], flags);
        pause();
    }
    panic!("the task that writes waits forever");
}

/// Sends a request to a server of hyper over a connection, and returns the body of the answer.
#[cfg(feature = "http")]
async fn exchange<S: fibra::io::PollIo + Unpin>(client: S, server: S) -> String {
    use fibra::http::{Io, hyper};
    use http_body_util::BodyExt;
    use hyper::body::Incoming;
    use hyper::{Request, Response};

    let echo = hyper::service::service_fn(|request: Request<Incoming>| async {
        Ok::<_, hyper::Error>(Response::new(request.into_body()))
    });
    let served = hyper::server::conn::http1::Builder::new().serve_connection(Io::new(server), echo);
    let (mut requests, connection) =
        hyper::client::conn::http1::handshake(Io::new(client)).await.unwrap();
    let answer = async {
        let request = Request::new(String::from("by hyper"));
        let response = requests.send_request(request).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        drop(requests);
        String::from_utf8(body.to_vec()).unwrap()
    };
    let both = futures_lite::future::zip(served, connection);
    let (answer, (served, connection)) = futures_lite::future::zip(answer, both).await;
    served.unwrap();
    connection.unwrap();
    answer
}

#[cfg(feature = "http")]
#[test]
fn hyper_takes_every_stream_in_fibers_and_outside() {
    macro_rules! each {
        ($($pair:expr),*) => {$(
            fibra::run(|| soon(|| {
                let (client, server) = $pair;
                assert_eq!(block_on(exchange(client, server)), "by hyper");
            }));
            let (client, server) = fibra::run(|| $pair);
            let thread = tokio::runtime::Builder::new_current_thread().build().unwrap();
            assert_eq!(thread.block_on(exchange(client, server)), "by hyper");
        )*};
    }
    each!(pair(), unix_pair(), foreign_pair(), tls_pair());
}
