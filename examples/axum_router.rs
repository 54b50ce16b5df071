//! axum on fibers: its router, extractors and JSON, without tokio's runtime.
//!
//! A `Router` is a service, and hyper's connections run services. Handlers are `async`, as axum
//! requires, and start a fiber for code that blocks. (`axum::serve` needs tokio, and is not used.)
//!
//! ```text
//! $ cargo run --release --example axum_router --features http
//! GET /hello/fibers -> 200 hello, fibers
//! POST /double -> 200 {"doubled":42}
//! POST /double -> 400 Failed to parse the request body as JSON: ...
//! GET /nothing -> 404
//! ```

mod broken_pipe;

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use axum::extract::Path;
use axum::routing::{get, post};
use axum::{Json, Router};
use fibra::http::{Connection, Http, hyper};
use fibra::net::TcpStream;
use fibra::server::Server;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use tower::ServiceExt;

fn main() -> Result<(), Box<dyn Error>> {
    broken_pipe::end_quietly();
    let app = Router::new().route("/hello/{name}", get(hello)).route("/double", post(double));
    fibra::run(|| {
        let server = Server::bind("127.0.0.1:0")?;
        let address = server.listener().local_addr()?;
        let http = Http::new();
        let running = server.start(move |stream, _| {
            let app = app.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                app.clone().oneshot(request.map(axum::body::Body::new))
            });
            http.serve_service(stream, service)
        });

        let mut client = Connection::new(TcpStream::connect(address)?)?;
        for (method, path, body) in [
            ("GET", "/hello/fibers", ""),
            ("POST", "/double", r#"{"number":21}"#),
            ("POST", "/double", r#"{"number":"#),
            ("GET", "/nothing", ""),
        ] {
            let request = Request::builder().method(method).uri(path).header("host", "localhost");
            let request = request.header("content-type", "application/json");
            let response = client.send(request.body(body.to_string())?)?;
            let status = response.status().as_u16();
            let answer = std::io::read_to_string(response.into_body())?;
            println!("{}", format!("{method} {path} -> {status} {answer}").trim_end());
        }
        running.shutdown(Duration::ZERO);
        Ok(())
    })
}

async fn hello(Path(name): Path<String>) -> String {
    // axum's handlers must be `Send`, and the handle of a fiber is not: a channel returns the
    // answer.
    let (sender, receiver) = async_channel::bounded(1);
    fibra::spawn(move || {
        fibra::sleep(Duration::from_millis(5));
        sender.try_send(format!("hello, {name}"))
    });
    receiver.recv().await.unwrap_or_default()
}

async fn double(Json(asked): Json<BTreeMap<String, u64>>) -> Json<BTreeMap<&'static str, u64>> {
    Json(BTreeMap::from([("doubled", 2 * asked.get("number").copied().unwrap_or(0))]))
}
