//! `http::get`: the client that it uses, and how long that lives.

#![allow(clippy::disallowed_methods, reason = "the threads of the server end with the process")]

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::rc::Rc;
use std::thread;

use fibra::http;

use crate::client_help::{Site, say};
use crate::support::{OnDrop, go, ms, panic_of};

#[test]
fn calls_of_all_fibers_share_connections() {
    fibra::run(|| {
        let site = Site::new(|request| say(request.uri().to_string()));
        for path in ["/a", "/b"] {
            assert_eq!(http::get(site.url(path)).unwrap().text().unwrap(), path);
        }
        let url = site.url("/c");
        let other = fibra::spawn(move || http::get(&url)?.text());
        assert_eq!(other.join().unwrap().unwrap(), "/c");
        assert_eq!(site.connections.get(), 1);
    });
}

#[test]
fn a_mistake_in_the_url_is_an_error() {
    fibra::run(|| {
        assert!(http::get("no url").unwrap_err().is_builder());
        assert!(http::get("ftp://host.test/").unwrap_err().is_builder());
    });
}

#[test]
fn outside_of_a_fiber_it_panics() {
    let text = panic_of(|| http::get("http://localhost:1/").is_ok());
    assert!(text.contains("fiber"), "{text}");
}

/// Answers requests on a plain thread, and sends the number of requests of each connection after
/// its end.
fn serve() -> (String, std::sync::mpsc::Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (ended, ends) = std::sync::mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, ended) = (stream.unwrap(), ended.clone());
            thread::spawn(move || {
                let (mut head, mut buffer, mut served) = (Vec::new(), [0; 1024], 0);
                while let Ok(length @ 1..) = stream.read(&mut buffer) {
                    head.extend_from_slice(&buffer[..length]);
                    if head.ends_with(b"\r\n\r\n") {
                        head.clear();
                        served += 1;
                        stream
                            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                            .unwrap();
                    }
                }
                ended.send(served).unwrap();
            });
        }
    });
    (url, ends)
}

#[test]
fn connections_end_with_their_run() {
    let (url, ends) = serve();
    for _ in 0..2 {
        fibra::run(|| {
            for _ in 0..3 {
                assert_eq!(http::get(&url).unwrap().text().unwrap(), "ok");
            }
            assert!(ends.try_recv().is_err());
        });
        assert_eq!(ends.recv().unwrap(), 3);
    }
}

#[test]
fn each_scheduler_of_a_runtime_has_its_own() {
    let (url, ends) = serve();
    let runtime = fibra::Runtime::builder().threads(2).build().unwrap();
    runtime.run(|| {
        let jobs = [(); 8].map(|()| {
            let url = url.clone();
            fibra::Handle::current().spawn(move || {
                for _ in 0..10 {
                    assert_eq!(http::get(&url).unwrap().text().unwrap(), "ok");
                    fibra::sleep(ms(1));
                }
            })
        });
        jobs.into_iter().for_each(|job| job.join().unwrap());
    });
    let mut served = 0;
    while served < 80 {
        served += ends.recv().unwrap();
    }
    assert_eq!(served, 80);
}

#[test]
fn a_destructor_that_fetches_at_the_end_of_a_run_gets_an_error_or_a_response() {
    let (url, ends) = serve();
    let tried = Rc::new(RefCell::new(Vec::new()));
    let log = tried.clone();
    fibra::run(move || {
        assert_eq!(http::get(&url).unwrap().text().unwrap(), "ok");
        let log = log.clone();
        go(move || {
            let _fetches = OnDrop(move || log.borrow_mut().push(http::get(&url).is_ok()));
            fibra::park();
        });
        fibra::yield_now();
    });
    assert_eq!(tried.borrow().len(), 1);
    assert!(ends.recv().unwrap() <= 2);
}
