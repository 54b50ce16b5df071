//! The ends of a job: a value, a failure with its text, a time limit, retries, a schedule.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::rq::{Job, Outcome};
use crate::{Process, ask, failure, number, result, with_queue};

#[test]
fn each_failure_has_its_text() {
    let Some(server) = fibra_crates::redis() else { return };
    let worker = Process::worker(&server, &[]);
    with_queue(&server, |queue| {
        let enqueue = |job: Job| queue.enqueue(&job).unwrap();
        let jobs = [
            (enqueue(Job::new("tasks.fail").arg("out of cheese")), "tasks.fail: out of cheese"),
            (enqueue(Job::new("tasks.panic").arg("at the disco")), "at the disco"),
            (enqueue(Job::new("tasks.none")), "no function `tasks.none` in this worker"),
            (enqueue(Job::new("tasks.add").arg(1)), "the argument `b` must be a number"),
            (
                enqueue(Job::new("tasks.sleep").arg(50).timeout(Duration::from_secs(1))),
                "it took longer than its time limit of 1 seconds",
            ),
        ];
        // What Python writes without `serializer="json"`.
        ask::<u64>(&server, &["HSET", "rq:job:pickled", "data", "\u{1}pickle", "status", "queued"]);
        ask::<u64>(&server, &["RPUSH", "rq:queue:default", "pickled"]);
        for (id, text) in &jobs {
            let failed = failure(queue, id);
            assert!(failed.contains(text), "{failed}");
            assert_eq!(queue.status(id).unwrap().as_deref(), Some("failed"));
        }
        assert!(failure(queue, "pickled").contains("not a call in JSON"));
    });
    assert_eq!(ask::<u64>(&server, &["ZCARD", "rq:failed:default"]), 6);
    assert_eq!(ask::<u64>(&server, &["ZCARD", "rq:wip:default"]), 0);
    assert_eq!(number(&worker.end(), "failed"), 6);
}

#[test]
fn a_job_that_fails_is_retried_after_its_intervals() {
    let Some(server) = fibra_crates::redis() else { return };
    let worker = Process::worker(&server, &[]);
    let start = Instant::now();
    with_queue(&server, |queue| {
        let job = Job::new("tasks.fail").arg("again").retry(2, &[1, 2]);
        let id = queue.enqueue(&job).unwrap();
        assert!(failure(queue, &id).contains("again"));
    });
    // Scores are whole seconds: an interval may be up to a second shorter.
    assert!(start.elapsed() > Duration::from_millis(1000), "{:?}", start.elapsed());
    assert_eq!(number(&worker.end(), "failed"), 3);
}

#[test]
fn a_scheduled_job_runs_when_it_is_due() {
    let Some(server) = fibra_crates::redis() else { return };
    let _worker = Process::worker(&server, &[]);
    with_queue(&server, |queue| {
        let job = Job::new("tasks.add").arg(1).arg(1).result_ttl(Duration::from_secs(100));
        let id = queue.enqueue_in(Duration::from_secs(3), &job).unwrap();
        fibra::sleep(Duration::from_millis(1500));
        assert_eq!(queue.status(&id).unwrap().as_deref(), Some("scheduled"));
        assert_eq!(result(queue, &id), Outcome::Returned(json!(2.0)));
        let left: u64 = ask(&server, &["TTL", &format!("rq:job:{id}")]);
        assert!((50..=100).contains(&left), "{left}");
    });
}

#[test]
fn a_job_with_the_name_of_another_is_not_enqueued() {
    let Some(server) = fibra_crates::redis() else { return };
    with_queue(&server, |queue| {
        let job = Job::new("tasks.add").arg(1).arg(1).id("only-once");
        assert_eq!(queue.enqueue(&job).unwrap(), "only-once");
        assert_eq!(queue.enqueue(&job).unwrap(), "only-once");
    });
    assert_eq!(ask::<u64>(&server, &["LLEN", "rq:queue:default"]), 1);
    let report = Process::worker(&server, &["--burst"]).output();
    assert_eq!(number(&String::from_utf8_lossy(&report.stdout), "finished"), 1);
}
