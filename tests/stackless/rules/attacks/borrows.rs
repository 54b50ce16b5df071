//! Fibers of a scope borrow from their parent's frame: no operation of Stackless may let the
//! parent leave that frame before they have ended, whatever is thrown at any of them.

use std::cell::RefCell;
use std::rc::Rc;

use fibra::stackless::{self, Channel, Tasklet};

use crate::support::stackless::{
    floating, logs, logs_end, payload_of, quietly, raise, raised, state,
};
use crate::support::{OnDrop, check, log, ms, run_virtually};

/// A value on the stack that detects its use after the end of its frame.
struct Frame {
    alive: RefCell<bool>,
}

impl Frame {
    fn new() -> Frame {
        Frame { alive: RefCell::new(true) }
    }

    fn touch(&self) {
        assert!(*self.alive.borrow());
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        *self.alive.borrow_mut() = false;
    }
}

#[test]
fn a_throw_at_a_parent_that_waits_for_its_scope_does_not_free_what_the_children_borrow() {
    run_virtually(|| {
        let parent = stackless::getcurrent();
        stackless::spawn(move || parent.throw("E").unwrap());
        let text = raised(|| {
            let frame = Frame::new();
            fibra::scope(|s| {
                for _ in 0..3 {
                    s.spawn(|| {
                        frame.touch();
                        let _touches = OnDrop(|| frame.touch());
                        (0..5).for_each(|_| stackless::schedule());
                        fibra::sleep(ms(10));
                        frame.touch();
                    });
                }
            });
            // The throw may be raised in the wait of the scope, or at the next wait.
            stackless::schedule();
        });
        assert_eq!(text, "E");
        log("m");
    });
    check("m");
}

#[test]
fn a_pending_throw_at_a_parent_in_its_scope() {
    run_virtually(|| {
        let parent = stackless::getcurrent();
        let text = raised(|| {
            let frame = Frame::new();
            fibra::scope(|s| {
                s.spawn(|| {
                    parent.throw_pending("E").unwrap();
                    fibra::sleep(ms(10));
                    frame.touch();
                });
                s.spawn(|| {
                    stackless::schedule();
                    frame.touch();
                });
            });
            stackless::schedule();
        });
        assert_eq!(text, "E");
    });
}

#[test]
fn a_paused_child_keeps_its_scope_waiting_or_is_unwound() {
    let slot: Rc<RefCell<Option<Tasklet>>> = Rc::default();
    let kept = slot.clone();
    run_virtually(move || {
        quietly(|| {
            let frame = Frame::new();
            fibra::scope(|s| {
                let (frame, kept) = (&frame, kept.clone());
                s.spawn(move || {
                    *kept.borrow_mut() = Some(stackless::getcurrent());
                    let _touches = OnDrop(|| frame.touch());
                    stackless::schedule_remove();
                    frame.touch();
                });
            });
        });
        let child = kept.take().unwrap();
        assert_eq!(state(&child), "dead");
        log("m");
    });
    drop(slot);
    check("m");
}

#[test]
fn a_child_of_a_scope_can_be_removed_inserted_run_and_killed() {
    run_virtually(|| {
        let slot: Rc<RefCell<Option<Tasklet>>> = Rc::default();
        let killer_slot = slot.clone();
        let killer = stackless::tasklet(move |()| {
            let child: Tasklet = killer_slot.take().unwrap();
            child.insert().unwrap();
            child.remove().unwrap();
            child.run().unwrap();
            log("kills");
            child.kill().unwrap();
            assert_eq!(state(&child), "dead");
        });
        let killer = killer.bind(());
        let payload = payload_of(|| {
            let frame = Frame::new();
            fibra::scope(|s| {
                s.spawn(|| {
                    *slot.borrow_mut() = Some(stackless::getcurrent());
                    killer.insert().unwrap();
                    stackless::schedule_remove();
                    frame.touch();
                    log("child");
                    logs_end("child", || drop(stackless::schedule_remove()));
                });
            });
        });
        // A child that ends by an error makes its scope fail.
        drop(payload);
        log("m");
    });
    check("child kills child! m");
}

#[test]
fn a_throw_at_a_joiner_leaves_the_joined_fiber_whole() {
    run_virtually(|| {
        let main = stackless::getcurrent();
        let fiber = fibra::spawn(|| {
            fibra::sleep(ms(10));
            log("f");
            7
        });
        stackless::spawn(move || main.throw("E").unwrap());
        log(raised(move || fiber.join()));
        fibra::sleep(ms(20));
        log("m");
    });
    check("E f m");
}

#[test]
fn a_throw_cuts_every_kind_of_wait() {
    run_virtually(|| {
        let waits: [(&str, fn()); 6] = [
            ("sleep", || fibra::sleep(ms(10))),
            ("park", || fibra::park()),
            ("park_timeout", || fibra::park_timeout(ms(10))),
            ("yield", || fibra::yield_now()),
            ("bounded", || {
                let (_sender, receiver) = fibra::channel::bounded::<i32>(1);
                drop(receiver.recv());
            }),
            ("channel", || {
                let _ = fibra::channel::Channel::<i32>::new().recv_timeout(ms(10));
            }),
        ];
        for (name, wait) in waits {
            let t = stackless::spawn(move || logs_end(name, wait));
            stackless::schedule();
            log(raised(|| t.throw("E")));
            assert_eq!(state(&t), "dead");
        }
        assert_eq!(fibra::stats().timers, 0);
    });
    check("sleep:E E park:E E park_timeout:E E yield:E E bounded:E E channel:E E");
}

#[test]
fn a_message_on_the_stack_of_a_killed_sender_is_never_received() {
    fibra::run(|| {
        let channel = Channel::new();
        let victims: Vec<_> = (0..10)
            .map(|n| {
                let channel = channel.clone();
                stackless::spawn(move || channel.send(format!("message {n}")).unwrap())
            })
            .collect();
        stackless::run();
        for (n, victim) in victims.iter().enumerate() {
            if n % 2 == 0 {
                victim.kill().unwrap();
            }
        }
        assert_eq!(channel.balance(), 5);
        for n in [1, 3, 5, 7, 9] {
            assert_eq!(channel.receive().unwrap(), format!("message {n}"));
        }
    });
}

#[test]
fn a_tasklet_inside_of_catch_unwind_and_local_with_keeps_its_frames() {
    thread_local!(static LOCAL: RefCell<i32> = const { RefCell::new(0) });
    fibra::run(|| {
        let t = stackless::tasklet(|()| {
            LOCAL.with(|local| {
                quietly(|| {
                    stackless::schedule_remove();
                    raise("inner");
                });
                *local.borrow_mut() += 1;
                stackless::schedule_remove();
                *local.borrow_mut() += 1;
            });
        });
        let t = t.bind(());
        t.run().unwrap();
        t.run().unwrap();
        t.kill().unwrap();
        drop(floating("F"));
        logs("A");
        stackless::run();
    });
    assert_eq!(LOCAL.take(), 1);
    check("F! A");
}
