//! Stack sizes and memory: how large a stack should be, what an overflow looks like, and what a
//! fiber costs.
//!
//! # Sizes
//!
//! A stack has a fixed size, which is reserved as addresses. The system gives memory only to the
//! pages that are touched, so a generous size costs only addresses.
//!
//! | stack of | default | set by |
//! |---|---|---|
//! | the main fiber | 8 MiB | [`RuntimeBuilder::main_stack_size`](crate::RuntimeBuilder::main_stack_size) |
//! | all other fibers | 256 KiB; with debug assertions 1 MiB | [`RuntimeBuilder::stack_size`](crate::RuntimeBuilder::stack_size) |
//! | one fiber | | [`Builder::stack_size`](crate::Builder::stack_size) |
//! | a generator | | [`GeneratorBuilder`](crate::generator::GeneratorBuilder) |
//! | one call | | [`with_stack_size`](crate::with_stack_size) |
//!
//! Sizes are rounded up to a power of two, from 16 KiB to 1 GiB. The frames of a debug build are
//! several times as large as those of a release build.
//!
//! ```
//! # fn main() -> std::io::Result<()> {
//! let runtime = fibra::Runtime::builder().stack_size(64 << 10).build()?;
//! runtime.run(|| {
//!     // Small stacks for many fibers, and a large one for a call that needs it.
//!     let parsers: Vec<_> = (0..100)
//!         .map(|n| fibra::spawn(move || fibra::with_stack_size(4 << 20, || deep(n))))
//!         .collect();
//!     let sum: u32 = parsers.into_iter().map(|parser| parser.join().unwrap()).sum();
//!     assert_eq!(sum, 4950);
//! });
//! # Ok(())
//! # }
//!
//! fn deep(n: u32) -> u32 {
//!     if n == 0 { 0 } else { std::hint::black_box(deep(n - 1)) + 1 }
//! }
//! ```
//!
//! # How much does my fiber use?
//!
//! [`dump`](crate::dump()) has the bytes that each fiber uses at that moment, and its size:
//!
//! ```
//! fibra::run(|| {
//!     fibra::spawn(fibra::park);
//!     fibra::yield_now();
//!     for fiber in fibra::dump().fibers {
//!         println!("{}: {} of {} bytes", fiber.id, fiber.stack_used, fiber.stack_size);
//!     }
//! });
//! ```
//!
//! # An overflow
//!
//! Below each stack lie 17 pages that may not be touched. A fiber that runs into them ends the
//! process with a report, as an overflow of a thread's stack does:
//!
//! ```text
//! fiber 'parser' (#12) has overflowed its stack of 256 KiB
//! help: give it more with `fibra::Builder::new().stack_size(bytes)`, or recurse less
//! help: see `fibra::guide::stack_sizes_and_memory`
//! fatal runtime error: stack overflow, aborting
//! ```
//!
//! The usual causes, besides a recursion without an end:
//!
//! - A large array as a local variable. Put it into a `Box` or a `Vec`.
//! - A debug build of code that fits in release. Set a larger size for debug builds only, with
//!   `cfg!(debug_assertions)`.
//! - A library that uses much stack: parsers, compression, regular expressions, C code. Call it by
//!   [`with_stack_size`](crate::with_stack_size).
//! - The first [`println!`] or panic in a fiber with the smallest stack, whose formatting needs
//!   several KiB.
//!
//! # What a fiber costs
//!
//! | | memory of a waiting task |
//! |---|---|
//! | a fiber with shallow frames | about 5 KiB on pages of 4 KiB |
//! | a fiber that once called deeply | the pages that it has touched |
//! | a future | its state, often 0.2 to 0.5 KiB |
//!
//! A parked fiber takes three kinds of memory, and addresses. Bytes per fiber, for 100,000 fibers
//! that park in their first call (x86-64 Linux; `cargo bench --bench memory_limits -- costs`):
//!
//! | stack of | resident | page tables | addresses |
//! |---|--:|--:|--:|
//! | 16 KiB | 4,456 | 169 | 113,000 |
//! | 64 KiB | 4,456 | 265 | 177,000 |
//! | 256 KiB | 4,456 | 650 | 435,000 |
//! | 1 MiB | 4,456 | 2,189 | 1,374,000 |
//!
//! - **Resident** are the touched pages of the stack, at least one, and the record of the fiber:
//!   its closure, its result, its state.
//! - **Page tables** are memory of the kernel, which `top` does not show (`VmPTE` in
//!   `/proc/PID/status` does). The stacks of 64 KiB and more lie so far apart that a page of the
//!   tables describes few of them: from 2 MiB on, each has one of its own.
//! - **Addresses** are the stack, its guard of 17 pages, and up to a third more that is mapped for
//!   the next fibers. They are free where nothing counts them: x86-64 has 128 TiB.
//!
//! For a million fibers: `cargo run --release --example million_parked 1000000 256`.
//!
//! # Memory of unused stacks
//!
//! A stack whose fiber has ended is used again, the one that was used last first. A fiber on a warm
//! stack starts several times as fast as on a new one, whose pages the system has to provide. So
//! each scheduler keeps as many unused stacks as its fibers have needed lately:
//!
//! - In periods of half a second it counts the stacks that no fiber needed. At the end of a period,
//!   half of them go back to the system, and the last few together. After a burst of 100,000 fibers
//!   all of their memory is back within eight seconds, in pieces that hold other fibers up for a
//!   fraction of a millisecond.
//! - The memory for the fibers' own records, 192 bytes or more each, follows in the same periods.
//! - A scheduler that sleeps wakes for this, and does not wake any more when nothing is left to do.
//!   A virtual clock does not advance for it.
//! - If the system refuses memory for a stack, all unused stacks of the scheduler are given back,
//!   and it asks again.
//!
//! | | default | set by |
//! |---|---|---|
//! | stacks that are kept however long nothing needs them | 64 of the usual size | [`min_idle_stacks`](crate::RuntimeBuilder::min_idle_stacks) |
//! | the most unused stacks | no limit | [`max_idle_stacks`](crate::RuntimeBuilder::max_idle_stacks) |
//! | the most bytes of unused stacks, at their full size | no limit up to 1 MiB; 256 MiB for each larger size | [`max_idle_stack_bytes`](crate::RuntimeBuilder::max_idle_stack_bytes) |
//!
//! These are numbers for one scheduler: a runtime of four threads may keep four times as much. The
//! pool of a [`frame`](crate::frame), which has no clock, keeps a fixed number of each size: 1,024
//! of the usual ones.
//!
//! [`stats`](crate::stats()) has the number of unused stacks and their bytes.
//! [`trim_stacks`](crate::trim_stacks) gives them back immediately: after the only phase with
//! many fibers, or where a program is told that memory runs short.
//!
//! What a process holds above what it held before, when 100,000 fibers have lived at the same time
//! (`cargo bench --bench memory_limits -- burst`):
//!
//! | when | memory | unused stacks |
//! |---|--:|--:|
//! | all of them live | 487 MiB | 77 |
//! | all have ended | 487 MiB | 100,077 |
//! | 1 s later | 439 MiB | 87,789 |
//! | 2 s later | 125 MiB | 12,509 |
//! | 3 s later | 68 MiB | 3,127 |
//! | 6 s later | 56 MiB | 64 |
//! | the same again, then `trim_stacks` | 34 MiB | 0 |
//!
//! What is left are the records, which the allocator keeps, and page tables of mappings in which a
//! stack is still kept.
//!
//! ```
//! use std::time::Duration;
//!
//! # fn main() -> std::io::Result<()> {
//! fibra::Runtime::builder().virtual_clock().build()?.run(|| {
//!     let burst: Vec<_> = (0..1_000).map(|_| fibra::spawn(fibra::yield_now)).collect();
//!     burst.into_iter().for_each(|fiber| fiber.join().unwrap());
//!     fibra::sleep(Duration::from_millis(100));
//!     assert!(1_000 <= fibra::stats().stacks_idle); // warm for the next burst
//!     fibra::sleep(Duration::from_secs(10));
//!     assert!(fibra::stats().stacks_idle <= 64);
//! });
//! # Ok(())
//! # }
//! ```
//!
//! # Limits of the system
//!
//! **Mappings.** Each guard is a change of protection in a mapping, unless the kernel (Linux 6.13
//! or newer) has guard markers. Without them, about 32,000 stacks fit in the default
//! `vm.max_map_count` of 65,530 mappings. The error of a spawn names that limit when it is reached.
//!
//! **Addresses: `ulimit -v` and `RLIMIT_AS`.** All addresses count, touched or not, and so do the
//! program, the stacks of its threads and the arenas of its allocator. So the size of the stacks
//! decides how many fibers fit (`cargo bench --bench memory_limits -- addresses`):
//!
//! | limit | stacks of 16 KiB | 64 KiB | 256 KiB |
//! |---|--:|--:|--:|
//! | 1 GiB | 11,500 | 7,500 | 3,000 |
//! | 4 GiB | 49,000 | 31,000 | 12,500 |
//! | 16 GiB | 198,000 | 126,000 | 51,500 |
//!
//! A spawn that has no stack fails with an error that names the limit. An allocation that fails
//! ends the process, as in any Rust program.
//!
//! **Overcommit: `vm.overcommit_memory`.** Stacks are mapped with `MAP_NORESERVE` on Linux.
//!
//! - *0*, the default, and *1*: the kernel counts only what is touched. Stacks of any size are
//!   free until then.
//! - *2*: the kernel ignores that flag, and counts all addresses of the stacks against
//!   `CommitLimit`, which `/proc/meminfo` shows beside `Committed_AS`: by default half of the
//!   memory, and the swap. A stack then costs what the column of addresses above states. Choose the
//!   smallest stacks that fit, and [`with_stack_size`](crate::with_stack_size) for the calls that
//!   need more.
//!
//! **Containers.** The limit of a control group counts resident pages and page tables, not
//! addresses. It is not visible as a refusal: the system kills a process that exceeds it. So no
//! spawn fails there, and no unused stack is given back because of it. Divide the limit by the
//! first two columns of the table above for the most fibers that can fit while they are shallow,
//! and leave room for what they allocate. What helps is a limit on the number of fibers, for
//! example a [`pool`](crate::pool), and `max_idle_stack_bytes` if their stacks are used deeply.
