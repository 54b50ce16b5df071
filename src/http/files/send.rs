//! The response with a file: its headers, and its body.

use std::fmt;
use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName, HeaderValue,
    LAST_MODIFIED, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};

use crate::fs::File;
use crate::http::body_writer::{BodyWriter, StreamBody, body};
use crate::http::files::open::{CHUNK, Planned};
use crate::http::files::plan::Plan;
use crate::sched::api::spawn::Builder;

/// The body of a response of [`Files`](crate::http::Files): bytes, or a file that is read while it
/// is sent. Other responses of the same handler are made from texts or bytes, with `from`.
pub struct FileBody(Content);

enum Content {
    Bytes(Bytes),
    Stream(StreamBody, u64),
}

/// Returns the response with a file of type `kind`.
#[track_caller]
pub(super) fn response(planned: Planned, kind: &'static str, is_head: bool) -> Response<FileBody> {
    let Planned { file, version, plan, bytes } = planned;
    let (status, offset, length) = match plan {
        Plan::Whole => (StatusCode::OK, 0, version.length),
        Plan::Part(offset, length) => (StatusCode::PARTIAL_CONTENT, offset, length),
        Plan::NotModified => (StatusCode::NOT_MODIFIED, 0, 0),
        Plan::Unsatisfiable => (StatusCode::RANGE_NOT_SATISFIABLE, 0, 0),
    };
    let body = match bytes {
        _ if is_head => FileBody::from(""),
        Some(bytes) => FileBody(Content::Bytes(bytes.into())),
        None => stream(file, offset, length),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;

    let mut set = |name: HeaderName, value: String| {
        // All of them consist of digits and letters.
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(name, value);
        }
    };
    set(ETAG, version.tag());
    set(LAST_MODIFIED, httpdate::fmt_http_date(version.modified));
    match plan {
        Plan::NotModified => return response,
        Plan::Part(..) => {
            let last = offset + length - 1;
            set(CONTENT_RANGE, format!("bytes {offset}-{last}/{}", version.length));
        }
        Plan::Unsatisfiable => set(CONTENT_RANGE, format!("bytes */{}", version.length)),
        Plan::Whole => {}
    }
    set(CONTENT_LENGTH, length.to_string());
    let fixed =
        [(ACCEPT_RANGES, "bytes"), (CONTENT_TYPE, kind), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
    for (name, value) in fixed {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Returns a body that a fiber reads from `file` while it is sent.
#[track_caller]
fn stream(file: std::fs::File, offset: u64, length: u64) -> FileBody {
    let (writer, body) = body();
    // It ends with an error if the client goes away, or if the file fails: see there.
    let copies = move || copy(&File::from_std(file), offset, length, writer);
    drop(Builder::new().name("http file").spawn(copies));
    FileBody(Content::Stream(body, length))
}

/// Copies a part of a file into a body. If that is not possible, the body ends too early, which is
/// an error of the connection, because the length was announced.
fn copy(file: &File, offset: u64, length: u64, mut writer: BodyWriter) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    let mut done = 0;
    while done < length {
        let most = buffer.len().min(usize::try_from(length - done).unwrap_or(usize::MAX));
        match file.read_at(&mut buffer[..most], offset + done)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => {
                writer.write_all(&buffer[..n])?;
                done += n as u64;
            }
        }
    }
    writer.finish()
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut self.0 {
            Content::Bytes(bytes) if bytes.is_empty() => Poll::Ready(None),
            Content::Bytes(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Content::Stream(body, _) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.0, Content::Bytes(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match &self.0 {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::Stream(_, length) => *length,
        })
    }
}

impl From<Bytes> for FileBody {
    fn from(bytes: Bytes) -> FileBody {
        FileBody(Content::Bytes(bytes))
    }
}

impl From<String> for FileBody {
    fn from(text: String) -> FileBody {
        FileBody(Content::Bytes(text.into()))
    }
}

impl From<&'static str> for FileBody {
    fn from(text: &'static str) -> FileBody {
        FileBody(Content::Bytes(Bytes::from_static(text.as_bytes())))
    }
}

impl fmt::Debug for FileBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileBody").finish_non_exhaustive()
    }
}
