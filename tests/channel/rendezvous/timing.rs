//! The forms of send and receive that do not wait, or wait for a limited time.

use fibra::channel::{Preference, RecvTimeoutError, SendTimeoutError, TryRecvError, TrySendError};

use super::{PREFERENCES, bystander, fixture};

use crate::support::{go, ms, run_virtually as run};

#[test]
fn try_forms_neither_wait_nor_switch_whatever_the_preference() {
    for preference in PREFERENCES {
        for schedule_all in [false, true] {
            run(|| {
                let (channel, trace) = fixture();
                channel.set_preference(preference);
                channel.set_schedule_all(schedule_all);
                assert!(matches!(channel.try_send(1), Err(TrySendError::Full(1))));
                assert_eq!(channel.try_recv(), Err(TryRecvError::Empty));
                assert_eq!(channel.balance(), 0);

                go({
                    let (channel, trace) = (channel.clone(), trace.clone());
                    move || {
                        trace.say(format!("R{}", channel.recv().unwrap()));
                        channel.send(2).unwrap();
                        trace.say("S");
                    }
                });
                fibra::yield_now();
                bystander(&trace, "a");
                channel.try_send(1).unwrap();
                trace.say("sent");
                fibra::yield_now();
                assert_eq!(trace.take(), "sent a R1");
                bystander(&trace, "b");
                let value = channel.try_recv().unwrap();
                trace.say(format!("got{value}"));
                fibra::yield_now();
                assert_eq!(trace.take(), "got2 b S");
            });
        }
    }
}

#[test]
fn timeout_forms_meet_a_partner_as_the_others_do() {
    run(|| {
        let (channel, trace) = fixture();
        go({
            let (channel, trace) = (channel.clone(), trace.clone());
            move || trace.say(format!("R{}", channel.recv_timeout(ms(10)).unwrap()))
        });
        fibra::yield_now();
        bystander(&trace, "a");
        channel.send_timeout(1, ms(10)).unwrap();
        trace.say("S");
        assert_eq!(trace.take(), "R1 a S");

        channel.set_preference(Preference::Sender);
        go({
            let (channel, trace) = (channel.clone(), trace.clone());
            move || {
                channel.send_deadline(2, fibra::now() + ms(10)).unwrap();
                trace.say("S");
            }
        });
        fibra::yield_now();
        bystander(&trace, "a");
        let value = channel.recv_deadline(fibra::now() + ms(10)).unwrap();
        trace.say(format!("R{value}"));
        assert_eq!(trace.take(), "S a R2");
    });
}

#[test]
fn timeout_forms_wait_as_long_as_they_say_and_then_give_up() {
    run(|| {
        let (channel, _) = fixture();
        let start = fibra::now();
        assert_eq!(channel.recv_timeout(ms(30)), Err(RecvTimeoutError::Timeout));
        assert_eq!(fibra::now() - start, ms(30));
        let sent = channel.send_deadline(1, fibra::now() + ms(20));
        assert!(matches!(sent, Err(SendTimeoutError::Timeout(1))));
        assert_eq!(fibra::now() - start, ms(50));
        // A deadline in the past: other fibers run once, and no time passes.
        assert_eq!(channel.recv_deadline(start), Err(RecvTimeoutError::Timeout));
        assert_eq!((fibra::now() - start, channel.balance()), (ms(50), 0));
    });
}

#[test]
fn a_value_that_comes_in_time_is_received_when_it_comes() {
    run(|| {
        let (channel, _) = fixture();
        let start = fibra::now();
        go({
            let channel = channel.clone();
            move || {
                fibra::sleep(ms(7));
                channel.send(5).unwrap();
            }
        });
        assert_eq!(channel.recv_timeout(ms(1000)), Ok(5));
        assert_eq!(fibra::now() - start, ms(7));
        fibra::sleep(ms(2000)); // outlasts the deadline, which is disarmed
    });
}
