//! Sections 3.4, 5.1.2, 5.4, 6.5.3, 6.7, 6.8 and 6.9: the beginning and the end of a connection,
//! its acknowledgements, and the windows of the client.

use std::io::Write;

use fibra::http::Http;
use fibra::net::TcpStream;

use super::{FLOW_CONTROL_ERROR, NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM, handler, parked};
use crate::frames::{
    ACK, DATA, END_HEADERS, END_STREAM, Frame, GOAWAY, HEADERS, PING, POST, PREFACE, RST_STREAM,
    SETTINGS, WINDOW_UPDATE, begin, field, frame, read_frame, request, setting,
};
use crate::server::{connection, read_all};
use crate::support::ms;
use crate::support::net::soon;

fn connect() -> TcpStream {
    connection(Http::new().http2_only(), handler).0
}

/// Reads until a frame that `wanted` accepts.
fn read_until(stream: &TcpStream, mut wanted: impl FnMut(&Frame) -> bool) -> Frame {
    soon(|| {
        loop {
            let frame = read_frame(stream).expect("the connection has ended");
            if wanted(&frame) {
                return frame;
            }
        }
    })
}

/// Reads all that comes until a PING, which is sent now, is answered.
fn read_all_frames(mut stream: &TcpStream) -> Vec<Frame> {
    stream.write_all(&frame(PING, 0, 0, b"the last")).unwrap();
    let mut frames = Vec::new();
    soon(|| {
        while let Some(frame) = read_frame(stream) {
            if frame.kind == PING {
                return;
            }
            frames.push(frame);
        }
    });
    frames
}

#[test]
fn a_connection_begins_with_settings() {
    fibra::run(|| {
        let mut stream = connect();
        begin(&mut stream, &[]);
        let first = read_frame(&stream).unwrap();
        assert_eq!((first.kind, first.flags & ACK, first.stream), (SETTINGS, 0, 0));
        assert_eq!(first.payload.len() % 6, 0);
        let ack = read_until(&stream, |frame| frame.kind == SETTINGS);
        assert_eq!((ack.flags, ack.payload.len()), (ACK, 0));
    });
}

/// Section 3.4.
#[test]
fn a_connection_with_a_wrong_beginning_ends() {
    fibra::run(|| {
        let mut wrong = PREFACE.to_vec();
        wrong[20] = b'X';
        let mut stream = connect();
        stream.write_all(&wrong).unwrap();
        stream.write_all(&frame(SETTINGS, 0, 0, [])).unwrap();
        soon(|| read_all(&mut stream));

        let mut stream = connect();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        soon(|| read_all(&mut stream));
    });
}

/// Sections 5.4.1 and 6.8: the last number lets a client know which requests to repeat.
#[test]
fn an_error_names_the_last_stream_that_was_handled() {
    fibra::run(|| {
        let mut stream = connect();
        begin(&mut stream, &[]);
        stream.write_all(&[parked(1), parked(5)].concat()).unwrap();
        stream.write_all(&frame(PING, 0, 1, [0; 8])).unwrap();
        let goaway = read_until(&stream, |frame| frame.kind == GOAWAY);
        assert_eq!(goaway.code(), PROTOCOL_ERROR);
        assert_eq!(goaway.payload[..4], [0, 0, 0, 5]);
        assert_eq!(soon(|| read_all(&mut stream)), "");
    });
}

/// Section 5.1.2.
#[test]
fn a_request_beyond_the_limit_is_refused_and_may_be_repeated() {
    fibra::run(|| {
        let http = Http::new().http2_only().max_streams(2);
        let (mut stream, _serves) = connection(http, handler);
        begin(&mut stream, &[]);
        let settings = read_frame(&stream).unwrap();
        assert!(settings.payload.chunks(6).any(|entry| entry == [0, 3, 0, 0, 0, 2]));
        stream.write_all(&frame(SETTINGS, ACK, 0, [])).unwrap();
        stream.write_all(&[parked(1), parked(3), request(5)].concat()).unwrap();
        let refused = read_until(&stream, |frame| frame.kind == RST_STREAM);
        assert_eq!((refused.stream, refused.code()), (5, REFUSED_STREAM));
        // A stream that has ended makes room.
        stream.write_all(&frame(RST_STREAM, 0, 1, 8_u32.to_be_bytes())).unwrap();
        stream.write_all(&request(7)).unwrap();
        let answered = read_until(&stream, |frame| frame.kind == HEADERS);
        assert_eq!(answered.stream, 7);
    });
}

/// Section 6.7.
#[test]
fn a_ping_is_answered_with_its_payload_and_an_answer_is_not() {
    fibra::run(|| {
        let mut stream = connect();
        begin(&mut stream, &[]);
        stream.write_all(&frame(PING, ACK, 0, b"answered")).unwrap();
        stream.write_all(&frame(PING, 0, 0, b"question")).unwrap();
        let ping = read_until(&stream, |frame| frame.kind == PING);
        assert_eq!((ping.flags, ping.stream, &*ping.payload), (ACK, 0, &b"question"[..]));
    });
}

/// Section 6.5.3.
#[test]
fn settings_apply_in_their_order_and_are_acknowledged_once_each() {
    fibra::run(|| {
        let mut stream = connect();
        // Two values of INITIAL_WINDOW_SIZE in one frame: the last one counts.
        begin(&mut stream, &[0, 4, 0, 0, 0, 100, 0, 4, 0, 0, 0, 1]);
        stream.write_all(&setting(4, 1)).unwrap();
        stream.write_all(&request(1)).unwrap();
        let mut acks = 0;
        let first = read_until(&stream, |frame| {
            acks += usize::from(frame.kind == SETTINGS && frame.flags == ACK);
            frame.kind == DATA
        });
        assert_eq!((first.payload.len(), acks), (1, 2));
    });
}

/// Sections 6.9.1 and 6.9.2.
#[test]
fn a_response_keeps_to_the_windows_of_the_client() {
    fibra::run(|| {
        let answer = |_| crate::server::say("0123456789");
        let (mut stream, _serves) = connection(Http::new().http2_only(), answer);
        begin(&mut stream, &[0, 4, 0, 0, 0, 3]);
        stream.write_all(&request(1)).unwrap();
        let data = |frame: &Frame| frame.kind == DATA;
        assert_eq!(read_until(&stream, data).payload, b"012");
        fibra::sleep(ms(10));
        assert!(!read_all_frames(&stream).iter().any(data), "the window is used up");

        stream.write_all(&frame(WINDOW_UPDATE, 0, 1, [0, 0, 0, 2])).unwrap();
        assert_eq!(read_until(&stream, data).payload, b"34");
        // A smaller initial size makes the window negative: -2, and then 1.
        stream.write_all(&setting(4, 1)).unwrap();
        stream.write_all(&frame(WINDOW_UPDATE, 0, 1, [0, 0, 0, 2])).unwrap();
        fibra::sleep(ms(10));
        assert!(!read_all_frames(&stream).iter().any(data), "the window is not positive");
        stream.write_all(&frame(WINDOW_UPDATE, 0, 1, [0, 0, 0, 1])).unwrap();
        assert_eq!(read_until(&stream, data).payload, b"5");
        // A larger one opens the windows of all streams.
        stream.write_all(&setting(4, 100)).unwrap();
        let rest = read_until(&stream, data);
        assert_eq!((&*rest.payload, rest.flags), (&b"6789"[..], END_STREAM));
    });
}

/// Section 6.9.1.
#[test]
fn a_client_keeps_to_the_window_that_the_server_has_given() {
    fibra::run(|| {
        let mut stream = connect();
        begin(&mut stream, &[]);
        let settings = read_frame(&stream).unwrap();
        let window = settings.payload.chunks(6).find(|entry| entry[..2] == [0, 4]).unwrap();
        let window = u32::from_be_bytes(window[2..].try_into().unwrap()) as usize;
        assert_eq!(window, 1 << 20);
        let update = read_until(&stream, |frame| frame.kind == WINDOW_UPDATE);
        let connection = 65_535 + u32::from_be_bytes((&*update.payload).try_into().unwrap());
        assert!(window <= connection as usize, "one stream may not stop the others");
        stream.write_all(&frame(SETTINGS, ACK, 0, [])).unwrap();
        // A request whose handler never reads.
        let fields = [&POST[..2], &field(":path", "/park"), &POST[3..]].concat();
        stream.write_all(&frame(HEADERS, END_HEADERS, 1, fields)).unwrap();
        let chunk = frame(DATA, 0, 1, vec![0; 1 << 14]);
        stream.write_all(&chunk.repeat(window >> 14)).unwrap();
        assert!(!read_all_frames(&stream).iter().any(|frame| frame.kind == GOAWAY));
        stream.write_all(&frame(DATA, 0, 1, "x")).unwrap();
        let refused = read_until(&stream, |frame| matches!(frame.kind, GOAWAY | RST_STREAM));
        assert_eq!(refused.code(), FLOW_CONTROL_ERROR);
    });
}

/// Section 8.1: the answer is complete, and the reset only stops the upload.
#[test]
fn an_answer_before_the_end_of_the_request_is_followed_by_a_reset_without_an_error() {
    fibra::run(|| {
        let refuses = |_| crate::server::say("refused");
        let (mut stream, _serves) = connection(Http::new().http2_only(), refuses);
        begin(&mut stream, &[]);
        stream.write_all(&frame(HEADERS, END_HEADERS, 1, POST)).unwrap();
        let data = read_until(&stream, |frame| frame.kind == DATA);
        assert_eq!((&*data.payload, data.flags), (&b"refused"[..], END_STREAM));
        let reset = read_until(&stream, |frame| frame.kind == RST_STREAM);
        assert_eq!((reset.stream, reset.code()), (1, NO_ERROR));
    });
}

/// Section 6.8.
#[test]
fn a_client_that_leaves_gets_its_answers_and_then_the_end() {
    fibra::run(|| {
        let mut stream = connect();
        begin(&mut stream, &[]);
        stream.write_all(&request(1)).unwrap();
        let mut leaves = 0_u32.to_be_bytes().to_vec();
        leaves.extend(NO_ERROR.to_be_bytes());
        stream.write_all(&frame(GOAWAY, 0, 0, leaves)).unwrap();
        let answered = read_until(&stream, |frame| frame.kind == DATA);
        assert_eq!(answered.stream, 1);
        soon(|| while read_frame(&stream).is_some() {});
    });
}
