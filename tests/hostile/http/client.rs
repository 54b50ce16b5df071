//! Requests that are killed, or run out of time, after each number of switches.

use std::io::Read;
use std::net::Ipv4Addr;
use std::time::Duration;

use fibra::http::{Client, Http, RequestBody, Response};
use fibra::net::Resolver;
use hyper::body::Bytes;

use super::{MOST, check, fibers, narrow, switch, wait_for_fibers};
use crate::client_help::{Asked, Site, builder, redirect, say};
use crate::support::net::{open_fds, soon, yield_until};
#[cfg(feature = "tls")]
use crate::support::tls;
use crate::support::{in_child, name_of};

use fibra::http::hyper;

type Answer = Result<Bytes, fibra::http::Error>;
type Asks = fn(&Client, &Site) -> Answer;

/// A reader that gives its bytes in small parts and waits between them.
struct Slow(usize);

impl Read for Slow {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        fibra::yield_now();
        let length = buffer.len().min(self.0).min(5_000);
        buffer[..length].fill(b'x');
        self.0 -= length;
        Ok(length)
    }
}

pub(super) fn handler(request: Asked) -> hyper::Response<crate::client_help::Text> {
    match request.uri().path() {
        "/redirect" => redirect(307, "/echo/redirected"),
        "/large" => say(vec![b'y'; 300_000]),
        path => {
            let path = path.to_string();
            // It breaks off if the client is killed.
            let body = std::io::read_to_string(request.into_body()).unwrap_or_default();
            say(format!("{path} {body}"))
        }
    }
}

fn plain() -> Site {
    Site::new(handler)
}

fn bytes(response: Result<Response, fibra::http::Error>) -> Answer {
    response?.bytes()
}

const REQUESTS: [(&str, Asks); 6] = [
    ("a GET", |client, site| bytes(client.get(site.url("/echo")).send())),
    ("a large response", |client, site| bytes(client.get(site.url("/large")).send())),
    ("a POST of bytes", |client, site| {
        bytes(client.post(site.url("/echo")).body(vec![b'x'; 50_000]).send())
    }),
    ("a POST of a reader", |client, site| {
        bytes(client.post(site.url("/echo")).body(RequestBody::new(Slow(50_000))).send())
    }),
    ("a redirect", |client, site| bytes(client.post(site.url("/redirect")).body("again").send())),
    ("a response that is passed on", |client, site| {
        let first = client.get(site.url("/large")).send()?;
        // The one connection is in use until this body has been sent on.
        bytes(
            client.post(site.elsewhere("/echo")).body(RequestBody::wrap(first.into_body())).send(),
        )
    }),
];

/// How a request is ended.
#[derive(Clone, Copy, Debug)]
enum End {
    Kill,
    Timeout,
}

/// Ends the request after each number of switches, until it is faster.
fn attack(
    what: &str,
    end: End,
    client: &Client,
    site: &Site,
    asks: impl Fn(&Client, &Site) -> Answer + Copy + 'static,
) {
    let mut ended = 0;
    let before = fibers();
    for switches in 0..MOST {
        let (killed, asked) = (client.clone(), site.clone());
        let victim = match end {
            End::Kill => fibra::spawn(move || drop(asks(&killed, &asked))),
            End::Timeout => {
                let limit = Duration::from_micros(3 * switches as u64);
                fibra::spawn(move || {
                    drop(fibra::time::timeout(limit, || asks(&killed, &asked)));
                })
            }
        };
        if matches!(end, End::Kill) {
            switch(switches);
        }
        let finished = victim.is_finished();
        if matches!(end, End::Kill) {
            victim.kill();
        }
        drop(soon(|| victim.join()));
        check(client, site, what);
        // Those of two connections stay, at either side; those of the attacks do not.
        wait_for_fibers(before + 4);
        ended += 1;
        if finished {
            break;
        }
    }
    assert!(1 < ended, "{what} was never ended in its middle");
}

#[test]
fn a_request_is_killed_after_each_number_of_switches() {
    fibra::run(|| {
        for (what, asks) in REQUESTS {
            attack(what, End::Kill, &narrow(), &plain(), asks);
        }
    });
}

#[test]
fn a_request_runs_out_of_time_at_each_moment() {
    fibra::run(|| {
        for (what, asks) in REQUESTS {
            attack(what, End::Timeout, &narrow(), &plain(), asks);
        }
    });
}

#[test]
fn a_request_that_waits_for_a_connection_or_a_name_is_killed() {
    fibra::run(|| {
        let site = plain();
        let names = Resolver::new(|_| Ok(vec![Ipv4Addr::LOCALHOST.into()]));
        let client = builder().max_connections_per_host(1).resolver(names).build().unwrap();
        attack("a name", End::Kill, &client, &site, |client, site| {
            bytes(client.get(site.elsewhere("/echo")).send())
        });
        attack("a queue", End::Kill, &narrow(), &site, |client, site| {
            let holds = client.get(site.url("/large")).send()?;
            let (other, url) = (client.clone(), site.url("/echo"));
            let waits = fibra::spawn(move || bytes(other.get(url).send()));
            fibra::yield_now();
            drop(holds);
            waits.join().unwrap_or_else(|_| Ok(Bytes::new()))
        });
    });
}

#[cfg(feature = "tls")]
#[test]
fn a_handshake_and_a_request_over_tls_are_killed_after_each_number_of_switches() {
    fibra::run(|| {
        let acceptor = tls::acceptor(tls::server_config(tls::localhost()));
        let site = Site::scripted(move |_, stream| {
            let Ok(stream) = acceptor.accept(stream) else { return };
            drop(Http::new().serve_connection(stream, handler));
        });
        let client = builder().max_connections_per_host(1).tls_config(tls::client_config());
        let client = client.build().unwrap();
        let port = site.address.port();
        let asks = move |client: &Client| {
            bytes(client.get(format!("https://localhost:{port}/large")).send())
        };
        for switches in 0..MOST {
            let killed = client.clone();
            let victim = fibra::spawn(move || drop(asks(&killed)));
            switch(switches);
            let finished = victim.is_finished();
            victim.kill();
            drop(soon(|| victim.join()));
            assert_eq!(soon(|| asks(&client)).unwrap().len(), 300_000);
            assert_eq!(format!("{client:?}"), "Client { servers: 1, idle: 1 }");
            if finished {
                break;
            }
            // The next one shakes hands again.
            if switches % 2 == 0 {
                drop(client.get(format!("https://localhost:{port}/large")).send());
            }
        }
    });
}

#[cfg(feature = "http2")]
#[test]
fn a_stream_of_http_2_is_killed_after_each_number_of_switches() {
    fibra::run(|| {
        let site = plain();
        let client = builder().http2_prior_knowledge().build().unwrap();
        for (what, asks) in REQUESTS {
            for switches in 0..MOST {
                let (killed, asked) = (client.clone(), site.clone());
                let victim = fibra::spawn(move || drop(asks(&killed, &asked)));
                switch(switches);
                let finished = victim.is_finished();
                victim.kill();
                drop(soon(|| victim.join()));
                let post = client.post(site.url("/echo/2")).body("after");
                let text = soon(|| post.send().unwrap().text().unwrap());
                assert_eq!(text, "/echo/2 after", "{what}");
                if finished {
                    break;
                }
            }
        }
        // Streams were reset hundreds of times, and no connection was lost. There is one for each
        // of two names, and one for each kill while such a connection was made.
        assert!(site.connections.get() <= 20, "{}", site.connections.get());
    });
}

#[test]
fn descriptors_of_killed_requests_are_closed() {
    let output = in_child(name_of!(descriptors_of_killed_requests_are_closed), &[], || {
        fibra::run(|| {
            let site = plain();
            // Those that the first request opens for all.
            drop(bytes(narrow().get(site.url("/large")).send()));
            yield_until(|| site.open.get() == 0);
            let before = open_fds();
            for switches in 0..60 {
                let (client, url) = (narrow(), site.url("/large"));
                let killed = client.clone();
                let victim = fibra::spawn(move || drop(bytes(killed.get(url).send())));
                switch(switches);
                drop(client);
                victim.kill();
                drop(victim.join());
            }
            yield_until(|| open_fds() <= before);
        });
    });
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
