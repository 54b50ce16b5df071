//! Workers that are killed or asked to end, and a server that is gone: nothing is lost.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::rq::{Job, Outcome};
use crate::{Process, ask, example, failure, number, result, url, wait_for_status, with_queue};

fn sleep(seconds: f64) -> Job {
    Job::new("tasks.sleep").arg(seconds)
}

#[test]
fn a_job_of_a_killed_worker_is_found() {
    let Some(server) = fibra_crates::redis() else { return };
    let killed = Process::worker(&server, &[]);
    with_queue(&server, |queue| {
        let retried = queue.enqueue(&sleep(1.5).retry(1, &[])).unwrap();
        let failed = queue.enqueue(&sleep(1.5)).unwrap();
        [&retried, &failed].iter().for_each(|id| wait_for_status(queue, id, "started"));
        killed.signal("-KILL");
        let worker = Process::worker(&server, &[]);
        assert_eq!(result(queue, &retried), Outcome::Returned(json!("slept")));
        assert!(failure(queue, &failed).contains("abandoned"));
        assert_eq!(number(&worker.end(), "finished"), 1);
    });
    assert_eq!(ask::<u64>(&server, &["ZCARD", "rq:wip:default"]), 0);
}

#[test]
fn an_interrupt_lets_jobs_end_and_takes_no_other() {
    let Some(server) = fibra_crates::redis() else { return };
    let worker = Process::worker(&server, &["--jobs", "3", "--grace", "2"]);
    with_queue(&server, |queue| {
        let mut short = vec![];
        for _ in 0..2 {
            short.push(queue.enqueue(&sleep(1.0)).unwrap());
        }
        let long = queue.enqueue(&sleep(100.0)).unwrap();
        let waiting = queue.enqueue(&sleep(0.0)).unwrap();
        short.iter().chain([&long]).for_each(|id| wait_for_status(queue, id, "started"));
        let start = Instant::now();
        let report = worker.end();
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        assert_eq!(
            (number(&report, "finished"), number(&report, "given_back")),
            (2, 1),
            "{report}"
        );
        for id in [&long, &waiting] {
            assert_eq!(queue.status(id).unwrap().as_deref(), Some("queued"));
        }
    });
    let waiting: Vec<String> = ask(&server, &["LRANGE", "rq:queue:default", "0", "-1"]);
    assert_eq!(waiting.len(), 2);
}

#[test]
fn several_processes_share_the_jobs() {
    let Some(server) = fibra_crates::redis() else { return };
    let workers = [0; 3].map(|_| Process::worker(&server, &["--jobs", "5"]));
    with_queue(&server, |queue| {
        let job = |_| queue.enqueue(&sleep(0.05)).unwrap();
        let jobs: Vec<String> = (0..300).map(job).collect();
        jobs.iter().for_each(|id| drop(result(queue, id)));
    });
    let reports = workers.map(Process::end);
    let finished = reports.each_ref().map(|report| number(report, "finished"));
    assert_eq!(finished.iter().sum::<u64>(), 300, "{reports:?}");
    assert!(finished.iter().all(|&finished| finished > 0), "{reports:?}");
}

#[test]
fn a_server_that_is_gone_at_the_start_is_a_clear_error() {
    let Some(server) = fibra_crates::redis() else { return };
    let gone = url(&server);
    drop(server);
    let mut worker = Command::new(example("rq_worker"));
    let output = worker.args(["--patience", "1", &gone]).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(errors.contains("cannot reach Redis at 127.0.0.1:"), "{errors}");
}

#[test]
fn a_wrong_password_is_a_clear_error() {
    let Some(server) = fibra_crates::redis() else { return };
    let url = format!("redis://:secret@127.0.0.1:{}", server.port);
    let output = Command::new(example("rq_worker")).arg(url).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(errors.contains("Redis refuses: ") && !errors.contains("secret"), "{errors}");
}

#[test]
fn nothing_is_lost_when_the_server_is_killed_under_load() {
    let Some(mut server) = fibra_crates::durable_redis() else { return };
    let workers = [0; 2].map(|_| Process::worker(&server, &["--jobs", "10"]));
    let (url, port) = (url(&server), server.port);
    // The client enqueues and waits while the server is killed and started again twice.
    let client = thread::spawn(move || {
        fibra::Runtime::builder().tokio().build().unwrap().run(|| {
            let link = std::rc::Rc::new(crate::rq::Link::new(&url, crate::LIMIT).unwrap());
            let queue = crate::rq::Queue::new(&link, "default");
            let mut jobs = vec![];
            for n in 0..400 {
                let job = sleep(0.02).retry(5, &[]).id(format!("job-{port}-{n}"));
                jobs.push(queue.enqueue(&job).unwrap());
                fibra::sleep(Duration::from_millis(5));
            }
            let done = |id: &String| result(&queue, id) == Outcome::Returned(json!("slept"));
            jobs.iter().filter(|id| done(id)).count()
        })
    });
    for _ in 0..2 {
        thread::sleep(Duration::from_millis(700));
        server.restart(Duration::from_millis(500));
    }
    assert_eq!(client.join().unwrap(), 400);
    assert_eq!(ask::<u64>(&server, &["ZCARD", "rq:finished:default"]), 400);
    assert_eq!(ask::<u64>(&server, &["ZCARD", "rq:wip:default"]), 0);
    let reports = workers.map(Process::end);
    let finished = reports.each_ref().map(|report| number(report, "finished"));
    // A report that was lost with its connection counts as lost and not as finished.
    assert!(finished.iter().sum::<u64>() <= 400, "{reports:?}");
}
