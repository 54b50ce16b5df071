//! Tests the forms with a time limit of waits in the core: they end in time, and leave nothing
//! behind.

use fibra::JoinError;
use fibra::channel::oneshot;
use fibra::sync::{Semaphore, TimeoutError};
use fibra::{spawn, yield_now};

use crate::support::{HOUR, ms, run_virtually};

#[test]
fn a_join_that_times_out_leaves_the_fiber_joinable() {
    run_virtually(|| {
        let start = fibra::now();
        let mut slow = spawn(|| {
            fibra::sleep(ms(30));
            "done"
        });
        assert!(slow.join_timeout(ms(10)).is_none());
        assert_eq!(fibra::now() - start, ms(10));
        assert!(slow.join_deadline(start + ms(20)).is_none());
        assert_eq!(fibra::now() - start, ms(20));
        assert_eq!(fibra::stats().timers, 1, "a join left its deadline behind");
        assert_eq!(slow.join_timeout(HOUR).unwrap().unwrap(), "done");
        assert_eq!(fibra::now() - start, ms(30));
        assert_eq!(fibra::stats().timers, 0);
        assert!(matches!(slow.join_timeout(HOUR), Some(Err(JoinError::Taken))));
    });
}

#[test]
fn a_join_whose_deadline_has_passed_still_takes_the_output_of_an_ended_fiber() {
    run_virtually(|| {
        let before = fibra::now();
        let mut ended = spawn(|| 7);
        yield_now();
        fibra::sleep(ms(1));
        assert_eq!(ended.join_deadline(before).unwrap().unwrap(), 7);
    });
}

#[test]
fn a_join_with_a_time_limit_reports_what_a_join_reports() {
    run_virtually(|| {
        let mut killed = spawn(fibra::park);
        yield_now();
        killed.kill();
        assert!(killed.join_timeout(HOUR).unwrap().unwrap_err().is_killed());

        // It parks first: in a deadlock the wait of the fiber that ran last fails.
        let mut stuck = spawn(fibra::park);
        yield_now();
        let error = stuck.join_timeout(std::time::Duration::MAX).unwrap().unwrap_err();
        assert!(error.is_deadlock(), "{error}");
    });
}

#[test]
fn a_park_ends_at_its_deadline_or_at_an_unpark() {
    run_virtually(|| {
        let start = fibra::now();
        fibra::park_deadline(start + ms(5));
        assert_eq!(fibra::now() - start, ms(5));
        fibra::park_deadline(start);
        assert_eq!(fibra::now() - start, ms(5));

        let me = fibra::current();
        drop(spawn(move || {
            fibra::sleep(ms(2));
            me.unpark();
        }));
        fibra::park_deadline(start + HOUR);
        assert_eq!(fibra::now() - start, ms(7));
        assert_eq!(fibra::stats().timers, 0);
    });
}

#[test]
fn a_oneshot_can_be_received_until_a_deadline() {
    run_virtually(|| {
        let start = fibra::now();
        let (sender, mut receiver) = oneshot();
        assert!(receiver.recv_deadline(start + ms(3)).unwrap_err().is_timeout());
        assert_eq!(fibra::now() - start, ms(3));
        sender.send(4).unwrap();
        assert_eq!(receiver.recv_deadline(start), Ok(4));
    });
}

#[test]
fn several_permits_can_be_acquired_until_a_deadline() {
    run_virtually(|| {
        let semaphore = Semaphore::new(2);
        let start = fibra::now();
        let two = semaphore.acquire_many_deadline(2, start + ms(1)).unwrap();
        let error = semaphore.acquire_many_deadline(2, start + ms(4)).map(drop);
        assert_eq!((error, fibra::now() - start), (Err(TimeoutError::Timeout), ms(4)));
        drop(two);
        assert_eq!(semaphore.acquire_many_deadline(2, start).unwrap().permits(), 2);
    });
}
