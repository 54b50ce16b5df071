//! Connections of a server that are killed, or asked to end, after each number of switches.

use std::cell::Cell;
use std::io::{Read, Write};
use std::rc::Rc;

use fibra::http::{BodyReader, Http, StreamBody, body, hyper};
use fibra::net::TcpStream;
use hyper::{Request, Response};

use super::{MOST, fibers, switch, wait_for_fibers};
use crate::support::OnDrop;
use crate::support::net::{pair, soon};

/// How a connection is ended.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Kill,
    Client,
}

/// Reads the body of the request and writes it as that of the response, in small parts.
fn echo(request: Request<BodyReader>, running: &Rc<Cell<i32>>) -> Response<StreamBody> {
    running.set(running.get() + 1);
    let counts = running.clone();
    let ends = OnDrop(move || counts.set(counts.get() - 1));
    let mut incoming = request.into_body();
    let mut first = [0; 1000];
    let length = incoming.read(&mut first).unwrap_or(0);
    let (mut writer, outgoing) = body();
    fibra::spawn(move || {
        let _ends = ends;
        let mut length = length;
        let mut buffer = first;
        while length != 0 && writer.write_all(&buffer[..length]).is_ok() {
            fibra::yield_now();
            length = incoming.read(&mut buffer).unwrap_or(0);
        }
        writer.finish()
    });
    Response::new(outgoing)
}

/// Sends a request in parts, and reads what comes back.
fn exchange(stream: &TcpStream, requests: &[u8]) -> Vec<u8> {
    let (mut reads, mut writes) = (stream, stream.try_clone().unwrap());
    let parts: Vec<Vec<u8>> = requests.chunks(7_000).map(<[u8]>::to_vec).collect();
    let sends = fibra::spawn(move || {
        parts.iter().all(|part| {
            fibra::yield_now();
            writes.write_all(part).is_ok()
        })
    });
    let mut answer = Vec::new();
    drop(reads.read_to_end(&mut answer));
    drop(sends.join());
    answer
}

fn attack(end: End, http: &Http, requests: &[u8], is_whole: fn(&[u8]) -> bool) {
    let before = fibers();
    let running = Rc::new(Cell::new(0));
    let mut whole = 0;
    for switches in 0..MOST {
        let (here, there) = pair();
        let (http, counts) = (http.clone(), running.clone());
        let serves = fibra::spawn(move || {
            http.serve_connection(there, move |request| echo(request, &counts))
        });
        let (sends, client) = (requests.to_vec(), here.try_clone().unwrap());
        let asks = fibra::spawn(move || exchange(&client, &sends));
        switch(switches);
        let finished = serves.is_finished();
        match end {
            End::Kill => serves.kill(),
            End::Client => drop(here.shutdown(std::net::Shutdown::Both)),
        }
        drop(here);
        let answer = soon(|| asks.join().unwrap());
        drop(soon(|| serves.join()));
        wait_for_fibers(before);
        assert_eq!(running.get(), 0, "{end:?} after {switches} switches");
        if is_whole(&answer) {
            whole += 1;
        }
        if finished && 3 < whole {
            return;
        }
    }
}

fn http1() -> Vec<u8> {
    let head = "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 30000\r\n\r\n";
    [head.as_bytes(), &[b'x'; 30_000]].concat()
}

fn is_whole_http1(answer: &[u8]) -> bool {
    answer.ends_with(b"0\r\n\r\n") && 30_000 <= answer.iter().filter(|byte| **byte == b'x').count()
}

#[test]
fn a_connection_is_killed_after_each_number_of_switches() {
    fibra::run(|| attack(End::Kill, &Http::new(), &http1(), is_whole_http1));
}

#[test]
fn a_connection_is_asked_to_end_after_each_number_of_switches() {
    fibra::run(|| {
        let (before, running) = (fibers(), Rc::new(Cell::new(0)));
        for switches in 0..MOST {
            let http = Http::new();
            let graceful = http.graceful();
            let (here, there) = pair();
            let counts = running.clone();
            let serves = fibra::spawn(move || {
                http.serve_connection(there, move |request| echo(request, &counts))
            });
            let asks = fibra::spawn(move || exchange(&here, &http1()));
            switch(switches);
            let finished = serves.is_finished();
            graceful.shutdown();
            let answer = soon(|| asks.join().unwrap());
            drop(soon(|| serves.join()));
            wait_for_fibers(before);
            assert_eq!(running.get(), 0, "after {switches} switches");
            assert!(answer.is_empty() || is_whole_http1(&answer), "{switches}: {}", answer.len());
            if finished {
                return;
            }
        }
    });
}

#[test]
fn a_client_goes_away_after_each_number_of_switches() {
    fibra::run(|| attack(End::Client, &Http::new(), &http1(), is_whole_http1));
}

#[cfg(feature = "http2")]
#[test]
fn a_connection_of_http_2_is_killed_after_each_number_of_switches() {
    use crate::frames::{DATA, END_HEADERS, END_STREAM, HEADERS, POST, PREFACE, SETTINGS, frame};
    let mut requests = [PREFACE, &frame(SETTINGS, 0, 0, [])].concat();
    for stream in [1, 3] {
        requests.extend(frame(HEADERS, END_HEADERS, stream, POST));
        requests.extend(frame(DATA, 0, stream, [b'x'; 10_000]));
        requests.extend(frame(DATA, END_STREAM, stream, [b'x'; 10_000]));
    }
    let is_whole = |answer: &[u8]| 40_000 <= answer.iter().filter(|byte| **byte == b'x').count();
    fibra::run(move || {
        attack(End::Kill, &Http::new(), &requests, is_whole);
        attack(End::Client, &Http::new(), &requests, is_whole);
    });
}
