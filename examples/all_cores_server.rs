//! An HTTP server on all cores, and its end: handlers run on every thread, one state is shared, and
//! a shutdown lets each request that has begun finish.
//!
//! The listener gives each connection to the scheduler with the fewest, so all threads have equally
//! many. A connection stays on its thread.
//!
//! ```text
//! $ cargo run --release --example all_cores_server --features http [CLIENTS = 40] [THREADS = 2]
//! 40 clients have requested /, and 2 threads have served 20 connections each
//! GET /slow, which a shutdown interrupts -> 200 done
//! 0 connections were killed, 41 requests in all
//! ```

mod arguments;
mod broken_pipe;

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fibra::Handle;
use fibra::http::{BodyReader, Connection, Http, hyper};
use fibra::net::{TcpListener, TcpStream};
use fibra::server::Server;
use fibra::sync::Event;
use hyper::{Request, Response};

/// The state that the handlers of all threads share.
struct Site {
    requests: AtomicUsize,
    /// The number of connections that each scheduler has served.
    connections: Vec<AtomicUsize>,
    slow_has_begun: Event,
}

impl Site {
    fn answer(&self, request: &Request<BodyReader>) -> Response<String> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if request.uri().path() == "/slow" {
            self.slow_has_begun.set();
            fibra::sleep(Duration::from_millis(30)); // the other connections go on
        }
        Response::new("done".into())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    broken_pipe::end_quietly();
    let clients = arguments::number(1, "CLIENTS", 1..=10_000, 40);
    let threads = arguments::number(2, "THREADS", 1..=64, 2);
    fibra::Runtime::builder().threads(threads).build()?.run(|| {
        let site = Arc::new(Site {
            requests: AtomicUsize::new(0),
            connections: (0..threads).map(|_| AtomicUsize::new(0)).collect(),
            slow_has_begun: Event::new(),
        });
        let http = Http::new();
        let graceful = http.graceful();
        let server = Server::new(TcpListener::builder().backlog(4096).bind("127.0.0.1:0")?);
        let address = server.listener().local_addr()?;
        let running = server.start_on_each({
            let site = site.clone();
            move |stream, _peer| {
                let index = Handle::current().index().expect("a fiber of the runtime");
                site.connections[index].fetch_add(1, Ordering::Relaxed);
                let site = site.clone();
                http.serve_connection(stream, move |request| site.answer(&request))
            }
        });

        // The clients are fibers of the first scheduler, and keep their connections open.
        let open: Result<Vec<_>, _> = (0..clients).map(|_| ask(address, "/")).collect();
        let served: Vec<_> = site.connections.iter().map(|n| n.load(Ordering::Relaxed)).collect();
        let (least, most) = (served.iter().min().unwrap(), served.iter().max().unwrap());
        assert!(most - least <= 1, "{served:?}");
        println!(
            "{clients} clients have requested /, and {threads} threads have served {least} \
             connections each"
        );
        drop(open?);

        let slow = fibra::spawn(move || ask(address, "/slow").map_err(|error| error.to_string()));
        site.slow_has_begun.wait();
        graceful.shutdown(); // HTTP: no further request on any connection
        let end = running.shutdown(Duration::from_secs(5)); // of all threads
        let (status, text, _) = slow.join()??;
        println!("GET /slow, which a shutdown interrupts -> {status} {text}");
        let requests = site.requests.load(Ordering::Relaxed);
        println!("{} connections were killed, {requests} requests in all", end.killed);
        Ok(())
    })
}

type Answer = (u16, String, Connection<String>);

fn ask(address: SocketAddr, path: &str) -> Result<Answer, Box<dyn Error>> {
    let mut client = Connection::new(TcpStream::connect(address)?)?;
    let request = Request::get(path).header("host", "localhost").body(String::new())?;
    let response = client.send(request)?;
    let status = response.status().as_u16();
    Ok((status, std::io::read_to_string(response.into_body())?, client))
}
