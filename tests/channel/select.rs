//! `select!` does exactly one of several operations, fairly and in order.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use fibra::channel::{self, Channel, Preference, RecvError, SendError};
use fibra::select::Select;
use fibra::{JoinError, select};

fn virtual_run<T>(f: impl FnOnce() -> T) -> T {
    fibra::Runtime::builder().virtual_clock().build().unwrap().run(f)
}

const MS: Duration = Duration::from_millis(1);

#[test]
fn what_is_ready_is_done_without_waiting() {
    virtual_run(|| {
        let (sender, receiver) = channel::bounded(1);
        let empty = Channel::<u32>::new();
        sender.send(5).unwrap();
        let got = select! {
            value = recv(empty) => value.unwrap() + 100,
            value = recv(receiver) => value.unwrap(),
        };
        assert_eq!(got, 5);
        assert_eq!(empty.balance(), 0);
    });
}

#[test]
fn a_waiting_select_is_served_like_any_waiter_and_leaves_the_other_queues_immediately() {
    virtual_run(|| {
        let (a, b) = (Channel::<u32>::new(), Channel::<u32>::new());
        let (a2, b2) = (a.clone(), b.clone());
        let chooser = fibra::spawn(move || {
            select! {
                value = recv(a2) => ("a", value.unwrap()),
                value = recv(b2) => ("b", value.unwrap()),
            }
        });
        fibra::yield_now();
        assert_eq!((a.balance(), b.balance()), (-1, -1));
        b.set_preference(Preference::Neither);
        b.send(7).unwrap();
        // The chooser has not run yet, but no other operation can serve it any more.
        assert_eq!((a.balance(), b.balance()), (0, 0));
        assert!(a.try_send(8).is_err());
        assert_eq!(chooser.join().unwrap(), ("b", 7));
    });
}

#[test]
fn sends_and_receives_may_stand_side_by_side() {
    virtual_run(|| {
        let (full, full_end) = channel::bounded::<&str>(1);
        let numbers = Channel::<u32>::new();
        full.send("first").unwrap();
        let wants = numbers.clone();
        let consumer = fibra::spawn(move || {
            fibra::sleep(MS);
            wants.recv().unwrap()
        });
        let done = select! {
            sent = send(full, "second") => { sent.unwrap(); "queue" }
            sent = send(numbers, 9) => { sent.unwrap(); "rendezvous" }
        };
        assert_eq!((done, consumer.join().unwrap()), ("rendezvous", 9));
        // The send that was not chosen has left nothing behind.
        assert_eq!((full_end.recv().unwrap(), full_end.len()), ("first", 0));
    });
}

#[test]
fn closed_ends_count_as_ready() {
    virtual_run(|| {
        let (sender, receiver) = channel::unbounded::<u32>();
        drop(sender);
        select! {
            value = recv(receiver) => assert!(matches!(value, Err(RecvError::Closed))),
            after(MS) => unreachable!(),
        }
        let (sender, receiver) = channel::bounded::<u32>(1);
        drop(receiver);
        select! {
            sent = send(sender, 3) => match sent {
                Err(SendError::Closed(value)) => assert_eq!(value, 3),
                other => panic!("{other:?}"),
            },
            after(MS) => unreachable!(),
        }
        // And a channel that closes while a select waits at it.
        let channel = Channel::<u32>::new();
        let closing = channel.clone();
        fibra::spawn(move || closing.close());
        select! {
            value = recv(channel) => assert!(matches!(value, Err(RecvError::Closed))),
            after(MS) => unreachable!(),
        }
    });
}

#[test]
fn timers_are_done_when_their_time_has_come_the_earliest_first() {
    virtual_run(|| {
        let never = Channel::<()>::new();
        let start = fibra::now();
        let first = select! {
            _ = recv(never) => "never",
            after(5 * MS) => "late",
            at(start + 2 * MS) => "early",
        };
        assert_eq!((first, fibra::now() - start), ("early", 2 * MS));
        let past = select! {
            _ = recv(never) => "never",
            at(start) => "past",
        };
        assert_eq!((past, fibra::now() - start), ("past", 2 * MS));
    });
}

#[test]
fn joins_give_the_output_once() {
    virtual_run(|| {
        let mut slow = fibra::spawn(|| fibra::sleep(5 * MS));
        let mut quick = fibra::spawn(|| {
            fibra::sleep(MS);
            "output"
        });
        let output = select! {
            _ = join(&mut slow) => "slow",
            output = join(&mut quick) => output.unwrap(),
        };
        assert_eq!(output, "output");
        assert!(matches!(quick.join(), Err(JoinError::Taken)));
        slow.join().unwrap();
    });
}

#[test]
fn joining_oneself_is_an_error_here_too() {
    virtual_run(|| {
        let slot: Rc<RefCell<Option<fibra::JoinHandle<()>>>> = Rc::default();
        let inner = slot.clone();
        *slot.borrow_mut() = Some(fibra::spawn(move || {
            let mut handle = inner.borrow_mut().take().unwrap();
            select! {
                own = join(&mut handle) => assert!(matches!(own, Err(JoinError::Itself))),
                after(MS) => unreachable!(),
            }
        }));
        fibra::sleep(2 * MS);
    });
}

#[test]
fn a_default_never_waits() {
    virtual_run(|| {
        let (sender, receiver) = channel::bounded::<u32>(1);
        let poll = || {
            select! {
                value = recv(receiver) => value.ok(),
                default => None,
            }
        };
        assert_eq!(poll(), None);
        sender.send(1).unwrap();
        assert_eq!(poll(), Some(1));
    });
}

#[test]
fn the_search_moves_on_so_that_no_arm_starves_and_biased_does_not() {
    virtual_run(|| {
        let ends: Vec<_> = (0..3).map(|_| channel::unbounded()).collect();
        for n in 0..6 {
            ends.iter().for_each(|(sender, _)| sender.send(n).unwrap());
        }
        let [(_, a), (_, b), (_, c)] = &ends[..] else { unreachable!() };
        let fair: String = (0..6)
            .map(|_| {
                select! {
                    _ = recv(a) => 'a',
                    _ = recv(b) => 'b',
                    _ = recv(c) => 'c',
                }
            })
            .collect();
        assert_eq!(fair, "abcabc");
        let biased: String = (0..6)
            .map(|_| {
                select! {
                    biased;
                    _ = recv(a) => 'a',
                    _ = recv(b) => 'b',
                    _ = recv(c) => 'c',
                }
            })
            .collect();
        assert_eq!(biased, "aaaabb");
    });
}

#[test]
fn two_selects_meet_each_other() {
    virtual_run(|| {
        let (up, down) = (Channel::<u32>::new(), Channel::<u32>::new());
        let (up2, down2) = (up.clone(), down.clone());
        let other = fibra::spawn(move || {
            select! {
                value = recv(up2) => format!("received {}", value.unwrap()),
                sent = send(down2, 2) => format!("sent {sent:?}"),
            }
        });
        fibra::yield_now();
        let mine = select! {
            sent = send(up, 1) => format!("sent {sent:?}"),
            value = recv(down) => format!("received {}", value.unwrap()),
        };
        let pair = (mine, other.join().unwrap());
        // Either result is correct, but both sides must agree.
        assert!(
            pair == ("sent Ok(())".into(), "received 1".into())
                || pair == ("received 2".into(), "sent Ok(())".into()),
            "{pair:?}"
        );
        assert_eq!((up.balance(), down.balance()), (0, 0));
    });
}

#[test]
fn a_killed_select_leaves_every_queue_and_drops_its_values() {
    struct Counted(Rc<Cell<u32>>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    virtual_run(|| {
        let dropped = Rc::new(Cell::new(0));
        let (values, stop) = (Channel::new(), Channel::<()>::new());
        let (values2, stop2, counted) = (values.clone(), stop.clone(), Counted(dropped.clone()));
        let chooser = fibra::spawn(move || {
            select! {
                _ = send(values2, counted) => unreachable!(),
                _ = recv(stop2) => unreachable!(),
            }
        });
        fibra::yield_now();
        assert_eq!((values.balance(), stop.balance()), (1, -1));
        chooser.kill();
        assert!(chooser.join().unwrap_err().is_killed());
        assert_eq!((values.balance(), stop.balance(), dropped.get()), (0, 0, 1));
    });
}

#[test]
fn a_served_select_beats_its_kill() {
    virtual_run(|| {
        let channel = Channel::new();
        channel.set_preference(Preference::Neither);
        let got = Rc::new(Cell::new(0));
        let (receiver, seen) = (channel.clone(), got.clone());
        let chooser = fibra::spawn(move || {
            select! {
                value = recv(receiver) => seen.set(value.unwrap()),
                after(MS) => unreachable!(),
            }
            fibra::yield_now();
            unreachable!("the kill is met at the next wait");
        });
        fibra::yield_now();
        channel.send(42).unwrap();
        chooser.kill();
        assert!(chooser.join().unwrap_err().is_killed());
        assert_eq!(got.get(), 42);
    });
}

#[test]
fn a_select_that_can_never_be_done_is_a_deadlock() {
    let panic = catch_unwind(|| {
        virtual_run(|| {
            let (a, b) = (Channel::<u32>::new(), Channel::<u32>::new());
            select! {
                _ = recv(a) => {}
                _ = recv(b) => {}
            }
        });
    });
    let text = *panic.unwrap_err().downcast::<String>().unwrap();
    assert!(text.contains("waiting for the first of several things"), "{text}");
}

#[test]
fn control_flow_in_the_arms_is_the_callers() {
    fn first_even(numbers: &Channel<u32>) -> Result<u32, RecvError> {
        loop {
            select! {
                number = recv(numbers) => {
                    let number = number?;
                    if number % 2 == 0 {
                        return Ok(number);
                    }
                    continue;
                }
                after(MS) => break Ok(0),
            }
        }
    }
    virtual_run(|| {
        let numbers = Channel::new();
        let sender = numbers.clone();
        fibra::spawn(move || [1, 3, 4].into_iter().try_for_each(|n| sender.send(n)));
        assert_eq!(first_even(&numbers).unwrap(), 4);
        assert_eq!(first_even(&numbers).unwrap(), 0);
        numbers.close();
        assert!(first_even(&numbers).is_err());
    });
}

#[test]
fn a_list_made_at_run_time_may_be_long() {
    virtual_run(|| {
        let channels: Vec<_> = (0..100).map(|_| Channel::<usize>::new()).collect();
        let senders = channels.clone();
        fibra::spawn(move || {
            for n in [50, 3, 99] {
                senders[n].send(n).unwrap();
            }
        });
        let mut order = Vec::new();
        for _ in 0..3 {
            let mut select = Select::new();
            for (n, channel) in channels.iter().enumerate() {
                select.add(select::recv(channel), move |value| (n, value.unwrap()));
            }
            let (n, value) = select.wait();
            assert_eq!(n, value);
            order.push(n);
            assert!(channels.iter().all(|channel| channel.balance() <= 1));
        }
        assert_eq!(order, [50, 3, 99]);
        let empty = Select::<()>::new();
        assert!(catch_unwind(AssertUnwindSafe(|| empty.wait())).is_err());
    });
}

#[test]
fn a_select_in_a_generator_parks_the_fiber() {
    virtual_run(|| {
        let channel = Channel::new();
        let sender = channel.clone();
        fibra::spawn(move || {
            fibra::sleep(MS);
            sender.send(1).unwrap();
        });
        let mut generator = fibra::generator::iter(move |y| {
            loop {
                let value = select! {
                    value = recv(channel) => value.unwrap(),
                    after(3 * MS) => 0,
                };
                y.yield_(value);
            }
        });
        assert_eq!((generator.next(), generator.next()), (Some(1), Some(0)));
    });
}

#[test]
fn events_and_the_channels_of_other_threads_take_part() {
    use fibra::sync::{self, Event};
    virtual_run(|| {
        let (numbers, from_numbers) = sync::mpmc::bounded::<u32>(1);
        let (question, answer) = sync::oneshot::<&str>();
        let event = std::sync::Arc::new(Event::new());
        let sets = event.clone();
        fibra::spawn(move || {
            fibra::sleep(MS);
            numbers.send(1).unwrap();
            fibra::sleep(MS);
            sets.set();
            fibra::sleep(MS);
            question.send("late").unwrap();
        });
        let mut log = Vec::new();
        for _ in 0..3 {
            let what = select! {
                biased;
                wait(event) => {
                    event.clear();
                    "event".to_string()
                }
                text = recv(answer) => text.unwrap().to_string(),
                number = recv(from_numbers) => format!("{number:?}"),
            };
            log.push((what, fibra::now()));
        }
        let start = log[0].1 - MS;
        let log: Vec<_> =
            log.into_iter().map(|(what, at)| (what, (at - start).as_millis())).collect();
        assert_eq!(log[0], ("Ok(1)".into(), 1));
        assert_eq!(log[1], ("event".into(), 2));
        assert_eq!(log[2], ("late".into(), 3));
    });
}

#[test]
fn a_send_to_other_threads_waits_for_room() {
    virtual_run(|| {
        let (sender, receiver) = fibra::sync::mpmc::bounded(1);
        sender.send(1).unwrap();
        let takes = fibra::spawn(move || {
            fibra::sleep(MS);
            [receiver.recv().unwrap(), receiver.recv().unwrap()]
        });
        let local = Channel::<()>::new();
        select! {
            _ = recv(local) => unreachable!(),
            sent = send(sender, 2) => sent.unwrap(),
        }
        assert_eq!(takes.join().unwrap(), [1, 2]);
    });
}

#[test]
fn values_from_other_threads_are_received_once_each() {
    const EACH: usize = 2_000;
    let (sender, receiver) = fibra::sync::mpmc::bounded::<usize>(3);
    let threads: Vec<_> = (0..2)
        .map(|n| {
            let sender = sender.clone();
            #[allow(clippy::disallowed_methods, reason = "other threads are what is tested")]
            std::thread::spawn(move || (0..EACH).for_each(|i| sender.send(n * EACH + i).unwrap()))
        })
        .collect();
    drop(sender);
    let mut seen: Vec<usize> = fibra::run(|| {
        let fibers: Vec<_> = (0..3)
            .map(|_| {
                let receiver = receiver.clone();
                fibra::spawn(move || {
                    let quiet = Channel::<()>::new();
                    let mut seen = Vec::new();
                    loop {
                        select! {
                            value = recv(receiver) => match value {
                                Ok(value) => seen.push(value),
                                Err(_) => break seen,
                            },
                            _ = recv(quiet) => unreachable!(),
                        }
                    }
                })
            })
            .collect();
        fibers.into_iter().flat_map(|fiber| fiber.join().unwrap()).collect()
    });
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    seen.sort_unstable();
    assert_eq!(seen, (0..2 * EACH).collect::<Vec<_>>());
}

#[test]
fn a_choice_that_another_thread_may_end_is_no_deadlock_and_ends() {
    let (sender, receiver) = fibra::sync::mpmc::bounded::<u32>(1);
    let (go, gone) = std::sync::mpsc::channel::<()>();
    #[allow(clippy::disallowed_methods, reason = "another thread is what is tested")]
    let thread = std::thread::spawn(move || {
        gone.recv().unwrap();
        sender.send(9).unwrap();
    });
    fibra::run(|| {
        let local = Channel::<u32>::new();
        go.send(()).unwrap();
        let value = select! {
            value = recv(local) => value.unwrap(),
            value = recv(receiver) => value.unwrap(),
        };
        assert_eq!(value, 9);
    });
    thread.join().unwrap();
}
