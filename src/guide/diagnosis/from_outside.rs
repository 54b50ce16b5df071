//! What does it do now? A process, seen by other programs.
//!
//! # The socket
//!
//! A service that hangs prints nothing. [`RuntimeBuilder::inspect`](crate::RuntimeBuilder::inspect)
//! opens a Unix socket on which other programs of the same user can ask:
//!
//! ```no_run
//! @PROGRAM@
//! ```
//!
//! The requests get no answer. Any program that connects to a Unix socket shows why:
//!
//! ```text
//! @PS@
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
//! The program `tests/crates/examples/inspect/` of the repository
//! connects to the socket and refreshes a view: fibers as a tree or by their longest wait, filtered
//! by any text. `--html FILE` writes a page instead, for a report.
//!
//! ```text
//! @VIEW@
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
//! @GDB@
//! ```
//!
//! `fibers bt` shows the stacks of all fibers; `fibers bt 3` that of fiber #3 of each scheduler,
//! `fibers bt 2:3` that of one scheduler, and `fibers bt full` also the functions of fibra. Stacks of suspended fibers are shown on x86-64 only;
//! elsewhere the command lists the fibers, and shows the stacks of those that run. The table is
//! there on Linux, Android and FreeBSD.
//!
//! # Core files
//!
//! The kernel's own core file, of an abort or a fault, is complete. `gcore`, which saves the core
//! of a process that goes on, leaves out each mapping that has guard markers (Linux 6.13 and later),
//! and with it the stacks of fibers: `fibers` then lists the fibers, and shows no stacks. Start the
//! program with `FIBRA_STACK_GUARDS=mprotect` if its cores are to be saved by `gcore`: see
//! [`environment`](crate::guide::environment). Or attach gdb to the process, and use `fibers bt`
//! there.
