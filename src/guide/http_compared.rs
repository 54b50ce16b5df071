//! HTTP for users of reqwest, ureq, hyper and axum: what differs, and the names here. (This module
//! contains documentation only.)
//!
//! What has no row in a table has the same name here, or does not exist. The page
//! [`http`](super::http) shows programs.
//!
//! # reqwest
//!
//! | reqwest | fibra |
//! |---|---|
//! | `.await` at `send`, `text`, `json` | nothing: these calls park the fiber |
//! | cancel by dropping the future | [`kill`](crate::Fiber::kill), [`time::timeout`](crate::time::timeout) |
//! | `Client` is `Send` | one for each thread |
//! | `query(&T)`, `form(&T)` of a `Serialize` | pairs of strings |
//! | `bytes_stream`, `chunk` | [`Read`](std::io::Read), [`into_body`](crate::http::Response::into_body) |
//! | `Body::wrap_stream` | [`RequestBody`](crate::http::RequestBody) |
//! | `text` decodes the charset that the server names | UTF-8 only |
//! | `Policy::none`, `limited` | [`RedirectPolicy`](crate::http::RedirectPolicy) |
//! | `resolve`, `dns_resolver` | [`resolver`](crate::http::ClientBuilder::resolver) |
//! | `add_root_certificate` | `add_root_certificate`, with the feature `https` |
//! | `identity`, `danger_accept_invalid_certs` | `tls_config` |
//! | – | [`max_connections_per_host`](crate::http::ClientBuilder::max_connections_per_host) |
//! | `gzip` on by default, with its feature | the same |
//! | `cookie_store`, `multipart` | none |
//!
//! # ureq
//!
//! | ureq | fibra |
//! |---|---|
//! | `Agent` | [`Client`](crate::http::Client) |
//! | `get(url).call()` | `client.get(url).send()` |
//! | a status from 400 on is an error | a response: [`error_for_status`](crate::http::Response::error_for_status) |
//! | `send_json`, `send_form` | `json`, [`form`](crate::http::RequestBuilder::form), then `send` |
//! | `body_mut().read_to_string()`, up to 10 MB | [`text`](crate::http::Response::text); the limit is [`max_body_size`](crate::http::ClientBuilder::max_body_size) |
//! | `timeout_global`, `timeout_connect` | [`timeout`](crate::http::ClientBuilder::timeout), [`connect_timeout`](crate::http::ClientBuilder::connect_timeout) |
//! | `timeout_recv_body` of the whole body | [`read_timeout`](crate::http::ClientBuilder::read_timeout), between two parts |
//! | a thread for each request | a fiber for each request |
//!
//! A program that uses ureq already keeps it, with the feature `ureq`: `fibra::ureq::agent` makes
//! an agent whose calls park the fiber.
//!
//! # hyper
//!
//! | hyper | fibra |
//! |---|---|
//! | `Builder::serve_connection(io, service)` | [`serve_connection(stream, handler)`](crate::http::Http::serve_connection), [`serve_service`](crate::http::Http::serve_service) |
//! | `service_fn(async ..)` | a function that returns a `Response` |
//! | `Incoming` and `collect` | [`BodyReader`](crate::http::BodyReader), a reader |
//! | `Full`, `StreamBody` | `String`, [`http::body()`](crate::http::body()); any `Body` |
//! | `TokioIo`, `TokioExecutor`, `TokioTimer` | [`Io`](crate::http::Io), [`FiberExecutor`](crate::http::FiberExecutor), [`FiberTimer`](crate::http::FiberTimer) |
//! | `client::conn::http1::handshake` | [`Connection::new`](crate::http::Connection::new) |
//! | `client::legacy::Client` of hyper-util | [`Client`](crate::http::Client) |
//! | `GracefulShutdown` of hyper-util | [`Graceful`](crate::http::Graceful), then [`Running::shutdown`](crate::server::Running::shutdown) |
//! | `upgrade::on(request).await` | [`upgrade(&mut request)`](crate::http::upgrade()), then [`wait`](crate::http::Upgrade::wait) |
//! | limits are off, or need a timer | on by default |
//!
//! # axum
//!
//! | axum | fibra |
//! |---|---|
//! | `axum::serve(listener, app)` | [four lines](super::http#axum) around [`serve_service`](crate::http::Http::serve_service) |
//! | `with_graceful_shutdown(signal)` | [`ctrl_c`](crate::signal::ctrl_c), [`Graceful::shutdown`](crate::http::Graceful::shutdown), [`Running::shutdown`](crate::server::Running::shutdown) |
//! | `Router` | the same, or a `match` |
//! | `State` | a clone of an `Rc` in the closure |
//! | `Json<T>` | `serde_json::from_reader(body)` |
//! | `Query<T>` | [`form_urlencoded::parse`](crate::http::url::form_urlencoded::parse) |
//! | `DefaultBodyLimit` | [`max_body_size`](crate::http::Http::max_body_size), 2 MiB as there |
//! | `Sse`, `Body::from_stream` | [`http::body()`](crate::http::body()) |
//! | `WebSocketUpgrade` | [`upgrade`](crate::http::upgrade()) and tungstenite |
//! | `ServeDir` of tower-http | [`Files`](crate::http::Files) |
//! | `TimeoutLayer` of tower-http | [`request_timeout`](crate::http::Http::request_timeout) |
//! | a layer | a function around the handler |
//! | `spawn_blocking` in a handler | not needed for calls of fibra; [`blocking`](fn@crate::blocking) for others |
