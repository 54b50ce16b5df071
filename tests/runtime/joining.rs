//! Tests which code may join a job, and how: a fiber, a plain thread, a future of any runtime.

use std::thread;
use std::time::Instant;

use fibra::JoinError;
use fibra::sync::oneshot;

use crate::on;
use crate::support::{HOUR, ms};

#[test]
fn a_fiber_joins_and_its_neighbours_run_meanwhile() {
    on(2, |handle| {
        let (release, released) = oneshot::<()>();
        let job = handle.spawn_on(1, move || released.recv().map(|()| 42).unwrap());
        let neighbour = fibra::spawn(move || release.send(()).unwrap());
        assert_eq!(job.join(), Ok(42));
        neighbour.join().unwrap();
    });
}

#[test]
fn a_plain_thread_joins() {
    on(2, |handle| {
        let slow = handle.spawn_on(1, || {
            fibra::sleep(ms(5));
            "slow"
        });
        let ended = handle.spawn_on(1, || "ended");
        while !ended.is_finished() {
            fibra::sleep(ms(1));
        }
        let joiner = thread::spawn(move || (slow.join(), ended.join()));
        let both = fibra::blocking(move || joiner.join().unwrap());
        assert_eq!(both, (Ok("slow"), Ok("ended")));
    });
}

#[test]
fn a_fiber_of_another_scheduler_joins_a_job_that_runs_on_the_first() {
    on(2, |handle| {
        let (to, from) = oneshot();
        let joiner = handle.spawn_on(1, move || {
            let job: fibra::RemoteHandle<u32> = from.recv().unwrap();
            job.join()
        });
        to.send(handle.spawn_on(0, || {
            fibra::sleep(ms(2));
            5
        }))
        .unwrap();
        assert_eq!(joiner.join().unwrap(), Ok(5));
    });
}

#[test]
fn a_future_awaits_it_in_a_fiber_on_a_thread_and_in_tokio() {
    on(2, |handle| {
        let job = || {
            handle.spawn(|| {
                fibra::sleep(ms(2));
                6 * 7
            })
        };
        let (first, second, third) = (job(), job(), job());
        assert_eq!(fibra::future::block_on(first), Ok(42));
        let lite = thread::spawn(|| futures_lite::future::block_on(second));
        assert_eq!(fibra::blocking(move || lite.join().unwrap()), Ok(42));
        let tokio = thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build();
            runtime.unwrap().block_on(async { tokio::spawn(third).await.unwrap() })
        });
        assert_eq!(fibra::blocking(move || tokio.join().unwrap()), Ok(42));
    });
}

#[test]
fn a_future_may_change_the_task_that_polls_it() {
    on(2, |handle| {
        let (release, released) = oneshot::<()>();
        let mut job = handle.spawn_on(1, move || released.recv().map(|()| "moved").unwrap());
        // Polled here, and then awaited elsewhere: the task that polled last is woken.
        let poll = futures_lite::future::poll_once(&mut job);
        assert_eq!(fibra::future::block_on(poll), None);
        let elsewhere = thread::spawn(move || futures_lite::future::block_on(job));
        fibra::sleep(ms(2));
        release.send(()).unwrap();
        assert_eq!(fibra::blocking(move || elsewhere.join().unwrap()), Ok("moved"));
    });
}

#[test]
fn a_join_with_a_time_limit_leaves_the_job_alone() {
    on(2, |handle| {
        let (release, released) = oneshot::<()>();
        let mut job = handle.spawn_on(1, move || released.recv().map(|()| 1).unwrap());
        assert!(job.join_timeout(ms(1)).is_none());
        assert!(job.join_deadline(fibra::now() + ms(1)).is_none());
        assert!(job.try_join().is_none() && !job.is_finished());
        assert!(fibra::time::timeout(ms(1), || job.join_timeout(HOUR)).is_err());
        // On a plain thread too.
        let thread = thread::spawn(move || {
            let begun = Instant::now();
            assert!(job.join_timeout(ms(2)).is_none());
            assert!(ms(2) <= begun.elapsed());
            job
        });
        let mut job = fibra::blocking(move || thread.join().unwrap());
        release.send(()).unwrap();
        assert_eq!(job.join_timeout(HOUR), Some(Ok(1)));
        assert_eq!(job.join(), Err(JoinError::Taken));
    });
}

#[test]
fn an_ended_job_is_finished_and_its_output_is_taken_once() {
    on(2, |handle| {
        let mut job = handle.spawn(|| String::from("once"));
        while !job.is_finished() {
            fibra::sleep(ms(1));
        }
        assert_eq!(job.try_join(), Some(Ok(String::from("once"))));
        assert_eq!(job.try_join(), Some(Err(JoinError::Taken)));
        assert!(job.is_finished());
    });
}

#[test]
fn a_handle_crosses_between_threads_and_outlives_its_runtime() {
    let job = on(2, |handle| {
        let job = handle.spawn(|| 9);
        while !job.is_finished() {
            fibra::sleep(ms(1));
        }
        job
    });
    assert_eq!(thread::spawn(|| job.join()).join().unwrap(), Ok(9));
}

#[test]
fn a_thousand_fibers_join_a_job_each() {
    on(2, |handle| {
        let joiners: Vec<_> = (0..1_000_u64)
            .map(|n| {
                let handle = handle.clone();
                fibra::spawn(move || handle.spawn(move || n).join().unwrap())
            })
            .collect();
        let sum: u64 = joiners.into_iter().map(|joiner| joiner.join().unwrap()).sum();
        assert_eq!(sum, 999 * 1_000 / 2);
    });
}

#[test]
fn a_choice_waits_for_a_job_on_another_thread_beside_a_channel_and_a_timer() {
    on(2, |handle| {
        let (_sender, receiver) = fibra::sync::mpmc::unbounded::<u32>();
        for _ in 0..50 {
            let mut job = handle.spawn_on(1, || {
                fibra::yield_now();
                7
            });
            fibra::select! {
                output = join(&mut job) => assert_eq!(output, Ok(7)),
                value = recv(receiver) => panic!("nothing was sent: {value:?}"),
                after(HOUR) => panic!("the job has ended long ago"),
            }
            let mut parked = handle.spawn_on(1, fibra::park);
            fibra::select! {
                output = join(&mut parked) => panic!("it waits: {output:?}"),
                after(ms(1)) => parked.kill(),
            }
            assert!(parked.join().unwrap_err().is_killed());
        }
    });
}
