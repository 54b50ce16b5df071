//! Tests `sync::promise`.

use fibra::sync::{PromiseError, promise};
use fibra::{spawn, yield_now};

use crate::support::sync::{elsewhere, thread};
use crate::support::{Noisy, check, go, log, ms, run_virtually};

#[test]
fn all_waiters_share_the_value_in_the_order_in_which_they_came() {
    fibra::run(|| {
        let (promise, promised) = promise();
        let waiters = ["a", "b"].map(|name| {
            let promised = promised.clone();
            spawn(move || log(format!("{name}{}", promised.wait().unwrap())))
        });
        yield_now();
        assert!(matches!(promised.try_get(), Ok(None)) && !promised.is_over());
        promise.set(7);
        log("set");
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
        assert_eq!(promised.try_get().unwrap(), Some(&7));
        assert_eq!(format!("{promised:?}"), "Promised { is_over: true, .. }");
        let other = promised.clone();
        let promised = promised.try_into_inner().unwrap_err();
        drop(other);
        assert_eq!(promised.try_into_inner().unwrap(), 7);
    });
    check("set a7 b7");
}

#[test]
fn a_promise_that_is_dropped_is_broken() {
    fibra::run(|| {
        let (promise, promised) = promise::<u32>();
        go(move || drop(promise));
        let error = promised.wait().unwrap_err();
        assert!(matches!(error, PromiseError::Broken));
        assert_eq!(
            format!("{error:?}: {error}"),
            "Broken: the promise was dropped without a value"
        );
        assert!(promised.try_get().is_err());
        let promised = promised.try_into_inner().unwrap_err();
        assert!(promised.is_over());
    });
}

#[test]
fn a_fiber_that_is_killed_breaks_its_promise() {
    fibra::run(|| {
        let (promise, promised) = promise();
        let killed = spawn(move || {
            fibra::park();
            promise.set(());
        });
        yield_now();
        killed.kill();
        assert!(matches!(promised.wait(), Err(PromiseError::Broken)));
    });
}

#[test]
fn a_deadline_ends_the_wait() {
    run_virtually(|| {
        let (promise, promised) = promise();
        let start = fibra::now();
        assert!(matches!(promised.wait_timeout(ms(5)), Err(PromiseError::Timeout)));
        assert!(matches!(promised.wait_deadline(start + ms(6)), Err(PromiseError::Timeout)));
        assert_eq!(fibra::now() - start, ms(6));
        promise.set(1);
        assert_eq!(*promised.wait_timeout(ms(5)).unwrap(), 1);
    });
}

#[test]
fn the_value_is_dropped_with_the_last_handle() {
    let (promise, promised) = promise();
    let other = promise.promised();
    promise.set(Noisy("value"));
    drop(promised);
    check("");
    drop(other);
    check("value");
}

#[test]
fn fibers_and_threads_wait_for_one_promise() {
    let (promise, promised) = promise();
    let [first, second] = [promised.clone(), promised.clone()];
    let waits =
        [elsewhere(move || *first.wait().unwrap()), thread(move || *second.wait().unwrap())];
    fibra::run(|| promise.set(3));
    waits.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), 3));
}
