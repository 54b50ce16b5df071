//! HTTP: clients, servers, limits, TLS, HTTP/2, errors and retries. (This module contains
//! documentation only.)
//!
//! [`http_compared`](super::http_compared) has the names for users of reqwest, ureq, hyper and
//! axum.
//!
//! | for | feature | type |
//! |---|---|---|
//! | servers, and one connection of a client | `http` | [`Http`](crate::http::Http), [`Connection`](crate::http::Connection) |
//! | requests to URLs | `http-client` | [`get`](crate::http::get()), [`Client`](crate::http::Client) |
//! | `https` URLs, with the certificates of the system | `https` | the same |
//! | TLS for a server | `tls` | `tls::TlsAcceptor` |
//! | HTTP/2, for both sides | `http2` | the same |
//! | `json` of requests and responses | `json` | the same |
//! | compressed responses | `gzip` | the same |
//! | the client ureq on fibers | `ureq` | `fibra::ureq::agent` |
//!
//! # A client
//!
//! A request is a call that waits. Three fibers fetch three pages at the same time, and a
//! [`Retry`](crate::pool::Retry) repeats what has failed. Under [`fibra::main`](crate::main()),
//! Ctrl-C ends all of it and closes the connections:
//!
#![cfg_attr(feature = "https", doc = "```no_run")]
#![cfg_attr(not(feature = "https"), doc = "```ignore")]
//! use std::time::Duration;
//! use fibra::http::{Client, Error};
//! use fibra::pool::Retry;
//!
//! fn main() -> std::process::ExitCode {
//!     fibra::main(|| {
//!         let client = Client::new();
//!         let fetch = |url| client.get(url).send()?.error_for_status()?.text();
//!         fibra::scope(|scope| {
//!             for url in ["https://crates.io/", "https://docs.rs/", "https://lib.rs/"] {
//!                 let retry = Retry::attempts(3).wait(Duration::from_millis(200));
//!                 let retry = retry.on(Error::is_transient);
//!                 scope.spawn(move || match retry.run(|_attempt| fetch(url)) {
//!                     Ok(text) => println!("{url}: {} bytes", text.len()),
//!                     Err(error) => println!("{error}"),
//!                 });
//!             }
//!         });
//!     })
//! }
//! ```
//!
//! [`http::get`](crate::http::get()) does without a client of its own. A program with settings
//! makes one client and shares it: it keeps the connections, and `clone` is cheap. A client stays
//! on its thread; on several threads, [each has its own](crate::http::Client). Without settings it
//! has no time limits. A program that fetches what others have named sets some, and a limit of
//! connections to each host:
//!
//! ```
//! # use std::time::Duration;
//! # use fibra::http::Client;
//! let client = Client::builder()
//!     .connect_timeout(Duration::from_secs(5)) // the name, TCP, TLS
//!     .read_timeout(Duration::from_secs(20)) // a server that is silent
//!     .timeout(Duration::from_secs(300)) // all of a request, with the body of its response
//!     .max_connections_per_host(4) // further requests to that host wait
//!     .max_body_size(16 << 20) // a longer body of a response is an error
//!     .build()?;
//! # Ok::<(), fibra::http::Error>(())
//! ```
//!
//! [`time::timeout`](crate::time::timeout) around several requests limits them together.
//!
//! # Bodies
//!
//! | a request sends | a response is read by |
//! |---|---|
//! | text, bytes: `body("...")` | [`text`](crate::http::Response::text), [`bytes`](crate::http::Response::bytes) |
//! | a form: [`form`](crate::http::RequestBuilder::form) | |
//! | `json(&value)` | `json()` |
//! | what a reader reads: [`RequestBody::new`](crate::http::RequestBody::new), [`sized`](crate::http::RequestBody::sized) | [`Read`](std::io::Read), [`copy_to`](crate::http::Response::copy_to) |
//! | what a fiber writes: [`http::body()`](crate::http::body()) | |
//! | another body: [`RequestBody::wrap`](crate::http::RequestBody::wrap) | [`into_body`](crate::http::Response::into_body) |
//!
//! A download that shows its progress, and an upload that is never in memory as a whole. Files are
//! those of [`fs`](crate::fs): a [`std::fs::File`] would stop all fibers of the thread while it
//! reads.
//!
//! ```
//! use std::error::Error;
//! use std::io::{Read, Write};
//! use fibra::fs::File;
//! use fibra::http::{Client, RequestBody};
//! # use fibra::http::{BodyReader, Http, body, hyper};
//! # use fibra::server::Server;
//!
//! fn download(client: &Client, url: &str, path: &str) -> Result<u64, Box<dyn Error>> {
//!     let mut response = client.get(url).send()?.error_for_status()?;
//!     let (length, mut file) = (response.content_length(), File::create(path)?);
//!     let (mut buffer, mut done) = (vec![0; 64 << 10], 0);
//!     loop {
//!         let n = response.read(&mut buffer)?;
//!         if n == 0 {
//!             return Ok(done);
//!         }
//!         file.write_all(&buffer[..n])?;
//!         done += n as u64;
//!         match length {
//!             Some(length) => println!("{}%", 100 * done / length),
//!             None => println!("{done} bytes"),
//!         }
//!     }
//! }
//!
//! fn upload(client: &Client, url: &str, path: &str) -> Result<(), Box<dyn Error>> {
//!     let file = File::open(path)?;
//!     let length = file.metadata()?.len();
//!     let body = RequestBody::sized(file, length);
//!     client.put(url).body(body).send()?.error_for_status()?;
//!     Ok(())
//! }
//! # fibra::run(|| -> Result<(), Box<dyn Error>> {
//! #     let server = Server::bind("127.0.0.1:0")?;
//! #     let url = format!("http://{}/", server.listener().local_addr()?);
//! #     let http = Http::new();
//! #     let _running = server.start(move |stream, _| {
//! #         http.serve_connection(stream, |request: hyper::Request<BodyReader>| {
//! #             let (mut writer, body) = body();
//! #             fibra::spawn(move || std::io::copy(&mut request.into_body(), &mut writer));
//! #             hyper::Response::new(body)
//! #         })
//! #     });
//! #     let client = Client::new();
//! #     upload(&client, &url, "Cargo.toml")?;
//! #     let path = std::env::temp_dir().join(format!("fibra-guide-{}", std::process::id()));
//! #     assert_eq!(download(&client, &url, path.to_str().unwrap())?, 0);
//! #     std::fs::remove_file(path)?;
//! #     Ok(())
//! # }).unwrap();
//! ```
//!
//! A connection serves the next request when its response was read to the end. A response that is
//! dropped earlier closes it, so read short bodies even if they are not needed. With
//! `max_connections_per_host`, a fiber that keeps responses and waits for another one may wait for
//! itself.
//!
//! # Errors and retries
//!
//! A status such as 404 is a response;
//! [`error_for_status`](crate::http::Response::error_for_status) makes an error of it. The text of
//! an [`Error`](crate::http::Error) names the URL and all causes, so printing it is enough. Its
//! methods tell the kinds apart:
//!
//! | method | what happened | has the server processed it? |
//! |---|---|---|
//! | [`is_builder`](crate::http::Error::is_builder) | the URL, a header or the body is not valid | no |
//! | [`is_connect`](crate::http::Error::is_connect) | no connection: DNS, TCP, the proxy, TLS | no |
//! | [`is_request`](crate::http::Error::is_request) | the connection broke before a response came | perhaps |
//! | [`is_timeout`](crate::http::Error::is_timeout) | a time limit has passed | perhaps |
//! | [`is_body`](crate::http::Error::is_body) | the response broke off | yes |
//! | [`is_status`](crate::http::Error::is_status) | `error_for_status` | see the status |
//! | [`is_redirect`](crate::http::Error::is_redirect) | the response leads nowhere, or in a circle | yes |
//! | [`is_decode`](crate::http::Error::is_decode) | the response is not the expected JSON | yes |
//!
//! [`is_transient`](crate::http::Error::is_transient) combines them: whether another attempt is
//! worth while, for a request that may be done twice.
//!
//! ```
//! use std::time::Duration;
//! use fibra::http::{Client, Error};
//! use fibra::pool::{Backoff, Retry, RetryError};
//! # use std::{cell::Cell, rc::Rc};
//! # use fibra::http::{Http, hyper};
//! # use fibra::server::Server;
//!
//! /// Fetches a page: five attempts with waits of up to 20, 40, 80 and 160 ms.
//! fn fetch(client: &Client, url: &str) -> Result<String, RetryError<Error>> {
//!     let waits = Backoff::exponential(Duration::from_millis(20), 2.0, Duration::from_secs(5));
//!     let retry = Retry::attempts(5).wait(waits.jitter(1)).on(Error::is_transient);
//!     retry.run(|_attempt| client.get(url).send()?.error_for_status()?.text())
//! }
//! # fibra::run(|| -> Result<(), Box<dyn std::error::Error>> {
//! #     let server = Server::bind("127.0.0.1:0")?;
//! #     let url = format!("http://{}/", server.listener().local_addr()?);
//! #     let overloaded = Rc::new(Cell::new(true));
//! #     let _running = server.start(move |stream, _| {
//! #         let overloaded = overloaded.clone();
//! #         Http::new().serve_connection(stream, move |_| {
//! #             let mut response = hyper::Response::new("ready".to_string());
//! #             if overloaded.replace(false) {
//! #                 *response.status_mut() = hyper::StatusCode::SERVICE_UNAVAILABLE;
//! #             }
//! #             response
//! #         })
//! #     });
//! #     assert_eq!(fetch(&Client::new(), &url)?, "ready");
//! #     Ok(())
//! # }).unwrap();
//! ```
//!
//! By itself the client repeats a request only if a kept connection turns out to be closed, once,
//! and only [if that is safe](crate::http::Client).
//!
//! # Cookies
//!
//! The client keeps none, because their rules (domains, paths, lists of public suffixes) are a
//! library of their own: the crate `cookie_store`. For a server of your own, read `set-cookie` from
//! the headers of a response and send `cookie` with
//! [`header`](crate::http::RequestBuilder::header). A cookie that comes with a redirect is seen
//! only with [`RedirectPolicy::none`](crate::http::RedirectPolicy::none).
//!
//! # TLS
//!
//! With `https`, a client needs no settings. A server with a certificate of its own is trusted
//! after `add_root_certificate`; for everything else there is a configuration of rustls,
//! `tls_config`. There is no switch that trusts every certificate: that would be a
//! `ServerCertVerifier` in that configuration.
//!
#![cfg_attr(feature = "https", doc = "```")]
#![cfg_attr(not(feature = "https"), doc = "```ignore")]
//! use std::error::Error;
//! use std::sync::Arc;
//! use fibra::http::{Client, Http, hyper::Response};
//! use fibra::server::Server;
//! use fibra::tls::{TlsAcceptor, rustls};
//! use rustls::pki_types::{CertificateDer, PrivateKeyDer};
//!
//! /// A server that offers HTTP/2 and HTTP/1.
//! fn acceptor(
//!     chain: Vec<CertificateDer<'static>>,
//!     key: PrivateKeyDer<'static>,
//!     http: &Http,
//! ) -> Result<TlsAcceptor, Box<dyn Error>> {
//!     let provider = Arc::new(rustls::crypto::ring::default_provider());
//!     let mut config = rustls::ServerConfig::builder_with_provider(provider)
//!         .with_safe_default_protocol_versions()?
//!         .with_no_client_auth()
//!         .with_single_cert(chain, key)?;
//!     config.alpn_protocols = http.alpn_protocols();
//!     Ok(TlsAcceptor::from(Arc::new(config)))
//! }
//!
//! fibra::run(|| -> Result<(), Box<dyn Error>> {
//!     // From files: `CertificateDer::from_pem_file`, `PrivateKeyDer::from_pem_file`.
//!     let made = rcgen::generate_simple_self_signed(["localhost".into()])?;
//!     let certificate = made.cert.der().clone();
//!     let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
//!
//!     let http = Http::new();
//!     let acceptor = acceptor(vec![certificate.clone()], key, &http)?;
//!     let server = Server::bind("localhost:0")?;
//!     let port = server.listener().local_addr()?.port();
//!     let _running = server.start(move |stream, _| -> Result<(), Box<dyn Error>> {
//!         let stream = acceptor.accept(stream)?; // `handshake_timeout` is its time limit
//!         Ok(http.serve_connection(stream, |_| Response::new("secret".to_string()))?)
//!     });
//!
//!     let client = Client::builder().add_root_certificate(certificate).build()?;
//!     let response = client.get(format!("https://localhost:{port}/")).send()?;
//!     assert_eq!(response.text()?, "secret");
//!     Ok(())
//! })
//! .unwrap();
//! ```
//!
//! # HTTP/2
//!
//! With the feature `http2`, both sides choose it by ALPN, as above; nothing else changes. Without
//! TLS, a server recognises it by the first bytes, and a client uses it after
//! `http2_prior_knowledge`. All requests to a host then share one connection. `http1_only` turns it
//! off on either side.
//!
//! # A server
//!
//! [`Server`](crate::server::Server) accepts, and [`Http`](crate::http::Http) serves each
//! connection. Each request is a call of the handler in a fiber of its own, which may wait. If the
//! client goes away, the handler is killed.
//!
#![cfg_attr(feature = "json", doc = "```")]
#![cfg_attr(not(feature = "json"), doc = "```ignore")]
//! use std::time::Duration;
//! use fibra::http::{BodyReader, Client, Http, hyper, status_of};
//! use fibra::server::Server;
//! use hyper::{Method, Request, Response, StatusCode};
//!
//! /// Routes are a `match`; a larger service uses axum's `Router`.
//! fn handler(request: Request<BodyReader>) -> Response<String> {
//!     match (request.method(), request.uri().path()) {
//!         (&Method::POST, "/sum") => sum(request.into_body()),
//!         _ => answer(StatusCode::NOT_FOUND, "{}".into()),
//!     }
//! }
//!
//! fn sum(body: BodyReader) -> Response<String> {
//!     // `BodyReader` is a reader: the body may be parsed while it arrives.
//!     match serde_json::from_reader::<_, Vec<i64>>(body) {
//!         Ok(numbers) => answer(StatusCode::OK, serde_json::json!(numbers.iter().sum::<i64>())),
//!         // Too large, too slow, broken off, or no JSON.
//!         Err(error) => answer(status_of(&error.into()), "{}".into()),
//!     }
//! }
//!
//! fn answer(status: StatusCode, json: serde_json::Value) -> Response<String> {
//!     let response = Response::builder().status(status);
//!     let response = response.header("content-type", "application/json");
//!     response.body(json.to_string()).expect("the header is valid")
//! }
//!
//! fibra::run(|| -> Result<(), Box<dyn std::error::Error>> {
//!     let server = Server::bind("127.0.0.1:0")?.max_connections(10_000);
//!     let url = format!("http://{}/sum", server.listener().local_addr()?);
//!     let http = Http::new().request_timeout(Duration::from_secs(30));
//!     let graceful = http.graceful();
//!     let running = server.start(move |stream, _| http.serve_connection(stream, handler));
//!
//!     let sum: i64 = Client::new().post(url).json(&[1, 2, 3]).send()?.json()?;
//!     assert_eq!(sum, 6);
//!
//!     // In a program: `fibra::signal::ctrl_c()?` first.
//!     graceful.shutdown(); // connections end after the request that they serve
//!     let end = running.shutdown(Duration::from_secs(10)); // at most; then they are killed
//!     assert_eq!(end.killed, 0);
//!     Ok(())
//! })
//! .unwrap();
//! ```
//!
//! The [limits](crate::http::Http#limits) are on by default: a body of 2 MiB, a head of 16 KiB, and
//! time limits for clients that are slow or silent. A handler for uploads sets `max_body_size`.
//!
//! | to | use |
//! |---|---|
//! | write a response while it is sent | [`http::body()`](crate::http::body()); flush the writer after each event |
//! | serve files | [`Files`](crate::http::Files) |
//! | share state among handlers | an `Rc` that the closure clones; on several threads an `Arc` |
//! | use all cores | [`start_on_each`](crate::server::Server::start_on_each) |
//! | hand the listener to the next process | the example `json_service` |
//! | pass requests on | [`Client`](crate::http::Client) in the handler: the example `reverse_proxy` |
//! | leave HTTP for a WebSocket | [`upgrade`](crate::http::upgrade()): the examples `websocket`, `secure_chat` |
//! | serve gRPC | [`serve_service`](crate::http::Http::serve_service) and tonic: `tests/crates/examples/grpc.rs` |
//!
//! # axum
//!
//! A router of axum runs on fibers, without `axum::serve` and without tokio. It is a service of
//! tower, which [`serve_service`](crate::http::Http::serve_service) takes in this form:
//!
//! ```
//! use axum::{Router, routing::get};
//! use fibra::http::{Http, hyper};
//! use fibra::server::Server;
//! use hyper::{Request, body::Incoming, service::service_fn};
//! use tower::ServiceExt;
//!
//! /// The handlers are `async`; `fibra::future::spawn` runs code that blocks.
//! async fn hello() -> Result<&'static str, axum::http::StatusCode> {
//!     let slept = fibra::future::spawn(|| {
//!         fibra::sleep(std::time::Duration::from_millis(1));
//!         "hello"
//!     });
//!     slept.await.map_err(|_| axum::http::StatusCode::INTERNAL_SERVER_ERROR)
//! }
//!
//! fibra::run(|| -> std::io::Result<()> {
//!     let app = Router::new().route("/", get(hello));
//!     let (server, http) = (Server::bind("127.0.0.1:0")?, Http::new());
//!     let running = server.start(move |stream, _| {
//!         let app = app.clone();
//!         let service =
//!             service_fn(move |request: Request<Incoming>| app.clone().oneshot(request));
//!         http.serve_service(stream, service)
//!     });
//!     # running.shutdown(std::time::Duration::ZERO);
//!     Ok(())
//! })
//! .unwrap();
//! ```
