//! A million fibers wait, each on a guarded stack of its own: the memory that they take.
//!
//! A stack is a range of addresses. The kernel gives it memory in pages of 4 KiB when they are
//! touched, and a fiber that waits in a shallow call has touched one page. Page tables are added,
//! and these grow with the size of the stacks. The guards do not split the mappings, of which Linux
//! allows a process 65530.
//!
//! ```text
//! $ cargo run --release --example million_parked [FIBERS = 1000000] [STACK_KIB = 256]
//! 1000000 fibers with stacks of 256 KiB have parked in 5.0s
//! 4978 bytes each (resident memory and page tables), 38 mappings in all
//! all were woken and have ended after 991.0ms
//! ```
//!
//! The numbers are an example; page tables take less with `million_parked 1000000 64`.

mod arguments;
mod broken_pipe;
mod memory;

use fibra::JoinHandle;
use std::error::Error;
use std::fs;

fn main() -> Result<(), Box<dyn Error>> {
    broken_pipe::end_quietly();
    let fibers = arguments::number(1, "FIBERS", 1..=10_000_000, 1_000_000);
    let kib = arguments::number(2, "STACK_KIB", 16..=1 << 20, 256);
    let runtime = fibra::Runtime::builder().stack_size(kib << 10).build()?;
    runtime.run(|| park_and_wake(fibers, kib))
}

fn park_and_wake(fibers: usize, kib: usize) -> Result<(), Box<dyn Error>> {
    eprintln!("spawning {fibers} fibers; a million take some seconds");
    let (start, before) = (fibra::now(), memory::held());
    let parked: Vec<JoinHandle<()>> = (0..fibers).map(|_| fibra::spawn(fibra::park)).collect();
    fibra::yield_now(); // Now each has run until it parked.
    println!("{fibers} fibers with stacks of {kib} KiB have parked in {:.1?}", start.elapsed());

    let each = memory::held().saturating_sub(before) / fibers;
    let mappings = fs::read_to_string("/proc/self/maps")?.lines().count();
    println!("{each} bytes each (resident memory and page tables), {mappings} mappings in all");

    let start = fibra::now();
    parked.iter().for_each(|handle| handle.fiber().unpark());
    for handle in parked {
        handle.join()?;
    }
    println!("all were woken and have ended after {:.1?}", start.elapsed());
    Ok(())
}
