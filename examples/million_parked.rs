//! A million fibers wait, each on a guarded stack of its own: what that takes.
//!
//! A stack is address space. The kernel gives it memory when it is touched, in pages of 4 KiB, and
//! a fiber that waits in a shallow call has touched one. The page tables come on top, and they
//! grow with the size of the stacks. The guards do not split the mappings, of which a process may
//! have 65530.
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
mod memory;

use fibra::JoinHandle;
use std::error::Error;
use std::fs;

fn main() -> Result<(), Box<dyn Error>> {
    let fibers = arguments::number(1, "FIBERS", 1..=10_000_000, 1_000_000);
    let kib = arguments::number(2, "STACK_KIB", 16..=1 << 20, 256);
    let runtime = fibra::Runtime::builder().stack_size(kib << 10).build()?;
    runtime.run(|| park_and_wake(fibers, kib))
}

fn park_and_wake(fibers: usize, kib: usize) -> Result<(), Box<dyn Error>> {
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
