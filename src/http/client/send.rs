//! One request from the call of `send` to the head of its response: attempts and redirects.
//!
//! Invariants:
//! - A request is repeated only on a connection that another request used before, which the server
//!   may have closed meanwhile; and only if no part of it was sent, or its body can be sent again
//!   and either its method is idempotent or the server has refused it. It is repeated once.

use std::error::Error as _;
use std::rc::Rc;

use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, HOST, HeaderValue, PROXY_AUTHORIZATION};
use hyper::{Method, Request, Response as Head, Uri};
use url::{Position, Url};

use crate::http::client::Client;
use crate::http::client::builder::Settings;
use crate::http::client::error::{Error, Kind};
#[cfg(feature = "gzip")]
use crate::http::client::gzip;
use crate::http::client::lease::{Failure, Lease};
use crate::http::client::limits::Limits;
use crate::http::client::redirect;
use crate::http::client::request::Message;
use crate::http::client::request_body::RequestBody;
use crate::http::client::response::Response;
use crate::http::client::response_body::ResponseBody;
use crate::http::client::route::Route;
use crate::sched::lowlevel::clock_now;

/// Sends `message`, and follows redirects.
#[track_caller]
pub(super) fn send(client: &Client, mut message: Message) -> Result<Response, Error> {
    let settings = client.settings();
    let timeout = message.timeout.or(settings.timeout);
    let limits = Limits {
        deadline: timeout.and_then(|timeout| clock_now().checked_add(timeout)),
        connect: settings.connect_timeout,
        read: settings.read_timeout,
        body_size: settings.body_size,
    };
    let mut followed = Vec::new();
    loop {
        let again = message.body.try_clone();
        let url = Rc::new(message.url.clone());
        let exchanged = exchange(client, &mut message, &limits).map_err(|error| error.at(&url));
        let (head, lease) = exchanged?;
        let peer = lease.peer();
        #[cfg_attr(not(feature = "gzip"), allow(unused_mut, reason = "nothing is decoded"))]
        let (mut head, incoming) = head.into_parts();
        #[cfg_attr(not(feature = "gzip"), allow(unused_mut, reason = "nothing is decoded"))]
        let mut body = ResponseBody::new(incoming, lease, limits, url.clone());
        let to = match settings.redirect.is_none() {
            true => None,
            false => redirect::target(head.status, &head.headers, &url)?,
        };
        let Some(to) = to else {
            #[cfg(feature = "gzip")]
            if asks_for_gzip(settings, &message) {
                gzip::decoder_for(&mut head).into_iter().for_each(|gunzip| body.decode(gunzip));
            }
            return Ok(Response::new(head, url, peer, body));
        };
        // The connection serves the next request, if the body has arrived already.
        drop(body);
        followed.push(message.url.clone());
        let checked = settings.redirect.check(&followed, &to);
        checked.map_err(|text| Error::new(Kind::Redirect(text), Some(&url)))?;
        redirect::follow(&mut message, head.status, to, again)?;
    }
}

/// Sends `message` to the server of its URL, and waits for the head of the response.
#[track_caller]
fn exchange(
    client: &Client,
    message: &mut Message,
    limits: &Limits,
) -> Result<(Head<Incoming>, Lease), Error> {
    let route = Route::to(&message.url, client.settings().proxies.of(&message.url)?)?;
    let mut body = std::mem::replace(&mut message.body, RequestBody::empty());
    let mut fresh = false;
    loop {
        let again = body.try_clone();
        let mut lease = client.pool().lease(client.dial(), &route, limits, fresh)?;
        let request = request(client.settings(), message, &route, lease.is_http2(), body)?;
        let (error, unsent) = match lease.exchange(request, limits) {
            Ok(head) => return Ok((head, lease)),
            Err(Failure::Lost(error, unsent)) => (error, unsent),
            Err(Failure::Other(error)) => {
                // A connection that others share may be dead, too, if nothing comes.
                if error.is_silence() {
                    lease.discard();
                }
                return Err(error);
            }
        };
        let kind = if unsent.is_none() { Kind::Request } else { Kind::Unsent };
        let repeated = match unsent {
            Some(request) => Some(request.into_body()),
            None => again.filter(|_| is_safe(&message.method, &error)),
        };
        match repeated.filter(|_| lease.reused && !fresh) {
            Some(repeated) => body = repeated,
            None => return Err(Error::new(kind, None).because(error)),
        }
        lease.discard();
        fresh = true;
    }
}

/// Returns whether a request of this method, of which some part was sent, may be repeated after
/// `error`: it is certain that the server has not processed it, or it may do so twice.
fn is_safe(method: &Method, error: &hyper::Error) -> bool {
    is_refused(error) || is_idempotent(method) && is_broken(error)
}

fn is_idempotent(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::PUT | Method::DELETE | Method::OPTIONS | Method::TRACE
    )
}

/// Returns whether the connection was the cause, and not what was sent over it.
fn is_broken(error: &hyper::Error) -> bool {
    !error.is_parse() && !error.is_user()
}

/// Returns whether the server of HTTP/2 has refused the request before it processed any of it: it
/// reset the stream with the code REFUSED_STREAM, or left with a GOAWAY that excludes the stream.
///
/// The error of the crate `h2` has methods for that, but this crate does not depend on `h2`. So the
/// error is recognised by its text. If that changes, such requests are not repeated.
fn is_refused(error: &hyper::Error) -> bool {
    let texts = [
        "stream error received: refused stream before processing any application logic",
        "connection error received: not a result of an error",
    ];
    error.source().is_some_and(|cause| texts.contains(&cause.to_string().as_str()))
}

/// Returns the request of `message` in the form in which the connection takes it.
fn request(
    #[cfg_attr(not(feature = "gzip"), allow(unused_variables, reason = "nothing is decoded"))]
    settings: &Settings,
    message: &Message,
    route: &Route,
    is_http2: bool,
    body: RequestBody,
) -> Result<Request<RequestBody>, Error> {
    let url = &message.url;
    let uri = if is_http2 || route.key.forwards {
        &url[..Position::AfterQuery]
    } else {
        &url[Position::BeforePath..Position::AfterQuery]
    };
    let uri = Uri::try_from(uri).map_err(|error| {
        Error::builder(format!("the URL cannot be sent: {error}")).because(error)
    })?;
    let mut request = Request::new(body);
    *request.method_mut() = message.method.clone();
    *request.uri_mut() = uri;
    let is_empty = request.body().is_empty();
    let headers = request.headers_mut();
    headers.reserve(message.headers.len() + 2);
    if !is_http2 && !message.headers.contains_key(HOST) {
        headers.insert(HOST, host_of(url)?);
    }
    headers.extend(message.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
    if is_empty && has_a_body(&message.method) {
        headers.entry(CONTENT_LENGTH).or_insert(HeaderValue::from_static("0"));
    }
    #[cfg(feature = "gzip")]
    if asks_for_gzip(settings, message) {
        gzip::ask(headers);
    }
    let proxy = route.proxy.as_ref().filter(|_| route.key.forwards);
    if let Some(credentials) = proxy.and_then(|proxy| proxy.authorization.clone()) {
        headers.insert(PROXY_AUTHORIZATION, credentials);
    }
    Ok(request)
}

#[cfg(feature = "gzip")]
fn asks_for_gzip(settings: &Settings, message: &Message) -> bool {
    settings.gzip && gzip::may_ask(&message.method, &message.headers)
}

/// Returns whether servers expect a body with this method, so that its absence must be explicit.
fn has_a_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

/// Returns the host of `url`, with its port if that is not the usual one.
fn host_of(url: &Url) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(&url[Position::BeforeHost..Position::AfterPort])
        .map_err(|error| Error::builder("the URL has no usable host").because(error))
}
