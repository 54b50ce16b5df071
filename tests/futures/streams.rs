//! Channels as streams and sinks, and streams as iterators.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use fibra::future::{block_on, iter};
use fibra::sync::mpmc;
use futures_lite::{StreamExt, stream};

use crate::support::{check, log};

fn noop() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

#[test]
fn a_stream_ends_with_the_last_sender() {
    fibra::run(|| {
        let (sender, receiver) = mpmc::bounded(1);
        fibra::spawn(move || (1..=3).for_each(|n| sender.send(n).unwrap()));
        let mut stream = receiver.into_stream();
        block_on(async {
            while let Some(n) = stream.next().await {
                log(n);
            }
        });
        assert_eq!(block_on(stream.next()), None);
    });
    check("1 2 3");
}

#[test]
fn a_stream_is_iterated_in_a_fiber() {
    fibra::run(|| {
        let numbers = stream::iter(1..=3).then(|n| async move {
            fibra::future::sleep(std::time::Duration::from_millis(1)).await;
            n
        });
        assert_eq!(iter(numbers).sum::<u32>(), 6);
    });
}

#[test]
fn a_value_that_a_dropped_stream_was_given_is_received_by_another() {
    let (sender, receiver) = mpmc::bounded(1);
    let mut stream = receiver.clone().into_stream();
    assert!(stream.poll_next(&mut noop()).is_pending());
    sender.send(1).unwrap();
    drop(stream);
    assert_eq!(receiver.try_recv(), Ok(1));
}

#[test]
fn a_sink_has_room_for_one_value_more() {
    use futures_sink::Sink;

    let (sender, receiver) = mpmc::bounded(1);
    let mut sink = sender.into_sink();
    let mut cx = noop();
    for n in 1..=2 {
        assert!(Pin::new(&mut sink).poll_ready(&mut cx).is_ready());
        Pin::new(&mut sink).start_send(n).unwrap();
    }
    assert!(Pin::new(&mut sink).poll_ready(&mut cx).is_pending());
    assert!(Pin::new(&mut sink).poll_close(&mut cx).is_pending());
    assert_eq!(receiver.recv(), Ok(1));
    assert!(matches!(Pin::new(&mut sink).poll_close(&mut cx), Poll::Ready(Ok(()))));
    assert_eq!(receiver.iter().collect::<Vec<_>>(), [2]);
    assert!(Pin::new(&mut sink).start_send(3).unwrap_err().is_closed());

    let (sender, receiver) = mpmc::bounded(0);
    let mut sink = sender.into_sink();
    Pin::new(&mut sink).start_send(1).unwrap();
    assert!(Pin::new(&mut sink).poll_flush(&mut cx).is_pending());
    drop(receiver);
    match Pin::new(&mut sink).poll_flush(&mut cx) {
        Poll::Ready(Err(error)) => assert_eq!(error.into_inner(), 1),
        other => panic!("{other:?}"),
    }
}
