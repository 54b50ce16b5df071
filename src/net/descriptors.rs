//! Macros for what all socket types do with their descriptor.

/// Implements the traits of `std::os::fd` for types with a `Waitable` in the field `io`, and
/// conversions from and to the socket type of std.
macro_rules! descriptors {
    ($socket:ty, $of_std:ty) => {
        impl ::std::os::fd::AsFd for $socket {
            fn as_fd(&self) -> ::std::os::fd::BorrowedFd<'_> {
                ::std::os::fd::AsFd::as_fd(&self.io)
            }
        }

        impl ::std::os::fd::AsRawFd for $socket {
            fn as_raw_fd(&self) -> ::std::os::fd::RawFd {
                ::std::os::fd::AsRawFd::as_raw_fd(&::std::os::fd::AsFd::as_fd(&self.io))
            }
        }

        impl $socket {
            /// Returns a future that is ready when a read, or an accept, would not block: see
            /// [`Readiness`](crate::io::Readiness).
            pub fn readable(&self) -> $crate::io::Readiness<'_> {
                self.io.readable()
            }

            /// Returns a future that is ready when a write would not block: see
            /// [`Readiness`](crate::io::Readiness).
            pub fn writable(&self) -> $crate::io::Readiness<'_> {
                self.io.writable()
            }
        }

        impl ::std::os::fd::IntoRawFd for $socket {
            /// The descriptor stays non-blocking.
            fn into_raw_fd(self) -> ::std::os::fd::RawFd {
                ::std::os::fd::IntoRawFd::into_raw_fd(::std::os::fd::OwnedFd::from(self))
            }
        }

        impl From<$socket> for ::std::os::fd::OwnedFd {
            /// The descriptor stays non-blocking.
            fn from(socket: $socket) -> ::std::os::fd::OwnedFd {
                socket.io.into_inner().into()
            }
        }

        impl TryFrom<$of_std> for $socket {
            type Error = ::std::io::Error;

            /// Like `from_std`.
            fn try_from(socket: $of_std) -> ::std::io::Result<$socket> {
                <$socket>::from_std(socket)
            }
        }

        impl TryFrom<$socket> for $of_std {
            type Error = ::std::io::Error;

            /// Like `into_std`.
            fn try_from(socket: $socket) -> ::std::io::Result<$of_std> {
                socket.into_std()
            }
        }
    };
}
pub(super) use descriptors;

/// Implements methods that do not wait by calling the socket of std in the field `io`.
macro_rules! pass_on {
    ($socket:ty: $(
        $(#[$doc:meta])*
        fn $name:ident(&self $(, $argument:ident: $type:ty)*) -> $result:ty;
    )*) => {
        impl $socket {$(
            $(#[$doc])*
            pub fn $name(&self $(, $argument: $type)*) -> ::std::io::Result<$result> {
                self.io.get_ref().$name($($argument),*)
            }
        )*}
    };
}
pub(super) use pass_on;
