//! `join!`, `join_all`, `race!` and `race` over futures and handles of fibers, and futures as arms
//! of `select!`.

use std::future::{Future, pending, poll_fn, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;

use fibra::channel;
use fibra::future::{block_on, join, join_all, race, sleep};
use fibra::sync::{Event, Mutex, mpmc};

use crate::support::{Noisy, check, log, ms};

fn quiet() -> fibra::Runtime {
    fibra::Runtime::builder().virtual_clock().build().unwrap()
}

#[test]
fn all_futures_make_progress_at_the_same_time() {
    fibra::run(|| {
        let (sender, receiver) = mpmc::bounded(0);
        let sends = async {
            for n in 0..3 {
                sender.send_async(n).await.unwrap();
            }
            drop(sender);
            "sent"
        };
        let receives = async {
            let mut all = Vec::new();
            while let Ok(n) = receiver.recv_async().await {
                all.push(n);
            }
            all
        };
        // The sender is dropped by its future, which is dropped when it is ready.
        let fiber = fibra::spawn(|| log("fiber"));
        let _ = block_on(join!(ready(1), fiber));
        let mut both = pin!(join!(sends, receives));
        let polled = both.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending() || polled.is_ready());
    });
    check("fiber");
}

#[test]
fn a_join_of_many_polls_only_those_that_were_woken() {
    fibra::run(|| {
        let events: Vec<_> = (0..100).map(|_| Event::new()).collect();
        let polls = Mutex::new(0);
        let waits = events.iter().map(|event| {
            let mut wait = event.wait_async();
            let polls = &polls;
            poll_fn(move |cx| {
                *polls.lock() += 1;
                std::pin::Pin::new(&mut wait).poll(cx)
            })
        });
        let mut all = pin!(join_all(waits));
        fibra::scope(|s| {
            s.spawn(|| block_on(all.as_mut()));
            for event in events.iter().rev() {
                fibra::yield_now();
                event.set();
            }
        });
        assert_eq!(*polls.lock(), 200);
    });
}

#[test]
fn an_empty_join_is_ready() {
    assert!(block_on(join_all(Vec::<std::future::Ready<u8>>::new())).is_empty());
}

#[test]
fn outputs_come_in_the_order_of_the_futures() {
    fibra::run(|| {
        let naps = [30, 10, 20].map(|n| async move {
            sleep(ms(n)).await;
            log(n);
            n
        });
        assert_eq!(block_on(join_all(naps)), [30, 10, 20]);
    });
    check("10 20 30");
}

#[test]
fn the_losers_of_a_race_are_dropped() {
    fibra::run(|| {
        let loser = |name| async move {
            let _noisy = Noisy(name);
            pending::<u8>().await
        };
        let first = block_on(race!(loser("one"), loser("two"), async { 7 }, loser("unpolled")));
        log("raced");
        assert_eq!(first, 7);
        let all = (0..3).map(|n| async move {
            let _noisy = Noisy(n);
            if n == 1 { n } else { pending().await }
        });
        assert_eq!(block_on(race(all)), 1);
    });
    check("one two raced 1 0");
}

#[test]
fn a_fiber_whose_handle_is_awaited_and_dropped_goes_on() {
    quiet().run(|| {
        let fiber = fibra::spawn(|| {
            fibra::sleep(ms(10));
            log("ends");
        });
        let first = block_on(race!(async { fiber.await.is_ok() }, async { false }));
        assert!(!first);
        fibra::sleep(ms(20));
    });
    check("ends");
}

#[test]
fn a_handle_is_awaited_after_the_end_and_on_another_thread() {
    fibra::run(|| {
        let ended = fibra::spawn(|| 1);
        fibra::yield_now();
        assert_eq!(block_on(ended), Ok(1));
        let killed = fibra::spawn(fibra::park);
        killed.kill();
        assert!(block_on(killed).unwrap_err().is_killed());
        let fiber = fibra::spawn(|| {
            fibra::yield_now();
            2
        });
        let future = IntoFuture::into_future(fiber);
        assert_eq!(fibra::blocking(move || block_on(future)), Ok(2));
        let panics = fibra::spawn(|| panic!("in a fiber"));
        assert!(block_on(panics).unwrap_err().is_panic());
    });
}

#[test]
fn a_select_waits_for_futures_and_channels() {
    fibra::run(|| {
        let (sender, receiver) = channel::bounded::<u32>(1);
        let event = Event::new();
        fibra::scope(|s| {
            s.spawn(|| {
                fibra::yield_now();
                event.set();
                fibra::yield_now();
                sender.send(5).unwrap();
            });
            for _ in 0..2 {
                fibra::select! {
                    n = recv(receiver) => log(n.unwrap()),
                    _ = future(async {
                        let _noisy = Noisy("dropped");
                        event.wait_async().await;
                        event.clear();
                    }) => log("event"),
                }
            }
        });
    });
    check("dropped event dropped 5");
}

#[test]
fn a_future_that_uses_the_other_arms_loses_no_wake() {
    fibra::run(|| {
        // The poll sends what the arm before it waits for.
        for biased in [false, true] {
            let (sender, receiver) = channel::bounded(1);
            let polled = poll_fn(|_| {
                let _ = sender.try_send("by the poll");
                Poll::<()>::Pending
            });
            let mut select = fibra::select::Select::new();
            if biased {
                select = select.biased();
            }
            select.add(fibra::select::recv(&receiver), |text| text.unwrap());
            select.add(fibra::select::future(polled), |()| "never");
            log(select.wait());
        }
        // A poll that waits lets others run, which send meanwhile.
        let (sender, receiver) = channel::bounded(1);
        fibra::scope(|s| {
            s.spawn(|| sender.send("meanwhile").unwrap());
            fibra::select! {
                biased;
                text = recv(receiver) => log(text.unwrap()),
                _ = future(poll_fn(|_| {
                    fibra::yield_now();
                    Poll::<()>::Pending
                })) => log("never"),
            }
        });
    });
    check("by the poll by the poll meanwhile");
}

#[test]
fn futures_beside_channels_of_other_threads() {
    fibra::run(|| {
        let (sender, receiver) = mpmc::bounded::<u32>(0);
        let (answers, answered) = mpmc::bounded::<u32>(0);
        let thread = thread::Builder::new()
            .spawn(move || {
                for n in 0..100 {
                    if n % 2 == 0 { sender.send(n).unwrap() } else { answers.send(n).unwrap() }
                }
                (sender, answers) // open until the end
            })
            .unwrap();
        let mut sum = 0;
        for _ in 0..100 {
            fibra::select! {
                n = recv(receiver) => sum += n.unwrap(),
                n = future(answered.recv_async()) => sum += n.unwrap(),
            }
        }
        fibra::blocking(move || drop(thread.join().unwrap()));
        assert_eq!(sum, 4_950);
    });
}

#[test]
fn a_select_over_futures_has_a_default_and_a_time_limit() {
    fibra::run(|| {
        fibra::select! {
            () = future(pending()) => log("never"),
            default => log("default"),
        }
        fibra::select! {
            n = future(ready(1)) => log(n),
            default => log("never"),
        }
        fibra::select! {
            () = future(pending()) => log("never"),
            after(ms(1)) => log("after"),
        }
        let late = fibra::time::timeout(ms(1), || {
            fibra::select! { () = future(pending()) => log("never") }
        });
        assert!(late.is_err());
        let fiber = fibra::spawn(|| {
            fibra::select! {
                () = future(async {
                    let _noisy = Noisy("killed");
                    pending().await
                }) => log("never"),
            }
        });
        fibra::yield_now();
        fiber.kill();
        assert!(fiber.join().unwrap_err().is_killed());
    });
    check("default 1 after killed");
}

#[test]
fn a_wake_during_the_poll_of_another_arm_counts() {
    fibra::run(|| {
        let (one, two) = (Event::new(), Event::new());
        let mut first = one.wait_async();
        let sets = poll_fn(|_| {
            // The first arm was polled already, and is woken now.
            one.set();
            Poll::<()>::Pending
        });
        fibra::select! {
            biased;
            () = future(&mut first) => log("first"),
            () = future(sets) => log("never"),
            wait(two) => log("never"),
        }
    });
    check("first");
}
