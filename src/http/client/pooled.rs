//! The client: a handle to its settings and its pool.

use std::fmt;
use std::rc::Rc;

use hyper::{HeaderMap, Method};

use crate::http::client::builder::{ClientBuilder, Settings};
use crate::http::client::connect::Dial;
use crate::http::client::into_url::IntoUrl;
use crate::http::client::pool::Pool;
use crate::http::client::request::RequestBuilder;

/// A client for HTTP, which takes URLs and keeps connections for later requests.
///
/// Clones share the connections. Each request is a call that waits, so three fibers fetch three
/// URLs at the same time. Idle connections are used again; the number of connections to a host and
/// the time for which they may be idle are limited by the [builder](Client::builder).
///
/// A client belongs to one thread, because its connections run in fibers, which never change
/// theirs: it is not `Send`. In a [`Runtime`](crate::Runtime) with several schedulers, each thread
/// has its own, in a [`thread_local!`]:
///
/// ```
/// use fibra::http::Client;
///
/// thread_local! {
///     static CLIENT: Client = Client::new();
/// }
///
/// # fn main() -> std::io::Result<()> {
/// fibra::Runtime::builder().threads(2).build()?.run(|| {
///     let job = fibra::Handle::current().spawn(|| {
///         let client = CLIENT.with(Client::clone); // that of the thread that runs the job
///         client.get("http://localhost:1/").send().is_ok()
///     });
///     assert!(!job.join().unwrap());
/// });
/// # Ok(()) }
/// ```
///
/// A request that is answered by a redirect is sent again to the new URL: see
/// [`RedirectPolicy`](crate::http::RedirectPolicy). A request that was sent over a connection that
/// the server has closed meanwhile is repeated once, on a new connection, if that is safe: nothing
/// of it was sent, or its body consists of bytes and its method is idempotent (all but POST and
/// PATCH), or the server of HTTP/2 has refused it. Nothing else is repeated: for that there is
/// [`pool::Retry`](crate::pool::Retry).
///
/// Cookies are not kept. Bodies are decompressed with the feature `gzip`: see
/// `ClientBuilder::gzip`.
///
/// # Proxies
///
/// [`Client::new`] takes proxies from the environment: `HTTP_PROXY` for `http` URLs, `HTTPS_PROXY`
/// for `https` URLs, `ALL_PROXY` for both, and the exceptions in `NO_PROXY`, a list of hosts,
/// domains and networks with commas in between, or `*`. The names may be in lower case. Addresses
/// of this machine are always reached directly. In a CGI program (`REQUEST_METHOD` is set),
/// `HTTP_PROXY` counts in lower case only.
///
/// # Examples
///
/// ```
/// use fibra::http::{Client, Http, hyper::Response};
/// use fibra::server::Server;
///
/// fibra::run(|| -> Result<(), Box<dyn std::error::Error>> {
///     let server = Server::bind("127.0.0.1:0")?;
///     let url = format!("http://{}/", server.listener().local_addr()?);
///     let http = Http::new();
///     let _running = server.start(move |stream, _| {
///         http.serve_connection(stream, |request| Response::new(request.uri().to_string()))
///     });
///
///     let client = Client::new();
///     let pages = ["a", "b", "c"].map(|page| {
///         let (client, url) = (client.clone(), format!("{url}{page}"));
///         fibra::spawn(move || client.get(url).send()?.text())
///     });
///     for page in pages {
///         println!("{}", page.join()??);
///     }
///     Ok(())
/// })
/// .unwrap();
/// ```
#[derive(Clone)]
#[doc(alias("Agent", "fetch"))]
pub struct Client {
    shared: Rc<Shared>,
}

struct Shared {
    settings: Settings,
    dial: Dial,
    pool: Rc<Pool>,
}

impl Client {
    /// Creates a client with the default settings.
    #[must_use]
    pub fn new() -> Client {
        let client = Client::builder().build();
        client.unwrap_or_else(|error| unreachable!("the default settings are valid: {error}"))
    }

    /// Returns a builder, for other settings.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fibra::http::Client;
    ///
    /// let client = Client::builder().timeout(Duration::from_secs(30)).build()?;
    /// # Ok::<(), fibra::http::Error>(())
    /// ```
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    pub(super) fn of(settings: Settings, dial: Dial, pool: Rc<Pool>) -> Client {
        Client { shared: Rc::new(Shared { settings, dial, pool }) }
    }

    /// Begins a GET request.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use fibra::http::Client;
    ///
    /// # fibra::run(|| -> Result<(), fibra::http::Error> {
    /// let client = Client::new();
    /// let page = client.get("http://localhost:8080/").send()?.error_for_status()?.text()?;
    /// # Ok(()) });
    /// ```
    pub fn get(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::GET, url)
    }

    /// Begins a POST request.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use fibra::http::Client;
    ///
    /// # fibra::run(|| -> Result<(), fibra::http::Error> {
    /// let client = Client::new();
    /// let login = client.post("http://localhost:8080/login");
    /// login.form([("user", "ada"), ("pin", "1815")]).send()?.error_for_status()?;
    /// # Ok(()) });
    /// ```
    pub fn post(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::POST, url)
    }

    /// Begins a PUT request.
    pub fn put(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::PUT, url)
    }

    /// Begins a PATCH request.
    pub fn patch(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::PATCH, url)
    }

    /// Begins a DELETE request.
    pub fn delete(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::DELETE, url)
    }

    /// Begins a HEAD request.
    pub fn head(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::HEAD, url)
    }

    /// Begins a request. A user name and a password in the URL become the header `authorization`.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use fibra::http::{Client, hyper::Method};
    ///
    /// # fibra::run(|| -> Result<(), fibra::http::Error> {
    /// let client = Client::new();
    /// let allowed = client.request(Method::OPTIONS, "http://localhost:8080/").send()?;
    /// println!("{:?}", allowed.headers().get("allow"));
    /// # Ok(()) });
    /// ```
    pub fn request(&self, method: Method, url: impl IntoUrl) -> RequestBuilder {
        RequestBuilder::new(self.clone(), method, url)
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    pub(super) fn default_headers(&self) -> &HeaderMap {
        &self.shared.settings.default_headers
    }

    pub(super) fn dial(&self) -> &Dial {
        &self.shared.dial
    }

    pub(super) fn pool(&self) -> &Rc<Pool> {
        &self.shared.pool
    }
}

impl Default for Client {
    fn default() -> Client {
        Client::new()
    }
}

/// Shows how many servers the client has connections to, and how many connections are idle.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (servers, idle) = self.pool().count();
        f.debug_struct("Client").field("servers", &servers).field("idle", &idle).finish()
    }
}
