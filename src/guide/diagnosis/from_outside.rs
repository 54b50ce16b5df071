//! What does it do now? A process, seen by other programs.
//!
//! # The socket
//!
//! A service that hangs prints nothing. [`RuntimeBuilder::inspect`] opens a Unix socket on which
//! other programs of the same user can ask:
//!
//! ```no_run
//! use std::io;
//! use std::rc::Rc;
//!
//! use fibra::channel::{self, Receiver};
//! use fibra::net::TcpListener;
//! use fibra::sync::Mutex;
//! use fibra::{Builder, Runtime};
//!
//! fn main() -> io::Result<()> {
//!     let runtime = Runtime::builder().inspect("/tmp/service.sock").build()?;
//!     runtime.run(|| {
//!         let listener = TcpListener::bind("127.0.0.1:8090")?;
//!         let cache = Rc::new(Mutex::new(Vec::new()));
//!         let (_answers, database) = channel::unbounded();
//!         Builder::new().name("refresh").spawn({
//!             let cache = cache.clone();
//!             move || refresh(&cache, &database)
//!         });
//!         loop {
//!             let (_connection, peer) = listener.accept()?;
//!             let cache = cache.clone();
//!             let handler = Builder::new().name(format!("request of {peer}"));
//!             handler.spawn(move || cache.lock().len());
//!         }
//!     })
//! }
//!
//! fn refresh(cache: &Mutex<Vec<u32>>, database: &Receiver<u32>) {
//!     let mut cache = cache.lock(); // held until there is an answer
//!     cache.extend(database.recv());
//! }
//! ```
//!
//! The requests get no answer. Any program that connects to a Unix socket shows why (long lines are
//! broken here):
//!
//! ```text
//! $ echo ps | nc -NU /tmp/service.sock
//! scheduler 0 sleeps:
//!   fiber 'main' (#1) is accepting a TCP connection (descriptor 6, bound to 127.0.0.1:8090)
//!     at src/main.rs:20:48 for 4.207s
//!   fiber 'refresh' (#2) is receiving on an empty channel (made at src/main.rs:14:36)
//!     at src/main.rs:30:27 for 6.197s, spawned at src/main.rs:15:40 by #1
//!   fiber 'request of 127.0.0.1:37342' (#3) is locking a mutex held by fiber 'refresh' (#2)
//!     at src/main.rs:23:41 for 4.207s, spawned at src/main.rs:23:21 by #1
//!   fiber 'request of 127.0.0.1:37348' (#4) is locking a mutex held by fiber 'refresh' (#2)
//!     at src/main.rs:23:41 for 4.207s, spawned at src/main.rs:23:21 by #1
//!   fiber 'request of 127.0.0.1:37350' (#5) is locking a mutex held by fiber 'refresh' (#2)
//!     at src/main.rs:23:41 for 4.207s, spawned at src/main.rs:23:21 by #1
//! ```
//!
//! Each handler waits for a lock, which `refresh` holds while it waits for an answer that does not
//! come. The commands:
//!
//! | command | answer |
//! |---|---|
//! | `ps` | a line per fiber: what it waits for, where, for how long, and where it was spawned |
//! | `tree` | each fiber below the one that spawned it; siblings that are alike share a line |
//! | `stacks` | the fibers with their stacks, equal ones together |
//! | `stats` | the counters of each scheduler: fibers, switches, timers, stacks |
//! | `json` | everything, in one line: see [`RuntimeDump::to_json`](crate::RuntimeDump::to_json) |
//! | `watch [seconds]` | `ps` again and again, until the next line |
//! | `help` | this list |
//!
//! An answer ends with an empty line. A thread of its own gives it, so it also comes while a fiber
//! computes or blocks its thread: that scheduler is then shown as busy, and the others with their
//! fibers. Only the user of the process, and root, can connect.
//!
//! # A terminal view
//!
//! The program `tests/crates/examples/inspect/` of the repository connects to the socket and
//! refreshes a view: fibers as a tree or by their longest wait, filtered by any text. `--html FILE`
//! writes a page instead, for a report. (The view is cut here at the right, where it shows the
//! place of each spawn.)
//!
//! ```text
//! 5 fibers: 5 waiting
//! scheduler 0 asleep: 5 spawned, 6 switches, 0 runnable, 0 timers, 2 idle stacks
//! order: Tree, filter:   (s: order, /: filter, space: stop, q: quit)
//! fiber                    state    waits   stack    for what, and where
//! 1:1 main                 waiting  4.3s    4185 B   accepting a TCP connection at main.rs:20:48
//!   1:2 refresh            waiting  6.3s    889 B    receiving on an empty channel at main.rs:30
//!   1:3 request of 127.0.0 waiting  4.3s    1289 B   locking a mutex held by fiber 'refresh' (#2
//!   1:4 request of 127.0.0 waiting  4.3s    1289 B   locking a mutex held by fiber 'refresh' (#2
//!   1:5 request of 127.0.0 waiting  4.3s    1289 B   locking a mutex held by fiber 'refresh' (#2
//! ```
//!
//! # gdb
//!
//! The script `examples/gdb/fibers.py` of this crate adds the command `fibers` to gdb. It needs no
//! socket and no preparation of the program, works in a process that hangs and in the core file of
//! one that is gone, and needs no debug information of this crate: the program contains a table of
//! the offsets that the script reads. Names of functions need the symbols of the program.
//!
//! ```text
//! $ gdb -p $(pidof service) -ex "source fibers.py"
//! (gdb) fibers bt 2
//! scheduler 1 on thread 1 (LWP 7313), 6 switches, 5 fibers:
//!   fiber 'refresh' (#2) is receiving on an empty channel at src/main.rs:30:27 for 7.9s,
//!     spawned at src/main.rs:15:40 by #1
//!     #1  service::refresh
//!     #2  service::main::{{closure}}::{{closure}}
//! ```
//!
//! `fibers bt` shows the stacks of all fibers; `fibers bt 3` that of fiber #3 of each scheduler,
//! `fibers bt 2:3` that of one scheduler, and `fibers bt full` also the functions of fibra. Stacks
//! of suspended fibers are shown on x86-64 only; elsewhere the command lists the fibers, and shows
//! the stacks of those that run. The table is there on Linux, Android and FreeBSD.
//!
//! # Core files
//!
//! The kernel's own core file, of an abort or a fault, is complete. `gcore`, which saves the core
//! of a process that goes on, leaves out each mapping that has guard markers (Linux 6.13 and
//! later), and with it the stacks of fibers: `fibers` then lists the fibers, and shows no stacks.
//! `fibers gcore FILE` saves the same file, and adds the stacks:
//!
//! ```text
//! $ gdb -batch -p $(pidof service) -ex "source fibers.py" -ex "fibers gcore service.core"
//! ```
//!
//! For `gcore` itself, start the program with `FIBRA_STACK_GUARDS=mprotect`: see
//! [`environment`](crate::guide::environment).
//!
#![cfg_attr(
    all(feature = "diagnostics", feature = "net"),
    doc = "[`RuntimeBuilder::inspect`]: crate::RuntimeBuilder::inspect"
)]
#![cfg_attr(
    not(all(feature = "diagnostics", feature = "net")),
    doc = "[`RuntimeBuilder::inspect`]: crate#features"
)]
