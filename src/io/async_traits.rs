//! The traits of other crates for streams of futures, implemented by macros: those of futures-io
//! and of tokio, each for a stream and for a reference to it.
//!
//! The macros take the type, the trait with its operations ([`PollIo`](crate::io::PollIo) or a half
//! of it), and the type's parameters after `where`.

#![allow(unsafe_code, reason = "reads into tokio's buffer, and reports how many bytes that were")]

#[cfg(feature = "tokio-io")]
use std::io;
#[cfg(feature = "tokio-io")]
use std::task::{Poll, ready};

#[cfg(feature = "tokio-io")]
use tokio::io::ReadBuf;

#[cfg(feature = "tokio-io")]
use crate::io::uninit_buf::{Filled, UninitBuf};

/// Appends to `buffer` what `read` reads.
#[cfg(feature = "tokio-io")]
pub(crate) fn append(
    buffer: &mut ReadBuf<'_>,
    read: impl FnOnce(UninitBuf<'_>) -> Poll<io::Result<Filled>>,
) -> Poll<io::Result<()>> {
    // SAFETY: an `UninitBuf` is only written to, so initialised bytes stay initialised.
    let memory = UninitBuf::new(unsafe { buffer.unfilled_mut() });
    let filled = ready!(read(memory))?.length();
    // SAFETY: the memory is the whole unfilled part. `read` was given no other, so `filled` is the
    // number of bytes that were written at its beginning.
    unsafe { buffer.assume_init(filled) };
    buffer.advance(filled);
    Poll::Ready(Ok(()))
}

/// Implements `AsyncRead` of futures-io and of tokio.
macro_rules! async_read {
    ($stream:ty as $via:path $(where $($parameter:tt)+)?) => {
        $crate::io::async_traits::async_read!(@one $stream, $stream as $via; [$($($parameter)+)?]);
        $crate::io::async_traits::async_read!(
            @one &$stream, $stream as $via; [$($($parameter)+)?]
        );
    };
    (@one $for:ty, $stream:ty as $via:path; [$($parameters:tt)*]) => {
        #[cfg(feature = "futures-io")]
        impl<$($parameters)*> ::futures_io::AsyncRead for $for {
            #[track_caller]
            fn poll_read(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                buffer: &mut [u8],
            ) -> ::std::task::Poll<::std::io::Result<usize>> {
                let stream: &$stream = &self;
                <$stream as $via>::poll_read(stream, cx, buffer)
            }
        }

        #[cfg(feature = "tokio-io")]
        impl<$($parameters)*> ::tokio::io::AsyncRead for $for {
            #[track_caller]
            fn poll_read(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                buffer: &mut ::tokio::io::ReadBuf<'_>,
            ) -> ::std::task::Poll<::std::io::Result<()>> {
                let stream: &$stream = &self;
                $crate::io::async_traits::append(buffer, |memory| {
                    <$stream as $via>::poll_read_uninit(stream, cx, memory)
                })
            }
        }
    };
}
pub(crate) use async_read;

/// Implements `AsyncWrite` of futures-io and of tokio.
macro_rules! async_write {
    ($stream:ty as $via:path $(where $($parameter:tt)+)?) => {
        $crate::io::async_traits::async_write!(@one $stream, $stream as $via; [$($($parameter)+)?]);
        $crate::io::async_traits::async_write!(
            @one &$stream, $stream as $via; [$($($parameter)+)?]
        );
    };
    (@one $for:ty, $stream:ty as $via:path; [$($parameters:tt)*]) => {
        #[cfg(feature = "futures-io")]
        impl<$($parameters)*> ::futures_io::AsyncWrite for $for {
            $crate::io::async_traits::async_write!(@both $stream as $via);

            /// Signals the end of the stream to the other side, and closes nothing on this side.
            #[track_caller]
            fn poll_close(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
            ) -> ::std::task::Poll<::std::io::Result<()>> {
                let stream: &$stream = &self;
                <$stream as $via>::poll_shutdown(stream, cx)
            }
        }

        #[cfg(feature = "tokio-io")]
        impl<$($parameters)*> ::tokio::io::AsyncWrite for $for {
            $crate::io::async_traits::async_write!(@both $stream as $via);

            #[track_caller]
            fn poll_shutdown(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
            ) -> ::std::task::Poll<::std::io::Result<()>> {
                let stream: &$stream = &self;
                <$stream as $via>::poll_shutdown(stream, cx)
            }

            fn is_write_vectored(&self) -> bool {
                let stream: &$stream = self;
                <$stream as $via>::writes_vectored(stream)
            }
        }
    };
    (@both $stream:ty as $via:path) => {
        #[track_caller]
        fn poll_write(
            self: ::std::pin::Pin<&mut Self>,
            cx: &mut ::std::task::Context<'_>,
            data: &[u8],
        ) -> ::std::task::Poll<::std::io::Result<usize>> {
            let stream: &$stream = &self;
            <$stream as $via>::poll_write(stream, cx, data)
        }

        #[track_caller]
        fn poll_write_vectored(
            self: ::std::pin::Pin<&mut Self>,
            cx: &mut ::std::task::Context<'_>,
            data: &[::std::io::IoSlice<'_>],
        ) -> ::std::task::Poll<::std::io::Result<usize>> {
            let stream: &$stream = &self;
            <$stream as $via>::poll_write_vectored(stream, cx, data)
        }

        #[track_caller]
        fn poll_flush(
            self: ::std::pin::Pin<&mut Self>,
            cx: &mut ::std::task::Context<'_>,
        ) -> ::std::task::Poll<::std::io::Result<()>> {
            let stream: &$stream = &self;
            <$stream as $via>::poll_flush(stream, cx)
        }
    };
}
pub(crate) use async_write;
