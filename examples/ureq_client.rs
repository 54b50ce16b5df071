//! ureq, an HTTP client for blocking sockets, with many requests at the same time on one thread.
//!
//! The agent of `fibra::ureq` provides the connections and the look-up of names. Everything else is
//! ureq's own: pools of connections, redirects, time limits. While one request waits, the thread
//! runs the others.
//!
//! ```text
//! $ cargo run --release --example ureq_client --features http,ureq [REQUESTS = 50]
//! 50 requests to a server that sleeps for 20 ms each were answered after 31.6 ms
//! a time limit of 5 ms: timeout: global
//! ```

mod arguments;

use std::error::Error;
use std::time::Duration;

use fibra::http::{Http, hyper::Response};
use fibra::server::Server;
use ureq::config::Config;

fn main() -> Result<(), Box<dyn Error>> {
    let requests = arguments::number(1, "REQUESTS", 1..=10_000, 50);
    fibra::run(|| {
        let server = Server::bind("127.0.0.1:0")?;
        let url = format!("http://{}/", server.listener().local_addr()?);
        let http = Http::new();
        let running = server.start(move |stream, _| {
            http.serve_connection(stream, |_| {
                fibra::sleep(Duration::from_millis(20));
                Response::new(String::from("awake"))
            })
        });

        let agent = fibra::ureq::agent(Config::default());
        let start = fibra::now();
        fibra::scope(|scope| {
            for _ in 0..requests {
                scope.spawn(|| {
                    let mut response = agent.get(&url).call().unwrap();
                    assert_eq!(response.body_mut().read_to_string().unwrap(), "awake");
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
