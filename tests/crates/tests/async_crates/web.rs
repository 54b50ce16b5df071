//! HTTP, gRPC and WebSockets.

use std::io::Read;
use std::net::SocketAddr;
use std::time::Duration;

use fibra::future::block_on;
use fibra::http::hyper::{Request, Response};
use fibra::http::{Connection, Http};
use fibra::net::{TcpListener, TcpStream, UnixStream};
use fibra::server::{Running, Server};
use futures::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Empty};
use tower::{ServiceBuilder, ServiceExt};

use crate::{Outcome, with_tokio};

/// Starts a server of fibra: its handlers sleep, and answer with the path.
fn serve_paths() -> std::io::Result<(Running, SocketAddr)> {
    let server = Server::bind("127.0.0.1:0")?;
    let address = server.listener().local_addr()?;
    let http = Http::new();
    let running = server.start(move |stream, _| {
        http.serve_connection(stream, |request| {
            fibra::sleep(Duration::from_millis(5));
            Response::new(request.uri().path().to_string())
        })
    });
    Ok((running, address))
}

#[test]
fn reqwest_from_many_fibers() -> Outcome {
    with_tokio(|| {
        let (server, address) = serve_paths()?;
        let client = reqwest::Client::new();
        fibra::scope(|s| {
            for n in 0..20 {
                let url = format!("http://{address}/{n}");
                let client = &client;
                s.spawn(move || {
                    let response = block_on(client.get(url).send()).unwrap();
                    assert_eq!(block_on(response.text()).unwrap(), format!("/{n}"));
                });
            }
        });
        drop(client);
        server.shutdown(Duration::ZERO);
        Ok(())
    })
}

#[test]
fn hyper_util_client_with_a_pool() -> Outcome {
    use hyper_util::{client::legacy::Client, rt::TokioExecutor};
    with_tokio(|| {
        let (server, address) = serve_paths()?;
        let client = Client::builder(TokioExecutor::new()).build_http::<Empty<&[u8]>>();
        for path in ["/one", "/two"] {
            let response = block_on(client.get(format!("http://{address}{path}").parse()?))?;
            let body = block_on(response.into_body().collect())?.to_bytes();
            assert_eq!(body, path);
        }
        drop(client);
        server.shutdown(Duration::ZERO);
        Ok(())
    })
}

#[test]
fn axum_serve_in_a_task() -> Outcome {
    use axum::{Router, extract::Path, routing::get};
    with_tokio(|| {
        let hello = |Path(name): Path<String>| async move { format!("hello, {name}") };
        let app = Router::new().route("/{name}", get(hello));
        let listener = block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        tokio::spawn(axum::serve(listener, app).into_future());
        let mut client = Connection::new(TcpStream::connect(address)?)?;
        let request = Request::get("/fibers").header("host", "localhost").body(String::new())?;
        let mut answer = String::new();
        client.send(request)?.into_body().read_to_string(&mut answer)?;
        assert_eq!(answer, "hello, fibers");
        Ok(())
    })
}

#[test]
fn tonic_client_and_server() -> Outcome {
    use tonic::transport::server::{Server, TcpIncoming};
    use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
    with_tokio(|| {
        let (_reporter, service) = tonic_health::server::health_reporter();
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse()?)?;
        let url = format!("http://{}", incoming.local_addr()?);
        tokio::spawn(Server::builder().add_service(service).serve_with_incoming(incoming));
        let channel = block_on(tonic::transport::Endpoint::new(url)?.connect())?;
        let client = HealthClient::new(channel);
        fibra::scope(|s| {
            for _ in 0..10 {
                let mut client = client.clone();
                s.spawn(move || {
                    let response = block_on(client.check(HealthCheckRequest::default())).unwrap();
                    assert_eq!(response.into_inner().status, 1, "it is not serving");
                });
            }
        });
        Ok(())
    })
}

#[test]
fn h2_over_a_stream_of_fibra() -> Outcome {
    fibra::run(|| {
        let (stream, other) = UnixStream::pair()?;
        let server = fibra::spawn(move || {
            let mut connection = block_on(h2::server::handshake(other))?;
            while let Some(request) = block_on(connection.accept()) {
                let (_, mut respond) = request?;
                let mut body = respond.send_response(Response::new(()), false)?;
                body.send_data("over HTTP/2".into(), true)?;
            }
            Ok::<_, h2::Error>(())
        });
        let (mut requests, connection) = block_on(h2::client::handshake(stream))?;
        let driver = fibra::spawn(move || block_on(connection));
        let request = Request::get("http://localhost/").body(())?;
        let (response, _) = requests.send_request(request, true)?;
        let data = block_on(block_on(response)?.into_body().data());
        assert_eq!(data.ok_or("no data")??, "over HTTP/2");
        drop(requests);
        driver.join()??;
        server.join()??;
        Ok(())
    })
}

#[test]
fn tokio_tungstenite_over_a_stream_of_fibra() -> Outcome {
    use tokio_tungstenite::{accept_async, client_async};
    fibra::run(|| {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let server = fibra::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut socket = block_on(accept_async(stream)).unwrap();
            while let Some(Ok(message)) = block_on(socket.next()) {
                if message.is_text() {
                    block_on(socket.send(message)).unwrap();
                }
            }
        });
        let stream = TcpStream::connect(address)?;
        let (mut socket, _) = block_on(client_async(format!("ws://{address}/"), stream))?;
        block_on(socket.send("hello".into()))?;
        let echo = block_on(socket.next()).ok_or("it was closed")??;
        assert_eq!(echo.into_text()?, "hello");
        block_on(socket.close(None))?;
        drop(socket);
        server.join()?;
        Ok(())
    })
}

#[test]
fn tower_limits_the_calls_of_a_service() -> Outcome {
    fibra::run(|| {
        let running = std::sync::atomic::AtomicU32::new(0);
        let service = ServiceBuilder::new().concurrency_limit(2).service_fn(async |n: u32| {
            use std::sync::atomic::Ordering::Relaxed;
            assert!(running.fetch_add(1, Relaxed) < 2);
            fibra::future::sleep(Duration::from_millis(1)).await;
            running.fetch_sub(1, Relaxed);
            Ok::<_, std::convert::Infallible>(n + 1)
        });
        fibra::scope(|s| {
            for n in 0..10 {
                let service = &service;
                s.spawn(move || assert_eq!(block_on(service.clone().oneshot(n)), Ok(n + 1)));
            }
        });
        Ok(())
    })
}
