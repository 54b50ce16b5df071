//! Sections 4 and 5.5: the form of frames, their sizes, header blocks, and extensions.

use super::{
    Answers, Case, Ends, FRAME_SIZE_ERROR, Nothing, OK, PROTOCOL_ERROR, check, data, post,
};
use crate::frames::{
    ACK, CONTINUATION, END_HEADERS, END_STREAM, GET, HEADERS, PING, PRIORITY, SETTINGS, field,
    frame, request, setting,
};

/// An unknown type of frame.
const UNKNOWN: u8 = 0xbb;
/// The largest payload that the server takes: it does not raise the limit.
const LARGEST: usize = 1 << 14;

#[test]
fn frames_have_a_form_and_unknown_parts_are_ignored() {
    let mut reserved = frame(PING, 0, 0, b"reserved");
    reserved[5] |= 0x80;
    let cases: [Case; 6] = [
        ("4.1", "an unknown type", frame(UNKNOWN, 0, 0, [1, 2, 3]), Nothing),
        ("4.1", "an unknown type on a stream", frame(UNKNOWN, 0xff, 1, [1, 2, 3]), Nothing),
        ("4.1", "undefined flags", frame(PING, 0xfe, 0, b"flagging"), Nothing),
        ("4.1", "the reserved bit of a stream's number", reserved, Nothing),
        (
            "4.1",
            "undefined flags of a request",
            frame(HEADERS, END_STREAM | END_HEADERS | 0x50, 1, GET),
            Answers(1, OK),
        ),
        ("5.5", "an unknown setting", setting(0x99, 7), Nothing),
    ];
    check(cases);
}

#[test]
fn frames_may_have_the_largest_size_and_not_one_byte_over() {
    let large = |length| [post(1), data(END_STREAM, 1, vec![b'x'; length])].concat();
    let head = frame(HEADERS, END_STREAM | END_HEADERS, 1, vec![0x82; LARGEST + 1]);
    let cases: [Case; 5] = [
        ("4.2", "DATA of the largest size", large(LARGEST), Answers(1, OK)),
        // An error of the connection; the RFC permits one of the stream.
        ("4.2", "DATA that is too large", large(LARGEST + 1), Ends(FRAME_SIZE_ERROR)),
        ("4.2", "a head that is too large", head, Ends(FRAME_SIZE_ERROR)),
        (
            "4.2",
            "SETTINGS that are too large",
            frame(SETTINGS, 0, 0, [0x99, 0, 0, 0, 0, 0].repeat(LARGEST / 6 + 1)),
            Ends(FRAME_SIZE_ERROR),
        ),
        (
            "4.2",
            "an unknown frame that is too large",
            frame(UNKNOWN, 0, 0, vec![0; LARGEST + 1]),
            Ends(FRAME_SIZE_ERROR),
        ),
    ];
    check(cases);
}

#[test]
fn a_header_block_is_not_interrupted() {
    let begun = frame(HEADERS, END_STREAM, 1, GET);
    let more = field("x", "y");
    let last = frame(CONTINUATION, END_HEADERS, 1, &more);
    let cases: [Case; 7] = [
        ("4.3", "a block in two frames", [&*begun, &last].concat(), Answers(1, OK)),
        (
            "4.3",
            "a block in three frames, one of them empty",
            [&*begun, &frame(CONTINUATION, 0, 1, []), &last].concat(),
            Answers(1, OK),
        ),
        (
            "4.3",
            "a frame of another stream inside",
            [&*begun, &request(3), &last].concat(),
            Ends(PROTOCOL_ERROR),
        ),
        (
            "4.3",
            "PRIORITY inside",
            [&*begun, &frame(PRIORITY, 0, 1, [0, 0, 0, 0, 15]), &last].concat(),
            Ends(PROTOCOL_ERROR),
        ),
        (
            "4.3",
            "a PING inside",
            [&*begun, &frame(PING, ACK, 0, b"anything"), &last].concat(),
            Ends(PROTOCOL_ERROR),
        ),
        (
            "5.5",
            "an unknown frame inside",
            [&*begun, &frame(UNKNOWN, 0, 1, []), &last].concat(),
            Ends(PROTOCOL_ERROR),
        ),
        (
            "4.3",
            "a second block instead of the rest",
            [&*begun, &frame(HEADERS, END_STREAM | END_HEADERS, 1, GET)].concat(),
            Ends(PROTOCOL_ERROR),
        ),
    ];
    check(cases);
}
