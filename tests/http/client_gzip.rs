//! Responses that are compressed with gzip.

use std::io::{self, Read, Write};

use fibra::http::{Client, Error, Response, hyper};
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Body;
use hyper::header::{CONTENT_ENCODING, CONTENT_LENGTH};

use crate::client_help::{Asked, Site, Text, builder, client, head_of, header, redirect};
use crate::support::net::soon;

fn gzip(data: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data.as_ref()).unwrap();
    encoder.finish().unwrap()
}

fn compressed(data: Vec<u8>) -> hyper::Response<Text> {
    let response = hyper::Response::builder().header("content-encoding", "gzip");
    response.body(data.into()).unwrap()
}

/// Starts a server that sends `data` as a compressed body.
fn sending(data: Vec<u8>) -> Site {
    Site::new(move |_| compressed(data.clone()))
}

fn fetch(client: &Client, site: &Site) -> Response {
    client.get(site.url("/")).send().unwrap()
}

/// Returns the error of a body that is not valid.
fn error_of(data: Vec<u8>) -> Error {
    let site = sending(data);
    fetch(&client(), &site).bytes().unwrap_err()
}

/// Returns bytes that are not compressed well.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn a_compressed_body_is_asked_for_and_decoded() {
    fibra::run(|| {
        let site = Site::new(|request| compressed(gzip(header(&request, "accept-encoding"))));
        let response = fetch(&client(), &site);
        assert_eq!(response.headers().get(CONTENT_ENCODING), None);
        assert_eq!(response.headers().get(CONTENT_LENGTH), None);
        assert_eq!(response.content_length(), None);
        assert_eq!(response.text().unwrap(), "gzip");
    });
}

#[test]
fn bodies_of_all_sizes_are_decoded_and_their_connection_is_kept() {
    fibra::run(|| {
        let client = client();
        for length in [0, 1, 1000, (16 << 10) - 1, 16 << 10, (16 << 10) + 1, 300_000] {
            for data in [noise(length), vec![b'z'; length]] {
                let site = sending(gzip(&data));
                for _ in 0..2 {
                    assert_eq!(fetch(&client, &site).bytes().unwrap(), data, "{length}");
                }
                assert_eq!(site.connections.get(), 1);
            }
        }
    });
}

#[test]
fn a_body_of_several_members_is_one_text() {
    fibra::run(|| {
        let members = [gzip("one, "), gzip(""), gzip("two, "), gzip("three")].concat();
        assert_eq!(fetch(&client(), &sending(members)).text().unwrap(), "one, two, three");
    });
}

#[test]
fn a_header_may_have_all_optional_parts() {
    fibra::run(|| {
        let builder = flate2::GzBuilder::new().filename("a name").comment("a comment");
        let mut encoder = builder.extra(vec![7; 300]).write(Vec::new(), Compression::fast());
        encoder.write_all(b"text").unwrap();
        let mut data = encoder.finish().unwrap();
        assert_eq!(fetch(&client(), &sending(data.clone())).text().unwrap(), "text");
        // With a checksum of the header behind its other parts.
        let end = data.len() - 8 - 6;
        let end = (10..=end).rev().find(|&at| data[at - 1] == 0 && data[at - 2] == b't').unwrap();
        data[3] |= 2;
        data.splice(end..end, [1, 2]);
        assert_eq!(fetch(&client(), &sending(data)).text().unwrap(), "text");
    });
}

#[test]
fn a_body_that_comes_in_single_bytes_is_decoded_while_it_comes() {
    fibra::run(|| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(b"first").unwrap();
        encoder.flush().unwrap();
        let first = encoder.get_ref().clone();
        encoder.write_all(b"second").unwrap();
        let rest = encoder.finish().unwrap()[first.len()..].to_vec();
        let go_on = fibra::channel::Channel::new();
        let waits = go_on.clone();
        let site = Site::scripted(move |_, mut stream| {
            head_of(&stream);
            let head = "HTTP/1.1 200 OK\r\ncontent-encoding: GZIP\r\nconnection: close\r\n\r\n";
            stream.write_all(head.as_bytes()).unwrap();
            for part in [&first, &rest] {
                for byte in part {
                    stream.write_all(&[*byte]).unwrap();
                    fibra::yield_now();
                }
                if part == &first {
                    waits.recv().unwrap();
                }
            }
        });
        let mut response = fetch(&client(), &site);
        let mut text = [0; 5];
        soon(|| response.read_exact(&mut text).unwrap());
        assert_eq!(&text, b"first");
        go_on.send(()).unwrap();
        assert_eq!(response.text().unwrap(), "second");
    });
}

#[test]
fn an_empty_body_is_empty_even_if_it_claims_to_be_compressed() {
    fibra::run(|| {
        assert_eq!(fetch(&client(), &sending(Vec::new())).text().unwrap(), "");
    });
}

#[test]
fn a_body_that_ends_early_is_an_error_at_every_length() {
    fibra::run(|| {
        let data = gzip("a text that is long enough for a few bytes");
        for length in 1..data.len() {
            let error = error_of(data[..length].to_vec());
            assert!(error.is_decode(), "{length}: {error}");
            assert!(error.to_string().contains("it ends in the middle"), "{error}");
        }
        let second = [&data[..], &data[..5]].concat();
        assert!(error_of(second).is_decode());
    });
}

#[test]
fn a_body_that_is_damaged_is_an_error() {
    fibra::run(|| {
        let data = gzip("a text that is long enough for a few bytes");
        let with = |at: usize, byte: u8| {
            let mut data = data.clone();
            data[at] = byte;
            data
        };
        let cases = [
            (b"not compressed at all".to_vec(), "it does not begin like gzip"),
            (with(2, 7), "it does not begin like gzip"),
            (with(3, 0x20), "its header has flags that gzip does not have"),
            (with(10, 0xff), "the compressed data is damaged"),
            (with(data.len() - 1, 9), "its checksum is wrong"),
            (with(data.len() - 5, !data[data.len() - 5]), "its checksum is wrong"),
            ([&data[..], b"more"].concat(), "it does not begin like gzip"),
            ([vec![0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 0], vec![b'n'; 9000]].concat(), "too long"),
        ];
        for (body, text) in cases {
            let error = error_of(body);
            assert!(error.is_decode(), "{error}");
            assert!(error.to_string().contains("is not valid gzip: "), "{error}");
            assert!(error.to_string().contains(text), "{error}");
            assert_eq!(io::Error::from(error).kind(), io::ErrorKind::InvalidData);
        }
    });
}

#[test]
fn what_was_decoded_before_the_damage_is_read_and_later_reads_fail() {
    fibra::run(|| {
        let mut data = gzip(noise(100_000));
        let last = data.len() - 1;
        data[last] ^= 1;
        let mut response = fetch(&client(), &sending(data));
        let mut got = Vec::new();
        assert!(response.read_to_end(&mut got).is_err());
        assert_eq!(got, noise(100_000));
        assert!(response.read(&mut [0]).is_err());
    });
}

#[test]
fn a_connection_that_breaks_is_no_damage() {
    fibra::run(|| {
        let site = Site::scripted(|_, mut stream| {
            head_of(&stream);
            let head = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 100\r\n\r\n";
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&gzip("text")[..10]).unwrap();
        });
        let error = fetch(&client(), &site).text().unwrap_err();
        assert!(error.is_body() && !error.is_decode(), "{error}");
    });
}

#[test]
fn the_limit_of_a_body_counts_decoded_bytes() {
    fibra::run(|| {
        let bomb = gzip(vec![0; 1 << 20]).repeat(50);
        assert!(bomb.len() < 100_000);
        let client = builder().max_body_size(1 << 20).build().unwrap();
        let site = sending(bomb);
        let error = fetch(&client, &site).bytes().unwrap_err();
        assert!(error.is_body(), "{error}");
        assert!(error.to_string().ends_with("is larger than `max_body_size` allows"), "{error}");
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::FileTooLarge);
        let mut response = fetch(&client, &site);
        assert_eq!(io::copy(&mut (&mut response).take(1 << 20), &mut io::sink()).unwrap(), 1 << 20);
        assert_eq!(response.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        let site = sending(gzip(vec![0; 1 << 20]));
        assert_eq!(fetch(&client, &site).bytes().unwrap().len(), 1 << 20);
    });
}

#[test]
fn a_bomb_is_decoded_no_further_than_it_is_read() {
    fibra::run(|| {
        let site = sending(gzip(vec![0; 1 << 20]).repeat(4));
        let mut body = fetch(&client(), &site).into_body();
        let largest = fibra::future::block_on(async {
            let mut largest = 0;
            for _ in 0..100 {
                let frame = std::future::poll_fn(|cx| std::pin::Pin::new(&mut body).poll_frame(cx));
                largest = largest.max(frame.await.unwrap().unwrap().data_ref().unwrap().len());
            }
            largest
        });
        assert!(largest <= 16 << 10, "{largest}");
        assert!(!body.is_end_stream());
        assert_eq!(body.size_hint().exact(), None);
    });
}

#[test]
fn the_limit_of_a_body_holds_for_one_that_is_not_compressed() {
    fibra::run(|| {
        let site = Site::new(|request| {
            let length = request.uri().path()[1..].parse().unwrap();
            crate::client_help::say(vec![b'x'; length])
        });
        let client = builder().max_body_size(1000).build().unwrap();
        let fetch = |length: usize| client.get(site.url(&format!("/{length}"))).send().unwrap();
        assert_eq!(fetch(1000).bytes().unwrap().len(), 1000);
        assert!(fetch(1001).bytes().unwrap_err().is_body());
        let client = builder().max_body_size(None).build().unwrap();
        let response = client.get(site.url("/1001")).send().unwrap();
        assert_eq!(response.bytes().unwrap().len(), 1001);
    });
}

/// Answers with a compressed text that names the encoding which was asked for.
fn answer(request: Asked) -> hyper::Response<Text> {
    let status = match request.uri().path() {
        "/part" => 206,
        "/none" => 204,
        _ => 200,
    };
    let mut response = compressed(gzip(header(&request, "accept-encoding")));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap();
    if status == 204 {
        *response.body_mut() = Text::default();
    }
    response
}

#[test]
fn a_body_is_unchanged_if_the_request_has_chosen_an_encoding_or_asks_for_a_part() {
    fibra::run(|| {
        let (site, client) = (Site::new(answer), client());
        let get = |path: &str| client.get(site.url(path));
        let untouched = |response: Response, asked: &str| {
            assert_eq!(response.headers()[CONTENT_ENCODING], "gzip");
            assert_eq!(response.content_length(), Some(gzip(asked).len() as u64));
            assert_eq!(response.bytes().unwrap(), gzip(asked));
        };
        let own = get("/").header("accept-encoding", "gzip, br").send().unwrap();
        untouched(own, "gzip, br");
        untouched(get("/").header("range", "bytes=0-9").send().unwrap(), "none");
        untouched(get("/part").send().unwrap(), "gzip");

        let off = builder().gzip(false).build().unwrap();
        untouched(off.get(site.url("/")).send().unwrap(), "none");
        let mut headers = hyper::HeaderMap::new();
        headers.insert("accept-encoding", "identity".parse().unwrap());
        let own = builder().default_headers(headers).build().unwrap();
        untouched(own.get(site.url("/")).send().unwrap(), "identity");
    });
}

#[test]
fn responses_without_a_body_keep_their_headers() {
    fibra::run(|| {
        let (site, client) = (Site::new(answer), client());
        let head = client.head(site.url("/")).send().unwrap();
        assert_eq!(head.headers()[CONTENT_ENCODING], "gzip");
        assert_eq!(head.content_length(), Some(gzip("none").len() as u64));
        assert_eq!(head.text().unwrap(), "");
        let none = client.get(site.url("/none")).send().unwrap();
        assert_eq!(none.headers()[CONTENT_ENCODING], "gzip");
        assert_eq!(none.text().unwrap(), "");
    });
}

#[test]
fn other_encodings_are_unchanged() {
    fibra::run(|| {
        for encoding in ["br", "gzip, gzip", "identity", "deflate"] {
            let site = Site::new(move |_| {
                let response = hyper::Response::builder().header("content-encoding", encoding);
                response.body(Text::from("text")).unwrap()
            });
            let response = fetch(&client(), &site);
            assert_eq!(response.headers()[CONTENT_ENCODING], encoding);
            assert_eq!(response.text().unwrap(), "text");
        }
        let site = Site::new(|_| {
            let response = hyper::Response::builder().header("content-encoding", "X-Gzip");
            response.body(Text::from(gzip("text"))).unwrap()
        });
        assert_eq!(fetch(&client(), &site).text().unwrap(), "text");
    });
}

#[test]
fn the_body_behind_a_redirect_is_decoded() {
    fibra::run(|| {
        let site = Site::new(|request| match request.uri().path() {
            "/" => redirect(302, "/there"),
            _ => compressed(gzip("there")),
        });
        let response = fetch(&client(), &site);
        assert_eq!(response.url().path(), "/there");
        assert_eq!(response.text().unwrap(), "there");
    });
}

#[test]
fn trailers_follow_a_compressed_body() {
    fibra::run(|| {
        let site = Site::scripted(|_, mut stream| {
            while head_of(&stream).is_some() {
                let data = gzip("text");
                let head =
                    "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked";
                write!(stream, "{head}\r\ntrailer: x-end\r\n\r\n{:x}\r\n", data.len()).unwrap();
                stream.write_all(&data).unwrap();
                stream.write_all(b"\r\n0\r\nx-end: reached\r\n\r\n").unwrap();
            }
        });
        let client = client();
        for _ in 0..2 {
            let mut response = fetch(&client, &site);
            let mut text = String::new();
            response.read_to_string(&mut text).unwrap();
            assert_eq!(text, "text");
            assert_eq!(response.trailers().unwrap()["x-end"], "reached");
        }
        assert_eq!(site.connections.get(), 1);
    });
}
