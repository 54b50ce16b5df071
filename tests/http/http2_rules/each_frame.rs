//! Section 6: the form of each type of frame, and the streams on which it may stand.

use super::{
    Answers, Case, Ends, EndsLike, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, Nothing, OK,
    PROTOCOL_ERROR, Resets, check, data, head, parked, post,
};
use crate::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GET, GOAWAY, HAS_PRIORITY, HEADERS, PADDED,
    PING, PRIORITY, PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE, field, frame, request,
    setting,
};

const WHOLE: u8 = END_STREAM | END_HEADERS;
const LARGEST_WINDOW: u32 = 0x7fff_ffff;
/// The first byte of a head that begins with a new size of the table.
const NEW_SIZE: u8 = 0x20;

#[test]
fn data_stands_on_a_stream_and_its_padding_fits() {
    let padded = |payload: &[u8]| [post(1), frame(DATA, PADDED | END_STREAM, 1, payload)].concat();
    let cases: [Case; 7] = [
        ("6.1", "DATA on stream 0", data(0, 0, "x"), Ends(PROTOCOL_ERROR)),
        ("6.1", "DATA with padding", padded(&[3, b'x', 0, 0, 0]), Answers(1, OK)),
        ("6.1", "DATA of padding only", padded(&[3, 0, 0, 0]), Answers(1, OK)),
        ("6.1", "padding as long as the payload", padded(&[4, 0, 0, 0]), Ends(PROTOCOL_ERROR)),
        ("6.1", "padding longer than the payload", padded(&[200, 0]), Ends(PROTOCOL_ERROR)),
        // The RFC's error of the size of frames is as right as this one.
        ("6.1", "no room for the length of the padding", padded(&[]), Ends(PROTOCOL_ERROR)),
        ("6.1", "DATA without a byte", [post(1), data(END_STREAM, 1, "")].concat(), {
            Answers(1, OK)
        }),
    ];
    check(cases);
}

#[test]
fn a_head_stands_on_a_stream_and_its_padding_fits() {
    let padded = |length: u8, zeros: usize| {
        let payload = [&[length][..], GET, &vec![0; zeros]].concat();
        frame(HEADERS, WHOLE | PADDED, 1, payload)
    };
    let with_priority = [&[0, 0, 0, 0, 15][..], GET].concat();
    let both = [&[2, 0, 0, 0, 0, 15][..], GET, &[0, 0]].concat();
    let cases: [Case; 8] = [
        ("6.2", "a head on stream 0", request(0), Ends(PROTOCOL_ERROR)),
        ("6.2", "a head with padding", padded(5, 5), Answers(1, OK)),
        ("6.2", "padding longer than the payload", padded(200, 5), Ends(PROTOCOL_ERROR)),
        (
            "6.2",
            "padding as long as the payload",
            frame(HEADERS, WHOLE | PADDED, 1, [2, 0]),
            Ends(PROTOCOL_ERROR),
        ),
        (
            "6.2",
            "a head with a priority",
            frame(HEADERS, WHOLE | HAS_PRIORITY, 1, with_priority),
            Answers(1, OK),
        ),
        (
            "6.2",
            "a head with padding and a priority",
            frame(HEADERS, WHOLE | HAS_PRIORITY | PADDED, 1, both),
            Answers(1, OK),
        ),
        (
            "6.2",
            "no room for the priority",
            frame(HEADERS, WHOLE | HAS_PRIORITY, 1, [0, 0, 0]),
            EndsLike(FRAME_SIZE_ERROR),
        ),
        ("6.2", "an empty head", frame(HEADERS, WHOLE, 1, []), Resets(1, PROTOCOL_ERROR)),
    ];
    check(cases);
}

#[test]
fn priority_and_reset_have_their_size_and_a_stream() {
    let cases: [Case; 7] = [
        ("6.3", "PRIORITY on stream 0", frame(PRIORITY, 0, 0, [0, 0, 0, 0, 15]), {
            Ends(PROTOCOL_ERROR)
        }),
        // An error of the connection; the RFC has one of the stream.
        ("6.3", "PRIORITY that is too short", frame(PRIORITY, 0, 1, [0; 4]), {
            EndsLike(FRAME_SIZE_ERROR)
        }),
        ("6.3", "PRIORITY that is too long", frame(PRIORITY, 0, 1, [0; 6]), {
            EndsLike(FRAME_SIZE_ERROR)
        }),
        ("6.4", "RST_STREAM on stream 0", frame(RST_STREAM, 0, 0, [0; 4]), Ends(PROTOCOL_ERROR)),
        (
            "6.4",
            "RST_STREAM that is too short",
            [parked(1), frame(RST_STREAM, 0, 1, [0; 3])].concat(),
            EndsLike(FRAME_SIZE_ERROR),
        ),
        (
            "6.4",
            "RST_STREAM that is too long",
            [parked(1), frame(RST_STREAM, 0, 1, [0; 5])].concat(),
            EndsLike(FRAME_SIZE_ERROR),
        ),
        (
            "6.4",
            "RST_STREAM with an unknown code",
            [parked(1), frame(RST_STREAM, 0, 1, [0xff; 4])].concat(),
            Nothing,
        ),
    ];
    check(cases);
}

#[test]
fn settings_have_their_size_and_their_values() {
    let cases: [Case; 14] = [
        ("6.5", "SETTINGS on a stream", frame(SETTINGS, 0, 1, []), Ends(PROTOCOL_ERROR)),
        ("6.5", "an acknowledgement with a payload", frame(SETTINGS, ACK, 0, [0; 6]), {
            EndsLike(FRAME_SIZE_ERROR)
        }),
        ("6.5", "SETTINGS with half an entry", frame(SETTINGS, 0, 0, [0, 3, 0]), {
            EndsLike(FRAME_SIZE_ERROR)
        }),
        ("6.5", "no entries", frame(SETTINGS, 0, 0, []), Nothing),
        ("6.5.2", "ENABLE_PUSH of 2", setting(2, 2), Ends(PROTOCOL_ERROR)),
        ("6.5.2", "ENABLE_PUSH of 0", setting(2, 0), Nothing),
        ("6.5.2", "the largest window", setting(4, LARGEST_WINDOW), Nothing),
        ("6.5.2", "a window that is too large", setting(4, LARGEST_WINDOW + 1), {
            EndsLike(FLOW_CONTROL_ERROR)
        }),
        ("6.5.2", "frames that are too small", setting(5, (1 << 14) - 1), Ends(PROTOCOL_ERROR)),
        ("6.5.2", "the smallest frames", setting(5, 1 << 14), Nothing),
        ("6.5.2", "the largest frames", setting(5, (1 << 24) - 1), Nothing),
        ("6.5.2", "frames that are too large", setting(5, 1 << 24), Ends(PROTOCOL_ERROR)),
        ("6.5.2", "a table of no size", [setting(1, 0), request(1)].concat(), {
            Answers(1, NEW_SIZE)
        }),
        ("6.5.2", "no streams of the server", setting(3, 0), Nothing),
    ];
    check(cases);
}

#[test]
fn pushes_pings_and_goaway_have_their_sizes_and_no_stream() {
    let goaway = |stream, length| frame(GOAWAY, 0, stream, vec![0; length]);
    let cases: [Case; 8] = [
        (
            "6.6",
            "a push of a client",
            [parked(1), frame(PUSH_PROMISE, END_HEADERS, 1, [&[0, 0, 0, 2][..], GET].concat())]
                .concat(),
            Ends(PROTOCOL_ERROR),
        ),
        ("6.7", "a PING on a stream", frame(PING, 0, 1, [0; 8]), Ends(PROTOCOL_ERROR)),
        ("6.7", "a PING that is too short", frame(PING, 0, 0, [0; 6]), EndsLike(FRAME_SIZE_ERROR)),
        ("6.7", "a PING that is too long", frame(PING, 0, 0, [0; 9]), EndsLike(FRAME_SIZE_ERROR)),
        ("6.7", "an answer to no PING", frame(PING, ACK, 0, [7; 8]), Nothing),
        ("6.8", "GOAWAY on a stream", goaway(1, 8), Ends(PROTOCOL_ERROR)),
        ("6.8", "GOAWAY that is too short", goaway(0, 7), EndsLike(FRAME_SIZE_ERROR)),
        ("6.8", "a request before GOAWAY", [request(1), goaway(0, 8)].concat(), Answers(1, OK)),
    ];
    check(cases);
}

#[test]
fn windows_grow_by_something_and_not_too_far() {
    let window = |stream, by: u32| frame(WINDOW_UPDATE, 0, stream, by.to_be_bytes());
    let on_stream = |by| [parked(1), window(1, by)].concat();
    let cases: [Case; 8] = [
        ("6.9", "a size that is too short", frame(WINDOW_UPDATE, 0, 0, [0; 3]), {
            EndsLike(FRAME_SIZE_ERROR)
        }),
        ("6.9", "a size that is too long", frame(WINDOW_UPDATE, 0, 0, [0; 5]), {
            EndsLike(FRAME_SIZE_ERROR)
        }),
        ("6.9", "by nothing on the connection", window(0, 0), Ends(PROTOCOL_ERROR)),
        // An error of the connection; the RFC has one of the stream.
        ("6.9", "by nothing on a stream", on_stream(0), Ends(PROTOCOL_ERROR)),
        ("6.9.1", "too far on the connection", window(0, LARGEST_WINDOW), {
            Ends(FLOW_CONTROL_ERROR)
        }),
        ("6.9.1", "too far on a stream", on_stream(LARGEST_WINDOW), Resets(1, FLOW_CONTROL_ERROR)),
        ("6.9.1", "as far as possible", window(0, LARGEST_WINDOW - 65_535), Nothing),
        (
            "6.9.2",
            "too far by a setting",
            [parked(1), window(1, LARGEST_WINDOW - 65_535), setting(4, 65_536)].concat(),
            Ends(FLOW_CONTROL_ERROR),
        ),
    ];
    check(cases);
}

/// Until the client has acknowledged the settings of the server, the initial size counts.
#[test]
fn a_client_keeps_to_the_initial_window() {
    // A request whose handler never reads.
    let open = head(0, 1, &[&[0x83, 0x86], &field(":path", "/park"), &GET[3..]]);
    let chunks = data(0, 1, vec![0; 1 << 14]).repeat(3);
    let all = [open, chunks, data(0, 1, vec![0; (1 << 14) - 1])].concat();
    let more = [&*all, &data(0, 1, "x")].concat();
    let cases: [Case; 2] = [
        ("6.9.1", "all of the window", all, Nothing),
        ("6.9.1", "one byte more", more, Ends(FLOW_CONTROL_ERROR)),
    ];
    check(cases);
}

#[test]
fn a_continuation_follows_a_head_without_an_end() {
    let rest = |stream| frame(CONTINUATION, END_HEADERS, stream, []);
    let begun = frame(HEADERS, END_STREAM, 1, GET);
    let cases: [Case; 4] = [
        ("6.10", "on stream 0", [begun.clone(), rest(0)].concat(), Ends(PROTOCOL_ERROR)),
        ("6.10", "on another stream", [begun, rest(3)].concat(), Ends(PROTOCOL_ERROR)),
        ("6.10", "after the end of a head", [parked(1), rest(1)].concat(), Ends(PROTOCOL_ERROR)),
        ("6.10", "after DATA", [post(1), data(0, 1, "x"), rest(1)].concat(), {
            Ends(PROTOCOL_ERROR)
        }),
    ];
    check(cases);
}
