//! Requests, while they are built.

use std::borrow::Borrow;
use std::fmt;
use std::time::Duration;

use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method};
use url::{Url, form_urlencoded};

use crate::http::client::Client;
use crate::http::client::auth;
use crate::http::client::error::Error;
use crate::http::client::into_url::IntoUrl;
use crate::http::client::request_body::RequestBody;
use crate::http::client::response::Response;
use crate::http::client::send;

/// A request in the form in which it is sent.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: RequestBody,
    pub(super) timeout: Option<Duration>,
}

/// A request of a [`Client`] that is not sent yet.
///
/// Mistakes are reported by [`send`](RequestBuilder::send).
///
/// # Examples
///
/// ```no_run
/// use fibra::http::Client;
///
/// # fibra::run(|| -> Result<(), fibra::http::Error> {
/// let client = Client::new();
/// let found = client
///     .get("http://localhost:8080/search")
///     .query([("text", "green threads"), ("page", "2")])
///     .header("accept", "text/plain")
///     .send()?
///     .error_for_status()?
///     .text()?;
/// # Ok(()) });
/// ```
#[must_use = "it is sent by `send`"]
pub struct RequestBuilder {
    client: Client,
    message: Result<Message, Error>,
}

impl RequestBuilder {
    pub(super) fn new(client: Client, method: Method, url: impl IntoUrl) -> RequestBuilder {
        let message = url.into_url().map(|mut url| {
            let mut headers = client.default_headers().clone();
            if let Some(credentials) = auth::take_credentials(&mut url) {
                headers.insert(AUTHORIZATION, credentials);
            }
            Message { method, url, headers, body: RequestBody::empty(), timeout: None }
        });
        RequestBuilder { client, message }
    }

    /// Sets a header, in place of any default header of the client and any earlier value.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::http::Client;
    ///
    /// let request = Client::new().get("http://host.test/").header("accept", "text/plain");
    /// assert!(format!("{request:?}").contains("text/plain"));
    /// ```
    pub fn header<N, V>(self, name: N, value: V) -> RequestBuilder
    where
        N: TryInto<HeaderName>,
        N::Error: Into<hyper::http::Error>,
        V: TryInto<HeaderValue>,
        V::Error: Into<hyper::http::Error>,
    {
        self.change(|message| {
            let name = name.try_into().map_err(|error| Error::from(error.into()))?;
            let value = value.try_into().map_err(|error| Error::from(error.into()))?;
            message.headers.insert(name, value);
            Ok(())
        })
    }

    /// Sets all `headers`, each in place of earlier values of its name.
    pub fn headers(self, headers: HeaderMap) -> RequestBuilder {
        self.change(|message| {
            headers.keys().for_each(|name| drop(message.headers.remove(name)));
            message.headers.extend(headers);
            Ok(())
        })
    }

    /// Appends pairs of names and values to the query of the URL, and encodes them.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::http::Client;
    ///
    /// let request = Client::new().get("http://host.test/find?page=1");
    /// let request = request.query([("text", "green threads")]);
    /// assert!(format!("{request:?}").contains("http://host.test/find?page=1&text=green+threads"));
    /// ```
    pub fn query<I, K, V>(self, pairs: I) -> RequestBuilder
    where
        I: IntoIterator,
        I::Item: Borrow<(K, V)>,
        K: AsRef<str>,
        V: AsRef<str>,
    {
        self.change(|message| {
            let mut pairs = pairs.into_iter().peekable();
            if pairs.peek().is_some() {
                message.url.query_pairs_mut().extend_pairs(pairs);
            }
            Ok(())
        })
    }

    /// Sets the header `authorization` to a token.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::http::Client;
    ///
    /// let request = Client::new().get("http://host.test/").bearer_auth("secret");
    /// assert!(!format!("{request:?}").contains("secret")); // it is sent, and not shown
    /// ```
    pub fn bearer_auth(self, token: impl fmt::Display) -> RequestBuilder {
        self.change(|message| {
            let value = HeaderValue::from_str(&format!("Bearer {token}"));
            // The error does not show the token.
            let mut value = value
                .map_err(|_| Error::builder("the token has characters that no header may have"))?;
            value.set_sensitive(true);
            message.headers.insert(AUTHORIZATION, value);
            Ok(())
        })
    }

    /// Sets the header `authorization` to a user name and a password.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::http::Client;
    ///
    /// let client = Client::new();
    /// let request = client.get("http://host.test/").basic_auth("ada", Some("1815"));
    /// let without_password = client.get("http://host.test/").basic_auth("ada", None::<&str>);
    /// ```
    pub fn basic_auth(
        self,
        user: impl fmt::Display,
        password: Option<impl fmt::Display>,
    ) -> RequestBuilder {
        let password = password.map(|password| password.to_string()).unwrap_or_default();
        let header = auth::basic(user.to_string().as_bytes(), password.as_bytes());
        self.change(|message| {
            message.headers.insert(AUTHORIZATION, header);
            Ok(())
        })
    }

    /// Sets the body. See [`RequestBody`] for what that can be.
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
    /// let response = Client::new().put(url).body("some text").send()?;
    /// assert_eq!(response.text()?, "some text"); // this server echoes
    /// # Ok(())
    /// # }).unwrap();
    /// ```
    pub fn body(self, body: impl Into<RequestBody>) -> RequestBuilder {
        self.change(|message| {
            message.body = body.into();
            Ok(())
        })
    }

    /// Sets the body to pairs of names and values, encoded as a browser encodes a form, and the
    /// content type.
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
    /// let form = [("name", "Ada L."), ("year", "1815")];
    /// let response = Client::new().post(url).form(form).send()?;
    /// assert_eq!(response.text()?, "name=Ada+L.&year=1815"); // this server echoes
    /// # Ok(())
    /// # }).unwrap();
    /// ```
    #[doc(alias = "send_form")]
    pub fn form<I, K, V>(self, pairs: I) -> RequestBuilder
    where
        I: IntoIterator,
        I::Item: Borrow<(K, V)>,
        K: AsRef<str>,
        V: AsRef<str>,
    {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(pairs);
        self.encoded(form.finish().into(), "application/x-www-form-urlencoded")
    }

    /// Sets the body to a value as JSON, and the content type unless it is set already. Needs the
    /// feature `json`.
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
    /// let sent = std::collections::BTreeMap::from([("year", 1815)]);
    /// let response = Client::new().post(url).json(&sent).send()?;
    /// assert_eq!(response.text()?, r#"{"year":1815}"#); // this server echoes
    /// # Ok(())
    /// # }).unwrap();
    /// ```
    #[cfg(feature = "json")]
    #[cfg_attr(docsrs, doc(cfg(feature = "json")))]
    #[doc(alias = "send_json")]
    pub fn json<T: serde::Serialize + ?Sized>(self, value: &T) -> RequestBuilder {
        match serde_json::to_vec(value) {
            Ok(json) => self.encoded(json.into(), "application/json"),
            Err(error) => self.change(|_| {
                Err(Error::builder(format!("the value cannot be JSON: {error}")).because(error))
            }),
        }
    }

    fn encoded(self, body: RequestBody, content_type: &'static str) -> RequestBuilder {
        self.change(|message| {
            message.body = body;
            let entry = message.headers.entry(CONTENT_TYPE);
            entry.or_insert(HeaderValue::from_static(content_type));
            Ok(())
        })
    }

    /// Sets the time limit of the whole request, from the call of [`send`](RequestBuilder::send)
    /// to the end of the response's body, in place of
    /// [that of the client](crate::http::ClientBuilder::timeout).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fibra::http::Client;
    ///
    /// fibra::run(|| -> std::io::Result<()> {
    ///     // This listener accepts nothing, and answers nothing.
    ///     let silent = fibra::net::TcpListener::bind("127.0.0.1:0")?;
    ///     let url = format!("http://{}/", silent.local_addr()?);
    ///     let request = Client::new().get(url).timeout(Duration::from_millis(5));
    ///     assert!(request.send().unwrap_err().is_timeout());
    ///     Ok(())
    /// })?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn timeout(self, timeout: Duration) -> RequestBuilder {
        self.change(|message| {
            message.timeout = Some(timeout);
            Ok(())
        })
    }

    /// Sends the request, and waits until the head of the response has arrived.
    ///
    /// If the caller is killed or its time is over, in this call or while it reads the body, the
    /// connection is closed, and the client stays usable.
    ///
    /// # Errors
    ///
    /// Returns an error if the request is not valid, there is no connection, a time limit passes, a
    /// redirect cannot be followed, or the connection breaks before the response. A status such as
    /// 404 is not an error: see [`Response::error_for_status`].
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    #[doc(alias("call", "execute"))]
    pub fn send(self) -> Result<Response, Error> {
        send::send(&self.client, self.message?)
    }

    fn change(mut self, f: impl FnOnce(&mut Message) -> Result<(), Error>) -> RequestBuilder {
        self.message = self.message.and_then(|mut message| match f(&mut message) {
            Ok(()) => Ok(message),
            Err(error) => Err(error.at(&message.url)),
        });
        self
    }
}

impl fmt::Debug for RequestBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("RequestBuilder");
        match &self.message {
            Ok(message) => {
                debug.field("method", &message.method).field("url", &message.url.as_str());
                debug.field("headers", &message.headers)
            }
            Err(error) => debug.field("error", error),
        };
        debug.finish_non_exhaustive()
    }
}
