//! Tests `sync::oneshot`.

use fibra::channel::{RecvError, RecvTimeoutError, TryRecvError};
use fibra::sync::oneshot;

use crate::support::sync::{elsewhere, thread};
use crate::support::{Noisy, check, go, ms, run_virtually};

#[test]
fn one_value_crosses() {
    let (sender, receiver) = oneshot();
    let there = elsewhere(move || receiver.recv().unwrap());
    sender.send(5).unwrap();
    assert_eq!(there.join().unwrap(), 5);
    let (sender, receiver) = oneshot();
    let there = thread(move || receiver.recv().unwrap());
    fibra::run(|| sender.send(6).unwrap());
    assert_eq!(there.join().unwrap(), 6);
}

#[test]
fn an_end_that_is_gone_is_an_error() {
    fibra::run(|| {
        let (sender, receiver) = oneshot::<u32>();
        go(move || drop(sender));
        assert!(matches!(receiver.recv(), Err(RecvError::Closed)));
        let (sender, receiver) = oneshot();
        drop(receiver);
        assert!(sender.send(Noisy("back")).is_err());
    });
    check("back");
}

#[test]
fn a_value_may_come_later() {
    run_virtually(|| {
        let (sender, mut receiver) = oneshot();
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        assert_eq!(receiver.recv_timeout(ms(1)), Err(RecvTimeoutError::Timeout));
        assert_eq!(receiver.recv_deadline(fibra::now()), Err(RecvTimeoutError::Timeout));
        sender.send(1).unwrap();
        assert_eq!(receiver.try_recv(), Ok(1));
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    });
}
