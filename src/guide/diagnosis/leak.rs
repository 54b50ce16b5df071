//! Why does it grow? A leak of fibers.
//!
//! [`stats`](crate::stats()) counts fibers. If their number only grows, fibers are spawned that
//! never end. Which ones, two dumps show: [`Dump::difference`](crate::Dump::difference) counts the
//! fibers by the line that spawned them and the line where they wait. The example
//! [`find_a_leak`](https://docs.rs/crate/fibra/latest/source/examples/find_a_leak.rs) is a server
//! whose failed requests leave a fiber behind:
//!
//! ```text
//! from 502 to 20502 fibers:
//! +20000 (500 before, 20500 after): receiving on an empty channel at
//!   examples/find_a_leak.rs:62:23, spawned at examples/find_a_leak.rs:61:5
//! all fibers:
//!   fiber 'main' (#1) runs, last waited at examples/find_a_leak.rs:41:9
//!     fiber 'server' (#2) can run, last waited at examples/find_a_leak.rs:55:9, spawned at
//!       examples/find_a_leak.rs:38:59
//!   20500 fibers (#4 to #82000) are receiving on an empty channel (made at
//!     examples/find_a_leak.rs:60:25) at examples/find_a_leak.rs:62:23, the longest for 41s,
//!     spawned at examples/find_a_leak.rs:61:5 by 20500 fibers
//! ```
//!
//! The first line is the leak: 20,000 more fibers that were spawned by the same line and wait in
//! the same line. The dump below is a tree. Each fiber is indented below the one that spawned it,
//! and siblings that are alike share a line with their count, the first and the last of them, and
//! the longest of their waits: so a leak of any size is a few lines. A fiber whose parent has ended
//! stands at the left. The channel is named by the line that made it: it is the other end of that
//! one that no one closes.
//!
//! In a program with several schedulers, [`Handle::dump`](crate::Handle::dump) has all of them, and
//! [`RuntimeDump::difference`](crate::RuntimeDump::difference) compares two. [`Dump::to_json`
//! ](crate::Dump::to_json) is for tools. Before a dump leaves the machine,
//! [`Dump::redacted`](crate::Dump::redacted) removes the names of fibers and the addresses of
//! peers.
//!
//! The line of a wait is the caller's, also through the traits of std: `stream.read(..)` on a
//! `TcpStream` or a loop over a channel. Code of std between the two hides it: in
//! `BufReader::read_line` the place is one of std's (`library/std/src/io/...`), because std does
//! not pass its caller on. Then the place of the spawn is the innermost line that is known to be
//! the program's.
