//! ureq, an HTTP client that was written for blocking sockets, with many requests on one thread.
//!
//! It is told how to connect and how to look up names; all else of it is as it was: pools of connections,
//! redirects, time limits. While a request waits its thread goes on with the others. (The traits that
//! are implemented here are outside of ureq's promise of stability: pin its minor version.)
//!
//! ```text
//! $ cargo run --release --example ureq_client --features hyper [REQUESTS = 50]
//! 50 requests to a server that sleeps for 20 ms each were answered after 31.6 ms
//! a time limit of 5 ms: timeout: global
//! ```

mod arguments;

use std::error::Error;
use std::io::{self, Read, Write};
use std::time::Duration;

use fibra::hyper::{Http1, hyper::Response};
use fibra::net::TcpStream;
use fibra::server::Server;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};
use ureq::{Agent, Timeout};

fn main() -> Result<(), Box<dyn Error>> {
    let requests = arguments::number(1, "REQUESTS", 1..=10_000, 50);
    fibra::run(|| {
        let server = Server::bind("127.0.0.1:0")?;
        let url = format!("http://{}/", server.listener().local_addr()?);
        let http = Http1::new();
        let running = server.start(move |stream, _| {
            http.serve_connection(stream, |_| {
                fibra::sleep(Duration::from_millis(20));
                Response::new(String::from("at last"))
            })
        });

        let agent = Agent::with_parts(Config::default(), FiberConnector, FiberResolver);
        let start = fibra::now();
        fibra::scope(|scope| {
            for _ in 0..requests {
                scope.spawn(|| {
                    let mut response = agent.get(&url).call().unwrap();
                    assert_eq!(response.body_mut().read_to_string().unwrap(), "at last");
                });
            }
        });
        let took = fibra::now() - start;
        println!(
            "{requests} requests to a server that sleeps for 20 ms each were answered after {took:.1?}"
        );

        let limit = Some(Duration::from_millis(5));
        let error = agent.get(&url).config().timeout_global(limit).build().call().unwrap_err();
        println!("a time limit of 5 ms: {error}");
        running.shutdown(Duration::ZERO);
        Ok(())
    })
}

#[derive(Debug)]
struct FiberConnector;

impl Connector for FiberConnector {
    type Out = FiberTransport;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<FiberTransport>, ureq::Error> {
        let stream = TcpStream::connect(&details.addrs[..])?;
        let config = details.config;
        let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
        Ok(Some(FiberTransport { stream, buffers }))
    }
}

/// ureq's own blocks its thread, or starts another for each name that it looks up.
#[derive(Debug)]
struct FiberResolver;

impl Resolver for FiberResolver {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().ok_or(ureq::Error::HostNotFound)?;
        let mut addrs = self.empty();
        let found = fibra::net::lookup_host((host, uri.port_u16().unwrap_or(80)))?;
        found.take(16).for_each(|addr| addrs.push(addr));
        Ok(addrs)
    }
}

struct FiberTransport {
    stream: TcpStream,
    buffers: LazyBuffers,
}

impl Transport for FiberTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        let timeout = timeout.for_write();
        self.stream.set_write_timeout(timeout.not_zero().map(|limit| *limit))?;
        let written = self.stream.write_all(&self.buffers.output()[..amount]);
        written.map_err(|error| told(error, timeout.reason))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let timeout = timeout.for_read();
        self.stream.set_read_timeout(timeout.not_zero().map(|limit| *limit))?;
        let read = self.stream.read(self.buffers.input_append_buf());
        let length = read.map_err(|error| told(error, timeout.reason))?;
        self.buffers.input_appended(length);
        Ok(0 < length)
    }

    /// A connection that was kept and has something to read, be it the end, is of no use any more.
    fn is_open(&mut self) -> bool {
        let limit = Some(Duration::from_nanos(1));
        self.stream.set_read_timeout(limit).is_ok() && self.stream.peek(&mut [0]).is_err()
    }
}

fn told(error: io::Error, reason: Timeout) -> ureq::Error {
    match error.kind() {
        io::ErrorKind::TimedOut => ureq::Error::Timeout(reason),
        _ => ureq::Error::Io(error),
    }
}

impl std::fmt::Debug for FiberTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.stream.fmt(f)
    }
}
