//! Models of two threads that use a channel at the same time: see `collections/publish.rs`.
//!
//! The fences stand where the channel has them, around its real words. Flags stand for the ring,
//! because crossbeam's queue has fences of its own, which its documentation does not promise.

#[cfg(not(loom))]
mod with_threads {
    use std::sync::atomic::{AtomicBool, Ordering};

    use crate::collections::publish::fence;
    use crate::collections::publish_model::check;
    use crate::sync::mpmc::side::Side;

    #[test]
    fn a_value_is_found_or_its_sender_finds_the_receiver() {
        check("a value and a receiver that waits", |pair| {
            let (receiving, pushed) = (Side::new(), AtomicBool::new(false));
            receiving.publish(0, 0);
            let (looks_closer, waits) = pair.run(
                || {
                    pushed.store(true, Ordering::Relaxed);
                    fence();
                    receiving.word() != 0
                },
                || {
                    receiving.publish(1, 0);
                    fence();
                    !pushed.load(Ordering::Relaxed)
                },
            );
            waits && !looks_closer
        });
    }

    #[test]
    fn room_is_found_or_its_receiver_finds_the_sender() {
        check("room and a sender that waits", |pair| {
            let (sending, popped) = (Side::new(), AtomicBool::new(false));
            sending.publish(0, 0);
            let (looks_closer, waits) = pair.run(
                || {
                    popped.store(true, Ordering::Relaxed);
                    fence();
                    sending.waits()
                },
                || {
                    sending.publish(1, 0);
                    fence();
                    !popped.load(Ordering::Relaxed)
                },
            );
            waits && !looks_closer
        });
    }

    #[test]
    fn the_last_value_is_dropped_by_the_last_receiver_or_by_its_sender() {
        check("a value and the end of the receivers", |pair| {
            let (receiving, pushed) = (Side::new(), AtomicBool::new(false));
            receiving.publish(0, 0);
            let (sender_drops, is_left) = pair.run(
                || {
                    pushed.store(true, Ordering::Relaxed);
                    fence();
                    receiving.is_gone()
                },
                || {
                    receiving.end();
                    fence();
                    !pushed.load(Ordering::Relaxed)
                },
            );
            is_left && !sender_drops
        });
    }
}

#[cfg(loom)]
mod with_loom {
    use loom::sync::atomic::{AtomicUsize, Ordering, fence};
    use loom::sync::{Arc, Mutex};
    use loom::thread;

    /// A channel of one receiver: the number of values in its ring, its word, and its line.
    struct Model {
        ring: AtomicUsize,
        word: AtomicUsize,
        line: Mutex<Line>,
    }

    #[derive(Default)]
    struct Line {
        waits: bool,
        served: usize,
    }

    impl Model {
        fn pop(&self) -> bool {
            let take = |n: usize| n.checked_sub(1);
            self.ring.fetch_update(Ordering::AcqRel, Ordering::Relaxed, take).is_ok()
        }

        fn settle(&self, line: &mut Line) {
            if line.waits && self.pop() {
                (line.waits, line.served) = (false, line.served + 1);
            }
            self.word.store(line.waits.into(), Ordering::Release);
        }

        fn send(&self) {
            self.ring.fetch_add(1, Ordering::Release);
            fence(Ordering::SeqCst);
            if self.word.load(Ordering::Acquire) != 0 {
                self.settle(&mut self.line.lock().unwrap());
            }
        }

        fn receive(&self) {
            let mut line = self.line.lock().unwrap();
            if self.pop() {
                line.served += 1;
                return;
            }
            line.waits = true;
            self.word.store(1, Ordering::Release);
            fence(Ordering::SeqCst);
            self.settle(&mut line);
        }

        /// The receiver is killed: it leaves its line.
        fn withdraw(&self) {
            let mut line = self.line.lock().unwrap();
            line.waits = false;
            self.settle(&mut line);
        }
    }

    fn model(senders: usize, then: fn(&Model)) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(2);
        builder.check(move || {
            let new = || Model {
                ring: AtomicUsize::new(0),
                word: AtomicUsize::new(0),
                line: Mutex::new(Line::default()),
            };
            let channel = Arc::new(new());
            let threads: Vec<_> = (0..senders)
                .map(|_| {
                    let channel = channel.clone();
                    thread::spawn(move || channel.send())
                })
                .collect();
            channel.receive();
            then(&channel);
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            let line = channel.line.lock().unwrap();
            let left = channel.ring.load(Ordering::Acquire);
            assert_eq!(left + line.served, senders, "each value is in one place");
            assert!(left == 0 || !line.waits, "no receiver waits beside a value");
        });
    }

    #[test]
    fn loom_a_receiver_is_served_by_one_of_two_senders() {
        model(2, |_| ());
    }

    #[test]
    fn loom_a_receiver_that_leaves_takes_no_value_with_it() {
        model(2, Model::withdraw);
    }
}
