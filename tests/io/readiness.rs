//! Futures of readiness, of connections and of datagrams, in fibers and outside of them.

#![allow(clippy::disallowed_methods, reason = "plain threads that wait and wake")]

use std::future::{Future, poll_fn};
use std::io::{Read, Write};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use fibra::future::block_on;
use fibra::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};
use futures_lite::FutureExt;

use crate::support::ms;
use crate::support::net::{RefusingAddress, SocketPath, fill, kind_of, soon};

/// Runs `test` in a fiber, and on a plain thread.
fn in_both_worlds(test: impl Fn()) {
    fibra::run(|| soon(&test));
    test();
}

/// Asserts that a future may go to another thread.
fn sendable<F: Future + Send>(future: F) -> F {
    future
}

/// Calls `f` on another thread, after a moment.
fn soon_after<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) {
    std::thread::spawn(move || {
        std::thread::sleep(ms(20));
        f()
    });
}

#[test]
fn a_future_of_readiness_is_ready_when_there_is_data() {
    in_both_worlds(|| {
        let (a, mut b) = UnixStream::pair().unwrap();
        block_on(sendable(a.writable())).unwrap();
        let never = async {
            let polled = poll_fn(|cx| Poll::Ready(pin!(a.readable()).poll(cx).is_ready())).await;
            assert!(!polled);
        };
        block_on(never);
        soon_after(move || {
            b.write_all(b"!").unwrap();
            b
        });
        block_on(a.readable()).unwrap();
        (&a).read_exact(&mut [0]).unwrap();
    });
}

#[test]
fn room_and_the_end_are_readiness_too() {
    in_both_worlds(|| {
        let (a, b) = UnixStream::pair().unwrap();
        fill(&a);
        let b2 = b.try_clone().unwrap();
        soon_after(move || {
            let _ = rustix::io::read(&b2, &mut vec![0; 1 << 20][..]).unwrap();
            b2
        });
        block_on(a.writable()).unwrap();
        b.shutdown(std::net::Shutdown::Write).unwrap();
        block_on(a.readable()).unwrap();
    });
}

#[test]
fn readiness_is_one_of_several_futures() {
    fibra::run(|| {
        let ((a, _a), (b, mut b2)) = (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
        fibra::spawn(move || {
            fibra::sleep(ms(3));
            b2.write_all(b"!").unwrap();
            b2
        });
        let first = async {
            a.readable().await.unwrap();
            "a"
        };
        let second = async {
            b.readable().await.unwrap();
            "b"
        };
        assert_eq!(block_on(first.or(second)), "b");
        let late = async {
            fibra::future::sleep(ms(1)).await;
            "late"
        };
        let first = async {
            a.readable().await.unwrap();
            "a"
        };
        assert_eq!(block_on(first.or(late)), "late");
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

#[test]
fn each_future_of_readiness_has_its_own_waker_and_takes_it_along() {
    in_both_worlds(|| {
        let (a, mut b) = UnixStream::pair().unwrap();
        let counts: [Arc<Count>; 3] = std::array::from_fn(|_| Arc::default());
        let mut futures: Vec<_> = counts.iter().map(|_| Box::pin(a.readable())).collect();
        for (future, count) in futures.iter_mut().zip(&counts) {
            let waker = Waker::from(count.clone());
            assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        drop(futures.remove(0));
        assert_eq!(Arc::strong_count(&counts[0]), 1, "its waker is gone");
        b.write_all(b"!").unwrap();
        let called = || counts.each_ref().map(|count| count.0.load(Ordering::SeqCst));
        for _ in 0..5000 {
            if called() == [0, 1, 1] {
                return;
            }
            if fibra::in_fiber() { fibra::sleep(ms(1)) } else { std::thread::sleep(ms(1)) }
        }
        panic!("{:?}", called());
    });
}

#[test]
fn wakers_of_futures_that_are_dropped_do_not_pile_up() {
    in_both_worlds(|| {
        let (a, _b) = UnixStream::pair().unwrap();
        let count = Arc::new(Count::default());
        for _ in 0..1000 {
            let waker = Waker::from(count.clone());
            let mut future = pin!(a.readable());
            assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        assert_eq!(Arc::strong_count(&count), 1);
    });
}

#[test]
fn a_future_connects_and_a_future_accepts() {
    in_both_worlds(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        for target in ["localhost", "127.0.0.1"] {
            let both = async {
                let connect = TcpStream::connect_async((target, port));
                let accept = listener.accept_async();
                futures_lite::future::zip(sendable(connect), sendable(accept)).await
            };
            let (client, server) = block_on(both);
            assert_eq!(client.unwrap().local_addr().unwrap(), server.unwrap().1);
        }
        let refusing = RefusingAddress::new();
        let refused = block_on(TcpStream::connect_async(refusing.address));
        let text = refused.as_ref().unwrap_err().to_string();
        assert!(text.starts_with(&format!("cannot connect to {}", refusing.address)), "{text}");
        assert_eq!(kind_of(refused), std::io::ErrorKind::ConnectionRefused);
        assert!(block_on(TcpStream::connect_async("no port")).is_err());
    });
}

#[test]
fn an_accept_that_is_dropped_loses_no_connection() {
    in_both_worlds(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        {
            let mut accept = pin!(listener.accept_async());
            block_on(poll_fn(|cx| {
                assert!(accept.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            }));
        }
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (_server, peer) = block_on(listener.accept_async()).unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
    });
}

#[test]
fn a_future_connects_to_a_unix_socket_also_when_its_queue_is_full() {
    in_both_worlds(|| {
        let path = SocketPath::new();
        let listener = UnixListener::bind(&path.0).unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let clients = async {
            let mut clients = Vec::new();
            for _ in 0..3 {
                clients.push(sendable(UnixStream::connect_async(&path.0)).await.unwrap());
            }
            clients
        };
        let servers = async {
            let mut servers = Vec::new();
            for _ in 0..3 {
                servers.push(listener.accept_async().await.unwrap());
            }
            servers
        };
        let (clients, servers) = block_on(futures_lite::future::zip(clients, servers));
        assert_eq!((clients.len(), servers.len()), (3, 3));
        assert!(block_on(UnixStream::connect_async("/no such/socket")).is_err());
    });
}

#[test]
fn futures_send_and_receive_datagrams() {
    in_both_worlds(|| {
        let (a, b) =
            (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        b.connect(a.local_addr().unwrap()).unwrap();
        a.connect(b.local_addr().unwrap()).unwrap();
        let mut buffer = [0; 16];
        block_on(async {
            let late = async {
                let addr = b.local_addr().unwrap();
                assert_eq!(a.send_to_async(b"one", addr).await.unwrap(), 3);
                assert_eq!(a.send_async(b"two").await.unwrap(), 3);
            };
            let received = async {
                let (length, from) = b.recv_from_async(&mut buffer).await.unwrap();
                assert_eq!((length, from), (3, a.local_addr().unwrap()));
                assert_eq!(b.recv_async(&mut buffer).await.unwrap(), 3);
            };
            futures_lite::future::zip(sendable(received), sendable(late)).await;
        });
        assert_eq!(&buffer[..3], b"two");
    });
}

#[test]
fn futures_wait_for_room_in_the_queue_of_another_unix_datagram_socket() {
    in_both_worlds(|| {
        let path = SocketPath::new();
        let (a, b) = (UnixDatagram::unbound().unwrap(), UnixDatagram::bind(&path.0).unwrap());
        const MESSAGES: usize = 3000;
        let sends = async {
            for _ in 0..MESSAGES {
                assert_eq!(a.send_to_async(b"message", &path.0).await.unwrap(), 7);
            }
        };
        let receives = async {
            for _ in 0..MESSAGES {
                let (length, _) = b.recv_from_async(&mut [0; 16]).await.unwrap();
                assert_eq!(length, 7);
            }
        };
        block_on(futures_lite::future::zip(sendable(sends), sendable(receives)));
        let (c, d) = UnixDatagram::pair().unwrap();
        let sends = async {
            for _ in 0..MESSAGES {
                c.send_async(b"message").await.unwrap();
            }
        };
        let receives = async {
            for _ in 0..MESSAGES {
                assert_eq!(d.recv_async(&mut [0; 16]).await.unwrap(), 7);
            }
        };
        block_on(futures_lite::future::zip(sends, receives));
    });
}

#[test]
fn a_connection_whose_future_is_dropped_is_given_up() {
    fibra::run(|| {
        // The queue of this listener is full, so a connection is not answered.
        let listener = TcpListener::builder().backlog(0).bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let _first = TcpStream::connect(address).unwrap();
        let before = fibra::stats();
        let late = async {
            fibra::future::sleep(Duration::from_millis(30)).await;
            None
        };
        let connected = async { Some(TcpStream::connect_async(address).await) };
        assert!(block_on(connected.or(late)).is_none());
        fibra::testing::wait_all_blocked();
        assert_eq!(fibra::stats().fibers, before.fibers);
    });
}
