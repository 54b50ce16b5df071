//! Faults around the client: a server that restarts in the middle of a request, names that vanish,
//! and a caller that reads slowly.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::rc::Rc;

use fibra::net::{Resolver, TcpListener, TcpStream};

use crate::client_help::{OK, Site, answer_all, builder, client, head_of, say, write};
use crate::support::ms;
use crate::support::net::{soon, yield_until};

/// Serves each connection of `listener` by `serve`, until the fiber is killed.
fn serve(
    listener: TcpListener,
    serve: impl Fn(&TcpStream) + Clone + 'static,
) -> fibra::JoinHandle<()> {
    fibra::spawn(move || {
        fibra::nursery(|nursery| {
            for stream in listener.incoming() {
                let (serve, stream) = (serve.clone(), stream.unwrap());
                nursery.spawn(move || serve(&stream));
            }
        });
    })
}

fn listen_again(address: std::net::SocketAddr) -> TcpListener {
    TcpListener::builder().reuse_address(true).bind(address).unwrap()
}

#[test]
fn a_server_that_restarts_in_the_middle_of_a_request_or_a_body_is_reached_again() {
    fibra::run(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let url = format!("http://{address}/");
        let client = client();
        let mut listener = Some(listener);
        for half in ["", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"] {
            // The first request is answered, so that the second one uses the same connection.
            let asked = Rc::new(Cell::new(0));
            let counts = asked.clone();
            let first = listener.take().unwrap_or_else(|| listen_again(address));
            let first = serve(first, move |stream| {
                while head_of(stream).is_some() {
                    counts.set(counts.get() + 1);
                    write(stream, if counts.get() == 1 { OK } else { half });
                }
            });
            assert_eq!(soon(|| client.get(&url).send().unwrap().text().unwrap()), "ok");
            let (asks, to) = (client.clone(), url.clone());
            let post = fibra::spawn(move || asks.post(to).body("x").send()?.text());
            yield_until(|| asked.get() == 2);
            fibra::sleep(ms(5));
            first.kill();
            drop(first.join());
            let error = soon(|| post.join().unwrap().unwrap_err());
            assert_eq!((error.is_body(), error.is_request()), (half.len() > 20, half.len() < 20));

            let again = serve(listen_again(address), |stream| answer_all(stream, OK));
            for _ in 0..2 {
                assert_eq!(soon(|| client.post(&url).send().unwrap().text().unwrap()), "ok");
            }
            assert_eq!(format!("{client:?}"), "Client { servers: 1, idle: 1 }");
            again.kill();
            drop(again.join());
            yield_until(|| format!("{client:?}") == "Client { servers: 0, idle: 0 }");
        }
    });
}

#[test]
fn a_name_that_vanishes_fails_new_connections_and_no_others() {
    fibra::run(|| {
        let site = Site::new(|_| say("ok"));
        let gone = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let (vanishes, order) = (gone.clone(), std::sync::atomic::Ordering::SeqCst);
        let names = Resolver::new(move |_| match vanishes.load(order) {
            false => Ok(vec![Ipv4Addr::LOCALHOST.into()]),
            true => Err(io::Error::other("no server of names answers")),
        });
        let client = builder().resolver(names).max_connections_per_host(2).build().unwrap();
        let url = format!("http://shop.test:{}/", site.address.port());
        assert_eq!(client.get(&url).send().unwrap().text().unwrap(), "ok");
        gone.store(true, order);
        assert_eq!(client.get(&url).send().unwrap().text().unwrap(), "ok");
        let holds = client.get(&url).send().unwrap();
        let other = format!("http://other.test:{}/", site.address.port());
        for _ in 0..3 {
            let error = soon(|| client.get(&other).send().unwrap_err());
            assert!(error.is_connect(), "{error}");
            assert!(error.to_string().contains("no server of names answers"), "{error}");
        }
        drop(holds);
        assert_eq!(client.get(&url).send().unwrap().text().unwrap(), "ok");
        assert_eq!(site.connections.get(), 1);
    });
}

#[test]
fn a_response_that_is_read_slowly_is_sent_slowly() {
    fibra::run(|| {
        let written = Rc::new(Cell::new(0_u64));
        let counts = written.clone();
        let site = Site::scripted(move |_, mut stream| {
            head_of(&stream);
            write(&stream, "HTTP/1.1 200 OK\r\n\r\n");
            while stream.write_all(&[b'x'; 10_000]).is_ok() {
                counts.set(counts.get() + 10_000);
            }
        });
        let mut response = client().get(site.url("/")).send().unwrap();
        let mut read = 0;
        for _ in 0..5 {
            fibra::sleep(ms(20));
            let before = written.get();
            fibra::sleep(ms(20));
            assert_eq!(written.get(), before, "nothing is read, and nothing is sent");
            let mut part = vec![0; 100_000];
            response.read_exact(&mut part).unwrap();
            read += 100_000;
        }
        // The buffers of the sockets, and those of hyper.
        assert!(written.get() < read + (16 << 20), "{}", written.get());
        drop(response);
        yield_until(|| site.open.get() == 0);
    });
}
