//! Python enqueues and fibers work, and the other way round.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::thread;

use fibra_crates::Server;
use serde_json::json;

use crate::rq::{Job, Outcome};
use crate::{Process, ask, example, failure, folder, number, result, url, with_queue};

/// Serves N words at the path `/N`, and 404 elsewhere, until the test ends. Returns the address.
fn serve_words() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there are free ports");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..read]);
            let path = request.split(' ').nth(1).unwrap_or("/").trim_start_matches('/').to_owned();
            let (status, body) = match path.parse() {
                Ok(number) => ("200 OK", "word ".repeat(number)),
                Err(_) => ("404 Not Found", String::new()),
            };
            let length = body.len();
            let head =
                format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close");
            let _ = stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes());
        }
    });
    format!("http://{address}")
}

fn rq_command(python: &Path, server: &Server, words: &[&str]) -> Command {
    let mut command = Command::new(python);
    command.args(["-c", "from rq.cli import main; main()"]).args(words);
    command.args(["--url", &url(server)]).current_dir(folder()).env("PYTHONPATH", folder());
    command
}

#[test]
fn python_enqueues_and_fibers_count_words() {
    let Some(server) = fibra_crates::redis() else { return };
    let Some(python) = fibra_crates::python_with("rq") else { return };
    let (worker, pages) = (Process::worker(&server, &[]), serve_words());
    let urls = ["3", "500", "none"].map(|page| format!("{pages}/{page}"));
    let mut enqueue = Command::new(&python);
    enqueue.arg("enqueue.py").arg(url(&server)).arg("default").args(&urls).current_dir(folder());
    let output = enqueue.output().expect("it is installed");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(printed.contains("/3: 3 words") && printed.contains("/500: 500 words"), "{printed}");
    assert!(printed.contains("none: failed\ntasks.count_words_at_url: "), "{printed}");
    assert!(printed.contains("404"), "{printed}");

    // RQ's own tools see the worker and the registries.
    let info = rq_command(&python, &server, &["info"]).output().expect("it is installed");
    let info = String::from_utf8_lossy(&info.stdout);
    assert!(info.contains("2 finished, 1 failed") && info.contains("1 workers"), "{info}");
    let report = worker.end();
    assert_eq!((number(&report, "finished"), number(&report, "failed")), (2, 3), "{report}");
    let info = rq_command(&python, &server, &["info"]).output().expect("it is installed");
    assert!(String::from_utf8_lossy(&info.stdout).contains("0 workers"));
}

#[test]
fn fibers_enqueue_and_python_works() {
    let Some(server) = fibra_crates::redis() else { return };
    let Some(python) = fibra_crates::python_with("rq") else { return };
    let serializer = "rq.serializers.JSONSerializer";
    let words = ["worker", "--serializer", serializer, "default"];
    let _worker = Process::start(&mut rq_command(&python, &server, &words));
    let pages = serve_words();
    with_queue(&server, |queue| {
        let add = queue.enqueue(&Job::new("tasks.add").arg(2).kwarg("b", 3)).unwrap();
        let fail = queue.enqueue(&Job::new("tasks.fail").arg("no such thing")).unwrap();
        assert_eq!(result(queue, &add), Outcome::Returned(json!(5)));
        assert!(failure(queue, &fail).contains("ValueError: no such thing"));
    });
    let urls = ["4", "40"].map(|page| format!("{pages}/{page}"));
    let mut enqueue = Command::new(example("rq_enqueue"));
    let output = enqueue.arg(url(&server)).arg("default").args(&urls).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains("/4: 4 words") && printed.contains("/40: 40 words"), "{printed}");
}

#[test]
fn jobs_that_depend_on_others_run_after_them() {
    let Some(server) = fibra_crates::redis() else { return };
    let Some(python) = fibra_crates::python_with("rq") else { return };
    let code = "import sys; from redis import Redis; from rq import Queue\n\
        queue = Queue(connection=Redis.from_url(sys.argv[1]), serializer='json')\n\
        first = queue.enqueue('tasks.add', 1, 2)\n\
        second = queue.enqueue('tasks.add', 3, 4, depends_on=first)\n\
        third = queue.enqueue('tasks.add', 5, 6, depends_on=[first, second])\n\
        print(third.latest_result(timeout=30).return_value)";
    let _worker = Process::worker(&server, &[]);
    let output = Command::new(python).args(["-c", code]).arg(url(&server)).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(printed.trim(), "11.0", "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(ask::<u64>(&server, &["ZCARD", "rq:deferred:default"]), 0);
    assert_eq!(ask::<u64>(&server, &["ZCARD", "rq:finished:default"]), 3);
}
