//! Buffered values whose destructors use their own channel, or panic.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;

use fibra::channel::{Receiver, Sender, TrySendError, bounded};

use crate::support::channel::Trace;
use crate::support::run_virtually as run;

/// A value that uses its channel again when it is dropped.
struct Reenters {
    channel: Option<(Sender<Reenters>, Receiver<Reenters>)>,
    trace: Trace,
}

impl Drop for Reenters {
    fn drop(&mut self) {
        let Some((sender, receiver)) = self.channel.take() else {
            return self.trace.say("inner");
        };
        let (count, next) = (receiver.len(), receiver.try_recv());
        self.trace.say(format!("len{count} {}", if next.is_ok() { "took" } else { "nothing" }));
        drop(next);
        let trace = self.trace.clone();
        match sender.try_send(Reenters { channel: None, trace }) {
            Ok(()) => self.trace.say("sent"),
            Err(TrySendError::Closed(_)) => self.trace.say("closed"),
            Err(TrySendError::Full(_)) => self.trace.say("full"),
        }
    }
}

#[test]
fn a_value_may_use_its_own_channel_when_it_is_dropped() {
    let trace = Trace::default();
    run(|| {
        let (sender, receiver) = bounded(2);
        let channel = || Some((sender.clone(), receiver.clone()));
        let value = |channel| Reenters { channel, trace: trace.clone() };
        sender.send(value(channel())).unwrap();
        sender.send(value(None)).unwrap();
        // Received and dropped: its destructor receives the second value and sends a third.
        drop(receiver.recv().unwrap());
        assert_eq!(trace.take(), "len1 took inner sent");

        // A sender that waits with such a value is killed: the value is dropped in the unwind.
        sender.send(value(None)).unwrap();
        let waiting = fibra::spawn({
            let (sender, value) = (sender.clone(), value(channel()));
            move || sender.send(value)
        });
        fibra::yield_now();
        waiting.kill();
        assert!(waiting.join().unwrap_err().is_killed());
        assert_eq!(trace.take(), "len2 took inner sent");
        assert_eq!(receiver.len(), 2);
    });
    assert_eq!(trace.take(), "inner inner", "dropped with the last receiver");
}

#[test]
fn a_value_in_the_buffer_may_look_at_the_channel_while_the_last_receiver_goes() {
    struct Looks(Sender<Looks>, Rc<Cell<usize>>);
    impl Drop for Looks {
        fn drop(&mut self) {
            let refused = self.0.try_send(Looks(self.0.clone(), self.1.clone()));
            if let Err(TrySendError::Closed(back)) = refused {
                // Dropping it would run this destructor again, and so on forever.
                std::mem::forget(back);
                self.1.set(self.1.get() + self.0.len() + 1);
            }
        }
    }
    let looked = Rc::new(Cell::new(0));
    run(|| {
        let (sender, receiver) = bounded(3);
        for _ in 0..3 {
            assert!(sender.send(Looks(sender.clone(), looked.clone())).is_ok());
        }
        drop(receiver);
    });
    assert_eq!(looked.get(), 3, "each saw a closed and empty channel");
}

#[test]
fn a_panic_in_the_destructor_of_a_buffered_value_does_not_keep_the_others() {
    struct Panics(bool, Rc<Cell<u32>>);
    impl Drop for Panics {
        fn drop(&mut self) {
            self.1.set(self.1.get() + 1);
            if self.0 {
                panic::resume_unwind(Box::new("bad value"));
            }
        }
    }
    let dropped = Rc::new(Cell::new(0));
    run(|| {
        let (sender, receiver) = bounded(3);
        for bad in [false, true, false] {
            assert!(sender.send(Panics(bad, dropped.clone())).is_ok());
        }
        let result = panic::catch_unwind(AssertUnwindSafe(|| drop(receiver)));
        assert_eq!(result.unwrap_err().downcast_ref(), Some(&"bad value"));
        assert!(matches!(
            sender.try_send(Panics(false, dropped.clone())),
            Err(TrySendError::Closed(_))
        ));
    });
    assert_eq!(dropped.get(), 4);
}
