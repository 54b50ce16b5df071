//! Tests a kill at every stage of a job: queued, starting, running, at its end, and ended.

use std::sync::Arc;
use std::thread;

use fibra::sync::oneshot;

use crate::support::{OnDrop, ms};
use crate::{Count, on, spin_until};

/// Spawns a job that holds scheduler 1 until it is released, so that what is queued there waits.
fn hold(handle: &fibra::Handle) -> (Arc<Count>, fibra::RemoteHandle<()>) {
    let gate = Arc::new(Count::default());
    let (held, held_too) = (Arc::new(Count::default()), gate.clone());
    let is_held = held.clone();
    let job = handle.spawn_on(1, move || {
        held.add();
        spin_until(|| held_too.get() != 0);
    });
    spin_until(|| is_held.get() != 0);
    (gate, job)
}

#[test]
fn a_queued_job_never_starts_and_its_closure_is_dropped_on_a_fiber() {
    on(2, |handle| {
        let (gate, holder) = hold(&handle);
        let (tell, told) = std::sync::mpsc::channel();
        let drops = OnDrop(move || tell.send(fibra::in_fiber()).unwrap());
        let job = handle.spawn_on(1, move || {
            let _drops = &drops;
            unreachable!("it was killed before it has started")
        });
        job.kill_with("not needed");
        // The outcome is there immediately; the closure waits for its scheduler.
        assert!(job.is_finished());
        let error: fibra::JoinError = job.join().unwrap_err();
        assert_eq!(error.to_string(), "the fiber was killed: not needed");
        gate.add();
        holder.join().unwrap();
        assert_eq!(fibra::blocking(move || told.recv()), Ok(true));
    });
}

#[test]
fn a_joiner_of_a_queued_job_is_woken_by_its_kill() {
    on(2, |handle| {
        let (gate, holder) = hold(&handle);
        let mut job = handle.spawn_on(1, fibra::park);
        let poll = futures_lite::future::poll_once(&mut job);
        assert!(fibra::future::block_on(poll).is_none());
        let (killed, joined) = (Arc::new(std::sync::Mutex::new(job)), Arc::new(Count::default()));
        let (to_kill, joins) = (killed.clone(), joined.clone());
        let waiting = fibra::spawn(move || {
            let poll = std::future::poll_fn(|cx| {
                std::pin::Pin::new(&mut *killed.lock().unwrap()).poll(cx)
            });
            let outcome = fibra::future::block_on(poll);
            joins.add();
            outcome
        });
        fibra::yield_now();
        thread::spawn(move || to_kill.lock().unwrap().kill()).join().unwrap();
        assert!(waiting.join().unwrap().unwrap_err().is_killed());
        assert_eq!(joined.get(), 1);
        gate.add();
        holder.join().unwrap();
    });
}

#[test]
fn a_running_job_is_unwound_from_its_wait() {
    on(2, |handle| {
        for index in [0, 1] {
            let (started, has_started) = oneshot();
            let unwound = Arc::new(Count::default());
            let unwinds = unwound.clone();
            let job = handle.spawn_on(index, move || {
                let _guard = OnDrop(move || _ = unwinds.add());
                started.send(()).unwrap();
                fibra::park();
            });
            has_started.recv().unwrap();
            job.kill();
            assert!(job.join().unwrap_err().is_killed());
            assert_eq!(unwound.get(), 1);
        }
    });
}

#[test]
fn a_job_that_computes_meets_the_kill_at_its_next_wait() {
    on(2, |handle| {
        let killed = Arc::new(Count::default());
        let (started, is_killed) = (Arc::new(Count::default()), killed.clone());
        let starts = started.clone();
        let job = handle.spawn_on(1, move || {
            starts.add();
            spin_until(|| is_killed.get() == 1);
            loop {
                fibra::yield_now();
            }
        });
        spin_until(|| started.get() == 1);
        job.kill();
        assert!(!job.is_finished());
        killed.add();
        let error: fibra::JoinError = job.join().unwrap_err();
        assert!(error.is_killed());
    });
}

#[test]
fn a_kill_of_a_job_that_has_ended_does_nothing() {
    on(2, |handle| {
        let job = handle.spawn_on(1, || 5);
        while !job.is_finished() {
            fibra::sleep(ms(1));
        }
        job.kill();
        job.kill_with("too late");
        assert_eq!(job.join(), Ok(5));
    });
}

#[test]
fn of_two_kills_the_first_reason_stays() {
    on(2, |handle| {
        let (gate, holder) = hold(&handle);
        let queued = handle.spawn_on(1, fibra::park);
        queued.kill_with("first");
        queued.kill_with("second");
        assert_eq!(queued.join().unwrap_err().to_string(), "the fiber was killed: first");
        gate.add();
        holder.join().unwrap();
    });
}

#[test]
fn a_job_that_catches_the_kill_and_returns_has_a_value() {
    on(2, |handle| {
        let (started, has_started) = oneshot();
        let job = handle.spawn_on(1, move || {
            started.send(()).unwrap();
            let unwound = std::panic::catch_unwind(fibra::park).is_err();
            if unwound { "caught" } else { "not killed" }
        });
        has_started.recv().unwrap();
        job.kill();
        // Like `Fiber::kill`: whether the value counts is decided by the fiber's own rules.
        let own = fibra::spawn(|| {
            let unwound = std::panic::catch_unwind(fibra::park).is_err();
            if unwound { "caught" } else { "not killed" }
        });
        fibra::yield_now();
        own.kill();
        assert_eq!(job.join(), own.join());
    });
}

#[test]
fn a_shielded_job_ends_its_work_first() {
    on(2, |handle| {
        let (started, has_started) = oneshot();
        let done = Arc::new(Count::default());
        let does = done.clone();
        let job = handle.spawn_on(1, move || {
            fibra::shield(|| {
                started.send(()).unwrap();
                fibra::sleep(ms(5));
                does.add();
            });
            fibra::park();
        });
        has_started.recv().unwrap();
        job.kill();
        assert!(job.join().unwrap_err().is_killed());
        assert_eq!(done.get(), 1);
    });
}

/// The kill meets the job at each stage, as the timing has it.
#[test]
fn a_kill_at_any_moment_gives_a_value_or_a_kill_and_drops_the_closure_once() {
    on(2, |handle| {
        let mut values = 0;
        const ROUNDS: u32 = 3_000;
        let dropped = Arc::new(Count::default());
        for round in 0..ROUNDS {
            let drops = dropped.clone();
            let guard = OnDrop(move || _ = drops.add());
            let job = handle.spawn(move || {
                let _guard = guard;
                fibra::yield_now();
                1
            });
            for _ in 0..round % 50 {
                std::hint::spin_loop();
            }
            if round % 3 == 0 {
                fibra::yield_now();
            }
            job.kill();
            match job.join() {
                Ok(value) => values += value,
                Err(error) => assert!(error.is_killed(), "{error}"),
            }
        }
        assert!(values <= ROUNDS);
        while dropped.get() < ROUNDS {
            fibra::sleep(ms(1)); // closures of killed jobs are dropped when they are taken out
        }
        assert_eq!(dropped.get(), ROUNDS);
    });
}

#[test]
fn a_kill_of_the_joiner_does_not_kill_the_job() {
    on(2, |handle| {
        let (release, released) = oneshot::<()>();
        let done = Arc::new(Count::default());
        let does = done.clone();
        let job = handle.spawn_on(1, move || {
            released.recv().unwrap();
            does.add();
        });
        let joiner = fibra::spawn(move || job.join());
        fibra::yield_now();
        joiner.kill();
        assert!(joiner.join().unwrap_err().is_killed());
        release.send(()).unwrap();
        while done.get() == 0 {
            fibra::sleep(ms(1));
        }
    });
}

/// A job that was taken out of its queue is a fiber that waits for its first turn: with one
/// thread, some number of yields meets that moment.
#[test]
fn the_closure_of_a_job_that_is_killed_before_its_first_turn_is_dropped_on_a_fiber() {
    let before_the_first_turn = Arc::new(Count::default());
    for yields in 0..50 {
        let (tell, told) = std::sync::mpsc::channel();
        let counts = before_the_first_turn.clone();
        fibra::run(move || {
            let handle = fibra::Handle::current();
            // Another fiber is always ready, so the job starts with a turn.
            let busy = fibra::spawn(|| {
                loop {
                    fibra::yield_now();
                }
            });
            let guard = OnDrop(move || tell.send(fibra::in_fiber()).unwrap());
            let ran = Arc::new(Count::default());
            let runs = ran.clone();
            let job = handle.spawn(move || {
                let _guard = guard;
                runs.add();
            });
            (0..yields).for_each(|_| fibra::yield_now());
            job.kill();
            while !job.is_finished() {
                fibra::yield_now();
            }
            (0..100).for_each(|_| fibra::yield_now());
            // The handle is still there: it is not what drops the closure.
            assert_eq!(told.try_recv(), Ok(true), "after {yields} yields");
            if ran.get() == 0 {
                counts.add();
            }
            drop((job, busy));
        });
    }
    assert_ne!(before_the_first_turn.get(), 0);
}
