//! Section 5: the states of streams, their numbers, and how many there may be.

use super::{
    Answers, Case, Ends, EndsLike, Nothing, OK, PROTOCOL_ERROR, Resets, STREAM_CLOSED, check, data,
    parked, post, reset,
};
use crate::frames::{
    CONTINUATION, END_HEADERS, END_STREAM, GET, PRIORITY, WINDOW_UPDATE, frame, request,
};

fn window(stream: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, 100_u32.to_be_bytes())
}

fn priority(stream: u32) -> Vec<u8> {
    frame(PRIORITY, 0, stream, [0, 0, 0, 0, 15])
}

fn rest_of_head(stream: u32) -> Vec<u8> {
    frame(CONTINUATION, END_HEADERS, stream, GET)
}

#[test]
fn an_idle_stream_takes_a_head_and_priorities() {
    let cases: [Case; 5] = [
        ("5.1", "DATA on an idle stream", data(END_STREAM, 1, "x"), Ends(PROTOCOL_ERROR)),
        ("5.1", "RST_STREAM on an idle stream", reset(1), Ends(PROTOCOL_ERROR)),
        ("5.1", "WINDOW_UPDATE on an idle stream", window(1), Ends(PROTOCOL_ERROR)),
        ("5.1", "CONTINUATION on an idle stream", rest_of_head(1), Ends(PROTOCOL_ERROR)),
        ("5.1", "PRIORITY on an idle stream", priority(1), Nothing),
    ];
    check(cases);
}

#[test]
fn a_stream_that_the_client_has_ended_takes_no_more_of_the_request() {
    let after = |frames: Vec<u8>| [parked(1), frames].concat();
    let cases: [Case; 6] = [
        ("5.1", "DATA after the end", after(data(0, 1, "x")), EndsLike(STREAM_CLOSED)),
        ("5.1", "a head after the end", after(request(1)), EndsLike(STREAM_CLOSED)),
        ("5.1", "CONTINUATION after the end", after(rest_of_head(1)), Ends(PROTOCOL_ERROR)),
        ("5.1", "WINDOW_UPDATE after the end", after(window(1)), Nothing),
        ("5.1", "PRIORITY after the end", after(priority(1)), Nothing),
        ("5.1", "RST_STREAM after the end", after(reset(1)), Nothing),
    ];
    check(cases);
}

#[test]
fn a_stream_that_was_reset_takes_nothing() {
    let after = |frames: Vec<u8>| [post(1), reset(1), frames].concat();
    let cases: [Case; 6] = [
        ("5.1", "DATA after a reset", after(data(0, 1, "x")), Resets(1, STREAM_CLOSED)),
        ("5.1", "a head after a reset", after(request(1)), EndsLike(STREAM_CLOSED)),
        ("5.1", "CONTINUATION after a reset", after(rest_of_head(1)), Ends(PROTOCOL_ERROR)),
        ("5.1", "PRIORITY after a reset", after(priority(1)), Nothing),
        // Both may have been sent before the client knew.
        ("5.1", "WINDOW_UPDATE after a reset", after(window(1)), Nothing),
        ("5.1", "a second reset", after(reset(1)), Nothing),
    ];
    check(cases);
}

#[test]
fn the_numbers_of_streams_are_odd_and_increase() {
    let cases: [Case; 5] = [
        ("5.1.1", "an even number", request(2), Ends(PROTOCOL_ERROR)),
        (
            "5.1.1",
            "a number below that of an earlier request",
            [parked(5), request(3)].concat(),
            Ends(PROTOCOL_ERROR),
        ),
        ("5.1.1", "the number of a request before", [parked(3), request(3)].concat(), {
            EndsLike(STREAM_CLOSED)
        }),
        ("5.1.1", "numbers that are left out", [request(1), request(101)].concat(), {
            Answers(101, OK)
        }),
        ("5.1.1", "the largest number", request(0x7fff_ffff), Answers(0x7fff_ffff, OK)),
    ];
    check(cases);
}

#[test]
fn priorities_are_ignored_except_for_their_form() {
    let cases: [Case; 3] = [
        ("5.3.2", "PRIORITY of a stream after the last", priority(999), Nothing),
        // The RFC that introduced priorities made this an error of the stream, which the library
        // reports; the one that abolished them leaves it open.
        (
            "5.3.2",
            "a stream that depends on itself",
            frame(PRIORITY, 0, 1, [0, 0, 0, 1, 15]),
            Resets(1, PROTOCOL_ERROR),
        ),
        (
            "5.3.2",
            "a request that depends on itself",
            frame(1, END_STREAM | END_HEADERS | 0x20, 1, [&[0, 0, 0, 1, 15][..], GET].concat()),
            Resets(1, PROTOCOL_ERROR),
        ),
    ];
    check(cases);
}
