//! Worker processes: this program, started again to run one of its tests.

use std::cell::Cell;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use fibra::process::{Command, WorkerLost, WorkerPool, worker};
use rustix::process::{Pid, Signal, getpid, kill_process, test_kill_process};

use crate::support::{DONE_LINE, in_child, ms, name_of, stderr};

const WORKER: &str = "FIBRA_TEST_WORKER";

/// The body of the workers, and not a test.
#[test]
fn side_of_the_worker() {
    if std::env::var_os(WORKER).is_none() {
        return;
    }
    println!("This is printed before it is a worker.");
    worker(|request| {
        println!("This is printed while it is one.");
        match &request[..] {
            b"pid" => getpid().as_raw_nonzero().get().to_string().into_bytes(),
            b"die" => {
                kill_process(getpid(), Signal::KILL).unwrap();
                unreachable!()
            }
            b"panic" => panic!("on request"),
            b"hang" => loop {
                std::thread::park();
            },
            _ => request.iter().rev().copied().collect(),
        }
    })
    .unwrap();
}

fn pool(size: usize) -> WorkerPool {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name_of!(side_of_the_worker), "--nocapture", "--test-threads=1"]);
    command.env(WORKER, "1").stderr(fibra::process::Stdio::null());
    WorkerPool::new(command, size).unwrap()
}

fn text(answer: &[u8]) -> String {
    String::from_utf8_lossy(answer).into_owned()
}

#[track_caller]
fn lost(error: &std::io::Error) -> std::process::ExitStatus {
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe, "{error}");
    let lost = error.get_ref().and_then(|inner| inner.downcast_ref::<WorkerLost>());
    lost.unwrap_or_else(|| panic!("{error}")).status()
}

#[test]
fn answers_come_in_the_order_of_the_inputs() {
    fibra::run(|| {
        let pool = pool(3);
        let inputs: Vec<String> = (0..100).map(|i| format!("{i:03}")).collect();
        let answers = pool.map(&inputs);
        let expected = inputs.iter().map(|input| input.chars().rev().collect::<String>());
        let answers: Vec<_> = answers.into_iter().map(|answer| text(&answer.unwrap())).collect();
        assert_eq!(answers, expected.collect::<Vec<_>>());
        assert!(pool.map(Vec::<Vec<u8>>::new()).is_empty());
    });
}

#[test]
fn several_processes_work_at_once() {
    fibra::run(|| {
        let pool = pool(2);
        fibra::scope(|scope| {
            // The call occupies one of the workers for as long as it lasts.
            let hangs = scope.spawn(|| drop(pool.call(b"hang")));
            fibra::yield_now();
            let pids: Vec<_> = (0..5).map(|_| pool.call(b"pid").unwrap()).collect();
            assert!(pids.windows(2).all(|two| two[0] == two[1]));
            assert!(!hangs.is_finished());
            hangs.kill();
        });
    });
}

#[test]
fn a_worker_that_is_killed_fails_its_own_job_and_is_replaced() {
    fibra::run(|| {
        let pool = pool(2);
        let inputs: Vec<&[u8]> = vec![b"ab", b"die", b"cd", b"die", b"ef", b"panic", b"gh"];
        let answers = pool.map(inputs);
        let good: Vec<_> = answers.iter().flatten().map(|answer| text(answer)).collect();
        assert_eq!(good, ["ba", "dc", "fe", "hg"]);
        assert_eq!(lost(answers[1].as_ref().unwrap_err()).signal(), Some(9));
        assert_eq!(lost(answers[3].as_ref().unwrap_err()).signal(), Some(9));
        assert_eq!(lost(answers[5].as_ref().unwrap_err()).code(), Some(101));
        let error = answers[1].as_ref().unwrap_err().to_string();
        assert!(error.contains("before it had answered: signal: 9"), "{error}");
        assert_eq!(pool.size(), 2);
    });
}

#[test]
fn a_worker_that_dies_between_two_calls_is_detected_by_the_next() {
    fibra::run(|| {
        let pool = pool(1);
        let pid: i32 = text(&pool.call(b"pid").unwrap()).parse().unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
        assert_eq!(lost(&pool.call(b"ab").unwrap_err()).signal(), Some(9));
        assert_eq!(pool.call(b"ab").unwrap(), b"ba");
    });
}

#[test]
fn a_call_that_times_out_kills_its_worker() {
    fibra::run(|| {
        let pool = pool(1);
        let pid: i32 = text(&pool.call(b"pid").unwrap()).parse().unwrap();
        assert!(fibra::time::timeout(ms(5), || pool.call(b"hang")).is_err());
        let next = text(&pool.call(b"pid").unwrap());
        assert_ne!(next, pid.to_string());
        // The worker is reaped as well, so it is not even a zombie.
        let start = fibra::now();
        while test_kill_process(Pid::from_raw(pid).unwrap()).is_ok() {
            assert!(fibra::now() - start < Duration::from_secs(30));
            fibra::sleep(ms(1));
        }
    });
}

#[test]
fn large_messages_and_empty_ones() {
    fibra::run(|| {
        let pool = pool(1);
        for size in [0, 1, 65_536, 65_537, 5_000_000] {
            let request: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
            let answer = pool.call(&request).unwrap();
            assert!(answer.iter().rev().eq(&request));
        }
    });
}

#[test]
fn inputs_are_taken_as_workers_get_free() {
    fibra::run(|| {
        let (pool, taken) = (pool(2), Cell::new(0));
        let inputs = (0..20).map(|_| {
            taken.set(taken.get() + 1);
            b"hang"
        });
        assert!(fibra::time::timeout(ms(100), || pool.map(inputs)).is_err());
        assert_eq!(taken.get(), 2);
    });
}

#[test]
fn on_plain_threads_and_on_several_schedulers() {
    let pool = pool(2);
    std::thread::scope(|threads| {
        threads.spawn(|| (0..20).for_each(|_| assert_eq!(pool.call(b"ab").unwrap(), b"ba")));
        for _ in 0..2 {
            let pool = &pool;
            threads.spawn(move || {
                fibra::run(|| {
                    pool.map([b"ab"; 20]).iter().for_each(|answer| {
                        assert_eq!(answer.as_ref().unwrap(), b"ba");
                    })
                });
            });
        }
    });
}

#[test]
fn a_program_that_is_no_worker_is_detected() {
    fibra::run(|| {
        let pool = WorkerPool::new(Command::new("true"), 1).unwrap();
        assert_eq!(lost(&pool.call(b"ab").unwrap_err()).code(), Some(0));
        assert!(WorkerPool::new(Command::new("/nowhere/to/be/found"), 1).is_err());
    });
}

#[test]
fn workers_end_with_their_pool_and_leave_no_zombie() {
    let test = name_of!(workers_end_with_their_pool_and_leave_no_zombie);
    let output = in_child(test, &[], || {
        fibra::run(|| {
            let pool = pool(3);
            assert_eq!(pool.map([b"ab"; 6]).len(), 6);
            drop(pool);
        });
        use rustix::process::{WaitId, WaitIdOptions, waitid};
        while waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).is_ok() {
            std::thread::yield_now();
        }
    });
    assert!(output.status.success() && stderr(&output).ends_with(DONE_LINE), "{}", stderr(&output));
}
