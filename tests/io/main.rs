//! Input and output: descriptors, sockets, files, the standard input, and how each wait for them ends.

#![cfg(feature = "net")]

#[path = "../net_support/mod.rs"]
mod net_support;
#[path = "../support/mod.rs"]
mod support;

/// The name of a test of this suite, as a child process wants it.
macro_rules! path_of {
    ($test:ident) => {{
        let _: fn() = $test;
        concat!(module_path!(), "::", stringify!($test)).split_once("::").unwrap().1
    }};
}

mod blocking_handles;
mod forks;
mod jobs;
mod locations;
mod long_input;
#[cfg(all(feature = "hyper", feature = "tls"))]
mod time_limits;
mod wakers;
mod writes;
