//! Redirects: what the next request is, and where credentials go.

use fibra::http::{RedirectPolicy, RequestBody, hyper};
use hyper::{Method, Response};

use crate::client_help::{Site, Text, body_of, builder, client, header, redirect, say};

/// Starts a server that redirects `/STATUS` to `/to`, which reports what it got.
fn site() -> Site {
    Site::new(|request| match request.uri().path() {
        "/to" => {
            let method = request.method().clone();
            let content_type = header(&request, "content-type");
            let length = header(&request, "content-length");
            say(format!("{method} {content_type} {length} {}", body_of(request)))
        }
        status => redirect(status[1..].parse().unwrap(), "/to"),
    })
}

#[test]
fn each_status_keeps_or_changes_the_method_and_the_body() {
    fibra::run(|| {
        let (site, client) = (site(), client());
        let kept = "text/plain 4 body";
        let table = [
            (301, "GET", "GET"),
            (301, "POST", "GET"),
            (301, "PUT", "PUT"),
            (302, "POST", "GET"),
            (302, "DELETE", "DELETE"),
            (303, "POST", "GET"),
            (303, "PUT", "GET"),
            (303, "GET", "GET"),
            (307, "POST", "POST"),
            (308, "PATCH", "PATCH"),
        ];
        for (status, from, to) in table {
            let url = site.url(&format!("/{status}"));
            let request = client.request(from.parse::<Method>().unwrap(), url);
            let request = request.header("content-type", "text/plain").body("body");
            let response = request.send().unwrap();
            assert_eq!(response.url().as_str(), site.url("/to"));
            let expected =
                if from == to { format!("{to} {kept}") } else { format!("{to} none none ") };
            assert_eq!(response.text().unwrap(), expected, "{status} {from}");
        }
        let response = client.head(site.url("/303")).send().unwrap();
        assert_eq!(response.content_length(), Some("HEAD none none ".len() as u64));
    });
}

#[test]
fn statuses_that_redirect_nowhere_are_responses() {
    fibra::run(|| {
        let site = Site::new(|request| match request.uri().path() {
            "/304" => redirect(304, "/to"),
            "/300" => redirect(300, "/to"),
            _ => Response::builder().status(302).body(Text::default()).unwrap(),
        });
        for (path, status) in [("/304", 304), ("/300", 300), ("/without-location", 302)] {
            assert_eq!(client().get(site.url(path)).send().unwrap().status(), status);
        }
    });
}

#[test]
fn a_location_may_be_relative_and_keeps_the_fragment() {
    fibra::run(|| {
        let site = Site::new(|request| match request.uri().path() {
            "/a/b/c" => redirect(302, "../d?e"),
            "/other" => redirect(302, "/a/d#own"),
            path => say(path.to_string()),
        });
        let response = client().get(site.url("/a/b/c#part")).send().unwrap();
        assert_eq!(response.url().as_str(), site.url("/a/d?e#part"));
        let response = client().get(site.url("/other#part")).send().unwrap();
        assert_eq!(response.url().as_str(), site.url("/a/d#own"));
    });
}

#[test]
fn ten_redirects_are_followed_and_no_eleventh() {
    fibra::run(|| {
        let site = Site::new(|request| match request.uri().path()[1..].parse::<u32>() {
            Ok(0) => say("there"),
            Ok(n) => redirect(302, &format!("/{}", n - 1)),
            Err(_) => redirect(302, request.uri().path()),
        });
        let client = client();
        assert_eq!(client.get(site.url("/10")).send().unwrap().text().unwrap(), "there");
        let error = client.get(site.url("/11")).send().unwrap_err();
        assert!(error.is_redirect());
        let text = format!(
            "cannot follow the redirect of {}: more than 10 redirects, the next one leads to {}",
            site.url("/1"),
            site.url("/0")
        );
        assert_eq!(error.to_string(), text);
        let error = client.get(site.url("/loop")).send().unwrap_err().to_string();
        assert!(error.ends_with("more than 10 redirects, and they form a loop"), "{error}");
        // All of it over one connection.
        assert_eq!(site.connections.get(), 1);

        let few = builder().redirect(RedirectPolicy::limited(1)).build().unwrap();
        assert_eq!(few.get(site.url("/1")).send().unwrap().text().unwrap(), "there");
        assert!(few.get(site.url("/2")).send().unwrap_err().is_redirect());
        let none = builder().redirect(RedirectPolicy::none()).build().unwrap();
        assert_eq!(none.get(site.url("/2")).send().unwrap().status(), 302);
    });
}

#[test]
fn credentials_stay_with_their_host() {
    fibra::run(|| {
        let there = Site::new(|request| {
            let names = ["authorization", "cookie", "proxy-authorization", "x-other"];
            say(names.map(|name| header(&request, name)).join(" "))
        });
        let other = there.clone();
        let here = Site::new(move |request| match request.uri().path() {
            "/same" => redirect(302, "/report"),
            "/port" => redirect(307, &other.url("/")),
            "/back" => redirect(302, &format!("http://new:word@{}/", other.address)),
            "/name" => {
                let port = header(&request, "host").rsplit(':').next().unwrap().to_string();
                redirect(302, &format!("http://localhost:{port}/report"))
            }
            _ => say(header(&request, "authorization") + &header(&request, "cookie")),
        });
        let client = client();
        let get = |path: &str| {
            let request =
                client.get(here.url(path)).header("cookie", "c").header("x-other", "kept");
            let request = request.header("proxy-authorization", "p").bearer_auth("t");
            request.send().unwrap().text().unwrap()
        };
        assert_eq!(get("/same"), "Bearer tc");
        assert_eq!(get("/port"), "none none none kept");
        assert_eq!(get("/name"), "nonenone");
        assert_eq!(get("/back"), "Basic bmV3OndvcmQ= none none kept");
    });
}

#[test]
fn a_body_that_cannot_be_sent_again_is_not_redirected() {
    fibra::run(|| {
        let (site, client) = (site(), client());
        let post = |path| client.post(site.url(path)).body(RequestBody::new(&b"read"[..])).send();
        let error = post("/307").unwrap_err();
        assert!(error.is_redirect());
        assert!(error.to_string().ends_with("cannot be sent again: give it as bytes"), "{error}");
        assert_eq!(post("/303").unwrap().text().unwrap(), "GET none none ");
    });
}

#[test]
fn a_location_that_is_no_url_of_http_is_an_error() {
    fibra::run(|| {
        let site = Site::new(|request| match request.uri().path() {
            "/file" => redirect(302, "file:///etc/passwd"),
            _ => redirect(302, "http://[broken"),
        });
        let error = |path: &str| {
            let error = client().get(site.url(path)).send().unwrap_err();
            assert!(error.is_redirect());
            error.to_string()
        };
        assert!(error("/file").contains("only http and https URLs are supported"));
        assert!(error("/broken").contains("its location is not a URL"));
    });
}
