//! A response that is written while it is sent, and a server that ends without cutting it off.
//!
//! `http::body()` makes a body and its writer: a fiber writes lines, and the client reads each when
//! it arrives. `Graceful` asks the connections to end after the response that they send. So the
//! client that is in the middle of its response reads it to the end, and a new one is refused.
//!
//! ```text
//! $ cargo run --release --example http_stream --features http
//! the client reads: event 1
//! the server is asked to end
//! the client reads: event 2
//! the client reads: event 3
//! the connections have ended: true; a new client is refused: true
//! ```

mod broken_pipe;

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::time::Duration;

use fibra::http::{BodyReader, Connection, Http, StreamBody, body, hyper};
use fibra::net::TcpStream;
use fibra::server::Server;
use hyper::{Request, Response};

fn main() -> Result<(), Box<dyn Error>> {
    broken_pipe::end_quietly();
    fibra::run(|| {
        let http = Http::new();
        let graceful = http.graceful();
        let server = Server::bind("127.0.0.1:0")?;
        let address = server.listener().local_addr()?;
        let mut running =
            Some(server.start(move |stream, _| http.serve_connection(stream, events)));

        let mut client = Connection::new(TcpStream::connect(address)?)?;
        let request = Request::get("/events").header("host", "localhost").body(String::new())?;
        let mut ends = None;
        for line in BufReader::new(client.send(request)?.into_body()).lines() {
            println!("the client reads: {}", line?);
            if let Some(running) = running.take() {
                println!("the server is asked to end");
                graceful.shutdown();
                ends = Some(fibra::spawn(move || running.shutdown(Duration::from_secs(10))));
                fibra::yield_now();
            }
        }
        drop(client);
        let drained = ends.expect("there was a line").join()?;
        let refused = TcpStream::connect(address).is_err();
        print!("the connections have ended: {}; ", drained.killed == 0);
        println!("a new client is refused: {refused}");
        Ok(())
    })
}

/// Answers with three lines, 20 ms apart.
fn events(_: Request<BodyReader>) -> Response<StreamBody> {
    let (mut writer, body) = body();
    fibra::spawn(move || -> std::io::Result<()> {
        for number in 1..=3 {
            writeln!(writer, "event {number}")?;
            writer.flush()?;
            fibra::sleep(Duration::from_millis(20));
        }
        writer.finish()
    });
    Response::new(body)
}
