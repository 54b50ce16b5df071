//! Requests: their URLs and hosts, what redirects leave out, and answers that come early.

use std::io::Write;

use fibra::http::{RequestBody, hyper};
use fibra::net::Resolver;
use hyper::header::HeaderMap;

use crate::client_help::{
    OK, Site, answer_all, body_of, builder, client, head_of, header, redirect, say, write,
};
use crate::support::net::soon;

#[test]
fn a_redirect_to_get_leaves_out_all_that_describes_the_body() {
    fibra::run(|| {
        let site = Site::new(|request| {
            if request.uri().path() == "/from" {
                return redirect(301, "/to");
            }
            let names = ["content-length", "content-type", "content-encoding", "transfer-encoding"];
            let described = names.map(|name| header(&request, name)).join(" ");
            let method = request.method().clone();
            say(format!("{method} {described} {}", body_of(request)))
        });
        let post = client().post(site.url("/from")).header("content-length", "4");
        let post = post.header("content-type", "text/plain").header("content-encoding", "br");
        let text = soon(|| post.body("body").send().unwrap().text().unwrap());
        assert_eq!(text, "GET none none none none ");
        let streamed = RequestBody::new(&b"body"[..]);
        let post = client().post(site.url("/from")).body(streamed);
        let text = soon(|| post.send().unwrap().text().unwrap());
        assert_eq!(text, "GET none none none none ");
    });
}

#[test]
fn a_url_is_sent_with_all_the_characters_that_it_may_have() {
    fibra::run(|| {
        let site = Site::new(|request| say(request.uri().to_string()));
        let client = client();
        let get = |url: String| {
            soon(|| client.get(url.clone()).send())
                .unwrap_or_else(|error| panic!("{url:?}: {error}"))
                .text()
                .unwrap()
        };
        // The parser of URLs encodes what cannot be sent; everything else arrives unchanged.
        for character in (0x20..0x7f_u8).map(char::from) {
            let path = get(site.url(&format!("/a{character}b")));
            let query = get(site.url(&format!("/?a{character}b")));
            let encoded = format!("%{:02X}", u32::from(character));
            match character {
                '#' => assert_eq!((&*path, &*query), ("/a", "/?a")),
                '?' => assert_eq!(path, "/a?b"),
                '\\' => assert_eq!(path, "/a/b"),
                _ => {
                    let kept = [format!("/a{character}b"), format!("/a{encoded}b")];
                    assert!(kept.contains(&path), "{character:?}: {path}");
                }
            }
            if character != '#' {
                let kept = [format!("/?a{character}b"), format!("/?a{encoded}b")];
                assert!(kept.contains(&query), "{character:?}: {query}");
            }
        }
        assert_eq!(get(site.url("/a|b?c|d")), "/a|b?c|d");
        assert_eq!(get(site.url("/%7Cé %zz?ü=%&=")), "/%7C%C3%A9%20%zz?%C3%BC=%&=");
        assert_eq!(get(site.url("/a/../b/./c")), "/b/c");
        assert_eq!(get(format!("http://{}", site.address)), "/");
        assert_eq!(get(format!("http://{}?q", site.address)), "/?q");
    });
}

#[test]
fn a_location_beyond_ascii_is_encoded() {
    fibra::run(|| {
        let site = Site::scripted(|_, stream| {
            while let Some(head) = head_of(&stream) {
                let path = head.split(' ').nth(1).unwrap();
                if path == "/from" {
                    let location =
                        "HTTP/1.1 302 Found\r\ncontent-length: 0\r\nlocation: /ü b\r\n\r\n";
                    write(&stream, location);
                } else {
                    let length = path.len();
                    write(
                        &stream,
                        &format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{path}"),
                    );
                }
            }
        });
        let text = soon(|| client().get(site.url("/from")).send().unwrap().text().unwrap());
        assert_eq!(text, "/%C3%BC%20b");
    });
}

#[test]
fn an_address_of_version_6_has_brackets_in_the_host() {
    fibra::run(|| {
        let Ok(listener) = fibra::net::TcpListener::bind("[::1]:0") else { return };
        let address = listener.local_addr().unwrap();
        crate::support::go(move || {
            let (stream, _) = listener.accept().unwrap();
            let head = head_of(&stream).unwrap();
            let host = head.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
            let length = host.len();
            write(&stream, &format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{host}"));
        });
        let text = soon(|| client().get(format!("http://{address}/")).send().unwrap().text());
        assert_eq!(text.unwrap(), address.to_string());
        assert!(address.to_string().starts_with("[::1]:"));
    });
}

/// The dot marks a complete name. It belongs to the URL and the host, and to no certificate.
#[test]
fn a_dot_at_the_end_of_a_name_is_sent_and_not_verified() {
    fibra::run(|| {
        let localhost = || {
            Resolver::new(|name| {
                assert_eq!(name, "localhost.");
                Ok(vec![std::net::Ipv4Addr::LOCALHOST.into()])
            })
        };
        let site = Site::new(|request| say(header(&request, "host")));
        let client = builder().resolver(localhost()).build().unwrap();
        let host = format!("localhost.:{}", site.address.port());
        let text = soon(|| client.get(format!("http://{host}/")).send().unwrap().text().unwrap());
        assert_eq!(text, host);

        #[cfg(feature = "tls")]
        {
            use crate::support::tls;
            let acceptor = tls::acceptor(tls::server_config(tls::localhost()));
            let site = Site::scripted(move |_, stream| {
                let stream = acceptor.accept(stream).unwrap();
                assert_eq!(stream.server_name().as_deref(), Some("localhost"));
                let http = fibra::http::Http::new();
                drop(http.serve_connection(stream, |request| say(header(&request, "host"))));
            });
            let client = builder().resolver(localhost()).tls_config(tls::client_config());
            let client = client.build().unwrap();
            let host = format!("localhost.:{}", site.address.port());
            let sent = soon(|| client.get(format!("https://{host}/")).send());
            assert_eq!(sent.unwrap().text().unwrap(), host);
        }
    });
}

/// The client does not wait for the permission, so a server that gives none delays nothing.
#[test]
fn a_request_that_expects_permission_is_sent_as_a_whole() {
    fibra::run(|| {
        let site = Site::scripted(|_, mut stream| {
            let head = head_of(&stream).unwrap();
            assert!(head.contains("expect: 100-continue\r\n"));
            let mut body = [0; 4];
            std::io::Read::read_exact(&mut stream, &mut body).unwrap();
            assert_eq!(&body, b"body");
            write(&stream, &format!("HTTP/1.1 100 Continue\r\n\r\n{OK}"));
        });
        let post = client().post(site.url("/")).header("expect", "100-continue").body("body");
        assert_eq!(soon(|| post.send().unwrap().text().unwrap()), "ok");

        let refuses = Site::scripted(|_, stream| {
            head_of(&stream);
            write(&stream, "HTTP/1.1 417 Expectation Failed\r\ncontent-length: 0\r\n\r\n");
            let mut rest = Vec::new();
            drop(std::io::Read::read_to_end(&mut &stream, &mut rest));
        });
        let post = client().post(refuses.url("/")).header("expect", "100-continue").body("body");
        assert_eq!(soon(|| post.send().unwrap().status()), 417);
    });
}

/// The server refuses an upload after its head, and closes without reading the rest, so that the
/// system resets the connection. The refusal has arrived before, and is what the caller wants.
#[test]
fn a_refusal_is_not_lost_because_the_upload_breaks() {
    fibra::run(|| {
        for size in [10, 100_000, 3_000_000] {
            for _ in 0..20 {
                let site = Site::scripted(|_, stream| {
                    head_of(&stream);
                    write(
                        &stream,
                        "HTTP/1.1 413 Payload Too Large\r\ncontent-length: 3\r\n\r\nbig",
                    );
                });
                let post = client().post(site.url("/")).body(vec![b'x'; size]);
                let response = soon(|| post.send());
                let response = response.unwrap_or_else(|error| panic!("{size}: {error}"));
                assert_eq!(response.status(), 413);
            }
        }
    });
}

#[test]
fn a_header_of_the_request_cannot_contain_another_one() {
    fibra::run(|| {
        let client = client();
        for value in ["a\r\nx: y", "a\nb", "a\rb", "a\0b"] {
            let error = client.get("http://localhost:1/").header("x", value).send().unwrap_err();
            assert!(error.is_builder(), "{value:?}");
            assert!(builder().user_agent(value).build().is_err(), "{value:?}");
        }
        for name in ["x y", "x:", "x\r\ny", ""] {
            let error = client.get("http://localhost:1/").header(name, "v").send().unwrap_err();
            assert!(error.is_builder(), "{name:?}");
        }
        let mut headers = HeaderMap::new();
        headers.append("x-many", "1".parse().unwrap());
        headers.append("x-many", "2".parse().unwrap());
        let site = Site::new(|request| {
            say(request.headers().get_all("x-many").iter().count().to_string())
        });
        let text = client.get(site.url("/")).headers(headers).send().unwrap().text().unwrap();
        assert_eq!(text, "2");
    });
}

/// Lengths that the caller sets and that are not those of the body would let one request be taken
/// for two.
#[test]
fn a_length_that_the_caller_sets_does_not_cut_the_body() {
    fibra::run(|| {
        let site = Site::scripted(|_, mut stream| {
            let mut all = Vec::new();
            drop(stream.set_read_timeout(Some(crate::support::ms(50))));
            drop(std::io::Read::read_to_end(&mut stream, &mut all));
            let all = String::from_utf8(all).unwrap();
            let (head, body) = all.split_once("\r\n\r\n").unwrap_or((&*all, ""));
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let framed = length.is_some_and(|length| body.len() <= length.parse().unwrap());
            let _ = stream.write_all(if framed { OK.as_bytes() } else { b"HTTP/1.1 400 \r\n\r\n" });
        });
        let smuggled = "GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n";
        for length in ["0", "4", "1000"] {
            let post = client().post(site.url("/")).header("content-length", length);
            let sent = soon(|| post.body(smuggled).send());
            assert!(sent.map_or(true, |response| response.status() == 200), "{length}");
        }
    });
}

#[test]
fn an_empty_body_has_a_length_where_servers_expect_one() {
    fibra::run(|| {
        let site = Site::scripted(|_, stream| {
            while let Some(head) = head_of(&stream) {
                let length = head.contains("content-length: 0\r\n");
                let chunked = head.contains("transfer-encoding");
                write(
                    &stream,
                    &format!(
                        "HTTP/1.1 200 OK\r\nx: {length} {chunked}\r\ncontent-length: 0\r\n\r\n"
                    ),
                );
            }
        });
        let client = client();
        for (method, length) in
            [("POST", true), ("PUT", true), ("PATCH", true), ("GET", false), ("DELETE", false)]
        {
            let request = client.request(method.parse().unwrap(), site.url("/"));
            let response = soon(|| request.send().unwrap());
            assert_eq!(response.headers()["x"], format!("{length} false"), "{method}");
        }
        let site = Site::scripted(|_, stream| answer_all(&stream, OK));
        let sized = RequestBody::sized(std::io::empty(), 0);
        assert!(soon(|| client.post(site.url("/")).body(sized).send()).is_ok());
    });
}
