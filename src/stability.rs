//! The changes that a new version may make, and the types of other crates in this crate's API.
//!
//! Versions follow [Semantic Versioning](https://semver.org), as Cargo reads it: while the first
//! number is 0, a change that can break a program raises the second number.
//!
//! # Types of other crates
//!
//! A dependency whose types appear in public signatures is a *public dependency*: a new major
//! version of it (for `0.x` crates, a new minor version) is a breaking change of this crate.
//!
//! | feature | crate | where its types appear |
//! |---|---|---|
//! | none | `std` only | [`io::Error`](std::io::Error), [`Duration`](std::time::Duration), [`Instant`](std::time::Instant), panic payloads, futures, paths |
//! | `net` | `std` only | socket addresses, borrowed and owned descriptors, [`process::Stdio`](std::process::Stdio) |
//! | `greenlet` | `std` only | in no further signatures |
//! | `tokio` | `tokio` 1 | the `Handle` that `RuntimeBuilder::tokio_handle` takes |
//! | `stream` | `futures-core` 0.3 and `futures-sink` 0.3 | the traits `Stream`, `FusedStream` and `Sink` |
//! | `http` | `hyper` 1, and through it `http` 1, `http-body` 1 and `bytes` 1 | requests, responses, bodies, errors, `Http::with_http1` and `with_http2`; the traits that [`Io`], [`FiberExecutor`] and [`FiberTimer`] implement |
//! | `http-client` | `url` 2 | the URLs of requests, responses and errors |
//! | `json` | `serde` 1 | the traits `Serialize` and `DeserializeOwned` |
//! | `ureq` | `ureq` `~3.5` | `Agent` and `Config`; the traits that `ureq::Connector` and [`net::Resolver`] implement, see below |
//! | `tls` | `rustls` 0.23, and through it `rustls-pki-types` 1 | configurations, names of servers, certificates, `TlsStream`'s getters; the source of an `io::Error` |
//!
//! [`net::Resolver`]: https://docs.rs/fibra/latest/fibra/net/struct.Resolver.html
//! [`Io`]: https://docs.rs/fibra/latest/fibra/http/struct.Io.html
//! [`FiberExecutor`]: https://docs.rs/fibra/latest/fibra/http/struct.FiberExecutor.html
//! [`FiberTimer`]: https://docs.rs/fibra/latest/fibra/http/struct.FiberTimer.html
//!
//! Three of these crates are re-exported, as `fibra::http::hyper`, `fibra::http::url` and
//! `fibra::tls::rustls`. A program that names their types by these paths always has the version
//! that this crate was built with.
//!
//! The feature `ureq` implements traits in `ureq::unversioned`, which may change with each minor
//! version of ureq. So it is pinned to one, `~3.5`, and a program that uses the feature needs the
//! same one. To move to a later one is a breaking change of this crate, for users of that feature
//! only.
//!
//! All other dependencies are private: `corosensei`, `crossbeam-channel`, `libc`, `rustix`,
//! `polling`, `signal-hook-registry` and `flate2` appear in no public signature. A new major
//! version of one of them is not a breaking change.
//!
//! Some state is shared with the rest of the program all the same:
//!
//! - `signal-hook-registry` keeps one table of signal handlers per process. Crates that use the
//!   same version of it share the table; crates that call `sigaction` themselves replace its
//!   handler.
//! - With the feature `tls`, the program chooses the cryptography, by the features of its own
//!   dependency on `rustls`. Cargo unites the features of all crates that depend on one version.
//!
//! # Features
//!
//! Features only add to the API. `default` is `net`. A dependency with `default-features = false`
//! gets `net` nevertheless if any other crate of the program asks for it: so do not rely on its
//! absence.
//!
//! # What may grow in a patch
//!
//! - Enums that are `#[non_exhaustive]`, such as [`JoinError`](crate::JoinError) and
//!   [`RecvError`](crate::channel::RecvError), may get variants. The errors of calls that never
//!   wait are exhaustive and do not change, as in std:
//!   [`TrySendError`](crate::channel::TrySendError), [`TryRecvError`](crate::channel::TryRecvError)
//!   and [`TrySpawnError`](crate::pool::TrySpawnError).
//! - Structs that are `#[non_exhaustive]`, such as [`Stats`](crate::Stats) and
//!   [`FiberSnapshot`](crate::FiberSnapshot), may get fields.
//! - Sealed traits may get methods: [`Operation`](crate::select::Operation),
//!   [`Source`](crate::select::Source), [`Sink`](crate::select::Sink), the order of a [work
//!   queue](crate::pool::Order), and `net::ToSocketAddrs`. Users may implement `server::Accept` and
//!   `io::PollIo`; a method without a default is added to these in a breaking release only.
//! - Types may get more traits. A type loses `Send`, `Sync` or `UnwindSafe` in a breaking release
//!   only, and the tests hold a table of these for every public type.
//!
//! # What is not promised
//!
//! - The texts of errors, panics, dumps and reports on standard error. Match on variants, or use
//!   the `is_...` methods.
//! - The order in which fibers run beyond what the pages of the modules state, the number of
//!   switches, and what [`stats`](crate::stats) counts.
//! - Sizes of types, the default sizes of stacks, and how much of a stack a call of this crate
//!   uses.
//! - Items that are `#[doc(hidden)]`: macros of this crate use them.
