//! Values whose destructors wait, and fibers that unwind while others are killed or time out.

use std::panic;
use std::time::Duration;

use fibra::channel::{Channel, RecvError, SendTimeoutError, Sender, bounded};

use crate::support::channel::Trace;
use crate::support::{go, ms, run_virtually as run};

/// A value whose destructor sleeps.
struct Waits(Trace, Duration);

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.say("dropping");
        fibra::sleep(self.1);
        self.0.say("dropped");
    }
}

/// Sends a value through one of two channels.
type Send = fn(&Channel<Waits>, &Sender<Waits>, Waits);

#[test]
fn a_value_whose_destructor_sleeps_may_be_in_a_send_with_a_deadline_that_is_killed() {
    // The deadline of the send must be disarmed before the destructor arms one of its own.
    let trace = Trace::default();
    run(|| {
        let channel = Channel::<Waits>::new();
        let (queue, _reader) = bounded(0);
        let senders: [Send; 2] = [
            |channel, _, value| drop(channel.send_timeout(value, ms(10))),
            |_, queue, value| drop(queue.send_timeout(value, ms(10))),
        ];
        for send in senders {
            let (channel, queue, value) =
                (channel.clone(), queue.clone(), Waits(trace.clone(), ms(50)));
            let sender = fibra::spawn(move || send(&channel, &queue, value));
            fibra::yield_now();
            let start = fibra::now();
            sender.kill();
            assert!(sender.join().unwrap_err().is_killed());
            assert_eq!(fibra::now() - start, ms(50));
        }
        fibra::sleep(ms(100));
    });
    assert_eq!(trace.take(), "dropping dropped dropping dropped");
}

#[test]
fn the_deadline_of_a_killed_send_does_not_end_a_wait_of_its_values_destructor() {
    struct Receives(Channel<u32>, Trace);
    impl Drop for Receives {
        fn drop(&mut self) {
            self.1.say(format!("{:?}", self.0.recv().unwrap()));
        }
    }
    let trace = Trace::default();
    run(|| {
        let channel = Channel::<Receives>::new();
        let late = Channel::<u32>::new();
        let sender = fibra::spawn({
            let value = Receives(late.clone(), trace.clone());
            move || drop(channel.send_timeout(value, ms(10)))
        });
        fibra::yield_now();
        sender.kill();
        fibra::sleep(ms(100));
        late.send(7).unwrap();
        assert!(sender.join().unwrap_err().is_killed());
    });
    assert_eq!(trace.take(), "7");
}

#[test]
fn a_kill_that_came_while_another_fiber_unwound_is_raised_when_that_has_ended() {
    // While any fiber of the thread unwinds, no kill can be raised: it must not get lost.
    let trace = Trace::default();
    run(|| {
        let channel = Channel::<u32>::new();
        let slow = fibra::spawn({
            let guard = Waits(trace.clone(), ms(100));
            move || {
                let _guard = guard;
                fibra::park();
            }
        });
        let receiver = fibra::spawn({
            let channel = channel.clone();
            move || channel.recv()
        });
        fibra::yield_now();
        slow.kill();
        fibra::yield_now();
        receiver.kill();
        assert!(receiver.join().unwrap_err().is_killed());
        trace.say("killed");
        assert_eq!(channel.balance(), 0);
    });
    assert_eq!(trace.take(), "dropping dropped killed");
}

#[test]
fn a_deadline_that_passes_while_a_stray_wake_is_queued_is_not_lost() {
    // A failed child wakes its parent, whose shielded wait goes on. Behind it are more fibers than
    // fit between two polls of the timers, so the deadline passes while the parent is in the ring.
    run(|| {
        let result = panic::catch_unwind(|| {
            fibra::nursery(|nursery| {
                nursery.spawn(|| {
                    for _ in 0..200 {
                        go(fibra::yield_now);
                    }
                    panic::resume_unwind(Box::new("failed"));
                });
                // Without its deadline, this wait would be a deadlock.
                fibra::shield(|| fibra::sleep_until(fibra::now()));
                "not cut short"
            })
        });
        assert_eq!(result.unwrap_err().downcast_ref(), Some(&"failed"));
    });
}

#[test]
fn a_send_with_a_deadline_that_gives_way_first_still_times_out() {
    // The budget is spent, so the fiber yields before it waits. Behind it are more fibers than fit
    // between two polls of the timers, so the deadline passes meanwhile.
    run(|| {
        let channel = Channel::<u32>::new();
        let sender = fibra::spawn(move || {
            for _ in 0..200 {
                go(fibra::yield_now);
            }
            for _ in 0..127 {
                fibra::current().unpark();
                fibra::park();
            }
            matches!(channel.send_timeout(1, Duration::ZERO), Err(SendTimeoutError::Timeout(1)))
        });
        assert!(sender.join().unwrap());
    });
}

#[test]
fn a_fiber_that_could_not_fail_in_a_deadlock_while_it_unwound_can_fail_in_its_next_wait() {
    struct Parks;
    impl Drop for Parks {
        fn drop(&mut self) {
            fibra::park();
        }
    }
    run(|| {
        let channel = Channel::<u32>::new();
        let main = fibra::current();
        let helper = fibra::spawn({
            let channel = channel.clone();
            move || {
                // This wait fails in place of the main fiber's, and then wakes the main fiber.
                let failed = matches!(channel.recv(), Err(RecvError::Deadlock(_)));
                main.unpark();
                failed
            }
        });
        fibra::yield_now();
        let unwinding = panic::catch_unwind(|| {
            let _parks = Parks;
            panic::resume_unwind(Box::new("unwinds"));
        });
        assert!(unwinding.is_err());
        assert!(helper.join().unwrap());
        assert!(matches!(channel.recv(), Err(RecvError::Deadlock(_))));
    });
}

#[test]
fn a_wait_that_could_not_fail_because_another_fiber_unwound_can_fail_afterwards() {
    struct Receives(Channel<u32>);
    impl Drop for Receives {
        fn drop(&mut self) {
            assert!(matches!(self.0.recv(), Err(RecvError::Deadlock(_))));
        }
    }
    run(|| {
        let channel = Channel::<u32>::new();
        let unwinding = fibra::spawn(move || {
            let _receives = Receives(channel);
            panic::resume_unwind(Box::new("unwinds"));
        });
        fibra::yield_now();
        // This fiber is asked first, but a panic now would abort, so the destructor's receive
        // fails. When the unwinding fiber has ended, the deadlock is raised in this fiber.
        let parked = panic::catch_unwind(fibra::park);
        assert!(parked.unwrap_err().downcast_ref::<String>().unwrap().starts_with("deadlock"));
        assert!(unwinding.join().is_err());
        // This wait can fail, too: no fiber unwinds any more.
        assert!(matches!(Channel::<u32>::new().recv(), Err(RecvError::Deadlock(_))));
    });
}
