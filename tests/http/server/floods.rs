//! HTTP/2 clients that send frames of their own making: what the server does, and how much it
//! keeps of it.

#![allow(clippy::disallowed_methods, reason = "a client on a thread of its own sends without end")]

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fibra::http::{Http, body, hyper};
use fibra::net::TcpStream;
use fibra::spawn;
use hyper::Response;

use crate::frames::{
    CONTINUATION, END_HEADERS, END_STREAM, GET, GOAWAY, HEADERS, PING, PREFACE, PRIORITY,
    RST_STREAM, SETTINGS, WINDOW_UPDATE, begin, frame, read_frame, request,
};
use crate::server::{CLOSE, connection, eventually, exchange, head, say, serve};
use crate::support::{OnDrop, ms};

/// Reads frames until the end, in a fiber. Returns the code of the GOAWAY, if there was one.
fn read_goaway(stream: &TcpStream) -> fibra::JoinHandle<Option<u32>> {
    let stream = stream.try_clone().unwrap();
    spawn(move || {
        let frames = std::iter::from_fn(|| read_frame(&stream));
        frames.filter(|frame| frame.kind == GOAWAY).last().map(|frame| frame.code())
    })
}

/// Sends `frames` until the server closes or `most` were sent. Returns how many it took.
fn flood(stream: &mut TcpStream, most: usize, frames: impl Fn(u32) -> Vec<u8>) -> usize {
    (0..most).take_while(|n| stream.write_all(&frames(*n as u32)).is_ok()).count()
}

#[test]
fn requests_that_are_reset_immediately_leave_no_handlers_behind() {
    fibra::run(|| {
        let (running, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let (counts, maximum) = (running.clone(), most.clone());
        let (mut stream, serves) = connection(Http::new().max_streams(10), move |_| {
            counts.set(counts.get() + 1);
            maximum.set(maximum.get().max(counts.get()));
            let counts = counts.clone();
            let _counts = OnDrop(move || counts.set(counts.get() - 1));
            fibra::park();
            say("never")
        });
        begin(&mut stream, &[]);
        let goaway = read_goaway(&stream);
        flood(&mut stream, 5_000, |n| {
            let mut frames = request(2 * n + 1);
            frames.extend(frame(RST_STREAM, 0, 2 * n + 1, 8_u32.to_be_bytes()));
            frames
        });
        eventually("all handlers have ended", || running.get() == 0);
        assert!(most.get() <= 20, "{} handlers at a time", most.get());
        drop(stream);
        drop(serves.join().unwrap());
        // ENHANCE_YOUR_CALM, if the server has closed the connection.
        assert!(matches!(goaway.join().unwrap(), None | Some(0 | 11)));
    });
}

#[test]
fn handlers_that_do_not_end_when_killed_are_limited_too() {
    fibra::run(|| {
        let running = Rc::new(Cell::new(0));
        let counts = running.clone();
        let release = Rc::new(fibra::sync::Event::new());
        let holds = release.clone();
        let (mut stream, serves) = connection(Http::new().max_streams(10), move |_| {
            counts.set(counts.get() + 1);
            fibra::shield(|| holds.wait());
            say("never")
        });
        begin(&mut stream, &[]);
        let goaway = read_goaway(&stream);
        let writes = spawn({
            let mut stream = stream.try_clone().unwrap();
            move || {
                flood(&mut stream, 500, |n| {
                    let mut frames = request(2 * n + 1);
                    frames.extend(frame(RST_STREAM, 0, 2 * n + 1, 8_u32.to_be_bytes()));
                    frames
                })
            }
        });
        writes.join().unwrap();
        fibra::sleep(ms(50));
        assert!((1..=20).contains(&running.get()), "{} handlers", running.get());
        release.set();
        // It may be closed already.
        let _ = stream.shutdown(std::net::Shutdown::Both);
        drop((serves.join().unwrap(), goaway.join().unwrap()));
    });
}

#[test]
fn more_streams_than_allowed_are_refused() {
    fibra::run(|| {
        let running = Rc::new(Cell::new(0));
        let counts = running.clone();
        let (mut stream, _serves) = connection(Http::new().max_streams(10), move |_| {
            counts.set(counts.get() + 1);
            fibra::park();
            say("never")
        });
        begin(&mut stream, &[]);
        let _goaway = read_goaway(&stream);
        flood(&mut stream, 50, |n| request(2 * n + 1));
        fibra::sleep(ms(30));
        assert!(running.get() <= 10, "{}", running.get());
    });
}

/// The client reads nothing, so the answers to its frames can only be kept.
#[test]
fn settings_and_pings_whose_answers_are_not_read_make_the_server_stop_reading() {
    fibra::run(|| {
        for (kind, payload) in [(SETTINGS, &[0, 3, 0, 0, 0, 9][..]), (PING, &[0; 8])] {
            let http = Http::new().send_timeout(ms(200)).idle_timeout(ms(200));
            let (mut stream, serves) = connection(http, |_| say("never"));
            begin(&mut stream, &[]);
            // 200 MB, if nobody stops it.
            let burst = frame(kind, 0, 0, payload).repeat(10_000);
            let taken = flood(&mut stream, 1_000, |_| burst.clone());
            assert!(taken < 1_000, "kind {kind}: it took all");
            drop(serves.join().unwrap());
        }
    });
}

#[test]
fn a_head_without_end_is_cut_off() {
    fibra::run(|| {
        let (mut stream, serves) = connection(Http::new(), |_| say("never"));
        begin(&mut stream, &[]);
        let goaway = read_goaway(&stream);
        stream.write_all(&frame(HEADERS, END_STREAM, 1, GET)).unwrap();
        // `x: yyy...` without indexing.
        let mut field = vec![0x00, 1, b'x', 100];
        field.extend([b'y'; 100]);
        let fields = field.repeat(100);
        let taken = flood(&mut stream, 10_000, |_| frame(CONTINUATION, 0, 1, &fields));
        assert!(taken < 10_000);
        assert!(serves.join().unwrap().is_err());
        goaway.join().unwrap();
    });
}

#[test]
fn a_head_that_is_too_large_is_refused_and_the_connection_goes_on() {
    fibra::run(|| {
        let called = Rc::new(Cell::new(0));
        let counts = called.clone();
        let (mut stream, serves) = connection(Http::new().max_head_size(1000), move |_| {
            counts.set(counts.get() + 1);
            say("called")
        });
        begin(&mut stream, &[]);
        let _goaway = read_goaway(&stream);
        let mut large = GET.to_vec();
        for _ in 0..20 {
            large.extend([0x00, 1, b'x', 100]);
            large.extend([b'y'; 100]);
        }
        stream.write_all(&frame(HEADERS, END_STREAM | END_HEADERS, 1, &large)).unwrap();
        stream.write_all(&request(3)).unwrap();
        eventually("the second request is served", || called.get() == 1);
        assert!(!serves.is_finished());
    });
}

#[test]
fn a_client_that_opens_no_window_gets_nothing_and_its_body_waits() {
    fibra::run(|| {
        let written = Rc::new(Cell::new(0));
        let counts = written.clone();
        let (mut stream, serves) = connection(Http::new(), move |_| {
            let (mut writer, body) = body();
            let counts = counts.clone();
            spawn(move || {
                while writer.write_all(&[0; 1000]).is_ok() {
                    counts.set(counts.get() + 1000);
                }
            });
            Response::new(body)
        });
        // SETTINGS_INITIAL_WINDOW_SIZE = 0.
        begin(&mut stream, &[0, 4, 0, 0, 0, 0]);
        let _goaway = read_goaway(&stream);
        for n in 0..10 {
            stream.write_all(&request(2 * n + 1)).unwrap();
        }
        fibra::sleep(ms(50));
        // Each stream has one chunk in its body and one in its writer.
        assert!(written.get() <= 10 * 3 * (16 << 10), "{}", written.get());
        assert!(!serves.is_finished());
    });
}

#[test]
fn a_client_that_takes_nothing_binds_little_memory_with_all_its_streams() {
    fibra::run(|| {
        let written = Rc::new(Cell::new(0));
        let counts = written.clone();
        let (mut stream, serves) = connection(Http::new().send_timeout(ms(300)), move |_| {
            let (mut writer, body) = body();
            let counts = counts.clone();
            spawn(move || {
                while writer.write_all(&[0; 1000]).is_ok() {
                    counts.set(counts.get() + 1000);
                }
            });
            Response::new(body)
        });
        // The largest windows, of streams and of the connection.
        begin(&mut stream, &[0, 4, 0x7f, 0xff, 0xff, 0xff]);
        stream.write_all(&frame(WINDOW_UPDATE, 0, 0, 0x7fff_0000_u32.to_be_bytes())).unwrap();
        for n in 0..100 {
            stream.write_all(&request(2 * n + 1)).unwrap();
        }
        let result = serves.join().unwrap();
        assert!(result.is_err(), "it is cut off after `send_timeout`");
        // 100 streams of 64 KiB and three chunks, and what the sockets hold.
        assert!(written.get() < 30 << 20, "{}", written.get());
    });
}

#[test]
fn bytes_that_are_not_frames_end_the_connection_with_an_error() {
    fibra::run(|| {
        let (mut stream, serves) = connection(Http::new(), |_| say("never"));
        stream.write_all(PREFACE).unwrap();
        stream.write_all(&[0xff; 100]).unwrap();
        assert!(serves.join().unwrap().is_err());
        let mut rest = Vec::new();
        let read: io::Result<usize> = stream.read_to_end(&mut rest);
        drop(read);
    });
}

/// Sends `frames` over and over from a thread of its own, until `stop` or an error.
fn send_without_end(
    address: SocketAddr,
    first: Vec<u8>,
    frames: Vec<u8>,
    stop: Arc<AtomicBool>,
) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.write_all(&first).unwrap();
        let start = Instant::now();
        while !stop.load(Ordering::Relaxed) && start.elapsed() < Duration::from_secs(60) {
            if stream.write_all(&frames).is_err() {
                return;
            }
        }
    })
}

/// Nothing has to be sent for these frames, so nothing ever makes the server wait.
#[test]
fn frames_without_an_answer_that_never_pause_do_not_stop_other_connections() {
    fibra::run(|| {
        let address = serve(Http::new(), |_| say("served"));
        let floods = [
            frame(PRIORITY, 0, 1, [0, 0, 0, 0, 15]),
            frame(WINDOW_UPDATE, 0, 0, [0, 0, 0, 1]),
            frame(0xbb, 0, 0, []),
        ];
        for flood in floods {
            let stop = Arc::new(AtomicBool::new(false));
            let first = [PREFACE, &frame(SETTINGS, 0, 0, [])].concat();
            let floods = send_without_end(address, first, flood.repeat(10_000), stop.clone());
            fibra::sleep(ms(100));
            let start = Instant::now();
            for _ in 0..5 {
                assert!(exchange(address, head("/", CLOSE)).ends_with("served"));
            }
            let took = start.elapsed();
            stop.store(true, Ordering::Relaxed);
            fibra::blocking(move || floods.join()).unwrap();
            assert!(took < Duration::from_secs(40), "kind {}: {took:?}", flood[3]);
        }
    });
}
