//! The setting of a [`Runtime`](crate::Runtime) that shows its fibers to other programs.

use std::fmt;
use std::io;
#[cfg(all(feature = "diagnostics", feature = "net"))]
use std::path::PathBuf;

#[cfg(all(feature = "diagnostics", feature = "net"))]
use crate::inspect::Inspector;
use crate::jobs::threads::Crew;
#[cfg(all(feature = "diagnostics", feature = "net"))]
use crate::runtime::RuntimeBuilder;

/// The path of the socket of a runtime. There is none in a build without sockets.
#[derive(Clone, Debug)]
pub(super) struct SocketPath {
    #[cfg(all(feature = "diagnostics", feature = "net"))]
    path: PathBuf,
    #[cfg(not(all(feature = "diagnostics", feature = "net")))]
    none: std::convert::Infallible,
}

#[cfg(all(feature = "diagnostics", feature = "net"))]
impl SocketPath {
    /// Opens the socket for the runtime of `crew`. It is closed when the result is dropped.
    pub(super) fn open(&self, crew: &Crew) -> io::Result<Box<dyn fmt::Debug>> {
        Ok(Box::new(Inspector::start(&self.path, crew.shared().clone())?))
    }
}

#[cfg(not(all(feature = "diagnostics", feature = "net")))]
impl SocketPath {
    pub(super) fn open(&self, _: &Crew) -> io::Result<Box<dyn fmt::Debug>> {
        match self.none {}
    }
}

#[cfg(all(feature = "diagnostics", feature = "net"))]
impl RuntimeBuilder {
    /// Opens a Unix socket at `path`, on which other programs of the same user ask what the fibers
    /// of the runtime do: `nc -U PATH` or `socat - UNIX:PATH` is enough.
    ///
    /// A client sends one command per line: `ps`, `tree`, `stacks`, `stats`, `json`, `watch
    /// [seconds]` or `help`; see [the guide](crate::guide::diagnosis::from_outside). Each answer
    /// ends with an empty line. A thread of its own answers, so an answer also comes while a fiber
    /// holds its scheduler: a scheduler that does not answer within 200 ms is shown as busy.
    /// Nothing is done, and the thread sleeps, as long as no client asks. There can be 16 clients;
    /// one that takes nothing of an answer for ten seconds, or sends no command for ten minutes, is
    /// disconnected.
    ///
    /// Only the user of the process, and root, can connect: the mode of the socket is 0600, and on
    /// Linux the user of the other end is checked, too. [`build`](RuntimeBuilder::build) binds the
    /// socket, and replaces one whose process is gone. It is removed when all fibers of the runtime
    /// have ended. The texts contain the names of fibers and source files, and the addresses of
    /// peers.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{BufRead, BufReader, Write};
    /// use std::os::unix::net::UnixStream;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let path = std::env::temp_dir().join(format!("fibra-{}", std::process::id()));
    /// let runtime = fibra::Runtime::builder().inspect(&path).build()?;
    /// runtime.run(|| {
    ///     let ask = move || {
    ///         let mut stream = UnixStream::connect(path)?;
    ///         stream.write_all(b"ps\n")?;
    ///         BufReader::new(stream).lines().take(2).collect::<std::io::Result<Vec<String>>>()
    ///     };
    ///     let lines = fibra::blocking(ask)?;
    ///     assert!(lines[0].starts_with("scheduler 0 "), "{lines:?}");
    ///     assert!(lines[1].starts_with("  fiber 'main' (#1) is "), "{lines:?}");
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn inspect(mut self, path: impl Into<PathBuf>) -> RuntimeBuilder {
        self.inspect = Some(SocketPath { path: path.into() });
        self
    }
}
