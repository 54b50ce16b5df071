//! A fiber holds its thread: which one, where, and what to do.
//!
//! Fibers are not preempted. While one computes, or calls a function that blocks the thread, no
//! other fiber of the scheduler runs: timers are late, and requests wait. A build with debug
//! assertions reports a fiber that holds its thread for more than 100 ms.
//!
//! # The report
//!
//! The example `find_a_hog` has two faults: a fiber that sleeps with `std::thread::sleep`, and one
//! that computes. It writes this to standard error:
//!
//! ```text
//! fibra: hog: fiber 'sensor' (#2) has held its thread for 100 ms without a wait or a yield
//!   it was spawned at examples/find_a_hog.rs:28:59
//!   now it runs:
//!     __GI___clock_nanosleep at ./time/../sysdeps/unix/sysv/linux/clock_nanosleep.c:48
//!     std::thread::functions::sleep
//!     find_a_hog::poll_the_sensor
//!     (13 frames of fibra and the runtime)
//!   `thread::sleep` blocks all fibers of the thread: use `fibra::sleep`, or `fibra::blocking`
//! fibra: hog: fiber 'digits' (#3) has held its thread for 113 ms without a wait or a yield
//!   it was spawned at examples/find_a_hog.rs:29:59
//!   now it runs:
//!     <u64 as core::iter::traits::accum::Sum>::sum::{{closure}}
//!     core::iter::adapters::map::map_fold::{{closure}}
//!     core::iter::traits::iterator::Iterator::fold
//!     <core::iter::adapters::map::Map<I,F> as core::iter::traits::iterator::Iterator>::fold
//!     <u64 as core::iter::traits::accum::Sum>::sum
//!     core::iter::traits::iterator::Iterator::sum
//!     find_a_hog::sum_up_digits
//!     (13 frames of fibra and the runtime)
//! ```
//!
//! The stack is that of the moment at which the limit was over: the innermost function first. With
//! debug information (`debug = "line-tables-only"` in the profile) each function has its line.
//!
//! # What to do
//!
//! | the fiber | remedy |
//! |---|---|
//! | blocks in a call that the report knows: `thread::sleep`, locks and channels of std, parking_lot or crossbeam, `std::fs`, an executor's `block_on` | what the last line of the report names |
//! | blocks in another call | [`blocking`](fn@crate::blocking): it runs on another thread, and the fiber waits |
//! | computes, in a loop of its own | [`yield_now`](crate::yield_now) every so often, or [`checkpoint`](crate::checkpoint) if it must only see kills |
//! | computes for long | [`blocking`](fn@crate::blocking), or a job on another scheduler: [`par`](crate::par) |
//!
//! # When it reports
//!
//! | setting | effect |
//! |---|---|
//! | [`RuntimeBuilder::hog_limit`](crate::RuntimeBuilder::hog_limit) | the limit of a runtime; zero is no limit |
//! | `FIBRA_HOG_LIMIT=50` | the limit in milliseconds of runtimes whose builder sets none, also in a release build; `off` is no limit |
//! | neither | 100 ms with debug assertions, otherwise no limit |
//!
//! Each hold is reported once. A process writes five reports in a row and then one every 12
//! seconds, which has the number of those that were left out. A runtime with a virtual clock is not
//! watched, and nothing is reported while a debugger is attached. A busy machine may keep a thread
//! from running for so long that its fiber is reported.
//!
//! A switch runs the same instructions with and without a limit: another thread reads a counter
//! that exists anyway. It wakes up four times per limit while a scheduler is awake, and not at all
//! while all of them sleep.
//!
#![cfg_attr(
    feature = "net",
    doc = "
# A program that stands still now

[`dump_on_sigquit`](crate::dump_on_sigquit) makes `kill -QUIT` (or Ctrl-\\ in the terminal) write
all fibers of the process. Of a scheduler that is held, it shows the fiber that holds it:

```text
fibra: SIGQUIT: the fibers of all schedulers:
scheduler 1 is held by fiber 'digits' (#3):
  it was spawned at examples/find_a_hog.rs:36:59
  now it runs:
    ...
    core::iter::traits::iterator::Iterator::sum at ...
    find_a_hog::sum_up_digits at examples/find_a_hog.rs:26
    (14 frames of fibra and the runtime)
  (only the scheduler can list its other fibers)
```

Under [`fibra::main`](crate::main()), a build with debug assertions does that by itself. If a
program has not ended two seconds after a Ctrl-C, it writes for which fibers it waits.
"
)]
