//! Crates that need nothing but a waker, or a stream: channels, combinators, codecs, caches.

use std::cell::Cell;
use std::time::Duration;

use fibra::future::{block_on, sleep};
use fibra::net::UnixStream;
use futures::stream::FuturesUnordered;
use futures::{SinkExt, StreamExt};

use crate::{Outcome, with_tokio};

#[test]
fn async_channel_between_fibers() {
    fibra::run(|| {
        let (sender, receiver) = async_channel::bounded(1);
        fibra::spawn(move || (0..10).for_each(|n| block_on(sender.send(n)).unwrap()));
        let mut sum = 0;
        while let Ok(n) = block_on(receiver.recv()) {
            sum += n;
        }
        assert_eq!(sum, 45);
    });
}

#[test]
fn flume_between_fibers() {
    fibra::run(|| {
        let (sender, receiver) = flume::bounded(1);
        fibra::spawn(move || (0..10).for_each(|n| block_on(sender.send_async(n)).unwrap()));
        let mut sum = 0;
        while let Ok(n) = block_on(receiver.recv_async()) {
            sum += n;
        }
        assert_eq!(sum, 45);
    });
}

#[test]
fn tokio_channels_and_select_without_a_runtime() -> Outcome {
    use tokio::sync::{Notify, broadcast, mpsc, watch};
    fibra::run(|| {
        let (orders, mut ordered) = mpsc::channel(1);
        let (news, mut reader) = broadcast::channel(4);
        let (setting, mut changes) = watch::channel(0);
        let notify = std::rc::Rc::new(Notify::new());
        let notifies = notify.clone();
        fibra::spawn(move || {
            block_on(orders.send("order")).unwrap();
            news.send("news").unwrap();
            fibra::yield_now();
            setting.send(1).unwrap();
            notifies.notify_one();
            fibra::park();
        });
        assert_eq!(block_on(ordered.recv()), Some("order"));
        assert_eq!(block_on(reader.recv())?, "news");
        block_on(changes.changed())?;
        assert_eq!(*changes.borrow(), 1);
        block_on(notify.notified());
        let first = block_on(async {
            tokio::select! {
                _ = ordered.recv() => "another order",
                () = sleep(Duration::from_millis(1)) => "the time limit",
            }
        });
        assert_eq!(first, "the time limit");
        Ok(())
    })
}

#[test]
fn tokio_timers_sockets_and_tasks_in_its_runtime() {
    with_tokio(|| {
        block_on(tokio::time::sleep(Duration::from_millis(1)));
        let late = tokio::time::timeout(Duration::from_millis(1), std::future::pending::<()>());
        assert!(block_on(late).is_err());
        assert_eq!(block_on(tokio::spawn(async { 42 })).unwrap(), 42);
    });
}

#[test]
fn futures_combinators() {
    fibra::run(|| {
        let squares = |n: u64| async move {
            sleep(Duration::from_millis(5 - n)).await;
            n * n
        };
        let all = block_on(futures::future::join_all((1..5).map(squares)));
        assert_eq!(all, [1, 4, 9, 16]);
        let first: FuturesUnordered<_> = (1..5).map(squares).collect();
        assert_eq!(block_on(first.collect::<Vec<_>>()).iter().sum::<u64>(), 30);
        let two = futures::stream::iter(1..5).map(squares).buffer_unordered(2);
        assert_eq!(block_on(two.fold(0, async |sum, n| sum + n)), 30);
    });
}

#[test]
fn tokio_stream_of_a_channel() {
    use tokio_stream::wrappers::ReceiverStream;
    fibra::run(|| {
        let (sender, receiver) = tokio::sync::mpsc::channel(2);
        fibra::spawn(move || (0..10).for_each(|n| block_on(sender.send(n)).unwrap()));
        let even = ReceiverStream::new(receiver).filter(|n| std::future::ready(n % 2 == 0));
        assert_eq!(block_on(even.collect::<Vec<_>>()), [0, 2, 4, 6, 8]);
    });
}

#[test]
fn tokio_util_codec_on_a_stream_of_fibra() -> Outcome {
    use tokio_util::codec::{Framed, LinesCodec};
    fibra::run(|| {
        let (stream, other) = UnixStream::pair()?;
        fibra::spawn(move || {
            let mut lines = Framed::new(other, LinesCodec::new());
            while let Some(Ok(line)) = block_on(lines.next()) {
                block_on(lines.send(line.to_uppercase())).unwrap();
            }
        });
        let mut lines = Framed::new(stream, LinesCodec::new());
        block_on(lines.send("hello"))?;
        assert_eq!(block_on(lines.next()).ok_or("it was closed")??, "HELLO");
        Ok(())
    })
}

#[test]
fn async_stream_of_values() {
    fibra::run(|| {
        let mut ticks = std::pin::pin!(async_stream::stream! {
            for n in 0..3 {
                sleep(Duration::from_millis(1)).await;
                yield n;
            }
        });
        let mut seen = vec![];
        while let Some(n) = block_on(ticks.next()) {
            seen.push(n);
        }
        assert_eq!(seen, [0, 1, 2]);
    });
}

#[test]
fn moka_computes_a_value_once() {
    fibra::run(|| {
        let cache = moka::future::Cache::new(100);
        let computed = Cell::new(0);
        fibra::scope(|s| {
            for _ in 0..10 {
                s.spawn(|| {
                    let load = async {
                        computed.set(computed.get() + 1);
                        sleep(Duration::from_millis(1)).await;
                        42
                    };
                    assert_eq!(block_on(cache.get_with("answer", load)), 42);
                });
            }
        });
        assert_eq!(computed.get(), 1);
    });
}

#[test]
fn dashmap_with_entries_that_are_not_held_across_a_wait() {
    fibra::run(|| {
        let counts = dashmap::DashMap::new();
        fibra::scope(|s| {
            for n in 0..10 {
                let counts = &counts;
                s.spawn(move || {
                    *counts.entry(n % 2).or_insert(0) += 1;
                    fibra::yield_now();
                });
            }
        });
        assert_eq!(*counts.get(&0).unwrap(), 5);
    });
}

#[test]
fn backon_retries_with_the_clock_of_the_fibers() {
    use backon::{ExponentialBuilder, Retryable};
    fibra::run(|| {
        let tries = Cell::new(0);
        let fetch = async || {
            tries.set(tries.get() + 1);
            if tries.get() < 3 { Err("not yet") } else { Ok("done") }
        };
        let backoff = ExponentialBuilder::new().with_min_delay(Duration::from_millis(1));
        assert_eq!(block_on(fetch.retry(backoff).sleep(fibra::future::sleep)), Ok("done"));
        assert_eq!(tries.get(), 3);
    });
}

/// A crate with a reactor thread of its own, which wakes the fibers.
#[test]
fn async_net_with_the_reactor_of_smol() -> Outcome {
    use futures::{AsyncReadExt, AsyncWriteExt};
    fibra::run(|| {
        let listener = block_on(async_net::TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        let server = fibra::spawn(move || {
            let (mut stream, _) = block_on(listener.accept())?;
            block_on(stream.write_all(b"hello"))
        });
        let mut stream = block_on(async_net::TcpStream::connect(address))?;
        let mut text = String::new();
        block_on(stream.read_to_string(&mut text))?;
        assert_eq!(text, "hello");
        server.join()??;
        Ok(())
    })
}
