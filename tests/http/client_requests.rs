//! Requests and responses of the client, when nothing goes wrong.

use std::cell::RefCell;
use std::error::Error;
use std::io::{self, Read, Write};
use std::rc::Rc;

use fibra::http::{RequestBody, body, hyper};
use hyper::header::HeaderValue;
use hyper::{HeaderMap, Response, Version};

use crate::client_help::{Site, Text, body_of, builder, client, head_of, header, say, write};
use crate::support::go;

#[test]
fn each_method_sends_its_name_its_path_and_its_host() {
    fibra::run(|| {
        let site = Site::new(|request| {
            say(format!("{} {} {}", request.method(), request.uri(), header(&request, "host")))
        });
        let (client, host) = (client(), site.address.to_string());
        let url = site.url("/a%20b?c=d#e");
        let requests = [
            (client.get(&url), "GET"),
            (client.post(&url), "POST"),
            (client.put(&url), "PUT"),
            (client.patch(&url), "PATCH"),
            (client.delete(&url), "DELETE"),
            (client.request(hyper::Method::OPTIONS, &url), "OPTIONS"),
        ];
        for (request, method) in requests {
            let text = request.send().unwrap().text().unwrap();
            assert_eq!(text, format!("{method} /a%20b?c=d {host}"));
        }
        let response = client.head(&url).send().unwrap();
        assert_eq!(response.content_length(), Some(format!("HEAD /a%20b?c=d {host}").len() as u64));
        assert_eq!(response.text().unwrap(), "");
        assert_eq!(site.connections.get(), 1);
    });
}

#[test]
fn a_response_has_a_status_headers_a_url_and_an_address() {
    fibra::run(|| {
        let site = Site::new(|_| {
            let response = Response::builder().status(418).header("x-short", "and stout");
            response.body(Text::from("a teapot")).unwrap()
        });
        let response = client().get(site.url("/tea")).send().unwrap();
        assert_eq!(response.status(), 418);
        assert_eq!(response.version(), Version::HTTP_11);
        assert_eq!(response.headers()["x-short"], "and stout");
        assert_eq!(response.url().as_str(), site.url("/tea"));
        assert_eq!(response.remote_addr(), Some(site.address));
        assert_eq!(response.content_length(), Some(8));
        let error = response.error_for_status().unwrap_err();
        assert!(error.is_status());
        assert_eq!(error.status().unwrap(), 418);
        let url = site.url("/tea");
        let text = format!("the server of {url} responded with 418 I'm a teapot");
        assert_eq!(error.to_string(), text);
    });
}

#[test]
fn headers_replace_the_defaults_of_the_client() {
    fibra::run(|| {
        let site = Site::new(|request| {
            let names = ["accept", "user-agent", "x-one", "x-two", "x-three"];
            say(names.map(|name| header(&request, name)).join(" "))
        });
        let mut defaults = HeaderMap::new();
        defaults.insert("x-one", HeaderValue::from_static("1"));
        defaults.insert("x-two", HeaderValue::from_static("2"));
        let client = builder().default_headers(defaults).user_agent("tests").build().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("x-three", HeaderValue::from_static("3"));
        let request = client.get(site.url("/")).header("x-two", "two").headers(headers);
        assert_eq!(request.send().unwrap().text().unwrap(), "*/* tests 1 two 3");
        let text = crate::client_help::client().get(site.url("/")).send().unwrap().text().unwrap();
        assert_eq!(text, format!("*/* fibra/{} none none none", env!("CARGO_PKG_VERSION")));
    });
}

#[test]
fn queries_and_forms_are_encoded() {
    fibra::run(|| {
        let site = Site::new(|request| {
            let uri = request.uri().to_string();
            let content_type = header(&request, "content-type");
            say(format!("{uri} {content_type} {}", body_of(request)))
        });
        let pairs = [("a b", "&"), ("ü", "=")];
        let client = client();
        let request = client.get(site.url("/?first=1")).query(pairs).query(vec![("c", "d")]);
        let text = request.send().unwrap().text().unwrap();
        assert_eq!(text, "/?first=1&a+b=%26&%C3%BC=%3D&c=d none ");
        let text = client.post(site.url("/")).form(&pairs).send().unwrap().text().unwrap();
        assert_eq!(text, "/ application/x-www-form-urlencoded a+b=%26&%C3%BC=%3D");
        let none: [(&str, &str); 0] = [];
        assert_eq!(
            client.get(site.url("/")).query(none).send().unwrap().text().unwrap(),
            "/ none "
        );
    });
}

#[test]
fn credentials_become_a_header() {
    fibra::run(|| {
        let site = Site::new(|request| say(header(&request, "authorization")));
        let client = client();
        let ask = |request: fibra::http::RequestBuilder| request.send().unwrap();
        let url = site.url("/");
        // "user:pass" in base64, then "user:" and "ü@:p:w".
        let basic = "Basic dXNlcjpwYXNz";
        assert_eq!(ask(client.get(&url).basic_auth("user", Some("pass"))).text().unwrap(), basic);
        let none: Option<&str> = None;
        let text = ask(client.get(&url).basic_auth("user", none)).text().unwrap();
        assert_eq!(text, "Basic dXNlcjo=");
        assert_eq!(ask(client.get(&url).bearer_auth("token")).text().unwrap(), "Bearer token");
        let host = site.address;
        let response = ask(client.get(format!("http://user:pass@{host}/")));
        assert_eq!(response.url().as_str(), site.url("/"));
        assert_eq!(response.text().unwrap(), basic);
        let text = ask(client.get(format!("http://%C3%BC%40:p%3Aw@{host}/"))).text().unwrap();
        assert_eq!(text, "Basic w7xAOnA6dw==");
    });
}

#[test]
fn bodies_are_texts_bytes_readers_and_bodies_of_hyper() {
    fibra::run(|| {
        let site = Site::new(|request| {
            let length = header(&request, "content-length");
            let coding = header(&request, "transfer-encoding");
            say(format!("{length} {coding} {}", body_of(request)))
        });
        let client = client();
        let post = |body: RequestBody| {
            client.post(site.url("/")).body(body).send().unwrap().text().unwrap()
        };
        assert_eq!(post("text".into()), "4 none text");
        assert_eq!(post(String::from("String").into()), "6 none String");
        assert_eq!(post(vec![b'v'; 3].into()), "3 none vvv");
        assert_eq!(post("".into()), "0 none ");
        assert_eq!(post(RequestBody::new(&b"read"[..])), "none chunked read");
        assert_eq!(post(RequestBody::sized(&b"read more"[..], 4)), "4 none read");
        assert_eq!(post(RequestBody::wrap(Text::from("full"))), "4 none full");
        let (mut writer, written) = body();
        go(move || {
            fibra::sleep(crate::support::ms(1));
            writer.write_all(b"late").unwrap();
        });
        assert_eq!(post(written.into()), "none chunked late");
        assert_eq!(site.connections.get(), 1);
    });
}

#[test]
fn a_large_body_is_streamed_in_both_directions() {
    const LENGTH: u64 = 3_000_000;
    fibra::run(|| {
        let site = Site::scripted(|_, stream| {
            let echo = |mut request: crate::client_help::Asked| {
                let (mut writer, body) = body();
                go(move || io::copy(request.body_mut(), &mut writer).unwrap());
                Response::new(body)
            };
            let http = fibra::http::Http::new().max_body_size(LENGTH);
            drop(http.serve_connection(stream, echo));
        });
        let body = RequestBody::sized(io::repeat(b'x'), LENGTH);
        let mut response = client().post(site.url("/")).body(body).send().unwrap();
        let mut first = [0; 10];
        response.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"xxxxxxxxxx");
        let mut rest = Vec::new();
        assert_eq!(response.copy_to(&mut rest).unwrap(), LENGTH - 10);
        assert!(rest.iter().all(|byte| *byte == b'x'));
    });
}

#[test]
fn a_body_is_read_as_text_bytes_or_in_parts() {
    fibra::run(|| {
        let site = Site::new(|request| match request.uri().path() {
            "/bad" => say(&b"a\xFFb"[..]),
            path => say(path.to_string()),
        });
        let client = client();
        let get = |path: &str| client.get(site.url(path)).send().unwrap();
        assert_eq!(get("/text").text().unwrap(), "/text");
        assert_eq!(get("/bytes").bytes().unwrap(), "/bytes");
        assert_eq!(io::read_to_string(get("/read")).unwrap(), "/read");
        assert_eq!(io::read_to_string(get("/reader").into_reader()).unwrap(), "/reader");
        assert_eq!(get("/bad").text().unwrap(), "a\u{FFFD}b");
        assert!(io::read_to_string(get("/bad")).is_err());
        let body = get("/body").into_body();
        assert_eq!(io::read_to_string(fibra::http::BodyReader::new(body)).unwrap(), "/body");
        let mut begun = get("/begun");
        begun.read_exact(&mut [0; 2]).unwrap();
        let rest = fibra::http::BodyReader::new(begun.into_body());
        assert_eq!(io::read_to_string(rest).unwrap(), "egun");
        assert_eq!(site.connections.get(), 1);
    });
}

#[test]
fn trailers_are_there_after_the_body() {
    fibra::run(|| {
        let site = Site::scripted(|_, stream| {
            head_of(&stream).unwrap();
            write(
                &stream,
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n\
                 3\r\nabc\r\n0\r\nx-sum: 6\r\n\r\n",
            );
        });
        let mut response = client().get(site.url("/")).header("te", "trailers").send().unwrap();
        assert!(response.trailers().is_none());
        let mut text = String::new();
        response.read_to_string(&mut text).unwrap();
        assert_eq!(
            (text.as_str(), &response.trailers().unwrap()["x-sum"]),
            ("abc", &"6".parse().unwrap())
        );
    });
}

#[test]
#[cfg(feature = "json")]
fn json_goes_both_ways() {
    use std::collections::BTreeMap;
    fibra::run(|| {
        let site = Site::new(|request| match request.uri().path() {
            "/bad" => say("{"),
            _ => {
                let content_type = header(&request, "content-type");
                say(format!("[{content_type:?}, {}]", body_of(request)))
            }
        });
        let client = client();
        let sizes = BTreeMap::from([("large", 3), ("small", 1)]);
        let response = client.post(site.url("/")).json(&sizes).send().unwrap();
        let (content_type, got): (String, BTreeMap<String, i32>) = response.json().unwrap();
        assert_eq!(content_type, "application/json");
        assert_eq!(got.iter().map(|(k, v)| (k.as_str(), *v)).collect::<BTreeMap<_, _>>(), sizes);
        let response = client.post(site.url("/bad")).send().unwrap();
        let error = response.json::<Vec<i32>>().unwrap_err();
        assert!(error.is_decode() && error.source().is_some());
        let unfit = BTreeMap::from([(vec![1], 1)]);
        assert!(client.post(site.url("/")).json(&unfit).send().unwrap_err().is_builder());
    });
}

#[test]
fn mistakes_in_a_request_are_reported_when_it_is_sent() {
    fibra::run(|| {
        let client = client();
        let text = |request: fibra::http::RequestBuilder| {
            let error = request.send().unwrap_err();
            assert!(error.is_builder(), "{error:?}");
            error.to_string()
        };
        assert_eq!(
            text(client.get("localhost/")),
            "cannot build the request: \"localhost/\" is not a URL: relative URL without a base: \
             write the scheme and the host, as in http://localhost/"
        );
        assert_eq!(
            text(client.get("localhost:80/x")),
            "cannot build the request to localhost:80/x: only http and https URLs are supported: \
             write http://localhost:80/x"
        );
        assert_eq!(
            text(client.get("http://user:secret@host:99999/")),
            "cannot build the request: the text is not a URL: invalid port number"
        );
        assert!(text(client.get("http://h/").header("a b", "c")).contains("http://h/"));
        assert!(text(client.get("http://h/").header("a", "c\n")).contains("http://h/"));
        let token = text(client.get("http://h/").bearer_auth("secret\n"));
        assert!(!token.contains("secret"), "{token}");
    });
}

#[test]
fn an_error_is_one_line_and_names_no_password() {
    fibra::run(|| {
        let refusing = crate::support::net::RefusingAddress::new().address;
        let error = client().get(format!("http://u:secret@{refusing}/x")).send().unwrap_err();
        assert!(error.is_connect());
        let (shown, debug) = (error.to_string(), format!("{error:?}"));
        let expected = format!(
            "cannot connect for http://{refusing}/x: cannot connect to {refusing}: Connection \
             refused (os error 111)"
        );
        assert_eq!(shown, expected);
        assert!(!debug.contains("secret") && !debug.contains('\n') && debug.len() < 300, "{debug}");
        assert_eq!(error.url().unwrap().as_str(), format!("http://{refusing}/x"));
        let error = io::Error::from(error);
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(error.to_string(), expected);
    });
}

#[test]
fn an_unknown_name_is_a_failure_to_connect() {
    fibra::run(|| {
        let hosts: [(&str, std::net::IpAddr); 0] = [];
        let client = builder().resolver(fibra::net::Resolver::fixed(hosts)).build().unwrap();
        let error = client.get("http://nowhere.test/").send().unwrap_err();
        assert!(error.is_connect());
        let text = "cannot connect for http://nowhere.test/: nowhere.test is not in the table";
        assert_eq!(error.to_string(), text);
    });
}

#[test]
fn three_fibers_fetch_at_the_same_time() {
    fibra::run(|| {
        let arrived = Rc::new(RefCell::new(Vec::new()));
        let log = arrived.clone();
        let site = Site::new(move |request| {
            log.borrow_mut().push(request.uri().path().to_string());
            while log.borrow().len() < 3 {
                fibra::sleep(crate::support::ms(1));
            }
            say("together")
        });
        let client = client();
        let fetches = ["/a", "/b", "/c"].map(|path| {
            let (client, url) = (client.clone(), site.url(path));
            fibra::spawn(move || client.get(url).send().unwrap().text().unwrap())
        });
        fetches.into_iter().for_each(|fetch| assert_eq!(fetch.join().unwrap(), "together"));
        assert_eq!(*arrived.borrow(), ["/a", "/b", "/c"]);
    });
}

#[test]
fn an_error_shows_whether_another_attempt_is_worth_while() {
    fibra::run(|| {
        let site = Site::new(|request| {
            let mut response = say("");
            let status = request.uri().path()[1..].parse::<u16>().unwrap();
            *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap();
            response
        });
        let client = client();
        let of_status = |status: u16| {
            let response = client.get(site.url(&format!("/{status}"))).send().unwrap();
            response.error_for_status().unwrap_err().is_transient()
        };
        let (transient, lasting) = ([408, 425, 429, 502, 503, 504], [400, 401, 404, 410, 500, 501]);
        assert!(transient.into_iter().all(of_status));
        assert!(!lasting.into_iter().any(of_status));

        let refusing = crate::support::net::RefusingAddress::new().address;
        assert!(client.get(format!("http://{refusing}/")).send().unwrap_err().is_transient());
        assert!(!client.get("ftp://host.test/").send().unwrap_err().is_transient());
        let silent = Site::scripted(|_, _stream| fibra::park());
        let limit = std::time::Duration::from_millis(1);
        assert!(client.get(silent.url("/")).timeout(limit).send().unwrap_err().is_transient());
        let closing = Site::scripted(|_, stream| {
            head_of(&stream);
        });
        let error = client.get(closing.url("/")).send().unwrap_err();
        assert!(error.is_request() && error.is_transient(), "{error:?}");
        let short = Site::scripted(|_, stream| {
            head_of(&stream);
            write(&stream, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n1");
        });
        let error = client.get(short.url("/")).send().unwrap().text().unwrap_err();
        assert!(error.is_body() && error.is_transient(), "{error:?}");
    });
}

#[test]
fn a_response_becomes_one_of_hyper_with_what_is_left_of_its_body() {
    fibra::run(|| {
        let site = Site::new(|_| {
            let mut response = say("some text");
            *response.status_mut() = hyper::StatusCode::ACCEPTED;
            response.headers_mut().insert("x-kept", HeaderValue::from_static("yes"));
            response
        });
        let mut response = client().get(site.url("/")).send().unwrap();
        response.read_exact(&mut [0; 5]).unwrap();
        let response = Response::from(response);
        assert_eq!(response.status(), 202);
        assert_eq!(response.headers()["x-kept"], "yes");
        let mut rest = fibra::http::BodyReader::new(response.into_body());
        assert_eq!(io::read_to_string(&mut rest).unwrap(), "text");
    });
}
