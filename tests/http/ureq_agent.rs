//! Agents of ureq, on fibers.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::time::Duration;

use fibra::net::{Resolver, TcpStream};
use fibra::ureq::{Connector, agent};
use ureq::config::Config;
use ureq::{Agent, Error, Proxy, Timeout};

use crate::client_help::{OK, Site, answer_all, body_of, head_of, say, write};
use crate::support::net::{RefusingAddress, soon, yield_until};
use crate::support::tls::{acceptor, client_config, localhost, server_config};
use crate::support::{go, ms};

/// Returns the default settings, without proxies of the environment.
fn config() -> Config {
    Agent::config_builder().proxy(None).build()
}

fn plain() -> Agent {
    agent(config())
}

fn get(agent: &Agent, url: &str) -> String {
    agent.get(url).call().unwrap().body_mut().read_to_string().unwrap()
}

/// Returns the agent with another resolver.
fn resolving(resolver: Resolver) -> Agent {
    Agent::with_parts(config(), Connector::new(), resolver)
}

/// Returns the limit that has ended a call.
#[track_caller]
fn limit_of<T>(result: Result<T, Error>) -> Timeout {
    match result {
        Err(Error::Timeout(limit)) => limit,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("no error"),
    }
}

#[test]
fn calls_of_many_fibers_wait_at_the_same_time() {
    fibra::run(|| {
        let (now, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let (count, maximum) = (now.clone(), most.clone());
        let site = Site::new(move |request| {
            count.set(count.get() + 1);
            maximum.set(maximum.get().max(count.get()));
            yield_until(|| maximum.get() == 10);
            count.set(count.get() - 1);
            say(request.uri().to_string())
        });
        let agent = plain();
        fibra::scope(|scope| {
            for n in 0..10 {
                let (agent, url) = (&agent, site.url(&format!("/{n}")));
                scope.spawn(move || assert_eq!(get(agent, &url), format!("/{n}")));
            }
        });
    });
}

#[test]
fn connections_are_kept_and_those_that_ended_are_not_used() {
    fibra::run(|| {
        let site = Site::scripted(|number, stream| {
            if number == 1 {
                for _ in 0..2 {
                    head_of(&stream);
                    write(&stream, OK);
                }
            } else {
                answer_all(&stream, OK);
            }
        });
        let agent = plain();
        assert_eq!(get(&agent, &site.url("/")), "ok");
        assert_eq!(get(&agent, &site.url("/")), "ok");
        assert_eq!(site.connections.get(), 1);
        yield_until(|| site.open.get() == 0);
        fibra::sleep(ms(1));
        assert_eq!(get(&agent, &site.url("/")), "ok");
        assert_eq!(site.connections.get(), 2);
    });
}

#[test]
fn bodies_of_megabytes_go_both_ways() {
    fibra::run(|| {
        let site = Site::scripted(|_, stream| {
            let http = fibra::http::Http::new().max_body_size(None);
            drop(http.serve_connection(stream, |request| say(body_of(request))));
        });
        let text = "0123456789".repeat(300_000);
        let mut response = plain().post(site.url("/")).send(&text).unwrap();
        let mut back = String::new();
        response.body_mut().as_reader().read_to_string(&mut back).unwrap();
        assert!(back == text);
    });
}

#[test]
fn each_time_limit_ends_its_wait() {
    fibra::run(|| {
        let silent = Site::scripted(|_, stream| {
            if head_of(&stream).is_some_and(|head| head.starts_with("GET /body")) {
                write(&stream, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\npa");
            }
            while head_of(&stream).is_some() {}
        });
        let limit = Some(ms(20));
        let agent = plain();
        let request = || agent.get(silent.url("/")).config();
        let call = request().timeout_global(limit).build().call();
        assert_eq!(limit_of(call), Timeout::Global);
        let call = request().timeout_recv_response(limit).build().call();
        assert_eq!(limit_of(call), Timeout::RecvResponse);
        let call = request().timeout_per_read(limit).build().call();
        assert_eq!(limit_of(call), Timeout::PerRead);
        let request = agent.get(silent.url("/body")).config().timeout_recv_body(limit).build();
        let read = request.call().unwrap().body_mut().read_to_string();
        assert_eq!(limit_of(read), Timeout::RecvBody);
        yield_until(|| silent.open.get() == 0);
    });
}

#[test]
fn a_server_that_takes_nothing_meets_the_limit_for_sending() {
    fibra::run(|| {
        let deaf = Site::scripted(|_, _stream| fibra::park());
        let request = plain().post(deaf.url("/")).config().timeout_send_body(Some(ms(50))).build();
        assert_eq!(limit_of(request.send(&vec![0; 30 << 20][..])), Timeout::SendBody);
    });
}

#[test]
fn names_are_looked_up_by_the_resolver_within_their_limit() {
    fibra::run(|| {
        let site = Site::new(|_| say("found"));
        let hosts = Resolver::fixed([("shop.test", IpAddr::from(Ipv4Addr::LOCALHOST))]);
        let agent = resolving(hosts);
        let port = site.address.port();
        assert_eq!(get(&agent, &format!("http://shop.test:{port}/")), "found");
        assert!(agent.get("http://other.test/").call().is_err());

        let (release, slow) = std::sync::mpsc::channel::<()>();
        let slow = std::sync::Mutex::new(slow);
        let agent = resolving(Resolver::new(move |_| {
            let _ = slow.lock().unwrap().recv();
            Ok(vec![])
        }));
        let request = agent.get("http://slow.test/").config().timeout_resolve(Some(ms(20)));
        assert_eq!(limit_of(request.build().call()), Timeout::Resolve);
        drop(release);
        assert!(matches!(agent.get("http://slow.test/").call(), Err(Error::HostNotFound)));
    });
}

#[test]
fn a_failure_to_connect_is_an_error() {
    fibra::run(|| {
        let refusing = RefusingAddress::new();
        let error = plain().get(format!("http://{}/", refusing.address)).call().unwrap_err();
        let refused = io::ErrorKind::ConnectionRefused;
        assert!(matches!(&error, Error::Io(error) if error.kind() == refused), "{error:?}");
    });
}

fn secure() -> Agent {
    let connector = Connector::new().tls_config(client_config());
    Agent::with_parts(config(), connector, Resolver::system())
}

/// Starts a server over TLS.
fn secure_site() -> Site {
    let acceptor = acceptor(server_config(localhost()));
    Site::scripted(move |_, stream| {
        let Ok(stream) = acceptor.accept(stream) else { return };
        let handler = |request: crate::client_help::Asked| say(format!("secret {}", request.uri()));
        drop(fibra::http::Http::new().serve_connection(stream, handler));
    })
}

#[test]
fn https_proves_the_name_of_the_server() {
    fibra::run(|| {
        let site = secure_site();
        let agent = secure();
        let url = format!("https://localhost:{}/a", site.address.port());
        for _ in 0..3 {
            assert_eq!(soon(|| get(&agent, &url)), "secret /a");
        }
        let wrong = format!("https://{}/", site.address);
        let error = agent.get(&wrong).call().unwrap_err();
        assert!(error.to_string().contains("certificate"), "{error}");
        // The tests' authority is none of the system's.
        assert!(plain().get(&url).call().is_err());
    });
}

#[test]
fn a_handshake_that_does_not_continue_meets_the_limit_for_connecting() {
    fibra::run(|| {
        let silent = Site::scripted(|_, stream| while head_of(&stream).is_some() {});
        let url = format!("https://localhost:{}/", silent.address.port());
        let request = secure().get(&url).config().timeout_connect(Some(ms(30))).build();
        assert_eq!(limit_of(request.call()), Timeout::Connect);
        yield_until(|| silent.open.get() == 0);
    });
}

#[test]
fn https_goes_through_the_tunnel_of_a_proxy() {
    fibra::run(|| {
        let site = secure_site();
        let proxy = Site::scripted(|_, stream| {
            let head = head_of(&stream).unwrap();
            let there = TcpStream::connect(head.split(' ').nth(1).unwrap()).unwrap();
            write(&stream, "HTTP/1.1 200 OK\r\n\r\n");
            let (stream, there) = (Rc::new(stream), Rc::new(there));
            let (from, to) = (stream.clone(), there.clone());
            go(move || drop(io::copy(&mut &*from, &mut &*to)));
            drop(io::copy(&mut &*there, &mut &*stream));
        });
        let through = Proxy::new(&format!("http://{}", proxy.address)).unwrap();
        let config = Agent::config_builder().proxy(Some(through)).build();
        let connector = Connector::new().tls_config(client_config());
        let agent = Agent::with_parts(config, connector, Resolver::system());
        let url = format!("https://localhost:{}/b", site.address.port());
        assert_eq!(soon(|| get(&agent, &url)), "secret /b");
        assert_eq!(proxy.connections.get(), 1);
    });
}

#[test]
fn a_proxy_that_is_not_supported_is_not_passed_by() {
    fibra::run(|| {
        let site = Site::new(|_| say("reached directly"));
        let proxy = Proxy::new("socks4://127.0.0.1:1").unwrap();
        let agent = agent(Agent::config_builder().proxy(Some(proxy)).build());
        let error = agent.get(site.elsewhere("/")).call().unwrap_err();
        assert!(error.to_string().contains("SOCKS"), "{error}");
        assert_eq!(site.connections.get(), 0);
    });
}

#[test]
fn a_kill_and_a_time_limit_end_a_call_and_close_its_connection() {
    fibra::run(|| {
        let silent = Site::scripted(|_, stream| while head_of(&stream).is_some() {});
        let (agent, url) = (plain(), silent.url("/"));
        let call = {
            let (agent, url) = (agent.clone(), url.clone());
            fibra::spawn(move || agent.get(&url).call().is_ok())
        };
        yield_until(|| silent.open.get() == 1);
        call.kill();
        assert!(call.join().is_err());
        yield_until(|| silent.open.get() == 0);
        assert!(fibra::time::timeout(ms(20), || agent.get(&url).call().is_ok()).is_err());
        yield_until(|| silent.open.get() == 0);
    });
}

#[test]
fn an_agent_that_is_shut_down_ends_its_calls() {
    fibra::run(|| {
        let silent = Site::scripted(|_, stream| while head_of(&stream).is_some() {});
        let (agent, url) = (plain(), silent.url("/"));
        let call = {
            let agent = agent.clone();
            fibra::spawn(move || agent.get(&url).call().is_ok())
        };
        yield_until(|| silent.open.get() == 1);
        agent.shutdown();
        assert!(!soon(|| call.join()).unwrap());
    });
}

#[test]
fn plain_threads_and_several_schedulers_share_an_agent() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for stream in listener.incoming().take(1) {
                let mut stream = stream.unwrap();
                let (mut head, mut buffer) = (Vec::new(), [0; 1024]);
                while let Ok(length @ 1..) = stream.read(&mut buffer) {
                    head.extend_from_slice(&buffer[..length]);
                    if head.ends_with(b"\r\n\r\n") {
                        head.clear();
                        stream.write_all(OK.as_bytes()).unwrap();
                    }
                }
            }
        });
        let config = Agent::config_builder().proxy(None);
        let agent = agent(config.timeout_global(Some(Duration::from_secs(10))).build());
        assert_eq!(get(&agent, &url), "ok");
        for _ in 0..2 {
            fibra::run(|| assert_eq!(get(&agent, &url), "ok"));
        }
        assert_eq!(get(&agent, &url), "ok");
    });
}
