//! gRPC by tonic, server and client, in fibers and without a runtime of tokio.
//!
//! The handlers are plain functions that may block, and so are the calls of the client. tonic
//! encodes messages and calls, hyper speaks HTTP/2, and fibra owns the connections. There is one
//! call of each kind: one answer, a stream of answers, and streams in both directions. They are
//! written by hand, so that no `protoc` is needed: what `tonic-prost-build` generates from a
//! `.proto` file takes the place of `serve` and of `Client`.
//!
//! ```text
//! $ cargo run --release --manifest-path tests/crates/Cargo.toml --example grpc
//! square: 12 -> 144
//! ten at the same time: 0 1 4 9 16 25 36 49 64 81
//! square: -1 -> InvalidArgument: -1 is negative
//! count: 1 2 3 4
//! sum: +1 = 1, +2 = 3, +3 = 6
//! server: a handler was ended after 50ms
//! a time limit of 50 ms -> DeadlineExceeded: there was no answer in time
//! the client has read 1 2, and is killed
//! server: the client of a count has gone
//! the server ends, while a client counts
//! count: 1 2 3 4 5
//! connections that had to be killed: 0
//! ```

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use fibra::future::block_on;
use fibra::http::{FiberExecutor, Http, Io, hyper};
use fibra::net::TcpStream;
use fibra::server::Server;
use fibra::sync::{Event, mpmc};
use fibra::time::timeout;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper::http::uri::PathAndQuery;
use hyper::service::service_fn;
use tonic::body::Body;
use tonic::codec::Streaming;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The message of all calls: in a `.proto` file `message Number { int64 value = 1; }`.
#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Number {
    #[prost(int64, tag = "1")]
    value: i64,
}

fn main() -> Outcome<()> {
    fibra::run(|| {
        let (http, server) = (Http::new(), Server::bind("127.0.0.1:0")?);
        let (graceful, address) = (http.graceful(), server.listener().local_addr()?);
        let (gone, client_has_gone) = shared_event();
        let running = server.start(move |stream, _| {
            let gone = gone.clone();
            http.serve_service(stream, service_fn(move |request| serve(request, gone.clone())))
        });

        let client = Client::connect(address)?;
        one_answer(&client)?;
        many_answers(&client)?;
        a_time_limit(&client)?;
        a_kill(&client)?;
        client_has_gone.wait();

        let mut count = client.count(5)?;
        println!("the server ends, while a client counts");
        graceful.shutdown();
        let ends = fibra::spawn(move || running.shutdown(Duration::from_secs(10)));
        println!("count: {}", list(&mut count)?);
        drop((client, count));
        println!("connections that had to be killed: {}", ends.join()?.killed);
        Ok(())
    })
}

fn shared_event() -> (Arc<Event>, Arc<Event>) {
    let event = Arc::new(Event::new());
    (event.clone(), event)
}

fn one_answer(client: &Client) -> Outcome<()> {
    println!("square: 12 -> {}", client.square(12, None)?);
    let squares = fibra::scope(|scope| {
        let calls: Vec<_> = (0..10).map(|n| scope.spawn(move || client.square(n, None))).collect();
        calls.into_iter().map(|call| Ok(call.join()??.to_string())).collect::<Outcome<Vec<_>>>()
    })?;
    println!("ten at the same time: {}", squares.join(" "));
    if let Err(status) = client.square(-1, None) {
        println!("square: -1 -> {:?}: {}", status.code(), status.message());
    }
    Ok(())
}

fn many_answers(client: &Client) -> Outcome<()> {
    println!("count: {}", list(&mut client.count(4)?)?);
    // Each number is sent after the sum of the ones before it has arrived.
    let (numbers, sent) = mpmc::bounded(1);
    let mut sums = client.sum(sent)?;
    let mut shown = Vec::new();
    for value in [1, 2, 3] {
        numbers.send(Number { value })?;
        let sum = block_on(sums.message())?.ok_or("the server has ended the call")?;
        shown.push(format!("+{value} = {}", sum.value));
    }
    drop(numbers); // This ends the call.
    assert_eq!(block_on(sums.message())?, None);
    println!("sum: {}", shown.join(", "));
    Ok(())
}

/// The time limit is part of the request, so that the server can end the handler.
fn a_time_limit(client: &Client) -> Outcome<()> {
    let limit = Duration::from_millis(50);
    if let Err(status) = client.square(1_000_000, Some(limit)) {
        println!("a time limit of 50 ms -> {:?}: {}", status.code(), status.message());
    }
    Ok(())
}

/// A kill cancels the calls of its fiber: HTTP/2 resets their streams, and the server notices.
fn a_kill(client: &Client) -> Outcome<()> {
    let mut count = client.count(i64::MAX)?;
    let (sender, read) = fibra::channel::unbounded();
    let reader = fibra::spawn(move || -> Outcome<()> {
        while let Some(number) = block_on(count.message())? {
            sender.send(number.value)?;
        }
        Ok(())
    });
    println!("the client has read {} {}, and is killed", read.recv()?, read.recv()?);
    reader.kill();
    Ok(())
}

/// Reads all numbers of a call.
fn list(numbers: &mut Streaming<Number>) -> Result<String, Status> {
    let mut values = Vec::new();
    while let Some(number) = block_on(numbers.message())? {
        values.push(number.value.to_string());
    }
    Ok(values.join(" "))
}

// The server: each call runs its handler in a fiber.

/// The answers of a call that has several.
type Numbers = mpmc::RecvStream<Result<Number, Status>>;

async fn serve(
    request: hyper::Request<Incoming>,
    gone: Arc<Event>,
) -> Result<hyper::Response<Body>, Infallible> {
    let mut grpc = tonic::server::Grpc::new(ProstCodec::<Number, Number>::default());
    Ok(match request.uri().path() {
        "/numbers.Numbers/Square" => {
            let square = tower::service_fn(|request| in_fiber(move || square(&request)));
            grpc.unary(square, request).await
        }
        "/numbers.Numbers/Count" => {
            let count = |request| {
                let gone = gone.clone();
                in_fiber(move || Ok(count(&request, &gone)))
            };
            grpc.server_streaming(tower::service_fn(count), request).await
        }
        "/numbers.Numbers/Sum" => {
            let sum = tower::service_fn(|request| in_fiber(move || Ok(sum(request))));
            grpc.streaming(sum, request).await
        }
        path => Status::unimplemented(path).into_http(),
    })
}

/// Calls a handler in a fiber. If the client resets the request, the fiber is killed.
async fn in_fiber<T: 'static>(
    handler: impl FnOnce() -> Result<T, Status> + 'static,
) -> Result<Response<T>, Status> {
    match fibra::future::spawn(handler).await {
        Ok(answer) => answer.map(Response::new),
        Err(error) => Err(Status::internal(error.to_string())),
    }
}

/// Takes a millisecond for each unit of the number. At the time limit of the client, whatever waits
/// here is unwound.
fn square(request: &Request<Number>) -> Result<Number, Status> {
    let (value, limit) = (request.get_ref().value, time_limit(request));
    let Ok(milliseconds) = u64::try_from(value) else {
        return Err(Status::invalid_argument(format!("{value} is negative")));
    };
    let worked = timeout(limit, || {
        fibra::sleep(Duration::from_millis(milliseconds));
        Number { value: value * value }
    });
    worked.map_err(|_| {
        println!("server: a handler was ended after {limit:?}");
        Status::deadline_exceeded("there was no answer in time")
    })
}

/// Returns the time that the client allows: some digits and a unit.
fn time_limit<T>(request: &Request<T>) -> Duration {
    let given = request.metadata().get("grpc-timeout").and_then(|text| text.to_str().ok());
    let parsed = given.and_then(|text| {
        let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let number = digits.parse().ok()?;
        Some(match unit {
            "H" => Duration::from_secs(3600) * number,
            "M" => Duration::from_secs(60) * number,
            "S" => Duration::from_secs(number.into()),
            "m" => Duration::from_millis(number.into()),
            "u" => Duration::from_micros(number.into()),
            "n" => Duration::from_nanos(number.into()),
            _ => return None,
        })
    });
    parsed.unwrap_or(Duration::MAX)
}

/// Sends the numbers from 1 on, as fast as the client reads them.
fn count(request: &Request<Number>, gone: &Arc<Event>) -> Numbers {
    let (answers, numbers) = mpmc::bounded(1);
    let (last, gone) = (request.get_ref().value, gone.clone());
    fibra::spawn(move || {
        for value in 1..=last {
            if answers.send(Ok(Number { value })).is_err() {
                println!("server: the client of a count has gone");
                gone.set();
                break;
            }
        }
    });
    numbers.into_stream()
}

/// Answers each number with the sum so far.
fn sum(request: Request<Streaming<Number>>) -> Numbers {
    let (answers, sums) = mpmc::bounded(1);
    fibra::spawn(move || -> Outcome<()> {
        let (mut numbers, mut value) = (request.into_inner(), 0);
        while let Some(number) = block_on(numbers.message())? {
            value += number.value;
            answers.send(Ok(Number { value }))?;
        }
        Ok(())
    });
    sums.into_stream()
}

// The client: each method blocks its fiber.

/// A client, whose clones share the connection.
#[derive(Clone)]
struct Client(tonic::client::Grpc<Connection>);

impl Client {
    fn connect(address: SocketAddr) -> Outcome<Client> {
        let io = Io::new(TcpStream::connect(address)?);
        let (requests, connection) = block_on(http2::handshake(FiberExecutor, io))?;
        fibra::spawn(|| block_on(connection));
        let origin = format!("http://{address}").parse()?;
        Ok(Client(tonic::client::Grpc::with_origin(Connection(requests), origin)))
    }

    fn square(&self, value: i64, limit: Option<Duration>) -> Result<i64, Status> {
        let mut request = Request::new(Number { value });
        if let Some(limit) = limit {
            request.set_timeout(limit);
        }
        let path = PathAndQuery::from_static("/numbers.Numbers/Square");
        let mut call = self.ready()?;
        let answer: Response<Number> =
            block_on(call.unary(request, path, ProstCodec::<Number, Number>::default()))?;
        Ok(answer.into_inner().value)
    }

    fn count(&self, value: i64) -> Result<Streaming<Number>, Status> {
        let path = PathAndQuery::from_static("/numbers.Numbers/Count");
        let mut call = self.ready()?;
        let request = Request::new(Number { value });
        Ok(block_on(call.server_streaming(request, path, ProstCodec::default()))?.into_inner())
    }

    fn sum(&self, numbers: mpmc::Receiver<Number>) -> Result<Streaming<Number>, Status> {
        let path = PathAndQuery::from_static("/numbers.Numbers/Sum");
        let mut call = self.ready()?;
        let request = Request::new(numbers.into_stream());
        Ok(block_on(call.streaming(request, path, ProstCodec::default()))?.into_inner())
    }

    /// Waits until the connection accepts another request.
    fn ready(&self) -> Result<tonic::client::Grpc<Connection>, Status> {
        let mut call = self.0.clone();
        block_on(call.ready()).map_err(|error| Status::unavailable(error.to_string()))?;
        Ok(call)
    }
}

/// A connection as a service of tower, which tonic's clients need.
#[derive(Clone)]
struct Connection(http2::SendRequest<Body>);

impl tower::Service<hyper::Request<Body>> for Connection {
    type Response = hyper::Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = hyper::Result<hyper::Response<Incoming>>>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: hyper::Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}
