//! gRPC by tonic on the streams of fibra, without a runtime of tokio.

use std::net::SocketAddr;
use std::time::Duration;

use fibra::future::block_on;
use fibra::http::{FiberExecutor, Graceful, Http, Io, hyper};
use fibra::net::TcpStream;
use fibra::server::{Running, Server};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use tonic::body::Body;
use tonic::service::Routes;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tower::{Service, ServiceExt};

use crate::Outcome;

/// Starts a server with the health service of gRPC.
fn serve() -> std::io::Result<(Running, Graceful, SocketAddr)> {
    let (_reporter, health) = tonic_health::server::health_reporter();
    let routes = Routes::new(health);
    let (http, server) = (Http::new(), Server::bind("127.0.0.1:0")?);
    let (graceful, address) = (http.graceful(), server.listener().local_addr()?);
    let running = server.start(move |stream, _| {
        let routes = routes.clone();
        let service = service_fn(move |request: Request<Incoming>| routes.clone().oneshot(request));
        http.serve_service(stream, service)
    });
    Ok((running, graceful, address))
}

/// Connects, and returns what a client of tonic needs.
fn connect(
    address: SocketAddr,
) -> hyper::Result<
    impl Service<Request<Body>, Response = Response<Incoming>, Error = hyper::Error, Future: Send>
    + Clone,
> {
    let stream = TcpStream::connect(address).unwrap();
    let (requests, connection) = block_on(http2::handshake(FiberExecutor, Io::new(stream)))?;
    fibra::spawn(|| block_on(connection));
    Ok(tower::service_fn(move |request| {
        let mut requests: http2::SendRequest<Body> = requests.clone();
        async move { requests.send_request(request).await }
    }))
}

#[test]
fn tonic_without_a_runtime_of_tokio_ends_gracefully() -> Outcome {
    fibra::run(|| {
        let (running, graceful, address) = serve()?;
        let origin = format!("http://{address}").parse()?;
        let client = HealthClient::with_origin(connect(address)?, origin);
        fibra::scope(|s| {
            for _ in 0..10 {
                let mut client = client.clone();
                s.spawn(move || {
                    let response = block_on(client.check(HealthCheckRequest::default())).unwrap();
                    assert_eq!(response.into_inner().status, 1, "it is not serving");
                });
            }
        });

        // A call that lasts is not broken off.
        let mut lasts = client.clone();
        let mut watch = block_on(lasts.watch(HealthCheckRequest::default()))?.into_inner();
        assert_eq!(block_on(watch.message())?.ok_or("no message")?.status, 1);
        graceful.shutdown();
        let ends = fibra::spawn(move || running.shutdown(Duration::from_secs(20)));
        fibra::sleep(Duration::from_millis(20));
        assert!(!ends.is_finished());
        drop(client);
        drop(watch);
        assert_eq!(ends.join()?.killed, 0);
        Ok(())
    })
}
