//! Responses, whose bodies are read with calls that wait.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;

use hyper::body::{Body, Bytes};
use hyper::header::CONTENT_LENGTH;
use hyper::http::response::Parts;
use hyper::{HeaderMap, StatusCode, Version};
use url::Url;

use crate::http::body::BodyReader;
use crate::http::client::error::{Error, Kind};
use crate::http::client::response_body::ResponseBody;
use crate::io::by_reference::read_exactly;

/// The response to a request of a [`Client`](crate::http::Client).
///
/// It is there as soon as its head has arrived. The body is read afterwards: as a whole by
/// [`text`](Response::text), [`bytes`](Response::bytes) or `json`, or in parts through
/// [`Read`]. A status such as 404 is a response like any other, and not an error: see
/// [`error_for_status`](Response::error_for_status).
///
/// The connection serves the next request once the body has been read to its end. If the response
/// is dropped before that, the connection is closed, unless all of the body has arrived already.
///
/// # Examples
///
/// ```no_run
/// use fibra::http::Client;
///
/// # fibra::run(|| -> Result<(), Box<dyn std::error::Error>> {
/// let response = Client::new().get("http://localhost:8080/").send()?;
/// println!("{} {:?}", response.status(), response.headers().get("content-type"));
/// println!("{}", response.text()?);
/// # Ok(()) });
/// ```
pub struct Response {
    head: Parts,
    url: Rc<Url>,
    peer: Option<SocketAddr>,
    body: BodyReader<ResponseBody>,
}

impl Response {
    pub(super) fn new(
        head: Parts,
        url: Rc<Url>,
        peer: Option<SocketAddr>,
        body: ResponseBody,
    ) -> Response {
        Response { head, url, peer, body: BodyReader::new(body) }
    }

    /// Returns the status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.head.status
    }

    /// Returns the version of HTTP of the response.
    #[must_use]
    pub fn version(&self) -> Version {
        self.head.version
    }

    /// Returns the headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// Returns the URL of the response: that of the last redirect, if any was followed, and without
    /// user name and password.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Returns the address of the server, or of the proxy.
    #[must_use]
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// Returns the length of the body in bytes, if the server has announced it. That of a body
    /// which is decompressed is not known.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fibra::run(|| -> Result<(), fibra::http::Error> {
    /// let response = fibra::http::Client::new().head("http://localhost:8080/film").send()?;
    /// println!("{:?} bytes", response.content_length());
    /// # Ok(()) });
    /// ```
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        self.head.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
    }

    /// Returns the trailers that followed the body, once it has been read to its end.
    #[must_use]
    pub fn trailers(&self) -> Option<&HeaderMap> {
        self.body.trailers()
    }

    /// Returns the response, or an error if its status is one of a client's or a server's mistake
    /// (400 to 599).
    ///
    /// # Errors
    ///
    /// Returns an error with the status and the URL. The body is dropped.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fibra::run(|| {
    /// let sent = fibra::http::Client::new().get("http://localhost:8080/missing").send();
    /// let error = sent.and_then(|response| response.error_for_status()).unwrap_err();
    /// assert_eq!(error.status().unwrap(), 404);
    /// # });
    /// ```
    pub fn error_for_status(self) -> Result<Response, Error> {
        self.error_for_status_ref()?;
        Ok(self)
    }

    /// Like [`error_for_status`](Response::error_for_status), without consuming the response.
    ///
    /// # Errors
    ///
    /// Returns an error with the status and the URL.
    pub fn error_for_status_ref(&self) -> Result<&Response, Error> {
        let status = self.status();
        if status.is_client_error() || status.is_server_error() {
            return Err(Error::new(Kind::Status(status), Some(&self.url)));
        }
        Ok(self)
    }

    /// Waits for the rest of the body, and returns it.
    ///
    /// # Errors
    ///
    /// Returns an error if the body breaks off, or a time limit passes.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fibra::run(|| -> Result<(), Box<dyn std::error::Error>> {
    /// let picture = fibra::http::Client::new().get("http://localhost:8080/picture").send()?;
    /// fibra::fs::write("picture", picture.bytes()?)?;
    /// # Ok(()) });
    /// ```
    #[track_caller]
    #[doc(alias = "read_to_vec")]
    pub fn bytes(mut self) -> Result<Bytes, Error> {
        self.read_bytes()
    }

    /// Waits for the rest of the body, and returns it as text. What is not UTF-8 is replaced by
    /// U+FFFD; [`read_to_string`](Read::read_to_string) reports an error instead.
    ///
    /// # Errors
    ///
    /// Returns an error if the body breaks off, or a time limit passes.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::http::{Client, hyper};
    ///
    /// # fibra::run(|| -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = fibra::server::Server::bind("127.0.0.1:0")?;
    /// # let url = format!("http://{}/", server.listener().local_addr()?);
    /// # let _running = server.start(|stream, _| {
    /// #     let answer = |request: hyper::Request<fibra::http::BodyReader>| {
    /// #         let (mut writer, body) = fibra::http::body();
    /// #         fibra::spawn(move || std::io::copy(&mut request.into_body(), &mut writer));
    /// #         hyper::Response::new(body)
    /// #     };
    /// #     fibra::http::Http::new().serve_connection(stream, answer)
    /// # });
    /// let response = Client::new().put(url).body("gr\u{fc}n").send()?;
    /// assert_eq!(response.text()?, "grün"); // this server echoes
    /// # Ok(())
    /// # }).unwrap();
    /// ```
    #[track_caller]
    #[doc(alias = "read_to_string")]
    pub fn text(mut self) -> Result<String, Error> {
        let bytes = self.read_bytes()?;
        Ok(match String::from_utf8(bytes.into()) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        })
    }

    /// Waits for the rest of the body, and parses it as JSON. Needs the feature `json`.
    ///
    /// # Errors
    ///
    /// Returns an error if the body breaks off, a time limit passes, or the body is not JSON that
    /// fits the type.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fibra::run(|| -> Result<(), fibra::http::Error> {
    /// let response = fibra::http::Client::new().get("http://localhost:8080/sizes").send()?;
    /// let sizes: std::collections::HashMap<String, u64> = response.json()?;
    /// # Ok(()) });
    /// ```
    #[cfg(feature = "json")]
    #[cfg_attr(docsrs, doc(cfg(feature = "json")))]
    #[track_caller]
    #[doc(alias = "read_json")]
    pub fn json<T: serde::de::DeserializeOwned>(mut self) -> Result<T, Error> {
        let bytes = self.read_bytes()?;
        serde_json::from_slice(&bytes).map_err(|error| {
            Error::new(Kind::Decode("the expected JSON"), Some(&self.url)).because(error)
        })
    }

    /// Waits for the rest of the body, and writes it to `writer` as it arrives. Returns its length.
    ///
    /// # Errors
    ///
    /// Returns an error if the body breaks off, a time limit passes, or the writer fails.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use fibra::fs::File;
    ///
    /// # fibra::run(|| -> Result<(), Box<dyn std::error::Error>> {
    /// let film = fibra::http::Client::new().get("http://localhost:8080/film").send()?;
    /// let length = film.error_for_status()?.copy_to(&mut File::create("film")?)?;
    /// println!("{length} bytes");
    /// # Ok(()) });
    /// ```
    #[track_caller]
    pub fn copy_to(&mut self, writer: &mut (impl Write + ?Sized)) -> io::Result<u64> {
        let mut copied = 0;
        while let Some(chunk) = self.body.next_chunk()? {
            writer.write_all(&chunk)?;
            copied += chunk.len() as u64;
        }
        Ok(copied)
    }

    /// Returns a reader of the body. The response itself is one, too; this one is for code that
    /// needs no head.
    #[must_use]
    pub fn into_reader(self) -> BodyReader<ResponseBody> {
        self.body
    }

    /// Returns the rest of the body, for code that sends it on as the body of another message. With
    /// the status and the headers, the response converts to one of hyper by `into`.
    #[must_use]
    pub fn into_body(self) -> ResponseBody {
        hyper::Response::from(self).into_body()
    }

    /// Returns the rest of the body; without a copy if it has arrived in one part.
    #[track_caller]
    fn read_bytes(&mut self) -> Result<Bytes, Error> {
        let Some(first) = self.chunk()? else { return Ok(Bytes::new()) };
        let Some(second) = self.chunk()? else { return Ok(first) };
        let rest = self.body.get_ref().size_hint().lower().min(1 << 20);
        let mut bytes = Vec::with_capacity(first.len() + second.len() + rest as usize);
        bytes.extend_from_slice(&first);
        bytes.extend_from_slice(&second);
        while let Some(chunk) = self.chunk()? {
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.into())
    }

    #[track_caller]
    fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        self.body.next_chunk().map_err(|error| match error.downcast::<Error>() {
            Ok(error) => error,
            Err(error) => Error::new(Kind::Body, Some(&self.url)).because(error),
        })
    }
}

impl Read for Response {
    read_exactly!();

    /// # Errors
    ///
    /// Returns an error that contains the client's [`Error`]: the body broke off, or a time limit
    /// has passed. All later reads fail, too.
    #[track_caller]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.body.read(buffer)
    }
}

/// Converts to a response of hyper, with which a handler passes it on.
///
/// # Examples
///
/// ```no_run
/// use fibra::http::{BodyReader, Client, RequestBody, ResponseBody, hyper};
///
/// /// A handler that asks another server. It removes headers that concern one connection only.
/// fn handler(
///     request: hyper::Request<BodyReader>,
///     client: &Client,
/// ) -> Result<hyper::Response<ResponseBody>, fibra::http::Error> {
///     let (mut head, body) = request.into_parts();
///     for header in ["connection", "te", "transfer-encoding", "upgrade", "host"] {
///         head.headers.remove(header);
///     }
///     let url = format!("http://localhost:8081{}", head.uri);
///     let request = client.request(head.method, url).headers(head.headers);
///     Ok(request.body(RequestBody::wrap(body.into_inner())).send()?.into())
/// }
/// ```
impl From<Response> for hyper::Response<ResponseBody> {
    fn from(response: Response) -> hyper::Response<ResponseBody> {
        let (body, unread) = response.body.into_parts();
        let mut body = *Pin::into_inner(body);
        body.put_back(unread);
        hyper::Response::from_parts(response.head, body)
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.head.status)
            .field("url", &self.url.as_str())
            .field("headers", &self.head.headers)
            .finish_non_exhaustive()
    }
}
