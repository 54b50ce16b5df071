//! Section 8: requests that are malformed are reset, and never reach a handler.

use super::{
    Answers, Case, Ends, EndsLike, Nothing, OK, PROTOCOL_ERROR, Resets, STREAM_CLOSED, check, data,
    head, post,
};
use crate::frames::{END_STREAM, GET, POST, field};

const MALFORMED: super::Does = Resets(1, PROTOCOL_ERROR);
/// What happens if a field cannot be represented at all: an error of the connection, where the RFC
/// has one of the stream.
const ENDS: super::Does = Ends(PROTOCOL_ERROR);
/// The fields of [`GET`].
const METHOD: &[u8] = &[0x82];
const SCHEME: &[u8] = &[0x86];
const PATH: &[u8] = &[0x84];

/// Returns a request without a body.
fn get(fields: &[&[u8]]) -> Vec<u8> {
    head(END_STREAM, 1, fields)
}

/// Returns a GET with one more field.
fn with(name: &str, value: &str) -> Vec<u8> {
    get(&[GET, &field(name, value)])
}

#[test]
fn trailers_end_the_request() {
    let begun = [post(1), data(0, 1, "x")].concat();
    let trailers = |flags, fields: &[&[u8]]| [begun.clone(), head(flags, 1, fields)].concat();
    let sum = field("x-sum", "1");
    let cases: [Case; 4] = [
        ("8.1", "trailers", trailers(END_STREAM, &[&sum]), Answers(1, OK)),
        ("8.1", "trailers that do not end the stream", trailers(0, &[&sum]), MALFORMED),
        // Malformed by the RFC. The library drops the field, so that no handler sees it.
        ("8.1", "trailers with a pseudo-header", trailers(END_STREAM, &[METHOD, &sum]), {
            Answers(1, OK)
        }),
        (
            "8.1",
            "trailers after trailers",
            [trailers(END_STREAM, &[&sum]), head(END_STREAM, 1, &[&sum])].concat(),
            EndsLike(STREAM_CLOSED),
        ),
    ];
    check(cases);
}

#[test]
fn names_and_values_of_fields_have_their_characters() {
    let mut cases: Vec<Case> = vec![
        ("8.2.1", "a field", with("x", "y"), Answers(1, OK)),
        ("8.2.1", "a field without a value", with("x", ""), Answers(1, OK)),
    ];
    for (what, name) in [
        ("a name in upper case", "X"),
        ("a name with upper case", "x-Y"),
        ("a name with a space", "x y"),
        ("a name with a colon", "x:y"),
        ("a name with a control character", "x\u{1}"),
        ("a name with a line break", "x\r\ny"),
        ("an empty name", ""),
        ("a name that ends", "x\0"),
        ("a name beyond ASCII", "xé"),
    ] {
        cases.push(("8.2.1", what, with(name, "y"), ENDS));
    }
    for (what, value) in [
        ("a value with a line feed", "y\ny"),
        ("a value with a carriage return", "y\ry"),
        ("a value that ends", "y\0"),
    ] {
        cases.push(("8.2.1", what, with("x", value), ENDS));
    }
    check(cases);
}

#[test]
fn fields_about_a_connection_of_http_1_are_refused() {
    let mut cases: Vec<Case> = [
        ("connection", "keep-alive"),
        ("connection", "close"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("te", "gzip"),
        ("te", "trailers, gzip"),
    ]
    .map(|(name, value)| ("8.2.2", name, with(name, value), MALFORMED))
    .into();
    cases.push(("8.2.2", "te: trailers", with("te", "trailers"), Answers(1, OK)));
    check(cases);
}

#[test]
fn pseudo_headers_are_those_of_a_request_and_come_once_and_first() {
    let x = field("x", "y");
    let cases: [Case; 19] = [
        ("8.3", "an unknown one", get(&[GET, &field(":x", "y")]), ENDS),
        ("8.3", "one of a response", get(&[GET, &field(":status", "200")]), MALFORMED),
        ("8.3", "one after a field", get(&[METHOD, SCHEME, &x, PATH]), MALFORMED),
        ("8.3.1", "no method", get(&[SCHEME, PATH]), MALFORMED),
        ("8.3.1", "no scheme", get(&[METHOD, PATH]), MALFORMED),
        // Malformed by the RFC. The library takes it for the path `/`.
        ("8.3.1", "no path", get(&[METHOD, SCHEME]), Answers(1, OK)),
        ("8.3.1", "an empty path", get(&[METHOD, SCHEME, &field(":path", "")]), MALFORMED),
        ("8.3.1", "two methods", get(&[METHOD, GET]), MALFORMED),
        ("8.3.1", "two schemes", get(&[SCHEME, GET]), MALFORMED),
        ("8.3.1", "two paths", get(&[PATH, GET]), MALFORMED),
        ("8.3.1", "two authorities", get(&[GET, &field(":authority", "x")]), MALFORMED),
        ("8.3.1", "no authority", get(&[METHOD, SCHEME, PATH]), Answers(1, OK)),
        ("8.3.1", "a method that is no word", get(&[&field(":method", "G T"), SCHEME, PATH]), ENDS),
        ("8.3.1", "an empty method", get(&[&field(":method", ""), SCHEME, PATH]), ENDS),
        (
            "8.3.1",
            "a path with a space",
            get(&[METHOD, SCHEME, &field(":path", "/a b")]),
            MALFORMED,
        ),
        (
            "8.3.1",
            "an authority with a space",
            get(&[METHOD, SCHEME, PATH, &field(":authority", "a b")]),
            MALFORMED,
        ),
        (
            "8.5",
            "CONNECT with a scheme and a path",
            get(&[&field(":method", "CONNECT"), SCHEME, PATH, &field(":authority", "x:1")]),
            MALFORMED,
        ),
        // Malformed by the RFC. A handler that serves CONNECT finds no host in the URI.
        ("8.5", "CONNECT without an authority", get(&[&field(":method", "CONNECT")]), {
            Answers(1, OK)
        }),
        ("8.4", "a reset of nothing", Vec::new(), Nothing),
    ];
    check(cases);
}

#[test]
fn a_body_has_the_length_that_is_announced() {
    let announced = |length: &str, flags| head(flags, 1, &[POST, &field("content-length", length)]);
    let body = |length, parts: &[&str]| {
        let (last, first) = parts.split_last().unwrap();
        let first: Vec<_> = first.iter().flat_map(|part| data(0, 1, part)).collect();
        [announced(length, 0), first, data(END_STREAM, 1, last)].concat()
    };
    let cases: [Case; 9] = [
        ("8.1.1", "the right length", body("3", &["abc"]), Answers(1, OK)),
        ("8.1.1", "the right length, in parts", body("3", &["a", "", "bc"]), Answers(1, OK)),
        ("8.1.1", "one byte more", body("2", &["abc"]), MALFORMED),
        ("8.1.1", "one byte more, in parts", body("2", &["ab", "c"]), MALFORMED),
        ("8.1.1", "one byte less", body("4", &["abc"]), MALFORMED),
        ("8.1.1", "a length and no body", announced("4", END_STREAM), MALFORMED),
        ("8.1.1", "no length and no body", announced("0", END_STREAM), Answers(1, OK)),
        ("8.1.1", "a length that is no number", body("many", &["abc"]), MALFORMED),
        (
            "8.1.1",
            "two lengths",
            [
                head(0, 1, &[POST, &field("content-length", "3"), &field("content-length", "4")]),
                data(END_STREAM, 1, "abc"),
            ]
            .concat(),
            MALFORMED,
        ),
    ];
    check(cases);
}
