//! HPACK (RFC 7541): blocks that cannot be decoded end the connection, because the table of the
//! client and that of the server would differ from then on.

use super::{Answers, COMPRESSION_ERROR, Case, EndsLike, OK, check, head};
use crate::frames::{END_STREAM, GET, field};

fn with(bytes: &[u8]) -> Vec<u8> {
    head(END_STREAM, 1, &[GET, bytes])
}

#[test]
fn a_block_that_cannot_be_decoded_ends_the_connection() {
    let broken: [(&str, &str, &[u8]); 12] = [
        ("2.3.3", "an index that is not in the table", &[0xff, 0x00]),
        ("2.3.3", "the name of an index that is not in the table", &[0x7f, 0x70, 1, b'x']),
        ("6.1", "the index zero", &[0x80]),
        ("5.1", "an integer that is too large", &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
        ("5.1", "an integer that does not end", &[0xff, 0x80]),
        ("5.2", "a name that is cut off", &[0x00, 9, b'x']),
        ("5.2", "a value that is cut off", &[0x00, 1, b'x', 9, b'y']),
        ("5.2", "no value", &[0x00, 1, b'x']),
        ("5.2", "Huffman code with padding of eight bits", &[0x00, 1, b'x', 0x82, 0xf3, 0xff]),
        ("5.2", "Huffman code with padding of zeros", &[0x00, 1, b'x', 0x81, 0xf0]),
        (
            "5.2",
            "Huffman code with the end of strings",
            &[0x00, 1, b'x', 0x84, 0xff, 0xff, 0xff, 0xff],
        ),
        ("6.3", "a table that is too large", &[0x3f, 0xe2, 0x1f]),
    ];
    check(broken.map(|(rule, what, bytes)| -> Case {
        // A new size stands at the beginning of a block.
        let is_size = rule == "6.3";
        let frames = if is_size { head(END_STREAM, 1, &[bytes, GET]) } else { with(bytes) };
        (rule, what, frames, EndsLike(COMPRESSION_ERROR))
    }));
}

#[test]
fn all_forms_of_fields_are_decoded() {
    let indexed = [0x40, 1, b'x', 1, b'y'];
    let cases: [Case; 8] = [
        ("6.2.1", "a field for the table", with(&indexed), Answers(1, OK)),
        ("6.2.2", "a field that is not indexed", with(&field("x", "y")), Answers(1, OK)),
        ("6.2.3", "a field that is never indexed", with(&[0x10, 1, b'x', 1, b'y']), {
            Answers(1, OK)
        }),
        ("5.2", "Huffman code", with(&[0x00, 0x81, 0xf3, 0x81, 0xf5]), Answers(1, OK)),
        ("6.3", "a table of no size", head(END_STREAM, 1, &[&[0x20], GET]), Answers(1, OK)),
        ("6.3", "two sizes", head(END_STREAM, 1, &[&[0x20, 0x3f, 0xe1, 0x1f], GET]), {
            Answers(1, OK)
        }),
        (
            "2.3.2",
            "a later request with the table of an earlier one",
            [with(&indexed), head(END_STREAM, 3, &[GET, &[0xbe]])].concat(),
            Answers(3, OK),
        ),
        ("4.2", "a size in the middle of a block", with(&[0x20]), EndsLike(COMPRESSION_ERROR)),
    ];
    check(cases);
}

/// The block is decoded even if its request is refused; otherwise the tables would differ.
#[test]
fn the_table_goes_on_after_a_malformed_request() {
    let malformed =
        head(END_STREAM, 1, &[GET, &field("connection", "close"), &[0x40, 1, b'x', 1, b'y']]);
    let next = head(END_STREAM, 3, &[GET, &[0xbe]]);
    check([("2.3.2", "an entry of a malformed request", [malformed, next].concat(), {
        Answers(3, OK)
    })]);
}
