//! The environment: variables, features of the crate, settings of a build.
//!
//! # Environment variables
//!
//! The library reads two variables:
//!
//! | variable | value | effect |
//! |---|---|---|
//! | `FIBRA_STACK_GUARDS` | `mprotect` | guards stacks by `mprotect`, even if the kernel has guard markers. It is read once, when the first stacks are mapped |
//! | | any other, or unset | guard markers where the kernel has them (Linux 6.13), `mprotect` elsewhere |
//! | `FIBRA_HOG_LIMIT` | a number of milliseconds | reports fibers that hold their thread for longer, if the builder of their runtime sets no limit; see `guide::diagnosis::hog`. It is read once, when the first runtime is built |
//! | | `off`, or 0 | no report |
//! | | any other, or unset | 100 ms with debug assertions, otherwise no report |
//!
//! Set `FIBRA_STACK_GUARDS` to see how a program behaves on an older kernel, or if a tool cannot
//! read mappings with guard markers: `gcore` leaves such mappings out of its core files. The kernel
//! does not: the core file of an abort is complete. See the
//! section "Core files" of the page `guide::diagnosis::from_outside`.
//!
//! `RUST_BACKTRACE` has its usual meaning for panics in fibers. Host names are looked up by the
//! system's resolver, with its own configuration. Child processes inherit the environment, as with
//! std.
//!
//! # Features
//!
//! | feature | by default | adds | dependencies |
//! |---|---|---|---|
//! | none | | fibers, channels, locks, time, generators, files, `blocking`, futures, `stackless` | corosensei, crossbeam-channel, libc |
//! | `net` | yes | sockets, descriptors, servers, processes, signals, `main` | rustix, signal-hook-registry; `polling` where there is no epoll |
//! | `tls` | no | TLS over any stream | rustls, without cryptography: depend on `rustls` with the provider of your choice |
//! | `http` | no | HTTP/1 servers, and connections of clients | hyper, httpdate |
//! | `http-client` | no | `http::get` and `http::Client`, for URLs | url, base64 |
//! | `https` | no | TLS for `http::Client` | ring, rustls-native-certs |
//! | `http2` | no | HTTP/2 beside HTTP/1 | hyper with h2, and through it tokio-util |
//! | `json` | no | JSON for `http::Client` | serde, serde_json |
//! | `gzip` | no | compressed responses for `http::Client` | flate2, with its backend in Rust |
//! | `ureq` | no | agents of ureq on fibers | ureq `~3.5`, without its features |
//! | `greenlet` | no | call stacks that switch to each other by name | |
//! | `stream` | no | `Stream` and `Sink` for [`sync::mpmc`](crate::sync::mpmc), and streams as iterators | futures-core and futures-sink, which contain these traits |
//! | `tokio` | no | a runtime of tokio for the fibers, fibers as a future of tokio, and futures that are polled without tokio's budget | tokio, with its runtime |
//! | `tokio-io` | no | `AsyncRead` and `AsyncWrite` of tokio for all streams, with `net` | tokio, without its features: the traits only |
//! | `futures-io` | no | `AsyncRead` and `AsyncWrite` of futures-io for all streams, with `net` | futures-io |
//!
//! Features only add. See [`stability`](crate::stability) for what that means for your own
//! versions.
//!
//! # Settings of a build
//!
//! | setting | effect |
//! |---|---|
//! | `opt-level = 0` (a debug build) | larger frames: the default stack of a fiber is 1 MiB in place of 256 KiB |
//! | `lto = "off"` with 16 codegen units | a switch costs about four times as much; with `"thin"` or `"fat"` it does not, with the default (no `lto` line) it depends on the program: see below |
//! | `panic = "abort"` | nothing can be unwound: a killed wait that returns a `Result` fails, others continue; see [`cancellation`](crate::cancellation#without-unwinding) |
//! | `--cfg fibra_polling` in `RUSTFLAGS` | readiness through the `polling` crate on Linux, too; for tests of that code |
//! | a sanitizer | stacks that were given back are closed to every access for a while; the default stack is 1 MiB |
//!
//! `benches/profiles/run.sh` builds a small program with each of these profiles, and prints what an
//! operation takes with each. With the default profile the switch may be a call or be inlined: that
//! depends on the program. So set `lto = "thin"`, `lto = "fat"` or `codegen-units = 1`.
//!
//! # Limits of the system
//!
//! `RLIMIT_NOFILE` bounds sockets; a `server::Server` pauses when it is reached.
//! `vm.max_map_count` bounds stacks on kernels before Linux 6.13: see
//! [`stack_sizes_and_memory`](super::stack_sizes_and_memory#limits-of-the-system).
