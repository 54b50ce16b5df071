//! The pool: reuse, limits, order, idle connections that end, and requests that are repeated.

use std::cell::{Cell, RefCell};
use std::io::Read;
use std::rc::Rc;

use fibra::http::{Client, RequestBody};
use fibra::testing::wait_all_blocked;

use crate::client_help::{OK, Site, answer_all, builder, client, head_of, say, write};
use crate::support::net::{soon, yield_until};
use crate::support::{go, ms};

fn get(client: &Client, url: String) -> String {
    client.get(url).send().unwrap().text().unwrap()
}

#[test]
fn a_connection_is_used_again_after_its_response_was_read() {
    fibra::run(|| {
        let site = Site::new(|_| say(vec![b'x'; 1_000_000]));
        let client = client();
        for _ in 0..3 {
            assert_eq!(client.get(site.url("/")).send().unwrap().bytes().unwrap().len(), 1_000_000);
        }
        assert_eq!(site.connections.get(), 1);
        // Not read to its end: the connection is closed.
        let mut response = client.get(site.url("/")).send().unwrap();
        response.read_exact(&mut [0; 10]).unwrap();
        drop(response);
        assert_eq!(format!("{client:?}"), "Client { servers: 0, idle: 0 }");
        client.get(site.url("/")).send().unwrap().bytes().unwrap();
        assert_eq!(site.connections.get(), 2);
        assert_eq!(format!("{client:?}"), "Client { servers: 1, idle: 1 }");
    });
}

#[test]
fn a_short_response_that_is_dropped_unread_keeps_its_connection() {
    fibra::run(|| {
        let site = Site::new(|_| say("short"));
        let client = client();
        for _ in 0..3 {
            drop(client.get(site.url("/")).send().unwrap());
        }
        assert_eq!(site.connections.get(), 1);
    });
}

#[test]
fn a_response_without_end_closes_its_connection_when_it_is_dropped() {
    fibra::run(|| {
        let ended = Rc::new(Cell::new(false));
        let told = ended.clone();
        let site = Site::scripted(move |_, stream| {
            head_of(&stream).unwrap();
            write(&stream, "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort");
            assert!(head_of(&stream).is_none());
            told.set(true);
        });
        drop(client().get(site.url("/")).send().unwrap());
        yield_until(|| ended.get());
    });
}

#[test]
fn clones_share_connections_and_clients_do_not() {
    fibra::run(|| {
        let site = Site::new(|_| say("ok"));
        let client = client();
        get(&client, site.url("/"));
        get(&client.clone(), site.url("/"));
        assert_eq!(site.connections.get(), 1);
        get(&crate::client_help::client(), site.url("/"));
        assert_eq!(site.connections.get(), 2);
        // Another name is another host.
        get(&client, site.elsewhere("/"));
        assert_eq!(site.connections.get(), 3);
    });
}

#[test]
fn connections_to_a_host_are_limited_and_given_in_order() {
    fibra::run(|| {
        let (now, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let order = Rc::new(RefCell::new(Vec::new()));
        let (count, maximum, log) = (now.clone(), most.clone(), order.clone());
        let site = Site::new(move |request| {
            log.borrow_mut().push(request.uri().path()[1..].parse::<usize>().unwrap());
            count.set(count.get() + 1);
            maximum.set(maximum.get().max(count.get()));
            fibra::sleep(ms(2));
            count.set(count.get() - 1);
            say("ok")
        });
        let client = builder().max_connections_per_host(2).build().unwrap();
        fibra::scope(|scope| {
            for n in 0..10 {
                let (client, site) = (&client, &site);
                scope.spawn(move || get(client, site.url(&format!("/{n}"))));
            }
        });
        assert_eq!((most.get(), site.connections.get()), (2, 2));
        assert!(order.borrow().is_sorted_by(|one, other| one < other || one - other == 1));
        assert_eq!(format!("{client:?}"), "Client { servers: 1, idle: 2 }");
    });
}

#[test]
fn a_closed_connection_gives_its_place_to_the_next_request() {
    fibra::run(|| {
        let site = Site::new(|_| say(vec![b'x'; 1_000_000]));
        let client = builder().max_connections_per_host(1).build().unwrap();
        let response = client.get(site.url("/")).send().unwrap();
        let (other, url) = (client.clone(), site.url("/"));
        let waits = fibra::spawn(move || other.get(url).send().unwrap().bytes().unwrap().len());
        wait_all_blocked();
        assert_eq!(site.connections.get(), 1);
        drop(response);
        assert_eq!(soon(|| waits.join().unwrap()), 1_000_000);
        assert_eq!(site.connections.get(), 2);
    });
}

#[test]
fn a_failure_to_connect_gives_its_place_back() {
    fibra::run(|| {
        let refusing = crate::support::net::RefusingAddress::new();
        let client = builder().max_connections_per_host(1).build().unwrap();
        for _ in 0..3 {
            let url = format!("http://{}/", refusing.address);
            assert!(soon(|| client.get(&url).send().unwrap_err().is_connect()));
        }
        assert_eq!(format!("{client:?}"), "Client { servers: 0, idle: 0 }");
    });
}

#[test]
fn few_idle_connections_are_kept_if_few_may_be() {
    fibra::run(|| {
        let site = Site::new(|_| {
            fibra::sleep(ms(2));
            say("ok")
        });
        let all_at_once = |client: &Client| {
            fibra::scope(|scope| {
                for _ in 0..5 {
                    scope.spawn(|| get(client, site.url("/")));
                }
            });
        };
        let client = builder().pool_max_idle_per_host(2).build().unwrap();
        all_at_once(&client);
        assert_eq!(format!("{client:?}"), "Client { servers: 1, idle: 2 }");
        let client = builder().pool_max_idle_per_host(0).build().unwrap();
        all_at_once(&client);
        yield_until(|| format!("{client:?}") == "Client { servers: 0, idle: 0 }");
    });
}

#[test]
fn idle_connections_are_closed_after_their_time() {
    fibra::run(|| {
        let site = Site::new(|_| say("ok"));
        let client = builder().pool_idle_timeout(ms(300)).build().unwrap();
        for _ in 0..4 {
            get(&client, site.url("/"));
            fibra::sleep(ms(5));
        }
        assert_eq!(site.connections.get(), 1);
        assert_eq!(site.open.get(), 1);
        yield_until(|| format!("{client:?}") == "Client { servers: 0, idle: 0 }");
        yield_until(|| site.open.get() == 0);
        get(&client, site.url("/"));
        assert_eq!(site.connections.get(), 2);
    });
}

#[test]
fn dropping_the_client_closes_its_idle_connections() {
    fibra::run(|| {
        let site = Site::new(|_| say("ok"));
        let client = client();
        get(&client, site.url("/"));
        assert_eq!(site.open.get(), 1);
        drop(client);
        yield_until(|| site.open.get() == 0);
    });
}

#[test]
fn a_connection_that_the_server_closes_while_idle_is_not_used() {
    fibra::run(|| {
        let site = Site::scripted(|_, stream| {
            head_of(&stream).unwrap();
            write(&stream, OK);
        });
        let client = client();
        for n in 1..=3 {
            // Not idempotent: it is never repeated.
            let response = client.post(site.url("/")).body("x").send().unwrap();
            assert_eq!(response.text().unwrap(), "ok");
            assert_eq!(site.connections.get(), n);
            fibra::sleep(ms(1));
        }
        yield_until(|| format!("{client:?}") == "Client { servers: 0, idle: 0 }");
    });
}

/// Starts a server that answers one request per connection, and closes it when it has read the
/// head of the second one.
fn forgetful() -> Site {
    Site::scripted(|_, stream| {
        head_of(&stream).unwrap();
        write(&stream, OK);
        head_of(&stream);
    })
}

#[test]
fn a_request_on_a_lost_connection_is_repeated_if_that_is_safe() {
    fibra::run(|| {
        for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"] {
            let (site, client) = (forgetful(), client());
            get(&client, site.url("/"));
            let request = client.request(method.parse().unwrap(), site.url("/"));
            assert!(soon(|| request.send().is_ok()), "{method}");
            assert_eq!(site.connections.get(), 2);
        }
    });
}

#[test]
fn a_request_that_the_server_may_have_processed_is_not_repeated() {
    fibra::run(|| {
        for method in ["POST", "PATCH"] {
            let (site, client) = (forgetful(), client());
            get(&client, site.url("/"));
            let request = client.request(method.parse().unwrap(), site.url("/"));
            let error = soon(|| request.body("x").send().unwrap_err());
            assert!(error.is_request(), "{error:?}");
            assert!(error.to_string().contains("the server may have processed it"), "{error}");
            assert_eq!(site.connections.get(), 1);
        }
    });
}

#[test]
fn a_body_that_was_read_is_not_sent_again() {
    fibra::run(|| {
        let (site, client) = (forgetful(), client());
        get(&client, site.url("/"));
        let body = RequestBody::sized(&b"once"[..], 4);
        assert!(client.put(site.url("/")).body(body).send().unwrap_err().is_request());
        assert_eq!(site.connections.get(), 1);
    });
}

#[test]
fn a_request_on_a_new_connection_is_not_repeated() {
    fibra::run(|| {
        let site = Site::scripted(|_, stream| drop(head_of(&stream)));
        let error = client().get(site.url("/")).send().unwrap_err();
        assert!(error.is_request(), "{error:?}");
        assert_eq!(site.connections.get(), 1);
    });
}

#[test]
fn a_server_that_restarts_is_reached_again() {
    fibra::run(|| {
        let listener = fibra::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let url = format!("http://{address}/");
        let serve = |listener: fibra::net::TcpListener| {
            fibra::spawn(move || {
                fibra::nursery(|nursery| {
                    for stream in listener.incoming() {
                        let stream = stream.unwrap();
                        nursery.spawn(move || answer_all(&stream, OK));
                    }
                });
            })
        };
        let first = serve(listener);
        let client = client();
        assert_eq!(get(&client, url.clone()), "ok");
        first.kill();
        drop(first.join());
        assert!(client.get(&url).send().unwrap_err().is_connect());
        let again = fibra::net::TcpListener::builder().reuse_address(true).bind(address).unwrap();
        let _second = serve(again);
        assert_eq!(get(&client, url), "ok");
    });
}

#[test]
fn bytes_that_were_not_asked_for_end_an_idle_connection() {
    fibra::run(|| {
        let site = Site::scripted(|_, stream| {
            head_of(&stream).unwrap();
            write(&stream, &format!("{OK}HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nsmuggled"));
            fibra::park();
        });
        let client = client();
        for n in 1..=2 {
            assert_eq!(get(&client, site.url("/")), "ok");
            assert_eq!(site.connections.get(), n);
        }
    });
}

#[test]
fn a_server_that_announces_the_end_is_believed() {
    fibra::run(|| {
        let site = Site::scripted(|_, stream| {
            answer_all(
                &stream,
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
            );
        });
        let client = client();
        for n in 1..=3 {
            assert_eq!(get(&client, site.url("/")), "ok");
            assert_eq!(site.connections.get(), n);
        }
        yield_until(|| format!("{client:?}") == "Client { servers: 0, idle: 0 }");
    });
}

#[test]
fn an_early_answer_to_a_long_upload_closes_the_connection() {
    fibra::run(|| {
        let site = Site::scripted(|number, stream| match number {
            1 => {
                head_of(&stream).unwrap();
                write(&stream, "HTTP/1.1 413 Payload Too Large\r\ncontent-length: 3\r\n\r\nbig");
                go(move || drop(head_of(&stream)));
            }
            _ => answer_all(&stream, OK),
        });
        let client = client();
        let body = RequestBody::sized(std::io::repeat(b'x'), 1 << 30);
        let response = soon(|| client.post(site.url("/")).body(body).send().unwrap());
        assert_eq!((response.status().as_u16(), response.text().unwrap().as_str()), (413, "big"));
        assert_eq!(get(&client, site.url("/")), "ok");
        assert_eq!(site.connections.get(), 2);
    });
}

#[test]
fn a_client_outlives_the_scheduler_of_its_connections() {
    let client = client();
    for _ in 0..2 {
        fibra::run(|| {
            let site = Site::new(|_| say("ok"));
            assert_eq!(get(&client, site.url("/")), "ok");
        });
    }
}
