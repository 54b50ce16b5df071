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
//! A parked fiber takes one page of stack if its frames fit there, and about 0.8 KiB for its
//! record.
//!
//! | | memory of a waiting task |
//! |---|---|
//! | a fiber with shallow frames | about 5 KiB on pages of 4 KiB |
//! | a fiber that once called deeply | the pages that it has touched |
//! | a future | its state, often 0.2 to 0.5 KiB |
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
//! many fibers, or where a program is told that memory runs short. A container's limit
//! of memory is not visible as a refusal: the system kills a process that exceeds it. There a limit
//! on the number of fibers is what helps, for example a [`pool`](crate::pool), or
//! `max_idle_stack_bytes` if their stacks are used deeply.
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
//! Each guard is a change of protection in a mapping, unless the kernel (Linux 6.13 or newer) has
//! guard markers. Without them, about 32,000 stacks fit in the default `vm.max_map_count` of 65,530
//! mappings. The error of a spawn names that limit when it is reached. `RLIMIT_AS` and strict
//! overcommit (`vm.overcommit_memory = 2`) count addresses: choose smaller stacks there.
