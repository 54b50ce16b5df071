//! Proxies: requests that are sent to one, and tunnels through one.

use std::cell::RefCell;
use std::io;
use std::net::Ipv4Addr;
use std::rc::Rc;

use fibra::http::{Client, Proxy};
use fibra::net::TcpStream;

use crate::client_help::{OK, Site, answer_all, builder, head_of, write};
use crate::support::net::{soon, yield_until};
use crate::support::{go, in_child, ms};

/// Starts a proxy for tunnels. It logs the heads of requests, and refuses with `refusal`, if given.
fn tunnels(log: &Rc<RefCell<Vec<String>>>, refusal: Option<&'static str>) -> Site {
    let log = log.clone();
    Site::scripted(move |_, stream| {
        let Some(head) = head_of(&stream) else { return };
        log.borrow_mut().push(head.clone());
        if let Some(refusal) = refusal {
            return write(&stream, refusal);
        }
        let target = head.split(' ').nth(1).unwrap();
        let there = TcpStream::connect(target).unwrap();
        write(&stream, "HTTP/1.1 200 Connection established\r\nx: y\r\n\r\n");
        let (stream, there) = (Rc::new(stream), Rc::new(there));
        let (from, to) = (stream.clone(), there.clone());
        go(move || drop(io::copy(&mut &*from, &mut &*to)));
        drop(io::copy(&mut &*there, &mut &*stream));
    })
}

fn through(proxy: &str) -> Client {
    Client::builder().proxy(Proxy::new(proxy).unwrap()).build().unwrap()
}

#[test]
fn plain_requests_go_to_the_proxy_with_their_whole_url() {
    fibra::run(|| {
        let log = Rc::new(RefCell::new(Vec::new()));
        let heads = log.clone();
        let proxy = Site::scripted(move |_, stream| {
            while let Some(head) = head_of(&stream) {
                heads.borrow_mut().push(head);
                write(&stream, OK);
            }
        });
        let client = through(&format!("http://u:p@{}", proxy.address));
        for host in ["one.test", "two.test:81"] {
            let response = client.get(format!("http://{host}/path")).send().unwrap();
            assert_eq!(response.remote_addr(), Some(proxy.address));
            assert_eq!(response.text().unwrap(), "ok");
        }
        // Both hosts are reached over one connection to the proxy.
        assert_eq!(proxy.connections.get(), 1);
        let log = log.borrow();
        assert!(log[0].starts_with("GET http://one.test/path HTTP/1.1\r\nhost: one.test\r\n"));
        assert!(
            log[1].starts_with("GET http://two.test:81/path HTTP/1.1\r\nhost: two.test:81\r\n")
        );
        assert!(log[0].contains("proxy-authorization: Basic dTpw\r\n"), "{}", log[0]);
    });
}

#[test]
#[cfg(feature = "tls")]
fn https_goes_through_a_tunnel_and_ends_at_the_server() {
    use crate::support::tls::{acceptor, client_config, localhost, server_config};
    fibra::run(|| {
        let acceptor = acceptor(server_config(localhost()));
        let server = Site::scripted(move |_, stream| {
            let stream = acceptor.accept(stream).unwrap();
            let handler = |request: crate::client_help::Asked| {
                let credentials = crate::client_help::header(&request, "proxy-authorization");
                crate::client_help::say(format!("{} {credentials}", request.uri()))
            };
            drop(fibra::http::Http::new().serve_connection(stream, handler));
        });
        let log = Rc::new(RefCell::new(Vec::new()));
        let proxy = tunnels(&log, None);
        let client = Client::builder()
            .proxy(Proxy::new(format!("http://u:p@{}", proxy.address)).unwrap())
            .tls_config(client_config())
            .build()
            .unwrap();
        let target = format!("localhost:{}", server.address.port());
        for _ in 0..2 {
            let response = soon(|| client.get(format!("https://{target}/a")).send().unwrap());
            assert_eq!(response.text().unwrap(), "/a none");
        }
        let head = format!(
            "CONNECT {target} HTTP/1.1\r\nhost: {target}\r\nproxy-authorization: Basic dTpw\r\n\r\n"
        );
        assert_eq!(*log.borrow(), [head]);
        assert_eq!(server.connections.get(), 1);
    });
}

#[test]
#[cfg(feature = "tls")]
fn a_tunnel_that_is_refused_is_a_failure_to_connect() {
    use crate::support::tls::client_config;
    fibra::run(|| {
        let table = [
            ("HTTP/1.1 407 Who are you\r\n\r\n", "the proxy requires a user name and a password"),
            ("HTTP/1.1 403 Forbidden\r\n\r\n", "refused a tunnel to host.test:443: HTTP/1.1 403"),
            ("SSH-2.0\r\n\r\n", "refused a tunnel to host.test:443: SSH-2.0"),
            ("", "did not answer the request for a tunnel with HTTP"),
        ];
        let log = Rc::new(RefCell::new(Vec::new()));
        for (answer, text) in table {
            let proxy = tunnels(&log, Some(answer));
            let client = Client::builder()
                .proxy(Proxy::new(format!("http://{}", proxy.address)).unwrap())
                .tls_config(client_config())
                .build()
                .unwrap();
            let error = soon(|| client.get("https://host.test/").send().unwrap_err());
            assert!(error.is_connect() && error.to_string().contains(text), "{error}");
        }
    });
}

#[test]
#[cfg(feature = "tls")]
fn a_proxy_that_is_silent_is_given_up() {
    use crate::support::tls::client_config;
    fibra::run(|| {
        let proxy = Site::scripted(|_, stream| while head_of(&stream).is_some() {});
        let client = Client::builder()
            .proxy(Proxy::new(format!("http://{}", proxy.address)).unwrap())
            .tls_config(client_config())
            .connect_timeout(ms(20))
            .build()
            .unwrap();
        assert!(client.get("https://host.test/").send().unwrap_err().is_timeout());
        yield_until(|| proxy.open.get() == 0);
    });
}

#[test]
fn a_proxy_of_another_kind_is_refused() {
    for url in ["https://proxy.test/", "socks5://proxy.test/"] {
        let error = Proxy::new(url).unwrap_err();
        assert!(error.is_builder() && error.to_string().contains("http:// only"), "{error}");
    }
}

#[test]
fn proxies_come_from_the_environment() {
    // Nothing listens there.
    let environment = [
        ("HTTP_PROXY", "127.0.0.1:1"),
        ("http_proxy", ""),
        ("ALL_PROXY", "socks5://127.0.0.1:1"),
        ("all_proxy", ""),
        ("NO_PROXY", "10.0.0.0/8,.near.test"),
        ("no_proxy", ""),
    ];
    let test = "client_proxy::proxies_come_from_the_environment";
    let output = in_child(test, &environment, || {
        fibra::run(|| {
            let site = Site::scripted(|_, stream| answer_all(&stream, OK));
            let here = ["at.near.test", "localhost"].map(|name| (name, Ipv4Addr::LOCALHOST.into()));
            let hosts = fibra::net::Resolver::fixed(here);
            let client = Client::builder().resolver(hosts).build().unwrap();
            let near = format!("http://at.near.test:{}/", site.address.port());
            for url in [near, site.url("/"), site.elsewhere("/")] {
                assert_eq!(client.get(url).send().unwrap().text().unwrap(), "ok");
            }
            let error = client.get("http://far.test/").send().unwrap_err();
            assert!(error.to_string().contains("127.0.0.1:1: "), "{error}");
            let error = client.get("https://far.test/").send().unwrap_err();
            assert!(error.is_builder() && error.to_string().contains("SOCKS"), "{error}");
            let direct = builder().build().unwrap();
            assert_eq!(direct.get(site.url("/")).send().unwrap().text().unwrap(), "ok");
        });
    });
    crate::support::net::check_end(&output);
}
