//! [`Files`]: a handler that serves the files of a directory.

mod open;
mod path;
mod plan;
mod send;
mod types;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use hyper::header::{ALLOW, HeaderValue, LOCATION};
use hyper::{Method, Request, Response, StatusCode};
use rustix::io::Errno;

pub use self::send::FileBody;

use self::open::Opened;
use self::path::Names;
use self::plan::Conditions;

/// A directory whose files are served.
///
/// [`respond`](Files::respond) answers `GET` and `HEAD`, with `Range`, `If-Range`, `If-None-Match`
/// and `If-Modified-Since`. Files are read on the threads for files ([`fs`](crate::fs)), 64 KiB at
/// a time, and no faster than the client takes them: a response takes about 100 KiB of memory,
/// whatever the size of its file.
///
/// # What is not served
///
/// - Nothing outside of the directory. A path with `..`, or with an encoded `/`, is not found.
/// - Symbolic links, unless [`follow_links`](Files::follow_links) is called. They are refused when
///   the file is opened, step by step, so that nothing can change between a check and its use. The
///   directory itself may be a link.
/// - Files and directories whose names begin with a dot, such as `.git` and `.env`, unless
///   [`hidden`](Files::hidden) is called.
/// - Lists of directories. A directory is answered with its index, and a path to one that does not
///   end with `/` with a redirection.
/// - Devices, sockets and named pipes.
///
/// # Ranges
///
/// One range is answered with status 206 (or 416), also one that counts from the end. Several
/// ranges in one request are answered with the whole file, which the standard allows.
///
/// # Examples
///
/// ```
/// use std::io::{self, Write};
/// use fibra::http::{Files, Http, hyper};
/// use fibra::net::TcpStream;
/// use fibra::server::Server;
///
/// fibra::run(|| -> io::Result<()> {
///     let server = Server::bind("127.0.0.1:0")?;
///     let address = server.listener().local_addr()?;
///     let (http, files) = (Http::new(), Files::new("src"));
///     let _running = server.start(move |stream, _| {
///         let files = files.clone();
///         http.serve_connection(stream, move |request| files.respond(&request))
///     });
///
///     let mut client = TcpStream::connect(address)?;
///     let range = "range: bytes=4-16\r\nconnection: close\r\n";
///     write!(client, "GET /lib.rs HTTP/1.1\r\nhost: x\r\n{range}\r\n")?;
///     let answer = io::read_to_string(client)?;
///     assert!(answer.starts_with("HTTP/1.1 206") && answer.ends_with("Green threads"));
///     Ok(())
/// })?;
/// # io::Result::Ok(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias("ServeDir", "static"))]
pub struct Files {
    root: Arc<PathBuf>,
    index: Option<Arc<str>>,
    hidden: bool,
    links: bool,
}

impl Files {
    /// Creates a handler for the files below `root`. It does not check whether `root` exists.
    pub fn new(root: impl Into<PathBuf>) -> Files {
        let root = Arc::new(root.into());
        Files { root, index: Some("index.html".into()), hidden: false, links: false }
    }

    /// Sets the name of the file that is served for a directory: by default `index.html`.
    #[must_use]
    pub fn index<'a>(mut self, name: impl Into<Option<&'a str>>) -> Files {
        self.index = name.into().map(Into::into);
        self
    }

    /// Serves files whose names begin with a dot, too.
    #[must_use]
    pub fn hidden(mut self) -> Files {
        self.hidden = true;
        self
    }

    /// Follows symbolic links, wherever they lead: also out of the directory.
    #[must_use]
    pub fn follow_links(mut self) -> Files {
        self.links = true;
        self
    }

    /// Returns the response to a request: a file, or the reason why there is none.
    ///
    /// The path of the request is taken as the path of the file. To serve a directory below
    /// another path, use [`respond_at`](Files::respond_at).
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn respond<B>(&self, request: &Request<B>) -> Response<FileBody> {
        self.respond_at(request, request.uri().path())
    }

    /// Returns the response to a request for the file at `path`, which begins with `/` and is
    /// encoded like the path of a URI.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::http::{BodyReader, FileBody, Files, hyper};
    /// use hyper::{Request, Response};
    ///
    /// fn handler(request: &Request<BodyReader>, files: &Files) -> Response<FileBody> {
    ///     match request.uri().path().strip_prefix("/static") {
    ///         Some(path) => files.respond_at(request, path),
    ///         None => Response::new(FileBody::from("the front page")),
    ///     }
    /// }
    /// ```
    #[track_caller]
    pub fn respond_at<B>(&self, request: &Request<B>, path: &str) -> Response<FileBody> {
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            let mut response = refusal(StatusCode::METHOD_NOT_ALLOWED);
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        let index = self.index.as_deref();
        let Some(names) = Names::of(path, index, self.hidden) else {
            return refusal(StatusCode::NOT_FOUND);
        };
        let kind = types::of(names.last());
        let conditions = Conditions::of(request);
        match open::open(self.root.clone(), names, self.links, conditions) {
            Ok(Opened::File(file)) => send::response(file, kind, request.method() == Method::HEAD),
            Ok(Opened::Directory) => redirection(request.uri().path()),
            Err(error) => refusal(status_of(&error)),
        }
    }
}

fn status_of(error: &io::Error) -> StatusCode {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        // The last two are links that are not followed, on different systems.
        Some(Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG | Errno::LOOP | Errno::MLINK) => {
            StatusCode::NOT_FOUND
        }
        Some(Errno::ACCESS | Errno::PERM) => StatusCode::FORBIDDEN,
        _ if error.kind() == io::ErrorKind::NotFound => StatusCode::NOT_FOUND,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn refusal(status: StatusCode) -> Response<FileBody> {
    let text = status.canonical_reason().unwrap_or_default();
    let mut response = Response::new(FileBody::from(text));
    *response.status_mut() = status;
    response
}

/// Returns a redirection to the same path with a `/` at its end.
fn redirection(path: &str) -> Response<FileBody> {
    let mut response = refusal(StatusCode::PERMANENT_REDIRECT);
    match HeaderValue::from_str(&format!("{path}/")) {
        Ok(location) => drop(response.headers_mut().insert(LOCATION, location)),
        Err(_) => return refusal(StatusCode::NOT_FOUND),
    }
    response
}
