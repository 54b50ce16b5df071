//! The user code that a client and a server run, and what it may do there: panic, end the fiber
//! that waits, drop the last handle, or ask the same client.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use fibra::Fiber;
use fibra::http::{Client, Http, RequestBody};
use fibra::net::Resolver;
use hyper::body::{Body, Bytes, Frame};

use super::client::handler;
use super::{check, fibers, narrow, wait_for_fibers};
use crate::client_help::{Site, builder, say};
use crate::support::net::soon;
use crate::support::quiet_panic;

use fibra::http::hyper;

/// What user code can reach.
#[derive(Clone, Default)]
struct Reach {
    /// The fiber that sends the request.
    sender: Rc<RefCell<Option<Fiber>>>,
    /// A handle of the client, which may be the last one.
    client: Rc<RefCell<Option<Client>>>,
    url: String,
}

/// An action of user code.
type Action = fn(&Reach);

const ACTIONS: [(&str, Action); 7] = [
    ("nothing", |_| ()),
    ("a panic", |_| quiet_panic("user code panics")),
    ("a kill of the sender", |reach| {
        if let Some(sender) = &*reach.sender.borrow() {
            sender.kill();
        }
    }),
    ("a drop of the client", |reach| drop(reach.client.take())),
    ("a request of the same client", |reach| {
        let client = reach.client.borrow().clone();
        let url = reach.url.clone();
        drop(fibra::spawn(move || client.map(|client| client.get(url).send().map(drop))));
    }),
    ("a yield", |_| fibra::yield_now()),
    ("a kill of its own fiber", |_| fibra::current().kill()),
];

/// The callbacks of user code: where the action is taken.
#[derive(Clone, Copy, Debug, PartialEq)]
enum At {
    Read,
    DropOfReader,
    Poll,
    DropOfBody,
    WriteOfCopy,
}

struct Reader(Reach, Action, At, bool);

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.2 == At::Read {
            (self.1)(&self.0);
        }
        if std::mem::replace(&mut self.3, true) {
            return Ok(0);
        }
        buffer[0] = b'x';
        Ok(1)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if self.2 == At::DropOfReader && !std::thread::panicking() {
            (self.1)(&self.0);
        }
    }
}

/// A body of hyper of one frame.
struct OneFrame(Reach, Action, At, bool);

impl Body for OneFrame {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.2 == At::Poll {
            (self.1)(&self.0);
        }
        if std::mem::replace(&mut self.3, true) {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(Ok(Frame::data(Bytes::from("x")))))
    }
}

impl Drop for OneFrame {
    fn drop(&mut self) {
        if self.2 == At::DropOfBody && !std::thread::panicking() {
            (self.1)(&self.0);
        }
    }
}

struct Writer(Reach, Action);

impl Write for Writer {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        (self.1)(&self.0);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Sends a request whose user code at `at` takes `action`.
fn ask(at: At, action: Action, reach: &Reach, url: &str) {
    let client = reach.client.borrow().clone().unwrap();
    let post = client.post(url);
    drop(client);
    let post = match at {
        At::Read | At::DropOfReader => {
            post.body(RequestBody::new(Reader(reach.clone(), action, at, false)))
        }
        At::Poll | At::DropOfBody => {
            post.body(RequestBody::wrap(OneFrame(reach.clone(), action, at, false)))
        }
        At::WriteOfCopy => post.body("x"),
    };
    let Ok(mut response) = post.send() else { return };
    if at == At::WriteOfCopy {
        drop(response.copy_to(&mut Writer(reach.clone(), action)));
    } else {
        drop(response.text());
    }
}

#[test]
fn user_code_of_a_request_turns_on_the_client() {
    fibra::run(|| {
        let site = Site::new(handler);
        let bystander = narrow();
        check(&bystander, &site, "before");
        let before = fibers();
        for at in [At::Read, At::DropOfReader, At::Poll, At::DropOfBody, At::WriteOfCopy] {
            for (what, action) in ACTIONS {
                let client = narrow();
                let reach = Reach { url: site.url("/echo"), ..Reach::default() };
                *reach.client.borrow_mut() = Some(client.clone());
                let (reached, url) = (reach.clone(), site.url("/echo"));
                let sends = fibra::spawn(move || {
                    *reached.sender.borrow_mut() = Some(fibra::current());
                    ask(at, action, &reached, &url);
                });
                drop(soon(|| sends.join()));
                check(&client, &site, &format!("{what} at {at:?}"));
                drop((client, reach.client.take()));
                wait_for_fibers(before);
            }
        }
        check(&bystander, &site, "after");
    });
}

/// The client is dropped in the middle, by user code that holds its last handle.
#[test]
fn user_code_drops_the_last_handle_of_the_client() {
    fibra::run(|| {
        let site = Site::new(handler);
        let before = fibers();
        for at in [At::Read, At::DropOfReader, At::Poll, At::DropOfBody, At::WriteOfCopy] {
            let reach = Reach { url: site.url("/echo"), ..Reach::default() };
            *reach.client.borrow_mut() = Some(narrow());
            let (reached, url) = (reach.clone(), site.url("/echo"));
            let sends = fibra::spawn(move || {
                ask(at, |reach| drop(reach.client.take()), &reached, &url);
            });
            soon(|| sends.join()).unwrap();
            assert!(reach.client.borrow().is_none(), "{at:?}");
            wait_for_fibers(before);
        }
    });
}

#[test]
fn a_resolver_turns_on_the_client() {
    fibra::run(|| {
        let site = Site::new(handler);
        for panics in [false, true] {
            let names = Resolver::new(move |_| {
                if panics {
                    quiet_panic("the resolver panics");
                }
                Err(io::Error::other("no such name"))
            });
            let client = builder().max_connections_per_host(1).resolver(names).build().unwrap();
            for _ in 0..2 {
                let (client, url) = (client.clone(), site.elsewhere("/echo"));
                let sent = soon(|| fibra::spawn(move || client.get(url).send().map(drop)).join());
                assert!(!matches!(sent, Ok(Ok(()))));
            }
            assert_eq!(format!("{client:?}"), "Client { servers: 0, idle: 0 }");
        }
        let names = Resolver::fixed([("known.test", Ipv4Addr::LOCALHOST.into())]);
        let client = builder().max_connections_per_host(1).resolver(names).build().unwrap();
        let url = format!("http://known.test:{}/echo", site.address.port());
        assert_eq!(soon(|| client.get(url).send().unwrap().text().unwrap()), "/echo ");
    });
}

/// A body of a response whose code takes an action while the server polls or drops it.
#[test]
fn user_code_of_a_response_turns_on_the_server() {
    fibra::run(|| {
        let bystander = Site::new(handler);
        let client = narrow();
        check(&client, &bystander, "before");
        let before = fibers();
        for at in [At::Poll, At::DropOfBody] {
            for (what, action) in ACTIONS {
                let http = Http::new();
                let graceful = http.graceful();
                let (mut stream, there) = crate::support::net::pair();
                let serves = fibra::spawn(move || {
                    let reach = Reach::default();
                    *reach.sender.borrow_mut() = Some(fibra::current());
                    http.serve_connection(there, move |_| {
                        hyper::Response::new(OneFrame(reach.clone(), action, at, false))
                    })
                });
                let head = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
                stream.write_all(head.as_bytes()).unwrap();
                let mut answer = Vec::new();
                drop(soon(|| stream.read_to_end(&mut answer)));
                graceful.shutdown();
                drop(soon(|| serves.join()));
                if what == "nothing" {
                    assert!(answer.ends_with(b"1\r\nx\r\n0\r\n\r\n"));
                }
                wait_for_fibers(before);
            }
        }
        check(&client, &bystander, "after");
        drop(say(""));
    });
}
