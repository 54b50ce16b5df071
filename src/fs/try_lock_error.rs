//! The error of an attempt to lock a file without waiting.

use std::error::Error;
use std::fmt;
use std::io;

/// An error from [`File::try_lock`](crate::fs::File::try_lock) and
/// [`File::try_lock_shared`](crate::fs::File::try_lock_shared).
///
/// It has the variants of [`std::fs::TryLockError`], which compilers before 1.89 do not have, and
/// like that one it converts into an [`io::Error`].
///
/// # Examples
///
/// ```
/// use fibra::fs::TryLockError;
/// use std::io;
///
/// let error = io::Error::from(TryLockError::WouldBlock);
/// assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
/// ```
#[derive(Debug)]
pub enum TryLockError {
    /// The operating system could not lock the file, for another reason than that it is locked.
    Error(io::Error),
    /// The file is locked through another handle, or by another process.
    WouldBlock,
}

impl fmt::Display for TryLockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TryLockError::Error(error) => write!(f, "the file could not be locked: {error}"),
            TryLockError::WouldBlock => f.write_str("the file is locked already"),
        }
    }
}

impl Error for TryLockError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            TryLockError::Error(error) => Some(error),
            TryLockError::WouldBlock => None,
        }
    }
}

impl From<TryLockError> for io::Error {
    fn from(error: TryLockError) -> io::Error {
        match error {
            TryLockError::Error(error) => error,
            TryLockError::WouldBlock => io::ErrorKind::WouldBlock.into(),
        }
    }
}
