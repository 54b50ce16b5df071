//! The connection to the server: calls of any number of fibers share it, and it is made again when
//! it breaks, with growing waits.
//!
//! A call whose answer was lost is made again, so all calls can be repeated: the scripts see from
//! the records whether they have run.

use std::cell::Cell;
use std::fmt;
use std::time::Duration;

use fibra::future::block_on;
use fibra::pool::{Backoff, Retry, RetryError};
use fibra::sync::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, RedisError, RedisResult, Script};

/// The time within which the server must answer a call that does not wait.
const ANSWER: Duration = Duration::from_secs(5);

/// A connection to Redis that is made again when it breaks. It belongs to one thread.
#[derive(Debug)]
pub struct Link {
    client: Client,
    patience: Duration,
    /// The connection of the calls that are answered immediately.
    calls: Slot,
    /// The connection of the call that waits in the server: others would wait behind it.
    waits: Slot,
}

/// The place of a connection.
#[derive(Default)]
struct Slot {
    connection: Mutex<Option<MultiplexedConnection>>,
    /// The number of connections so far. A call drops only the connection that it has used.
    number: Cell<u64>,
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("number", &self.number).finish_non_exhaustive()
    }
}

/// A call to the server failed.
#[derive(Debug)]
pub enum Error {
    /// The server could not be reached for too long.
    Unreachable {
        /// The address, without the password.
        address: String,
        /// The number of attempts.
        attempts: usize,
        /// The last failure.
        cause: RedisError,
    },
    /// The server refuses: a wrong password, no memory, a version that is too old.
    Refused(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Unreachable { address, attempts, cause } => {
                write!(f, "cannot reach Redis at {address} ({attempts} attempts): {cause}")
            }
            Error::Refused(reason) => write!(f, "Redis refuses: {reason}"),
        }
    }
}

impl std::error::Error for Error {}

impl Link {
    /// Creates a link to a URL like `redis://:password@127.0.0.1:6379/0`. It connects in the first
    /// call. A call waits up to `patience` for a server that cannot be reached.
    ///
    /// # Errors
    ///
    /// Returns an error if the URL is not one of Redis.
    pub fn new(url: &str, patience: Duration) -> Result<Link, Error> {
        let client = Client::open(url).map_err(|error| Error::Refused(error.to_string()))?;
        Ok(Link { client, patience, calls: Slot::default(), waits: Slot::default() })
    }

    /// Runs a script with the time as its first argument.
    pub(super) fn script<T: FromRedisValue>(
        &self,
        script: &Script,
        keys: &[String],
        args: &[Vec<u8>],
    ) -> Result<T, Error> {
        let now = super::text::now();
        self.call(&self.calls, async |connection| {
            let mut call = script.prepare_invoke();
            call.arg(&now);
            for key in keys {
                call.key(key);
            }
            for arg in args {
                call.arg(&arg[..]);
            }
            call.invoke_async(connection).await
        })
    }

    /// Runs a command that has the same effect if it is repeated.
    pub(super) fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Error> {
        self.call(&self.calls, async |connection| command.query_async(connection).await)
    }

    /// Runs a command that waits in the server, for less than the time of an answer. One fiber
    /// may call this at a time.
    pub(super) fn wait<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Error> {
        self.call(&self.waits, async |connection| command.query_async(connection).await)
    }

    /// Returns the number of connections so far. When it changes, answers may have been lost.
    pub(super) fn connections(&self) -> u64 {
        self.calls.number.get()
    }

    /// Checks that the server can be reached and has the commands.
    pub fn check(&self) -> Result<(), Error> {
        let info: redis::InfoDict = self.query(redis::cmd("INFO").arg("server"))?;
        let version: String = info.get("redis_version").unwrap_or_default();
        let mut numbers = version.split('.').map_while(|number| number.parse().ok());
        let major_and_minor: (u32, u32) =
            (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if major_and_minor < (6, 2) {
            return Err(Error::Refused(format!("version 6.2 is needed, this is {version}")));
        }
        Ok(())
    }

    fn call<T>(
        &self,
        slot: &Slot,
        mut f: impl AsyncFnMut(&mut MultiplexedConnection) -> RedisResult<T>,
    ) -> Result<T, Error> {
        let attempt = |_| {
            let (mut connection, number) = self.connection(slot)?;
            block_on(f(&mut connection)).inspect_err(|error| {
                let mut current = slot.connection.lock();
                if is_lost(error) && slot.number.get() == number {
                    *current = None;
                }
            })
        };
        let tell = |attempt, error: &RedisError, wait: Duration| {
            if attempt > 1 {
                eprintln!("redis: {error}; the next attempt is in {wait:.1?}");
            }
        };
        Retry::attempts(u32::MAX)
            .within(self.patience)
            .wait(Backoff::exponential(Duration::from_millis(20), 2.0, Duration::from_secs(2)))
            .on(is_lost)
            .before_sleep(tell)
            .run(attempt)
            .map_err(|error| self.failed(error))
    }

    /// Returns the connection, which the first of the fibers makes, and its number.
    fn connection(&self, slot: &Slot) -> RedisResult<(MultiplexedConnection, u64)> {
        let mut current = slot.connection.lock();
        if current.is_none() {
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(ANSWER))
                .set_response_timeout(Some(ANSWER));
            let made = self.client.get_multiplexed_async_connection_with_config(&config);
            *current = Some(block_on(made)?);
            slot.number.set(slot.number.get() + 1);
        }
        Ok((current.clone().expect("it was made"), slot.number.get()))
    }

    fn failed(&self, mut error: RetryError<RedisError>) -> Error {
        let attempts = error.errors.len();
        let cause = error.errors.pop().expect("there is at least one");
        if is_lost(&cause) {
            let address = self.client.get_connection_info().addr().to_string();
            Error::Unreachable { address, attempts, cause }
        } else {
            Error::Refused(cause.to_string())
        }
    }
}

/// Returns whether the same call may succeed later, on another connection.
fn is_lost(error: &RedisError) -> bool {
    let loading = redis::ErrorKind::Server(redis::ServerErrorKind::BusyLoading);
    error.is_io_error()
        || error.is_connection_dropped()
        || error.is_timeout()
        || error.kind() == loading
}
