//! `close` of a rendezvous channel also refuses the operations that already wait.

use fibra::channel::{Channel, RecvError, SendError};

use crate::support::{Noisy, check, go, log};

#[test]
fn close_ends_the_loop_of_a_receiver_that_waits() {
    fibra::run(|| {
        let channel = Channel::new();
        let numbers = channel.clone();
        go(move || {
            for n in [1, 2] {
                numbers.send(n).unwrap();
            }
            numbers.close();
        });
        channel.iter().for_each(log);
        assert!(matches!(channel.recv(), Err(RecvError::Closed)));
    });
    check("1 2");
}

#[test]
fn close_gives_the_values_of_waiting_senders_back() {
    fibra::run(|| {
        let channel = Channel::new();
        for name in ["a", "b"] {
            let channel = channel.clone();
            go(move || match channel.send(Noisy(name)) {
                Err(SendError::Closed(value)) => log(format!("back:{}", value.0)),
                other => panic!("{other:?}"),
            });
        }
        fibra::yield_now();
        assert_eq!(channel.balance(), 2);
        channel.close();
        assert!(channel.is_closed());
        fibra::yield_now();
    });
    check("back:a a back:b b");
}
