//! Macros for streams that can also be used through a shared reference.

use std::io;

/// Implements `read_exact` with the same loop as std. In a closure or function of std there is no
/// caller's location, so that a wait would be reported at some place in std.
macro_rules! read_exactly {
    () => {
        #[track_caller]
        fn read_exact(&mut self, buffer: &mut [u8]) -> ::std::io::Result<()> {
            let mut done = 0;
            while done < buffer.len() {
                match self.read(&mut buffer[done..]) {
                    Ok(0) => return Err($crate::io::by_reference::too_short()),
                    Ok(n) => done += n,
                    Err(error) if error.kind() == ::std::io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        }
    };
}
pub(crate) use read_exactly;

/// Like [`read_exactly`], but implements `write_all` of `Write`.
macro_rules! write_entirely {
    () => {
        #[track_caller]
        fn write_all(&mut self, data: &[u8]) -> ::std::io::Result<()> {
            let mut done = 0;
            while done < data.len() {
                match self.write(&data[done..]) {
                    Ok(0) => return Err($crate::io::by_reference::takes_nothing()),
                    Ok(n) => done += n,
                    Err(error) if error.kind() == ::std::io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        }
    };
}
pub(crate) use write_entirely;

#[cold]
pub(crate) fn too_short() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "failed to fill whole buffer")
}

#[cold]
pub(crate) fn takes_nothing() -> io::Error {
    io::Error::new(io::ErrorKind::WriteZero, "failed to write whole buffer")
}

/// Implements `Read` for a type whose references implement it. Type parameters are listed after
/// `where`.
macro_rules! read_by_reference {
    ($stream:ty $(where $($parameter:tt)+)?) => {
        impl$(<$($parameter)+>)? ::std::io::Read for $stream {
            #[inline(always)]
            #[track_caller]
            fn read(&mut self, buffer: &mut [u8]) -> ::std::io::Result<usize> {
                ::std::io::Read::read(&mut &*self, buffer)
            }

            #[track_caller]
            fn read_vectored(
                &mut self,
                buffers: &mut [::std::io::IoSliceMut<'_>],
            ) -> ::std::io::Result<usize> {
                ::std::io::Read::read_vectored(&mut &*self, buffers)
            }

            #[track_caller]
            fn read_exact(&mut self, buffer: &mut [u8]) -> ::std::io::Result<()> {
                ::std::io::Read::read_exact(&mut &*self, buffer)
            }

            #[track_caller]
            fn read_to_end(&mut self, buffer: &mut Vec<u8>) -> ::std::io::Result<usize> {
                ::std::io::Read::read_to_end(&mut &*self, buffer)
            }

            #[track_caller]
            fn read_to_string(&mut self, buffer: &mut String) -> ::std::io::Result<usize> {
                ::std::io::Read::read_to_string(&mut &*self, buffer)
            }
        }
    };
}
pub(crate) use read_by_reference;

/// Like [`read_by_reference`], for `Write`.
macro_rules! write_by_reference {
    ($stream:ty $(where $($parameter:tt)+)?) => {
        impl$(<$($parameter)+>)? ::std::io::Write for $stream {
            #[inline(always)]
            #[track_caller]
            fn write(&mut self, data: &[u8]) -> ::std::io::Result<usize> {
                ::std::io::Write::write(&mut &*self, data)
            }

            #[track_caller]
            fn write_vectored(
                &mut self,
                data: &[::std::io::IoSlice<'_>],
            ) -> ::std::io::Result<usize> {
                ::std::io::Write::write_vectored(&mut &*self, data)
            }

            #[track_caller]
            fn write_all(&mut self, data: &[u8]) -> ::std::io::Result<()> {
                ::std::io::Write::write_all(&mut &*self, data)
            }

            #[track_caller]
            fn flush(&mut self) -> ::std::io::Result<()> {
                ::std::io::Write::flush(&mut &*self)
            }
        }
    };
}
pub(crate) use write_by_reference;
